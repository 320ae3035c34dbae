// A fleet as discovery is told of it, by hand and in virtual time.

import Upstreams
import Vocabulary

enum Seeds {
    static let sample: [UInt64] = [1, 2, 3, 0xDEAD_BEEF]
}

struct FleetLab: ~Copyable {
    let cells: LoadCells
    var discovery: Discovery
    var now = Instant(nanoseconds: 1_000_000_000)
    /// What workers have counted, by cell; nothing where it is not set.
    var counts: [LoadCells.Index: EndpointCounts] = [:]
    /// How often a count was asked for.
    private(set) var readings = 0

    init(
        _ upstreams: [UpstreamOptions], node: String? = nil, zone: String? = nil, capacity: Int = 20_000
    ) throws {
        cells = LoadCells(capacity: capacity)
        discovery = try Discovery(upstreams: upstreams, cells: cells, node: node, zone: zone, at: now)
    }

    /// One upstream of the service `a`.
    init(node: String? = nil, _ adjust: (inout UpstreamOptions) -> Void = { _ in }) throws {
        var options = UpstreamOptions(name: "a", source: .service("a"))
        adjust(&options)
        try self.init([options], node: node)
    }

    /// Members `m00` … that serve `a`, all alive.
    mutating func populate(_ count: Int) {
        for number in 0..<count { see(FleetLab.name(number)) }
        publish()
    }

    static func name(_ number: Int) -> String { number < 10 ? "m0\(number)" : "m\(number)" }

    static func address(_ name: String) -> SocketAddress {
        // Any number that differs from name to name, the same in every process.
        let bits = name.utf8.reduce(UInt32(0)) { $0 &* 31 &+ UInt32($1) }
        return .ipv4(.init(bits: 0x0A00_0000 | bits & 0xFF_FFFF), port: 7946)
    }

    mutating func see(
        _ name: String, _ state: FleetMember.State = .alive, tags: [String: String] = ["svc.a": ":80"],
        incarnation: UInt32 = 1, accusation: String? = nil
    ) {
        discovery.update(
            FleetMember(
                name: name, address: Self.address(name), state: state, incarnation: incarnation, tags: tags, since: now,
                accusation: accusation),
            at: now)
    }

    /// What a worker saw of an endpoint of the first upstream: each of a row that it tells, from the one numbered
    /// `first` to the one numbered `streak`.
    mutating func observe(_ kind: Observation.Kind, of name: String, first: Int = 1, streak: Int = 1) {
        guard let cell = endpoint(name)?.cell else { return }
        let counts = counts
        var readings = 0
        for streak in first...streak {
            discovery.observe(Observation(cell: cell, kind: kind, streak: streak), at: now) { cell in
                readings += 1
                return counts[cell] ?? EndpointCounts(answered: 0, failed: 0)
            }
        }
        self.readings += readings
    }

    /// Lets time pass, and everything happen in it at its moment.
    mutating func run(for duration: Duration) {
        let end = now + duration
        while let wake = discovery.nextWake, wake <= end {
            now = max(now, wake)
            turn()
        }
        now = end
        turn()
    }

    private mutating func turn() {
        let counts = counts
        var readings = 0
        discovery.wake(at: now) { cell in
            readings += 1
            return counts[cell] ?? EndpointCounts(answered: 0, failed: 0)
        }
        self.readings += readings
        _ = discovery.nextSet(at: now)
    }

    /// The next set, once it may be built.
    @discardableResult
    mutating func publish() -> UpstreamSet {
        run(for: Discovery.publicationInterval)
        return discovery.current
    }

    // MARK: What was published

    func upstream(_ place: Int = 0) -> UpstreamSnapshot { discovery.current.upstreams[place] }

    func endpoint(_ name: String, in place: Int = 0) -> Endpoint? {
        upstream(place).endpoints.first { $0.identity.member == name }
    }

    /// Published state, after what is due was published.
    mutating func state(_ name: String) -> Fitness.State? {
        publish()
        return endpoint(name)?.fitness.state
    }

    /// Names of the members that may be picked, preferred and reserve.
    func tiers(of place: Int = 0) -> (preferred: [String], reserve: [String]) {
        let snapshot = upstream(place)
        let names = unsafe snapshot.candidates.map { snapshot.endpoints[Int($0)].identity.member ?? "" }
        return (Array(names[..<snapshot.preferredCount]), Array(names[snapshot.preferredCount...]))
    }
}
