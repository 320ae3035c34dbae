import Admin
import ArgumentParser
import Foundation
import Stats

/// Why a member or an upstream is as it is.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say why a member or an upstream is as it is: who accused whom, why this endpoint, why none.")

    enum Subject: String, ExpressibleByArgument, CaseIterable {
        case member, upstream
    }

    @Argument(help: "What is to be explained.")
    var subject: Subject

    @Argument(help: "Its name.")
    var name: String

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print what GET /explain answers, as it is.")
    var json = false

    func run() async throws {
        guard let query = name.addingPercentEncoding(withAllowedCharacters: .alphanumerics), !name.isEmpty else {
            throw ValidationError("a \(subject.rawValue) has a name")
        }
        let body = try await admin.get("/explain?\(subject.rawValue)=\(query)")
        guard !json else { return StandardStreams.output(body) }
        guard let report = try? ReportJSON.decode(ExplanationReport.self, from: body) else {
            throw AdminOptions.unreadable(at: admin.admin)
        }
        StandardStreams.output(report.text)
    }
}
