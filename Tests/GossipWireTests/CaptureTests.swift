import GossipWire
import Testing

/// Three live agents, with and without encryption: what each sample's layers hold is what its summary says.
@Suite("Captured layers")
struct CaptureTests {
    @Test("Every sample is there to be tested")
    func nothingSkipped() {
        #expect(CapturedSample.load("capture-plain").count == 75)
        #expect(CapturedSample.load("capture-encrypted").count == 72)
    }

    @Test("The layers come off, plain", arguments: CapturedSample.load("capture-plain"))
    func plain(sample: CapturedSample) throws {
        try check(sample, key: nil)
    }

    @Test("The layers come off, encrypted", arguments: CapturedSample.load("capture-encrypted"))
    func encrypted(sample: CapturedSample) throws {
        let key = try #require(CapturedSample.key(of: "capture-encrypted"))
        try check(sample, key: key)
    }

    private func check(_ sample: CapturedSample, key: [UInt8]?) throws {
        var layers = try Layers(key: key, compresses: true)
        var words = sample.layers.split(separator: " ").map(String.init)
        func takeWord(_ word: String) -> Bool {
            guard words.first == word else { return false }
            words.removeFirst()
            return true
        }
        // A datagram's summary does not say that it was encrypted.
        #expect(takeWord("encrypted") == (sample.proto == "tcp" && key != nil))
        let hasChecksum = takeWord("crc")
        let message: [UInt8]
        switch sample.proto {
        case "udp":
            message = try layers.unwrapped(sample.bytes)
            let overhead = (key == nil ? 0 : 29) + (hasChecksum ? 5 : 0)
            #expect(message.count == sample.bytes.count - overhead)
        case "tcp":
            let read = try layers.read(sample.bytes, from: .dialler, inPiecesOf: [1, 100])
            message = try #require(read)
        default:
            Issue.record("neither packet nor stream: \(sample.proto)")
            return
        }
        var inner = message
        if takeWord("compress:") {
            inner = try #require(expanded(message))
            // What the agent compressed is what we would have sent.
            let ours =
                try sample.proto == "udp"
                ? layers.unwrapped(layers.wrapped(inner))
                : layers.read(layers.wrapped(inner, by: .dialler), from: .dialler)
            #expect(ours == message)
        }
        try #expect(inner.first == type(named: #require(words.first)))
        // Behind the layers is what the decoder reads without a fault.
        var codec = Codec()
        if sample.proto == "udp" {
            let (messages, report) = codec.decode(message)
            #expect(report.fault == nil)
            #expect(messages.map(\.kind) == words.filter { $0 != "]" && !$0.hasPrefix("compound") })
        } else {
            _ = try codec.decodeStream(message)
        }
    }

    private func type(named word: String) throws -> UInt8 {
        let kind = word.prefix { $0.isLetter || $0 == "-" }
        let types: [Substring: UInt8] = [
            "ping": 0, "indirect-ping": 1, "ack": 2, "suspect": 3, "alive": 4, "dead": 5, "push": 6, "compound": 7,
            "user": 8, "nack": 11,
        ]
        return try #require(types[kind], "an unknown summary: \(word)")
    }
}
