// What experiments found out, as a table for people and as JSON for programs.

import Admin
import Config
import Gossip
import Simulation
import Vocabulary

enum SimulationText {
    /// The parameters, then a table for every experiment and size.
    static func table(of report: ExperimentReport, for options: ExperimentOptions) -> String {
        let parameters = parameters(of: options).map { "\($0.name) \($0.text)" }
        var text = lines(of: ["seed \(options.seed)"] + parameters)
        for (heading, findings) in groups(of: report.findings) {
            var table = TextTable(
                .left(heading), .right("MEAN"), .right("P50"), .right("P99"), .right("MAX"), .left("UNIT"),
                .right("PREDICTED"), .left("NOTE"))
            for finding in findings { add(finding, to: &table) }
            text += "\n" + table.text
        }
        return text
    }

    /// Items with two blanks between, on lines that a terminal does not break.
    static func lines(of items: [String]) -> String {
        var (text, width) = ("", 0)
        for item in items {
            if width > 0 {
                let fits = width + 2 + item.count <= 100
                text += fits ? "  " : "\n"
                width = fits ? width + 2 : 0
            }
            text += item
            width += item.count
        }
        return text + "\n"
    }

    /// One object, its keys always in the same order.
    static func json(of report: ExperimentReport, for options: ExperimentOptions) -> String {
        let parameters = parameters(of: options).map { (key: $0.name, value: $0.json) }
        let object = JSONText.object([
            ("seed", .unsigned(options.seed)),
            ("parameters", .object(parameters)),
            ("rows", .array(report.findings.map(row))),
        ])
        return object.written() + "\n"
    }

    // MARK: Rows

    /// Neighbouring findings of one experiment and size, with what the table calls them.
    private static func groups(of findings: [Finding]) -> [(heading: String, findings: [Finding])] {
        findings.reduce(into: []) { groups, finding in
            let size = finding.nodes.map { "\($0) members" } ?? "all sizes"
            let heading = "\(finding.experiment.rawValue), \(size)".uppercased()
            if groups.last?.heading == heading {
                groups[groups.count - 1].findings.append(finding)
            } else {
                groups.append((heading, [finding]))
            }
        }
    }

    private static func add(_ finding: Finding, to table: inout TextTable) {
        let scale = finding.quantity.unit == "%" ? 100.0 : 1
        let title = ([finding.quantity.title] + finding.conditions.map(\.text)).joined(separator: ", ")
        let spread = finding.sample.flatMap { $0.count > 1 ? $0 : nil }
        func figure(_ value: Double?) -> String { value.map { ($0 * scale).written() } ?? "-" }
        table.add(
            title, figure(finding.sample?.mean), figure(spread?.percentile(0.5)), figure(spread?.percentile(0.99)),
            figure(spread?.most), finding.quantity.unit, figure(finding.predicted), finding.note)
    }

    private static func row(_ finding: Finding) -> JSONText {
        var members: [(key: String, value: JSONText)] = [("experiment", .string(finding.experiment.rawValue))]
        members.append(("nodes", finding.nodes.map { .integer($0) } ?? .null))
        for condition in finding.conditions { members.append((condition.name, json(condition.value))) }
        let sample = finding.sample
        members += [
            (finding.quantity.rawValue, number(sample?.mean)),
            ("predicted", number(finding.predicted)),
            ("samples", .integer(sample?.count ?? 0)),
            ("p50", number(sample?.percentile(0.5))),
            ("p99", number(sample?.percentile(0.99))),
            ("max", number(sample?.most)),
            ("standard_error", number(sample?.standardError)),
            ("note", .string(finding.note)),
        ]
        return .object(members)
    }

    static func json(_ value: Finding.Condition.Value) -> JSONText {
        switch value {
        case .integer(let value): .integer(value)
        case .number(let value): number(value)
        case .word(let word): .string(word)
        }
    }

    /// JSON has neither infinity nor what is no number.
    static func number(_ value: Double?) -> JSONText {
        guard let value, value.isFinite else { return .null }
        return .number(value)
    }
}

// MARK: - Parameters

extension SimulationText {
    /// One parameter, in both forms.
    struct Parameter {
        let name: String
        let text: String
        let json: JSONText

        init(_ name: String, seconds duration: Duration) {
            (self.name, text) = (name, duration.inSeconds.written(significant: 6))
            json = .number(duration.inSeconds)
        }

        init(_ name: String, share: Double) {
            (self.name, text, json) = (name, share.written(significant: 6), .number(share))
        }

        init(_ name: String, _ value: Int) { (self.name, text, json) = (name, "\(value)", .integer(value)) }
        init(_ name: String, _ value: Bool) { (self.name, text, json) = (name, "\(value)", .flag(value)) }
        init(_ name: String, _ value: String) { (self.name, text, json) = (name, value, .string(value)) }

        init(_ name: String, _ values: [Int]) {
            (self.name, text) = (name, values.map(String.init).joined(separator: ","))
            json = .array(values.map { .integer($0) })
        }

        init(_ name: String, shares: [Double]) {
            (self.name, text) = (name, shares.map { $0.written(significant: 6) }.joined(separator: ","))
            json = .array(shares.map { .number($0) })
        }
    }

    /// All that the figures depend on, apart from the seed.
    private static func parameters(of options: ExperimentOptions) -> [Parameter] {
        let gossip = options.gossip
        var parameters = [
            Parameter("nodes", options.nodes),
            Parameter("experiments", options.experiments.map(\.rawValue).joined(separator: ",")),
        ]
        if let runs = options.runs { parameters.append(Parameter("runs", runs)) }
        if let duration = options.duration { parameters.append(Parameter("duration_seconds", seconds: duration)) }
        if let sides = options.sides { parameters.append(Parameter("partition", sides)) }
        return parameters + [
            Parameter("loss", share: options.loss),
            Parameter("latency", options.latency.text),
            Parameter("fail", options.crashes),
            Parameter("gossip_nodes", gossip.gossipNodes),
            Parameter("gossip_interval_seconds", seconds: gossip.gossipInterval),
            Parameter("probe_interval_seconds", seconds: gossip.probeInterval),
            Parameter("probe_timeout_seconds", seconds: gossip.probeTimeout),
            Parameter("indirect_checks", gossip.indirectChecks),
            Parameter("suspicion_multiplier", gossip.suspicionMultiplier),
            Parameter("retransmit_multiplier", gossip.retransmitMultiplier),
            Parameter("push_pull_interval_seconds", seconds: gossip.pushPullInterval),
            Parameter("stream_ping", gossip.usesStreamPing),
            Parameter("lifeguard", gossip.hasLifeguard),
        ]
    }
}
