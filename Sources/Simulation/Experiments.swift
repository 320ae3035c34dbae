// Runs the experiments that were asked for, one after the other, and fits growth laws over the sizes.

import Gossip
import Vocabulary

package enum Experiments {
    /// Everything that was asked for, in the order of the sizes.
    /// - Throws: where an invariant failed in a world: a fault of the protocol or of a core, not of the options.
    package static func run(_ options: ExperimentOptions) throws(ExperimentFailure) -> ExperimentReport {
        var report = ExperimentReport()
        for nodes in options.nodes {
            for experiment in options.experiments {
                do throws(Violation) {
                    try run(experiment, options, nodes: nodes, into: &report)
                } catch {
                    throw ExperimentFailure(experiment: experiment, violation: error, log: report.log)
                }
            }
        }
        if options.nodes.count > 1 { fitLaws(options, into: &report) }
        return report
    }

    private static func run(
        _ experiment: Experiment, _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        switch experiment {
        case .change: try change(options, nodes: nodes, into: &report)
        case .crash: try crash(options, nodes: nodes, into: &report)
        case .falsePositives: try falsePositives(options, nodes: nodes, into: &report)
        case .slow: try slow(options, nodes: nodes, into: &report)
        case .partition: try partition(options, nodes: nodes, into: &report)
        case .start: try start(options, nodes: nodes, into: &report)
        case .load: try load(options, nodes: nodes, into: &report)
        case .telemetry: telemetry(options, nodes: nodes, into: &report)
        }
    }

    /// One run: makes a world as the options want it, hands it over, and counts it in the report, however it ends.
    static func inWorld<Result>(
        _ options: ExperimentOptions, nodes: Int, seed: UInt64, start: WorldOptions.Start = .warm,
        scenario: Scenario = Scenario(), into report: inout ExperimentReport,
        _ body: (inout World) throws(Violation) -> Result
    ) throws(Violation) -> Result {
        let wanted = WorldOptions(
            nodes: nodes, seed: seed, loss: options.loss, latency: options.latency, options: options.gossip,
            start: start, isRecorded: options.isRecorded, scenario: scenario)
        var world: World
        do {
            world = try World(wanted)
        } catch {
            preconditionFailure("an experiment's options make a world: \(error)")
        }
        do {
            let result = try body(&world)
            report.take(world)
            return result
        } catch {
            report.take(world)
            throw error
        }
    }
}

/// An invariant that failed in an experiment's world.
package struct ExperimentFailure: Error, Sendable {
    package let experiment: Experiment
    package let violation: Violation
    /// Of the world in which it failed, where it was asked for.
    package let log: EventLog?
}

extension ExperimentReport {
    mutating func add(
        _ quantity: Quantity, of experiment: Experiment, nodes: Int?, _ values: [Double], predicted: Double? = nil,
        note: String = "", conditions: [Finding.Condition] = []
    ) {
        findings.append(
            Finding(
                quantity, of: experiment, nodes: nodes, values, predicted: predicted, note: note,
                conditions: conditions))
    }

    /// Counts a world that has done its part.
    mutating func take(_ world: World) {
        virtualTime += .nanoseconds(world.now.nanoseconds)
        if world.options.isRecorded { log = world.log }
    }
}

// MARK: - Growth

extension Experiments {
    /// What should grow how, with the number of members.
    private static let laws: [(quantity: Quantity, law: GrowthFit.Law)] = [
        (.convergence, .logarithmic), (.convergenceRounds, .logarithmic), (.firstProbe, .constant),
        (.firstSuspicion, .constant), (.datagrams, .constant), (.bytes, .constant),
    ]

    /// For each quantity that was measured at several sizes, the law that it should follow: how much an e-fold of
    /// members adds, and how far the measurements are from it.
    private static func fitLaws(_ options: ExperimentOptions, into report: inout ExperimentReport) {
        for (quantity, law) in laws {
            let findings = report.findings.filter { $0.quantity == quantity && $0.conditions.isEmpty }
            let measured = findings.compactMap { finding in
                finding.nodes.flatMap { nodes in finding.sample.map { (nodes: nodes, value: $0.mean) } }
            }
            guard let experiment = findings.first?.experiment, let fit = GrowthFit(law, measured: measured),
                let slope = GrowthFit(.logarithmic, measured: measured)
            else { continue }
            let predicted = predictedSlope(of: quantity, options)
            let conditions: [Finding.Condition] = [.of(quantity), .law(law)]
            report.add(
                .growth, of: experiment, nodes: nil, [slope.perFold], predicted: predicted,
                note: "measured: \(slope.formula) \(quantity.unit)", conditions: conditions)
            report.add(
                .lawResidual, of: experiment, nodes: nil, [fit.worstResidual], note: "law: \(fit.formula)",
                conditions: conditions)
            report.plots.append(plot(of: quantity, measured, fit, options, findings))
        }
    }

    /// What the formulas say that an e-fold of members adds.
    private static func predictedSlope(of quantity: Quantity, _ options: ExperimentOptions) -> Double {
        let sizes = options.nodes.map { (nodes: $0, rounds: options.prediction(nodes: $0).roundsToAll) }
        let perFold = GrowthFit(.logarithmic, measured: sizes.map { (nodes: $0.nodes, value: $0.rounds) })?.perFold ?? 0
        switch quantity {
        case .convergenceRounds: return perFold
        case .convergence: return perFold * options.gossip.gossipInterval.inSeconds
        default: return 0
        }
    }

    private static func plot(
        of quantity: Quantity, _ measured: [(nodes: Int, value: Double)], _ fit: GrowthFit,
        _ options: ExperimentOptions, _ findings: [Finding]
    ) -> Plot {
        var series = [
            Plot.Series("measured", form: .marks, points: measured.map { (x: Double($0.nodes), y: $0.value) }),
            Plot.Series(
                "fitted: \(fit.formula)", form: .line,
                points: measured.map { (x: Double($0.nodes), y: fit.value(at: $0.nodes)) }),
        ]
        let predicted = findings.compactMap { finding in
            finding.nodes.flatMap { nodes in finding.predicted.map { (x: Double(nodes), y: $0) } }
        }
        if !predicted.isEmpty { series.append(Plot.Series("predicted", form: .line, points: predicted)) }
        return Plot(
            quantity.title, x: Plot.Axis("members", scale: .logarithmic), y: Plot.Axis(quantity.unit), series: series)
    }
}

extension World {
    /// What the cores reported since this was last asked.
    mutating func takeFacts() -> [Fact] {
        defer { facts.removeAll(keepingCapacity: true) }
        return facts
    }
}
