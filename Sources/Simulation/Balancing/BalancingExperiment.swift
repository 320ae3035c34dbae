// The questions that `remora simulate balancing` answers, and what it is told to ask them with.

import Vocabulary

package enum BalancingExperiment: String, CaseIterable, Sendable {
    case supermarket, staleness, balancers, probes, slow, bins, ring, maglev, weights, newcomer

    package var question: String {
        switch self {
        case .supermarket: "the time in system by the number of choices"
        case .staleness: "what load is worth that was true some time ago"
        case .balancers: "what a balancer's own counts are worth, by how many balancers there are"
        case .probes: "what asking is worth, by how much is asked and kept"
        case .slow: "each policy where a fifth of the endpoints have half the speed"
        case .bins: "how full the fullest endpoint gets"
        case .ring: "how even rings are, what moves, and bounded load"
        case .maglev: "how even Maglev's tables are, and what moves"
        case .weights: "whether shares follow weights"
        case .newcomer: "how long a newcomer takes to reach its share"
        }
    }
}

package struct BalancingOptions: Sendable {
    /// Of all experiments; each world's own follows from it and from what is asked.
    package var seed: UInt64
    package var experiments = BalancingExperiment.allCases
    /// Offered loads as shares of what the endpoints can serve; nil for each experiment's own. Above 0, below 1.
    package var loads: [Double]?
    /// In the queueing experiments; nil for each experiment's own.
    package var endpoints: Int?
    /// Arrivals measured in each world of the queueing experiments; nil for as many as its figure needs.
    package var jobs: Int?
    /// Of the experiments that repeat themselves; nil for each one's own.
    package var runs: Int?

    package static let endpointRange = 4...Departure.endpointLimit
    package static let loadRange = 0.01...0.99
    package static let jobsRange = 100...1_000_000_000
    package static let runsRange = 1...10_000

    package init(seed: UInt64) { self.seed = seed }
}

package struct BalancingReport: Sendable {
    package var findings: [BalancingFinding] = []
    package var plots: [Plot] = []
}

package enum BalancingExperiments {
    /// Everything that was asked for; the same options give the same report, to the last bit.
    package static func run(_ options: BalancingOptions) -> BalancingReport {
        var report = BalancingReport()
        for experiment in options.experiments {
            switch experiment {
            case .supermarket: supermarket(options, into: &report)
            case .staleness: staleness(options, into: &report)
            case .balancers: balancers(options, into: &report)
            case .probes: probes(options, into: &report)
            case .slow: slow(options, into: &report)
            case .bins: bins(options, into: &report)
            case .ring: ring(options, into: &report)
            case .maglev: maglev(options, into: &report)
            case .weights: weights(options, into: &report)
            case .newcomer: newcomer(options, into: &report)
            }
        }
        return report
    }

    /// A seed for one world of an experiment, so that what is measured first does not decide what is measured next.
    static func seed(_ options: BalancingOptions, _ experiment: BalancingExperiment, _ world: Int) -> UInt64 {
        let place = BalancingExperiment.allCases.firstIndex(of: experiment) ?? 0
        var random = SeededRandom(seed: options.seed &+ UInt64(place) << 48 &+ UInt64(world) << 16)
        return random.next()
    }

    /// Each run's seed.
    static func seeds(_ options: BalancingOptions, _ experiment: BalancingExperiment, runs: Int) -> [UInt64] {
        (0..<(options.runs ?? runs)).map { seed(options, experiment, $0) }
    }
}

/// A figure that the experiments measure. The raw value is its name in JSON.
package enum BalancingQuantity: String, CaseIterable, Sendable {
    case meanTime = "mean_time_in_system"
    case p99Time = "p99_time_in_system"
    case tail = "tail_share"
    case breakEvenAge = "break_even_age"
    case synchronousShare = "synchronous_share"
    case fullest = "fullest_endpoint_connections"
    case gap = "fullest_above_mean_connections"
    case spread = "share_variation"
    case movedKeys = "moved_keys_share"
    case movedBetweenSurvivors = "moved_between_survivors_share"
    case loadOverBound = "greatest_load_over_bound"
    case displacedKeys = "displaced_keys_share"
    case greatestShare = "greatest_share_over_mean"
    case deviation = "greatest_deviation_sigmas"
    case newcomerTime = "newcomer_lifetimes"

    /// As a table's row calls it.
    package var title: String {
        switch self {
        case .meanTime: "mean time in system"
        case .p99Time: "99 % of times in system"
        case .tail: "endpoints with so many connections or more"
        case .breakEvenAge: "age at which stale load is worth own counts"
        case .synchronousShare: "connections that waited for probes"
        case .fullest: "connections on the fullest endpoint"
        case .gap: "the fullest, above the mean"
        case .spread: "variation of the members' shares"
        case .movedKeys: "keys that move when a member goes"
        case .movedBetweenSurvivors: "those of survivors among them"
        case .loadOverBound: "greatest load, of what bounds it"
        case .displacedKeys: "connections that were not on their key's owner"
        case .greatestShare: "greatest share, of the mean share"
        case .deviation: "greatest deviation of a share"
        case .newcomerTime: "until a newcomer has its share"
        }
    }

    /// What stands behind a number; empty for a pure one.
    package var unit: String {
        switch self {
        case .meanTime, .p99Time, .breakEvenAge: "services"
        case .tail, .synchronousShare, .movedKeys, .movedBetweenSurvivors, .displacedKeys: "%"
        case .fullest, .gap, .spread, .loadOverBound, .greatestShare: ""
        case .deviation: "sigmas"
        case .newcomerTime: "lifetimes"
        }
    }
}

/// One figure, how far it spread, and what a formula says of it.
package struct BalancingFinding: Sendable {
    package let experiment: BalancingExperiment
    package let quantity: BalancingQuantity
    package let conditions: [Finding.Condition]
    /// One value for each tenth of a world, or for each run; nil where there is none.
    package let sample: Sample?
    /// What the formula says; nil where there is none.
    package let predicted: Double?
    /// Which formula, bound or claim that is, in a few words.
    package let note: String
}

extension BalancingReport {
    mutating func add(
        _ quantity: BalancingQuantity, of experiment: BalancingExperiment, _ conditions: [Finding.Condition],
        _ values: [Double], predicted: Double? = nil, note: String = ""
    ) {
        findings.append(
            BalancingFinding(
                experiment: experiment, quantity: quantity, conditions: conditions, sample: Sample(values),
                predicted: predicted, note: note))
    }
}

// MARK: - Conditions

extension Finding.Condition {
    /// Offered load, as a share of what the endpoints can serve.
    static func lambda(_ load: Double) -> Self { Self("lambda", .number(load)) }
    static func choices(_ count: Int) -> Self { Self("choices", .integer(count)) }
    static func endpoints(_ count: Int) -> Self { Self("endpoints", .integer(count)) }
    static func balancers(_ count: Int) -> Self { Self("balancers", .integer(count)) }
    static func length(_ count: Int) -> Self { Self("queue_length", .integer(count)) }
    static func policy(_ name: String) -> Self { Self("policy", .word(name)) }
    /// Whose counts a policy compares.
    static func load(_ name: String) -> Self { Self("load", .word(name)) }
    static func age(_ services: Double) -> Self { Self("age", .number(services)) }
    static func probes(_ count: Int) -> Self { Self("probes", .integer(count)) }
    static func pool(_ count: Int) -> Self { Self("pool", .integer(count)) }
    static func perEndpoint(_ count: Int) -> Self { Self("connections_per_endpoint", .integer(count)) }
    static func members(_ count: Int) -> Self { Self("members", .integer(count)) }
    static func virtualNodes(_ count: Int) -> Self { Self("virtual_nodes", .integer(count)) }
    static func boundedLoad(_ factor: Double) -> Self { Self("bounded_load", .number(factor)) }
    static func slots(_ count: Int) -> Self { Self("slots", .integer(count)) }
    static func failures(_ count: Int) -> Self { Self("failures", .integer(count)) }
    static func share(_ share: Double) -> Self { Self("share", .number(share)) }
}
