import Gossip
import GossipWire
import Testing

@Suite("A live fleet's messages")
struct CaptureTests {
    static let samples = CapturedSample.load("capture-plain")

    @Test("Every sample is there to be tested")
    func nothingSkipped() {
        #expect(Self.samples.count == 75)
        #expect(Self.samples.filter { $0.proto == "tcp" }.count == 4)
    }

    @Test("Datagrams hold the messages that they are said to hold", arguments: samples.filter { $0.proto == "udp" })
    func datagram(sample: CapturedSample) throws {
        let bytes = try withoutChecksum(sample)
        var codec = Codec()
        let (messages, report) = codec.decode(bytes)
        let expected = sample.layers.split(separator: " ").filter {
            $0 != "crc" && $0 != "compress:" && $0 != "]" && !$0.hasPrefix("compound")
        }
        #expect(messages.map(\.kind) == expected.map(String.init))
        #expect(report.messages == messages.count && report.fault == nil)
        for message in messages { try examine(message) }
        // Agents write what we write, down to the byte.
        #expect(codec.encode(messages) == (try expanded(bytes)))
    }

    @Test("Push-pulls are read, Serf's state in them too, and written", arguments: samples.filter { $0.proto == "tcp" })
    func stream(sample: CapturedSample) throws {
        #expect(sample.layers == "compress: push/pull")
        var codec = Codec()
        var scanner = StreamScanner()
        #expect(scanner.scan(sample.bytes.span) == .whole(sample.bytes.count))
        let message = try codec.decodeStream(sample.bytes)
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
        #expect(codec.encode(message) == (try expanded(sample.bytes)))
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

    private func withoutChecksum(_ sample: CapturedSample) throws -> [UInt8] {
        guard sample.layers.hasPrefix("crc ") else { return sample.bytes }
        try #require(sample.bytes[0] == 12)
        let content = Array(sample.bytes.dropFirst(5))
        let checksum = CRC32.checksum(of: content.span)
        #expect(sample.bytes[1...4].reduce(0) { $0 << 8 | UInt32($1) } == checksum)
        return content
    }

    /// What a compression holds, by LZW alone: the agents' compressions are a map of two, the second one a raw with a
    /// header of one or three bytes.
    private func expanded(_ bytes: [UInt8]) throws -> [UInt8] {
        guard bytes[0] == 9 else { return bytes }
        let prefix = [9, 0x82, 0xA4] + Array("Algo".utf8) + [0, 0xA3] + Array("Buf".utf8)
        try #require(bytes.starts(with: prefix))
        let compressed = Array(bytes.dropFirst(prefix.count + (bytes[prefix.count] == 0xDA ? 3 : 1)))
        var plain: [UInt8] = []
        try #require(unsafe compressed.withUnsafeBytes { unsafe LZW.decompress($0, limit: 1 << 16, into: &plain) })
        return plain
    }
}
