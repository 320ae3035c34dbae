import Gossip
import GossipWire
import Testing

/// Three live agents, with and without encryption: once the layers are off, every message is read, and written again
/// byte for byte.
@Suite("A live fleet's messages")
struct MessageCaptureTests {
    /// A sample, and the key to it.
    struct Live: Sendable, CustomTestStringConvertible {
        let sample: CapturedSample
        let key: [UInt8]?
        var testDescription: String { sample.testDescription }
    }

    static let live =
        CapturedSample.load("capture-plain").map { Live(sample: $0, key: nil) }
        + CapturedSample.load("capture-encrypted").map {
            Live(sample: $0, key: CapturedSample.key(of: "capture-encrypted"))
        }

    @Test("Every sample is there to be tested")
    func nothingSkipped() {
        #expect(Self.live.count == 75 + 72)
        #expect(Self.live.filter { $0.key != nil }.count == 72)
        #expect(Self.live.allSatisfy { $0.sample.proto == "udp" || $0.sample.proto == "tcp" })
        #expect(Self.live.filter { $0.sample.proto == "tcp" }.count == 8)
    }

    @Test("Datagrams hold the messages that they are said to hold", arguments: live.filter { $0.sample.proto == "udp" })
    func datagram(live: Live) throws {
        var layers = try Layers(key: live.key)
        let bytes = try layers.unwrapped(live.sample.bytes)
        var codec = Codec()
        let (messages, report) = codec.decode(bytes)
        let expected = live.sample.layers.split(separator: " ").filter {
            $0 != "crc" && $0 != "compress:" && $0 != "]" && !$0.hasPrefix("compound")
        }
        #expect(messages.map(\.kind) == expected.map(String.init))
        #expect(report.messages == messages.count && report.fault == nil)
        for message in messages { try examine(message) }
        // Agents write what we write, down to the byte.
        #expect(codec.encode(messages) == expanded(bytes) ?? bytes)
    }

    @Test(
        "Push-pulls are read, Serf's state in them too, and written",
        arguments: live.filter { $0.sample.proto == "tcp" })
    func stream(live: Live) throws {
        let layers = try Layers(key: live.key)
        let bytes = try #require(try layers.read(live.sample.bytes, from: .dialler))
        var codec = Codec()
        let message = try codec.decodeStream(bytes)
        guard case .pushPull(let exchange) = message else {
            Issue.record("no push-pull")
            return
        }
        #expect(exchange.isJoin && !exchange.members.isEmpty)
        #expect(exchange.members.allSatisfy { $0.record.versions == .serf && $0.state == .alive })
        guard case .state(let state) = try SerfMessage(exchange.userState) else {
            Issue.record("no state of Serf's")
            return
        }
        #expect(state.time > LamportTime(0) && !state.statuses.isEmpty && state.events.isEmpty)
        #expect(codec.encode(message) == expanded(bytes))
    }

    /// Looks into what is opaque to memberlist.
    private func examine(_ message: Message) throws {
        switch message {
        case .user(let body):
            #expect(try SerfMessage(body).bytes == body)
        case .ack(let ack):
            let coordinate = try #require(try SerfCoordinate.read(payload: ack.payload))
            var bytes: [UInt8] = []
            coordinate.append(to: &bytes)
            #expect(bytes == ack.payload)
        case .alive(let alive):
            let tags = try #require(SerfTags(meta: alive.record.meta))
            #expect(tags.meta == alive.record.meta && !alive.record.isRemora)
        case .ping, .indirectPing, .nack, .suspect, .dead, .viewChecksum:
            break
        }
    }
}
