import Gossip
import GossipWire
import Testing

@Suite("Serf's messages, against the reference's bytes")
struct SerfVectorTests {
    static let vectors = WireVector.load("serf")

    private enum Group: Hashable { case tags, coordinate, message }

    private static func group(_ vector: WireVector) -> Group {
        if vector.fields?["tags"] != nil { return .tags }
        return vector.id.hasPrefix("ack-coordinate") ? .coordinate : .message
    }

    @Test("Every vector is there to be tested")
    func nothingSkipped() {
        let counts = Dictionary(grouping: Self.vectors, by: Self.group).mapValues(\.count)
        #expect(counts == [.tags: 8, .coordinate: 2, .message: 17])
    }

    @Test("Tags are read from a meta, and written", arguments: vectors.filter { group($0) == .tags })
    func tags(vector: WireVector) throws {
        let tags = try #require(SerfTags(meta: vector.bytes))
        #expect(tags.described == vector.fields?["tags"])
        // The bare role is Serf's protocol 2, which we never speak.
        if vector.isExact, vector.id != "role-only-v2" { #expect(tags.meta == vector.bytes) }
        #expect(SerfTags(meta: tags.meta) == tags)
    }

    @Test("Coordinates are read from a payload, and written", arguments: vectors.filter { group($0) == .coordinate })
    func coordinate(vector: WireVector) throws {
        let coordinate = try #require(try SerfCoordinate.read(payload: vector.bytes))
        #expect(coordinate.described == vector.fields)
        var bytes: [UInt8] = []
        coordinate.append(to: &bytes)
        #expect(bytes == vector.bytes)
        if vector.id == "ack-coordinate-initial" { #expect(coordinate == .initial) }
    }

    @Test(
        "Messages have the reference's fields, and exact ones its bytes",
        arguments: vectors.filter { group($0) == .message })
    func message(vector: WireVector) throws {
        let message = try SerfMessage(vector.bytes)
        var fields = try #require(vector.fields)
        if let ring = fields["EventsCount"]?.integer {
            // All of the ring's places are empty.
            #expect(ring == 512)
            fields = .object([
                "LTime": .number(2), "EventLTime": .number(1), "QueryLTime": .number(1), "LeftMembers": .array([]),
                "StatusLTimes": .object(["a": .number(1)]), "Events": .array([]),
            ])
        }
        if let events = fields["Events"] {
            fields = fields.with("Events", .array(events.elements.filter { $0 != .null }))
        }
        #expect(message.described == fields)
        if vector.isExact { #expect(message.bytes == vector.bytes) }
        #expect(try SerfMessage(message.bytes) == message)
    }

    @Test("A query's filters are read, and written")
    func filters() throws {
        let vector = try #require(Self.vectors.first { $0.id == "query-filters" })
        guard case .query(let query) = try SerfMessage(vector.bytes) else {
            Issue.record("no query")
            return
        }
        let filters = try query.filters.map { try SerfFilter(reading: $0) }
        #expect(filters == [.nodes(["a", "b"]), .tag("role", expression: "^web$")])
        let written = filters.map { filter in
            var bytes: [UInt8] = []
            filter.append(to: &bytes)
            return bytes
        }
        #expect(written == query.filters)
        #expect(throws: WireFault.unexpectedType(2)) { try SerfFilter(reading: [2, 0x90]) }
        #expect(throws: WireFault.empty) { try SerfFilter(reading: []) }
    }

    @Test("A relayed message is handed on as it came")
    func relay() throws {
        let vector = try #require(Self.vectors.first { $0.id == "relay" })
        guard case .relay(let relay) = try SerfMessage(vector.bytes) else {
            Issue.record("no relay")
            return
        }
        #expect(try SerfMessage(relay.message).described["From"] == .text("b"))
        let header = vector.bytes.dropLast(relay.message.count)
        #expect(throws: WireFault.empty) { try SerfMessage(Array(header)) }
    }
}
