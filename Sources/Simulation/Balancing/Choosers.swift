// Who chooses endpoints in a queueing world: the real balancers, and models of what there is no real one of.

import Balancing
import Upstreams
import Vocabulary

/// The balancers that run in production, each with load cells of its own for what it placed itself, or all with the
/// same: then each sees the true load.
struct RealBalancers: Chooser, ~Copyable {
    private let cells: LoadCells
    private var balancers: UpstreamBalancers
    private let endpoints: Int
    private let isShared: Bool

    /// - Parameters:
    ///   - weights: one for each endpoint.
    ///   - count: how many balancers; those that share their cells are one.
    init(_ policy: BalancePolicy, weights: [Weight], count: Int, sharing: Bool, seed: UInt64) {
        let upstreams = sharing ? 1 : count
        endpoints = weights.count
        isShared = sharing
        cells = LoadCells(capacity: max(upstreams * endpoints, 1))
        balancers = UpstreamBalancers(cells: cells)
        let options = UpstreamOptions(name: "simulated", endpoints: [], balance: policy)
        let snapshots = (0..<upstreams).map { _ in
            UpstreamSnapshot(
                options: options,
                endpoints: weights.enumerated().map { number, weight in
                    let address = SocketAddress.ipv4(.init(bits: 0x0A00_0000 + UInt32(number)), port: 80)
                    guard let cell = cells.allocate() else { preconditionFailure("there is a cell for each") }
                    return Endpoint(
                        identity: EndpointIdentity(address: address), weight: weight,
                        fitness: Fitness(.fit, because: "Nobody is ill here."), cell: cell)
                })
        }
        var random = SeededRandom(seed: seed)
        balancers.adopt(UpstreamSet(version: 1, upstreams: snapshots), random: &random)
    }

    /// Endpoints of equal weight.
    init(_ policy: BalancePolicy, endpoints: Int, count: Int, sharing: Bool, seed: UInt64) {
        let weights = [Weight](repeating: .standard, count: endpoints)
        self.init(policy, weights: weights, count: count, sharing: sharing, seed: seed)
    }

    mutating func choose(
        for balancer: Int, at now: Int64, among lengths: [Int32], _ random: inout SeededRandom
    ) -> Int { choose(for: balancer, &random) }

    /// The place of an endpoint; all are fit, and there are no limits.
    mutating func choose(for balancer: Int = 0, _ random: inout SeededRandom) -> Int {
        let upstream = isShared ? 0 : balancer
        guard let record = balancers.pick(from: upstream, excluding: TriedEndpoints(), random: &random) else {
            preconditionFailure("all endpoints are fit")
        }
        return Int(record)
    }

    mutating func placed(on endpoint: Int, by balancer: Int, at now: Int64) { place(on: endpoint, by: balancer) }

    mutating func ended(on endpoint: Int, of balancer: Int, at time: Int64) {
        cells.unplace(cell(of: endpoint, balancer), waiting: true)
    }

    func place(on endpoint: Int, by balancer: Int = 0) { _ = cells.place(cell(of: endpoint, balancer)) }

    /// Counts a connection that was placed as silent, and so no longer outstanding.
    func silence(on endpoint: Int) { cells.count(.stops, in: cell(of: endpoint, 0)) }

    /// Counts a silent connection away.
    func end(on endpoint: Int) { cells.unplace(cell(of: endpoint, 0), waiting: false) }

    /// Cells are given out in order, and a snapshot's records are in the order of its endpoints.
    private func cell(of endpoint: Int, _ balancer: Int) -> LoadCells.Index {
        LoadCells.Index((isShared ? 0 : balancer) * endpoints + endpoint)
    }
}

/// The least loaded of some distinct endpoints; the first drawn of equals.
///
/// For two that is what the real `p2c` does, and a test holds them to each other; there is no real one for three.
struct Choices {
    private let count: Int
    private var drawn: [Int] = []

    init(_ count: Int) { self.count = count }

    /// - Precondition: there are as many endpoints as are drawn.
    mutating func leastLoaded(of loads: [Int32], _ random: inout SeededRandom) -> Int {
        drawn.removeAll(keepingCapacity: true)
        var least = 0
        while drawn.count < count {
            let endpoint = Int(random.below(UInt32(truncatingIfNeeded: loads.count)))
            if drawn.contains(endpoint) { continue }
            if drawn.isEmpty || loads[endpoint] < loads[least] { least = endpoint }
            drawn.append(endpoint)
        }
        return least
    }
}

/// Distinct choices by the true load of this moment.
struct FreshChoices: Chooser {
    private var choices: Choices

    init(_ count: Int) { choices = Choices(count) }

    mutating func choose(
        for balancer: Int, at now: Int64, among lengths: [Int32], _ random: inout SeededRandom
    ) -> Int { choices.leastLoaded(of: lengths, &random) }

    mutating func placed(on endpoint: Int, by balancer: Int, at now: Int64) {}
    mutating func ended(on endpoint: Int, of balancer: Int, at time: Int64) {}
}

/// Choices by the true load as it was some time ago: Mitzenmacher's model of a bulletin board that is behind by a
/// constant (*How Useful Is Old Information?*, 2000, continuous updates).
struct StaleChoices: Chooser {
    enum Scope {
        case distinct(Int)
        /// The least loaded of all, one drawn among equals.
        case all
    }

    /// In ticks.
    private let age: Int64
    private let scope: Scope
    private var choices: Choices
    private var board: [Int32]
    /// What the board does not show yet, in order of time; whoever is before `next` is on it.
    private var changes: [(time: Int64, endpoint: Int32, change: Int32)] = []
    private var next = 0

    /// - Parameter age: in mean service times.
    init(_ scope: Scope, age: Double, endpoints: Int) {
        self.age = Int64(age * Departure.ticks)
        self.scope = scope
        board = [Int32](repeating: 0, count: endpoints)
        switch scope {
        case .distinct(let count): choices = Choices(count)
        case .all: choices = Choices(1)
        }
    }

    mutating func choose(
        for balancer: Int, at now: Int64, among lengths: [Int32], _ random: inout SeededRandom
    ) -> Int {
        while next < changes.count, changes[next].time <= now - age {
            board[Int(changes[next].endpoint)] += changes[next].change
            next += 1
        }
        if next > 1 << 16 {
            changes.removeFirst(next)
            next = 0
        }
        switch scope {
        case .distinct: return choices.leastLoaded(of: board, &random)
        case .all: return leastOfAll(&random)
        }
    }

    private func leastOfAll(_ random: inout SeededRandom) -> Int {
        let least = board.min() ?? 0
        var rest = random.below(UInt32(board.count { $0 == least }))
        for (endpoint, load) in board.enumerated() where load == least {
            if rest == 0 { return endpoint }
            rest -= 1
        }
        return 0
    }

    mutating func placed(on endpoint: Int, by balancer: Int, at now: Int64) {
        changes.append((now, Int32(endpoint), 1))
    }

    mutating func ended(on endpoint: Int, of balancer: Int, at time: Int64) {
        changes.append((time, Int32(endpoint), -1))
    }
}
