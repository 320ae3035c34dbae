// MessagePack as the reference writes it: the specification of before 2013, without `str8`, `bin` and extensions.
//
// An extension of the buffer that is written to: there is no state but the bytes. A message's fields are written in
// the bytewise order of their keys, which the callers spell out; tests hold them against the reference's bytes.

extension [UInt8] {
    /// The header of a map of so many pairs.
    mutating func append(map count: Int) {
        append(fixed: 0x80, upTo: 15, word: 0xDE, count)
    }

    /// The header of an array of so many values.
    mutating func append(array count: Int) {
        append(fixed: 0x90, upTo: 15, word: 0xDC, count)
    }

    /// In the fewest bytes.
    mutating func append(unsigned value: some FixedWidthInteger & UnsignedInteger) {
        switch value {
        case ..<0x80:
            append(UInt8(truncatingIfNeeded: value))
        case ...0xFF:
            append(0xCC)
            append(UInt8(truncatingIfNeeded: value))
        default:
            // The comparisons are made in 64 bits: narrower types do not reach the larger bounds.
            let wide = UInt64(value)
            if wide <= 0xFFFF {
                append(0xCD)
                append(bigEndian: UInt16(truncatingIfNeeded: wide))
            } else if wide <= 0xFFFF_FFFF {
                append(0xCE)
                append(bigEndian: UInt32(truncatingIfNeeded: wide))
            } else {
                append(0xCF)
                append(bigEndian: wide)
            }
        }
    }

    /// A signed field: not negative, it is written like an unsigned one, as the older codec does.
    mutating func append(signed value: Int64) {
        switch value {
        case 0...:
            append(unsigned: UInt64(value))
        case -32..<0:
            append(UInt8(truncatingIfNeeded: value))
        default:
            append(0xD3)
            append(bigEndian: UInt64(bitPattern: value))
        }
    }

    mutating func append(boolean value: Bool) { append(value ? 0xC3 : 0xC2) }

    mutating func append(double value: Double) {
        append(0xCB)
        append(bigEndian: value.bitPattern)
    }

    mutating func appendNil() { append(0xC0) }

    /// A byte string that is there, though it may be empty.
    mutating func append(raw bytes: [UInt8]) {
        append(rawOf: bytes.count)
        append(contentsOf: bytes)
    }

    /// A byte string that the reference has as nil where it is empty.
    mutating func append(rawOrNil bytes: [UInt8]) {
        if bytes.isEmpty { appendNil() } else { append(raw: bytes) }
    }

    mutating func append(text: String) {
        append(rawOf: text.utf8.count)
        append(contentsOf: text.utf8)
    }

    /// A map's key.
    mutating func append(key: StaticString) {
        append(rawOf: key.utf8CodeUnitCount)
        key.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }

    mutating func append<Word: FixedWidthInteger & UnsignedInteger>(bigEndian value: Word) {
        for shift in stride(from: Word.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> Word(shift)))
        }
    }

    /// The header of a raw of so many bytes.
    private mutating func append(rawOf count: Int) {
        append(fixed: 0xA0, upTo: 31, word: 0xDA, count)
    }

    /// A header whose count is in its first byte, or in the two or four bytes that follow.
    private mutating func append(fixed: UInt8, upTo bound: Int, word: UInt8, _ count: Int) {
        if count <= bound {
            append(fixed | UInt8(count))
        } else if count <= 0xFFFF {
            append(word)
            append(bigEndian: UInt16(count))
        } else {
            append(word + 1)
            append(bigEndian: UInt32(count))
        }
    }
}
