// A drain that an operator asks for: the node stays, and may take it back.

import Admin
import Foundation
import Glibc
import Reactor
import Stats
import Testing
import Vocabulary

@Suite("Drain and undrain")
struct DrainTests {
    /// A config of a member with an inbound listener before `instance`, and an outbound one to `elsewhere`.
    private static func config(
        _ name: String, host: String, join: [String] = [], instance: SocketAddress, elsewhere: SocketAddress
    ) -> String {
        """
        node: {name: \(name)}
        membership:
          bind: "\(host):7946"
          join: \(join)
          profile: local
          tuning: {probe_interval: 300ms, probe_timeout: 150ms, gossip_interval: 50ms}
        services: [{name: web, address: "\(instance)"}]
        upstreams: [{name: web, service: web}, {name: elsewhere, endpoints: ["\(elsewhere)"]}]
        listeners:
          - {name: web-in, bind: "\(host):15000", service: web}
          - {name: out, bind: "127.0.0.1:0", upstream: elsewhere}
        admin: "127.0.0.1:0"
        """
    }

    private static func stage(_ admin: SocketAddress) throws -> String? { try stats(admin).stage?.name }

    private static func stats(_ admin: SocketAddress) throws -> StatsReport {
        let (status, body) = try get("/stats", from: admin)
        try #require(status == 200)
        return try ReportJSON.decode(StatsReport.self, from: Array(body.utf8))
    }

    private static func state(of member: String, seenBy admin: SocketAddress) throws -> String? {
        try stats(admin).upstreams.first { $0.name == "web" }?.endpoints.first { $0.member == member }?.state
    }

    @Test(
        "The fleet hears of it first, then newcomers are refused, old connections finish, and all of it can be undone")
    func drain() throws {
        let hosts = [191, 192].map(LoopbackHosts.host)
        let (instance, elsewhere) = (try Server(), try Server())
        let directory = try TestDirectory()
        func file(_ name: String, _ host: String, _ join: [String]) throws -> String {
            try directory.write(
                Self.config(name, host: host, join: join, instance: instance.address, elsewhere: elsewhere.address),
                as: "\(name).yaml")
        }
        let first = try file("a", hosts[0], [])
        let second = try file("b", hosts[1], ["\(hosts[0]):7946"])
        try RemoraProcess.with(["run", "--config", first, "--threads", "2"]) { a in
            let ready = try a.ready()
            try RemoraProcess.with(["run", "--config", second, "--threads", "1"]) { b in
                let other = try b.ready().admin
                try Wait.until(try Self.state(of: "a", seenBy: other), is: "fit")
                try Wait.until(try members(ready.admin).count, is: 2)
                let door = ready.listener
                let (client, server) = try connectedPair(through: door, to: instance)
                // When it is asked to drain
                let outcome = try RemoraProcess.outcome(of: ["drain", "--admin", "\(ready.admin)"])
                #expect(outcome.ending == .exit(0))
                #expect(outcome.output == "draining: the fleet is being told\n")
                // Then the other hears of it while the door is still open
                try Wait.until(try Self.state(of: "a", seenBy: other), is: "draining")
                // And then it is closed to newcomers, but not to who is there
                try Wait.until(try get("/ready", from: ready.admin).body, is: "draining: 1 connection left\n")
                #expect(throws: SystemError.connectionRefused) { try Peer(to: door) }
                #expect(try Self.stage(ready.admin) == "finishing")
                #expect(try Self.stats(ready.admin).listeners.map(\.state) == [.draining, .listening])
                try client.send("more")
                #expect(try server.receive(4) == "more")
                // And what goes out goes on
                _ = try connectedPair(through: ready.listeners[1].address, to: elsewhere)
                server.close()
                client.close()
                try Wait.until(try Self.stage(ready.admin), is: "drained")
                let (status, line) = try get("/ready", from: ready.admin)
                #expect(status == 503 && line.hasPrefix("drained: "))
                // And when it is taken back all is as it was
                let undone = try RemoraProcess.outcome(of: ["undrain", "--admin", "\(ready.admin)"])
                #expect(undone.ending == .exit(0) && undone.output == "ready\n")
                try Wait.until(try Self.state(of: "a", seenBy: other), is: "fit")
                _ = try Wait.forAnswer { try connectedPair(through: door, to: instance) }
                #expect(try get("/ready", from: ready.admin) == (200, "ready\n"))
                let again = try RemoraProcess.outcome(of: ["undrain", "--admin", "\(ready.admin)"])
                #expect(again.output == "Nothing was draining.\n")
            }
        }
    }

    @Test("A reload while it drains opens no door, and a signal ends it without telling the fleet again")
    func meanwhile() throws {
        let host = LoopbackHosts.host(194)
        let (instance, elsewhere, directory) = (try Server(), try Server(), try TestDirectory())
        let text = Self.config("a", host: host, instance: instance.address, elsewhere: elsewhere.address)
        let file = try directory.write(text)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let ready = try remora.ready()
            let drained = try RemoraProcess.outcome(of: ["drain", "--wait", "--admin", "\(ready.admin)"])
            #expect(
                drained.ending == .exit(0)
                    && drained.output.hasSuffix("drained: no connection is left; POST /undrain takes it back\n"))
            _ = try directory.write(text.replacingOccurrences(of: ":15000", with: ":15001"))
            let reloaded = try RemoraProcess.outcome(of: ["reload", "--admin", "\(ready.admin)"])
            #expect(reloaded.ending == .exit(0))
            try Wait.until(try Self.stage(ready.admin), is: "drained")
            let door = try SocketAddress(parsing: "\(host):15001")
            try Wait.until((try? Peer(to: door)) == nil, is: true)
            _ = try RemoraProcess.outcome(of: ["undrain", "--admin", "\(ready.admin)"])
            _ = try Wait.forAnswer { try connectedPair(through: door, to: instance) }
            remora.signal(SIGTERM)
            #expect(try remora.ending() == .exit(0))
        }
    }

    @Test("A drain that takes longer than one waits for goes on, and says so with 75")
    func tooLong() throws {
        let host = LoopbackHosts.host(195)
        let (instance, elsewhere, directory) = (try Server(), try Server(), try TestDirectory())
        let file = try directory.write(
            Self.config("a", host: host, instance: instance.address, elsewhere: elsewhere.address))
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let ready = try remora.ready()
            let pair = try connectedPair(through: ready.listener, to: instance)
            let outcome = try RemoraProcess.outcome(
                of: ["drain", "--wait", "--timeout", "500ms", "--admin", "\(ready.admin)"])
            #expect(outcome.ending == .exit(75))
            #expect(outcome.output.hasSuffix("draining: 1 connection left\n"))
            #expect(outcome.log == "error: not drained within 500 ms\n")
            withExtendedLifetime(pair) {}
        }
    }
}
