// How old loads are that members know of each other: what the mission asks for at 250 nodes, and what it follows from.

import Testing
import Vocabulary

@testable import Simulation

@Suite("Telemetry, as claimed")
struct TelemetryClaimTests {
    private typealias Run = (options: ExperimentOptions, report: ExperimentReport)

    private static func run(nodes: Int, loss: Double = 0) throws -> Run {
        var options = ExperimentOptions(nodes: [nodes], seed: FleetSeeds.base)
        (options.experiments, options.loss, options.duration) = ([.telemetry], loss, .seconds(10))
        return (options, try Experiments.run(options))
    }

    /// What more than one test looks at: these worlds are the suite's longest.
    private static let few = Result { try run(nodes: 30) }
    private static let many = Result { try run(nodes: 60) }

    /// The finding of one budget, sealed or not.
    private func finding(
        _ quantity: Quantity, _ budget: Int, sealed: Bool, in report: ExperimentReport
    ) throws -> Finding {
        try #require(
            report.findings(quantity).first { finding in
                finding.conditions.map(\.text) == ["bytes per second \(budget)", "sealed \(sealed ? "yes" : "no")"]
            })
    }

    @Test("Within each budget and second, every load is known everywhere, and twice the budget halves its age")
    func budgets() throws {
        let (options, report) = try Self.many.get()
        for isSealed in [false, true] {
            var slower: Double?
            for budget in [1024, 2048, 4096] {
                func sample(_ quantity: Quantity) throws -> Sample {
                    try #require(try finding(quantity, budget, sealed: isSealed, in: report).sample)
                }
                #expect(try sample(.bytesInSecond).most <= Double(budget), "\(FleetSeeds.replay(options))")
                #expect(try sample(.telemetryBytes).mean >= Double(budget) * 0.85, "\(FleetSeeds.replay(options))")
                #expect(try sample(.reportsHeld).least == 1, "\(FleetSeeds.replay(options))")
                #expect(try sample(.alikeInAnyOrder).least == 1, "\(FleetSeeds.replay(options))")
                let ages = try sample(.reportAge)
                let bound = try #require(try finding(.reportAge, budget, sealed: isSealed, in: report).predicted)
                // Heads and one stop cost less than what is told; a seal is twice as long as a report.
                #expect(ages.mean > bound && ages.mean < bound * (isSealed ? 3 : 2), "\(FleetSeeds.replay(options))")
                #expect(ages.percentile(0.99) < ages.mean * 2.2, "\(FleetSeeds.replay(options))")
                if let slower { #expect(abs(ages.mean * 2 / slower - 1) < 0.2, "\(FleetSeeds.replay(options))") }
                slower = ages.mean
            }
        }
    }

    @Test("With 5 % of all datagrams lost every load is still known, and ages grow by less than half")
    func loss() throws {
        let whole = try Self.few.get().report
        let (options, lossy) = try Self.run(nodes: 30, loss: 0.05)
        for budget in [1024, 2048, 4096] {
            let ages = [whole, lossy].compactMap { report in
                try? finding(.reportAge, budget, sealed: true, in: report).sample?.mean
            }
            try #require(ages.count == 2)
            #expect(ages[1] < ages[0] * 1.5, "\(FleetSeeds.replay(options)) --loss 5%")
            let held = try finding(.reportsHeld, budget, sealed: true, in: lossy).sample?.least
            #expect(try #require(held) == 1, "\(FleetSeeds.replay(options)) --loss 5%")
        }
    }

    @Test("Ages grow as the members do, in proportion: the budget stays what it is")
    func proportional() throws {
        let ages = try [Self.few, Self.many].map { run in
            try #require(try finding(.reportAge, 2048, sealed: false, in: run.get().report).sample).mean
        }
        // Twice the members.
        #expect(ages[1] / ages[0] > 1.5 && ages[1] / ages[0] < 2.5, "\(ages)")
    }
}
