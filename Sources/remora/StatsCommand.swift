import Admin
import ArgumentParser
import Stats

/// The numbers of a running remora, as tables or as the admin port writes them.
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show a running remora's listeners, upstreams and endpoints.")

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print what GET /stats answers, as it is.")
    var json = false

    func run() async throws {
        let body = try await admin.get("/stats")
        guard !json else { return StandardStreams.output(body) }
        guard let report = try? ReportJSON.decode(StatsReport.self, from: body) else {
            throw AdminOptions.unreadable(at: admin.admin)
        }
        StandardStreams.output(report.text(colours: Terminal.showsColours))
    }
}
