// The benchmark's figures, as an aligned table or as one JSON object.

import Upstreams

struct PickReport {
    struct Row {
        var scenario: Scenario
        var timing: Timing
    }

    struct CountedRow {
        var policy: String
        var counts: Counts
    }

    struct ChangeRow {
        var scenario: Scenario
        var timing: ChangeTiming
    }

    /// Where one change among many is timed; what the issue of discovery promises speaks of as many.
    static let changedEndpoints = 10_000

    /// Where instructions and allocations are counted; they hardly depend on the number but for `least_request`.
    static let countedEndpoints = 1000

    var rows: [Row] = []
    var changes: [ChangeRow] = []
    /// The control first; empty where there is no valgrind.
    var counted: [CountedRow] = []

    init(algorithms: [Algorithm], sizes: [Int], weights: [Scenario.Weights]) {
        for algorithm in algorithms {
            for weights in weights {
                for endpoints in sizes {
                    let scenario = Scenario(algorithm: algorithm, endpoints: endpoints, weights: weights)
                    rows.append(Row(scenario: scenario, timing: Timing(scenario)))
                }
            }
        }
        for algorithm in algorithms {
            for weights in weights {
                let scenario = Scenario(algorithm: algorithm, endpoints: Self.changedEndpoints, weights: weights)
                changes.append(ChangeRow(scenario: scenario, timing: ChangeTiming(scenario)))
            }
        }
        // A counter that does not see the control's object at each turn sees nothing.
        guard let control = Counts(.control, endpoints: 0, weights: ""), control.allocations == 1 else { return }
        counted = [CountedRow(policy: "(control)", counts: control)]
        for algorithm in algorithms {
            if let counts = Counts(
                .pick(policy: algorithm.name), endpoints: Self.countedEndpoints,
                weights: Scenario.Weights.mixed.rawValue)
            {
                counted.append(CountedRow(policy: algorithm.name, counts: counts))
            }
        }
    }

    var table: String {
        var lines = ["policy              weights  endpoints    ns/pick  ns/pick, 2 threads  adoption µs"]
        for row in rows {
            lines.append(
                pad(row.scenario.algorithm.name, 20) + pad(row.scenario.weights.rawValue, 9)
                    + right("\(row.scenario.endpoints)", 9) + right(fixed(row.timing.alone, 1), 11)
                    + right(fixed(row.timing.shared, 1), 20) + right(fixed(row.timing.adoption / 1000, 1), 13))
        }
        lines.append("")
        lines.append(
            "One change among \(Self.changedEndpoints) endpoints: microseconds of the control thread, of a worker.")
        lines.append("policy              weights  a state, published  a member, published    adopted")
        for row in changes {
            lines.append(
                pad(row.scenario.algorithm.name, 20) + pad(row.scenario.weights.rawValue, 9)
                    + right(fixed(row.timing.publishState / 1000, 1), 18)
                    + right(fixed(row.timing.publishMember / 1000, 1), 21)
                    + right(fixed(row.timing.adopt / 1000, 1), 11))
        }
        lines.append("")
        if counted.isEmpty {
            lines.append("Instructions and allocations were not counted: that needs valgrind.")
        } else {
            lines.append("Counted by valgrind at \(Self.countedEndpoints) endpoints of mixed weights; the control")
            lines.append("allocates one object each time, which shows that allocations are seen.")
            lines.append("policy              instructions/pick  allocations/pick")
            for row in counted {
                lines.append(
                    pad(row.policy, 20) + right(fixed(row.counts.instructions, 1), 17)
                        + right(fixed(row.counts.allocations, 3), 18))
            }
        }
        return lines.joined(separator: "\n")
    }

    var json: String {
        let timed = rows.map { row in
            """
            {"policy": "\(row.scenario.algorithm.name)", "weights": "\(row.scenario.weights.rawValue)", \
            "endpoints": \(row.scenario.endpoints), "pick_nanoseconds": \(fixed(row.timing.alone, 1)), \
            "shared_pick_nanoseconds": \(fixed(row.timing.shared, 1)), \
            "adoption_nanoseconds": \(fixed(row.timing.adoption, 0))}
            """
        }
        let changed = changes.map { row in
            """
            {"policy": "\(row.scenario.algorithm.name)", "weights": "\(row.scenario.weights.rawValue)", \
            "endpoints": \(row.scenario.endpoints), \
            "publish_state_nanoseconds": \(fixed(row.timing.publishState, 0)), \
            "publish_member_nanoseconds": \(fixed(row.timing.publishMember, 0)), \
            "adoption_nanoseconds": \(fixed(row.timing.adopt, 0))}
            """
        }
        let counts = counted.map { row in
            """
            {"policy": "\(row.policy)", "endpoints": \(Self.countedEndpoints), "weights": "mixed", \
            "instructions": \(fixed(row.counts.instructions, 1)), "allocations": \(fixed(row.counts.allocations, 3))}
            """
        }
        return "{\"timed\": [\(timed.joined(separator: ", "))], \"changes\": [\(changed.joined(separator: ", "))], "
            + "\"counted\": [\(counts.joined(separator: ", "))]}"
    }
}

/// `value` with `digits` decimals; never negative here.
private func fixed(_ value: Double, _ digits: Int) -> String {
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((value * Double(scale)).rounded())
    if digits == 0 { return "\(scaled)" }
    let fraction = String(scaled % scale)
    return "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
}

private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

private func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
}
