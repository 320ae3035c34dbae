// A remora that is a member of a fleet, and what its admin port says of the others.

import Admin
import Stats
import Testing
import Vocabulary

/// A remora as a member.
struct FleetConfig {
    var name: String
    var bind: String
    var join: [String] = []
    /// Further lines of the section, as YAML flow entries.
    var more = ""
    var node = ""
    var endpoint = "127.0.0.1:1"
    var drain = "20s"
    var profile = "local"
    var tuning = "probe_interval: 300ms, probe_timeout: 150ms, gossip_interval: 50ms"

    var text: String {
        let gossip = "profile: \(profile), tuning: {\(tuning)}"
        return """
            node: {name: \(name)\(node)}
            membership: {bind: "\(bind)", join: \(join), \(gossip)\(more)}
            upstreams: [{name: out, endpoints: ["\(endpoint)"]}]
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: out}]
            admin: "127.0.0.1:0"
            shutdown: {drain: \(drain)}

            """
    }
}

/// Runs a remora as a member.
func withMember<Result>(
    _ config: FleetConfig, options: [String] = [],
    _ body: (_ remora: RemoraProcess, _ admin: SocketAddress) throws -> Result
) throws -> Result {
    let directory = try TestDirectory()
    let file = try directory.write(config.text)
    return try RemoraProcess.with(["run", "--config", file, "--threads", "1"] + options) { remora in
        try body(remora, try remora.ready().admin)
    }
}

func members(_ admin: SocketAddress) throws -> [String: MemberReport] {
    let (status, body) = try get("/members", from: admin)
    try #require(status == 200)
    let report = try ReportJSON.decode(MembersReport.self, from: Array(body.utf8))
    return Dictionary(uniqueKeysWithValues: report.members.map { ($0.name, $0) })
}

/// Asks a remora until it sees members in these states, and nobody else.
func expect(_ states: [String: String], seenBy admin: SocketAddress) throws {
    try Wait.until(try members(admin).mapValues(\.state), is: states)
}
