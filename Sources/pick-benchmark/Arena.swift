// One upstream with load on it, and a worker that keeps picking from it.

import Balancing
import Upstreams
import Vocabulary

/// What one row of the table is about.
struct Scenario {
    enum Weights: String, CaseIterable {
        /// All 100.
        case equal
        /// Anything from 1 to 10,000: few endpoints share a weight.
        case mixed
    }

    var policy: BalancePolicy
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
                identity: EndpointIdentity(address: address), weight: weight, fitness: Fitness(.fit, because: "It is."),
                cell: cell)
        }
        return UpstreamSnapshot(
            options: UpstreamOptions(name: "measured", endpoints: [], balance: policy), endpoints: endpoints)
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
            guard let record = balancer.pick(excluding: tried, random: &random) else { return }
            let cell = unsafe snapshot.records[Int(record)].cell
            guard cells.place(cell) else { return }
            let place = turn & 63
            if let oldest = placed[place] { cells.unplace(oldest, waiting: true) }
            placed[place] = cell
            turn &+= 1
        }
    }
}
