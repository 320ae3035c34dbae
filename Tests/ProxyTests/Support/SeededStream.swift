// A long stream that is cheap to make and to check, and that no loss, doubling or
// swap leaves the same: a seeded block of a prime length, of which each repetition
// begins elsewhere. No buffer or page is a multiple of a prime.

import Glibc
import Vocabulary

struct SeededStream {
    private static let period = 1_048_573
    private static let shift = 7919

    /// The block, twice, so that it can be read on from any place in it.
    private let block: [UInt8]
    /// Bytes given or checked.
    private(set) var offset = 0

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let once = unsafe [UInt8](unsafeUninitializedCapacity: Self.period) { buffer, count in
            let whole = Self.period / 8
            let words = UnsafeMutableRawBufferPointer(buffer)
            for word in 0..<whole {
                unsafe words.storeBytes(of: random.next(), toByteOffset: word * 8, as: UInt64.self)
            }
            for byte in (whole * 8)..<Self.period { unsafe words[byte] = UInt8(truncatingIfNeeded: random.next()) }
            count = Self.period
        }
        block = once + once
    }

    /// Hands the next bytes to `body`, at most `count`; it answers how many of them it took.
    @discardableResult
    mutating func withNext(_ count: Int, _ body: (UnsafeRawBufferPointer) throws -> Int) rethrows -> Int {
        let (repetition, place) = offset.quotientAndRemainder(dividingBy: Self.period)
        let start = repetition * Self.shift % Self.period + place
        let length = min(count, Self.period - place)
        let taken = try unsafe block.withUnsafeBytes {
            try unsafe body(UnsafeRawBufferPointer(rebasing: $0[start..<start + length]))
        }
        offset += taken
        return taken
    }

    /// Whether `bytes` are the next ones.
    mutating func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            var isSame = true
            let checked = unsafe withNext(rest.count) { expected in
                guard let wanted = expected.baseAddress, let found = rest.baseAddress else { return 0 }
                isSame = unsafe memcmp(wanted, found, expected.count) == 0
                return expected.count
            }
            guard isSame else { return false }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(checked))
        }
        return true
    }
}

/// What came of checking a stream against what it should be.
enum StreamVerdict: Equatable, CustomStringConvertible {
    /// All of it is as it should be, and this long.
    case intact(bytes: Int)
    /// Within the read that ended at this byte.
    case differs(before: Int)

    var description: String {
        switch self {
        case .intact(let bytes): "\(bytes) bytes, as sent"
        case .differs(let bytes): "a wrong byte before byte \(bytes)"
        }
    }
}

extension Wire {
    /// Sends the next `count` bytes of `stream`.
    func send(_ count: Int, of stream: inout SeededStream) throws {
        let end = stream.offset + count
        while stream.offset < end {
            try unsafe stream.withNext(min(64 << 10, end - stream.offset)) {
                try unsafe send($0)
                return $0.count
            }
        }
    }

    /// Sends the next byte of `stream` as urgent.
    func sendUrgent(of stream: inout SeededStream) throws {
        try unsafe stream.withNext(1) {
            try sendUrgent(unsafe $0[0])
            return 1
        }
    }

    /// Reads to the end, or for as long as `limit` says, and compares with `stream`.
    func verify(_ stream: inout SeededStream, limit: Int = .max) throws -> StreamVerdict {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { unsafe buffer.deallocate() }
        while stream.offset < limit {
            let room = min(64 << 10, limit - stream.offset)
            let count = try unsafe receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<room]))
            if count == 0 { break }
            guard unsafe stream.matches(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else {
                return .differs(before: stream.offset)
            }
        }
        return .intact(bytes: stream.offset)
    }
}
