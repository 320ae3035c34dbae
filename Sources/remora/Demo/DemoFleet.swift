// The demo's nodes: a remora each, as an operator would start it, and its instances, which live in this process.

import Admin
import Foundation
import Glibc
import Reactor
import Rig
import Stats
import Vocabulary

final class DemoFleet {
    private(set) var places: DemoPlaces
    private let processes: RunningProcesses
    private let program: String
    private let logs: LogReader
    private var instances: [DemoSubject: InstanceQueues] = [:]
    /// By node; nil: nobody is to be there.
    private var remoras: [ChildProcess?]

    init(_ processes: RunningProcesses) throws {
        self.processes = processes
        places = try DemoPlaces.find()
        logs = try LogReader()
        remoras = Array(repeating: nil, count: DemoPlaces.nodes)
        // By its own path, that it is called by its name; one that was built anew meanwhile has none.
        let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        program = FileManager.default.isExecutableFile(atPath: path) ? path : "/proc/self/exe"
        for subject in DemoSubject.allCases {
            let addresses = try (0..<DemoPlaces.nodes).map { try SocketAddress(parsing: places.instance($0, subject)) }
            instances[subject] = try InstanceQueues(at: addresses)
        }
    }

    // MARK: Their lives

    func startAll() throws {
        for node in remoras.indices { try start(node) }
    }

    func start(_ node: Int) throws {
        let (process, output) = try processes.start(
            program, ["run", "--config", "-", "--threads", "1"], input: Array(places.config(node).utf8))
        logs.adopt(output, of: node)
        remoras[node] = process
    }

    /// Has both instances of a node take so many times as long.
    func slow(_ node: Int, _ slowness: Double) {
        let all = (0..<DemoPlaces.nodes).map { $0 == node ? slowness : 1 }
        for queues in instances.values { queues.set(slowness: all) }
    }

    /// Remora and instances at once.
    func kill(_ node: Int) {
        for queues in instances.values { queues.set(node, isUp: false) }
        if let process = remoras[node] { processes.end(process) }
        remoras[node] = nil
    }

    func revive(_ node: Int) throws {
        for queues in instances.values { queues.set(node, isUp: true) }
        try start(node)
    }

    /// Sees to it that all are there who should be.
    /// - Throws: where one has ended that nobody has ended, with the last that it said.
    func check() throws {
        for (node, process) in remoras.enumerated() {
            guard let process, process.hasEnded else { continue }
            let code = process.exitCode()
            if node == 0, places.hasUsualAdmin, code == ExitStatus.cannotCreate.rawValue {
                // Somebody else is at the usual admin port, another demo say.
                places.hasUsualAdmin = false
                try start(0)
                continue
            }
            let lines = logs.lastLines(of: node).map { "\n  " + $0 }.joined()
            throw RunFailure(
                description: "\(DemoPlaces.name(node)) ended by itself, with \(code); its last lines:\(lines)")
        }
        for queues in instances.values { _ = try queues.takeLateness() }
    }

    // MARK: What they say

    private func ask<Report: Decodable>(_ type: Report.Type, _ path: String, of node: Int) async -> Report? {
        guard let client = try? client(node), let reply = try? await client.get(path, timeout: .seconds(2)),
            reply.status == 200
        else { return nil }
        return try? ReportJSON.decode(type, from: reply.body)
    }

    private func client(_ node: Int) throws -> AdminClient {
        AdminClient(address: try SocketAddress(parsing: places.admin(node)), token: nil)
    }

    /// A member as another one sees it; nil where it does not answer, or does not know it.
    func member(_ node: Int, at observer: Int) async -> MemberReport? {
        let report = await ask(MembersReport.self, "/members", of: observer)
        return report?.members.first { $0.name == DemoPlaces.name(node) }
    }

    /// Endpoints of an upstream as a node sees them; none where it does not answer.
    func endpoints(of subject: DemoSubject, at observer: Int) async -> [EndpointReport] {
        let report = await ask(UpstreamsReport.self, "/upstreams", of: observer)
        return report?.upstreams.first { $0.name == subject.upstream }?.endpoints ?? []
    }

    func endpoint(_ node: Int, of subject: DemoSubject, at observer: Int) async -> EndpointReport? {
        await endpoints(of: subject, at: observer).first { $0.member == DemoPlaces.name(node) }
    }

    /// Whether all that have clients send them to all instances of both.
    func isComplete() async -> Bool {
        for caller in 0..<DemoPlaces.callers {
            for subject in DemoSubject.allCases {
                let fit = await endpoints(of: subject, at: caller).filter { $0.state == "fit" }.map(\.address)
                if Set(fit) != Set((0..<DemoPlaces.nodes).map { places.inbound($0, subject) }) { return false }
            }
        }
        return true
    }

    func stage(of node: Int) async -> StageReport? { await ask(StatsReport.self, "/stats", of: node)?.stage }

    func explanation(of node: Int, at observer: Int) async -> [String] {
        let path = "/explain?member=\(DemoPlaces.name(node))"
        return await ask(ExplanationReport.self, path, of: observer)?.sentences ?? []
    }

    /// - Throws: where it does not do it.
    func command(_ command: AdminCommand, _ node: Int) async throws {
        let reply = try await client(node).post("/\(command.rawValue)")
        let report = try? ReportJSON.decode(CommandReport.self, from: reply.body)
        guard report?.outcome == .done else {
            throw RunFailure(
                description:
                    "\(DemoPlaces.name(node)) does not \(command.rawValue): \(report?.message ?? "\(reply.status)")")
        }
    }
}
