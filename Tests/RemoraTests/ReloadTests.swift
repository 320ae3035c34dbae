// Another config for a remora that runs: what goes on, what changes, and what is refused.

import Admin
import Foundation
import Glibc
import Reactor
import Stats
import Testing
import Vocabulary

/// A remora whose config is written again and again.
private final class Reloadable {
    let remora: RemoraProcess
    let ready: ReadyLine
    private let directory: TestDirectory

    fileprivate init(_ remora: RemoraProcess, _ directory: TestDirectory) throws {
        self.remora = remora
        self.directory = directory
        ready = try remora.ready()
    }

    static func with(_ text: String, threads: Int = 2, _ body: (Reloadable) throws -> Void) throws {
        let directory = try TestDirectory()
        let file = try directory.write(text)
        try RemoraProcess.with(["run", "--config", file, "--threads", "\(threads)"]) { remora in
            try body(try Reloadable(remora, directory))
        }
    }

    func write(_ text: String) throws { _ = try directory.write(text) }

    /// `remora reload`.
    func reload() throws -> (ending: RemoraProcess.Ending, output: String, log: String) {
        try RemoraProcess.outcome(of: ["reload", "--admin", "\(ready.admin)"])
    }

    /// Writes a config, and has it come into force.
    func adopt(_ text: String) throws -> String {
        try write(text)
        let outcome = try reload()
        try #require(outcome.ending == .exit(0), "\(outcome)")
        return outcome.output
    }

    func stats() throws -> StatsReport {
        let (status, body) = try get("/stats", from: ready.admin)
        try #require(status == 200)
        return try ReportJSON.decode(StatsReport.self, from: Array(body.utf8))
    }

    func listener(_ name: String) throws -> SocketAddress {
        let report = try #require(try stats().listeners.first { $0.name == name }, "no listener \(name)")
        return try SocketAddress(parsing: report.address)
    }
}

@Suite("Reload")
struct ReloadTests {
    private static func config(
        _ listeners: [(name: String, upstream: String)], _ upstreams: [(name: String, Server)], more: String = "",
        of listener: String = ""
    ) -> String {
        let upstreams = upstreams.map { "{name: \($0.name), endpoints: [\"\($0.1.address)\"]}" }
        let listeners = listeners.map {
            "{name: \($0.name), bind: \"127.0.0.1:0\", upstream: \($0.upstream)\(listener)}"
        }
        return """
            upstreams: [\(upstreams.joined(separator: ", "))]
            listeners: [\(listeners.joined(separator: ", "))]
            admin: "127.0.0.1:0"
            \(more)
            """
    }

    @Test("Listeners come and go, and who is connected through one that stays, or that closes, is not disturbed")
    func listeners() throws {
        let (first, second) = (try Server(), try Server())
        try Reloadable.with(Self.config([("a", "one"), ("b", "one")], [("one", first)])) { remora in
            let (a, b) = (try remora.listener("a"), try remora.listener("b"))
            let (staying, stayingServer) = try connectedPair(through: a, to: first)
            let (leaving, leavingServer) = try connectedPair(through: b, to: first)
            // When b goes and c comes, with an upstream of its own
            let said = try remora.adopt(Self.config([("a", "one"), ("c", "two")], [("one", first), ("two", second)]))
            #expect(
                said == """
                    The config is in force.
                      listener c opens at 127.0.0.1:0
                      listener b at \(b) closes
                      upstream two is new

                    """)
            // Then c serves, a has kept its socket, and b is closed to newcomers
            _ = try connectedPair(through: try remora.listener("c"), to: second)
            #expect(try remora.listener("a") == a)
            _ = try connectedPair(through: a, to: first)
            try Wait.until((try? Peer(to: b)) == nil, is: true)
            // And both connections go on
            for (client, server) in [(staying, stayingServer), (leaving, leavingServer)] {
                try client.send("more")
                #expect(try server.receive(4) == "more")
                try server.send("yes")
                #expect(try client.receive(3) == "yes")
            }
            #expect(try remora.stats().listeners.first { $0.name == "b" }?.state == .draining)
            leaving.close()
            leavingServer.close()
            try Wait.until(try remora.stats().listeners.map(\.name), is: ["a", "c"])
            withExtendedLifetime((staying, stayingServer)) {}
        }
    }

    @Test("A listener that changes keeps its socket; what it does with clients is new for those to come")
    func changedListener() throws {
        let (first, second) = (try Server(), try Server())
        let upstreams = [("one", first), ("two", second)]
        try Reloadable.with(Self.config([("in", "one")], upstreams)) { remora in
            let address = remora.ready.listener
            let (old, oldServer) = try connectedPair(through: address, to: first)
            _ = try remora.adopt(Self.config([("in", "two")], upstreams, of: ", max_connections: 2"))
            // Who comes now goes to the other upstream, as far as the limit goes
            let (new, newServer) = try connectedPair(through: address, to: second)
            // The reset may come while it connects
            let third: Peer.Ending = if let peer = try? Peer(to: address) { try peer.ending() } else { .reset }
            #expect(third == .reset)
            // Who was there stays where it was
            try old.send("x")
            #expect(try oldServer.receive(1) == "x")
            // Renamed, it is still the same socket with the same counts
            _ = try remora.adopt(
                Self.config([("other", "two")], upstreams)
                    .replacing("bind: \"127.0.0.1:0\"", with: "bind: \"\(address)\""))
            let report = try #require(try remora.stats().listeners.first)
            #expect(report.name == "other" && report.connectionsTotal == 3 && report.refusedTotal == 1)
            withExtendedLifetime((new, newServer)) {}
        }
    }

    @Test("Changed endpoints take effect for new connections, and an upstream that is named no more is not shown")
    func upstreams() throws {
        let (first, second) = (try Server(), try Server())
        try Reloadable.with(Self.config([("in", "out")], [("out", first), ("spare", second)])) { remora in
            let (client, server) = try connectedPair(through: remora.ready.listener, to: first)
            _ = try remora.adopt(Self.config([("in", "out")], [("out", second)]))
            _ = try connectedPair(through: remora.ready.listener, to: second)
            try client.send("x")
            #expect(try server.receive(1) == "x")
            #expect(try remora.stats().upstreams.map(\.name) == ["out"])
            #expect(try get("/explain?upstream=spare", from: remora.ready.admin).status == 404)
            // And comes back where it was
            _ = try remora.adopt(Self.config([("in", "spare")], [("out", second), ("spare", first)]))
            _ = try connectedPair(through: remora.ready.listener, to: first)
            #expect(try remora.stats().upstreams.map(\.name) == ["out", "spare"])
        }
    }

    @Test("A faulty file keeps the config in force, and every page says so until a good one comes")
    func faultyFile() throws {
        let server = try Server()
        let good = Self.config([("in", "out")], [("out", server)])
        try Reloadable.with(good) { remora in
            let (client, accepted) = try connectedPair(through: remora.ready.listener, to: server)
            let before = try #require(try remora.stats().config)
            #expect(before.checksum.count == 64 && before.reloadsTotal == 0 && before.fault == nil)
            // When the file has two faults
            try remora.write(good + "shutdown: {drain: 5}\nadmn: x\n")
            let outcome = try remora.reload()
            // Then the command says both, at their places, and ends with 78
            #expect(outcome.ending == .exit(78))
            #expect(outcome.output == "The config is refused; the one before stays in force.\n")
            let faults = outcome.log.split(separator: "\n")
            #expect(faults.count == 2 && faults.allSatisfy { $0.contains("remora.yaml:") && $0.contains(": error: ") })
            // And so do the log, the admin port and /ready, which stays well
            try remora.remora.log.line(containing: "config: refused; the one before stays in force")
            let (status, line) = try get("/ready", from: remora.ready.admin)
            #expect(
                status == 200 && line.hasPrefix("ready; the last reload was refused: ") && line.contains("remora.yaml:")
            )
            let after = try #require(try remora.stats().config)
            #expect(after.rejectedTotal == 1 && after.checksum == before.checksum && after.fault == String(faults[0]))
            let (answered, body) = try post("/reload", to: remora.ready.admin)
            #expect(answered == 422)
            let report = try ReportJSON.decode(CommandReport.self, from: Array(body.utf8))
            #expect(report.outcome == .refused && report.faults == faults.map(String.init))
            // And everything goes on
            try client.send("x")
            #expect(try accepted.receive(1) == "x")
            _ = try connectedPair(through: remora.ready.listener, to: server)
            // Until it is mended
            _ = try remora.adopt(good)
            #expect(try get("/ready", from: remora.ready.admin) == (200, "ready\n"))
            let mended = try #require(try remora.stats().config)
            #expect(mended.reloadsTotal == 1 && mended.rejectedTotal == 2 && mended.fault == nil)
        }
    }

    @Test("One new listener that cannot be bound keeps every other change from taking place")
    func allOrNothing() throws {
        let (server, taken) = (try Server(), try Server())
        try Reloadable.with(Self.config([("in", "out")], [("out", server)])) { remora in
            let port = try #require(taken.address.port)
            let free = "\(LoopbackHosts.host(185)):15000"
            let next = Self.config([("new", "other")], [("other", server)])
                .replacing("bind: \"127.0.0.1:0\"", with: "bind: \"\(free)\"")
            let held = "{name: held, bind: \"127.0.0.1:\(port)\", upstream: other}"
            try remora.write(next.replacing("upstream: other}]", with: "upstream: other}, \(held)]"))
            let outcome = try remora.reload()
            #expect(outcome.ending == .exit(78))
            #expect(outcome.log.contains("listener held cannot bind 127.0.0.1:\(port)"))
            let stats = try remora.stats()
            #expect(stats.listeners.map(\.name) == ["in"] && stats.upstreams.map(\.name) == ["out"])
            _ = try connectedPair(through: remora.ready.listener, to: server)
            // What was bound for nothing was given back
            _ = try remora.adopt(next)
            _ = try connectedPair(through: try remora.listener("new"), to: server)
        }
    }

    @Test(
        "Services, their weights, checks and doors, the node's tags and new sources of endpoints: the fleet sees them change"
    )
    func fleet() throws {
        let hosts = [186, 187].map(LoopbackHosts.host)
        let (instance, directory) = (try Server(), try TestDirectory())
        func config(_ services: String, _ listeners: String, tags: String = "", upstreams: String = "") -> String {
            """
            node: {name: a, zone: east, tags: {\(tags)}}
            membership:
              bind: "\(hosts[0]):7946"
              profile: local
              tuning: {probe_interval: 300ms, probe_timeout: 150ms, gossip_interval: 50ms}
            services: [\(services)]
            upstreams: [{name: static, endpoints: ["\(instance.address)"]}\(upstreams)]
            listeners: [{name: out, bind: "127.0.0.1:0", upstream: static}\(listeners)]
            admin: "127.0.0.1:0"
            """
        }
        let web = "{name: web, address: \"\(instance.address)\""
        let other = try directory.write(
            FleetConfig(name: "b", bind: "\(hosts[1]):7946", join: ["\(hosts[0]):7946"], node: ", tags: {role: db}")
                .text,
            as: "b.yaml")
        try Reloadable.with(config("\(web)}", "")) { remora in
            try RemoraProcess.with(["run", "--config", other, "--threads", "1"]) { b in
                let admin = try b.ready().admin
                func tags() throws -> [String: String]? { try members(admin)["a"]?.tags.filter { $0.key != "remora" } }
                let port = try #require(instance.address.port)
                try Wait.until(try tags(), is: ["zone": "east", "svc.web": ":\(port)"])
                try Wait.until(try members(remora.ready.admin).count, is: 2)
                // An inbound listener, another weight, a tag of the node, and a source that nobody had asked about
                _ = try remora.adopt(
                    config(
                        "\(web), weight: 7}", ", {name: in, bind: \"\(hosts[0]):15000\", service: web}",
                        tags: "role: web", upstreams: ", {name: db, members: {tags: {role: db}, port: 5}}"))
                let door = "\(hosts[0]):15000"
                try Wait.until(
                    try tags(), is: ["zone": "east", "role": "web", "svc.web": "\(door);weight=7;load=1"])
                _ = try connectedPair(through: try SocketAddress(parsing: door), to: instance)
                let db = try #require(try remora.stats().upstreams.first { $0.name == "db" })
                #expect(db.endpoints.map(\.address) == ["\(hosts[1]):5"])
                // A check that fails, where there was none
                _ = try remora.adopt(
                    config(
                        "\(web), health: {http: /no, interval: 100ms, timeout: 80ms, fall: 1}}",
                        ", {name: in, bind: \"\(door)\", service: web}"))
                try Wait.until(try tags(), is: ["zone": "east", "svc.web": "\(door);health=failing;load=1"])
                // And no service at all
                _ = try remora.adopt(config("", ""))
                try Wait.until(try tags(), is: ["zone": "east"])
                #expect(try remora.stats().services == [])
            }
        }
    }

    @Test("Another roster is in force once it was read, and the one before until then")
    func roster() throws {
        let hosts = [188, 189].map(LoopbackHosts.host)
        let directory = try TestDirectory()
        func config(_ roster: String) -> String {
            """
            node: {name: a}
            membership:
              bind: "\(hosts[0]):7946"
              profile: local
              tuning: {probe_interval: 300ms, probe_timeout: 150ms, gossip_interval: 50ms}\(roster)
            upstreams: [{name: all, members: {tags: {role: db}, port: 5}}]
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: all}]
            admin: "127.0.0.1:0"
            """
        }
        func roster(_ name: String) -> String { "\n  roster: {file: \"\(directory.path)/\(name)\"}" }
        let other = try directory.write(
            FleetConfig(name: "b", bind: "\(hosts[1]):7946", join: ["\(hosts[0]):7946"], node: ", tags: {role: db}")
                .text,
            as: "b.yaml")
        _ = try directory.write("members: [a]\n", as: "without")
        _ = try directory.write("members: [a, b]\n", as: "with")
        try Reloadable.with(config("")) { remora in
            try RemoraProcess.with(["run", "--config", other, "--threads", "1"]) { _ in
                func state() throws -> String? { try remora.stats().upstreams.first?.endpoints.first?.state }
                try Wait.until(try state(), is: "fit")
                _ = try remora.adopt(config(roster("without")))
                try Wait.until(try state(), is: "unlisted")
                _ = try remora.adopt(config(roster("with")))
                try Wait.until(try state(), is: "fit")
                // Of one that cannot be read nothing is known yet
                _ = try remora.adopt(config(roster("missing")))
                try Wait.until(try remora.stats().roster?.source.hasSuffix("missing"), is: true)
                #expect(try state() == "fit")
                // And without one whoever is a member belongs
                _ = try remora.adopt(config(roster("without")))
                try Wait.until(try state(), is: "unlisted")
                let said = try remora.adopt(config(""))
                #expect(said.contains("membership.roster is changed"))
                try Wait.until(try state(), is: "fit")
                #expect(try remora.stats().roster == nil)
            }
        }
    }

    @Test("What needs a restart is said by name, the rest of the file is in force")
    func restart() throws {
        let server = try Server()
        try Reloadable.with(Self.config([("in", "out")], [("out", server)], more: "node: {name: one}")) { remora in
            let said = try remora.adopt(
                Self.config([("in", "out"), ("more", "out")], [("out", server)], more: "node: {name: two}"))
            #expect(
                said.contains("  listener more opens")
                    && said.contains("  node.name needs a restart: it is as it was\n"))
            #expect(try get("/ready", from: remora.ready.admin) == (200, "ready; a restart is needed for node.name\n"))
            let stats = try remora.stats()
            #expect(stats.node == "one" && stats.config?.needsRestart == ["node.name"])
            _ = try connectedPair(through: try remora.listener("more"), to: server)
        }
    }

    @Test("A config from standard input cannot be read again, and that is said")
    func standardInput() throws {
        let (server, input) = (try Server(), Pipe())
        input.fileHandleForWriting.write(Data(Self.config([("in", "out")], [("out", server)]).utf8))
        try input.fileHandleForWriting.close()
        try RemoraProcess.with(["run", "--config", "-", "--threads", "1"], input: input.fileHandleForReading) {
            remora in
            let admin = try remora.ready().admin
            let outcome = try RemoraProcess.outcome(of: ["reload", "--admin", "\(admin)"])
            #expect(outcome.ending == .exit(78))
            #expect(outcome.log.contains("the config came from standard input, which cannot be read again"))
        }
    }

    @Test("Under load and reload after reload no client of a listener that stays is lost")
    func underLoad() throws {
        let instance = try Instance("web")
        defer { instance.end() }
        func config(_ round: Int) -> String {
            """
            upstreams: [{name: web, endpoints: ["\(instance.address)"], connect_timeout: \(1 + round % 2)s}]
            listeners:
              - {name: in, bind: "127.0.0.1:0", upstream: web, idle_timeout: \(100 + round)s}
              - {name: other\(round), bind: "127.0.0.1:0", upstream: web}
            admin: "127.0.0.1:0"
            """
        }
        try Reloadable.with(config(0)) { remora in
            for round in 1...20 {
                try remora.write(config(round))
                remora.remora.signal(SIGHUP)
                for _ in 0..<5 { #expect(request(through: remora.ready.listener) == "web") }
            }
            _ = try remora.adopt(config(21))
            try Wait.until(try remora.stats().listeners.map(\.name), is: ["in", "other21"])
            let report = try #require(try remora.stats().listeners.first { $0.name == "in" })
            #expect(report.connectionsTotal == 100 && report.refusedTotal == 0 && report.abortedTotal == 0)
        }
    }
}

extension String {
    fileprivate func replacing(_ part: String, with other: String) -> String {
        replacingOccurrences(of: part, with: other)
    }
}

/// `POST path` on the admin port.
func post(_ path: String, to admin: SocketAddress) throws -> (status: Int, body: String) {
    try exchange(
        "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", with: admin)
}
