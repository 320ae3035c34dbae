// The questions that `remora simulate membership` answers, and what it is told to ask them with.
//
// An experiment is a name and a function from options to findings; the same options give the same findings, to the
// last bit. Each run of one has a seed of its own, counted up from the seed that was asked for, so that any run can be
// had again alone: seed + r, one run.

package import Gossip
import Vocabulary

package enum Experiment: String, CaseIterable, Sendable {
    case change
    case crash
    case falsePositives = "false-positives"
    case slow
    case partition
    case start
    case load
    case telemetry

    /// What is asked where nobody chooses: those that take seconds at 250 nodes.
    package static let usual: [Experiment] = [.change, .crash, .load]

    package var question: String {
        switch self {
        case .change: "how a change of one member's own state reaches all others"
        case .crash: "when a crash is suspected, detected, and known to all"
        case .falsePositives:
            "how often live members are accused at 0, 1, 5 and 10 % loss, with and without stream pings"
        case .slow: "whom slow members accuse, with Lifeguard and without"
        case .partition: "how long a split takes to be seen, and a healed one to be forgotten"
        case .start: "when all views are complete after all members started at once through one seed"
        case .load: "what a quiet fleet sends and keeps"
        case .telemetry: "how old the loads are that members know of each other, at 1, 2 and 4 KiB/s"
        }
    }

    /// How many runs are worth their time: figures that vary from seed to seed need many, and a run takes about as
    /// long as its members are many.
    package func usualRuns(nodes: Int) -> Int {
        switch self {
        case .change: min(max(20_000 / nodes, 1), 1000)
        case .crash: min(max(20_000 / (nodes * Experiments.waves(of: 1, nodes: nodes)), 1), 200)
        case .partition, .start: nodes <= 250 ? 3 : 1
        case .falsePositives, .slow, .load, .telemetry: 1
        }
    }
}

package struct ExperimentOptions: Sendable {
    /// Sizes of the fleet, at least one, each at least 2, rising; growth laws are fitted from two on.
    package var nodes: [Int]
    /// Of the first run; the others count up from it.
    package var seed: UInt64
    package var experiments: [Experiment]
    /// For every experiment and size; nil for each experiment's own.
    package var runs: Int?
    package var gossip: GossipOptions
    /// The share of datagrams lost, 0...1.
    package var loss: Double
    package var latency: Latency
    /// Virtual time that a quiet fleet is watched for; nil for each experiment's own.
    package var duration: Duration?
    /// How many members crash at once, at least 1 and fewer than all.
    package var crashes: Int
    /// How many members each side of a split has; nil for two halves.
    package var sides: [Int]?
    /// Whether the last world's log is kept in the report.
    package var isRecorded = false

    package init(nodes: [Int], seed: UInt64) {
        (self.nodes, self.seed) = (nodes, seed)
        (experiments, runs, gossip, loss) = (Experiment.usual, nil, .lan, 0)
        (latency, duration, crashes, sides) = (.local, nil, 1, nil)
    }

    package func runs(of experiment: Experiment, nodes: Int) -> Int { runs ?? experiment.usualRuns(nodes: nodes) }

    /// The seeds of an experiment's runs.
    package func seeds(of experiment: Experiment, nodes: Int) -> [UInt64] {
        (0..<runs(of: experiment, nodes: nodes)).map { seed &+ UInt64($0) }
    }

    /// How many members each side of a split of `nodes` has.
    func sides(of nodes: Int) -> [Int] { sides ?? [nodes - nodes / 2, nodes / 2] }

    package func prediction(nodes: Int) -> Prediction {
        Prediction(nodes: nodes, options: gossip, loss: loss)
    }
}

/// All that a command found out.
package struct ExperimentReport: Sendable {
    package var findings: [Finding] = []
    package var plots: [Plot] = []
    /// What was simulated, for a figure of speed: virtual time, summed over all runs.
    package var virtualTime: Duration = .zero
    /// Of the last world, where it was asked for.
    package var log: EventLog?
}

extension GossipOptions {
    /// The same without what Lifeguard adds to SWIM: local health, suspicions that begin long and shrink with
    /// confirmations, and telling suspects so.
    package var withoutLifeguard: GossipOptions {
        var options = self
        options.awarenessMaximum = 1
        options.suspicionMaximumMultiplier = 1
        options.tellsSuspects = false
        return options
    }

    package var hasLifeguard: Bool { awarenessMaximum > 1 || suspicionMaximumMultiplier > 1 || tellsSuspects }
}
