// One upstream with load on it, and a worker that keeps picking from it.

import Balancing
import Upstreams
import Vocabulary

/// One way to pick.
struct Algorithm: Hashable {
    enum Variant: String {
        case plain = ""
        /// With no endpoint above 1.25 times its share.
        case bounded = "-bounded"
        /// A tenth of the endpoints in this node's zone, which keeps half of the connections; two zones share the rest.
        case zoned = "-zoned"
    }

    var policy: BalancePolicy
    var variant = Variant.plain

    var name: String { policy.rawValue + variant.rawValue }

    static let all: [Algorithm] =
        BalancePolicy.allCases.map { Algorithm(policy: $0) } + [
            Algorithm(policy: .p2c, variant: .zoned), Algorithm(policy: .ringHash, variant: .bounded),
            Algorithm(policy: .maglev, variant: .bounded),
        ]

    var options: UpstreamOptions {
        var options = UpstreamOptions(name: "measured", source: .service("a"), balance: policy)
        switch variant {
        case .plain, .zoned: break
        case .bounded: options.hash.boundedLoad = 1.25
        }
        return options
    }

    func zone(_ number: Int) -> String? {
        switch variant {
        case .plain, .bounded: nil
        case .zoned: number % 10 == 0 ? "a" : number % 2 == 0 ? "b" : "c"
        }
    }

    var zones: ZoneView? {
        switch variant {
        case .plain, .bounded: nil
        case .zoned: ZoneView(own: "a", callers: ["a": 2, "b": 4, "c": 4])
        }
    }
}

/// What one row of the table is about.
struct Scenario {
    enum Weights: String, CaseIterable {
        /// All 100.
        case equal
        /// Anything from 1 to 10,000: few endpoints share a weight.
        case mixed
    }

    var algorithm: Algorithm
    var endpoints: Int
    var weights: Weights

    /// The upstream, its endpoints' cells taken from `cells`.
    func snapshot(cells: LoadCells) -> UpstreamSnapshot {
        var random = SeededRandom(seed: 1)
        let endpoints = (0..<endpoints).map { number in
            let weight =
                switch weights {
                case .equal: Weight.standard
                case .mixed: Weight(1 + Int(random.below(10_000)))
                }
            guard let cell = cells.allocate() else { preconditionFailure("the slab has a cell for each endpoint") }
            let address = SocketAddress.ipv4(.init(bits: 0x0A00_0000 + UInt32(number)), port: 9000)
            return Endpoint(
                identity: EndpointIdentity(address: address), zone: algorithm.zone(number), weight: weight,
                fitness: Fitness(.fit, because: "It is."), cell: cell)
        }
        return UpstreamSnapshot(
            options: algorithm.options, endpoints: endpoints, keys: keys(endpoints), zones: algorithm.zones)
    }

    private func keys(_ endpoints: [Endpoint]) -> KeyOwners? {
        guard let form = algorithm.options.keyForm else { return nil }
        let members = endpoints.map { HashedMember(name: $0.identity.keyName, weight: $0.weight) }
        let table: any KeyTable =
            switch form {
            case .ring(let virtualNodes): HashRing(members, virtualNodes: virtualNodes)
            case .maglev: MaglevTable(members)
            }
        return KeyOwners(table, records: endpoints.indices.map { UInt32($0) })
    }
}

/// A worker with 64 connections, of which each pick replaces the oldest.
struct Worker: ~Copyable {
    private let cells: LoadCells
    private let snapshot: UpstreamSnapshot
    private var balancer: Balancer
    private var random: SeededRandom
    private var placed: [LoadCells.Index?] = Array(repeating: nil, count: 64)
    private var turn = 0

    init(cells: LoadCells, snapshot: UpstreamSnapshot, seed: UInt64) {
        self.cells = cells
        self.snapshot = snapshot
        random = SeededRandom(seed: seed)
        balancer = Balancer(cells: cells)
        balancer.adopt(snapshot, random: &random)
    }

    mutating func adopt() { balancer.adopt(snapshot, random: &random) }

    /// Picks, places, and ends the connection placed 64 picks ago, `count` times.
    @inline(never)
    mutating func work(_ count: Int) {
        let tried = TriedEndpoints()
        for _ in 0..<count {
            // A key like no other's; policies that do not hash have no eye for it.
            let key = UInt64(turn) &* 0x9E37_79B9_7F4A_7C15
            guard let record = balancer.pick(for: key, excluding: tried, random: &random) else { return }
            let cell = unsafe snapshot.records[Int(record)].cell
            guard cells.place(cell) else { return }
            let place = turn & 63
            if let oldest = placed[place] { cells.unplace(oldest, waiting: true) }
            placed[place] = cell
            turn &+= 1
        }
    }
}
