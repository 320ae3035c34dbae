import Admin
import ArgumentParser
import Stats

/// The fleet as a running remora sees it.
struct MembersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "members", abstract: "Show the members of the fleet, as a running remora sees them.")

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print what GET /members answers, as it is.")
    var json = false

    func run() async throws {
        let body = try await admin.get("/members")
        guard !json else { return StandardStreams.output(body) }
        guard let report = try? ReportJSON.decode(MembersReport.self, from: body) else {
            throw AdminOptions.unreadable(at: admin.admin)
        }
        // Between two answers a member may come or go; the table is the one to believe.
        let stats = await admin.getIfThere("/stats").flatMap { try? ReportJSON.decode(StatsReport.self, from: $0) }
        let head = stats?.membership.map { $0.headline + "\n" } ?? ""
        StandardStreams.output(head + report.text(colours: Terminal.showsColours))
    }
}
