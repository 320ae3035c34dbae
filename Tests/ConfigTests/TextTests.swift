// A config as it was understood, written back.

import Testing

@testable import Config

@Suite("A config's text")
struct TextTests {
    private static let file = """
        node: {name: a, zone: z, tags: {rack: r7}, state_directory: /s}
        membership:
          {bind: "10.0.0.17:7946", advertise: "10.0.0.18:7946", join: ["10.0.0.1:7946"], label: edge, reclaim_after: 5s,
           tuning: {probe_interval: 2s, gossip_nodes: 5}, telemetry: {bytes_per_second: 4KiB},
           roster: {etcd: {endpoints: ["https://etcd:2379"], username: u, password_file: /p, certificate: /c, key: /k}}}
        services: [{name: s, address: "127.0.0.1:9000", weight: 7, health: {http: /healthz, fall: 4}}]
        upstreams:
          - {name: x, endpoints: [{address: "10.0.0.1:80", weight: 5, zone: y}], balance: ring_hash, max_connections: 9,
             hash: {key: "header:x-user", virtual_nodes: 32, bounded_load: 1.25}, zone_aware: false,
             max_connection_age: 10m, tls: {ca: /ca, server_name: web.edge, certificate: /c, key: /k},
             outlier: {ejection: 90s}, slow_start: 3s, connect_timeout: 1500ms}
          - {name: y, service: s, on_suspect: drain, load: local, max_outstanding: 4}
          - {name: z, members: {tags: {role: web}, port: 8080}, panic_threshold_percent: 0}
        listeners:
          - {name: in, bind: "10.0.0.17:15000", service: s, accept_proxy_protocol: true, max_connections: 6}
          - {name: tls, bind: "127.0.0.1:1443", upstream: y, tls: {certificates: [{certificate: /a, key: /b}, {certificate: /c}],
             client_ca: /ca, client_auth: optional, allow_san: ["spiffe://edge/*"], alpn: [h2], min_version: "1.3"}}
          - {name: names, bind: "127.0.0.1:2443", upstream: y, sni: [{match: "*.edge", upstream: z}]}
          - {name: out, bind: "127.0.0.1:0", upstream: x, send_proxy_protocol: v2, idle_timeout: 90m}
        admin: {bind: "127.0.0.1:1", token_file: /t}
        access_log: {path: /var/log/a, format: text, sample: 0.125}
        shutdown: {drain: 45s}

        """

    @Test("It reads back as itself, whatever differs from the defaults")
    func roundTrip() throws {
        let configuration = try ConfigFile.parse(Self.file, file: "f", hostName: "host")
        #expect(try ConfigFile.parse(configuration.text, file: "g", hostName: "other") == configuration)
    }

    @Test("It says the defaults, too")
    func defaults() throws {
        let file =
            "upstreams: [{name: x, endpoints: [10.0.0.1:80]}]\nlisteners: [{name: i, bind: 127.0.0.1:0, upstream: x}]\n"
        let text = try ConfigFile.parse(file, file: "f", hostName: "host").text
        for line in [#""bind": "127.0.0.1:9901""#, #""idle_timeout": "1h""#, #""balance": "p2c""#, #""name": "host""#] {
            #expect(text.contains(line), "\(line)")
        }
    }

    @Test("Keys are not in it")
    func secrets() throws {
        let key = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
        let file = Self.file.replacing("label: edge", with: "keys: [\(key)]")
        let text = try ConfigFile.parse(file, file: "f", hostName: "host").text
        #expect(!text.contains(key))
        #expect(text.contains(#""keys": ["a key of 24 bytes (not shown)"]"#))
    }

    /// Of one upstream with these further keys.
    private func checksum(_ keys: String, more: String = "") throws -> UInt32 {
        let file =
            "upstreams: [{name: x, endpoints: [10.0.0.1:80], \(keys)}\(more)]\n"
            + "listeners: [{name: i, bind: 127.0.0.1:0, upstream: x}]\n"
        return try ConfigFile.parse(file, file: "f", hostName: "host").upstreamsChecksum
    }

    @Test("The checksum of upstreams is that of what they do: where a node keeps its TLS files is its own")
    func checksum() throws {
        let own = "tls: {server_name: x.edge, ca: /a/ca.pem, certificate: /a/x.pem, key: /a/x.key}"
        let here = try checksum(own)
        #expect(try checksum(own.replacing("/a/", with: "/nodes/b/")) == here)
        #expect(try checksum("balance: p2c, \(own)") == here, "a default that is written is the default")
        for other in [
            own.replacing("x.edge", with: "y.edge"), "slow_start: 0s", "balance: random, \(own)",
            "\(own), slow_start: 1s",
        ] {
            #expect(try checksum(other) != here, "\(other)")
        }
        #expect(
            try checksum(own, more: ", {name: y, endpoints: [10.0.0.2:80]}")
                != checksum(own, more: ", {name: y, endpoints: [10.0.0.3:80]}"))
    }
}
