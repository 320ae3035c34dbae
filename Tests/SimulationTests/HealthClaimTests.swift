// Who is accused though it is well, and what a quiet fleet costs: SWIM §3.1 and §4.2, Lifeguard.

import Gossip
import Testing

@testable import Simulation

@Suite("Accusations and load, as claimed")
struct HealthClaimTests {
    @Test("SWIM §4.2: lost datagrams make suspicions as often as computed, and hardly a death", arguments: [0.05, 0.1])
    func loss(share: Double) throws {
        var options = ExperimentOptions(nodes: [30], seed: FleetSeeds.base)
        (options.experiments, options.runs, options.loss) = ([.falsePositives], 1, share)
        options.duration = .seconds(600)
        let report = try Experiments.run(options)
        let replay = "\(FleetSeeds.replay(options)) --loss \(share) --duration 10m"
        // Five node-hours: one straggler in a thousand suspicions may miss the refutation.
        for finding in report.findings(.falseDeaths) {
            #expect(try #require(finding.sample).mean * 5 <= 2, "\(replay)")
        }
        let suspicions = report.findings(.falseSuspicions)
        try #require(suspicions.count == 2)
        #expect(suspicions[0].sample?.most == 0, "streams lose nothing: \(replay)")
        // Suspicions come independently of each other, so their number strays by its root.
        let measured = try #require(suspicions[1].sample).mean * 5
        let predicted = try #require(suspicions[1].predicted) * 5
        #expect(abs(measured - predicted) <= 4 * predicted.squareRoot(), "\(measured), not \(predicted): \(replay)")
    }

    @Test("A death counts once until the member is back, and only among healthy members")
    func tally() {
        func fact(_ kind: Fact.Kind, of subject: Int, by observer: Int) -> Fact {
            Fact(
                time: .zero, observer: observer, subject: subject, kind: kind, wasAwake: true, wasDisturbed: false)
        }
        var tally = AccusationTally(of: 0..<4)
        for observer in 0..<5 { tally.count(fact(.died, of: 1, by: observer)) }
        #expect(tally.deaths == 1)
        tally.count(fact(.joined, of: 1, by: 0))
        tally.count(fact(.died, of: 1, by: 4))
        #expect(tally.deaths == 1, "what a slow member believes does not count")
        tally.count(fact(.died, of: 4, by: 1))
        #expect(tally.deaths == 1, "a slow member's death does not count")
        tally.count(fact(.died, of: 1, by: 2))
        tally.count(fact(.died, of: 2, by: 2))
        #expect(tally.deaths == 3)
        tally.count(fact(.refuted, of: 3, by: 3))
        tally.count(fact(.refuted, of: 4, by: 4))
        #expect(tally.refutations == 1)
    }

    @Test("Without loss nobody is ever suspected")
    func lossless() throws {
        var wanted = WorldOptions(nodes: 50, seed: FleetSeeds.base)
        wanted.forbids = .falseSuspicions
        var world = try World(wanted)
        try world.run(for: .seconds(600))
    }

    @Test("Lifeguard: with it slow members have ten times fewer healthy ones declared dead")
    func lifeguard() throws {
        var options = ExperimentOptions(nodes: [50], seed: FleetSeeds.base)
        (options.experiments, options.runs, options.duration) = ([.slow], 2, .seconds(300))
        let report = try Experiments.run(options)
        let counts = report.findings(.healthyDeaths).compactMap { $0.sample?.values.reduce(0, +) }
        try #require(counts.count == 2)
        let replay = "\(FleetSeeds.replay(options)) --duration 5m"
        print("healthy members declared dead: \(counts[0].written()) with Lifeguard, \(counts[1].written()) without")
        #expect(counts[1] >= 2, "the scenario is too kind to tell: \(replay)")
        #expect(counts[0] <= counts[1] / 10, "\(replay)")
    }

    @Test(
        "SWIM §3.1: a quiet member sends two datagrams a period, whatever the size, and keeps little of each other one")
    func load() throws {
        var options = ExperimentOptions(nodes: [32, 128, 250], seed: FleetSeeds.base)
        (options.experiments, options.runs, options.duration) = ([.load], 1, .seconds(60))
        let report = try Experiments.run(options)
        for finding in report.findings(.datagrams) {
            #expect(abs(try #require(finding.sample).mean - 2) <= 0.1, "\(FleetSeeds.replay(options))")
        }
        let bytes = report.findings(.bytes).compactMap(\.sample?.mean)
        #expect((bytes.max() ?? 0) <= (bytes.min() ?? 0) * 1.05, "\(bytes): \(FleetSeeds.replay(options))")
        for finding in report.findings(.memberBytes) {
            #expect(try #require(finding.sample).mean <= 100, "\(FleetSeeds.replay(options))")
        }
        // And so the fitted law is a constant.
        let law = report.findings(.lawResidual).compactMap(\.sample?.mean)
        #expect(!law.isEmpty && law.allSatisfy { $0 < 0.05 })
    }
}
