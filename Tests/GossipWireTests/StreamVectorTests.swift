import Gossip
import GossipWire
import Testing

@Suite("Messages of streams, against the reference's bytes")
struct StreamVectorTests {
    static let streams = WireVector.load("streams")
    private static let newer = WireVector.load("newer-codec")
    private static let error = WireVector.load("messages").filter { $0.id == "err" }
    static let whole = streams + newer.filter(\.isStream) + error

    @Test("Every vector is there to be tested")
    func nothingSkipped() {
        #expect(Self.streams.count == 9)
        #expect(Self.whole.count == 9 + 1 + 1)
        #expect(Self.whole.allSatisfy { $0.isAccepted && $0.fields != nil })
        #expect(Self.newer.filter { $0.layer == "bytes" }.count == 7)
    }

    @Test("Messages have the reference's fields, and exact ones its bytes", arguments: whole)
    func reference(vector: WireVector) throws {
        var codec = Codec()
        let message = try codec.decodeStream(vector.bytes)
        let fields = try #require(vector.fields)
        let described = message.described(in: codec.directory)
        if let count = fields["NodeCount"]?.integer {
            let members = described["Nodes"]?.elements ?? []
            #expect(members.count == count)
            for (index, member) in members.enumerated() { #expect(member == .ruled(index)) }
            #expect(described["Join"] == fields["Join"] && described["UserStateLen"] == fields["UserStateLen"])
        } else if case .user(let body) = message, body.isEmpty {
            #expect(fields == .object(["UserMsgLen": .number(0)]))
        } else {
            #expect(described == fields)
        }
        if vector.isExact { #expect(codec.encode(message) == vector.bytes) }
    }

    @Test("The newer codec's lengths are read", arguments: newer.filter { $0.layer == "bytes" })
    func newerLengths(vector: WireVector) throws {
        var codec = Codec()
        let length = try #require(vector.fields?["UserMsgLen"]?.integer)
        let body = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        guard case .user(let read) = try codec.decodeStream([8] + vector.bytes + body) else {
            Issue.record("no user message")
            return
        }
        #expect(read == body)
    }

    @Test("A header with another boolean and signed lengths is read")
    func alternativeHeader() throws {
        let vector = try #require(WireVector.load("msgpack").first { $0.id == "lib-bool-01" })
        var codec = Codec()
        let record = MemberRecord(
            address: PeerAddress(.init(bits: 0x0A00_0001), port: 7946), meta: nil, versions: .serf, isRemora: false)
        let claims = (0..<200).map { index in
            MemberClaim(node: codec.directory.intern("n\(index)"), incarnation: 1, state: .alive, record: record)
        }
        let exchange = PushPull(isJoin: false, members: claims, userState: [UInt8](repeating: 7, count: 70_000))
        // The type, the map, `Join` and its value, `Nodes` and two bytes, `UserStateLen` and five.
        let body = codec.encode(.pushPull(exchange)).dropFirst(1 + 1 + 6 + 8 + 18)
        let read = try codec.decodeStream([6] + vector.bytes + body).described(in: codec.directory)
        for (key, value) in [("Join", JSON.boolean(true)), ("UserStateLen", .number(70_000))] {
            #expect(read[key] == value && vector.fields?[key] == value)
        }
        #expect(read["Nodes"]?.elements.count == vector.fields?["Nodes"]?.integer)
    }
}

extension JSON {
    /// A member of the vectors of two hundred, by the rule that stands beside them.
    fileprivate static func ruled(_ index: Int) -> JSON {
        .object([
            "Name": .text("n\(index)"), "Addr": .bytes([10, 2, UInt8(index / 250), UInt8(index % 250)]),
            "Port": .number(7946), "Incarnation": .number(11 * index), "State": .number(index % 4), "Meta": .null,
            "Vsn": .bytes([1, 5, 2, 2, 5, 5]),
        ])
    }
}
