// When views are whole again: after a split, after a mass start.

import Gossip
import Testing

@testable import Simulation

@Suite("Healing and starting, as claimed")
struct HealingClaimTests {
    private func split(_ sides: [Int], runs: Int) -> ExperimentOptions {
        var options = ExperimentOptions(nodes: [sides.reduce(0, +)], seed: FleetSeeds.base)
        (options.experiments, options.runs, options.sides) = ([.partition], runs, sides)
        return options
    }

    @Test(
        "Each side of a split ends with the right view of the other, and once healed both are one again within the bound",
        arguments: [([7, 3], 10), ([5, 4, 1], 3), ([125, 125], 1)])
    func splitAndHeal(sides: [Int], runs: Int) throws {
        let options = split(sides, runs: runs)
        let report = try Experiments.run(options)
        for quantity in [Quantity.split, .heal] {
            let finding = try #require(report.findings(quantity).first)
            let sample = try #require(finding.sample, "never: \(FleetSeeds.replay(options))")
            #expect(sample.count == runs, "\(quantity) did not come in every run: \(FleetSeeds.replay(options))")
            #expect(sample.most <= finding.predicted ?? 0, "\(FleetSeeds.replay(options))")
            print("\(sides), \(quantity.rawValue): mean \(sample.mean.written()) max \(sample.most.written())")
        }
    }

    @Test("Without contact with the dead and without seeds a split never heals")
    func withoutContact() throws {
        var options = GossipOptions.lan
        options.contactInterval = .seconds(24 * 3600)
        var wanted = WorldOptions(nodes: 10, seed: FleetSeeds.base, options: options)
        wanted.seeds = []
        var world = try World(wanted)
        try world.run(for: .seconds(2))
        world.partition([0..<5, 5..<10])
        try world.run(for: .seconds(200))
        world.heal()
        try world.run(for: .seconds(200))
        #expect(!world.hasConverged)
    }

    @Test("All views of 250 members that start at once through one seed are complete within 15 s")
    func massStart() throws {
        var options = ExperimentOptions(nodes: [250], seed: FleetSeeds.base)
        (options.experiments, options.runs) = ([.start], 1)
        let report = try Experiments.run(options)
        let sample = try #require(report.sample(.start), "never: \(FleetSeeds.replay(options))")
        #expect(sample.most <= 15, "\(FleetSeeds.replay(options))")
    }
}
