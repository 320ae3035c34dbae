// What the admin port of a real remora says of its config, its numbers and its log.

import Foundation
import Testing
import Vocabulary

@Suite("Paths of the admin port")
struct AdminPathTests {
    @Test("/config is what runs, defaults included, and has no key in it")
    func config() throws {
        let key = Data(repeating: 0x5A, count: 32).base64EncodedString()
        let host = LoopbackHosts.host(230)
        let member = FleetConfig(name: "a", bind: "\(host):7946", more: ", keys: [\"\(key)\"]", drain: "7s")
        try withMember(member) { _, admin in
            let (status, body) = try get("/config", from: admin)
            #expect(status == 200)
            let config = try #require(JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
            #expect((config["node"] as? [String: Any])?["name"] as? String == "a")
            #expect((config["shutdown"] as? [String: Any])?["drain"] as? String == "7s")
            let listener = (config["listeners"] as? [[String: Any]])?.first
            #expect(listener?["name"] as? String == "in")
            #expect(listener?["idle_timeout"] as? String == "1h")
            #expect(!body.contains(key))
        }
    }

    @Test("/metrics counts what passed")
    func metrics() throws {
        let instance = try Instance("only")
        defer { instance.end() }
        try withRemora(TestConfig(endpoints: [instance.address])) { remora in
            let ready = try remora.ready()
            for _ in 0..<3 { #expect(request(through: ready.listener) == "only") }
            // The client has its answer before the worker has seen the end.
            for line in [
                #"remora_listener_connections_total{listener="in"} 3"#,
                #"remora_upstream_first_byte_seconds_count{upstream="out"} 3"#,
                #"remora_upstream_lifetime_seconds_bucket{upstream="out",le="+Inf"} 3"#,
            ] {
                try Wait.until(try get("/metrics", from: ready.admin).body.contains("\n\(line)\n"), is: true)
            }
        }
    }

    @Test("A level set over the admin port is the log's from then on; one that is none changes nothing")
    func logLevel() throws {
        let config = TestConfig(endpoints: [.ipv4(.loopback, port: 1)])
        try withRemora(config, options: ["--log-level", "error"]) { remora in
            let admin = try remora.ready().admin
            #expect(try setLogLevel("loud", admin).hasPrefix("HTTP/1.1 400 "))
            #expect(try setLogLevel("debug", admin).hasPrefix("HTTP/1.1 200 "))
            // Others may already say what they did not before.
            _ = try remora.log.line(containing: "the admin port has set the log level to debug")
            #expect(try get("/log-level?level=error", from: admin).status == 405)
        }
    }

    private func setLogLevel(_ level: String, _ admin: SocketAddress) throws -> String {
        let peer = try Peer(to: admin)
        try peer.send("POST /log-level?level=\(level) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return try peer.receiveAll()
    }
}
