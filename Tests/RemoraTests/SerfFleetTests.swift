// What operators do with Serf's commands in a fleet of two agents and remoras.
//
// Commands are those of the real `serf`, and what comes of them is asked of the real agents. Nothing waits for a time to
// pass: that something never happened is read from logs, after something later was seen.

import Admin
import Foundation
import Glibc
import Stats
import Testing
import Vocabulary

/// Two agents of Serf that know each other, and where members beside them may be.
private struct SerfFleet {
    let agents: [SerfAgent]
    let hosts: [String]

    /// A remora that joins both agents.
    func config(_ name: String, more: String = "", node: String = "") -> FleetConfig {
        let host = name == "r1" ? hosts[2] : hosts[3]
        return FleetConfig(
            name: name, bind: "\(host):7946", join: agents.map(\.address), more: more, node: node)
    }

    /// Waits until both agents show a member so.
    func expect(_ name: String, is state: String) throws {
        for agent in agents { try Wait.until(try agent.members()[name], is: state) }
    }

    /// Waits until all of these are alive to both agents, and nobody else is.
    func expectAlive(_ names: String...) throws {
        let all = Dictionary(uniqueKeysWithValues: (names + agents.map(\.name)).map { ($0, "alive") })
        for agent in agents { try Wait.until(try agent.members(), is: all) }
    }

    /// That no agent ever held this member for failed.
    func expectNeverFailed(_ name: String) throws {
        for agent in agents { #expect(try !agent.sawFail(name), "\(agent.name) held \(name) for failed") }
    }
}

/// - Parameter offset: of the hosts, which are four.
private func withSerfFleet<Result>(
    at offset: Int, _ arguments: [String] = [], _ body: (SerfFleet) throws -> Result
) throws -> Result {
    let hosts = (0..<4).map { LoopbackHosts.host(offset + $0) }
    return try SerfAgent.with("s1", host: hosts[0], arguments) { first in
        try SerfAgent.with("s2", host: hosts[1], arguments + ["-join=\(first.address)"]) { second in
            let fleet = SerfFleet(agents: [first, second], hosts: hosts)
            try fleet.expectAlive()
            return try body(fleet)
        }
    }
}

@Suite("Fleets of Serf and their operators", .serialized)
struct SerfFleetTests {
    // MARK: Coming and going

    @Test("A remora that a signal ends has left to every agent and never failed, and is alive when it is back")
    func leaveAndReturn() throws {
        try withSerfFleet(at: 100, SerfAgent.tellingOften) { fleet in
            let config = fleet.config("r1")
            try withMember(config) { remora, _ in
                try fleet.expectAlive("r1")
                remora.signal(SIGTERM)
                #expect(try remora.ending() == .exit(0))
                try fleet.expect("r1", is: "left")
                try fleet.expectNeverFailed("r1")
            }
            try withMember(config) { _, admin in
                try fleet.expectAlive("r1")
                try expect(["r1": "alive", "s1": "alive", "s2": "alive"], seenBy: admin)
            }
        }
    }

    @Test("force-leave of a remora that is there is refuted, and its own leave counts afterwards")
    func forceLeaveAlive() throws {
        try withSerfFleet(at: 104, SerfAgent.tellingOften) { fleet in
            try withMember(fleet.config("r1")) { remora, admin in
                try fleet.expectAlive("r1")
                try fleet.agents[0].command("force-leave", "r1")
                try remora.log.line(containing: "somebody declared that this node leaves; it said otherwise")
                try fleet.expectAlive("r1")
                try expect(["r1": "alive", "s1": "alive", "s2": "alive"], seenBy: admin)
                remora.signal(SIGTERM)
                try fleet.expect("r1", is: "left")
                try fleet.expectNeverFailed("r1")
            }
        }
    }

    @Test("force-leave of a remora that was killed makes it left, to agents and remoras")
    func forceLeaveFailed() throws {
        try withSerfFleet(at: 108, SerfAgent.tellingOften) { fleet in
            try withMember(fleet.config("r2")) { _, admin in
                try withMember(fleet.config("r1")) { remora, _ in
                    try fleet.expectAlive("r1", "r2")
                    try expect(["r1": "alive", "r2": "alive", "s1": "alive", "s2": "alive"], seenBy: admin)
                    remora.signal(SIGKILL)
                    try fleet.expect("r1", is: "failed")
                    try expect(["r1": "dead", "r2": "alive", "s1": "alive", "s2": "alive"], seenBy: admin)
                    try fleet.agents[1].command("force-leave", "r1")
                    try fleet.expect("r1", is: "left")
                    try expect(["r1": "left", "r2": "alive", "s1": "alive", "s2": "alive"], seenBy: admin)
                }
            }
        }
    }

    @Test("Remoras see the tags that an agent changes, and those with which it comes back from the dead")
    func agentTags() throws {
        try withSerfFleet(at: 140, SerfAgent.tellingOften) { fleet in
            try withMember(fleet.config("r1")) { remora, admin in
                try fleet.expectAlive("r1")
                func tags(_ name: String) throws -> [String: String]? { try members(admin)[name]?.tags }
                // When tags are set, changed and deleted at run time
                try fleet.agents[0].command("tags", "-set", "role=web", "-set", "svc.web=:8080;weight=50")
                try Wait.until(try tags("s1"), is: ["role": "web", "svc.web": ":8080;weight=50"])
                try fleet.agents[0].command("tags", "-set", "svc.web=:8080;health=failing", "-delete", "role")
                try Wait.until(try tags("s1"), is: ["svc.web": ":8080;health=failing"])
                try remora.log.line(containing: "member s1 bears other tags or versions")
                // Then nobody came or went for it
                try expect(["r1": "alive", "s1": "alive", "s2": "alive"], seenBy: admin)
                // When one with tags is killed, and comes back with others, at an incarnation of long ago
                let host = LoopbackHosts.host(144)
                let join = SerfAgent.tellingOften + ["-join=\(fleet.agents[0].address)"]
                try SerfAgent.with("s3", host: host, join + ["-tag", "version=1"]) { agent in
                    try Wait.until(try tags("s3"), is: ["version": "1"])
                    agent.signal(SIGKILL)
                    try expect(["r1": "alive", "s1": "alive", "s2": "alive", "s3": "dead"], seenBy: admin)
                }
                try SerfAgent.with("s3", host: host, join + ["-tag", "version=2"]) { _ in
                    try expect(["r1": "alive", "s1": "alive", "s2": "alive", "s3": "alive"], seenBy: admin)
                    try Wait.until(try tags("s3"), is: ["version": "2"])
                }
            }
        }
    }

    // MARK: Stopped processes

    @Test("A remora that stands still for less than the suspicion lasts never fails")
    func stoppedShortly() throws {
        try withSerfFleet(at: 112) { fleet in
            try withMember(fleet.config("r2")) { observer, observed in
                try withMember(fleet.config("r1")) { remora, admin in
                    try fleet.expectAlive("r1", "r2")
                    let all = ["r1": "alive", "r2": "alive", "s1": "alive", "s2": "alive"]
                    try expect(all, seenBy: observed)
                    remora.signal(SIGSTOP)
                    try Wait.until(try members(observed)["r1"]?.state, is: "suspect")
                    remora.signal(SIGCONT)
                    try expect(all, seenBy: observed)
                    try expect(all, seenBy: admin)
                    try fleet.expectAlive("r1", "r2")
                    for name in ["r1", "r2", "s1", "s2"] { try fleet.expectNeverFailed(name) }
                    for member in [remora, observer] {
                        member.signal(SIGTERM)
                        #expect(try !member.log.rest().contains(" is dead"))
                    }
                }
            }
        }
    }

    @Test("A remora that stands still for longer has failed, is alive when it goes on, and held nobody else for dead")
    func stoppedLong() throws {
        try withSerfFleet(at: 116) { fleet in
            try withMember(fleet.config("r1")) { remora, admin in
                try fleet.expectAlive("r1")
                remora.signal(SIGSTOP)
                try fleet.expect("r1", is: "failed")
                #expect(try fleet.agents.contains { try $0.sawFail("r1") })
                remora.signal(SIGCONT)
                try fleet.expectAlive("r1")
                #expect(try members(admin).mapValues(\.state) == ["r1": "alive", "s1": "alive", "s2": "alive"])
                for name in ["s1", "s2"] { try fleet.expectNeverFailed(name) }
                remora.signal(SIGTERM)
                // Each death that its view ever showed is a line.
                let log = try remora.log.rest()
                #expect(log.contains("nobody is blamed for that time"))
                #expect(!log.contains(" is dead"))
                try fleet.expect("r1", is: "left")
            }
        }
    }

    // MARK: Questions and news

    @Test("Queries reach a remora by its name and its tags, and only those that are for it")
    func queries() throws {
        try withSerfFleet(at: 120, SerfAgent.tellingOften) { fleet in
            try withMember(fleet.config("r1", node: ", zone: z1, tags: {rack: r7}")) { _, _ in
                try fleet.expectAlive("r1")
                let agent = fleet.agents[0]
                func acks(_ filters: String...) throws -> [String] {
                    let outcome = try agent.run(
                        ["query", "-format=json", "-timeout=400ms"] + filters + ["hello", "x"])
                    let answer = try JSONDecoder().decode(QueryOutcome.self, from: Data(outcome.output.utf8))
                    return (answer.acks ?? []).sorted()
                }
                try Wait.until(try acks(), is: ["r1", "s1", "s2"])
                try Wait.until(try acks("-node=r1"), is: ["r1"])
                try Wait.until(try acks("-node=s1", "-node=s2"), is: ["s1", "s2"])
                try Wait.until(try acks("-tag", "rack=^r[0-9]$", "-tag", "zone=z1"), is: ["r1"])
                try Wait.until(try acks("-tag", "rack=^$"), is: ["s1", "s2"])
                try Wait.until(try acks("-node=r1", "-relay-factor=2"), is: ["r1"])
            }
        }
    }

    private struct QueryOutcome: Decodable {
        var acks: [String]?

        enum CodingKeys: String, CodingKey {
            case acks = "Acks"
        }
    }

    @Test("serf reachability reaches a remora, and serf rtt estimates how far it is")
    func reachability() throws {
        try withSerfFleet(at: 124, SerfAgent.tellingOften) { fleet in
            try withMember(fleet.config("r1")) { _, _ in
                try fleet.expectAlive("r1")
                for agent in fleet.agents {
                    let outcome = try agent.run(["reachability", "-verbose"])
                    #expect(outcome.status == 0)
                    #expect(outcome.output.contains("Ack from 'r1'"))
                    #expect(outcome.output.contains("Successfully contacted all live nodes"))
                    try Wait.until(
                        try agent.command("rtt", "r1").contains("Estimated r1 <-> \(agent.name) rtt: "), is: true)
                }
            }
        }
    }

    @Test("A remora keeps events for agents that come after whoever told them has gone")
    func events() throws {
        let hosts = (0..<3).map { LoopbackHosts.host(128 + $0) }
        let config = FleetConfig(name: "r1", bind: "\(hosts[0]):7946")
        try withMember(config, options: ["--log-level", "debug"]) { remora, admin in
            // Given two agents that never meet
            try SerfAgent.with("s1", host: hosts[1], ["-join=\(config.bind)"]) { first in
                try Wait.until(try first.members(), is: ["r1": "alive", "s1": "alive"])
                try first.command("event", "-coalesce=false", "deploy", "v1")
                try remora.log.line(containing: "event deploy with 2 bytes")
                try first.command("leave")
                try expect(["r1": "alive", "s1": "left"], seenBy: admin)
            }
            // When the second one asks for what was told before
            try SerfAgent.with("s2", host: hosts[2], ["-join=\(config.bind)", "-replay"]) { second in
                // Then it hears the first one's event from the remora
                try Wait.until(try second.log().contains("user-event: deploy"), is: true)
                // And the remora hears of its own
                try second.command("event", "-coalesce=false", "rollback")
                try remora.log.line(containing: "event rollback with 0 bytes")
            }
        }
    }

    // MARK: Keys

    /// The fleet's, before and after.
    private static let keys = [(1, 16), (2, 32)].map { byte, count in
        Data(repeating: UInt8(byte), count: count).base64EncodedString()
    }

    @Test("Keys are rotated by an operator in all keyrings, and a remora that restarts with the old config is a member")
    func rotation() throws {
        let (old, new) = (Self.keys[0], Self.keys[1])
        let state = try TestDirectory()
        try withSerfFleet(at: 132, SerfAgent.tellingOften + ["-encrypt=\(old)"]) { fleet in
            let config = fleet.config(
                "r1", more: ", keys: [\"\(old)\"]", node: ", state_directory: \"\(state.path)\"")
            func keys(_ argument: String) throws -> (status: Int32, output: String) {
                try fleet.agents[0].run(["keys", argument])
            }
            try withMember(config, options: ["--log-level", "debug"]) { remora, admin in
                try fleet.expectAlive("r1")
                // When a key is installed, used, and the other one removed
                #expect(try keys("-install=\(new)").status == 0)
                #expect(try holders(listedBy: fleet.agents[0]) == [old: "[3/3]", new: "[3/3]"])
                #expect(try keys("-use=\(new)").status == 0)
                let refusal = try keys("-remove=\(new)")
                #expect(refusal.status == 1)
                #expect(refusal.output.contains("3/3 nodes reported failure"))
                #expect(refusal.output.contains("r1  the primary key cannot be removed; use another first"))
                #expect(try keys("-remove=\(old)").status == 0)
                #expect(try holders(listedBy: fleet.agents[0]) == [new: "[3/3]"])
                // Then gossip goes on: for longer than a death takes, all are alive, and nothing was refused
                let sent = try stats(admin).sentDatagramsTotal
                try Wait.until(try stats(admin).sentDatagramsTotal >= sent + 30, is: true)
                try fleet.expectAlive("r1")
                try expect(["r1": "alive", "s1": "alive", "s2": "alive"], seenBy: admin)
                #expect(try stats(admin).refusedDatagramsTotal == 0)
                remora.signal(SIGTERM)
                #expect(try remora.ending() == .exit(0))
                let log = try remora.log.rest()
                #expect(log.contains("keyring: install a key of 32 bytes"))
                for key in [old, new] { #expect(!log.contains(key)) }
                try fleet.expect("r1", is: "left")
                for name in ["r1", "s1", "s2"] { try fleet.expectNeverFailed(name) }
            }
            let file = state.path + "/gossip-keyring.json"
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            // When the remora restarts with the config as it was
            try withMember(config) { _, admin in
                try fleet.expectAlive("r1")
                try expect(["r1": "alive", "s1": "alive", "s2": "alive"], seenBy: admin)
            }
        }
    }

    /// How many of how many members hold each key.
    private func holders(listedBy agent: SerfAgent) throws -> [String: String] {
        let rows = try agent.command("keys", "-list").split(separator: "\n").map { $0.split(separator: " ") }
        return Dictionary(
            uniqueKeysWithValues: rows.filter { $0.count == 2 && $0[1].hasPrefix("[") }
                .map { (String($0[0]), String($0[1])) })
    }

    private func stats(_ admin: SocketAddress) throws -> MembershipReport {
        let body = try get("/stats", from: admin).body
        let report = try ReportJSON.decode(StatsReport.self, from: Array(body.utf8))
        return try #require(report.membership)
    }

    @Test("Without a state directory a rotation is forgotten at the end of the process, as the log warns")
    func rotationForgotten() throws {
        let (old, new) = (Self.keys[0], Self.keys[1])
        try withSerfFleet(at: 136, SerfAgent.tellingOften + ["-encrypt=\(old)"]) { fleet in
            let config = fleet.config("r1", more: ", keys: [\"\(old)\"]")
            try withMember(config) { remora, _ in
                try fleet.expectAlive("r1")
                for command in ["-install=\(new)", "-use=\(new)", "-remove=\(old)"] {
                    #expect(try fleet.agents[1].run(["keys", command]).status == 0)
                    try remora.log.line(containing: "set node.state_directory to keep it")
                }
                remora.signal(SIGTERM)
                try fleet.expect("r1", is: "left")
            }
            try withMember(config) { remora, admin in
                try remora.log.line(containing: "did not let this node join")
                try expect(["r1": "alive"], seenBy: admin)
                try fleet.expect("r1", is: "left")
            }
        }
    }
}
