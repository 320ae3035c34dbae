import Admin
import ArgumentParser
import Stats

/// Has a running remora read its config again.
struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have a running remora read its config file again, and wait until it is in force.",
        discussion: """
            A file with faults changes nothing: they are printed, and the exit code is 78. Listeners and upstreams that \
            are as they were keep their connections. What cannot change without a restart is named.
            """)

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print what POST /reload answers, as it is.")
    var json = false

    func run() async throws {
        let (report, body) = try await admin.command(.reload)
        if json { StandardStreams.output(body) } else { StandardStreams.output(report.text) }
        switch report.outcome {
        case .done: return
        case .refused:
            for fault in report.faults where !json { StandardStreams.complain(fault) }
            throw ExitStatus.config.code
        case .unavailable: throw ExitStatus.adminSilent.code
        }
    }
}

extension CommandReport {
    /// What was done, for people; faults are for stderr.
    var text: String {
        let lines =
            [message] + changes.map { "  \($0)" } + needsRestart.map { "  \($0) needs a restart: it is as it was" }
        return lines.map { "\(TextTable.printable($0))\n" }.joined()
    }
}
