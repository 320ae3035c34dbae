// Which fleet is simulated, what goes wrong in it, and what is asked of it.

import ArgumentParser
import Gossip
import Simulation
import Vocabulary

struct SimulatedFleetOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Members, 2 to 65536; several sizes have growth laws fitted.", valueName: "N[,N…]"))
    var nodes: SizesArgument?

    @Option(help: ArgumentHelp("Of the first run; the others count up from it.", valueName: "N"))
    var seed: UInt64 = 1

    @Option(
        name: .customLong("experiment"),
        help: ArgumentHelp("What to measure; may be given several times. all: everything.", valueName: "NAME"))
    var experiments: [ExperimentArgument] = []

    @Option(help: ArgumentHelp("Runs of each experiment. (default: as many as take seconds)", valueName: "N"))
    var runs: Int?

    @Option(help: ArgumentHelp("How long quiet fleets are watched, in virtual time.", valueName: "TIME"))
    var duration: TimeArgument?

    @Option(help: ArgumentHelp("Share of datagrams that are lost, as 5% or 0.05.", valueName: "SHARE"))
    var loss: ShareArgument?

    @Option(
        help: ArgumentHelp(
            "One-way delay: 1ms, 0.5ms..2ms, exponential:MIN,MEAN,CAP or lognormal:MEDIAN,SIGMA,CAP. "
                + "(default: 200us..1ms)",
            valueName: "TIME"))
    var latency: LatencyArgument?

    @Option(help: ArgumentHelp("Members that crash at once.", valueName: "N"))
    var fail = 1

    @Option(help: ArgumentHelp("Sides of the split, as 7+3. (default: two halves)", valueName: "N+N"))
    var partition: SidesArgument?

    // MARK: Tuning

    @Option(help: ArgumentHelp("The options to start from.", valueName: "lan|wan|local"))
    var profile: ProfileArgument = .lan

    @Option(help: ArgumentHelp("Members that are told news at a time.", valueName: "N"))
    var gossipNodes: Int?

    @Option(help: ArgumentHelp("Between two of those times.", valueName: "TIME"))
    var gossipInterval: TimeArgument?

    @Option(help: ArgumentHelp("Between two probes of one member.", valueName: "TIME"))
    var probeInterval: TimeArgument?

    @Option(help: ArgumentHelp("How long a ping may take.", valueName: "TIME"))
    var probeTimeout: TimeArgument?

    @Option(help: ArgumentHelp("Members that are asked to ping a silent one.", valueName: "N"))
    var indirectChecks: Int?

    @Option(help: ArgumentHelp("Scales the time from suspicion to death.", valueName: "N"))
    var suspicionMultiplier: Int?

    @Option(help: ArgumentHelp("Scales how often news are repeated.", valueName: "N"))
    var retransmitMultiplier: Int?

    @Option(help: ArgumentHelp("Between two exchanges of whole views.", valueName: "TIME"))
    var pushPullInterval: TimeArgument?

    @Option(help: ArgumentHelp("Whether a stream tries where datagrams fail.", valueName: "on|off"))
    var streamPing: SwitchArgument?

    @Option(
        help: ArgumentHelp("Local health, confirmed suspicions, and telling the suspect.", valueName: "on|off"))
    var lifeguard: SwitchArgument = .on
}

/// An experiment's name, or all of them.
struct ExperimentArgument: ExpressibleByArgument {
    let experiments: [Experiment]

    static let allValueStrings = Experiment.allCases.map(\.rawValue) + ["all"]

    init?(argument: String) {
        if argument == "all" {
            experiments = Experiment.allCases
        } else if let experiment = Experiment(rawValue: argument) {
            experiments = [experiment]
        } else {
            return nil
        }
    }
}

extension SimulatedFleetOptions {
    /// Beyond this news hardly spread, and the formulas have no end.
    private static let mostLoss = 0.9

    /// Whether these ask for one world only.
    func isOneRun() throws -> Bool {
        let options = try experimentOptions()
        // These compare several worlds.
        let compares = options.experiments.contains { [Experiment.falsePositives, .slow, .telemetry].contains($0) }
        return options.nodes.count == 1 && options.experiments.count == 1 && options.runs == 1 && !compares
    }

    /// - Throws: `ValidationError` for options that no fleet can have.
    func experimentOptions() throws -> ExperimentOptions {
        var options = ExperimentOptions(nodes: try sizes(), seed: seed)
        let chosen = experiments.flatMap(\.experiments)
        if !chosen.isEmpty { options.experiments = Experiment.allCases.filter(chosen.contains) }
        if partition != nil, chosen.isEmpty { options.experiments.append(.partition) }
        options.runs = try runs.map { try within(1...100_000, $0, "--runs") }
        options.duration = try duration.map { try positive($0, "--duration") }
        options.loss = loss?.share ?? 0
        guard options.loss <= SimulatedFleetOptions.mostLoss else {
            throw ValidationError(
                "--loss \(options.loss) leaves nothing to measure; write at most \(SimulatedFleetOptions.mostLoss)")
        }
        if let latency { options.latency = latency.latency }
        options.sides = partition?.sides
        options.crashes = try within(1...(options.nodes[0] - 1), fail, "--fail")
        options.gossip = try gossip()
        return options
    }

    private func sizes() throws -> [Int] {
        guard let partition else { return nodes?.sizes ?? [250] }
        let total = partition.sides.reduce(0, +)
        guard let nodes else { return [total] }
        guard nodes.sizes == [total] else {
            throw ValidationError(
                "--partition \(partition.sides.map(String.init).joined(separator: "+")) has \(total) members; "
                    + "write --nodes \(total) or leave it out")
        }
        return [total]
    }

    private func gossip() throws -> GossipOptions {
        var options: GossipOptions =
            switch profile {
            case .lan: .lan
            case .wan: .wan
            case .local: .local
            }
        if let gossipNodes { options.gossipNodes = try within(1...1000, gossipNodes, "--gossip-nodes") }
        if let gossipInterval { options.gossipInterval = try positive(gossipInterval, "--gossip-interval") }
        if let probeInterval { options.probeInterval = try positive(probeInterval, "--probe-interval") }
        if let probeTimeout { options.probeTimeout = try positive(probeTimeout, "--probe-timeout") }
        if let indirectChecks { options.indirectChecks = try within(0...1000, indirectChecks, "--indirect-checks") }
        if let suspicionMultiplier {
            options.suspicionMultiplier = try within(1...100, suspicionMultiplier, "--suspicion-multiplier")
        }
        if let retransmitMultiplier {
            options.retransmitMultiplier = try within(1...100, retransmitMultiplier, "--retransmit-multiplier")
        }
        if let pushPullInterval { options.pushPullInterval = try positive(pushPullInterval, "--push-pull-interval") }
        if let streamPing { options.usesStreamPing = streamPing == .on }
        if options.probeTimeout >= options.probeInterval {
            throw ValidationError(
                "--probe-timeout \(options.probeTimeout) leaves no time for helpers; "
                    + "write less than --probe-interval, \(options.probeInterval)")
        }
        return lifeguard == .on ? options : options.withoutLifeguard
    }

    private func within(_ range: ClosedRange<Int>, _ value: Int, _ name: String) throws -> Int {
        guard range.contains(value) else {
            throw ValidationError("\(name) \(value) is out of range; write \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    private func positive(_ time: TimeArgument, _ name: String) throws -> Duration {
        guard time.duration >= .milliseconds(1) else {
            throw ValidationError("\(name) \(time.duration) is too short; write 1ms or more")
        }
        return time.duration
    }
}
