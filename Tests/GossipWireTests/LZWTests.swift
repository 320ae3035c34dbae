import GossipWire
import Testing
import Vocabulary

@Suite("LZW")
struct LZWTests {
    static let vectors = LayerVector.load("compress")

    @Test("Every captured stream is there to be tested")
    func nothingSkipped() {
        #expect(Self.vectors.count == 11)
        #expect(Self.vectors.allSatisfy { $0.fields?.Buf != nil && $0.fields?.plain != nil })
    }

    @Test("The reference's bytes are written and read", arguments: vectors)
    func reference(vector: LayerVector) throws {
        let compressed = try #require(vector.fields?.Buf?.bytes)
        let plain = try #require(vector.fields?.plain?.bytes)
        #expect(compress(plain) == compressed)
        #expect(decompress(compressed, limit: plain.count) == plain)
        if !plain.isEmpty { #expect(decompress(compressed, limit: plain.count - 1) == nil) }
    }

    @Test("What is compressed comes back", arguments: 1...6 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for size in sizes(using: &random) {
            for alphabet in [1, 2, 3, 17, 256] as [UInt32] {
                let plain = (0..<size).map { _ in UInt8(random.below(alphabet)) }
                let compressed = compress(plain)
                #expect(decompress(compressed, limit: size) == plain)
                #expect(compressed.count <= size * 3 / 2 + 6)
                if size < 10_000 { #expect(Textbook.decompress(compressed) == plain) }
            }
        }
    }

    @Test("Text of repeated phrases comes back, across full tables", arguments: 1...3 as ClosedRange<UInt64>)
    func phrases(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let words = (0..<40).map { _ in (0..<1 + random.below(9)).map { _ in UInt8(random.below(256)) } }
        let plain = (0..<20_000).flatMap { _ in words[Int(random.below(40))] }
        let compressed = compress(plain)
        #expect(compressed.count < plain.count)
        #expect(decompress(compressed, limit: plain.count) == plain)
        #expect(Textbook.decompress(compressed) == plain)
    }

    @Test("A table that is full and never cleared stays as it is, as in the reference")
    func fullTable() {
        // A writer that never clears: literals, so that every code defines an entry, then the entries themselves.
        var bits = BitWriter()
        var width = 9
        var codes = 0
        func write(_ code: Int) {
            bits.write(code, width: width)
            codes += 1
            if width < 12, 257 + codes == 1 << width { width += 1 }
        }
        for index in 0..<5000 { write(index * 7 % 256) }
        for code in [4095, 4094, 258, 4095] { write(code) }
        bits.write(257, width: width)
        let plain = decompress(bits.finish(), limit: 1 << 20)
        func literal(_ index: Int) -> UInt8 { UInt8(index * 7 % 256) }
        // Entry 258 + k is the k-th literal and the one behind it.
        let tail = [3837, 3836, 0, 3837].flatMap { [literal($0), literal($0 + 1)] }
        #expect(plain == (0..<5000).map(literal) + tail)
    }

    @Test("What arrives behind what was there does not touch it", arguments: vectors)
    func appends(vector: LayerVector) throws {
        let compressed = try #require(vector.fields?.Buf?.bytes)
        let plain = try #require(vector.fields?.plain?.bytes)
        var output: [UInt8] = [1, 2, 3]
        #expect(append(compressed, to: &output))
        #expect(output == [1, 2, 3] + plain)
        unsafe plain.withUnsafeBytes { unsafe LZW.compress($0, into: &output) }
        #expect(output == [1, 2, 3] + plain + compressed)
        #expect(!append(compressed.dropLast(), to: &output))
        #expect(output == [1, 2, 3] + plain + compressed)
    }

    @Test("Every beginning is refused: it has no end code", arguments: vectors)
    func truncation(vector: LayerVector) throws {
        let compressed = try #require(vector.fields?.Buf?.bytes)
        for count in stride(from: 0, to: compressed.count, by: max(1, compressed.count / 300)) {
            #expect(decompress(Array(compressed.prefix(count)), limit: 1 << 20) == nil)
        }
    }

    @Test("Changed bytes are read as the textbook reads them, or refused as it does", arguments: vectors)
    func mutation(vector: LayerVector) throws {
        let compressed = try #require(vector.fields?.Buf?.bytes)
        var random = SeededRandom(seed: 5)
        for place in stride(from: 0, to: compressed.count, by: max(1, compressed.count / 100)) {
            var changed = compressed
            changed[place] ^= UInt8(1 + random.below(255))
            #expect(decompress(changed, limit: 1 << 20) == Textbook.decompress(changed))
        }
    }

    @Test("Random bytes are read as the textbook reads them", arguments: 1...5 as ClosedRange<UInt64>)
    func noise(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<2000 {
            let noise = (0..<random.below(60)).map { _ in UInt8(random.below(256)) }
            #expect(decompress(noise, limit: 1 << 20) == Textbook.decompress(noise))
        }
    }

    @Test("A bomb is refused at the limit, with memory for no more than the limit")
    func bomb() {
        let bomb = compress([UInt8](repeating: 0, count: 2 << 20))
        #expect(bomb.count < 20_000)
        var output: [UInt8] = []
        #expect(!append(bomb, limit: 65_536, to: &output))
        #expect(output.isEmpty && output.capacity <= 2 * 65_536)
        #expect(decompress(bomb, limit: 2 << 20)?.count == 2 << 20)
    }
}

private func sizes(using random: inout SeededRandom) -> [Int] {
    [0, 1, 2, 3, 253, 254, 255, 256, 257, 300, 3838, 3839, 3840, 70_000]
        + (0..<8).map { _ in Int(random.below(9000)) }
}

private func compress(_ plain: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    unsafe plain.withUnsafeBytes { unsafe LZW.compress($0, into: &output) }
    return output
}

private func decompress(_ compressed: [UInt8], limit: Int) -> [UInt8]? {
    var output: [UInt8] = []
    return append(compressed, limit: limit, to: &output) ? output : nil
}

private func append(_ compressed: [UInt8], limit: Int = 1 << 20, to output: inout [UInt8]) -> Bool {
    unsafe compressed.withUnsafeBytes { unsafe LZW.decompress($0, limit: limit, into: &output) }
}

/// The decoder as textbooks tell it: a table of whole strings.
private enum Textbook {
    static func decompress(_ compressed: [UInt8]) -> [UInt8]? {
        var table: [[UInt8]] = []
        var previous: [UInt8]?
        var width = 9
        var high = 257
        var place = 0
        var output: [UInt8] = []
        while place + width <= compressed.count * 8 {
            var code = 0
            for bit in 0..<width where compressed[(place + bit) / 8] >> UInt8((place + bit) % 8) & 1 == 1 {
                code |= 1 << bit
            }
            place += width
            if code == 257 { return output }
            if code == 256 {
                (table, previous, width, high) = ([], nil, 9, 257)
                continue
            }
            let string: [UInt8]
            if code < 256 {
                string = [UInt8(code)]
            } else if code - 258 < table.count {
                string = table[code - 258]
            } else if code == high, let previous {
                string = previous + [previous[0]]
            } else {
                return nil
            }
            output += string
            if let previous, table.count < 4096 - 258 { table.append(previous + [string[0]]) }
            previous = string
            if high < 4095 { high += 1 }
            if high == 1 << width, width < 12 { width += 1 }
        }
        return nil
    }
}

private struct BitWriter {
    private var bits: [Bool] = []

    mutating func write(_ code: Int, width: Int) {
        bits += (0..<width).map { code >> $0 & 1 == 1 }
    }

    func finish() -> [UInt8] {
        stride(from: 0, to: bits.count, by: 8).map { start in
            (start..<min(start + 8, bits.count)).reduce(0) { $0 | (bits[$1] ? 1 << UInt8($1 - start) : 0) }
        }
    }
}
