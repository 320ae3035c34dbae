import ArgumentParser
import Foundation
import Rig
import Vocabulary

/// Measures fleets of Serf agents and of remoras, one after the other, and prints one table for each size.
struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Measure fleets of Serf and of remora with the same parameters, and print one table.",
        discussion: """
            The fleets run one after the other, in a network namespace of their own in which the kernel counts what each \
            address sends; that takes root or user namespaces, unshare, iproute2 and nftables. Agents of Serf need 15 MiB \
            each. Whatever else the machine does makes start and CPU worse; the load is printed.
            """)

    /// Twice as fast as the profile lan: shorter periods and one round of suspicion less.
    static let fastTuning = "probe_interval: 600ms, probe_timeout: 300ms, suspicion_multiplier: 3"

    @OptionGroup var options: FleetArguments

    @Option(help: "How many members; may be given several times. (default: 50)")
    var members: [Int] = []

    @Option(help: ArgumentHelp("What to measure: serf, remora, tuned; may be given several times.", valueName: "NAME"))
    var only: [Column] = []

    @Option(help: ArgumentHelp("membership.tuning of the column tuned.", valueName: "YAML"))
    var fast = Self.fastTuning

    @Option(help: ArgumentHelp("How long a mass start may take.", valueName: "seconds"))
    var patience = 120

    @Option(help: ArgumentHelp("Between the start and the rest.", valueName: "seconds"))
    var settle = 45

    @Option(help: ArgumentHelp("How long the fleet is measured at rest.", valueName: "seconds"))
    var rest = 60

    @Option(help: "Newcomers that come and are killed.")
    var trials = 5

    @Flag(help: "Print one JSON object instead of tables.")
    var json = false

    @Flag(help: .hidden)
    var inOwnNetwork = false

    enum Column: String, CaseIterable, ExpressibleByArgument {
        case serf, remora, tuned
    }

    func validate() throws {
        for size in sizes where !(2...OwnAddresses.capacity - trials).contains(size) {
            throw ValidationError("--members \(size) is out of range; write 2 to \(OwnAddresses.capacity - trials)")
        }
        guard patience > 0, settle >= 0, rest > 0, (0...100).contains(trials) else {
            throw ValidationError("times are above zero, and --trials at most 100")
        }
    }

    private var sizes: [Int] { members.isEmpty ? [50] : members }

    func run() async throws {
        guard inOwnNetwork else {
            let code = try await trying {
                try await RunningProcesses.with { try OwnNetwork.run(with: "--in-own-network", in: $0) }
            }
            throw ExitCode(code)
        }
        let report = try await trying { try await RunningProcesses.with { try await run(by: $0) } }
        StandardOutput.write(json ? try StandardOutput.json(report) : report.conclusion)
        if !report.isWell { throw TrialExit.notShown }
    }

    private func run(by processes: RunningProcesses) async throws -> ComparisonReport {
        let fleet = try options.fleet()
        try OwnNetwork.begin(processes)
        let variants = (only.isEmpty ? Column.allCases : only).map(variant(of:))
        var pace = MeasuredFleet.Pace()
        pace.startPatience = .seconds(patience)
        pace.settling = .seconds(settle)
        pace.rest = .seconds(rest)
        pace.trials = trials
        let tunings = variants.filter { !$0.tuning.isEmpty }.map { ($0.title, $0.tuning) }
        var report = ComparisonReport(
            profile: options.profile, tunings: Dictionary(tunings) { first, _ in first })
        for size in sizes {
            for variant in variants {
                var measured = try MeasuredFleet(
                    variant, members: size, options: fleet, pace: pace, processes: processes,
                    say: StandardOutput.complain)
                report.measurements.append(try await measured.measure())
            }
            // At once: the next size may be one that this machine cannot carry.
            if !json { StandardOutput.write(report.table(of: size) + "\n") }
        }
        return report
    }

    private func variant(of column: Column) -> Variant {
        switch column {
        case .serf: Variant(title: "serf", program: .serf)
        case .remora: Variant(title: "remora", program: .remora, tuning: options.tuning)
        case .tuned: Variant(title: "remora, tuned", program: .remora, tuning: fast)
        }
    }
}
