// The machinery of the balancing experiments: heap, formulas, choosers.

import Foundation
import Testing
import Upstreams
import Vocabulary

@testable import Simulation

@Suite("Queueing worlds")
struct QueueingWorldTests {
    @Test("Departures leave the heap in the order of their times, with all that went in", arguments: Seeds.sample)
    func heap(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var heap = DepartureHeap()
        var kept: [Int64] = []
        for _ in 0..<2000 {
            if random.below(3) > 0 || kept.isEmpty {
                let departure = Departure(
                    at: Int64(random.below(1 << 30)), from: Int(random.below(1 << 14)), of: Int(random.below(1 << 10)))
                heap.insert(departure)
                kept.append(departure.bits)
            } else {
                kept.sort(by: >)
                #expect(heap.nextTime == (kept.last ?? 0) >> 24)
                #expect(heap.removeFirst().bits == kept.removeLast())
            }
            #expect(heap.count == kept.count)
        }
        let departure = Departure(at: 1 << 38, from: 16_383, of: 1023)
        #expect(departure.time == 1 << 38 && departure.endpoint == 16_383 && departure.balancer == 1023)
    }

    @Test("The formulas have the values that they have by hand")
    func formulas() {
        // 1 + 0.81 + 0.9⁶ + 0.9¹⁴ + 0.9³⁰ + 0.9⁶² …
        #expect(abs(SupermarketModel.meanTime(load: 0.9, choices: 2) - 2.6141) < 1e-3)
        // 1 + 0.5³ + 0.5¹² + 0.5³⁹
        #expect(abs(SupermarketModel.meanTime(load: 0.5, choices: 3) - 1.125244) < 1e-6)
        #expect(abs(SupermarketModel.meanTime(load: 0.99, choices: 1) - 100) < 1e-9)
        #expect(abs(SupermarketModel.tail(length: 3, load: 0.5, choices: 2) - 1.0 / 128) < 1e-12)
        #expect(abs(SupermarketModel.tail(length: 3, load: 0.5, choices: 1) - 1.0 / 8) < 1e-12)
        // A fifth at half speed, at a load of 0.5: each gets 0.45, of 1 or of 0.5.
        let chance = SupermarketModel.meanTimeAtRandom(load: 0.5, slowShare: 0.2) ?? 0
        #expect(abs(chance - (0.8 / 0.55 + 0.2 / 0.05)) < 1e-9)
        #expect(SupermarketModel.meanTimeAtRandom(load: 0.9, slowShare: 0.2) == nil)
        // One ball a bin by chance is Poisson: 1 − 1/e have one or more, 1 − 2/e two.
        let tails = BinsModel.tails(ballsPerBin: 1, choices: 1)
        #expect(abs(tails[1] - 0.632121) < 1e-3 && abs(tails[2] - 0.264241) < 1e-3)
        // With two choices a bin is empty with 1/(1 + t) … at t = 1: s₁ = tanh 1.
        #expect(abs(BinsModel.tails(ballsPerBin: 1, choices: 2)[1] - 0.761594) < 1e-3)
        #expect(abs(RingModel.spread(members: 100, virtualNodes: 1) - (99.0 / 101).squareRoot()) < 1e-12)
    }

    @Test("The model's two choices are the real p2c's: each endpoint is taken equally often", arguments: Seeds.sample)
    func modelAndReal(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let loads = (0..<8).map { _ in Int32(random.below(4)) }
        var real = RealBalancers(.p2c, endpoints: 8, count: 1, sharing: true, seed: seed)
        for (endpoint, load) in loads.enumerated() { for _ in 0..<load { real.place(on: endpoint) } }
        var model = Choices(2)
        let picks = 20_000
        var counts = [(real: Int, model: Int)](repeating: (0, 0), count: 8)
        for _ in 0..<picks {
            counts[real.choose(&random)].real += 1
            counts[model.leastLoaded(of: loads, &random)].model += 1
        }
        for (endpoint, load) in loads.enumerated() {
            // Two of eight are drawn; an endpoint wins against any that has more, and half its draws against its equals.
            let (more, equal) = (loads.count { $0 > load }, loads.count { $0 == load } - 1)
            let share = (Double(more) + Double(equal) / 2) * 2 / 56
            let bound = 5 * (Double(picks) * share * (1 - share)).squareRoot() + 1e-9
            #expect(abs(Double(counts[endpoint].real) - Double(picks) * share) <= bound)
            #expect(abs(Double(counts[endpoint].model) - Double(picks) * share) <= bound)
        }
    }

    @Test("A balancer of its own counts sees nothing of another's; with shared counts each sees all")
    func counts() {
        var random = SeededRandom(seed: 1)
        var own = RealBalancers(.leastRequest, endpoints: 3, count: 2, sharing: false, seed: 1)
        for endpoint in 0..<2 { own.placed(on: endpoint, by: 0, at: 0) }
        for _ in 0..<20 { #expect(own.choose(for: 0, &random) == 2) }
        #expect(Set((0..<50).map { _ in own.choose(for: 1, &random) }).count == 3)
        var shared = RealBalancers(.leastRequest, endpoints: 3, count: 2, sharing: true, seed: 1)
        shared.placed(on: 0, by: 0, at: 0)
        shared.placed(on: 2, by: 1, at: 0)
        for _ in 0..<20 { #expect(shared.choose(for: 1, &random) == 1) }
        shared.ended(on: 0, of: 0, at: 1)
        #expect(Set((0..<50).map { _ in shared.choose(for: 0, &random) }) == [0, 1])
    }

    @Test("A stale board shows what was true exactly so long ago")
    func board() {
        var random = SeededRandom(seed: 1)
        var stale = StaleChoices(.all, age: 1, endpoints: 2)
        let unit = Int64(Departure.ticks)
        stale.placed(on: 0, by: 0, at: 10)
        // Not on the board yet: both look idle.
        #expect(Set((0..<50).map { _ in stale.choose(for: 0, at: unit + 9, among: [9, 0], &random) }) == [0, 1])
        for _ in 0..<20 { #expect(stale.choose(for: 0, at: unit + 10, among: [0, 9], &random) == 1) }
        stale.ended(on: 0, of: 0, at: unit)
        stale.placed(on: 1, by: 0, at: unit)
        for _ in 0..<20 { #expect(stale.choose(for: 0, at: 2 * unit, among: [0, 0], &random) == 0) }
    }

    @Test("A pool uses an answer as often as it may, and asks and waits once it has too few")
    func pool() {
        var random = SeededRandom(seed: 1)
        var options = ProbePoolOptions()
        (options.probes, options.uses, options.capacity) = (0, 1, 2)
        var pools = ProbePools(options, balancers: 1)
        // Nothing is known: two are asked, and one of them is used up at once, so the next asks two again.
        for _ in 0..<6 { _ = pools.choose(for: 0, at: 0, among: [0, 0, 0, 0, 0, 0, 0, 0], &random) }
        #expect(pools.synchronous == 6 && pools.connections == 6)
        (options.probes, options.uses, options.capacity) = (8, 100, 8)
        pools = ProbePools(options, balancers: 1)
        _ = pools.choose(for: 0, at: 0, among: [1, 1, 1, 1], &random)
        let before = pools.synchronous
        for _ in 0..<10 { _ = pools.choose(for: 0, at: 1, among: [1, 1, 0, 1], &random) }
        #expect(pools.synchronous == before)
        // Whoever is idle is found among what was asked; too old an answer is none.
        let late = Int64(options.ageLimit * Departure.ticks) + 2
        _ = pools.choose(for: 0, at: late, among: [1, 1, 0, 1], &random)
        #expect(pools.synchronous == before + 1)
    }

    @Test("Equal options give equal reports, and another seed others")
    func determinism() {
        var options = BalancingOptions(seed: 7)
        options.experiments = [.supermarket, .probes, .staleness, .balancers, .slow]
        (options.loads, options.endpoints, options.jobs) = ([0.7], 10, 300)
        func figures(_ options: BalancingOptions) -> [Double?] {
            BalancingExperiments.run(options).findings.map { $0.sample?.mean }
        }
        let first = figures(options)
        #expect(first == figures(options))
        options.seed = 8
        #expect(first != figures(options))
    }

    @Test("Every experiment measures something, between them they measure every quantity, and the page lists all names")
    func coverage() throws {
        var options = BalancingOptions(seed: 1)
        (options.loads, options.endpoints, options.jobs, options.runs) = ([0.7], 12, 200, 1)
        let report = BalancingExperiments.run(options)
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appending(path: "Sources/Simulation/Simulation.docc/Balancing.md"), encoding: .utf8)
        for experiment in BalancingExperiment.allCases {
            #expect(report.findings.contains { $0.experiment == experiment && $0.sample != nil })
            #expect(page.contains("| `\(experiment.rawValue)` |"), "\(experiment.rawValue) is not on the page")
        }
        for quantity in BalancingQuantity.allCases {
            #expect(report.findings.contains { $0.quantity == quantity }, "\(quantity) is never measured")
            #expect(page.contains("`\(quantity.rawValue)`"), "\(quantity.rawValue) is not on the page")
        }
        for name in Set(report.findings.flatMap { $0.conditions.map(\.name) }) {
            #expect(page.contains("`\(name)`"), "\(name) is not on the page")
        }
        #expect(!report.plots.isEmpty && Plot.sheet(report.plots).hasSuffix("</svg>\n"))
    }
}
