// What an experiment found out: one figure, how far it spread over the runs, and what a formula says of it.
//
// Quantities are an enum and not free text, so that the module page, the table and the JSON name the same things, and
// a test can tell when one is missing.

/// A figure that experiments measure. The raw value is its name in JSON, which ends with the unit.
package enum Quantity: String, CaseIterable, Sendable {
    // A change of one member's own state.
    case awareNodes = "aware_nodes"
    case convergenceRounds = "convergence_rounds"
    case convergence = "convergence_seconds"
    case completeEarly = "complete_within_5_rounds_share"
    case completeAfterExchange = "complete_after_push_pull_share"
    case spreadBytes = "spread_bytes_per_node_round"
    // Crashes.
    case firstProbe = "first_probe_periods"
    case firstSuspicion = "first_suspicion_seconds"
    case firstDetection = "first_detection_seconds"
    case fullDetection = "full_detection_seconds"
    // Accusations of members that are well.
    case falseSuspicions = "false_suspicions_per_node_hour"
    case falseDeaths = "false_deaths_per_node_hour"
    case healthyDeaths = "healthy_members_declared_dead"
    // Splits, starts, load.
    case split = "split_seconds"
    case heal = "heal_seconds"
    case start = "start_seconds"
    case datagrams = "datagrams_per_node_second"
    case bytes = "bytes_per_node_second"
    case streamBytes = "stream_bytes_per_node_second"
    case stateBytes = "state_bytes_per_node"
    case memberBytes = "state_bytes_per_known_member"
    // Telemetry.
    case reportAge = "report_age_seconds"
    case reportsHeld = "reports_held_share"
    case telemetryBytes = "telemetry_bytes_per_node_second"
    case telemetryDatagrams = "telemetry_datagrams_per_node_second"
    case bytesInSecond = "bytes_in_any_second"
    case alikeInAnyOrder = "alike_in_any_order_share"
    // Over several sizes.
    case growth = "growth_per_e_fold"
    case lawResidual = "worst_residual_share"

    /// As a table's row calls it.
    package var title: String {
        switch self {
        case .awareNodes: "aware members"
        case .convergenceRounds: "gossip rounds until all know"
        case .convergence: "a change, until all know"
        case .completeEarly: "runs complete within 5 rounds"
        case .completeAfterExchange: "runs complete after one push-pull"
        case .spreadBytes: "bytes per node and round, while it spreads"
        case .firstProbe: "crash to the first probe that fails"
        case .firstSuspicion: "crash to the first suspicion"
        case .firstDetection: "crash to the first verdict of death"
        case .fullDetection: "crash until all know"
        case .falseSuspicions: "suspicions of live members"
        case .falseDeaths: "deaths of live members"
        case .healthyDeaths: "healthy members declared dead"
        case .split: "split until each side is right"
        case .heal: "heal until one view"
        case .start: "last start until all views are complete"
        case .datagrams: "datagrams sent, idle"
        case .bytes: "bytes of datagrams sent, idle"
        case .streamBytes: "bytes of streams sent, idle"
        case .stateBytes: "state of a node"
        case .memberBytes: "state for a known member"
        case .reportAge: "age of the loads known"
        case .reportsHeld: "loads known of all others"
        case .telemetryBytes: "bytes sent"
        case .telemetryDatagrams: "datagrams sent"
        case .bytesInSecond: "most bytes in any second"
        case .alikeInAnyOrder: "alike in any order"
        case .growth: "growth"
        case .lawResidual: "largest distance from the law"
        }
    }

    /// What stands behind a number; empty for a pure one.
    package var unit: String {
        switch self {
        case .awareNodes, .healthyDeaths: ""
        case .convergenceRounds: "rounds"
        case .firstProbe: "periods"
        case .convergence, .firstSuspicion, .firstDetection, .fullDetection, .split, .heal, .start, .reportAge: "s"
        case .completeEarly, .completeAfterExchange, .lawResidual, .reportsHeld, .alikeInAnyOrder: "%"
        case .spreadBytes, .stateBytes, .memberBytes, .bytesInSecond: "B"
        case .falseSuspicions, .falseDeaths: "/h"
        case .datagrams, .telemetryDatagrams: "/s"
        case .bytes, .streamBytes, .telemetryBytes: "B/s"
        case .growth: "per e-fold"
        }
    }
}

package struct Finding: Sendable {
    /// Under which circumstances, beside the parameters of the whole command: `loss` 0.05.
    package struct Condition: Sendable {
        package enum Value: Sendable {
            case integer(Int)
            case number(Double)
            case word(String)
        }

        /// In snake_case, as in JSON.
        package let name: String
        package let value: Value
    }

    package let experiment: Experiment
    /// Nil for what is said of several sizes.
    package let nodes: Int?
    package let quantity: Quantity
    package let conditions: [Condition]
    /// One value for each run that has one, or several; nil where no run has, as when nobody noticed a crash in time.
    package let sample: Sample?
    /// What the formula says; nil where there is none.
    package let predicted: Double?
    /// Which formula, bound or claim that is, in a few words.
    package let note: String

    init(
        _ quantity: Quantity, of experiment: Experiment, nodes: Int?, _ values: [Double],
        predicted: Double? = nil, note: String = "", conditions: [Condition] = []
    ) {
        (self.quantity, self.experiment, self.nodes) = (quantity, experiment, nodes)
        (sample, self.predicted, self.note, self.conditions) = (Sample(values), predicted, note, conditions)
    }
}

extension Finding.Condition {
    init(_ name: String, _ value: Value) { (self.name, self.value) = (name, value) }

    static func round(_ round: Int) -> Self { Self("round", .integer(round)) }
    static func loss(_ share: Double) -> Self { Self("loss", .number(share)) }
    static func streamPing(_ isOn: Bool) -> Self { Self("stream_ping", .word(isOn ? "on" : "off")) }
    static func lifeguard(_ isOn: Bool) -> Self { Self("lifeguard", .word(isOn ? "on" : "off")) }
    static func budget(_ bytesPerSecond: Int) -> Self { Self("bytes_per_second", .integer(bytesPerSecond)) }
    static func sealed(_ isSealed: Bool) -> Self { Self("sealed", .word(isSealed ? "yes" : "no")) }
    /// Which quantity a law is of.
    static func of(_ quantity: Quantity) -> Self { Self("of", .word(quantity.rawValue)) }
    static func law(_ law: GrowthFit.Law) -> Self { Self("law", .word(law == .constant ? "constant" : "logarithmic")) }

    /// As a table's row says it: `round 3`.
    package var text: String {
        let name = name.replacing("_", with: " ")
        return switch value {
        case .integer(let value): "\(name) \(value)"
        case .number(let value): "\(name) \(value.written())"
        case .word(let word): "\(name) \(word)"
        }
    }
}
