import GossipWire
import Testing
import Vocabulary

@Suite("Messages with members' checksums")
struct ChecksumMessageTests {
    private static func told(_ digest: UInt32, _ hundredths: Int64, _ checksums: Checksums) -> ToldChecksums {
        guard let age = ReportAge(.milliseconds(10 * hundredths)) else { preconditionFailure("too old") }
        return ToldChecksums(member: LoadSubject(digest: digest), age: age, checksums: checksums)
    }

    private static let ours = Checksums(view: UInt32(0x0102_0304), config: 0x0506_0708)
    private static let other = Checksums(view: UInt32(0xFFFF_FFFE), config: 0)
    /// By the page's table, byte for byte.
    private static let message = ChecksumMessage([
        told(0xCAFE_BABE, 0, ours), told(7, 30_000, other), told(1, 258, ours),
    ])
    private static let bytes: [UInt8] =
        [0xE7, 1, 4, 1, 2, 3, 4, 5, 6, 7, 8, 2, 0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 0, 0, 1, 1, 2]
        + [0xFF, 0xFF, 0xFF, 0xFE, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0x75, 0x30]

    @Test("It is written and read as the page says, those that are alike together")
    func vector() throws {
        var bytes: [UInt8] = []
        Self.message.append(to: &bytes)
        #expect(bytes == Self.bytes && bytes.count == Self.message.encodedLength)
        let read = try ChecksumMessage(reading: Self.bytes.span)
        let isOne = ChecksumMessage.isOne(Self.bytes.span)
        #expect(read == Self.message && isOne)
        #expect(read.told.map(\.member.digest) == [0xCAFE_BABE, 1, 7])
    }

    @Test("More members than a byte counts are told in several groups")
    func many() throws {
        let message = ChecksumMessage((0..<600).map { Self.told($0, 1, Self.ours) })
        var bytes: [UInt8] = []
        message.append(to: &bytes)
        #expect(bytes.count == 3 + 3 * 9 + 600 * 6 && bytes.count == message.encodedLength)
        #expect(try ChecksumMessage(reading: bytes.span) == message)
    }

    @Test("Cut short anywhere but between two groups, nothing of it is taken")
    func truncated() {
        for length in 0..<Self.bytes.count where length != 24 {
            #expect(throws: WireFault.self, "\(length) bytes") {
                try ChecksumMessage(reading: Self.bytes.span.extracting(..<length))
            }
        }
    }

    @Test(
        "An empty group, an age beyond five minutes, other kinds and versions are refused",
        arguments: [
            [0xE7, 1, 4, 1, 2, 3, 4, 5, 6, 7, 8, 0], [0xE7, 1, 4, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 1, 0x75, 0x31],
            [0xE7, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 1, 0, 0],
            [0xE7, 2, 4, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 1, 0, 0], [0xE7, 1, 4],
        ] as [[UInt8]])
    func refused(bytes: [UInt8]) {
        #expect(throws: WireFault.self) { try ChecksumMessage(reading: bytes.span) }
    }

    @Test("Random and mutated bytes are refused, or say the same once they are written anew", arguments: 1...4)
    func mutated(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var read = 0
        for _ in 0..<20_000 {
            var bytes = Self.bytes
            for _ in 0..<random.below(3) { bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(random.below(256)) }
            if random.below(4) == 0 { bytes += (0..<random.below(30)).map { _ in UInt8(random.below(256)) } }
            guard let message = try? ChecksumMessage(reading: bytes.span) else { continue }
            read += 1
            var written: [UInt8] = []
            ChecksumMessage(message.told).append(to: &written)
            let again = try ChecksumMessage(reading: written.span)
            #expect(Set(again.told) == Set(message.told))
        }
        #expect(read > 1000)
    }

    @Test("A view's halves are joined, so that either changes what is told")
    func halves() {
        #expect(Checksums(view: UInt64(0x0000_0001_0000_0002), config: 9) == Checksums(view: UInt32(3), config: 9))
    }
}
