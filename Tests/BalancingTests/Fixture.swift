// Upstreams as tests describe them: a weight for each endpoint, and a load set by hand.

import Balancing
import Upstreams
import Vocabulary

enum Seeds {
    static let sample: [UInt64] = [1, 2, 3, 0xDEAD_BEEF]
}

/// One upstream and one worker that picks from it. Under policies that hash every connection has a key of its own.
struct Fixture: ~Copyable {
    /// A table small enough to be built hundreds of times.
    private static let slots = 1009

    let cells: LoadCells
    private(set) var options: UpstreamOptions
    /// The cell of every endpoint, which stays its own from one adoption to the next.
    let endpoints: [LoadCells.Index]
    private var balancer: Balancer
    var random: SeededRandom
    /// Endpoint by record of the snapshot adopted last.
    private(set) var adopted: [Int] = []
    private(set) var table: (any KeyTable)?
    /// Endpoint by place in the table.
    private var holders: [Int] = []

    init(
        weights: [Int], balance: BalancePolicy, seed: UInt64, maxConnections: Int? = nil, maxOutstanding: Int? = nil,
        panicThresholdPercent: Int = 0, boundedLoad: Double? = nil,
        state: (Int) -> Fitness.State = { _ in .fit }
    ) {
        cells = LoadCells(capacity: max(1, weights.count))
        endpoints = weights.indices.map { LoadCells.Index($0) }
        for _ in endpoints { _ = cells.allocate() }
        options = UpstreamOptions(
            name: "tested", endpoints: [], balance: balance, maxConnections: maxConnections,
            maxOutstanding: maxOutstanding)
        options.panicThresholdPercent = panicThresholdPercent
        options.hash.virtualNodes = 4
        options.hash.boundedLoad = boundedLoad
        balancer = Balancer(cells: cells)
        random = SeededRandom(seed: seed)
        adopt(weights.enumerated().map { (endpoint: $0, weight: $1) }, state: state)
    }

    /// Adopts a snapshot of these endpoints, in this order, with a ring or table of them where the policy has one.
    /// - Parameter rebuilds: whether the table is built anew, or is still the one before.
    mutating func adopt(
        _ members: [(endpoint: Int, weight: Int)], rebuilds: Bool = true, zones: ZoneView? = nil,
        zone: (Int) -> String? = { _ in nil }, state: (Int) -> Fitness.State = { _ in .fit }
    ) {
        adopted = members.map(\.endpoint)
        if rebuilds { buildTable(of: members) }
        let records = holders.map { holder in adopted.firstIndex(of: holder).map { UInt32($0) } ?? KeyOwners.nobody }
        let snapshot = UpstreamSnapshot(
            options: options,
            endpoints: members.map { member in
                Endpoint(
                    identity: EndpointIdentity(
                        address: .ipv4(.init(bits: 0x0A00_0000 + UInt32(member.endpoint)), port: 80)),
                    zone: zone(member.endpoint), weight: Weight(member.weight),
                    fitness: Fitness(state(member.endpoint), because: "The test says so."),
                    cell: endpoints[member.endpoint])
            }, keys: table.map { KeyOwners($0, records: records) }, zones: zones)
        balancer.adopt(snapshot, random: &random)
    }

    private mutating func buildTable(of members: [(endpoint: Int, weight: Int)]) {
        holders = members.map(\.endpoint)
        let hashed = members.map { HashedMember(name: "endpoint-\($0.endpoint)", weight: Weight($0.weight)) }
        table =
            switch options.balance {
            case .ringHash: HashRing(hashed, virtualNodes: options.hash.virtualNodes)
            case .maglev: MaglevTable(hashed, size: Self.slots)
            case .p2c, .leastRequest, .roundRobin, .random: nil
            }
    }

    /// The endpoint picked for a connection with a key like no other's.
    mutating func pick(excluding tried: TriedEndpoints = TriedEndpoints()) -> Int? {
        pick(for: table == nil ? nil : random.next(), excluding: tried)
    }

    /// - Parameter since: what sidecars measured before is not used.
    mutating func pick(
        for key: UInt64?, excluding tried: TriedEndpoints = TriedEndpoints(), since: Instant? = nil
    ) -> Int? {
        balancer.pick(for: key, excluding: tried, since: since, random: &random).map { adopted[Int($0)] }
    }

    /// Takes in what an endpoint's own sidecar counts.
    func report(_ endpoint: Int, outstanding: Int, measured: Instant) {
        cells.report(
            ReportedLoad(
                load: EndpointLoad(outstanding: UInt32(outstanding), connections: UInt32(outstanding)),
                measured: measured),
            of: endpoints[endpoint])
    }

    /// Whose key it is by the table alone, among those for whom `isFit` holds.
    func owner(of key: UInt64, where isFit: (Int) -> Bool = { _ in true }) -> Int? {
        let place =
            switch table {
            case let ring as HashRing: ring.member(for: key) { isFit(holders[Int($0)]) }
            case let table as MaglevTable: table.member(for: key) { isFit(holders[Int($0)]) }
            default: UInt32?.none
            }
        return place.map { holders[Int($0)] }
    }

    /// How often each endpoint was picked.
    mutating func shares(of picks: Int) -> [Int] {
        var shares = [Int](repeating: 0, count: endpoints.count)
        for _ in 0..<picks {
            if let picked = pick() { shares[picked] += 1 }
        }
        return shares
    }

    /// Adds to an endpoint's load.
    func load(_ endpoint: Int, outstanding: Int = 0, connections: Int = 0) {
        precondition(connections >= outstanding)
        for number in 0..<connections {
            _ = cells.place(endpoints[endpoint])
            if number >= outstanding { cells.count(.stops, in: endpoints[endpoint]) }
        }
    }
}

/// Whether each count is within five standard deviations of its weight's share: once in two million by chance.
func sharesFit(_ counts: [Int], weights: [Int]) -> Bool {
    let total = Double(counts.reduce(0, +))
    let sum = Double(weights.reduce(0, +))
    return zip(counts, weights).allSatisfy { count, weight in
        let share = Double(weight) / sum
        let deviation = (total * share * (1 - share)).squareRoot()
        return abs(Double(count) - total * share) <= 5 * deviation + 1e-9
    }
}
