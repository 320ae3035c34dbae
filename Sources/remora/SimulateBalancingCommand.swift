import ArgumentParser
import Simulation

/// Measures what choosing endpoints one way or another does to connections, and prints each figure beside what theory
/// says of it.
struct SimulateBalancingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "balancing",
        abstract: "Time in system, fullness, rings and tables, measured beside their predictions.",
        discussion: """
            Experiments: \
            \(BalancingExperiment.allCases.map { "\($0.rawValue): \($0.question)" }.joined(separator: "; ")). \
            Times are in mean service times. Policies are those that run in production, but for three choices and stale \
            load, which are models.

            Exit codes beside remora's own: 73 a file that cannot be written.
            """)

    @Option(help: ArgumentHelp("Of the first world; all others follow from it.", valueName: "N"))
    var seed: UInt64 = 1

    @Option(
        name: .customLong("experiment"),
        help: ArgumentHelp(
            "What to measure; may be given several times. (default: all, which takes a minute or two)",
            valueName: "NAME")
    )
    var experiments: [BalancingExperimentArgument] = []

    @Option(
        help: ArgumentHelp(
            "Offered loads of the experiments with queues, 0.01 to 0.99. (default: each one's own)",
            valueName: "LOAD[,LOAD…]"))
    var lambda: LoadsArgument?

    @Option(
        help: ArgumentHelp(
            "Endpoints of the experiments with queues or bins, 4 to 16384; in a fleet as many balancers, 1024 at most. "
                + "(default: 250 in a fleet, 1000 or 10000 else)",
            valueName: "N"))
    var endpoints: Int?

    @Option(
        help: ArgumentHelp(
            "Connections that each world is measured for. (default: as many as it needs)", valueName: "N"))
    var jobs: Int?

    @Option(help: ArgumentHelp("Runs of what is repeated. (default: each experiment's own)", valueName: "N"))
    var runs: Int?

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    @Option(help: ArgumentHelp("Write charts of it as SVG.", valueName: "FILE"))
    var svg: String?

    func validate() throws { _ = try options() }

    func run() throws {
        // Opened first: a path that cannot be written is known before the figures are there.
        let plot = try svg.map(OutputFile.init(path:))
        let options = try options()
        let report = BalancingExperiments.run(options)
        StandardStreams.output(
            json ? BalancingText.json(of: report, for: options) : BalancingText.table(of: report, for: options))
        try plot?.write(Array(Plot.sheet(report.plots).utf8))
    }

    private func options() throws -> BalancingOptions {
        var options = BalancingOptions(seed: seed)
        let chosen = experiments.flatMap(\.experiments)
        if !chosen.isEmpty { options.experiments = BalancingExperiment.allCases.filter(chosen.contains) }
        options.loads = lambda?.loads
        options.endpoints = try within(BalancingOptions.endpointRange, endpoints, "--endpoints")
        options.jobs = try within(BalancingOptions.jobsRange, jobs, "--jobs")
        options.runs = try within(BalancingOptions.runsRange, runs, "--runs")
        return options
    }

    private func within(_ range: ClosedRange<Int>, _ value: Int?, _ name: String) throws -> Int? {
        guard let value, !range.contains(value) else { return value }
        throw ValidationError("\(name) \(value) is out of range; write \(range.lowerBound) to \(range.upperBound)")
    }
}

/// An experiment's name, or all of them.
struct BalancingExperimentArgument: ExpressibleByArgument {
    let experiments: [BalancingExperiment]

    static let allValueStrings = BalancingExperiment.allCases.map(\.rawValue) + ["all"]

    init?(argument: String) {
        if argument == "all" {
            experiments = BalancingExperiment.allCases
        } else if let experiment = BalancingExperiment(rawValue: argument) {
            experiments = [experiment]
        } else {
            return nil
        }
    }
}

/// Offered loads: `0.9` or `0.5,0.7,0.9`.
struct LoadsArgument: ExpressibleByArgument {
    /// Rising, each once.
    let loads: [Double]

    init?(argument: String) {
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        let loads = numbers.compactMap(\.self)
        guard loads.count == numbers.count, loads.allSatisfy(BalancingOptions.loadRange.contains) else { return nil }
        self.loads = Set(loads).sorted()
    }
}
