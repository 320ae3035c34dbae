// How connections are shared out: bins, weights, and who has just come.

import Balancing
import Glibc
import Upstreams
import Vocabulary

extension BalancingExperiments {
    /// Balls in bins: the fullest of n, and how far it is above the mean when many more balls than bins are thrown.
    ///
    /// Azar, Broder, Karlin, Upfal, *Balanced Allocations* (1999): ln ln n / ln d and a constant for d choices, against
    /// ln n / ln ln n for one. Berenbrink, Czumaj, Steger, Vöcking, *Balanced Allocations: The Heavily Loaded Case*
    /// (2006): with two or more, the gap is the same for any number of balls.
    static func bins(_ options: BalancingOptions, into report: inout BalancingReport) {
        let bins = options.endpoints ?? 10_000
        var series: [Plot.Series] = []
        for choices in 1...3 {
            var gaps: [(x: Double, y: Double)] = []
            for perBin in [1, 10, 100] {
                let seeds = seeds(options, .bins, runs: perBin == 100 ? 2 : 10)
                let fullest = seeds.map { seed in
                    Double(fullestBin(of: bins, balls: bins * perBin, choices: choices, seed: seed))
                }
                let predicted = BinsModel.fullest(bins: bins, ballsPerBin: perBin, choices: choices)
                let conditions: [Finding.Condition] = [.endpoints(bins), .choices(choices), .perEndpoint(perBin)]
                report.add(
                    .fullest, of: .bins, conditions, fullest, predicted: predicted,
                    note: "ds_i/dt = s_(i−1)^d − s_i^d, Mitzenmacher 2001")
                report.add(
                    .gap, of: .bins, conditions, fullest.map { $0 - Double(perBin) },
                    predicted: predicted - Double(perBin),
                    note: choices == 1 ? "grows as √(2 m/n ln n)" : "the same for any m: Berenbrink et al. 2006")
                gaps.append((Double(perBin), fullest.reduce(0, +) / Double(fullest.count) - Double(perBin)))
            }
            series.append(Plot.Series("d = \(choices)", form: .marks, points: gaps))
        }
        report.plots.append(
            Plot(
                "The fullest of \(bins) above the mean", x: Plot.Axis("connections per endpoint", scale: .logarithmic),
                y: Plot.Axis("connections"), series: series))
    }

    /// One and two choices by the real balancers, three by the model.
    static func fullestBin(of bins: Int, balls: Int, choices: Int, seed: UInt64) -> Int {
        var random = SeededRandom(seed: seed)
        var loads = [Int32](repeating: 0, count: bins)
        guard choices > 2 else {
            var balancer = RealBalancers(
                choices == 1 ? .random : .p2c, endpoints: bins, count: 1, sharing: true, seed: seed)
            for _ in 0..<balls {
                let endpoint = balancer.choose(&random)
                balancer.place(on: endpoint)
                loads[endpoint] += 1
            }
            return Int(loads.max() ?? 0)
        }
        var model = Choices(choices)
        for _ in 0..<balls { loads[model.leastLoaded(of: loads, &random)] += 1 }
        return Int(loads.max() ?? 0)
    }
}

// MARK: - Weights

extension BalancingExperiments {
    /// What a share may be off by, in standard deviations of the binomial: once in two million by chance.
    private static let bound = 5.0

    /// Shares of idle endpoints with unlike weights, and of keys on rings and in tables.
    static func weights(_ options: BalancingOptions, into report: inout BalancingReport) {
        let weights = [1, 3, 10, 30, 50, 100, 100, 100, 150, 200, 400, 1000].map { Weight($0) }
        let total = weights.reduce(0) { $0 + Double($1.value) }
        let shares = weights.map { Double($0.value) / total }
        let picks = options.jobs ?? 1_000_000
        // Those that hash are measured by a key for each connection, below.
        for policy in BalancePolicy.allCases where policy != .ringHash && policy != .maglev {
            let deviations = seeds(options, .weights, runs: 5).map { seed in
                var random = SeededRandom(seed: seed)
                var balancer = RealBalancers(policy, weights: weights, count: 1, sharing: true, seed: seed)
                var counts = [Int](repeating: 0, count: weights.count)
                for _ in 0..<picks { counts[balancer.choose(&random)] += 1 }
                return deviation(of: counts, from: shares)
            }
            report.add(
                .deviation, of: .weights, [.policy(policy.rawValue)], deviations, predicted: bound,
                note: "bound: the binomial's; idle endpoints")
        }
        let members = weights.enumerated().map { HashedMember(name: "member-\($0)", weight: $1) }
        let (ring, table) = (HashRing(members, virtualNodes: 160), MaglevTable(members))
        let slots = slotCounts(of: table, members: members.count).map { Double($0) / Double(table.size) }
        let ringShares = ring.shares(of: members.count)
        var (onRing, inTable): ([Double], [Double]) = ([], [])
        for seed in seeds(options, .weights, runs: 5) {
            var (ringCounts, tableCounts) = (weights.map { _ in 0 }, weights.map { _ in 0 })
            for number in 0..<picks {
                let key = XXH64.hash(seed, UInt64(number))
                if let owner = ring.member(for: key, where: { _ in true }) { ringCounts[Int(owner)] += 1 }
                if let owner = table.member(for: key, where: { _ in true }) { tableCounts[Int(owner)] += 1 }
            }
            onRing.append(deviation(of: ringCounts, from: ringShares))
            inTable.append(deviation(of: tableCounts, from: slots))
        }
        let note = "bound: the binomial's; keys, from each member's part of"
        report.add(
            .deviation, of: .weights, [.policy("ring_hash")], onRing, predicted: bound, note: "\(note) the circle")
        report.add(.deviation, of: .weights, [.policy("maglev")], inTable, predicted: bound, note: "\(note) the table")
        let off = zip(slots, shares).map { abs($0 - $1) * Double(table.size) }.max() ?? 0
        report.add(
            .deviation, of: .weights, [.policy("maglev"), .slots(table.size)], [off], predicted: 1,
            note: "bound: slots, not sigmas, between a member's and its weight's share")
    }

    /// The greatest distance between a count and its share, in standard deviations of the binomial.
    static func deviation(of counts: [Int], from shares: [Double]) -> Double {
        let total = Double(counts.reduce(0, +))
        return zip(counts, shares).map { count, share in
            abs(Double(count) - total * share) / max((total * share * (1 - share)).squareRoot(), 1e-9)
        }.max() ?? 0
    }

    static func slotCounts(of table: MaglevTable, members: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: members)
        for slot in 0..<table.size { counts[Int(table.owner(ofSlot: slot))] += 1 }
        return counts
    }
}

// MARK: - A newcomer

extension BalancingExperiments {
    /// Long connections that are silent most of the time, on endpoints of which one has just come with none.
    ///
    /// With n endpoints of mean load L, two distinct draws have the newcomer among them with the chance 2/n, and it
    /// wins for as long as it is behind. So its load follows dx/dt = 2L − x in mean lifetimes, x = 2L (1 − e^−t), which
    /// is L at t = ln 2 = 0.69. One draw gives L (1 − e^−t), never quite L; the least loaded of all gives it everything
    /// that comes, until it has as much as the least of the others.
    static func newcomer(_ options: BalancingOptions, into report: inout BalancingReport) {
        let endpoints = 50
        let mean = 400
        struct Case {
            let policy: BalancePolicy
            let share: Double
            let predicted: Double
            let note: String
        }
        let cases = [
            Case(policy: .p2c, share: 1, predicted: log(2), note: "ln 2"),
            Case(policy: .p2c, share: 0.9, predicted: -log1p(-0.45), note: "−ln(1 − s/2)"),
            Case(policy: .random, share: 0.9, predicted: -log1p(-0.9), note: "−ln(1 − s)"),
            Case(policy: .roundRobin, share: 0.9, predicted: -log1p(-0.9), note: "−ln(1 − s)"),
            Case(
                policy: .leastRequest, share: 0.9, predicted: log1p(0.9 / Double(endpoints - 1)),
                note: "ln(1 + s/(n − 1)): all that comes is its"),
        ]
        for item in cases {
            let times = seeds(options, .newcomer, runs: 20).compactMap { seed in
                timeToShare(item.share, item.policy, endpoints: endpoints, mean: mean, seed: seed)
            }
            report.add(
                .newcomerTime, of: .newcomer,
                [.policy(item.policy.rawValue), .share(item.share), .endpoints(endpoints), .perEndpoint(mean)], times,
                predicted: item.predicted, note: item.note)
        }
    }

    /// Mean lifetimes until the newcomer has this share of the others' mean load; nil where it has not within ten.
    static func timeToShare(
        _ share: Double, _ policy: BalancePolicy, endpoints: Int, mean: Int, seed: UInt64
    ) -> Double? {
        var random = SeededRandom(seed: seed)
        var balancer = RealBalancers(policy, endpoints: endpoints, count: 1, sharing: true, seed: seed)
        var ends = DepartureHeap()
        var newcomer = 0
        func open(on endpoint: Int, at now: Int64, _ random: inout SeededRandom) {
            balancer.place(on: endpoint)
            balancer.silence(on: endpoint)
            let lifetime = Int64(random.exponential() * Departure.ticks)
            ends.insert(Departure(at: now + lifetime, from: endpoint, of: 0))
            if endpoint == 0 { newcomer += 1 }
        }
        // The newcomer is the first; what it will have is with the others.
        for number in 0..<(endpoints * mean) { open(on: 1 + number % (endpoints - 1), at: 0, &random) }
        let gap = Departure.ticks / Double(endpoints * mean)
        var clock = 0.0
        while clock < 10 * Departure.ticks {
            clock += random.exponential() * gap
            let now = Int64(clock)
            while ends.nextTime <= now {
                let end = ends.removeFirst()
                balancer.end(on: end.endpoint)
                if end.endpoint == 0 { newcomer -= 1 }
            }
            open(on: balancer.choose(&random), at: now, &random)
            let others = Double(ends.count - newcomer) / Double(endpoints - 1)
            if Double(newcomer) >= share * others { return clock / Departure.ticks }
        }
        return nil
    }
}
