import Gossip
import GossipWire
import Testing
import Vocabulary

@Suite("The decoder of messages")
struct MessageDecoderTests {
    @Test("One datagram bears a bounded number of messages, and of pings, however deep they are packed")
    func mostMessages() {
        func compound(_ part: [UInt8], _ count: Int) -> [UInt8] {
            var bytes: [UInt8] = [7, UInt8(count)]
            for _ in 0..<count { bytes += [UInt8(part.count >> 8), UInt8(part.count & 255)] }
            for _ in 0..<count { bytes += part }
            return bytes
        }
        let nack: [UInt8] = [11, 0x80]
        let ping: [UInt8] = [0, 0x80]
        for (part, most) in [(nack, MessageDecoder.mostMessages), (ping, MessageDecoder.mostRequests)] {
            var codec = Codec()
            let (messages, report) = codec.decode(compound(compound(part, 200), 50))
            #expect(messages.count == most && report.fault == .tooMany)
        }
    }

    // MARK: - Forms

    @Test(
        "A message may be an array of its fields, in the reference's order",
        arguments: [
            ("00950ca161c4040a000001cd1f0aa162", "ping"),
            ("0198" + "0c" + "a40a000002" + "cd1f0a" + "a174" + "c3" + "a40a000001" + "07" + "a162", "indirect-ping"),
            ("02920ca0", "ack"),
            ("0393" + "03" + "a162" + "a161", "suspect"),
            ("0496" + "03" + "a162" + "a40a000001" + "cd1f0a" + "a1ff" + "a6010502020505", "alive"),
            ("0593" + "03" + "a162" + "a161", "dead"),
        ])
    func arrays(hex: String, kind: String) throws {
        var codec = Codec()
        let message = try codec.decodeOne([UInt8](hex: hex))
        #expect(message.kind == kind)
        let fields = message.described(in: codec.directory)
        for (key, value) in [
            "SeqNo": JSON.number(12), "Incarnation": .number(3), "From": .text("a"), "SourceNode": .text("b"),
            "SourceAddr": .bytes([10, 0, 0, 1]), "Target": .bytes([10, 0, 0, 2]), "Meta": .bytes([0xFF]),
            "Vsn": .bytes([1, 5, 2, 2, 5, 5]), "Nack": .boolean(true),
        ] {
            if let found = fields[key] { #expect(found == value, "\(key)") }
        }
        // Fewer fields are zero, more are skipped.
        if kind == "suspect" {
            #expect(try codec.decodeOne([UInt8](hex: "039103")).described(in: codec.directory)["Node"] == .text(""))
            let longer = try codec.decodeOne(
                [UInt8](hex: "0395" + "03" + "a162" + "a161" + "9201c0" + "cb0000000000000000"))
            #expect(longer.described(in: codec.directory) == fields)
        }
    }

    @Test("Of a key that comes twice the last value counts")
    func duplicates() throws {
        var codec = Codec()
        let nack = try codec.decodeOne([UInt8](hex: "0b82a55365714e6f07a55365714e6f09"))
        #expect(nack.described(in: codec.directory) == .object(["SeqNo": .number(9)]))
        let ack = try codec.decodeOne([UInt8](hex: "0282a75061796c6f6164a3010203a75061796c6f6164a109"))
        #expect(ack.described(in: codec.directory)["Payload"] == .bytes([9]))
        let alive = "0485a44e6f6465a161a44d657461a3010203a44d657461%a441646472a40a000001a4506f727401"
        let dropped = try codec.decodeOne([UInt8](hex: alive.replacing("%", with: "c0")))
        #expect(dropped.described(in: codec.directory)["Meta"] == .null)
    }

    @Test(
        "A field that nobody knows is skipped, whatever its value",
        arguments: [
            "c0", "c3", "7f", "cd0100", "d1ffff", "ff", "ca00000000", "cb0000000000000000", "a3616263", "d903616263",
            "c403616263", "c50003616263", "c600000003616263", "da0003616263", "db00000003616263", "9301a161c0",
            "dc000201a161", "dd0000000201a161", "8101a161", "de000101a161", "df0000000101a161", "d40100", "d5010000",
            "d60100000000", "d7010000000000000000", "d80100000000000000000000000000000000", "c7020100ff",
            "c800020100ff",
            "c9000000020100ff", "93" + "918101" + "c0" + "9190" + "80",
        ])
    func unknownFields(value: String) throws {
        var codec = Codec()
        let bytes = [UInt8](hex: "0b82a358797a" + value + "a55365714e6f09")
        #expect(try codec.decodeOne(bytes).described(in: codec.directory) == .object(["SeqNo": .number(9)]))
        for count in 7..<bytes.count { #expect(codec.decode(Array(bytes.prefix(count))).report.fault == .cutShort) }
    }

    @Test("However deep a skipped value is, no stack grows with it")
    func deepValue() {
        var codec = Codec()
        let depth = 60_000
        let bytes =
            [UInt8](hex: "0b82a358797a") + [UInt8](repeating: 0x91, count: depth) + [UInt8](hex: "c0a55365714e6f09")
        #expect(codec.decode(bytes).report.messages == 1)
    }

    @Test(
        "Lengths that lie are found out before memory is taken",
        arguments: [
            "0282a75061796c6f6164dbffffffff", "0282a75061796c6f6164ddffffffff", "02dfffffffff", "02ddffffffff",
            "0282a358797adfffffffff", "0282a358797a" + "dfffffffff" + "dfffffffff", "0281dbffffffff",
            "0281a358797ac9ffffffff",
        ])
    func lies(hex: String) {
        var codec = Codec()
        #expect(codec.decode([UInt8](hex: hex)).report.fault == .cutShort)
    }

    @Test(
        "Values that do not fit their field are refused",
        arguments: [
            ("0b81a55365714e6f" + "ff", WireFault.outOfRange), ("0b81a55365714e6f" + "c3", .wrongKind),
            ("0b81a55365714e6f" + "a0", .wrongKind), ("0b81a55365714e6f" + "90", .wrongKind), ("0ba0", .wrongKind),
            ("0b07", .wrongKind), ("0b81" + "07" + "07", .wrongKind),
            ("0b81a55365714e6f" + "c1", .notMessagePack(0xC1)),
            // An alive's name, address and version numbers.
            ("0482a44e6f6465a2ff61a441646472a40a000001", .badName), ("0481a441646472a40a000001", .badName),
            ("0482a44e6f6465a161a441646472a30a0000", .badAddress(length: 3)),
            ("0482a44e6f6465a161a441646472b1" + String(repeating: "00", count: 17), .badAddress(length: 17)),
            ("0483a44e6f6465a161a441646472a40a000001a356736ea70102030405" + "0607", .badVersions(length: 7)),
            // An indirect ping's answer as a number beyond a boolean.
            ("0181a44e61636b02", .outOfRange), ("0181a44e61636ba0", .wrongKind),
            // The address of a ping's source.
            ("0082aa536f7572636541646472a20a00aa536f75726365506f727401", .badAddress(length: 2)),
            // A port of 17 bits.
            ("0181a4506f7274ce00010000", .outOfRange),
        ])
    func unfit(hex: String, fault: WireFault) {
        var codec = Codec()
        let report = codec.decode([UInt8](hex: hex)).report
        #expect(report.fault == fault && report.messages == 0 && report.refused == 1)
        #expect(codec.directory.count == 0)
    }

    @Test("A ping's source counts only with address and port")
    func halfSource() throws {
        var codec = Codec()
        let address = "aa536f7572636541646472a40a000001"
        let port = "aa536f75726365506f727407"
        let name = "aa536f757263654e6f6465a162"
        for (fields, isThere) in [
            ([address, port], true), ([address], false), ([port, name], false), ([address, name], false),
        ] {
            guard case .ping(let ping) = try codec.decodeOne([UInt8](hex: "008\(fields.count)" + fields.joined()))
            else {
                Issue.record("no ping")
                return
            }
            #expect((ping.source != nil) == isThere && ping.node == nil)
        }
    }

    @Test("The long form of an IPv4 address is that address")
    func mappedAddress() throws {
        var codec = Codec()
        let vector = try #require(MalformedVectorTests.vectors.first { $0.id == "alive-conflict-mapped" })
        guard case .alive(let alive) = try codec.decodeOne(vector.bytes) else {
            Issue.record("no alive")
            return
        }
        #expect(alive.record.address == PeerAddress(.init(bits: 0x0A00_0002), port: 7946))
    }

    // MARK: - Compounds and compressions

    @Test("Eight compounds or compressions around a message are opened, nine are not")
    func nesting() {
        let nack = [UInt8](hex: "0b81a55365714e6f09")
        for wrap in [compound, { compressed($0[0]) }] as [([[UInt8]]) -> [UInt8]] {
            var bytes = nack
            for depth in 1...MessageDecoder.deepestNesting + 1 {
                bytes = wrap([bytes])
                var codec = Codec()
                let report = codec.decode(bytes).report
                if depth <= MessageDecoder.deepestNesting {
                    #expect(report.messages == 1 && report.fault == nil)
                } else {
                    #expect(report.messages == 0 && report.refused == 1 && report.fault == .nestedTooDeep)
                }
            }
        }
    }

    @Test("A part that is refused costs no other part")
    func onePartRefused() {
        var codec = Codec()
        let nack = [UInt8](hex: "0b81a55365714e6f09")
        let (messages, report) = codec.decode(compound([nack, [14], nack, [], compressed([99]), nack]))
        #expect(messages.count == 3)
        #expect(report.messages == 3 && report.refused == 3 && report.fault == .unexpectedType(14))
    }

    @Test("What a datagram expands to is bounded as a whole")
    func bomb() {
        let large = compressed([8] + [UInt8](repeating: 0, count: MessageDecoder.largestExpansion * 6 / 10))
        let small = compressed([UInt8](hex: "0b81a55365714e6f09"))
        #expect(large.count < 2000)
        var codec = Codec()
        // Given one that fits, one that does not any more, and a small one behind it
        let (messages, report) = codec.decode(compound([small, large, large, small]))
        // Then the one that failed spent the rest: it had been expanded half the way.
        #expect(messages.map(\.kind) == ["nack", "user/serf0"])
        #expect(report.messages == 2 && report.refused == 2 && report.fault == .badCompression)
        // And the next datagram has room again.
        #expect(codec.decode(large).report.messages == 1)
        let whole = compressed([8] + [UInt8](repeating: 0, count: MessageDecoder.largestExpansion - 1))
        #expect(codec.decode(whole).report.messages == 1)
        let over = compressed([8] + [UInt8](repeating: 0, count: MessageDecoder.largestExpansion))
        #expect(codec.decode(over).report.fault == .badCompression)
    }

    @Test("An empty datagram is refused, an empty user message is not")
    func emptiness() {
        var codec = Codec()
        #expect(codec.decode([]).report.fault == .empty)
        let (messages, report) = codec.decode([8])
        #expect(messages.map(\.kind) == ["user/serf"] && report.fault == nil)
    }

    // MARK: - What is used again

    @Test("A record that says the same is the same object, until it says something else")
    func recordsAreShared() throws {
        var codec = Codec()
        let id = codec.directory.intern("b")
        let generator = RecordSource(meta: [1, 2, 3])
        func alive(_ record: MemberRecord) -> [UInt8] {
            codec.encode(.alive(Announcement(node: id, incarnation: 1, record: record)))
        }
        func claim(_ record: MemberRecord) -> [UInt8] {
            let claim = MemberClaim(node: id, incarnation: 1, state: .alive, record: record)
            return codec.encode(.pushPull(PushPull(isJoin: false, members: [claim], userState: [])))
        }
        func read(_ bytes: [UInt8]) throws -> MemberRecord {
            if bytes[0] == 4, case .alive(let alive) = try codec.decodeOne(bytes) { return alive.record }
            guard case .pushPull(let exchange) = try codec.decodeStream(bytes) else { throw Codec.NotOne(count: 0) }
            return exchange.members[0].record
        }
        let first = try read(alive(generator.record))
        #expect(try read(alive(generator.record)) === first)
        #expect(try read(claim(generator.record)) === first)
        for other in generator.others {
            let changed = try read(alive(other))
            #expect(changed !== first && changed.says(other))
            #expect(try read(claim(other)) === changed)
        }
        // A meta that nobody may send is read, but not remembered.
        let long = RecordSource(meta: [UInt8](repeating: 1, count: MemberRecord.longestMeta + 1)).record
        #expect(try read(alive(long)) !== read(alive(long)))
    }

    @Test("The buffer of a payload is used again once nobody holds it")
    func payloadsAreShared() throws {
        var codec = Codec()
        func ack(_ byte: UInt8) -> [UInt8] {
            codec.encode(Message.ack(Ack(sequence: 1, payload: [UInt8](repeating: byte, count: 40))))
        }
        func place() -> UInt? {
            let bytes = ack(1)
            var place: UInt?
            _ = codec.decoder.decode(bytes.span) { message in
                if case .ack(let answer) = message {
                    place = unsafe answer.payload.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
                }
            }
            return place
        }
        let first = place()
        #expect(first != nil && place() == first && place() == first)
        // One that is held keeps its bytes.
        let held = codec.decode(ack(2)).messages
        #expect(place() != nil)
        #expect(held.map { $0.described(in: codec.directory)["Payload"] } == [.bytes([UInt8](repeating: 2, count: 40))])
    }

    // MARK: - Remora's own

    @Test("A member is a remora if its tags have that name")
    func remoras() throws {
        var codec = Codec()
        var tags = SerfTags()
        tags["role"] = "edge"
        for (meta, isRemora) in [
            ([], false), ([0xFF], false), ([0xFF, 0xC0], false), (tags.meta, false),
            ([UInt8](hex: "ff81a672656d6f7261a131"), true), ([UInt8](hex: "ff82a16bc0a672656d6f7261a0"), true),
            // Not a tag of that name, not a map, not to its end, not tags.
            ([UInt8](hex: "ff81a772656d6f726173a0"), false), ([UInt8](hex: "ff81a16ba672656d6f7261"), false),
            ([UInt8](hex: "ff92a672656d6f7261a0"), false), ([UInt8](hex: "ff82a672656d6f7261a0"), false),
            ([UInt8](hex: "81a672656d6f7261a131"), false),
        ] as [([UInt8], Bool)] {
            let record = RecordSource(meta: meta).record
            let announcement = Announcement(node: codec.directory.intern("m"), incarnation: 1, record: record)
            guard case .alive(let alive) = try codec.decodeOne(codec.encode(.alive(announcement))) else {
                Issue.record("no alive")
                return
            }
            #expect(alive.record.isRemora == isRemora, "\(meta)")
        }
    }

    @Test("A view's checksum is a user message that begins with E7 01 01")
    func viewChecksum() throws {
        var codec = Codec()
        let bytes = codec.encode(.viewChecksum(0x0102_0304_0506_0708))
        #expect(bytes == [8, 0xE7, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8])
        guard case .viewChecksum(0x0102_0304_0506_0708) = try codec.decodeOne(bytes) else {
            Issue.record("no checksum")
            return
        }
        // Another mark, version, kind or length is the application's.
        for (place, byte) in [(1, 0xE6), (2, 2), (3, 2)] as [(Int, UInt8)] {
            var other = bytes
            other[place] = byte
            #expect(
                try codec.decodeOne(other).described(in: codec.directory)
                    == .object(["Body": .bytes(other.dropFirst())]))
        }
        for other in [bytes + [9], Array(bytes.dropLast()), [8, 0xE7]] {
            #expect(
                try codec.decodeOne(other).described(in: codec.directory)
                    == .object(["Body": .bytes(other.dropFirst())]))
        }
    }

    @Test("Every fault says what it is in a few words")
    func faults() {
        let faults: [WireFault] = [
            .empty, .unexpectedType(9), .cutShort, .notMessagePack(1), .wrongKind, .outOfRange, .badName,
            .badAddress(length: 3), .badVersions(length: 3), .badCoordinate, .noPartTable, .emptyPart, .partsLost(3),
            .unknownAlgorithm(3), .badCompression, .nestedTooDeep, .tooLong,
        ]
        #expect(Set(faults.map(\.description)).count == faults.count)
        #expect(faults.allSatisfy { (5...70).contains($0.description.count) })
    }
}

// MARK: - Bytes by hand

private func compound(_ parts: [[UInt8]]) -> [UInt8] {
    [7, UInt8(parts.count)] + parts.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 255)] } + parts.joined()
}

private func compressed(_ plain: [UInt8]) -> [UInt8] {
    var packed: [UInt8] = []
    unsafe plain.withUnsafeBytes { unsafe LZW.compress($0, into: &packed) }
    let length = [UInt8(packed.count >> 8), UInt8(packed.count & 255)]
    return [9, 0x82, 0xA4] + Array("Algo".utf8) + [0, 0xA3] + Array("Buf".utf8) + [0xDA] + length + packed
}

/// A record, and others that differ from it in one thing each.
private struct RecordSource {
    let meta: [UInt8]

    var record: MemberRecord { make(port: 7946, meta: meta, versions: .serf) }

    var others: [MemberRecord] {
        [
            make(port: 7947, meta: meta, versions: .serf), make(port: 7946, meta: nil, versions: .serf),
            make(port: 7946, meta: [], versions: .serf), make(port: 7946, meta: meta + [1], versions: .serf),
            make(port: 7946, meta: meta, versions: .absent),
        ]
    }

    private func make(port: UInt16, meta: [UInt8]?, versions: MemberVersions) -> MemberRecord {
        MemberRecord(
            address: PeerAddress(.init(bits: 0x0A00_0001), port: port), meta: meta, versions: versions, isRemora: false)
    }
}
