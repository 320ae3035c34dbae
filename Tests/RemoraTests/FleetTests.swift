// Whole remoras that are members of one fleet, with each other and with real agents of Serf.

import Admin
import Foundation
import Glibc
import Stats
import Testing
import Vocabulary

@Suite("Fleets", .serialized)
struct FleetTests {
    @Test("Two remoras find each other; one that is killed is dead, one that is stopped by a signal has left")
    func remoras() throws {
        let (first, second, third) = (
            LoopbackHosts.host(10), LoopbackHosts.host(11), LoopbackHosts.host(12)
        )
        let seed = "\(first):7946"
        try withMember(FleetConfig(name: "a", bind: seed, node: ", zone: z1, tags: {rack: r7, camelCase: x}")) {
            a, admin in
            try expect(["a": "alive"], seenBy: admin)
            try withMember(FleetConfig(name: "b", bind: "\(second):7946", join: [seed])) { b, other in
                try withMember(FleetConfig(name: "c", bind: "\(third):7946", join: [seed])) { c, _ in
                    try expect(["a": "alive", "b": "alive", "c": "alive"], seenBy: admin)
                    try expect(["a": "alive", "b": "alive", "c": "alive"], seenBy: other)
                    // What a bears is seen by b
                    let report = try #require(try members(other)["a"])
                    #expect(report.address == seed && report.zone == "z1" && report.remora)
                    #expect(report.tags == ["rack": "r7", "camelCase": "x", "zone": "z1", "remora": "1:0"])
                    #expect(report.incarnation == 1 && report.sinceSeconds >= 0)
                    c.signal(SIGKILL)
                    try expect(["a": "alive", "b": "alive", "c": "dead"], seenBy: admin)
                    try a.log.line(containing: "member c is dead")
                }
                b.signal(SIGTERM)
                #expect(try b.ending() == .exit(0))
                try expect(["a": "alive", "b": "left", "c": "dead"], seenBy: admin)
                try a.log.line(containing: "member b has left")
            }
            let stats = try ReportJSON.decode(
                StatsReport.self, from: Array(try get("/stats", from: admin).body.utf8))
            let membership = try #require(stats.membership)
            #expect((membership.alive, membership.left, membership.dead, membership.suspect) == (1, 1, 1, 0))
            #expect(membership.sentDatagramsTotal > 0 && membership.receivedBytesTotal > 0)
            #expect(membership.viewChecksum.count == 16)
        }
    }

    @Test("remora members prints a table, and with --json what the admin port answers")
    func command() throws {
        let host = LoopbackHosts.host(20)
        try withMember(FleetConfig(name: "solo", bind: "\(host):0", node: ", zone: z")) { _, admin in
            let table = try RemoraProcess.outcome(of: ["members", "--admin", "\(admin)"])
            #expect(table.ending == .exit(0))
            let lines = table.output.split(separator: "\n")
            #expect(lines.count == 3)
            #expect(
                lines[0].hasPrefix("1 alive; view ") && lines[0].hasSuffix(". No other remora is there to agree with."))
            #expect(lines[1].hasPrefix("NAME  ADDRESS"))
            #expect(lines[2].hasPrefix("solo  \(host):") && lines[2].contains("  alive  "))
            #expect(lines[2].hasSuffix("remora=1:0,zone=z"))
            let json = try RemoraProcess.outcome(of: ["members", "--json", "--admin", "\(admin)"])
            #expect(json.output.hasPrefix(#"{"members":[{"address":"\#(host):"#))
        }
    }

    @Test("GET /events tells of members as they come and go")
    func events() throws {
        let hosts = [LoopbackHosts.host(24), LoopbackHosts.host(25)]
        try withMember(FleetConfig(name: "a", bind: "\(hosts[0]):7946")) { _, admin in
            let listener = try Peer(to: admin)
            try listener.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            var heard = try listener.receive(until: ": remora\n")
            try withMember(FleetConfig(name: "b", bind: "\(hosts[1]):7946", join: ["\(hosts[0]):7946"])) { b, _ in
                heard = try listener.receive(until: "event: member\ndata: ")
                heard += try listener.receive(until: "\n")
                #expect(heard.contains(#""name":"b""#) && heard.contains(#""state":"alive""#))
                b.signal(SIGTERM)
                heard = try listener.receive(until: #""state":"left""#)
                #expect(heard.contains(#""name":"b""#))
            }
        }
    }

    @Test("A node without membership has no members, and says so")
    func none() throws {
        try withRemora(TestConfig(endpoints: [.ipv4(.loopback, port: 1)])) { remora in
            let admin = try remora.ready().admin
            #expect(try get("/members", from: admin).body == "{\"members\":[]}\n")
            let table = try RemoraProcess.outcome(of: ["members", "--admin", "\(admin)"])
            #expect(table.output == "no members: this node's config has no membership\n")
        }
    }

    @Test("A gossip port that is taken ends run with 73, names the address and leaves no file")
    func taken() throws {
        let host = LoopbackHosts.host(21)
        try withMember(FleetConfig(name: "a", bind: "\(host):7946")) { _, _ in
            let directory = try TestDirectory()
            let file = try directory.write(FleetConfig(name: "b", bind: "\(host):7946").text)
            let outcome = try RemoraProcess.outcome(of: ["run", "--config", file])
            #expect(outcome.ending == .exit(73))
            #expect(outcome.output == "")
            #expect(outcome.log.contains("membership cannot bind TCP \(host):7946"))
        }
    }

    @Test("Connections end with the drain period, and the leave is seen through")
    func leaveBeyondDrain() throws {
        let hosts = [LoopbackHosts.host(26), LoopbackHosts.host(27)]
        let server = try Server()
        try withMember(FleetConfig(name: "a", bind: "\(hosts[0]):7946")) { _, admin in
            var config = FleetConfig(name: "b", bind: "\(hosts[1]):7946", join: ["\(hosts[0]):7946"])
            (config.endpoint, config.drain) = ("\(server.address)", "0s")
            let file = try TestDirectory()
            let path = try file.write(config.text)
            try RemoraProcess.with(["run", "--config", path, "--threads", "1"]) { b in
                let (client, accepted) = try connectedPair(through: try b.ready().listener, to: server)
                try expect(["a": "alive", "b": "alive"], seenBy: admin)
                let before = try b.processorSeconds()
                b.signal(SIGTERM)
                #expect(try client.ending() == .reset)
                #expect(try accepted.ending() == .reset)
                try expect(["a": "alive", "b": "left"], seenBy: admin)
                // It sleeps while it lingers.
                if let after = try? b.processorSeconds() { #expect(after - before < 0.5) }
                #expect(try b.ending() == .exit(0))
            }
        }
    }

    @Test("A second signal ends a remora that is leaving at once")
    func secondSignal() throws {
        let hosts = [LoopbackHosts.host(22), LoopbackHosts.host(23)]
        try withMember(FleetConfig(name: "a", bind: "\(hosts[0]):7946")) { _, admin in
            try withMember(FleetConfig(name: "b", bind: "\(hosts[1]):7946", join: ["\(hosts[0]):7946"])) { b, _ in
                try expect(["a": "alive", "b": "alive"], seenBy: admin)
                b.signal(SIGTERM)
                try b.log.line(containing: "draining")
                b.signal(SIGTERM)
                #expect(try b.ending() == .exit(0))
                #expect(try b.log.rest().contains("a second signal"))
            }
        }
    }

    // MARK: Serf

    @Test(
        "A remora and agents of Serf see each other come, bear tags and die, whoever joins whom, sealed or not",
        arguments: [nil, 16, 24, 32] as [Int?])
    func serf(keyLength: Int?) throws {
        let offset = 30 + 10 * [nil, 16, 24, 32].firstIndex(of: keyLength)!
        let hosts = (0..<4).map { LoopbackHosts.host(offset + $0) }
        let key = keyLength.map { Data((0..<$0).map { UInt8($0 ^ 0x5A) }).base64EncodedString() }
        let options = SerfAgent.tellingOften + (key.map { ["-encrypt=\($0)"] } ?? [])
        let keys = key.map { ", keys: [\"\($0)\"]" } ?? ""
        try SerfAgent.with("s1", host: hosts[0], options + ["-tag", "role=web"]) { s1 in
            // Given a remora that joins an agent, and an agent that joins the remora
            let config = FleetConfig(
                name: "r1", bind: "\(hosts[1]):7946", join: [s1.address], more: keys, node: ", tags: {rack: r7}")
            try withMember(config) { _, admin in
                let join = ["-join=\(hosts[1]):7946"]
                try SerfAgent.with("s2", host: hosts[2], options + join) { s2 in
                    let all = ["r1": "alive", "s1": "alive", "s2": "alive"]
                    try expect(all, seenBy: admin)
                    for agent in [s1, s2] { try Wait.until(try agent.members(), is: all) }
                    // Then tags are seen both ways
                    let agent = try #require(try members(admin)["s1"])
                    #expect(agent.tags == ["role": "web"] && !agent.remora && agent.address == s1.address)
                    #expect(try s2.command("members", "-name=r1").contains("rack=r7"))
                    // When an agent leaves, it has left
                    try s2.command("leave")
                    try expect(["r1": "alive", "s1": "alive", "s2": "left"], seenBy: admin)
                }
                // When an agent is killed, it is dead to the remora
                s1.signal(SIGKILL)
                try expect(["r1": "alive", "s1": "dead", "s2": "left"], seenBy: admin)
            }
        }
    }

    @Test("A remora that is killed has failed to an agent of Serf, and is seen again when it is back")
    func killedBesideSerf() throws {
        let hosts = [LoopbackHosts.host(80), LoopbackHosts.host(81)]
        try SerfAgent.with("s1", host: hosts[0]) { agent in
            let config = FleetConfig(name: "r1", bind: "\(hosts[1]):7946", join: [agent.address])
            try withMember(config) { remora, _ in
                try Wait.until(try agent.members()["r1"], is: "alive")
                remora.signal(SIGKILL)
                try Wait.until(try agent.members()["r1"], is: "failed")
            }
            try withMember(config) { _, admin in
                try Wait.until(try agent.members()["r1"], is: "alive")
                try expect(["r1": "alive", "s1": "alive"], seenBy: admin)
            }
        }
    }

    @Test("Remoras of one label find each other; one of another label and an agent, which has none, stay outside")
    func labels() throws {
        let hosts = (0..<4).map { LoopbackHosts.host(94 + $0) }
        func config(_ number: Int, _ label: String) -> FleetConfig {
            FleetConfig(
                name: "r\(number)", bind: "\(hosts[number]):7946", join: ["\(hosts[1]):7946"],
                more: ", label: \(label)")
        }
        try withMember(config(1, "edge")) { remora, admin in
            try withMember(config(2, "edge")) { _, other in
                for admin in [admin, other] { try expect(["r1": "alive", "r2": "alive"], seenBy: admin) }
                try withMember(config(3, "core")) { stranger, third in
                    try stranger.log.line(containing: "did not let this node join")
                    try expect(["r3": "alive"], seenBy: third)
                    #expect(try remora.log.line(containing: "refused").contains("membership.label differ there"))
                }
                try SerfAgent.with("s0", host: hosts[0]) { agent in
                    try #expect(agent.run(["join", "\(hosts[1]):7946"]).status != 0)
                    #expect(try agent.members() == ["s0": "alive"])
                }
                for admin in [admin, other] { try expect(["r1": "alive", "r2": "alive"], seenBy: admin) }
            }
        }
    }

    @Test("An agent with another key stays outside, and the log says what differs")
    func otherKey() throws {
        let hosts = [LoopbackHosts.host(90), LoopbackHosts.host(91)]
        let keys = [1, 2].map { Data(repeating: $0, count: 16).base64EncodedString() }
        let config = FleetConfig(name: "r1", bind: "\(hosts[0]):7946", more: ", keys: [\"\(keys[0])\"]")
        try withMember(config) { remora, admin in
            try SerfAgent.with("s1", host: hosts[1], ["-encrypt=\(keys[1])"]) { agent in
                try agent.command("join", "\(hosts[0]):7946")
                let line = try remora.log.line(containing: "refused")
                #expect(line.contains("none of our keys opens it") && line.contains("membership.keys"))
                #expect(try agent.members() == ["s1": "alive"])
                try expect(["r1": "alive"], seenBy: admin)
                #expect(!line.contains(keys[0]))
            }
        }
    }
}
