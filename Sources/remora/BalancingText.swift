// What the balancing experiments found out, as a table for people and as JSON for programs.

import Admin
import Config
import Simulation

enum BalancingText {
    /// The parameters, then a table for every experiment.
    static func table(of report: BalancingReport, for options: BalancingOptions) -> String {
        let parameters = parameters(of: options).map { "\($0.name) \($0.text)" }
        var text = SimulationText.lines(of: ["seed \(options.seed)"] + parameters)
        for experiment in options.experiments {
            var table = TextTable(
                .left(experiment.rawValue.uppercased()), .right("MEASURED"), .right("±"), .left("UNIT"),
                .right("PREDICTED"), .left("NOTE"))
            for finding in report.findings where finding.experiment == experiment { add(finding, to: &table) }
            text += "\n" + table.text
        }
        return text
    }

    /// One object, its keys always in the same order.
    static func json(of report: BalancingReport, for options: BalancingOptions) -> String {
        let object = JSONText.object([
            ("seed", .unsigned(options.seed)),
            ("parameters", .object(parameters(of: options).map { (key: $0.name, value: $0.json) })),
            ("rows", .array(report.findings.map(row))),
        ])
        return object.written() + "\n"
    }

    private static func add(_ finding: BalancingFinding, to table: inout TextTable) {
        let scale = finding.quantity.unit == "%" ? 100.0 : 1
        func figure(_ value: Double?) -> String { value.map { ($0 * scale).written(significant: 4) } ?? "-" }
        let title = ([finding.quantity.title] + finding.conditions.map(\.text)).joined(separator: ", ")
        let error = finding.sample.flatMap { $0.count > 1 ? ($0.standardError * scale).written(significant: 2) : nil }
        table.add(
            title, figure(finding.sample?.mean), error ?? "-", finding.quantity.unit, figure(finding.predicted),
            finding.note)
    }

    private static func row(_ finding: BalancingFinding) -> JSONText {
        var members: [(key: String, value: JSONText)] = [("experiment", .string(finding.experiment.rawValue))]
        for condition in finding.conditions {
            members.append((condition.name, SimulationText.json(condition.value)))
        }
        let sample = finding.sample
        members += [
            (finding.quantity.rawValue, SimulationText.number(sample?.mean)),
            ("predicted", SimulationText.number(finding.predicted)),
            ("samples", .integer(sample?.count ?? 0)),
            ("min", SimulationText.number(sample?.least)),
            ("max", SimulationText.number(sample?.most)),
            ("standard_error", SimulationText.number(sample?.standardError)),
            ("note", .string(finding.note)),
        ]
        return .object(members)
    }

    /// All that the figures depend on, apart from the seed.
    private static func parameters(of options: BalancingOptions) -> [SimulationText.Parameter] {
        var parameters = [
            SimulationText.Parameter("experiments", options.experiments.map(\.rawValue).joined(separator: ","))
        ]
        if let loads = options.loads { parameters.append(SimulationText.Parameter("lambda", shares: loads)) }
        if let endpoints = options.endpoints { parameters.append(SimulationText.Parameter("endpoints", endpoints)) }
        if let jobs = options.jobs { parameters.append(SimulationText.Parameter("jobs", jobs)) }
        if let runs = options.runs { parameters.append(SimulationText.Parameter("runs", runs)) }
        return parameters
    }
}
