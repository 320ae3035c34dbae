import ArgumentParser
import Simulation
import Vocabulary

/// What would happen to a fleet, without one.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run real cores in a seeded world: the same seed prints the same bytes.",
        subcommands: [SimulateMembershipCommand.self, SimulateBalancingCommand.self])
}

/// Measures a fleet's membership layer, and prints each figure beside what a formula says of it.
struct SimulateMembershipCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "membership",
        abstract: "Detection, dissemination, healing and load of a fleet, measured beside their predictions.",
        discussion: """
            Experiments: \(Experiment.allCases.map { "\($0.rawValue): \($0.question)" }.joined(separator: "; ")). \
            Without --experiment: \(Experiment.usual.map(\.rawValue).joined(separator: ", ")).

            Exit codes beside remora's own: 65 a log that cannot be read or replayed; 70 an invariant failed, with \
            the command that shows it again; 73 a file that cannot be written.
            """)

    @OptionGroup var fleet: SimulatedFleetOptions

    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    @Option(help: ArgumentHelp("Write charts of it as SVG.", valueName: "FILE"))
    var svg: String?

    @Option(help: ArgumentHelp("Write the log of the only run of the only experiment.", valueName: "FILE"))
    var record: String?

    @Option(help: ArgumentHelp("Run what a log holds again, and compare every step; nothing else.", valueName: "FILE"))
    var replay: String?

    @Flag(help: "Say on stderr how much faster than real time it was. Differs from run to run.")
    var timing = false

    func validate() throws {
        _ = try fleet.experimentOptions()
        if record != nil, try !fleet.isOneRun() {
            throw ValidationError(
                "--record needs one run; add --experiment NAME (false-positives, slow and telemetry compare several) and --runs 1, "
                    + "with one size in --nodes")
        }
    }

    func run() throws {
        if let replay { return try SimulationReplay.run(path: replay, json: json) }
        // Opened first: a path that cannot be written is known before the minutes that a large fleet takes.
        let (plot, log) = (try svg.map(OutputFile.init(path:)), try record.map(OutputFile.init(path:)))
        var options = try fleet.experimentOptions()
        options.isRecorded = log != nil
        let clock = ContinuousClock()
        let start = clock.now
        let report: ExperimentReport
        do throws(ExperimentFailure) {
            report = try Experiments.run(options)
        } catch {
            throw try complain(of: error, writing: log)
        }
        let elapsed = clock.now - start
        StandardStreams.output(
            json ? SimulationText.json(of: report, for: options) : SimulationText.table(of: report, for: options))
        try plot?.write(Array(Plot.sheet(report.plots).utf8))
        if let recording = report.log { try log?.write(Array(recording.text.utf8)) }
        if timing {
            let factor = (report.virtualTime.inSeconds / max(elapsed.inSeconds, 1e-9)).written()
            StandardStreams.complain(
                "timing: \(report.virtualTime.inSeconds.written()) s simulated in \(elapsed.inSeconds.written()) s, "
                    + "\(factor) times as fast as real time")
        }
    }

    /// Says which invariant failed, and how to see it again; the log so far is kept where one was wanted.
    private func complain(of failure: ExperimentFailure, writing log: OutputFile?) throws -> ExitCode {
        StandardStreams.complain("error: \(failure.experiment.rawValue): \(failure.violation)")
        if let recording = failure.log {
            try log?.write(Array(recording.text.utf8))
        } else {
            StandardStreams.complain("its log: \(Self.recording(failure, given: CommandLine.arguments))")
        }
        return ExitStatus.broken.code
    }

    /// The command that runs a failed world alone, and records it.
    private static func recording(_ failure: ExperimentFailure, given arguments: [String]) -> String {
        let violation = failure.violation
        let kept = withoutWorld(arguments).joined(separator: " ")
        return kept + " --experiment \(failure.experiment.rawValue) --nodes \(violation.nodes)"
            + " --seed \(violation.seed) --runs 1 --record world-\(violation.seed).log"
    }

    /// A command line without the options that choose a world, or a file.
    static func withoutWorld(_ arguments: [String]) -> [String] {
        let replaced = ["--nodes", "--seed", "--experiment", "--runs", "--record", "--svg"]
        var kept: [String] = []
        var isValue = false
        for argument in arguments {
            if !isValue, !replaced.contains(where: { argument == $0 || argument.hasPrefix($0 + "=") }) {
                kept.append(argument)
            }
            isValue = !isValue && replaced.contains(argument)
        }
        return kept
    }
}
