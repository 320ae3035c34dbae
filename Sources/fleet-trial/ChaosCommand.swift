import ArgumentParser
import Foundation
import Reactor
import Rig
import Vocabulary

/// Kills, stops and restarts members at random, and shows that the fleet comes out of it with one view.
struct ChaosCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Kill, stop and restart members at random; at the end all views must be equal.",
        discussion: """
            Ends with 1 where views differ at the end, a process ended by itself, or a remora refused a datagram. The \
            same seed does the same to the same members at the same times; what they make of it is theirs.
            """)

    @OptionGroup var options: FleetArguments

    @Option(help: "Members that are remoras.")
    var remoras = 60

    @Option(help: "Members that are agents of Serf.")
    var agents = 20

    @Option(help: "How long members are disturbed.")
    var seconds = 120

    @Option(help: "Of what is done to whom.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("How long views may take to become equal, afterwards.", valueName: "seconds"))
    var patience = 90

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func validate() throws {
        guard remoras >= 0, agents >= 0, (2...OwnAddresses.capacity).contains(remoras + agents) else {
            throw ValidationError("a fleet has 2 to \(OwnAddresses.capacity) members")
        }
        guard seconds > 0, patience > 0 else { throw ValidationError("--seconds and --patience are above zero") }
    }

    func run() async throws {
        let report = try await trying { try await RunningProcesses.with { try await run(by: $0) } }
        StandardOutput.write(json ? try StandardOutput.json(report) : report.text)
        if !report.isWell { throw TrialExit.notShown }
    }

    private func run(by processes: RunningProcesses) async throws -> ChaosReport {
        let fleet = try Fleet(programs, seeds: min(4, remoras + agents), options: options.fleet(), processes: processes)
        let suspicion = ChaosSchedule.shortestSuspicion(members: remoras + agents, profile: options.profile)
        let schedule = ChaosSchedule(
            members: remoras + agents, suspicion: suspicion, length: .seconds(seconds), seed: seed)
        var run = ChaosRun(fleet: fleet, schedule: schedule) { StandardOutput.complain($0) }
        let complete = try await run.start(within: .seconds(60))
        StandardOutput.complain("complete after \(complete.map { $0.seconds(1) } ?? "more than 60") s")
        let start = Kernel.now()
        try await run.disturb()
        // A suspicion without confirmations lasts six times the shortest.
        var report = try await run.end(within: .seconds(patience), from: start, settled: suspicion * 6)
        (report.remoras, report.agents, report.seed) = (remoras, agents, seed)
        report.completeSeconds = complete?.inSeconds
        report.loadAverage = LoadAverage.now
        fleet.end()
        return report
    }

    /// Agents stand among the remoras, so that seeds are of both.
    private var programs: [Member.Program] {
        let count = remoras + agents
        return (0..<count).map { ($0 + 1) * agents / count > $0 * agents / count ? .serf : .remora }
    }
}
