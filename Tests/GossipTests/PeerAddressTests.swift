import Gossip
import Testing
import Vocabulary

@Suite("Addresses of peers")
struct PeerAddressTests {
    private func peer(_ text: String) throws -> PeerAddress? { PeerAddress(try SocketAddress(parsing: text)) }

    @Test("An IPv4 address and its IPv6-mapped form are one address")
    func mapped() throws {
        let plain = try #require(try peer("10.1.2.3:7946"))
        let mapped = try #require(try peer("[::ffff:10.1.2.3]:7946"))
        #expect(plain == mapped && plain.hashValue == mapped.hashValue)
        #expect(mapped.isIPv4)
        #expect(mapped.socketAddress == .ipv4(SocketAddress.IPv4(bits: 0x0A01_0203), port: 7946))
    }

    @Test("Host and port both tell addresses apart, and near-mapped forms are IPv6")
    func different() throws {
        let texts = [
            "10.1.2.3:7946", "10.1.2.3:7947", "10.1.2.4:7946", "[::10.1.2.3]:7946", "[::fffe:10.1.2.3]:7946",
            "[1::ffff:10.1.2.3]:7946", "[::1]:7946",
        ]
        let peers = try texts.map { try #require(try peer($0)) }
        #expect(Set(peers).count == texts.count)
        #expect(peers.map(\.isIPv4) == [true, true, true, false, false, false, false])
    }

    @Test(
        "An address is written as people write it", arguments: ["10.1.2.3:0", "255.255.255.255:65535", "[fd00::1]:80"])
    func text(text: String) throws {
        #expect(try peer(text)?.description == text)
        #expect(try peer(text)?.socketAddress == SocketAddress(parsing: text))
    }

    @Test("A unix path is no peer's address")
    func unix() throws {
        #expect(try peer("unix:/run/x.sock") == nil)
    }
}
