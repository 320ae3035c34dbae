// Upstreams as tests describe them: a weight for each endpoint, and a load set by hand.

import Balancing
import Upstreams
import Vocabulary

enum Seeds {
    static let sample: [UInt64] = [1, 2, 3, 0xDEAD_BEEF]
}

/// One upstream and one worker that picks from it.
struct Fixture: ~Copyable {
    let cells: LoadCells
    private(set) var options: UpstreamOptions
    /// The cell of every endpoint, which stays its own from one adoption to the next.
    let endpoints: [LoadCells.Index]
    private var balancer: Balancer
    var random: SeededRandom
    /// Endpoint by record of the snapshot adopted last.
    private var adopted: [Int] = []

    init(
        weights: [Int], balance: BalancePolicy, seed: UInt64, maxConnections: Int? = nil, maxOutstanding: Int? = nil,
        panicThresholdPercent: Int = 0, state: (Int) -> Fitness.State = { _ in .fit }
    ) {
        cells = LoadCells(capacity: max(1, weights.count))
        endpoints = weights.indices.map { LoadCells.Index($0) }
        for _ in endpoints { _ = cells.allocate() }
        options = UpstreamOptions(
            name: "tested", endpoints: [], balance: balance, maxConnections: maxConnections,
            maxOutstanding: maxOutstanding)
        options.panicThresholdPercent = panicThresholdPercent
        balancer = Balancer(cells: cells)
        random = SeededRandom(seed: seed)
        adopt(weights.enumerated().map { (endpoint: $0, weight: $1) }, state: state)
    }

    /// Adopts a snapshot of these endpoints, in this order.
    mutating func adopt(_ members: [(endpoint: Int, weight: Int)], state: (Int) -> Fitness.State = { _ in .fit }) {
        adopted = members.map(\.endpoint)
        let snapshot = UpstreamSnapshot(
            options: options,
            endpoints: members.map { member in
                Endpoint(
                    identity: EndpointIdentity(
                        address: .ipv4(.init(bits: 0x0A00_0000 + UInt32(member.endpoint)), port: 80)),
                    weight: Weight(member.weight),
                    fitness: Fitness(state(member.endpoint), because: "The test says so."),
                    cell: endpoints[member.endpoint])
            })
        balancer.adopt(snapshot, random: &random)
    }

    /// The endpoint picked.
    mutating func pick(excluding tried: TriedEndpoints = TriedEndpoints()) -> Int? {
        balancer.pick(excluding: tried, random: &random).map { adopted[Int($0)] }
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
