// What theory says of balancing, asserted of the code that runs in production where there is any. Worlds are small,
// as these are debug builds; `remora simulate balancing` has the large ones, and the tolerances here say how much the
// smaller size costs. Controls show that each claim fails where the model is broken.

import Balancing
import Glibc
import Testing
import Upstreams
import Vocabulary

@testable import Simulation

@Suite("Balancing, as claimed")
struct BalancingClaimTests {
    private static func world(
        _ endpoints: Int, load: Double, jobs: Int, balancers: Int = 1, slowShare: Double = 0
    ) -> QueueingOptions {
        var options = QueueingOptions(endpoints: endpoints, load: load, jobs: jobs, seed: FleetSeeds.base)
        (options.balancers, options.slowShare) = (balancers, slowShare)
        return options
    }

    // MARK: Supermarket

    struct Supermarket: CustomTestStringConvertible {
        let (choices, load): (Int, Double)
        var testDescription: String { "\(choices) choices at \(load)" }
    }

    static let supermarkets = [
        Supermarket(choices: 1, load: 0.5), Supermarket(choices: 1, load: 0.7), Supermarket(choices: 2, load: 0.5),
        Supermarket(choices: 2, load: 0.7), Supermarket(choices: 2, load: 0.9), Supermarket(choices: 3, load: 0.7),
        Supermarket(choices: 3, load: 0.9),
    ]

    /// Mitzenmacher 2001: 1,000 endpoints, 150,000 connections; 5 % where the command's worlds are within 3 %.
    @Test("Mitzenmacher 2001: times in system and tails of queues are the supermarket model's", arguments: supermarkets)
    func supermarket(_ table: Supermarket) {
        let world = Self.world(1000, load: table.load, jobs: 150_000)
        let outcome = BalancingExperiments.supermarketOutcome(world, choices: table.choices)
        let predicted = SupermarketModel.meanTime(load: table.load, choices: table.choices)
        #expect(abs(outcome.mean / predicted - 1) < 0.05, "\(outcome.mean), not \(predicted)")
        for length in 1...3 where length < outcome.tails.count {
            let predicted = SupermarketModel.tail(length: length, load: table.load, choices: table.choices)
            #expect(abs(outcome.tails[length] - predicted) < 0.025, "\(length) or more")
        }
    }

    @Test("The claim fails for who takes the longer queue, and for who does not look")
    func brokenChoices() {
        struct Longer: Chooser {
            mutating func choose(
                for balancer: Int, at now: Int64, among lengths: [Int32], _ random: inout SeededRandom
            ) -> Int {
                let (a, b) = (Int(random.below(200)), Int(random.below(200)))
                return lengths[a] > lengths[b] ? a : b
            }
            mutating func placed(on endpoint: Int, by balancer: Int, at now: Int64) {}
            mutating func ended(on endpoint: Int, of balancer: Int, at time: Int64) {}
        }
        let world = Self.world(200, load: 0.7, jobs: 20_000)
        let predicted = SupermarketModel.meanTime(load: 0.7, choices: 2)
        #expect(BalancingExperiments.run(world, Longer()).mean > 2 * predicted)
        #expect(BalancingExperiments.run(world, .random, sharing: true).mean > 1.5 * predicted)
    }

    @Test("One endpoint alone is an M/M/1 queue, by Lindley's recursion too")
    func alone() {
        var random = SeededRandom(seed: FleetSeeds.base)
        let means = SingleQueues.means(endpoints: 20, load: 0.7, jobs: 400_000, random: &random)
        let mean: Double = means.reduce(0, +) / 20
        #expect(abs(mean / SupermarketModel.meanTime(load: 0.7, choices: 1) - 1) < 0.06)
    }

    // MARK: What is known

    @Test("p2c on own counts is two choices for one balancer, and hardly more than chance for as many as endpoints")
    func ownCounts() {
        let (one, two) = (
            SupermarketModel.meanTime(load: 0.7, choices: 1), SupermarketModel.meanTime(load: 0.7, choices: 2)
        )
        let alone = BalancingExperiments.run(Self.world(100, load: 0.7, jobs: 60_000), .p2c, sharing: false)
        #expect(abs(alone.mean / two - 1) < 0.06)
        let crowd = BalancingExperiments.run(
            Self.world(100, load: 0.7, jobs: 60_000, balancers: 100), .p2c, sharing: false)
        #expect(crowd.mean > one * 0.88 && crowd.mean < one * 1.06)
    }

    @Test("Mitzenmacher 2000: the older load is the worse two choices are, and the least of all becomes a herd")
    func stale() {
        let world = Self.world(100, load: 0.8, jobs: 30_000)
        let means = [0, 1, 4, 12].map { age in
            BalancingExperiments.run(world, StaleChoices(.distinct(2), age: age, endpoints: 100)).mean
        }
        #expect(means == means.sorted())
        #expect(abs(means[0] / SupermarketModel.meanTime(load: 0.8, choices: 2) - 1) < 0.08)
        // Worse than chance once it is old, as many still go where few were.
        #expect(means[3] > SupermarketModel.meanTime(load: 0.8, choices: 1))
        let herds = [0, 4].map { age in
            BalancingExperiments.run(world, StaleChoices(.all, age: age, endpoints: 100)).mean
        }
        #expect(herds[0] < means[0] && herds[1] > 1.3 * means[2])
    }

    @Test("A pool of probes is nearly as good as the truth, where own counts are as bad as chance")
    func probes() {
        let world = Self.world(100, load: 0.8, jobs: 30_000, balancers: 100)
        let pool = BalancingExperiments.run(world, ProbePools(ProbePoolOptions(), balancers: 100)).mean
        let own = BalancingExperiments.run(world, .p2c, sharing: false).mean
        let truth = BalancingExperiments.run(world, .p2c, sharing: true).mean
        #expect(pool < 0.75 * own && pool < 1.5 * truth)
    }

    @Test("With a fifth at half speed, who does not look drowns the slow ones, and two choices by true load do not")
    func slow() {
        let world = Self.world(100, load: 0.8, jobs: 40_000, balancers: 100, slowShare: 0.2)
        let chance = BalancingExperiments.run(world, .random, sharing: false)
        let truth = BalancingExperiments.run(world, .p2c, sharing: true)
        #expect(chance.mean > 5 * truth.mean && chance.p99 > 10 * truth.p99)
        // At a load that the slow ones bear, chance is two kinds of M/M/1 queues.
        let light = BalancingExperiments.run(
            Self.world(200, load: 0.3, jobs: 80_000, slowShare: 0.2), .random, sharing: false)
        let predicted = SupermarketModel.meanTimeAtRandom(load: 0.3, slowShare: 0.2) ?? 0
        #expect(abs(light.mean / predicted - 1) < 0.05)
    }

    // MARK: Shares

    /// Azar et al. 1999, Mitzenmacher 2001.
    @Test("Balls in bins: the fullest of 1,000 is what the model has, for one choice, two and three", arguments: 1...3)
    func fullest(choices: Int) {
        let runs = (0..<5).map { run in
            Double(
                BalancingExperiments.fullestBin(
                    of: 1000, balls: 1000, choices: choices, seed: FleetSeeds.base &+ UInt64(run)))
        }
        let mean = runs.reduce(0, +) / 5
        #expect(abs(mean - BinsModel.fullest(bins: 1000, ballsPerBin: 1, choices: choices)) < 0.75, "\(runs)")
    }

    @Test("Berenbrink et al. 2006: the gap at a hundred balls a bin is that at one for two choices, not for one")
    func gap() {
        func gap(_ perBin: Int, _ choices: Int) -> Int {
            BalancingExperiments.fullestBin(of: 500, balls: 500 * perBin, choices: choices, seed: FleetSeeds.base)
                - perBin
        }
        #expect(abs(gap(100, 2) - gap(1, 2)) <= 1)
        #expect(gap(100, 1) > gap(1, 1) + 10)
    }

    @Test("A newcomer under p2c has its share after ln 2 lifetimes; by chance it takes far longer")
    func newcomer() throws {
        func mean(_ policy: BalancePolicy, share: Double) throws -> Double {
            let times = try (0..<3).map { run in
                try #require(
                    BalancingExperiments.timeToShare(
                        share, policy, endpoints: 20, mean: 300, seed: FleetSeeds.base &+ run))
            }
            return times.reduce(0, +) / 3
        }
        #expect(abs(try mean(.p2c, share: 1) - log(2)) < 0.08)
        #expect(abs(try mean(.random, share: 0.8) - log(5)) < 0.25)
    }

    @Test("Every policy's shares are within the binomial bound of the weights, and wrong weights are not")
    func weights() {
        var options = BalancingOptions(seed: FleetSeeds.base)
        (options.experiments, options.jobs, options.runs) = ([.weights], 20_000, 1)
        let findings = BalancingExperiments.run(options).findings
        // Each policy, and how far a table is from its weights.
        #expect(findings.count == BalancePolicy.allCases.count + 1)
        for finding in findings {
            #expect((finding.sample?.mean ?? .infinity) <= (finding.predicted ?? 0), "\(finding.conditions)")
        }
        #expect(BalancingExperiments.deviation(of: [5300, 4700], from: [0.5, 0.5]) > 5)
    }

    // MARK: Rings and tables

    @Test("Shares on a ring vary by √((N−1)/(NV+1))", arguments: [1, 8, 64])
    func spread(virtualNodes: Int) {
        let variations = (0..<20).map { run in
            let members = (0..<50).map { HashedMember(name: "edge-\(FleetSeeds.base)-\(run)-\($0)") }
            return BalancingExperiments.variation(
                of: HashRing(members, virtualNodes: virtualNodes).shares(of: 50))
        }
        let mean = variations.reduce(0, +) / 20
        #expect(abs(mean / RingModel.spread(members: 50, virtualNodes: virtualNodes) - 1) < 0.1)
    }

    @Test("Mirrokni et al. 2018: no load is ever above its bound, and without one popular keys would be")
    func bounds() throws {
        let members = (0..<20).map { HashedMember(name: "edge-\($0)") }
        let tight = try #require(LoadBound(factor: 1.25))
        let bounded = BalancingExperiments.boundedLoad(tight, members: members, seed: FleetSeeds.base)
        #expect(bounded.greatest <= 1 && bounded.displaced > 0.01)
        let loose = try #require(LoadBound(factor: 100))
        #expect(BalancingExperiments.boundedLoad(loose, members: members, seed: FleetSeeds.base).displaced == 0)
    }
}
