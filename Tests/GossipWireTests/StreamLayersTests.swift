import GossipWire
import Testing
import Vocabulary

@Suite("Layers of streams")
struct StreamLayersTests {
    static let encryptionVectors = LayerVector.load("encryption").filter { $0.layer == "stream" }
    static let labelVectors = LayerVector.load("label").filter { $0.layer == "stream" }
    static let malformedVectors = LayerVector.load("malformed").filter { $0.layer == "stream" }
    static let plainVectors =
        LayerVector.load("streams") + LayerVector.load("newer-codec").filter { $0.layer == "stream" }
    static let lengthVectors = LayerVector.load("newer-codec").filter { $0.layer == "bytes" }

    @Test("Every vector is there to be tested")
    func nothingSkipped() {
        #expect(Self.encryptionVectors.count == 3)
        #expect(Self.labelVectors.count == 4)
        #expect(Self.malformedVectors.count == 12)
        #expect(Self.plainVectors.count == 10)
        #expect(Self.lengthVectors.count == 7)
    }

    @Test("Streams are sealed and opened as the reference does", arguments: encryptionVectors)
    func sealed(vector: LayerVector) throws {
        let fields = try #require(vector.fields)
        let plain = try #require(fields.plain?.bytes)
        let version = try #require(fields.version.flatMap(SealVersion.init))
        var layers = try Layers(key: fields.key?.bytes, nonce: fields.nonce?.bytes, seal: version)
        for side in [StreamSide.dialler, .acceptor] {
            #expect(try layers.wrapped(plain, by: side) == vector.bytes)
            #expect(try layers.read(vector.bytes, from: side) == plain)
            #expect(try layers.read(vector.bytes, from: side, inPiecesOf: [1]) == plain)
        }
    }

    @Test("Who dials writes the label, the answer only seals it in", arguments: labelVectors)
    func labelled(vector: LayerVector) throws {
        let fields = try #require(vector.fields)
        let label = try #require(fields.label ?? fields.request_label)
        let side: StreamSide = fields.request_label == nil ? .dialler : .acceptor
        let message = fields.plain?.bytes ?? fields.inner?.bytes ?? vector.bytes
        let nonce = fields.nonce?.bytes ?? (fields.key == nil ? nil : Array(vector.bytes[6..<18]))
        // The plain answer was compressed already.
        var layers = try Layers(label: label, key: fields.key?.bytes, nonce: nonce)
        #expect(try layers.wrapped(message, by: side) == vector.bytes)
        #expect(try layers.read(vector.bytes, from: side) == message)
        #expect(try layers.read(vector.bytes, from: side, inPiecesOf: [1]) == message)
        // The other way round a header is missing, or one too many.
        let refusal: LayerFault =
            switch side {
            case .dialler: fields.key == nil ? .notMessage(.unexpectedType(244)) : .notSealed
            case .acceptor: .noLabel
            }
        #expect(throws: refusal) { try layers.read(vector.bytes, from: side == .dialler ? .acceptor : .dialler) }
    }

    @Test("A label that differs, is empty or unwanted is refused as soon as that is known")
    func otherLabels() throws {
        let layers = try Layers(label: "prod")
        for (stream, refusal) in [
            ([0xF4, 4] + Array("test".utf8), .otherLabel), ([0xF4, 3] + Array("pro".utf8), .otherLabel),
            ([0xF4, 0], .badLabel), ([0], .noLabel),
        ] as [([UInt8], LayerFault)] {
            #expect(try layers.read(Array(stream.dropLast()), from: .dialler) == nil)
            #expect(throws: refusal) { try layers.read(stream, from: .dialler, inPiecesOf: [1]) }
        }
        #expect(throws: LayerFault.otherLabel) {
            try Layers().read([0xF4, 1, 0x61], from: .dialler)
        }
        var options = LayerOptions()
        options.labelCheck = .skipped
        let behind = Layers<ScriptedCipher>(options: options, keyring: nil)
        #expect(throws: LayerFault.unexpectedLabel) { try behind.read([0xF4, 1, 0x61], from: .dialler) }
    }

    @Test("Malformed streams are refused, cut short, or left to the decoder as they are", arguments: malformedVectors)
    func malformed(vector: LayerVector) throws {
        let refusals: [String: LayerFault] = [
            "stream-unknown-type": .notMessage(.unexpectedType(0x63)),
            "stream-alive": .notMessage(.unexpectedType(4)),
            "stream-plain-to-keyed": .notSealed,
            "stream-encrypted-to-plain": .noKey,
            "stream-wrong-key": .noKeyOpens,
            "stream-oversize": .frameTooLong(length: 20 << 20 + 1),
        ]
        let layers = try Layers(key: vector.extra?.receiver_key.map { [UInt8](hex: $0) })
        if let refusal = refusals[vector.id] {
            #expect(throws: refusal) { try layers.read(vector.bytes, from: .dialler) }
            #expect(throws: refusal) { try layers.read(vector.bytes, from: .dialler, inPiecesOf: [1]) }
            let reference = try #require(vector.extra?.reference_0_2_2)
            #expect(refusal.isAnswered == (reference != "connection closed"))
        } else if vector.id == "stream-truncated-nodes" {
            var reader = StreamReader(from: .dialler)
            #expect(try !reader.receive(vector.bytes.span, through: layers))
            #expect(throws: LayerFault.cutShort(length: vector.bytes.count)) { try reader.finish() }
        } else {
            #expect(try layers.read(vector.bytes, from: .dialler) == vector.bytes)
        }
        if let answer = vector.extra?.reply_hex.map({ [UInt8](hex: $0) }) {
            #expect(try layers.read(answer, from: .acceptor, inPiecesOf: [1]) == answer)
        }
    }

    @Test("A frame of nothing is too short, and answered like every seal that does not open")
    func emptyFrame() throws {
        let layers = try Layers(key: keyOf32)
        #expect(throws: LayerFault.sealTooShort(length: 0)) { try layers.read([10, 0, 0, 0, 0], from: .dialler) }
        #expect(LayerFault.sealTooShort(length: 0).isAnswered)
    }

    @Test("A message without a frame is whole with its last byte", arguments: plainVectors)
    func plain(vector: LayerVector) throws {
        var layers = try Layers()
        #expect(try layers.read(vector.bytes, from: .dialler, inPiecesOf: [1]) == vector.bytes)
        #expect(try layers.read(vector.bytes + [1, 2, 3], from: .dialler) == vector.bytes)
        #expect(try layers.read(vector.bytes.dropLast(), from: .dialler) == nil)
        #expect(try layers.wrapped(vector.bytes, by: .dialler) == vector.bytes)
    }

    @Test("A user message is as long as its head says, in both codecs' numbers", arguments: lengthVectors)
    func userLengths(vector: LayerVector) throws {
        let length = try #require(Int(vector.id.dropFirst("v2-int-".count)))
        let stream = [8] + vector.bytes + [UInt8](repeating: 7, count: length)
        let layers = try Layers()
        #expect(try layers.read(stream, from: .dialler) == stream)
        #expect(try layers.read(stream + [7], from: .dialler, inPiecesOf: [3, 1000]) == stream)
        #expect(try layers.read(stream.dropLast(), from: .dialler) == nil)
    }

    @Test("Streams are compressed even where that makes them longer, as the reference does")
    func compressed() throws {
        var layers = try Layers(compresses: true)
        for vector in PacketLayersTests.compressVectors {
            let plain = try #require(vector.fields?.plain?.bytes)
            guard !plain.isEmpty else { continue }
            #expect(try layers.wrapped(plain, by: .dialler) == vector.bytes)
            #expect(try layers.read(vector.bytes, from: .dialler, inPiecesOf: [1]) == vector.bytes)
        }
        func vector(_ id: String) throws -> [UInt8] { try #require(Self.plainVectors.first { $0.id == id }).bytes }
        #expect(try layers.wrapped(vector("pushpull-join"), by: .dialler) == vector("pushpull-compressed"))
        let ack = [UInt8](hex: "0282a75061796c6f6164c0a55365714e6f2a")
        #expect(try layers.wrapped(ack, by: .acceptor) == vector("tcp-ping-compressed-reply"))
    }
}

@Suite("Layers of streams, whatever the bytes")
struct StreamLayersPropertyTests {
    static let messages: [[UInt8]] = StreamLayersTests.plainVectors.map(\.bytes).filter { $0.count < 1000 }
    /// "hello stream", as a user message.
    static let short = [UInt8](hex: "0881aa557365724d73674c656e0c68656c6c6f2073747265616d")

    @Test("What is wrapped is read, in whatever pieces it comes", arguments: Wrapping.streams)
    func roundTrip(wrapping: Wrapping) throws {
        var layers = try wrapping.layers()
        var random = SeededRandom(seed: 31)
        for message in Self.messages {
            for side in [StreamSide.dialler, .acceptor] {
                let stream = try layers.wrapped(message, by: side)
                for _ in 0..<4 {
                    let sizes = (0..<20).map { _ in Int(1 + random.below(60)) }
                    let found = try layers.read(stream + [1, 2, 3], from: side, inPiecesOf: sizes)
                    #expect((wrapping.compresses ? found.flatMap(expanded) : found) == message)
                }
            }
        }
    }

    @Test("No beginning is a message", arguments: Wrapping.streams)
    func truncation(wrapping: Wrapping) throws {
        var layers = try wrapping.layers()
        for side in [StreamSide.dialler, .acceptor] {
            let stream = try layers.wrapped(Self.short, by: side)
            for count in stream.indices {
                var reader = StreamReader(from: side)
                #expect(try !reader.receive(Array(stream.prefix(count)).span, through: layers))
                #expect(reader.message == nil)
                #expect(throws: LayerFault.cutShort(length: count)) { try reader.finish() }
            }
        }
    }

    @Test("No changed byte of what is sealed is a message", arguments: Wrapping.streams)
    func mutation(wrapping: Wrapping) throws {
        var layers = try wrapping.layers()
        for side in [StreamSide.dialler, .acceptor] {
            let stream = try layers.wrapped(Self.short, by: side)
            let frame = side == .dialler ? Label(wrapping.label)?.headerLength ?? 0 : 0
            for place in stream.indices {
                for change in [1, 0x80, 0xFF] as [UInt8] {
                    var changed = stream
                    changed[place] ^= change
                    let found = try? layers.read(changed, from: side, inPiecesOf: [25])
                    if wrapping.key != nil, !(wrapping.seal == .padded && place == frame + 5) { #expect(found == nil) }
                    #expect(found != Self.short)
                }
            }
        }
    }

    @Test("A fault stays, and a whole message stays whole")
    func lasting() throws {
        let layers = try Layers(key: keyOf32)
        var reader = StreamReader(from: .acceptor)
        #expect(throws: LayerFault.notSealed) { try reader.receive([0].span, through: layers) }
        #expect(throws: LayerFault.notSealed) { try reader.receive([10].span, through: layers) }
        #expect(throws: LayerFault.notSealed) { try reader.finish() }
        let plain = try Layers()
        let message = Self.messages[0]
        reader = StreamReader(from: .dialler)
        #expect(try reader.receive(message.span, through: plain))
        #expect(try reader.receive([1, 2].span, through: plain))
        #expect(reader.message.map { Array($0) } == message)
        try reader.finish()
    }

    @Test("Nothing at all is cut short at zero")
    func nothing() {
        #expect(throws: LayerFault.cutShort(length: 0)) { try StreamReader(from: .dialler).finish() }
    }

    @Test("A frame of the longest length is waited for, one byte more is refused, and so it is when sent")
    func longestFrame() throws {
        var layers = try Layers(key: keyOf32)
        let longest = 20 << 20
        #expect(try layers.read([10, 0x01, 0x40, 0, 0, 1], from: .dialler) == nil)
        #expect(throws: LayerFault.frameTooLong(length: longest + 1)) {
            try layers.read([10, 0x01, 0x40, 0, 1], from: .dialler)
        }
        var message = [UInt8](repeating: 8, count: longest - 29)
        let stream = try layers.wrapped(message, by: .acceptor)
        #expect(stream.count == longest + 5)
        #expect(try layers.read(stream, from: .acceptor) == message)
        message.append(8)
        #expect(throws: LayerFault.frameTooLong(length: longest + 1)) { try layers.wrapped(message, by: .acceptor) }
    }

    @Test("What a seal holds is a message and no further layer")
    func sealedLayers() throws {
        var layers = try Layers(key: keyOf32)
        for type in [10, 12, 244] as [UInt8] {
            let stream = try layers.wrapped([type, 1, 2, 3], by: .dialler)
            #expect(throws: LayerFault.misplaced(type)) { try layers.read(stream, from: .dialler) }
        }
    }

    @Test("No bytes crash the reader", arguments: 1...4 as ClosedRange<UInt64>)
    func noise(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for wrapping in Wrapping.streams {
            let layers = try wrapping.layers()
            for _ in 0..<100 {
                let heads: [[UInt8]] = [[], [0xF4, 4] + Array("prod".utf8), [9, 0x82], [6, 0x83], [10, 0, 0, 0]]
                let noise =
                    heads[Int(random.below(UInt32(heads.count)))]
                    + (0..<random.below(80)).map { _ in UInt8(random.below(256)) }
                let whole = Result { try layers.read(noise, from: .dialler) }
                let inPieces = Result { try layers.read(noise, from: .dialler, inPiecesOf: [1]) }
                #expect((try? whole.get()) == (try? inPieces.get()))
                if wrapping.key != nil, case .success(let found) = whole { #expect(found == nil) }
            }
        }
    }
}

extension Wrapping {
    fileprivate static let streams = all.filter { !$0.withChecksum }
}
