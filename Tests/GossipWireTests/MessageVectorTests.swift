import Gossip
import GossipWire
import Testing

@Suite("Messages of datagrams, against the reference's bytes")
struct MessageVectorTests {
    static let plain = WireVector.load("messages")
    static let dialect = WireVector.load("msgpack")
    static let newer = WireVector.load("newer-codec")
    static let compounds = WireVector.load("compound")

    private static let lengths = dialect.filter { $0.extra?.total_len != nil }
    private static let single = (plain + dialect + newer).filter { $0.layer == "packet" && $0.id != "err" }

    /// Vectors where remora decides otherwise, or cannot tell.
    private enum Exception {
        /// An empty payload and none are the same here; none is written.
        static let emptyPayload = "ack-empty-payload"
        /// Without an address there is nobody to announce: refused, though well-formed.
        static let noAddress = "lib-alive-vsn-array"
        /// The older codec refuses the binary family for keys; we take it, as the newer one does.
        static let binaryKey = "lib-bin8-key"
    }

    @Test("Every vector is there to be tested")
    func nothingSkipped() {
        #expect(Self.plain.count == 19 && Self.dialect.count == 40 && Self.newer.count == 10)
        #expect(Self.compounds.count == 10)
        #expect(Self.lengths.count == 9)
        // The rest are streams, and the fragment of one: StreamVectorTests has them.
        #expect(Self.single.count == 18 + 30 + 2)
    }

    @Test(
        "Accepted messages have the reference's fields, and exact ones its bytes",
        arguments: single.filter(\.isAccepted))
    func accepted(vector: WireVector) throws {
        var codec = Codec()
        if vector.id == Exception.noAddress {
            #expect(throws: WireFault.badAddress(length: 0)) { try codec.decodeOne(vector.bytes) }
            return
        }
        let message = try codec.decodeOne(vector.bytes)
        let fields = try #require(vector.fields)
        if vector.id == Exception.emptyPayload {
            #expect(message.described(in: codec.directory) == fields.with("Payload", .null))
            #expect(codec.encode(message) == [UInt8](hex: "0282a75061796c6f6164c0a55365714e6fcd7fff"))
            return
        }
        #expect(message.described(in: codec.directory) == fields)
        if vector.isExact { #expect(codec.encode(message) == vector.bytes) }
    }

    @Test("Refused messages are refused", arguments: single.filter { !$0.isAccepted })
    func refused(vector: WireVector) throws {
        var codec = Codec()
        let (messages, report) = codec.decode(vector.bytes)
        if vector.id == Exception.binaryKey {
            #expect(messages.map { $0.described(in: codec.directory) } == [.object(["SeqNo": .number(9)])])
            return
        }
        #expect(messages.isEmpty && report.refused == 1 && report.fault != nil)
    }

    @Test("Texts of every boundary length have the reference's headers", arguments: lengths)
    func textLength(vector: WireVector) throws {
        var codec = Codec()
        let length = try #require(vector.extra?.n)
        let total = try #require(vector.extra?.total_len)
        let accusation = Accusation(
            node: codec.directory.intern(String(repeating: "x", count: length)), incarnation: 1,
            from: codec.directory.intern(""))
        let bytes = codec.encode(.suspect(accusation))
        #expect(bytes.count == total)
        #expect(bytes.prefix(35) == vector.bytes.prefix(min(total, 35)))
        #expect(
            try codec.decodeOne(bytes).described(in: codec.directory)["Node"]
                == .text(String(repeating: "x", count: length)))
    }

    @Test("Compounds hand over the parts that are there, in order", arguments: compounds)
    func compound(vector: WireVector) throws {
        var codec = Codec()
        let (messages, report) = codec.decode(vector.bytes)
        let fields = try #require(vector.fields)
        #expect(report.messages == messages.count)
        if let count = fields["count"]?.integer {
            #expect(
                messages.map { $0.described(in: codec.directory) }
                    == (0..<count).map { .object(["SeqNo": .number($0)]) })
            if count <= WireSize.longestCompound { #expect(codec.encode(messages) == vector.bytes) }
        } else if let delivered = fields["delivered_parts"]?.integer, let lost = fields["lost_parts"]?.integer {
            #expect(messages.count == delivered && report.fault == .partsLost(lost))
            return
        } else {
            let parts = try #require(fields["parts"]).elements.compactMap { part -> [UInt8]? in
                if case .text(let hex) = part { [UInt8](hex: hex) } else { nil }
            }
            // A part that is itself a compound is what its parts are.
            let expected = parts.flatMap { codec.decode($0).messages.map { $0.described(in: codec.directory) } }
            #expect(messages.map { $0.described(in: codec.directory) } == expected)
            if vector.id == "compound-2" || vector.id == "compound-3-big" {
                #expect(messages.count == parts.count && codec.encode(messages) == vector.bytes)
            }
        }
        #expect(report.fault == nil)
    }

    @Test("Compressed vectors hold what they were compressed from", arguments: WireVector.load("compress"))
    func compressed(vector: WireVector) throws {
        var codec = Codec()
        let plain = try #require(vector.fields?["plain"]?.content)
        let (messages, report) = codec.decode(vector.bytes)
        let inner = codec.decode(plain)
        // Some hold arbitrary bytes, refused once they are expanded; nothing at all is refused before.
        #expect(
            messages.map { $0.described(in: codec.directory) }
                == inner.messages.map { $0.described(in: codec.directory) })
        #expect(report == inner.report)
        #expect((report.fault == nil) == (plain.count > 1 && plain[0] != 0), "\(report)")
    }
}
