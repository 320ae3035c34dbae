// How long connections take: by choices, by the age of what is known, and by how many look.

import Upstreams
import Vocabulary

extension BalancingExperiments {
    /// Loads at which theory and simulation are put beside each other.
    private static let usualLoads = [0.5, 0.7, 0.8, 0.9, 0.95, 0.99]

    /// Mitzenmacher 2001: two choices or three, and the real balancers where there are any (`random` and `p2c`).
    static func supermarket(_ options: BalancingOptions, into report: inout BalancingReport) {
        var series: [Plot.Series] = []
        for choices in 1...3 {
            var points: [(x: Double, y: Double)] = []
            for (number, load) in (options.loads ?? usualLoads).enumerated() {
                let isByItself = choices == 1 && load >= 0.99
                let endpoints = options.endpoints ?? (load < 0.99 || isByItself ? 1000 : 10_000)
                let seed = seed(options, .supermarket, choices * 100 + number)
                let conditions: [Finding.Condition] = [.lambda(load), .choices(choices), .endpoints(endpoints)]
                let predicted = SupermarketModel.meanTime(load: load, choices: choices)
                let note = choices == 1 ? "1/(1−λ)" : "Σ λ^((dⁱ−d)/(d−1)), Mitzenmacher 2001"
                if isByItself {
                    var random = SeededRandom(seed: seed)
                    let means = SingleQueues.means(
                        endpoints: endpoints, load: load, jobs: options.jobs ?? 100_000_000, random: &random)
                    report.add(.meanTime, of: .supermarket, conditions, means, predicted: predicted, note: note)
                    points.append((load, means.reduce(0, +) / Double(means.count)))
                    continue
                }
                let jobs = options.jobs ?? jobs(endpoints: endpoints, load: load, choices: choices)
                let world = QueueingOptions(endpoints: endpoints, load: load, jobs: jobs, seed: seed)
                let outcome = supermarketOutcome(world, choices: choices)
                report.add(.meanTime, of: .supermarket, conditions, outcome.means, predicted: predicted, note: note)
                points.append((load, outcome.mean))
                for length in 1..<outcome.tails.count {
                    let predicted = SupermarketModel.tail(length: length, load: load, choices: choices)
                    // Fewer than a thousandth of the endpoints are too few to say anything of.
                    if predicted < 1e-3 || length > 6 { break }
                    report.add(
                        .tail, of: .supermarket, conditions + [.length(length)], [outcome.tails[length]],
                        predicted: predicted, note: choices == 1 ? "λⁱ" : "λ^((dⁱ−1)/(d−1))")
                }
            }
            series.append(Plot.Series("d = \(choices)", form: .marks, points: points))
            series.append(
                Plot.Series(
                    "d = \(choices), predicted", form: .line,
                    points: points.map { ($0.x, SupermarketModel.meanTime(load: $0.x, choices: choices)) }))
        }
        report.plots.append(
            Plot(
                "Time in system by choices", x: Plot.Axis("offered load"),
                y: Plot.Axis("mean services", scale: .logarithmic), series: series))
    }

    static func supermarketOutcome(_ world: QueueingOptions, choices: Int) -> QueueingOutcome {
        switch choices {
        case 1: run(world, .random, sharing: true)
        case 2: run(world, .p2c, sharing: true)
        default: run(world, FreshChoices(choices))
        }
    }

    /// Enough arrivals for a standard error of about a hundredth. Queues that are chosen by chance wander about for
    /// 1/(1 − λ)² service times, and need that many; choices bring them back at once.
    private static func jobs(endpoints: Int, load: Double, choices: Int) -> Int {
        if choices > 1 { return max(2_000_000, endpoints * 800) }
        return max(1_000_000, Int(40_000 / ((1 - load) * (1 - load))))
    }

    static func run(_ options: QueueingOptions, _ policy: BalancePolicy, sharing: Bool) -> QueueingOutcome {
        var world = QueueingWorld(options)
        var chooser = RealBalancers(
            policy, endpoints: options.endpoints, count: options.balancers, sharing: sharing, seed: options.seed)
        return world.run(&chooser)
    }

    static func run<C: Chooser>(_ options: QueueingOptions, _ chooser: C) -> QueueingOutcome {
        var world = QueueingWorld(options)
        var chooser = chooser
        return world.run(&chooser)
    }
}

// MARK: - A fleet

extension BalancingExperiments {
    /// As many sidecars as hosts, for a fleet of 250.
    private static let fleet = 250
    private static let fleetLoads = [0.5, 0.7, 0.9]
    private static let fleetJobs = 1_000_000

    private static func world(
        _ options: BalancingOptions, _ experiment: BalancingExperiment, _ number: Int, load: Double
    ) -> QueueingOptions {
        QueueingOptions(
            endpoints: options.endpoints ?? fleet, load: load, jobs: options.jobs ?? fleetJobs,
            seed: seed(options, experiment, number))
    }

    private static func world(
        _ options: BalancingOptions, _ experiment: BalancingExperiment, _ number: Int, load: Double, balancers: Int
    ) -> QueueingOptions {
        var world = world(options, experiment, number, load: load)
        world.balancers = min(balancers, Departure.balancerLimit)
        return world
    }

    /// Load as it was some time ago, compared by two choices and by the least of all, until a balancer's own counts
    /// would have been better.
    static func staleness(_ options: BalancingOptions, into report: inout BalancingReport) {
        let ages = [0, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24]
        for (number, load) in (options.loads ?? fleetLoads).enumerated() {
            let world = world(options, .staleness, number, load: load)
            var own = world
            own.balancers = min(world.endpoints, Departure.balancerLimit)
            let local = run(own, .p2c, sharing: false)
            let conditions: [Finding.Condition] = [.lambda(load), .endpoints(world.endpoints)]
            report.add(
                .meanTime, of: .staleness, conditions + [.policy("p2c"), .load("local")], local.means,
                predicted: SupermarketModel.meanTime(load: load, choices: 1),
                note: "as bad as chance, where each balancer sees little")
            var (two, all): ([(x: Double, y: Double)], [(x: Double, y: Double)]) = ([], [])
            for age in ages {
                let fresh = SupermarketModel.meanTime(load: load, choices: 2)
                let outcome = run(world, StaleChoices(.distinct(2), age: age, endpoints: world.endpoints))
                two.append((age, outcome.mean))
                report.add(
                    .meanTime, of: .staleness, conditions + [.choices(2), .age(age)], outcome.means,
                    predicted: age == 0 ? fresh : nil, note: age == 0 ? "the supermarket model" : "")
                var herd = world
                herd.jobs = world.jobs / 4
                let least = run(herd, StaleChoices(.all, age: age, endpoints: world.endpoints))
                all.append((age, least.mean))
                report.add(
                    .meanTime, of: .staleness, conditions + [.choices(world.endpoints), .age(age)], least.means,
                    note: age == 0 ? "the least loaded of all" : "a herd: Mitzenmacher 2000")
            }
            let age = crossing(of: two, at: local.mean)
            let periods = age.map { "\(($0 / local.mean).written()) mean times in system there; " } ?? ""
            report.add(
                .breakEvenAge, of: .staleness, conditions + [.choices(2)], age.map { [$0] } ?? [],
                note: "\(periods)an earlier model: about 3 to 8, by load")
            report.plots.append(
                Plot(
                    "Stale load at \(load.written())", x: Plot.Axis("age in mean services"),
                    y: Plot.Axis("mean services", scale: .logarithmic),
                    series: [
                        Plot.Series("the less loaded of two", form: .marks, points: two),
                        Plot.Series("the least loaded of all", form: .marks, points: all),
                        Plot.Series(
                            "two, by own counts", form: .line, points: ages.map { ($0, local.mean) }),
                    ]))
        }
    }

    /// Where the line through some points first rises to a height.
    private static func crossing(of points: [(x: Double, y: Double)], at height: Double) -> Double? {
        for (before, after) in zip(points, points.dropFirst()) where before.y < height && after.y >= height {
            return before.x + (after.x - before.x) * (height - before.y) / (after.y - before.y)
        }
        return nil
    }

    /// What an earlier, throw-away model of 250 sidecars and 250 hosts had at a load of 0.9.
    private static func earlier(_ figure: Double, _ load: Double, _ options: BalancingOptions) -> String {
        load == 0.9 && options.endpoints == nil ? "an earlier model: \(figure.written())" : ""
    }

    /// Balancers that count what they placed themselves: alone one sees everything, and of many each sees nothing.
    static func balancers(_ options: BalancingOptions, into report: inout BalancingReport) {
        for (number, load) in (options.loads ?? fleetLoads).enumerated() {
            let world = world(
                options, .balancers, number, load: load, balancers: options.endpoints ?? fleet)
            func add(_ policy: BalancePolicy, _ sharing: Bool, _ predicted: Double?, _ earlierFigure: Double?) {
                let outcome = run(world, policy, sharing: sharing)
                let conditions: [Finding.Condition] = [
                    .lambda(load), .endpoints(world.endpoints), .balancers(world.balancers),
                    .policy(policy.rawValue), .load(sharing ? "true" : "local"),
                ]
                let note = earlierFigure.map { earlier($0, load, options) } ?? ""
                report.add(.meanTime, of: .balancers, conditions, outcome.means, predicted: predicted, note: note)
                report.add(.p99Time, of: .balancers, conditions, [outcome.p99])
            }
            let (one, two) = (
                SupermarketModel.meanTime(load: load, choices: 1), SupermarketModel.meanTime(load: load, choices: 2)
            )
            add(.random, false, one, 10)
            add(.roundRobin, false, nil, 8.28)
            add(.leastRequest, false, nil, nil)
            add(.p2c, false, nil, 7.96)
            add(.p2c, true, two, 2.62)
            var points: [(x: Double, y: Double)] = []
            for (place, count) in [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000].enumerated() {
                let world = Self.world(options, .balancers, 100 * (number + 1) + place, load: load, balancers: count)
                let outcome = run(world, .p2c, sharing: false)
                points.append((Double(count), outcome.mean))
                report.add(
                    .meanTime, of: .balancers,
                    [
                        .lambda(load), .endpoints(world.endpoints), .balancers(count), .policy("p2c"),
                        .load("local"),
                    ], outcome.means, predicted: count == 1 ? two : nil,
                    note: count == 1 ? "the supermarket model: alone it sees the truth" : "")
            }
            report.plots.append(
                Plot(
                    "p2c on own counts at \(load.written())", x: Plot.Axis("balancers", scale: .logarithmic),
                    y: Plot.Axis("mean services"),
                    series: [
                        Plot.Series("measured", form: .marks, points: points),
                        Plot.Series("one choice", form: .line, points: points.map { ($0.x, one) }),
                        Plot.Series("two choices, true load", form: .line, points: points.map { ($0.x, two) }),
                    ]))
        }
    }

    /// What balancers learn by asking, by how many they ask with each connection and how many answers they keep.
    static func probes(_ options: BalancingOptions, into report: inout BalancingReport) {
        for (number, load) in (options.loads ?? fleetLoads).enumerated() {
            var points: [(x: Double, y: Double)] = []
            let asked = [0, 1, 2, 3, 4, 6].map { (probes: $0, pool: 4) } + [2, 8, 16].map { (probes: 3, pool: $0) }
            for (place, shape) in asked.enumerated() {
                let world = world(
                    options, .probes, 100 * number + place, load: load, balancers: options.endpoints ?? fleet)
                var pool = ProbePoolOptions()
                (pool.probes, pool.capacity) = (shape.probes, shape.pool)
                var queues = QueueingWorld(world)
                var pools = ProbePools(pool, balancers: world.balancers)
                let outcome = queues.run(&pools)
                if shape.pool == 4 { points.append((Double(shape.probes), outcome.mean)) }
                let conditions: [Finding.Condition] = [
                    .lambda(load), .endpoints(world.endpoints), .balancers(world.balancers), .probes(shape.probes),
                    .pool(shape.pool),
                ]
                let note = (shape.probes, shape.pool) == (3, 4) ? "the best shape of an earlier model" : ""
                report.add(.meanTime, of: .probes, conditions, outcome.means, note: note)
                report.add(.p99Time, of: .probes, conditions, [outcome.p99])
                report.add(
                    .synchronousShare, of: .probes, conditions, [Double(pools.synchronous) / Double(pools.connections)])
            }
            let two = SupermarketModel.meanTime(load: load, choices: 2)
            report.plots.append(
                Plot(
                    "Probing at \(load.written()), a pool of 4", x: Plot.Axis("probes per connection"),
                    y: Plot.Axis("mean services"),
                    series: [
                        Plot.Series("measured", form: .marks, points: points),
                        Plot.Series("two choices, true load", form: .line, points: points.map { ($0.x, two) }),
                    ]))
        }
    }

    /// A fifth of the endpoints at half speed: who looks at no load sends them more than they can serve.
    static func slow(_ options: BalancingOptions, into report: inout BalancingReport) {
        let share = 0.2
        for (number, load) in (options.loads ?? fleetLoads).enumerated() {
            var world = world(options, .slow, number, load: load, balancers: options.endpoints ?? fleet)
            world.slowShare = share
            func add(_ name: String, _ whose: String, _ outcome: QueueingOutcome, predicted: Double?, note: String) {
                let conditions: [Finding.Condition] = [
                    .lambda(load), .endpoints(world.endpoints), .balancers(world.balancers), .policy(name),
                    .load(whose),
                ]
                report.add(.meanTime, of: .slow, conditions, outcome.means, predicted: predicted, note: note)
                report.add(.p99Time, of: .slow, conditions, [outcome.p99])
            }
            let chance = SupermarketModel.meanTimeAtRandom(load: load, slowShare: share)
            let overload = chance == nil ? "the slow get more than they serve: grows for as long as it is watched" : ""
            add("random", "none", run(world, .random, sharing: false), predicted: chance, note: overload)
            add("round_robin", "none", run(world, .roundRobin, sharing: false), predicted: nil, note: overload)
            add("least_request", "local", run(world, .leastRequest, sharing: false), predicted: nil, note: "")
            add("p2c", "local", run(world, .p2c, sharing: false), predicted: nil, note: "")
            add(
                "p2c", "probed", run(world, ProbePools(ProbePoolOptions(), balancers: world.balancers)), predicted: nil,
                note: "3 probes, a pool of 4")
            add("p2c", "true", run(world, .p2c, sharing: true), predicted: nil, note: "")
        }
    }
}
