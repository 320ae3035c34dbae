import Admin
import ArgumentParser
import Foundation
import Stats

/// Why a member, an upstream, or the node itself is as it is.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say why a member, an upstream or this node is as it is, and what changed in the last ten minutes.",
        discussion: """
            Without a subject: whether this node itself is well, whether everyone agrees, what else is wrong, and all \
            that changed. member NAME: who accused it, on what evidence. upstream NAME: why this many endpoints are fit, \
            why each of the others is not, by whose load connections are placed, and what each endpoint got.
            """)

    enum Subject: String, ExpressibleByArgument, CaseIterable {
        case member, upstream
    }

    @Argument(help: "What is to be explained; this node where it is left out.")
    var subject: Subject?

    @Argument(help: "Its name.")
    var name: String?

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print what GET /explain answers, as it is.")
    var json = false

    func validate() throws {
        guard let subject, name?.isEmpty ?? true else { return }
        throw ValidationError("a \(subject.rawValue) has a name; write explain \(subject.rawValue) NAME")
    }

    func run() async throws {
        let body = try await admin.get("/explain\(query)")
        guard !json else { return StandardStreams.output(body) }
        guard let report = try? ReportJSON.decode(ExplanationReport.self, from: body) else {
            throw AdminOptions.unreadable(at: admin.admin)
        }
        StandardStreams.output(report.text)
    }

    private var query: String {
        guard let subject, let name = name?.addingPercentEncoding(withAllowedCharacters: .alphanumerics) else {
            return ""
        }
        return "?\(subject.rawValue)=\(name)"
    }
}
