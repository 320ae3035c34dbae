import Routing
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

@Suite("What connections are known by")
struct ConnectionKeyTests {
    private static func facts(peer: String? = nil) throws -> ConnectionFacts {
        ConnectionFacts(peer: try peer.map { try SocketAddress(parsing: $0) }, local: nil)
    }

    /// XXH64 of the octets, worked out by another implementation.
    @Test(
        "An address is its octets, without its port",
        arguments: [
            ("10.0.0.1:1", 0x4956_3B50_83B9_9AFF), ("10.0.0.1:65535", 0x4956_3B50_83B9_9AFF),
            ("[::ffff:10.0.0.1]:5", 0x4956_3B50_83B9_9AFF), ("[fd00::1]:1", 0xCEDA_B9E3_F15C_0EA6),
        ] as [(String, UInt64)])
    func addresses(address: String, expected: UInt64) throws {
        #expect(HashKey.sourceIP.hash(of: try Self.facts(peer: address)) == expected)
    }

    @Test("A unix socket and no address are no key")
    func nobody() throws {
        #expect(HashKey.sourceIP.hash(of: try Self.facts(peer: "unix:/run/x")) == nil)
        #expect(HashKey.sourceIP.hash(of: try Self.facts()) == nil)
    }

    @Test("Texts are their bytes, whatever kind of key they are")
    func texts() throws {
        var facts = try Self.facts(peer: "10.0.0.1:1")
        let kinds: [HashKey] = [.serverName, .proxyAuthority, .header("a"), .cookie("a"), .path]
        for key in kinds { #expect(key.hash(of: facts) == nil, "\(key)") }
        facts.hello = ClientHello()
        #expect(HashKey.serverName.hash(of: facts) == nil)
        facts.hello = ClientHello(serverName: "a.ingest.edge")
        facts.authority = "a.ingest.edge"
        #expect(HashKey.serverName.hash(of: facts) == 0x8538_F9CA_9AB4_254B)
        #expect(HashKey.proxyAuthority.hash(of: facts) == 0x8538_F9CA_9AB4_254B)
        facts.requestPart = Array("/a/b".utf8)
        #expect(HashKey.path.hash(of: facts) == 0xA6FB_D656_F14B_6C28)
        facts.requestPart = Array("ann".utf8)
        #expect(HashKey.header("a").hash(of: facts) == 0x0B41_BEBA_4034_6EBE)
        #expect(HashKey.cookie("a").hash(of: facts) == 0x0B41_BEBA_4034_6EBE)
    }

    @Test("An age is drawn within a tenth, and the end is as far again", arguments: [1, 1_000, 2_592_000])
    func ages(seconds: Int64) {
        var random = SeededRandom(seed: 5)
        let began = Instant(nanoseconds: 7_000)
        let limit = Duration.seconds(seconds)
        let ages = (0..<1000).map { _ in ConnectionAge(of: began, limit: limit, random: &random) }
        let drawn = ages.map { ($0.retires - began) / limit }
        #expect(drawn.allSatisfy { (0.9...1.1).contains($0) })
        #expect(drawn.contains { $0 < 0.91 } && drawn.contains { $0 > 1.09 })
        #expect(abs(drawn.reduce(0, +) / 1000 - 1) < 0.01)
        #expect(ages.allSatisfy { $0.expires - $0.retires == $0.retires - began })
    }

    @Test("The shortest age is one all the same")
    func shortest() {
        var random = SeededRandom(seed: 5)
        let age = ConnectionAge(of: Instant(nanoseconds: 0), limit: .nanoseconds(1), random: &random)
        #expect(age.retires == Instant(nanoseconds: 1) && age.expires == Instant(nanoseconds: 2))
    }
}
