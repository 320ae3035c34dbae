import Stats
import Synchronization
import Testing

@testable import Admin

@Suite("What the admin port can be asked to do")
struct AdminCommandTests {
    /// Answers every command with one report, and takes note of them.
    private final class Desk: Sendable {
        private let asked = Mutex<[AdminCommand]>([])
        var commands: [AdminCommand] { asked.withLock { $0 } }

        func source(answering report: CommandReport) -> AdminSource {
            var source = AdminSource.example()
            source.command = { command in
                self.asked.withLock { $0.append(command) }
                return report
            }
            return source
        }
    }

    @Test("A command is carried out once for each POST, and its report is the answer", arguments: AdminCommand.allCases)
    func done(command: AdminCommand) async throws {
        let desk = Desk()
        let report = CommandReport(.done, "It is done.", changes: ["listener a closes"], needsRestart: ["node.name"])
        try await withServer(source: desk.source(answering: report)) { address in
            let answer = try await ask(address, "POST /\(command.rawValue)", ["Content-Length: 0"])
            #expect(answer.status == 200 && answer.fields["content-type"] == "application/json")
            #expect(
                answer.body
                    == "{\"changes\":[\"listener a closes\"],\"faults\":[],\"message\":\"It is done.\",\"needs_restart\":[\"node.name\"],\"outcome\":\"done\"}\n"
            )
            // Nor does a page that fetches it ahead, or one of another origin, change anything
            #expect(try await ask(address, "GET /\(command.rawValue)").status == 405)
            let foreign = try await ask(address, "POST /\(command.rawValue)", ["Origin: http://evil.example"])
            #expect(foreign.status == 403)
            #expect(desk.commands == [command])
        }
    }

    @Test("What is refused is 422 with the faults, and what cannot be asked now is 503")
    func refused() async throws {
        let refusal = CommandReport(.refused, "No.", faults: ["edge.yaml:1:2: error: x"])
        try await withServer(source: Desk().source(answering: refusal)) { address in
            let answer = try await ask(address, "POST /reload")
            #expect(answer.status == 422)
            #expect(try ReportJSON.decode(CommandReport.self, from: Array(answer.body.utf8)) == refusal)
            let reply = try await AdminClient(address: address, token: nil).post("/reload")
            #expect(reply.status == 422 && reply.body == Array(answer.body.utf8))
        }
        let status = try await withServer { address in try await ask(address, "POST /drain").status }
        #expect(status == 503)
    }
}
