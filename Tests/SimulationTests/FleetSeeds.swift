// Seeds of the tests that show what the papers claim: few by default, others by the environment.

import Foundation

@testable import Simulation

enum FleetSeeds {
    /// `REMORA_SEED` runs the same tests with other seeds: 1, 51, 101 … have no world in common.
    static let base = ProcessInfo.processInfo.environment["REMORA_SEED"].flatMap(UInt64.init) ?? 1

    static func first(_ count: Int) -> [UInt64] { (0..<UInt64(count)).map { base &+ $0 } }

    /// What to say where a claim does not hold: the command that shows the same runs.
    static func replay(_ options: ExperimentOptions) -> String {
        let sizes = options.nodes.map { "\($0)" }.joined(separator: ",")
        let names = options.experiments.map { "--experiment \($0.rawValue)" }.joined(separator: " ")
        let runs = options.runs.map { " --runs \($0)" } ?? ""
        return "remora simulate membership \(names) --nodes \(sizes) --seed \(options.seed)\(runs)"
    }
}

extension ExperimentReport {
    /// The findings of one quantity, in the order of the sizes.
    func findings(_ quantity: Quantity) -> [Finding] { findings.filter { $0.quantity == quantity } }

    /// The sample of a quantity that was measured once.
    func sample(_ quantity: Quantity) -> Sample? {
        let findings = findings(quantity)
        return findings.count == 1 ? findings[0].sample : nil
    }
}
