// LZW as Go's `compress/lzw` writes it: least significant bit first, 8-bit literals, codes of 9 to 12 bits
// (memberlist-wire §7). Compressed bytes equal the reference's, bit for bit.
//
// The idea of the decoder: what a code stands for has been written before, so the table holds places in the output
// instead of chains of prefixes. The k-th entry since the last clear code is the k-th expansion and the byte behind
// it; the places where expansions start are all there is to remember, and a code that is not defined yet is no
// special case, since its last byte is written by the time it is copied.
//
// Both tables stand on the stack (16 and 32 KiB), so there is no state to own and nothing to allocate; clearing them
// costs about a microsecond, less than what compressing a packet costs. Not taken: zlib's interfaces over streams
// (everything here is in memory and bounded), and tables reused between calls (an owner for every caller).

package enum LZW {
    fileprivate static let clear = 256
    fileprivate static let end = 257
    fileprivate static let firstFree = 258
    fileprivate static let narrowest = 9
    fileprivate static let widest = 12
    fileprivate static let highest = 4095

    /// Appends what `input` stands for; bytes behind the end code are not looked at.
    ///
    /// Memory is three times the input's at first, and then grows with what was written; never beyond the limit.
    /// - Parameter limit: the most bytes to append.
    /// - Returns: false, with `output` as it was, for an undefined code, for more than `limit` bytes and for a missing
    ///   end code.
    /// - Precondition: `limit` is below 4 GiB.
    /// - Complexity: O(input + appended).
    package static func decompress(
        _ input: UnsafeRawBufferPointer, limit: Int, into output: inout [UInt8]
    ) -> Bool {
        let start = output.count
        let compressed = unsafe Span<UInt8>(_unsafeBytes: input)
        var expander = Expander(writingAt: start)
        var room = min(limit, 3 * input.count + 64)
        while true {
            output.append(contentsOf: repeatElement(0, count: start + room - output.count))
            var span = output.mutableSpan
            switch expander.run(over: compressed, into: &span) {
            case .whole:
                output.removeLast(output.count - expander.written)
                return true
            case .full where room < limit:
                room = min(limit, 2 * room + Expander.longestExpansion)
            case .full, .malformed:
                output.removeLast(output.count - start)
                return false
            }
        }
    }

    /// Appends `input` compressed, as the reference would; of nothing, a clear and an end code.
    /// - Complexity: O(input). At most 1.5 bytes each, and 5 more, are appended.
    package static func compress(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var writer = CodeWriter()
        writer.write(clear, into: &output)
        guard input.count > 0 else {
            writer.finish(into: &output)
            return
        }
        var table = CodeTable()
        var code = unsafe Int(input[0])
        for index in 1..<input.count {
            let byte = unsafe input[index]
            if let longer = table.code(for: code, then: byte) {
                code = longer
                continue
            }
            writer.write(code, into: &output)
            if let next = writer.advance(into: &output) {
                table.define(next, as: code, then: byte)
            } else {
                table = CodeTable()
            }
            code = Int(byte)
        }
        writer.write(code, into: &output)
        _ = writer.advance(into: &output)
        writer.finish(into: &output)
    }
}

// MARK: - Expanding

/// The decoder between two calls: it stops where the room given ends, and goes on in more.
private struct Expander: ~Copyable {
    enum End { case whole, full, malformed }

    /// An entry is one byte longer than one before it.
    static let longestExpansion = LZW.highest - LZW.firstFree + 2
    /// The next byte of the input.
    private var next = 0
    private var bits: UInt32 = 0
    private var bitCount = 0
    private var width = LZW.narrowest
    /// Where in the output each expansion since the last clear code starts: one for every entry from 258 to 4095, and
    /// one that ends the last of them.
    private var starts = InlineArray<3839, UInt32>(repeating: 0)
    private var startCount = 0
    /// Read, but there was no room for its expansion.
    private var pending: Int?
    /// Where the output's next byte goes.
    private(set) var written: Int

    init(writingAt start: Int) { written = start }

    /// - Parameter output: what was there and was written before, and room for more.
    mutating func run(over input: Span<UInt8>, into output: inout MutableSpan<UInt8>) -> End {
        while let code = pending ?? readCode(of: input) {
            pending = nil
            if code == LZW.clear {
                width = LZW.narrowest
                startCount = 0
                continue
            }
            if code == LZW.end { return .whole }
            let length: Int
            if code < LZW.clear {
                guard written < output.count else {
                    pending = code
                    return .full
                }
                output[written] = UInt8(truncatingIfNeeded: code)
                length = 1
            } else {
                // The first `startCount` expansions define as many entries, the last of them only by this very code.
                let entry = code - LZW.firstFree
                guard entry < startCount else { return .malformed }
                let source = Int(starts[entry])
                let end = entry + 1 < startCount ? Int(starts[entry + 1]) : written
                length = end - source + 1
                guard length <= output.count - written else {
                    pending = code
                    return .full
                }
                // Forwards, byte by byte: an entry may end with the first byte of its own copy.
                for offset in 0..<length { output[written + offset] = output[source + offset] }
            }
            noteStart(at: written)
            written += length
        }
        return .malformed
    }

    private mutating func noteStart(at place: Int) {
        guard startCount < starts.count else { return }
        starts[startCount] = UInt32(place)
        startCount += 1
        // The highest code is one short of the number of starts away, so the width stays within its twelve bits.
        if width < LZW.widest, LZW.end + startCount == 1 << width { width += 1 }
    }

    private mutating func readCode(of input: Span<UInt8>) -> Int? {
        while bitCount < width {
            guard next < input.count else { return nil }
            bits |= UInt32(input[next]) << UInt32(bitCount)
            next += 1
            bitCount += 8
        }
        let code = Int(bits & (1 << UInt32(width) - 1))
        bits >>= UInt32(width)
        bitCount -= width
        return code
    }
}

// MARK: - Compressing

/// Which code stands for another code's bytes and one byte more: open addressing, at most half full.
private struct CodeTable: ~Copyable {
    /// Code and byte above the lowest twelve bits, the longer code in them; zero where there is none.
    private var slots = InlineArray<8192, UInt32>(repeating: 0)

    /// Multiplicative hashing (Knuth, TAOCP 3, §6.4); 13 bits are the table's size.
    private static func slot(of key: UInt32) -> Int { Int((key &* 0x9E37_79B1) >> (32 - 13)) }

    func code(for code: Int, then byte: UInt8) -> Int? {
        let key = UInt32(code) << 8 | UInt32(byte)
        var slot = CodeTable.slot(of: key)
        while slots[slot] != 0 {
            if slots[slot] >> 12 == key { return Int(slots[slot] & 0xFFF) }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// - Precondition: the pair has no code yet.
    mutating func define(_ longer: Int, as code: Int, then byte: UInt8) {
        let key = UInt32(code) << 8 | UInt32(byte)
        var slot = CodeTable.slot(of: key)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = key << 12 | UInt32(longer)
    }
}

private struct CodeWriter {
    private var bits: UInt32 = 0
    private var bitCount = 0
    private var width = LZW.narrowest
    /// The code that the reader defines next, once it has read another one.
    private var high = LZW.end

    mutating func write(_ code: Int, into output: inout [UInt8]) {
        bits |= UInt32(code) << UInt32(bitCount)
        bitCount += width
        while bitCount >= 8 {
            output.append(UInt8(truncatingIfNeeded: bits))
            bits >>= 8
            bitCount -= 8
        }
    }

    /// Follows the reader after a data code: widens codes, and clears once there are no more.
    /// - Returns: the code that may be defined; nil after a clear code.
    mutating func advance(into output: inout [UInt8]) -> Int? {
        high += 1
        if high == 1 << width { width += 1 }
        guard high == LZW.highest else { return high }
        write(LZW.clear, into: &output)
        width = LZW.narrowest
        high = LZW.end
        return nil
    }

    mutating func finish(into output: inout [UInt8]) {
        write(LZW.end, into: &output)
        if bitCount > 0 { output.append(UInt8(truncatingIfNeeded: bits)) }
    }
}
