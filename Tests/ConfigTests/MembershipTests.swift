// What a right section `membership` becomes.

import Gossip
import GossipWire
import Stores
import Testing

@testable import Config
@testable import Vocabulary

@Suite("Membership")
struct MembershipTests {
    private func membership(_ text: String, node: String = "{}") throws -> MembershipOptions {
        let configuration = try ConfigFile.parse(
            "\(GoodFileTests.minimal)\nnode: \(node)\nmembership: \(text)\n", file: "edge.yaml", hostName: "host")
        return try #require(configuration.membership)
    }

    private func peer(_ d: UInt32) -> PeerAddress { PeerAddress(SocketAddress.IPv4(bits: 10 << 24 | d), port: 7946) }

    @Test("Every key arrives in its option")
    func everyKey() throws {
        let options = try membership(
            """
            {bind: "0.0.0.0:7946", advertise: 10.0.0.17:7946, join: [10.0.0.1:7946, 10.0.0.2:7946], profile: wan,
              keys: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, "AAECAwQFBgcICQoLDA0ODw=="], label: edge ü,
              reclaim_after: 2h, tuning: {probe_interval: 2s, probe_timeout: 600ms, indirect_checks: 2,
              suspicion_multiplier: 3, gossip_interval: 100ms, gossip_nodes: 5, push_pull_interval: 20s},
              telemetry: {bytes_per_second: 16KiB}, roster: {file: /etc/remora/roster.yaml}}
            """, node: "{name: edge-017, zone: pacific, tags: {rack: r7}}")
        var gossip = GossipOptions.wan
        gossip.probeInterval = .seconds(2)
        gossip.probeTimeout = .milliseconds(600)
        gossip.indirectChecks = 2
        gossip.suspicionMultiplier = 3
        gossip.gossipInterval = .milliseconds(100)
        gossip.gossipNodes = 5
        gossip.pushPullInterval = .seconds(20)
        gossip.reclaimAfter = .seconds(7_200)
        gossip.seeds = [peer(1), peer(2)]
        #expect(options.gossip == gossip)
        #expect(options.bind == .ipv4(SocketAddress.IPv4(bits: 0), port: 7946) && options.advertise == peer(17))
        #expect(options.join == [peer(1), peer(2)])
        #expect(options.keys.map(\.bytes) == [Array(0..<32), Array(0..<16)])
        #expect(options.label == Label("edge ü"))
        #expect(options.telemetryBytesPerSecond == .kibibytes(16))
        #expect(options.roster == .file(path: "/etc/remora/roster.yaml"))
        #expect(options.tags.tags.map { "\($0.name)=\($0.value)" } == ["rack=r7", "remora=1:0", "zone=pacific"])
    }

    @Test(
        "What is left out is the profile's",
        arguments: zip(["lan", "wan", "local"], [GossipOptions.lan, .wan, .local]))
    func profiles(name: String, options: GossipOptions) throws {
        let membership = try membership("{bind: 127.0.0.1:0, profile: \(name)}")
        #expect(membership.gossip == options)
        #expect(membership.keys.isEmpty && membership.label == .none && membership.join.isEmpty)
        #expect(membership.advertise == nil && membership.roster == nil)
        #expect(membership.telemetryBytesPerSecond == .kibibytes(2))
    }

    @Test("Telemetry may be off")
    func noTelemetry() throws {
        let options = try membership("{bind: 127.0.0.1:0, telemetry: {bytes_per_second: 0B}}")
        #expect(options.telemetryBytesPerSecond == ByteCount(0))
    }

    @Test("A roster in etcd arrives with all that reaching it takes")
    func etcd() throws {
        let options = try membership(
            """
            {bind: 127.0.0.1:0, roster: {etcd: {endpoints: [https://etcd-0.etcd:2379, "http://[fd00::1]:1", https://10.0.0.1:2380],
              prefix: /fleet/, username: remora, password_file: /run/password, ca: /etc/ca.pem, certificate: /etc/c.pem,
              key: /etc/k.pem}}}
            """)
        #expect(
            options.roster
                == .etcd(
                    EtcdOptions(
                        endpoints: [
                            EtcdOptions.Endpoint(isSecure: true, host: "etcd-0.etcd", port: 2_379),
                            EtcdOptions.Endpoint(isSecure: false, host: "fd00::1", port: 1),
                            EtcdOptions.Endpoint(isSecure: true, host: "10.0.0.1", port: 2_380),
                        ],
                        prefix: "/fleet/", username: "remora", passwordFile: "/run/password", ca: "/etc/ca.pem",
                        certificate: "/etc/c.pem", key: "/etc/k.pem")))
    }

    @Test("Of a roster in etcd only the endpoints need be said")
    func plainEtcd() throws {
        let options = try membership("{bind: 127.0.0.1:0, roster: {etcd: {endpoints: [http://127.0.0.1:2379]}}}")
        let endpoint = EtcdOptions.Endpoint(isSecure: false, host: "127.0.0.1", port: 2_379)
        #expect(options.roster == .etcd(EtcdOptions(endpoints: [endpoint], prefix: "/remora/roster/")))
    }

    @Test("Without the section there is no membership, and the profile is lan where it does not say")
    func defaults() throws {
        #expect(
            try ConfigFile.parse(GoodFileTests.minimal, file: "f", hostName: "host").membership == nil)
        #expect(try membership("{bind: 127.0.0.1:7946}").gossip == .lan)
    }

    @Test("Tags may fill gossip's meta to the last byte")
    func fullMeta() throws {
        let value = { (count: Int) in String(repeating: "x", count: count) }
        let options = try membership(
            "{bind: 127.0.0.1:0}", node: #"{tags: {a: "\#(value(250))", b: "\#(value(235))"}}"#)
        // A port of probes, which is known only at run time, may take four digits more than none.
        #expect(options.tags.meta.count == MemberRecord.longestMeta - 4)
    }

    @Test("A key is never printed")
    func secrecy() throws {
        let options = try membership("{bind: 127.0.0.1:0, keys: [AAECAwQFBgcICQoLDA0ODw==]}")
        var dumped = ""
        dump(options, to: &dumped)
        for text in ["\(options)", String(reflecting: options), dumped, "\(options.keys)"] {
            #expect(text.contains("16 bytes (not shown)"))
            #expect(!text.contains("AAEC") && !text.contains("14, 15"))
        }
    }

    @Test(
        "Base64 is read and written as RFC 4648 has it, padding and all",
        arguments: [
            ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"), ("Pz8/Pj4+", "???>>>"),
        ])
    func base64(text: String, plain: String) {
        #expect(Base64.decode(text) == Array(plain.utf8))
        #expect(Base64.encode(Array(plain.utf8)) == text)
    }

    @Test(
        "What is no base64 is not read",
        arguments: ["Z", "Zg", "Zg=", "Zg===", "=", "====", "Zm9-", "Zm 9", "Z=g=", "Zm9v\n", "ü"])
    func notBase64(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}
