// What holds of every message, and of every other bytes.

import Gossip
import GossipWire
import Testing
import Vocabulary

@Suite("Messages, whatever they hold")
struct CodecPropertyTests {
    private static let packets =
        (MessageVectorTests.plain + MessageVectorTests.dialect + MessageVectorTests.newer + MessageVectorTests.compounds
        + WireVector.load("compress") + MalformedVectorTests.vectors)
        .filter { $0.layer == "packet" }.map(\.bytes)
    private static let streams = StreamVectorTests.whole.map(\.bytes)
    private static let serf = SerfVectorTests.vectors.map(\.bytes)
    /// For mutations, which are many: the long ones differ from others in length alone.
    private static let shortPackets = packets.filter { $0.count < 500 }
    private static let shortStreams = streams.filter { $0.count < 500 }
    private static let seeds: ClosedRange<UInt64> = 1...6

    @Test("A datagram's message is as long as it says, and is read back", arguments: 1...20 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var codec = Codec()
        var generator = MessageGenerator(seed: seed, directory: codec.directory)
        for _ in 0..<200 {
            let message = generator.message()
            let bytes = codec.encode(message)
            #expect(bytes.count == message.encodedLength(in: codec.directory))
            let read = try codec.decodeOne(bytes)
            #expect(read.kind == message.kind)
            #expect(read.described(in: codec.directory) == message.described(in: codec.directory))
            #expect(codec.encode(read) == bytes)
        }
    }

    @Test("A stream's message is as long as it says, and is read back", arguments: 1...10 as ClosedRange<UInt64>)
    func streamRoundTrip(seed: UInt64) throws {
        var codec = Codec()
        var generator = MessageGenerator(seed: seed, directory: codec.directory)
        for _ in 0..<20 {
            let message = generator.streamMessage()
            let bytes = codec.encode(message)
            #expect(bytes.count == message.encodedLength(in: codec.directory))
            let read = try codec.decodeStream(bytes)
            #expect(read.described(in: codec.directory) == message.described(in: codec.directory))
            #expect(codec.encode(read) == bytes)
            var scanner = StreamScanner()
            #expect(scanner.scan((bytes + [9, 9]).span) == .whole(bytes.count))
        }
    }

    @Test("A compound takes what its parts and their places take", arguments: 1...10 as ClosedRange<UInt64>)
    func compound(seed: UInt64) {
        var codec = Codec()
        var generator = MessageGenerator(seed: seed, directory: codec.directory)
        for count in [2, 3, 31, WireSize.longestCompound] {
            var requests = 0
            let messages = (0..<count).map { _ in generator.message() }.filter { message in
                // More that want an answer are refused.
                if message.kind == "ping" || message.kind == "indirect-ping" {
                    requests += 1
                    guard requests <= MessageDecoder.mostRequests else { return false }
                }
                return message.encodedLength(in: codec.directory) <= 0xFFFF
            }
            let lengths = messages.map { $0.encodedLength(in: codec.directory) + WireSize.partOverhead }
            let bytes = codec.encode(messages)
            #expect(bytes.count == WireSize.compoundOverhead + lengths.reduce(0, +))
            let (read, report) = codec.decode(bytes)
            #expect(report.messages == messages.count && report.fault == nil)
            #expect(read.map { codec.encode($0) } == messages.map { codec.encode($0) })
        }
    }

    @Test("Serf's messages are read back", arguments: 1...10 as ClosedRange<UInt64>)
    func serfRoundTrip(seed: UInt64) throws {
        var generator = MessageGenerator(seed: seed, directory: Directory())
        for _ in 0..<100 {
            let message = generator.serfMessage()
            #expect(try SerfMessage(message.bytes) == message)
        }
    }

    @Test("No beginning of a message is taken for the whole")
    func truncation() {
        var codec = Codec()
        for bytes in Self.packets where bytes.count < 2000 {
            let whole = codec.decode(bytes).report.messages
            for count in 0..<bytes.count {
                let (messages, report) = codec.decode(Array(bytes.prefix(count)))
                #expect(messages.count <= whole && report.messages == messages.count)
            }
        }
        for bytes in Self.streams {
            for count in stride(from: 0, to: bytes.count, by: bytes.count < 2000 ? 1 : 41) {
                #expect(throws: WireFault.self) { try codec.decodeStream(Array(bytes.prefix(count))) }
            }
        }
        for bytes in Self.serf where bytes.count > 2 && bytes[0] < 9 {
            for count in 0..<bytes.count {
                #expect(throws: WireFault.self) { try SerfMessage(Array(bytes.prefix(count))) }
            }
        }
    }

    // Checks in these loops are plain comparisons: an expectation takes longer than what it checks.

    @Test("No datagram crashes the decoder; what it reads is written so that it reads the same", arguments: seeds)
    func mutatedDatagrams(seed: UInt64) {
        var mutator = Mutator(seed: seed)
        var codec = Codec()
        for _ in 0..<20_000 {
            let mutant = mutator.mutant(of: Self.shortPackets)
            let (messages, report) = codec.decode(mutant)
            guard report.messages == messages.count, (report.refused > 0) == (report.fault != nil) else {
                Issue.record("\(report) of \(mutant)")
                return
            }
            for message in messages.prefix(2) {
                let bytes = codec.encode(message)
                let again = codec.decode(bytes).messages
                guard again.count == 1, codec.encode(again) == bytes else {
                    Issue.record("\(bytes) of \(mutant)")
                    return
                }
            }
        }
    }

    @Test("No stream crashes scanner or decoder, and they agree on where its message ends", arguments: seeds)
    func mutatedStreams(seed: UInt64) throws {
        var mutator = Mutator(seed: seed)
        var codec = Codec()
        for _ in 0..<2000 {
            let mutant = mutator.mutant(of: Self.shortStreams)
            var scanner = StreamScanner()
            let extent = scanner.scan(mutant.span)
            guard let message = try? codec.decodeStream(mutant) else { continue }
            guard case .whole(let length) = extent else {
                Issue.record("read, but \(extent): \(mutant)")
                return
            }
            let bytes = codec.encode(message)
            guard codec.encode(try codec.decodeStream(bytes)) == bytes,
                (try? codec.decodeStream(Array(mutant.prefix(length - 1)))) == nil
            else {
                Issue.record("\(bytes) of \(mutant)")
                return
            }
        }
    }

    @Test(
        "No bytes crash the readers of what is Serf's; what they read is written so that they read the same",
        arguments: seeds)
    func mutatedSerf(seed: UInt64) throws {
        var mutator = Mutator(seed: seed)
        for _ in 0..<1500 {
            let mutant = mutator.mutant(of: Self.serf)
            if let message = try? SerfMessage(mutant), try SerfMessage(message.bytes) != message {
                Issue.record("\(message) of \(mutant)")
            }
            if let tags = SerfTags(meta: mutant), SerfTags(meta: tags.meta) != tags {
                Issue.record("\(tags) of \(mutant)")
            }
            if let filter = try? SerfFilter(reading: mutant) {
                var bytes: [UInt8] = []
                filter.append(to: &bytes)
                #expect(try SerfFilter(reading: bytes) == filter)
            }
            if let coordinate = try? SerfCoordinate.read(payload: mutant) {
                var bytes: [UInt8] = []
                coordinate.append(to: &bytes)
                #expect(try SerfCoordinate.read(payload: bytes) == coordinate)
            }
        }
    }
}

/// Changes samples: bytes replaced, removed, put in, repeated; two joined; or nothing but noise.
struct Mutator {
    private var random: SeededRandom
    /// Heads of values and types of messages.
    private static let telling: [UInt8] = [
        0, 1, 7, 9, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC4, 0xC9, 0xCB, 0xCF, 0xD3, 0xD9, 0xDB,
        0xDD, 0xDF, 0xE0, 0xFF,
    ]

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func mutant(of samples: [[UInt8]]) -> [UInt8] {
        if random.below(20) == 0 { return (0..<random.below(64)).map { _ in byte() } }
        var bytes = samples[Int(random.below(UInt32(samples.count)))]
        for _ in 0..<1 + random.below(4) {
            let place = Int(random.below(UInt32(min(bytes.count, 120) + 1)))
            switch random.below(6) {
            case 0 where place < bytes.count: bytes.remove(at: place)
            case 1: bytes.insert(byte(), at: place)
            case 2: bytes.removeLast(min(bytes.count, Int(random.below(9))))
            case 3: bytes.insert(contentsOf: bytes.prefix(place).suffix(8), at: place)
            default: if place < bytes.count { bytes[place] = byte() }
            }
        }
        return bytes
    }

    private mutating func byte() -> UInt8 {
        random.below(2) == 0
            ? UInt8(truncatingIfNeeded: random.next()) : Self.telling[Int(random.below(UInt32(Self.telling.count)))]
    }
}
