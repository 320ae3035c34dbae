import GossipWire
import Testing
import Vocabulary

@Suite("Layers of packets")
struct PacketLayersTests {
    static let crcVectors = LayerVector.load("crc")
    static let encryptionVectors = LayerVector.load("encryption").filter { $0.layer == "packet" }
    static let labelVectors = LayerVector.load("label").filter { $0.layer == "packet" }
    static let compressVectors = LayerVector.load("compress")
    static let malformedVectors = LayerVector.load("malformed").filter { $0.layer == "packet" }
    static let newerVectors = LayerVector.load("newer-codec").filter { $0.layer == "packet" }

    @Test("Every vector is there to be tested")
    func nothingSkipped() {
        #expect(Self.crcVectors.count == 2)
        #expect(Self.encryptionVectors.count == 7)
        #expect(Self.labelVectors.count == 9)
        #expect(Self.compressVectors.count == 11)
        #expect(Self.malformedVectors.count == 39)
        #expect(Self.newerVectors.count == 2)
    }

    @Test("A checksum is written and taken off as the reference does", arguments: crcVectors)
    func checksum(vector: LayerVector) throws {
        let message = try #require(vector.fields?.inner?.bytes)
        var layers = try Layers()
        #expect(try layers.unwrapped(vector.bytes) == message)
        #expect(try layers.wrapped(message, withChecksum: true) == vector.bytes)
        #expect(CRC32.checksum(of: message.span) == vector.fields?.crc32)
    }

    @Test("Packets are sealed and opened as the reference does", arguments: encryptionVectors)
    func sealed(vector: LayerVector) throws {
        let fields = try #require(vector.fields)
        let plain = try #require(fields.plain?.bytes)
        let version = try #require(fields.version.flatMap(SealVersion.init))
        var layers = try Layers(key: fields.key?.bytes, nonce: fields.nonce?.bytes, seal: version)
        if vector.id == "v1-crc-inside" {
            // The plain text is a checksum and the message behind it.
            #expect(try layers.unwrapped(vector.bytes) == Array(plain.dropFirst(5)))
            #expect(try layers.wrapped(Array(plain.dropFirst(5)), withChecksum: true) == vector.bytes)
        } else {
            #expect(try layers.unwrapped(vector.bytes) == plain)
            #expect(try layers.wrapped(plain) == vector.bytes)
        }
        #expect(vector.bytes.count == plain.count + version.overhead(of: plain.count))
    }

    @Test("A sealed text of nothing is opened and refused: it is no message")
    func sealedNothing() throws {
        let vector = try #require(LayerVector.load("encryption").first { $0.id == "v1-empty" })
        var layers = try Layers(key: vector.fields?.key?.bytes)
        #expect(throws: LayerFault.empty) { try layers.unwrapped(vector.bytes) }
    }

    @Test(
        "Padding is 1 to 16 bytes that say so, up to a multiple of 16",
        arguments: [
            // The text as it was before sealing, and how many of its bytes are the message.
            (text: 15, ending: [1], message: 15), (text: 31, ending: [1], message: 31),
            (text: 14, ending: [2, 2], message: 14), (text: 16, ending: [UInt8](repeating: 16, count: 16), message: 16),
            (text: 16, ending: [1], message: nil), (text: 15, ending: [0], message: nil),
            (text: 14, ending: [3, 2], message: nil), (text: 13, ending: [3, 1, 3], message: nil),
            (text: 15, ending: [17], message: nil), (text: 15, ending: [UInt8](repeating: 17, count: 17), message: nil),
            (text: 16, ending: [UInt8](repeating: 15, count: 16), message: 17),
        ] as [(Int, [UInt8], Int?)])
    func padding(text: Int, ending: [UInt8], message: Int?) throws {
        let content = [UInt8](repeating: 8, count: text) + ending
        var layers = try Layers(key: keyOf16)
        var datagram = try layers.wrapped(content)
        // Nothing vouches for the version.
        datagram[0] = 0
        if let message {
            #expect(try layers.unwrapped(datagram) == Array(content.prefix(message)))
        } else {
            #expect(throws: LayerFault.badPadding) { try layers.unwrapped(datagram) }
        }
    }

    @Test("Labels are written, taken off and refused as the reference does", arguments: labelVectors)
    func labelled(vector: LayerVector) throws {
        let refusals: [String: LayerFault] = [
            "label-truncated-1": .badLabel, "label-empty": .badLabel, "label-truncated": .badLabel,
            "label-double": .misplaced(244), "label-mismatch": .otherLabel, "label-missing": .noLabel,
        ]
        let own = vector.fields?.label ?? vector.extra?.receiver_label ?? ""
        var layers = try Layers(label: own, key: vector.fields?.key?.bytes, nonce: vector.fields?.nonce?.bytes)
        if let refusal = refusals[vector.id] {
            #expect(!vector.isAccepted)
            #expect(throws: refusal) { try layers.unwrapped(vector.bytes) }
        } else {
            #expect(vector.isAccepted && vector.isExact)
            let message = try #require(vector.fields?.plain ?? vector.fields?.inner).bytes
            #expect(try layers.unwrapped(vector.bytes) == message)
            #expect(try layers.wrapped(message) == vector.bytes)
            #expect(layers.packetOverhead == vector.bytes.count - message.count)
        }
    }

    @Test(
        "A message is compressed where that makes it smaller, and then as the reference does",
        arguments: compressVectors)
    func compressed(vector: LayerVector) throws {
        let plain = try #require(vector.fields?.plain?.bytes)
        var layers = try Layers(compresses: true)
        #expect(try layers.unwrapped(vector.bytes) == vector.bytes, "expanding is the decoder's business")
        guard !plain.isEmpty else { return }
        #expect(try layers.wrapped(plain) == (vector.bytes.count < plain.count ? vector.bytes : plain))
        var without = try Layers()
        #expect(try without.wrapped(plain) == plain)
    }

    @Test("A message that compression makes no smaller is sent as it is")
    func noSmaller() throws {
        var layers = try Layers(compresses: true)
        var lengths: Set<Int> = []
        for count in 20...60 {
            let message = [UInt8](repeating: 8, count: count)
            let compressed = try layers.wrapped(message, by: .acceptor)
            let gain = count - compressed.count
            #expect(try layers.wrapped(message) == (gain > 0 ? compressed : message))
            lengths.insert(gain)
        }
        #expect(lengths.isSuperset(of: [-1, 0, 1]))
    }

    @Test("Malformed packets are refused, or left to the decoder as they are", arguments: malformedVectors)
    func malformed(vector: LayerVector) throws {
        let refusals: [String: LayerFault] = [
            "encrypt-type-on-packet": .misplaced(10),
            "crc-mismatch": .wrongChecksum(found: 1, computed: 0x60DD_6059),
            "crc-empty-inner": .empty,
            "crc-too-short": .checksumTooShort,
            "crc-nested": .misplaced(12),
            "enc-wrong-key": .noKeyOpens,
            "enc-plain-to-keyed": .unknownSeal(version: 3),
            "enc-version-2": .unknownSeal(version: 2),
            "enc-too-short": .sealTooShort(length: 28),
            "enc-v0-too-short": .sealTooShort(length: 44),
            "enc-bitflip": .noKeyOpens,
            "enc-version-flip": .badPadding,
            "enc-aad-on-packet": .noKeyOpens,
        ]
        var layers = try Layers(key: vector.extra?.receiver_key.map { [UInt8](hex: $0) })
        if let refusal = refusals[vector.id] {
            #expect(throws: refusal) { try layers.unwrapped(vector.bytes) }
        } else {
            #expect(vector.extra?.receiver_key == nil)
            #expect(try layers.unwrapped(vector.bytes) == vector.bytes)
        }
    }

    @Test("Messages of the newer codec pass as they are", arguments: newerVectors)
    func newerCodec(vector: LayerVector) throws {
        var layers = try Layers()
        #expect(try layers.unwrapped(vector.bytes) == vector.bytes)
        #expect(try layers.wrapped(vector.bytes) == vector.bytes)
    }
}

// MARK: - What holds of every message

/// Which layers are put on.
struct Wrapping: Sendable, CustomTestStringConvertible {
    let label: String
    let key: [UInt8]?
    let seal: SealVersion
    let compresses: Bool
    let withChecksum: Bool

    var testDescription: String {
        "label \(label.count), key \(key?.count ?? 0), \(seal), compressing \(compresses), checksum \(withChecksum)"
    }

    static let all: [Wrapping] = ["", "prod", String(repeating: "L", count: 255)].flatMap { label in
        [(nil, .plain), (keyOf16, .plain), (keyOf24, .padded), (keyOf32, .plain), (keyOf32, .padded)].flatMap {
            key, seal in
            [false, true].flatMap { compresses in
                [false, true].map { withChecksum in
                    Wrapping(label: label, key: key, seal: seal, compresses: compresses, withChecksum: withChecksum)
                }
            }
        }
    }

    func layers() throws -> Layers<ScriptedCipher> {
        try Layers(label: label, key: key, seal: seal, compresses: compresses)
    }
}

@Suite("Layers of packets, whatever the bytes")
struct PacketLayersPropertyTests {
    @Test("What is wrapped is unwrapped, within the overhead that was told", arguments: Wrapping.all)
    func roundTrip(wrapping: Wrapping) throws {
        var layers = try wrapping.layers()
        var random = SeededRandom(seed: 21)
        for length in [1, 2, 15, 16, 17, 31, 32, 33, 300, 1400, 40_000] {
            for message in [
                randomMessage(of: length, using: &random), [8] + [UInt8](repeating: 8, count: length - 1),
            ] {
                let datagram = try layers.wrapped(message, withChecksum: wrapping.withChecksum)
                let found = try layers.unwrapped(datagram)
                #expect(found == message || wrapping.compresses && expanded(found) == message)
                #expect(found.count <= message.count)
                let checksum = wrapping.withChecksum ? 5 : 0
                #expect(datagram.count <= message.count + layers.packetOverhead + checksum)
            }
        }
    }

    @Test(
        "Every beginning is refused, or is the beginning of the message where nothing vouches", arguments: Wrapping.all)
    func truncation(wrapping: Wrapping) throws {
        var layers = try wrapping.layers()
        let message: [UInt8] = [8] + Array("a message that is worth nothing cut short".utf8)
        let datagram = try layers.wrapped(message, withChecksum: wrapping.withChecksum)
        for count in 0..<datagram.count {
            let found = try? layers.unwrapped(Array(datagram.prefix(count)))
            if wrapping.key != nil || wrapping.withChecksum || count == 0 {
                #expect(found == nil)
            } else if let found {
                #expect(message.starts(with: found) && !found.isEmpty)
            }
        }
    }

    @Test("Every changed byte is refused where something vouches for it", arguments: Wrapping.all)
    func mutation(wrapping: Wrapping) throws {
        var layers = try wrapping.layers()
        let message: [UInt8] = [8] + Array("a message that somebody changed on its way".utf8)
        let datagram = try layers.wrapped(message, withChecksum: wrapping.withChecksum)
        let version = Label(wrapping.label)?.headerLength
        for place in datagram.indices {
            for change in [1, 2, 0x80, 0xFF] as [UInt8] {
                var changed = datagram
                changed[place] ^= change
                let found = try? layers.unwrapped(changed)
                // Nothing vouches for the version: padding is then part of the message.
                if wrapping.key != nil, !(wrapping.seal == .padded && place == version) { #expect(found == nil) }
                if wrapping.withChecksum, wrapping.key == nil, place != version { #expect(found == nil) }
                #expect(found != message)
            }
        }
    }

    @Test("No bytes crash the layers", arguments: 1...4 as ClosedRange<UInt64>)
    func noise(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for wrapping in Wrapping.all {
            var layers = try wrapping.layers()
            for _ in 0..<50 {
                let heads: [[UInt8]] = [[], [0xF4, 4] + Array("prod".utf8), [12], [1], [0], [10], [0xF4]]
                let noise =
                    heads[Int(random.below(UInt32(heads.count)))]
                    + (0..<random.below(80)).map { _ in UInt8(random.below(256)) }
                if let found = try? layers.unwrapped(noise) {
                    #expect(wrapping.key == nil && noise.count >= found.count)
                }
            }
        }
    }

    @Test("What is appended leaves what was there alone, also where it fails")
    func appends() throws {
        var layers = try Layers(label: "prod", key: keyOf16)
        var output: [UInt8] = [1, 2, 3]
        try layers.wrap([8, 9].span, withChecksum: true, into: &output)
        #expect(output.starts(with: [1, 2, 3]))
        #expect(try layers.unwrapped(Array(output.dropFirst(3))) == [8, 9])
        var options = LayerOptions()
        options.label = try #require(Label("prod"))
        var starved = Layers(options: options, keyring: Keyring(primary: StarvedCipher()))
        output = [1, 2, 3]
        #expect(throws: LayerFault.sealingFailed) { try starved.wrap([8, 9].span, withChecksum: true, into: &output) }
        #expect(output == [1, 2, 3])
        #expect(throws: LayerFault.sealingFailed) { try starved.wrap([8, 9].span, by: .dialler, into: &output) }
        #expect(output == [1, 2, 3])
    }
}

// MARK: - Policies

@Suite("Policies of layers")
struct LayerPolicyTests {
    @Test("Without checking labels, none counts as ours and any is refused")
    func skippedCheck() throws {
        var sender = try Layers(label: "prod", key: keyOf32)
        let datagram = try sender.wrapped([8, 1])
        var options = LayerOptions()
        options.label = try #require(Label("prod"))
        options.labelCheck = .skipped
        var behind = Layers(options: options, keyring: sender.keyring)
        #expect(throws: LayerFault.unexpectedLabel) { try behind.unwrapped(datagram) }
        // Removed by whoever is in front; the tag still vouches for it.
        #expect(try behind.unwrapped(Array(datagram.dropFirst(6))) == [8, 1])
        var other = try Layers(key: keyOf32)
        #expect(throws: LayerFault.noKeyOpens) { try other.unwrapped(Array(datagram.dropFirst(6))) }
    }

    @Test("A fleet without a cipher sends as it is, and refuses sealed streams")
    func withoutCipher() throws {
        var layers = Layers<NoCipher>(options: LayerOptions(), keyring: nil)
        #expect(layers.packetOverhead == 0)
        #expect(try layers.wrapped([8, 1]) == [8, 1])
        #expect(throws: LayerFault.noKey) { try layers.read([10, 0, 0, 0, 1], from: .dialler) }
    }

    @Test("A member without a label refuses one")
    func labelToUnlabelled() throws {
        var sender = try Layers(label: "prod")
        var receiver = try Layers()
        let datagram = try sender.wrapped([8, 1])
        #expect(throws: LayerFault.otherLabel) { try receiver.unwrapped(datagram) }
    }

    @Test("A live fleet turns to encryption: first nobody insists, then all seal, then all insist")
    func turningToEncryption() throws {
        func member(verifies: Bool, seals: Bool) throws -> Layers<ScriptedCipher> {
            var options = LayerOptions()
            options.compresses = false
            options.verifiesIncoming = verifies
            options.sealsOutgoing = seals
            return Layers(options: options, keyring: Keyring(primary: try ScriptedCipher(key: keyOf32)))
        }
        var keyless = try Layers()
        var first = try member(verifies: false, seals: false)
        var second = try member(verifies: false, seals: true)
        var third = try member(verifies: true, seals: true)
        let message: [UInt8] = [8, 1, 2]
        for plain in [try keyless.wrapped(message), try first.wrapped(message)] {
            #expect(plain == message)
            #expect(try first.unwrapped(plain) == message)
            #expect(try second.unwrapped(plain) == message)
            #expect(throws: LayerFault.unknownSeal(version: 8)) { try third.unwrapped(plain) }
        }
        for sealed in [try second.wrapped(message), try third.wrapped(message)] {
            #expect(try first.unwrapped(sealed) == message)
            #expect(try second.unwrapped(sealed) == message)
            #expect(try third.unwrapped(sealed) == message)
        }
        let ping = [UInt8](hex: "0081a55365714e6f01")
        #expect(try first.read(keyless.wrapped(ping, by: .dialler), from: .dialler) == ping)
        #expect(try first.read(second.wrapped(ping, by: .dialler), from: .dialler) == ping)
        #expect(try third.read(second.wrapped(ping, by: .dialler), from: .dialler) == ping)
        #expect(first.packetOverhead == 0 && second.packetOverhead == 29)
        for stream in [try keyless.wrapped(message, by: .dialler), try first.wrapped(message, by: .dialler)] {
            #expect(stream == message)
            #expect(throws: LayerFault.notSealed) { try third.read(stream, from: .dialler) }
        }
    }
}
