// How a subcommand finds a running remora, and what is said when it does not.

import Admin
import ArgumentParser
import Stats
import Vocabulary

struct AdminOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Where the remora's admin port is.", valueName: "ADDRESS"),
        transform: { text in
            do {
                return try SocketAddress(parsing: text)
            } catch let error as SocketAddress.ParseError {
                throw ValidationError("\"\(text)\" \(error.explanation)")
            }
        })
    var admin: SocketAddress = .ipv4(.loopback, port: 9901)

    @Option(help: ArgumentHelp("The file with the token that its admin.token_file names.", valueName: "FILE"))
    var tokenFile: String?

    /// The body of `path`; complains and ends with the exit code where there is none.
    func get(_ path: String) async throws -> [UInt8] {
        let reply: AdminReply
        do {
            reply = try await client().get(path)
        } catch let failure as AdminClient.Failure {
            throw Self.silent(failure.description)
        }
        if let refusal = reply.refusal(from: admin, tokenFile: tokenFile) { throw Self.silent(refusal) }
        return reply.body
    }

    /// The body of `path`; nil where there is none, of which nothing is said: what is only good to have may be missing.
    func getIfThere(_ path: String) async -> [UInt8]? {
        guard let reply = try? await client().get(path), reply.refusal(from: admin, tokenFile: tokenFile) == nil else {
            return nil
        }
        return reply.body
    }

    /// Has the remora do something that it answers with a report; what it refuses is an answer too.
    func command(_ command: AdminCommand) async throws -> (report: CommandReport, body: [UInt8]) {
        let reply: AdminReply
        do {
            reply = try await client().post("/\(command.rawValue)")
        } catch let failure as AdminClient.Failure {
            throw Self.silent(failure.description)
        }
        if let report = try? ReportJSON.decode(CommandReport.self, from: reply.body) { return (report, reply.body) }
        if let refusal = reply.refusal(from: admin, tokenFile: tokenFile) { throw Self.silent(refusal) }
        throw Self.unreadable(at: admin)
    }

    func client() throws -> AdminClient { AdminClient(address: admin, token: try token()) }

    private func token() throws -> String? {
        guard let tokenFile else { return nil }
        do {
            return try TokenFile.read(tokenFile)
        } catch {
            StandardStreams.complain("error: \(error)")
            throw ExitStatus.input.code
        }
    }

    /// Complains that an answer is of another kind than was asked for.
    /// - Returns: what ends the command.
    static func unreadable(at admin: SocketAddress) -> ExitCode {
        silent(
            "what \(admin) answers is no report that remora \(Version.current) can read\n"
                + "is it a remora of another version? --json shows its answer as it is")
    }

    /// Complains that the admin port does not answer what was asked.
    /// - Returns: what ends the command.
    static func silent(_ explanation: String) -> ExitCode {
        StandardStreams.complain("error: \(explanation)")
        return ExitStatus.adminSilent.code
    }
}
