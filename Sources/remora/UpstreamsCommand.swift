import Admin
import ArgumentParser
import Stats

/// The upstreams of a running remora, with their endpoints.
struct UpstreamsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upstreams", abstract: "Show a running remora's upstreams and endpoints, and which are fit.")

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print what GET /upstreams answers, as it is.")
    var json = false

    func run() async throws {
        let body = try await admin.get("/upstreams")
        guard !json else { return StandardStreams.output(body) }
        guard let report = try? ReportJSON.decode(UpstreamsReport.self, from: body) else {
            throw AdminOptions.unreadable(at: admin.admin)
        }
        StandardStreams.output(report.text(colours: Terminal.showsColours))
    }
}
