// The JSON Schema and the parser say the same of the same files.
//
// Both are derived from one value; these tests would notice if either stopped reading part of it.

import Testing

@testable import Config

@Suite("The JSON Schema")
struct SchemaAgreementTests {
    private let evaluator: JSONSchemaEvaluator
    private let schema: JSONDocument

    init() throws {
        schema = try JSONDocument(parsing: ConfigSchema.json)
        evaluator = JSONSchemaEvaluator(schema: schema)
    }

    /// Nil if the parser accepts the text.
    private func faults(_ text: String) -> ConfigFaults? {
        do throws(ConfigFaults) {
            _ = try ConfigFile.parse(text, file: "f", hostName: "host")
            return nil
        } catch {
            return error
        }
    }

    @Test("Right files are right for both", arguments: UInt64(0)..<200)
    func right(seed: UInt64) throws {
        var generator = ConfigGenerator(seed: seed)
        let config = generator.config()
        #expect(try evaluator.accepts(config))
        #expect(faults(config.description) == nil, "\(config)")
    }

    @Test(
        "Of files with one thing changed, the parser refuses those that the schema refuses", arguments: UInt64(0)..<200)
    func changed(seed: UInt64) throws {
        var generator = ConfigGenerator(seed: seed)
        var refused = 0
        for _ in 0..<25 {
            let config = generator.changed(generator.config())
            let faults = faults(config.description)
            #expect(try evaluator.accepts(config) == (faults == nil), "\(config)\n\(faults?.description ?? "accepted")")
            if faults != nil { refused += 1 }
        }
        // Most changes are for the worse, or this shows nothing.
        #expect(refused >= 8)
    }

    @Test(
        "What JSON Schema cannot say, the parser still refuses",
        arguments: [
            #"{"upstreams": [], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"}]}"#,
            #"{"upstreams": [{"name": "u", "endpoints": ["10.0.0.1:1", "10.0.0.1:1"]}], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"}]}"#,
            #"{"upstreams": [{"name": "u", "endpoints": ["[1::2::3]:1"]}], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"}]}"#,
            #"{"upstreams": [{"name": "u", "endpoints": ["10.0.0.1:1"], "connect_timeout": "6m"}], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"}]}"#,
            #"{"upstreams": [{"name": "u", "endpoints": ["10.0.0.1:1"]}], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"}], "admin": "0.0.0.0:1"}"#,
            #"{"membership": {"bind": "0.0.0.0:7946"}, "upstreams": [], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"}]}"#
                .replacing(#""upstreams": []"#, with: #""upstreams": [{"name": "u", "endpoints": ["10.0.0.1:1"]}]"#),
            #"{"upstreams": [{"name": "u", "endpoints": ["10.0.0.1:1"], "connect_attempts": 3.0}], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"}]}"#,
            #"{"upstreams": [{"name": "u", "endpoints": ["unix:/u"], "tls": {}}], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"}]}"#,
            #"{"upstreams": [{"name": "u", "endpoints": ["10.0.0.1:1"]}], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u", "tls": {"certificate": "/c", "client_ca": "/a", "allow_san": ["fd00::*"]}}]}"#,
        ])
    func beyond(text: String) throws {
        #expect(try evaluator.accepts(JSONDocument(parsing: text)))
        #expect(faults(text)?.faults.count == 1)
    }

    @Test("Both know the same keys, those of later included")
    func keys() throws {
        let sections: [(Section, [String], String)] = [
            (RemoraSchema.root, [], "KEY: ~"),
            (RemoraSchema.Node.section, ["properties", "node"], "node: {KEY: ~}"),
            (RemoraSchema.Membership.section, ["properties", "membership"], "membership: {KEY: ~}"),
            (
                RemoraSchema.Tuning.section, ["properties", "membership", "properties", "tuning"],
                "membership: {tuning: {KEY: ~}}"
            ),
            (
                RemoraSchema.Telemetry.section, ["properties", "membership", "properties", "telemetry"],
                "membership: {telemetry: {KEY: ~}}"
            ),
            (
                RemoraSchema.Roster.section, ["properties", "membership", "properties", "roster"],
                "membership: {roster: {KEY: ~}}"
            ),
            (
                RemoraSchema.Etcd.section,
                ["properties", "membership", "properties", "roster", "properties", "etcd"],
                "membership: {roster: {etcd: {KEY: ~}}}"
            ),
            (RemoraSchema.Service.section, ["properties", "services", "items"], "services: [{KEY: ~}]"),
            (
                RemoraSchema.Health.section, ["properties", "services", "items", "properties", "health"],
                "services: [{health: {KEY: ~}}]"
            ),
            (
                RemoraSchema.Members.section, ["properties", "upstreams", "items", "properties", "members"],
                "upstreams: [{members: {KEY: ~}}]"
            ),
            (
                RemoraSchema.Outlier.section, ["properties", "upstreams", "items", "properties", "outlier"],
                "upstreams: [{outlier: {KEY: ~}}]"
            ),
            (RemoraSchema.Upstream.section, ["properties", "upstreams", "items"], "upstreams: [{KEY: ~}]"),
            (
                RemoraSchema.Endpoint.section,
                ["properties", "upstreams", "items", "properties", "endpoints", "items", "anyOf"],
                "upstreams: [{endpoints: [{KEY: ~}]}]"
            ),
            (
                RemoraSchema.Origination.section, ["properties", "upstreams", "items", "properties", "tls"],
                "upstreams: [{tls: {KEY: ~}}]"
            ),
            (RemoraSchema.Listener.section, ["properties", "listeners", "items"], "listeners: [{KEY: ~}]"),
            (
                RemoraSchema.Hash.section, ["properties", "upstreams", "items", "properties", "hash"],
                "upstreams: [{hash: {KEY: ~}}]"
            ),
            (
                RemoraSchema.Route.section, ["properties", "listeners", "items", "properties", "sni", "items"],
                "listeners: [{sni: [{KEY: ~}]}]"
            ),
            (
                RemoraSchema.Termination.section, ["properties", "listeners", "items", "properties", "tls"],
                "listeners: [{tls: {KEY: ~}}]"
            ),
            (
                RemoraSchema.CertificateFile.section,
                ["properties", "listeners", "items", "properties", "tls", "properties", "certificates", "items"],
                "listeners: [{tls: {certificates: [{KEY: ~}]}}]"
            ),
            (RemoraSchema.Admin.section, ["properties", "admin", "anyOf"], "admin: {KEY: ~}"),
            (RemoraSchema.Shutdown.section, ["properties", "shutdown"], "shutdown: {KEY: ~}"),
        ]
        for (section, path, text) in sections {
            let properties = try #require(mapping(at: path)["properties"])
            guard case .mapping(let members) = properties else { continue }
            #expect(
                Set(members.map(\.key)) == Set(section.fields.map(\.key) + section.later.map(\.key)), "\(section.noun)")
            for member in members {
                let faults = try #require(self.faults(text.replacing("KEY", with: member.key)))
                let isLater = member.value["not"] != nil
                let ofKey = faults.faults.map(\.message).filter { $0.hasPrefix("\(member.key) ") }
                #expect(
                    ofKey.contains { $0.contains(isLater ? "is not available yet" : "has no value") }, "\(member.key)")
                #expect(!faults.description.contains("unknown key"), "\(member.key)")
            }
        }
    }

    /// The schema of a mapping; of alternatives, the one that is a mapping.
    private func mapping(at path: [String]) throws -> JSONDocument {
        try path.reduce(schema) { schema, step in
            let next = try #require(schema[step], "\(step)")
            guard case .list(let alternatives) = next else { return next }
            return try #require(alternatives.first { $0["properties"] != nil })
        }
    }

    @Test("Every key of the contract's config is known")
    func contract() {
        #expect(
            Set(RemoraSchema.root.fields.map(\.key) + RemoraSchema.root.later.map(\.key)) == [
                "node", "membership", "services", "upstreams", "listeners", "admin", "access_log", "shutdown", "leases",
            ])
        #expect(
            Set(RemoraSchema.Upstream.section.fields.map(\.key) + RemoraSchema.Upstream.section.later.map(\.key)) == [
                "name", "service", "endpoints", "members", "balance", "load", "hash", "zone_aware", "on_suspect",
                "on_dead",
                "on_left", "connect_timeout", "connect_attempts", "max_connections", "max_outstanding",
                "max_connection_age", "outlier", "slow_start", "panic_threshold_percent", "tls",
            ])
        #expect(
            Set(RemoraSchema.Membership.section.fields.map(\.key) + RemoraSchema.Membership.section.later.map(\.key))
                == [
                    "bind", "advertise", "join", "profile", "keys", "label", "reclaim_after", "tuning", "telemetry",
                    "roster",
                ])
        #expect(
            Set(RemoraSchema.Service.section.fields.map(\.key)) == ["name", "address", "advertise", "weight", "health"])
        #expect(
            Set(RemoraSchema.Health.section.fields.map(\.key)) == [
                "http", "tcp", "interval", "timeout", "fall", "rise",
            ])
        #expect(
            Set(RemoraSchema.Outlier.section.fields.map(\.key)) == [
                "consecutive_failures", "failure_percent", "interval", "ejection", "max_ejected_percent",
            ])
        #expect(
            Set(RemoraSchema.Etcd.section.fields.map(\.key)) == [
                "endpoints", "prefix", "username", "password_file", "ca", "certificate", "key",
            ])
        #expect(
            Set(RemoraSchema.Tuning.section.fields.map(\.key)) == [
                "probe_interval", "probe_timeout", "indirect_checks", "suspicion_multiplier", "gossip_interval",
                "gossip_nodes", "push_pull_interval",
            ])
        #expect(
            Set(RemoraSchema.Listener.section.fields.map(\.key) + RemoraSchema.Listener.section.later.map(\.key)) == [
                "name", "bind", "protocol", "upstream", "service", "tls", "sni", "accept_proxy_protocol",
                "send_proxy_protocol", "idle_timeout", "max_connections", "fence",
            ])
        #expect(
            Set(RemoraSchema.Termination.section.fields.map(\.key)) == [
                "certificates", "certificate", "key", "client_ca", "client_auth", "allow_san", "alpn", "min_version",
            ])
        #expect(Set(RemoraSchema.CertificateFile.section.fields.map(\.key)) == ["certificate", "key"])
        #expect(
            Set(RemoraSchema.Origination.section.fields.map(\.key)) == ["ca", "server_name", "certificate", "key"])
    }

    @Test("Its text is the same each time, ends in a line feed and escapes what JSON asks for")
    func text() {
        #expect(ConfigSchema.json == ConfigSchema.json)
        #expect(ConfigSchema.json.hasPrefix("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"))
        #expect(ConfigSchema.json.hasSuffix("}\n"))
        let odd = JSONText.object([("a\"b", .array([.string("\\\n"), .flag(true), .integer(-1)])), ("c", .object([]))])
        #expect(odd.written() == "{\n  \"a\\\"b\": [\"\\\\\\u000a\", true, -1],\n  \"c\": {}\n}")
    }

    @Test("Its defaults are those that the parser uses")
    func defaults() throws {
        let upstream = try mapping(at: ["properties", "upstreams", "items"])
        let listener = try mapping(at: ["properties", "listeners", "items"])
        #expect(upstream["properties"]?["connect_timeout"]?["default"] == .text("1s"))
        #expect(upstream["properties"]?["connect_attempts"]?["default"] == .integer(3))
        #expect(upstream["properties"]?["balance"]?["default"] == .text("p2c"))
        #expect(listener["properties"]?["accept_proxy_protocol"]?["default"] == .flag(false))
        #expect(listener["properties"]?["idle_timeout"]?["default"] == .text("1h"))
        #expect(listener["properties"]?["send_proxy_protocol"]?["default"] == .text("none"))
        #expect(listener["properties"]?["tls"]?["properties"]?["min_version"]?["default"] == .text("1.2"))
        #expect(schema["properties"]?["shutdown"]?["properties"]?["drain"]?["default"] == .text("30s"))
        // A config that writes every default out is the one that leaves them out.
        let short =
            #"{"upstreams": [{"name": "u", "endpoints": ["10.0.0.1:1"]}], "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"}]}"#
        let written = """
            {"upstreams": [{"name": "u", "endpoints": [{"address": "10.0.0.1:1"\(defaults(of: RemoraSchema.Endpoint.section))}]
              \(defaults(of: RemoraSchema.Upstream.section)), "outlier": {\(defaults(of: RemoraSchema.Outlier.section).dropFirst(2))},
              "hash": {\(defaults(of: RemoraSchema.Hash.section).dropFirst(2))}}],
             "listeners": [{"name": "a", "bind": "127.0.0.1:1", "upstream": "u"\(defaults(of: RemoraSchema.Listener.section))}],
             "admin": {"token_file": "/t"\(defaults(of: RemoraSchema.Admin.section))}}
            """
        let a = try ConfigFile.parse(short, file: "f", hostName: "host")
        let b = try ConfigFile.parse(written, file: "f", hostName: "host")
        #expect(a.upstreams == b.upstreams && a.listeners == b.listeners && a.admin.bind == b.admin.bind)
    }

    private func defaults(of section: Section) -> String {
        section.fields.map { field in
            guard case .read(let text) = field.absence else { return "" }
            let isText =
                if case .plain = Tree.Content.plain(text), case .text = PlainMeaning(text) { true } else { false }
            return ", \"\(field.key)\": \(isText ? "\"\(text)\"" : text)"
        }.joined()
    }
}
