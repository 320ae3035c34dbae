// MessagePack as a stranger may write it: any width of a number, the newer string and binary families, messages as maps
// or as arrays (memberlist-wire §4.2).
//
// Everything rests on one function that reads a value's head and on `Span`, which lets nobody read beyond its end. What
// a head declares is compared with the bytes that are there before anything is allocated for it.
//
// Not taken: a reader that holds the span, since such a type would need a feature of the language that is still an
// experiment. So the reader is a position, and each call is handed the bytes.

/// A place in MessagePack bytes, moved on by what is read. After a fault its place means nothing, but for
/// ``head(in:)``, which then has not moved.
struct MessagePackReader {
    /// The offset of the next byte.
    private(set) var position: Int

    init(at position: Int = 0) { self.position = position }

    /// What begins a value. The contents of a raw, and the values of an array or a map, follow.
    enum Head: Equatable {
        case absent
        case boolean(Bool)
        case unsigned(UInt64)
        case negative(Int64)
        case double(Double)
        /// A string or a byte string of so many bytes: the old dialect has one family for both.
        case raw(Int)
        /// An extension whose kind and content are so many bytes.
        case extended(Int)
        case array(Int)
        case map(Int)
    }

    /// Reads a head. Where the bytes end before it does, nothing moves.
    mutating func head(in bytes: Span<UInt8>) throws(WireFault) -> Head {
        guard position < bytes.count else { throw .cutShort }
        let first = bytes[position]
        switch first {
        case 0x00...0x7F: return short(.unsigned(UInt64(first)))
        case 0x80...0x8F: return short(.map(Int(first & 15)))
        case 0x90...0x9F: return short(.array(Int(first & 15)))
        case 0xA0...0xBF: return short(.raw(Int(first & 31)))
        case 0xC0: return short(.absent)
        case 0xC2: return short(.boolean(false))
        case 0xC3: return short(.boolean(true))
        case 0xC4, 0xD9: return .raw(Int(try long(1, in: bytes)))
        case 0xC5, 0xDA: return .raw(Int(try long(2, in: bytes)))
        case 0xC6, 0xDB: return .raw(Int(try long(4, in: bytes)))
        case 0xC7: return .extended(1 + Int(try long(1, in: bytes)))
        case 0xC8: return .extended(1 + Int(try long(2, in: bytes)))
        case 0xC9: return .extended(1 + Int(try long(4, in: bytes)))
        case 0xCA: return .double(Double(Float(bitPattern: UInt32(try long(4, in: bytes)))))
        case 0xCB: return .double(Double(bitPattern: try long(8, in: bytes)))
        case 0xCC: return .unsigned(try long(1, in: bytes))
        case 0xCD: return .unsigned(try long(2, in: bytes))
        case 0xCE: return .unsigned(try long(4, in: bytes))
        case 0xCF: return .unsigned(try long(8, in: bytes))
        case 0xD0: return integer(Int64(Int8(truncatingIfNeeded: try long(1, in: bytes))))
        case 0xD1: return integer(Int64(Int16(truncatingIfNeeded: try long(2, in: bytes))))
        case 0xD2: return integer(Int64(Int32(truncatingIfNeeded: try long(4, in: bytes))))
        case 0xD3: return integer(Int64(bitPattern: try long(8, in: bytes)))
        case 0xD4...0xD8: return short(.extended(1 + 1 << Int(first - 0xD4)))
        case 0xDC: return .array(Int(try long(2, in: bytes)))
        case 0xDD: return .array(Int(try long(4, in: bytes)))
        case 0xDE: return .map(Int(try long(2, in: bytes)))
        case 0xDF: return .map(Int(try long(4, in: bytes)))
        case 0xE0...0xFF: return short(.negative(Int64(Int8(bitPattern: first))))
        default: throw .notMessagePack(first)
        }
    }

    private mutating func short(_ head: Head) -> Head {
        position += 1
        return head
    }

    /// The number of so many bytes behind the first one.
    private mutating func long(_ count: Int, in bytes: Span<UInt8>) throws(WireFault) -> UInt64 {
        guard bytes.count - position > count else { throw .cutShort }
        var value: UInt64 = 0
        for offset in position + 1...position + count { value = value << 8 | UInt64(bytes[offset]) }
        position += 1 + count
        return value
    }

    private func integer(_ value: Int64) -> Head { value < 0 ? .negative(value) : .unsigned(UInt64(value)) }

    /// Steps over so many bytes of content.
    private mutating func content(_ count: Int, in bytes: Span<UInt8>) throws(WireFault) -> Range<Int> {
        guard count <= bytes.count - position else { throw .cutShort }
        position += count
        return position - count..<position
    }
}

// MARK: - Values of a kind

extension MessagePackReader {
    /// A number that fits the field; nil is zero.
    mutating func unsigned<Number: FixedWidthInteger & UnsignedInteger>(
        in bytes: Span<UInt8>
    ) throws(WireFault) -> Number {
        switch try head(in: bytes) {
        case .absent: return 0
        case .unsigned(let value):
            guard let number = Number(exactly: value) else { throw .outOfRange }
            return number
        case .negative: throw .outOfRange
        case .boolean, .double, .raw, .extended, .array, .map: throw .wrongKind
        }
    }

    /// A number of 64 bits with a sign; nil is zero.
    mutating func signed(in bytes: Span<UInt8>) throws(WireFault) -> Int64 {
        switch try head(in: bytes) {
        case .absent: return 0
        case .unsigned(let value):
            guard let number = Int64(exactly: value) else { throw .outOfRange }
            return number
        case .negative(let value): return value
        case .boolean, .double, .raw, .extended, .array, .map: throw .wrongKind
        }
    }

    /// How many there are, or how long something is: never negative, never above `limit`.
    mutating func count(upTo limit: Int, in bytes: Span<UInt8>) throws(WireFault) -> Int {
        let value: UInt64 = try unsigned(in: bytes)
        guard value <= UInt64(limit) else { throw .outOfRange }
        return Int(value)
    }

    /// True or false; 1 and 0 will do, and nil is false.
    mutating func boolean(in bytes: Span<UInt8>) throws(WireFault) -> Bool {
        switch try head(in: bytes) {
        case .absent: return false
        case .boolean(let value): return value
        case .unsigned(let value):
            guard value <= 1 else { throw .outOfRange }
            return value == 1
        case .negative: throw .outOfRange
        case .double, .raw, .extended, .array, .map: throw .wrongKind
        }
    }

    /// A number with a fraction; whole numbers will do, and nil is zero.
    mutating func double(in bytes: Span<UInt8>) throws(WireFault) -> Double {
        switch try head(in: bytes) {
        case .absent: return 0
        case .double(let value): return value
        case .unsigned(let value): return Double(value)
        case .negative(let value): return Double(value)
        case .boolean, .raw, .extended, .array, .map: throw .wrongKind
        }
    }

    /// Where a string's bytes are; nil is the empty one. Whether they are UTF-8 is not looked at.
    mutating func text(in bytes: Span<UInt8>) throws(WireFault) -> Range<Int> {
        switch try head(in: bytes) {
        case .absent: return position..<position
        case .raw(let count): return try content(count, in: bytes)
        case .boolean, .unsigned, .negative, .double, .extended, .array, .map: throw .wrongKind
        }
    }

    /// Appends a byte string, which may come as an array of numbers; false for nil.
    mutating func appendBytes(to output: inout [UInt8], in bytes: Span<UInt8>) throws(WireFault) -> Bool {
        switch try head(in: bytes) {
        case .absent: return false
        case .raw(let count):
            let content = bytes.extracting(try content(count, in: bytes))
            unsafe content.withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
        case .array(let count):
            for _ in 0..<count { output.append(try unsigned(in: bytes)) }
        case .boolean, .unsigned, .negative, .double, .extended, .map: throw .wrongKind
        }
        return true
    }

    /// A byte string of a few bytes, such as an address; nil is the empty one.
    mutating func shortBytes(in bytes: Span<UInt8>) throws(WireFault) -> ShortBytes {
        var result = ShortBytes()
        switch try head(in: bytes) {
        case .absent: break
        case .raw(let count):
            for offset in try content(count, in: bytes) { result.append(bytes[offset]) }
        case .array(let count):
            for _ in 0..<count { result.append(try unsigned(in: bytes)) }
        case .boolean, .unsigned, .negative, .double, .extended, .map: throw .wrongKind
        }
        return result
    }

    /// Steps over one value, whatever it is and however deep: no recursion, so no depth is too much.
    mutating func skip(in bytes: Span<UInt8>) throws(WireFault) {
        var walk = MessagePackWalk()
        do throws(WireFault) {
            try walk.advance(&self, in: bytes, bound: bytes.count)
        } catch .tooLong {
            throw .cutShort
        }
    }

    /// Steps over the content of a raw or an extension; nothing moves where it is not all there.
    fileprivate mutating func skipContent(_ count: Int, in bytes: Span<UInt8>) throws(WireFault) {
        _ = try content(count, in: bytes)
    }

    /// Begins a value anew, whose head was read but whose content was not all there.
    fileprivate mutating func stepBack(to start: Int) { position = start }
}

/// Up to sixteen bytes without an allocation. Of more only the number is kept.
struct ShortBytes {
    private var storage = InlineArray<16, UInt8>(repeating: 0)
    private(set) var count = 0

    mutating func append(_ byte: UInt8) {
        if count < storage.count { storage[count] = byte }
        count += 1
    }

    /// - Precondition: the byte is among those kept.
    subscript(index: Int) -> UInt8 { storage[index] }
}

// MARK: - Walking over a value

/// How far a value has been walked over, in bytes that may still be coming: it stops between heads where they end, and
/// goes on there when there are more, so that all its calls together take time in the length of the value.
struct MessagePackWalk {
    /// Values still to be walked over, those within others included.
    private var pending = 1

    /// - Parameter bound: the length beyond which the bytes will not grow.
    /// - Throws: `cutShort` where the value is not all there, the reader standing where the walk goes on; `tooLong`
    ///   where it cannot end before the bound.
    mutating func advance(
        _ reader: inout MessagePackReader, in bytes: Span<UInt8>, bound: Int
    ) throws(WireFault) {
        while pending > 0 {
            // Each value is a byte at least: a count beyond that lies, and no sum of such counts overflows.
            guard pending <= bound - reader.position else { throw .tooLong }
            let start = reader.position
            var values = 0
            do throws(WireFault) {
                switch try reader.head(in: bytes) {
                case .absent, .boolean, .unsigned, .negative, .double: break
                case .raw(let count), .extended(let count):
                    guard count <= bound - reader.position else { throw .tooLong }
                    try reader.skipContent(count, in: bytes)
                case .array(let count): values = count
                case .map(let count): values = 2 * count
                }
            } catch {
                reader.stepBack(to: start)
                throw error
            }
            pending += values - 1
        }
    }
}
