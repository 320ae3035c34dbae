// Members as processes: how they are started, stopped and asked.

import Admin
import Foundation
import Glibc
import Rig
import Stats
import Vocabulary

/// What all members of a fleet have in common.
struct FleetOptions {
    enum Profile: String, CaseIterable, Codable {
        case lan, local, wan
    }

    /// The program `remora`.
    var remora: String
    var profile = Profile.lan
    /// A remora's `membership.tuning` as YAML; empty: the profile's.
    var tuning = ""
}

final class Fleet {
    let options: FleetOptions
    let members: [Member]
    let logs: LogReader
    private let processes: RunningProcesses
    /// Members that a newcomer is told of.
    private let seeds: [Member]

    /// - Parameters:
    ///   - programs: of the members, which are not started yet.
    ///   - seeds: how many of them, spread evenly, newcomers join.
    init(
        _ programs: [Member.Program], seeds: Int, options: FleetOptions, processes: RunningProcesses
    ) throws {
        precondition((1...programs.count).contains(seeds), "a fleet has a seed")
        self.options = options
        self.processes = processes
        let addresses = OwnAddresses(process: Int(getpid()))
        members = programs.enumerated().map { number, program in
            Member(number: number, program: program, host: addresses.host(number))
        }
        let members = members
        self.seeds = (0..<seeds).map { members[$0 * members.count / seeds] }
        logs = try LogReader()
    }

    deinit { logs.stop() }

    // MARK: Their lives

    func start(_ member: Member) throws {
        let (process, output) = try processes.start(program(of: member), try arguments(for: member))
        logs.adopt(output, of: member.number)
        member.condition = .running(process)
    }

    /// As a machine that loses power.
    func kill(_ member: Member) {
        if let process = member.process { processes.end(process) }
        member.condition = .down
    }

    /// As a machine that stands still.
    func stop(_ member: Member) {
        guard case .running(let process) = member.condition else { return }
        process.signal(SIGSTOP)
        member.condition = .stopped(process)
    }

    func resume(_ member: Member) {
        guard case .stopped(let process) = member.condition else { return }
        process.signal(SIGCONT)
        member.condition = .running(process)
    }

    /// Ends all members.
    func end() {
        for member in members { member.process?.signal(SIGKILL) }
        for member in members { kill(member) }
    }

    /// Those that ended though nobody ended them, and the last that they said.
    func crashes() -> [String] {
        members.filter { $0.process?.hasEnded ?? false }.map { member in
            "\(member.name) ended by itself; its last lines:\n  "
                + logs.lastLines(of: member.number).joined(separator: "\n  ")
        }
    }

    private func program(of member: Member) -> String {
        switch member.program {
        case .remora: options.remora
        case .serf: "serf"
        }
    }

    private func arguments(for member: Member) throws -> [String] {
        // Nobody joins itself.
        let joined = seeds.filter { $0 !== member }.map(\.address)
        switch member.program {
        case .serf:
            return [
                "agent", "-node=\(member.name)", "-bind=\(member.address)", "-rpc-addr=\(member.commands)",
                "-profile=\(options.profile.rawValue)", "-log-level=info", "-retry-interval=2s",
            ] + joined.map { "-retry-join=\($0)" }
        case .remora:
            let tuning = options.tuning.isEmpty ? "" : ", tuning: {\(options.tuning)}"
            let join = joined.map { "\"\($0)\"" }.joined(separator: ", ")
            let text = """
                node: {name: \(member.name)}
                membership: {bind: "\(member.address)", join: [\(join)], profile: \(options.profile.rawValue)\(tuning)}
                upstreams: [{name: none, endpoints: ["127.0.0.1:1"]}]
                listeners: [{name: none, bind: "\(member.host):0", upstream: none}]
                admin: "\(member.host):9901"

                """
            let file = try processes.directory().appending(path: "\(member.name).yaml").path
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            return ["run", "--config", file, "--threads", "1"]
        }
    }

    // MARK: What they see

    /// Everybody's state, `alive`, `suspect`, `dead`, `left` or an agent's `leaving`, as this member sees it; nil where it does not answer.
    func view(of member: Member) async throws -> [String: String]? {
        switch member.program {
        case .remora:
            guard let report = await report(MembersReport.self, "/members", of: member) else { return nil }
            return Dictionary(report.members.map { ($0.name, $0.state) }) { first, _ in first }
        case .serf:
            let arguments = ["members", "-rpc-addr=\(member.commands)", "-format=json"]
            guard let text = try processes.output(of: "serf", arguments) else { return nil }
            let list = try JSONDecoder().decode(SerfMembers.self, from: Data(text.utf8))
            // An agent's word, in remora's.
            return Dictionary(list.members.map { ($0.name, $0.status == "failed" ? "dead" : $0.status) }) { first, _ in
                first
            }
        }
    }

    private struct SerfMembers: Decodable {
        struct Member: Decodable {
            let name: String
            let status: String
        }
        let members: [Member]
    }

    /// What a remora counts; nil for another member, or where it does not answer.
    func counters(of member: Member) async -> MembershipReport? {
        await report(StatsReport.self, "/stats", of: member)?.membership
    }

    private func report<Report: Decodable>(_ type: Report.Type, _ path: String, of member: Member) async -> Report? {
        guard member.program == .remora, let admin = member.admin,
            let reply = try? await AdminClient(address: admin, token: nil).get(path), reply.status == 200
        else { return nil }
        return try? ReportJSON.decode(type, from: reply.body)
    }
}
