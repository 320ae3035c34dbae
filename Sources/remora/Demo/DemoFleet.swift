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

    /// - Throws: ``NoPlace`` where it cannot be on this machine; anything else is a fault of ours.
    init(_ processes: RunningProcesses) throws {
        self.processes = processes
        remoras = Array(repeating: nil, count: DemoPlaces.nodes)
        // By its own path, that it is called by its name; one that was built anew meanwhile has none.
        let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        program = FileManager.default.isExecutableFile(atPath: path) ? path : "/proc/self/exe"
        do {
            let places = try DemoPlaces.find()
            logs = try LogReader()
            for subject in DemoSubject.allCases {
                let addresses = try (0..<DemoPlaces.nodes).map {
                    try SocketAddress(parsing: places.instance($0, subject))
                }
                instances[subject] = try InstanceQueues(at: addresses)
            }
            self.places = places
        } catch let failure as RunFailure {
            throw NoPlace(description: failure.description)
        }
    }

    /// An address cannot be had, or what it takes to listen there.
    struct NoPlace: Error, CustomStringConvertible {
        let description: String
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
            let words = "\(DemoPlaces.name(node)) ended by itself, with \(code); its last lines:\(lines)"
            throw code == ExitStatus.cannotCreate.rawValue
                ? NoPlace(description: words) : RunFailure(description: words)
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

    /// Upstreams as those see them that have clients; nil of one that does not answer.
    private func callersReports() async -> [UpstreamsReport?] {
        var reports: [UpstreamsReport?] = []
        for caller in 0..<DemoPlaces.callers {
            reports.append(await ask(UpstreamsReport.self, "/upstreams", of: caller))
        }
        return reports
    }

    /// What all that have clients say of a node's endpoints; nil where one of them does not answer.
    func view(of node: Int) async -> DemoView? { DemoView(of: node, await callersReports()) }

    /// Whether all that have clients send them to all instances of both.
    func isComplete() async -> Bool {
        for report in await callersReports() {
            for subject in DemoSubject.allCases {
                let endpoints = report?.upstreams.first { $0.name == subject.upstream }?.endpoints ?? []
                let fit = endpoints.filter { $0.state == "fit" }.map(\.address)
                if Set(fit) != Set((0..<DemoPlaces.nodes).map { places.inbound($0, subject) }) { return false }
            }
        }
        return true
    }

    func stage(of node: Int) async -> StageReport? { await ask(StatsReport.self, "/stats", of: node)?.stage }

    /// Nil where the observer does not answer.
    func explanation(of node: Int, at observer: Int) async -> [String]? {
        await ask(ExplanationReport.self, "/explain?member=\(DemoPlaces.name(node))", of: observer)?.sentences
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
