// Nodes as operators have them: a remora, and beside it an instance of a service, each a process of its own.

import Admin
import Foundation
import Glibc
import Reactor
import Rig
import Stats
import Vocabulary

/// One node of the fleet under test.
final class ServiceNode {
    let number: Int
    let name: String
    /// The number of the service that it has an instance of.
    let service: Int
    fileprivate(set) var sidecar: ChildProcess?
    fileprivate(set) var instance: ChildProcess?

    fileprivate init(number: Int, service: Int) {
        self.number = number
        self.service = service
        name = "n" + String(1001 + number).dropFirst()
    }
}

final class ServiceFleet {
    struct Options {
        /// What clients of every node can reach, each at an outbound listener of its own.
        struct Upstream {
            let name: String
            /// By number.
            let service: Int
            /// Further entries, each with a comma before it.
            var settings = ""
        }

        var remora: FleetOptions
        var services = 3
        /// Nil: one for each service, named as it is.
        var upstreams: [Upstream]?
        /// How sidecars look after their instances; nil: they do not, and what an instance hears is clients.
        var health: String? = "{http: /healthz, interval: 500ms, timeout: 250ms, fall: 2, rise: 2}"
        /// Further entries of `membership`, each with a comma before it.
        var membership = ""
        var keepsState = false
        var drain = Duration.seconds(10)
    }

    let site: TrialSite
    let options: Options
    let nodes: [ServiceNode]
    private let processes: RunningProcesses
    private let program: String

    /// - Parameter services: for each node the number of its service.
    init(services: [Int], site: TrialSite, options: Options, processes: RunningProcesses) throws {
        self.site = site
        self.options = options
        self.processes = processes
        nodes = services.enumerated().map { ServiceNode(number: $0, service: $1) }
        program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }

    // MARK: Their lives

    func start(_ node: ServiceNode) throws {
        try startInstance(of: node)
        try startSidecar(of: node)
    }

    func startInstance(of node: ServiceNode) throws {
        node.instance = try start(
            program,
            [
                "instance", "--address", instanceAddress(of: node), "--name", node.name, "--journal",
                file(node, "journal").path, "--ill", illness(of: node).path, "--seed", "\(node.number + 1)",
            ], at: node, log: "instance.log")
    }

    func startSidecar(of node: ServiceNode) throws {
        if options.keepsState {
            try FileManager.default.createDirectory(at: file(node, "state"), withIntermediateDirectories: true)
        }
        let config = file(node, "yaml")
        try text(of: node).write(to: config, atomically: false, encoding: .utf8)
        let words = ["run", "--config", config.path, "--threads", "1"]
        node.sidecar = try start(options.remora.remora, words, at: node, log: "log")
    }

    func killInstance(of node: ServiceNode) {
        if let process = node.instance { processes.end(process) }
        node.instance = nil
    }

    func killSidecar(of node: ServiceNode) {
        if let process = node.sidecar { processes.end(process) }
        node.sidecar = nil
    }

    /// Forgets a sidecar that has ended as it should.
    func forgetSidecar(of node: ServiceNode) { killSidecar(of: node) }

    /// Removes what they have written; another fleet may take their places.
    func clear() {
        for node in nodes {
            for ending in ["yaml", "log", "instance.log", "journal", "ill", "admin", "state"] {
                try? FileManager.default.removeItem(at: file(node, ending))
            }
        }
    }

    /// To both, the instance first: the sidecar is to see no sign of it.
    func signal(_ number: Int32, to node: ServiceNode) {
        node.instance?.signal(number)
        node.sidecar?.signal(number)
    }

    func setHealth(of node: ServiceNode, passes: Bool) throws {
        if passes {
            try FileManager.default.removeItem(at: illness(of: node))
        } else {
            try Data().write(to: illness(of: node))
        }
    }

    /// Those that ended though nobody ended them, and the last that they said.
    func crashes() -> [String] {
        nodes.flatMap { node in
            [("remora", node.sidecar, "log"), ("instance", node.instance, "instance.log")]
                .filter { $0.1?.hasEnded ?? false }.map { what, _, log in
                    let lines =
                        (try? String(contentsOf: file(node, log), encoding: .utf8))?.split(separator: "\n") ?? []
                    return "\(what) of \(node.name) ended by itself; its last lines:\n  "
                        + lines.suffix(8).joined(separator: "\n  ")
                }
        }
    }

    /// Starts a program beside a node, with a log of its own.
    func start(_ program: String, _ arguments: [String], at node: ServiceNode, log: String) throws
        -> ChildProcess
    {
        let words = site.words(program, arguments, at: node.number, log: file(node, log))
        let (process, output) = try processes.start(words[0], Array(words.dropFirst()))
        // It writes to its file.
        _ = close(output)
        return process
    }

    func file(_ node: ServiceNode, _ ending: String) -> URL {
        site.directory.appending(path: "\(node.name).\(ending)")
    }

    private func illness(of node: ServiceNode) -> URL { file(node, "ill") }
    func instanceAddress(of node: ServiceNode) -> String { "\(site.host(node.number)):9000" }

    private var upstreams: [Options.Upstream] {
        options.upstreams ?? (0..<options.services).map { Options.Upstream(name: "s\($0)", service: $0) }
    }

    /// Where clients of a node reach an upstream, by its number.
    func outbound(of node: ServiceNode, upstream: Int) -> String { "\(site.host(node.number)):\(15_001 + upstream)" }

    private func text(of node: ServiceNode) -> String {
        let host = site.host(node.number)
        let tuning = options.remora.tuning.isEmpty ? "" : ", tuning: {\(options.remora.tuning)}"
        // Three seeds: newcomers find the fleet while some are gone.
        let seeds = nodes.filter { $0 !== node }.prefix(3).map { "\"\(site.host($0.number)):7946\"" }
        let state = options.keepsState ? ", state_directory: \"\(file(node, "state").path)\"" : ""
        let reached = self.upstreams
        let upstreams = reached.map { "{name: \($0.name), service: s\($0.service)\($0.settings)}" }
        let listeners = reached.indices.map { number in
            "{name: \(reached[number].name)-out, bind: \"\(outbound(of: node, upstream: number))\", "
                + "upstream: \(reached[number].name)}"
        }
        let health = options.health.map { "\n    health: \($0)" } ?? ""
        return """
            node: {name: \(node.name)\(state)}
            membership:
              {bind: "\(host):7946", join: [\(seeds.joined(separator: ", "))], profile: \(options.remora.profile.rawValue)\
            \(tuning)\(options.membership)}
            services:
              - name: s\(node.service)
                address: "\(instanceAddress(of: node))"\(health)
            upstreams: [\(upstreams.joined(separator: ", "))]
            listeners:
              [{name: in, bind: "\(host):15000", service: s\(node.service)}, \(listeners.joined(separator: ", "))]
            admin: "\(admin(of: node))"
            shutdown: {drain: \(options.drain.components.seconds)s}

            """
    }

    private func admin(of node: ServiceNode) -> String { "unix:\(file(node, "admin").path)" }

    // MARK: What they are asked

    /// The listeners of `callers` for all services.
    func targets(at callers: [ServiceNode]) throws -> [RequestLoad.Target] {
        try (0..<options.services).flatMap { service in
            try callers.map { caller in
                RequestLoad.Target(
                    service: service,
                    address: try SocketAddress(parsing: outbound(of: caller, upstream: service)))
            }
        }
    }

    func ask(_ path: String, of node: ServiceNode) async -> AdminReply? {
        guard let address = try? SocketAddress(parsing: admin(of: node)) else { return nil }
        return try? await AdminClient(address: address, token: nil).get(path, timeout: .seconds(2))
    }

    private func report<Report: Decodable>(_ type: Report.Type, _ path: String, of node: ServiceNode) async -> Report? {
        guard let reply = await ask(path, of: node), reply.status == 200 else { return nil }
        return try? ReportJSON.decode(type, from: reply.body)
    }

    func stats(of node: ServiceNode) async -> StatsReport? { await report(StatsReport.self, "/stats", of: node) }

    /// States of members by name, as a node sees them.
    func members(at node: ServiceNode) async -> [String: String] {
        let report = await report(MembersReport.self, "/members", of: node)
        return Dictionary(report?.members.map { ($0.name, $0.state) } ?? []) { first, _ in first }
    }

    /// A node's endpoint as another one sees it; nil where it does not.
    func endpoint(of node: ServiceNode, at observer: ServiceNode) async -> EndpointReport? {
        let report = await report(UpstreamsReport.self, "/upstreams", of: observer)
        return report?.upstreams.first { $0.name == "s\(node.service)" }?.endpoints.first { $0.member == node.name }
    }

    /// Whether an observer sends traffic to exactly these, and knows nobody else as fit.
    func areFit(_ wanted: [ServiceNode], at observer: ServiceNode) async -> Bool {
        guard let report = await report(UpstreamsReport.self, "/upstreams", of: observer) else { return false }
        let fit = report.upstreams.flatMap { $0.endpoints.filter { $0.state == "fit" }.compactMap(\.member) }
        return Set(fit) == Set(wanted.map(\.name))
    }

    /// Lines of a sidecar's log that contain a text.
    func lines(of node: ServiceNode, containing text: String) -> [String] {
        let log = (try? String(contentsOf: file(node, "log"), encoding: .utf8)) ?? ""
        return log.split(separator: "\n").filter { $0.contains(text) }.map(String.init)
    }

    /// The requests that have come to a node's instance, by number.
    func journal(of node: ServiceNode) -> Set<Int> {
        let text = (try? String(contentsOf: file(node, "journal"), encoding: .utf8)) ?? ""
        return Set(text.split(separator: "\n").compactMap { Int($0) })
    }
}
