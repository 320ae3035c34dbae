// The fleet that subjects are compared in: nodes of a remora, an instance and an HAProxy, all on loopback.
//
//     clients ─► node's remora, outbound ─► some node's remora, inbound ─► the instance there
//     clients ─► node's HAProxy ──────────────────────────────────────────► an instance
//
// Every subject has a listener of its own at every node, and all of them go on running while one has the clients, so that
// taking turns costs nothing: without clients HAProxy does nothing, and remora gossips. HAProxy is given the instances'
// addresses in its config and no remora to pass, which is to its advantage by one hop.

import Foundation
import Glibc
import Reactor
import Rig
import Vocabulary

final class BalanceFleet {
    let instances: InstanceQueues
    let nodes: [ServiceNode]
    private let fleet: ServiceFleet
    private let programs: Set<BalanceSubject.Program>
    private let haproxy: String?
    private var haproxies: [ChildProcess] = []

    /// - Parameters:
    ///   - programs: what is started at each node.
    ///   - haproxy: the program; not nil where it is one of them.
    init(
        nodes: Int, programs: Set<BalanceSubject.Program>, haproxy: String?, remora: FleetOptions,
        processes: RunningProcesses
    ) throws {
        let site = try TrialSite(.loopback, nodes: nodes, processes: processes)
        let upstreams = BalanceSubject.all(of: .remora).map { subject in
            ServiceFleet.Options.Upstream(name: subject.rawValue, service: 0, settings: ", \(subject.setting)")
        }
        // The instances are this process's own, and a health check would be one more request in their queues.
        let options = ServiceFleet.Options(remora: remora, services: 1, upstreams: upstreams, health: nil)
        let fleet = try ServiceFleet(
            services: Array(repeating: 0, count: nodes), site: site, options: options, processes: processes)
        self.fleet = fleet
        self.programs = programs
        self.haproxy = haproxy
        self.nodes = fleet.nodes
        instances = try InstanceQueues(
            at: try fleet.nodes.map { try SocketAddress(parsing: fleet.instanceAddress(of: $0)) })
    }

    deinit { instances.stop() }

    /// Starts all, and waits until each remora sends clients to every instance and each HAProxy listens.
    func start(within limit: Duration) async throws {
        if programs.contains(.remora) {
            for node in nodes { try fleet.startSidecar(of: node) }
        }
        if programs.contains(.haproxy) {
            for node in nodes { haproxies.append(try startHAProxy(at: node)) }
        }
        let took = try await Patience.wait(limit) {
            try check()
            for node in nodes {
                if programs.contains(.remora), !(await fleet.areFit(nodes, at: node)) { return false }
                if programs.contains(.haproxy), !Self.accepts(try listener(of: .haproxyLeastconn, at: node)) {
                    return false
                }
            }
            return true
        }
        guard took != nil else {
            throw RunFailure(description: "the fleet is not complete after \(limit.seconds(0)) s")
        }
        if programs.contains(.haproxy) { try partHAProxies() }
    }

    /// Has each HAProxy choose a different number of times, before any request.
    ///
    /// Each process of 2.6 draws the same random numbers after its start. Started together, all nodes would send to the
    /// same instances at nearly the same time, which takes 1.8 times as long as any random choice at a load of 0.7.
    /// Fleets are not started together: it is measured as it is after a while.
    private func partHAProxies() throws {
        for (number, node) in nodes.enumerated() {
            let listener = try listener(of: .haproxyRandom, at: node)
            for _ in 0..<number * 100 { _ = Self.accepts(listener) }
        }
    }

    /// - Throws: where somebody has ended who should not.
    func check() throws {
        let crashes = fleet.crashes()
        guard crashes.isEmpty else { throw RunFailure(description: crashes.joined(separator: "\n")) }
        for (node, process) in zip(nodes, haproxies) where process.hasEnded {
            let log = (try? String(contentsOf: fleet.file(node, "haproxy.log"), encoding: .utf8)) ?? ""
            throw RunFailure(description: "haproxy of \(node.name) ended by itself:\n\(log.suffix(1000))")
        }
    }

    /// Where clients of a node reach a subject.
    func listener(of subject: BalanceSubject, at node: ServiceNode) throws -> SocketAddress {
        let number = BalanceSubject.all(of: subject.program).firstIndex(of: subject) ?? 0
        switch subject.program {
        case .remora: return try SocketAddress(parsing: fleet.outbound(of: node, upstream: number))
        case .haproxy: return try SocketAddress(parsing: haproxyAddress(at: node, number: number))
        }
    }

    /// What the programs say of themselves, a line each.
    func versions(_ processes: RunningProcesses) throws -> [String] {
        let asked: [(BalanceSubject.Program, String?, String)] = [
            (.remora, fleet.options.remora.remora, "--version"), (.haproxy, haproxy, "-v"),
        ]
        return try asked.filter { programs.contains($0.0) }.compactMap { program, path, flag in
            let words = try path.flatMap { try processes.output(of: $0, [flag]) }
            let line = words?.split(separator: "\n").first.map(String.init)
            // HAProxy says its name itself.
            return program == .remora ? line.map { "remora \($0)" } : line
        }
    }

    /// The processor time that all its remoras have used, in seconds.
    var remoraSeconds: Double {
        nodes.reduce(0) { $0 + ($1.sidecar.flatMap { ProcessFigures(process: $0.id)?.processorSeconds } ?? 0) }
    }

    // MARK: HAProxy

    /// Found in PATH, or where Debian has it.
    static func haproxy(_ processes: RunningProcesses) throws -> String? {
        try ["haproxy", "/usr/sbin/haproxy"].first {
            try processes.output(of: "sh", ["-c", "command -v \($0)"]) != nil
        }
    }

    /// Whether somebody takes TCP connections at an address of this machine.
    private static func accepts(_ address: SocketAddress) -> Bool {
        let socket = Kernel.socket(family: address.family)
        guard socket.succeeded else { return false }
        defer { Kernel.close(socket.value) }
        let connect = unsafe address.kernelForm.withUnsafeBytes { unsafe Kernel.connect(socket.value, to: $0) }
        guard connect.succeeded || connect.error == .inProgress else { return false }
        var watched = pollfd(fd: socket.value, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&watched, 1, 100) == 1 && Kernel.connectError(socket.value) == nil
    }

    private func haproxyAddress(at node: ServiceNode, number: Int) -> String {
        "\(fleet.site.host(node.number)):\(16_001 + number)"
    }

    private func startHAProxy(at node: ServiceNode) throws -> ChildProcess {
        guard let haproxy else { throw RunFailure(description: "there is no haproxy here") }
        // Its random draws from a hash ring with 16 points for each unit of weight. With the default weight, 1, instances
        // get 0.7 to 1.5 times their share: it is measured at its best.
        let servers = nodes.map { "    server \($0.name) \(fleet.instanceAddress(of: $0)) weight 100" }
            .joined(separator: "\n")
        var text = """
            global
                nbthread 1
                maxconn 8000
            defaults
                mode tcp
                timeout connect 5s
                timeout client 1h
                timeout server 1h

            """
        for (number, subject) in BalanceSubject.all(of: .haproxy).enumerated() {
            text += """
                listen \(subject.rawValue)
                    bind \(haproxyAddress(at: node, number: number))
                    balance \(subject.setting)
                \(servers)

                """
        }
        let config = fleet.file(node, "haproxy.cfg")
        try text.write(to: config, atomically: false, encoding: .utf8)
        // In the foreground, one process.
        return try fleet.start(haproxy, ["-db", "-q", "-f", config.path], at: node, log: "haproxy.log")
    }
}
