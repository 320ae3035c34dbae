// CRC-32 of IEEE 802.3, as in zlib: what guards a packet from a sender that knows us to understand it (memberlist-wire §8).
//
// Eight bytes a step through eight tables (Kounavis and Berry, "slicing-by-8", 2005): 8 KiB of tables for a fifth of
// the time of one table. Not taken: carry-less multiplication, which Swift cannot name, for 30 to 1400 bytes.

package enum CRC32 {
    /// Table `n` at `256 * n`: what a byte does to the checksum when `n` more follow it.
    ///
    /// An array: an `InlineArray` in a global is copied, all of it, at each subscript.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 2048)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1) &* 0xEDB8_8320 }
            tables[byte] = remainder
        }
        for index in 256..<2048 {
            let shorter = tables[index - 256]
            tables[index] = shorter >> 8 ^ tables[Int(shorter & 0xFF)]
        }
        return tables
    }()

    /// - Complexity: O(bytes).
    package static func checksum(of bytes: Span<UInt8>) -> UInt32 {
        let tables = tables.span
        var remainder = UInt32.max
        var offset = 0
        while bytes.count - offset >= 8 {
            let word = unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
            let mixed = word ^ UInt64(remainder)
            remainder = 0
            for place in 0..<8 {
                remainder ^= tables[256 * (7 - place) + Int(truncatingIfNeeded: mixed >> UInt64(8 * place) & 0xFF)]
            }
            offset += 8
        }
        while offset < bytes.count {
            remainder = remainder >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: remainder) ^ bytes[offset])]
            offset += 1
        }
        return ~remainder
    }
}
