import Admin
import ArgumentParser
import Stats
import Vocabulary

/// Has a running remora drain, and stay.
struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Take a running remora's services out of use without ending it; undrain takes that back.",
        discussion: """
            The fleet is told, inbound listeners close once it has heard, and the connections there end by themselves. \
            GET /ready answers 503 meanwhile. Outbound listeners go on.
            """)

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Wait until no connection is left, and say each stage.")
    var wait = false

    @Option(help: ArgumentHelp("How long to wait at most, with --wait.", valueName: "30s"))
    var timeout = TimeArgument(.seconds(30))

    @Flag(help: "Print what POST /drain answers, as it is; with --wait, the stage that was reached.")
    var json = false

    func run() async throws {
        let (report, body) = try await admin.command(.drain)
        guard report.outcome == .done else {
            if json { StandardStreams.output(body) }
            throw AdminOptions.silent(report.message)
        }
        guard wait else { return StandardStreams.output(json ? body : Array("\(report.message)\n".utf8)) }
        try await follow()
    }

    private func follow() async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout.duration
        var last: String?
        while true {
            guard let stats = try? ReportJSON.decode(StatsReport.self, from: try await admin.get("/stats")),
                let stage = stats.stage
            else { throw AdminOptions.unreadable(at: admin.admin) }
            if !json, stage.line != last { StandardStreams.output("\(stage.line)\n") }
            last = stage.line
            let isOver = stage.name == "drained"
            if isOver || clock.now >= deadline {
                if json { StandardStreams.output(try ReportJSON.bytes(of: stage)) }
                guard !isOver else { return }
                StandardStreams.complain("error: not drained within \(timeout.duration.inWords)")
                throw ExitStatus.tooLate.code
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

/// Takes a drain back.
struct UndrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undrain", abstract: "Put a drained remora's services back into use.")

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print what POST /undrain answers, as it is.")
    var json = false

    func run() async throws {
        let (report, body) = try await admin.command(.undrain)
        if json { StandardStreams.output(body) }
        guard report.outcome == .done else { throw AdminOptions.silent(report.message) }
        if !json { StandardStreams.output("\(report.message)\n") }
    }
}
