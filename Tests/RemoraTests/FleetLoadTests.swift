// Whole remoras that learn from each other how loaded their services are.

import Admin
import Foundation
import Reactor
import Stats
import Synchronization
import Testing
import Vocabulary

/// Connections that wait for answers which do not come, kept from falling silent.
private final class Waiters: Sendable {
    private let isOver = Atomic(false)
    private let hasEnded = DispatchSemaphore(value: 0)

    init(_ count: Int, through listener: SocketAddress) throws {
        let peers = try (0..<count).map { _ in try Peer(to: listener) }
        let crate = Crate(peers: peers)
        let thread = Thread { [self] in
            while !isOver.load(ordering: .relaxed) {
                // Within AnswerWait.silenceLimit, or they would not count.
                for peer in crate.peers { try? peer.send("x") }
                usleep(100_000)
            }
            for peer in crate.peers { peer.close() }
            hasEnded.signal()
        }
        thread.start()
    }

    func end() {
        isOver.store(true, ordering: .relaxed)
        hasEnded.wait()
    }

    /// `@unchecked`: handed to one thread, which alone uses it.
    private final class Crate: @unchecked Sendable {
        let peers: [Peer]
        init(peers: [Peer]) { self.peers = peers }
    }
}

@Suite("Fleet load", .serialized)
struct FleetLoadTests {
    private static let key = "cg8StVXbQJ0gPvMd9o7yrg=="

    /// A member with the service `web`, or a caller of it.
    private func config(_ name: String, _ host: String, join: String, instance: SocketAddress? = nil) -> String {
        let (services, inbound) =
            instance.map {
                (
                    "services: [{name: web, address: \"\($0)\"}]",
                    "{name: web-in, bind: \"\(host):15000\", service: web}, "
                )
            } ?? ("", "")
        return """
            node: {name: \(name)}
            membership: {bind: "\(host):7946", join: ["\(join):7946"], profile: local, keys: ["\(Self.key)"]}
            \(services)
            upstreams: [{name: web, service: web}]
            listeners: [\(inbound){name: web-out, bind: "127.0.0.1:0", upstream: web}]
            admin: "127.0.0.1:0"

            """
    }

    private func run<Result>(_ text: String, _ body: (ReadyLine) throws -> Result) throws -> Result {
        let directory = try TestDirectory()
        let file = try directory.write(text)
        return try RemoraProcess.with(["run", "--config", file, "--threads", "2"]) { try body(try $0.ready()) }
    }

    private func web(_ admin: SocketAddress) throws -> UpstreamReport {
        try #require(try report(from: admin).upstreams.first { $0.name == "web" })
    }

    @Test("A service that others keep busy is avoided by a sidecar that never sent it anything")
    func othersLoad() throws {
        let hosts = [140, 141, 142].map(LoopbackHosts.host)
        let instances = [
            try Instance("busy", service: .milliseconds(20)), try Instance("idle", service: .milliseconds(20)),
        ]
        defer { for instance in instances { instance.end() } }
        // Given two that serve, both known to a caller, and another sidecar that keeps one of them busy
        try run(config("caller", hosts[0], join: hosts[0])) { caller in
            try run(config("busy", hosts[1], join: hosts[0], instance: instances[0].address)) { busy in
                try run(config("idle", hosts[2], join: hosts[0], instance: instances[1].address)) { _ in
                    try Wait.until(
                        try web(caller.admin).endpoints.map { "\($0.member ?? "-") \($0.state)" },
                        is: ["busy fit", "idle fit"])
                    let inside = try SocketAddress(parsing: "\(hosts[1]):15000")
                    try withRemora(TestConfig(endpoints: [inside])) { other in
                        let waiters = try Waiters(6, through: try other.ready().listener)
                        defer { waiters.end() }
                        try Wait.until(
                            try report(from: busy.admin).listeners.first { $0.name == "web-in" }?.connections, is: 6)
                        // When the caller's clients come
                        let out = try #require(caller.listeners.first { $0.name == "web-out" }).address
                        for _ in 0..<20 { _ = request(through: out) }
                        // Then they go where nobody waits, but for those who got no answers in time
                        let seen = try web(caller.admin)
                        let probes = try #require(seen.probes)
                        #expect(seen.load == "fleet" && probes.fleetPicksTotal >= 10)
                        #expect(probes.fleetPicksTotal + probes.localPicksTotal == 20)
                        #expect(seen.endpoints[0].connectionsTotal <= probes.localPicksTotal)
                        #expect(probes.refusedTotal == 0)
                        try Wait.until(try web(caller.admin).endpoints[0].fleetOutstanding ?? 0 >= 6, is: true)
                    }
                    let asked = try #require(try report(from: busy.admin).membership?.probes)
                    #expect(asked.answeredTotal > 0 && asked.refusedTotal == 0)
                    // Where its tag says
                    let port = try SocketAddress(parsing: asked.address).port ?? 0
                    #expect(try members(caller.admin)["busy"]?.tags["remora"] == "1:\(port)" && port > 0)
                    #expect(try members(caller.admin)["caller"]?.tags["remora"] == "1:0")
                }
            }
        }
    }
}
