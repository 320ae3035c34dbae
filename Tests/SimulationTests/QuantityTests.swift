import Foundation
import Testing

@testable import Simulation

struct QuantityTests {
    @Test("The module page lists every name that JSON has")
    func page() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appending(path: "Sources/Simulation/Simulation.docc/Experiments.md"), encoding: .utf8)
        for quantity in Quantity.allCases {
            #expect(page.contains("`\(quantity.rawValue)`"), "\(quantity.rawValue) is not on the page")
        }
        for experiment in Experiment.allCases {
            #expect(page.contains("| `\(experiment.rawValue)` |"), "\(experiment.rawValue) is not on the page")
        }
    }

    @Test("A name says its unit", arguments: Quantity.allCases)
    func units(quantity: Quantity) {
        let endings = [
            "nodes", "rounds", "round", "seconds", "second", "periods", "share", "hour", "node", "member", "fold",
            "dead",
        ]
        #expect(endings.contains { quantity.rawValue.hasSuffix("_\($0)") })
    }

    @Test("Every experiment measures something, and between them they measure every quantity")
    func coverage() throws {
        var options = ExperimentOptions(nodes: [4, 8], seed: 1)
        (options.experiments, options.runs, options.duration) = (Experiment.allCases, 1, .seconds(60))
        let report = try Experiments.run(options)
        for experiment in Experiment.allCases {
            #expect(report.findings.contains { $0.experiment == experiment })
        }
        for quantity in Quantity.allCases {
            #expect(report.findings.contains { $0.quantity == quantity }, "\(quantity) is never measured")
        }
        #expect(report.virtualTime > .seconds(600))
    }
}
