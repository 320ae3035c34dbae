import Admin
import ArgumentParser
import Foundation
import Glibc
import Reactor
import Rig
import Stats
import Vocabulary

/// A roster in a real etcd, under load: who is not on it, and etcd's death, which is nobody's.
struct RosterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roster",
        abstract: "A stranger with the right key, and etcd killed and restarted, both with traffic.",
        discussion: """
            Twelve listed remoras and one that is not. Ends with 1 where the stranger gets a connection before it is listed, \
            where any request fails, or where etcd's restart is not noticed. Needs Debian's etcd-server and etcd-client.
            """)

    private static let listed = 12
    private static let key = Data((0..<32).map { UInt8($0) }).base64EncodedString()
    private static let patience = Duration.seconds(30)

    @OptionGroup var options: FleetArguments

    @Option(help: ArgumentHelp("Requests with a connection of their own.", valueName: "per second"))
    var rate = 150

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @Flag(help: .hidden)
    var inOwnNetwork = false

    func validate() throws {
        guard (1...2000).contains(rate) else { throw ValidationError("--rate is 1 to 2000") }
    }

    func run() async throws {
        if !inOwnNetwork, let code = try await trying(OwnNetwork.rerun) { throw ExitCode(code) }
        let report = try await trying { try await RunningProcesses.with { try await run(by: $0) } }
        StandardOutput.write(json ? try StandardOutput.json(report) : report.text)
        if !report.isWell { throw TrialExit.notShown }
    }

    private func run(by processes: RunningProcesses) async throws -> RosterReport {
        let remora = try options.fleet()
        let services = (0..<Self.listed).map { $0 / 4 } + [0]
        let site = try TrialSite(
            inOwnNetwork ? .namespaces : .loopback, nodes: services.count, processes: processes)
        let etcd = TrialEtcd(site: site, processes: processes)
        let membership =
            ", keys: [\"\(Self.key)\"], roster: {etcd: {endpoints: [\"\(etcd.origin)\"], prefix: \(TrialEtcd.prefix)}}"
        let fleet = try ServiceFleet(
            services: services, site: site,
            options: .init(remora: remora, membership: membership, keepsState: true), processes: processes)
        let (members, stranger) = (Array(fleet.nodes.dropLast()), fleet.nodes[Self.listed])
        try etcd.start()
        for node in members {
            guard try await Patience.wait(Self.patience, until: { try etcd.list(node.name) }) != nil else {
                throw RunFailure(description: "etcd takes no keys; it is Debian's etcd-server and etcd-client")
            }
            try fleet.start(node)
        }
        let callers = [members[3], members[7], members[11]]
        guard try await Patience.wait(.seconds(60), until: { await fleet.areFit(members, at: callers[0]) }) != nil
        else {
            throw RunFailure(
                description: "the fleet is not complete after a minute\n" + fleet.crashes().joined(separator: "\n"))
        }
        var rate = RequestLoad.Rate()
        rate.perSecond = self.rate
        let load = RequestLoad(try fleet.targets(at: callers), rate: rate, firstID: 1)
        defer { load.abandon() }

        let tuning = remora.tuning.isEmpty ? "" : " with \(remora.tuning)"
        var report = RosterReport(
            title:
                "12 listed remoras, 3 services, \(self.rate) requests/s on new connections and \(rate.kept * 9) kept "
                + "ones, \(site.kind), profile \(remora.profile.rawValue)\(tuning)")
        func all(see state: String) async throws -> Bool {
            for caller in callers where await fleet.endpoint(of: stranger, at: caller)?.state != state { return false }
            return true
        }
        func phase(_ name: String, for length: Duration, until holds: () async throws -> Bool) async throws {
            StandardOutput.complain(name)
            let began = Kernel.now()
            if try await Patience.wait(Self.patience, until: holds) == nil {
                report.complaints.append("\(name): it does not come to that in \(Self.patience.seconds(0)) s")
            }
            let settled = Kernel.now()
            try await Task.sleep(for: length)
            report.phases.append(RosterReport.Phase(name: name, began: began, settled: settled, ended: Kernel.now()))
        }
        try fleet.start(stranger)
        try await phase("a stranger with the right key", for: .seconds(5)) { try await all(see: "unlisted") }
        etcd.kill()
        try await phase("etcd killed", for: .seconds(8)) {
            for caller in callers where !(await ready(fleet, caller).contains("holds")) { return false }
            return true
        }
        report.words.append("/ready: \(await ready(fleet, callers[0]))")
        try etcd.start()
        try await phase("etcd is back", for: .seconds(5)) {
            for caller in callers where await ready(fleet, caller).contains("roster") { return false }
            return true
        }
        let inbound = await fleet.stats(of: stranger)?.listeners.first { $0.name == "in" }
        let unlistedJournal = fleet.journal(of: stranger)
        if inbound == nil { report.complaints.append("the stranger does not answer, so nothing is shown of it") }
        if let inbound, inbound.connectionsTotal > 0 {
            report.complaints.append("the stranger got \(inbound.connectionsTotal) connections")
        }
        if !unlistedJournal.isEmpty { report.complaints.append("the stranger got \(unlistedJournal.count) requests") }
        // That it gets them once it is listed shows that it could have had them before.
        if !(try etcd.list(stranger.name)) { report.complaints.append("etcd takes no key after its restart") }
        try await phase("the stranger is listed", for: .seconds(5)) { try await all(see: "fit") }
        let records = try await load.end()
        report.count(records, stranger: stranger.name)
        report.complaints += fleet.crashes()
        report.loadAverage = LoadAverage.now
        return report
    }

    private func ready(_ fleet: ServiceFleet, _ node: ServiceNode) async -> String {
        guard let reply = await fleet.ask("/ready", of: node) else { return "no answer" }
        return "\(reply.status) " + String(decoding: reply.body, as: UTF8.self).trimmingCharacters(in: .newlines)
    }
}

/// A real etcd beside the fleet.
final class TrialEtcd {
    static let prefix = "/remora/roster/"

    let origin: String
    private let directory: URL
    private let peers: String
    private let processes: RunningProcesses
    private var process: ChildProcess?

    init(site: TrialSite, processes: RunningProcesses) {
        origin = "http://\(site.outside):2379"
        peers = "http://\(site.outside):2380"
        directory = site.directory.appending(path: "etcd")
        self.processes = processes
    }

    func start() throws {
        let words = [
            "--name", "trial", "--data-dir", directory.path, "--listen-client-urls", origin, "--advertise-client-urls",
            origin, "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster",
            "trial=\(peers)",
        ]
        let log = directory.deletingLastPathComponent().appending(path: "etcd.log").path
        let shell = ["-c", "exec etcd \"$@\" >>\(log) 2>&1", "etcd"]
        let (process, output) = try processes.start("sh", shell + words)
        _ = close(output)
        self.process = process
    }

    /// As a machine that loses power.
    func kill() {
        if let process { processes.end(process) }
        process = nil
    }

    /// Writes a member's key.
    /// - Returns: whether etcd took it.
    func list(_ member: String) throws -> Bool {
        try processes.output(
            of: "env",
            [
                "ETCDCTL_API=3", "etcdctl", "--endpoints", origin, "--command-timeout=2s", "put", Self.prefix + member,
                "",
            ])
            != nil
    }
}
