import Gossip
import GossipWire
import Testing

@Suite("What must be dropped")
struct MalformedVectorTests {
    /// Whose business it is that nothing comes of the bytes.
    enum Verdict: Hashable, Sendable {
        /// The message's bytes are refused.
        case refused(WireFault)
        /// A well-formed message that a member does not heed: another's name, an old incarnation, bad versions. The
        /// core's tests have these.
        case unheeded
        /// Checksums and sealing are stripped before there is a message. The layers' tests have these.
        case layered
    }

    static let vectors = WireVector.load("malformed")

    static let verdicts: [String: Verdict] = [
        "unknown-type-14": .refused(.unexpectedType(14)),
        "unknown-type-255": .refused(.unexpectedType(255)),
        "pushpull-on-packet": .refused(.unexpectedType(6)),
        "err-on-packet": .refused(.unexpectedType(13)),
        "encrypt-type-on-packet": .refused(.unexpectedType(10)),
        "compound-no-count": .refused(.noPartTable),
        "compound-short-table": .refused(.noPartTable),
        "compound-empty-part": .refused(.emptyPart),
        "crc-mismatch": .layered,
        "crc-empty-inner": .layered,
        "crc-too-short": .refused(.unexpectedType(12)),
        "crc-nested": .layered,
        "crc-in-compound": .refused(.unexpectedType(12)),
        "compress-bad-algo": .refused(.unknownAlgorithm(1)),
        "compress-garbage": .refused(.badCompression),
        "compress-truncated": .refused(.badCompression),
        "compress-empty-result": .refused(.empty),
        "suspect-not-msgpack": .refused(.notMessagePack(0xC1)),
        "alive-truncated": .refused(.cutShort),
        "ping-truncated": .refused(.cutShort),
        "ping-other-node": .unheeded,
        "alive-string-inc": .refused(.wrongKind),
        "alive-vsn-zero-min": .unheeded,
        "alive-vsn-min-gt-max": .unheeded,
        "alive-vsn-short": .refused(.badVersions(length: 3)),
        "suspect-unknown-node": .unheeded,
        "suspect-old-incarnation": .unheeded,
        "dead-old-incarnation": .unheeded,
        "alive-same-incarnation": .unheeded,
        "alive-conflict": .unheeded,
        "alive-conflict-mapped": .unheeded,
        "enc-wrong-key": .layered,
        "enc-plain-to-keyed": .layered,
        "enc-version-2": .layered,
        "enc-too-short": .layered,
        "enc-v0-too-short": .layered,
        "enc-bitflip": .layered,
        "enc-version-flip": .layered,
        "enc-aad-on-packet": .layered,
        "stream-unknown-type": .refused(.unexpectedType(99)),
        "stream-alive": .refused(.unexpectedType(4)),
        "stream-plain-to-keyed": .layered,
        "stream-encrypted-to-plain": .layered,
        "stream-wrong-key": .layered,
        "stream-oversize": .layered,
        "stream-vsn-incompatible-proto": .unheeded,
        "stream-vsn-current-out-of-range": .unheeded,
        "stream-delegate-zero-to-serf": .unheeded,
        "stream-dead-node-bad-version": .unheeded,
        "stream-truncated-nodes": .refused(.cutShort),
        "stream-tcp-ping-other-node": .unheeded,
    ]

    @Test("Every vector has a verdict, and none that a key is needed for is judged here")
    func nothingSkipped() {
        #expect(Self.vectors.count == 51)
        #expect(Set(Self.vectors.map(\.id)) == Set(Self.verdicts.keys))
        #expect(Self.vectors.allSatisfy { !$0.isAccepted })
        for vector in Self.vectors where vector.extra?.receiver_key != nil {
            #expect(Self.verdicts[vector.id] == .layered, "\(vector.id)")
        }
    }

    @Test("Bytes that are wrong are refused for what is wrong", arguments: vectors)
    func verdict(vector: WireVector) throws {
        var codec = Codec()
        switch (try #require(Self.verdicts[vector.id]), vector.isStream) {
        case (.refused(let fault), false):
            let (messages, report) = codec.decode(vector.bytes)
            #expect(messages.isEmpty && report.fault == fault && report.refused == 1, "\(report)")
            #expect(codec.directory.count == 0, "names of refused messages are not kept")
        case (.refused(let fault), true):
            #expect(throws: fault) { try codec.decodeStream(vector.bytes) }
        case (.unheeded, false):
            let (messages, report) = codec.decode(vector.bytes)
            #expect(messages.count == 1 && report.fault == nil)
        case (.unheeded, true):
            _ = try codec.decodeStream(vector.bytes)
        case (.layered, _):
            break
        }
    }
}
