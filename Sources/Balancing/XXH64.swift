// The hash of rings, tables and keys: XXH64, as its specification has it (Collet, xxHash, version 0.1.1 of 2018).
//
// Who owns a key must be the same in every process, on every machine and in every release, so the hash is one that is
// written down and has test vectors: `Hasher` is neither. Its bits are even enough for a ring (a point is where a hash
// is), it costs a few nanoseconds for a key, and long keys about one for every ten bytes.
//
// It is no secret and keeps nothing off: who wants many keys on one endpoint can compute them. A keyed hash (SipHash)
// would need a key that the whole fleet shares, or owners would differ; bounded load is what helps.

/// 64 bits that stand for some bytes.
package enum XXH64 {
    /// The hash of `bytes`; O(count).
    package static func hash(_ bytes: RawSpan, seed: UInt64 = 0) -> UInt64 {
        let count = bytes.byteCount
        var offset = 0
        var hash = seed &+ prime5
        if count >= 32 {
            var lanes = (seed &+ prime1 &+ prime2, seed &+ prime2, seed, seed &- prime1)
            while offset + 32 <= count {
                lanes.0 = round(lanes.0, bytes.word(at: offset))
                lanes.1 = round(lanes.1, bytes.word(at: offset + 8))
                lanes.2 = round(lanes.2, bytes.word(at: offset + 16))
                lanes.3 = round(lanes.3, bytes.word(at: offset + 24))
                offset += 32
            }
            hash = rotate(lanes.0, by: 1) &+ rotate(lanes.1, by: 7) &+ rotate(lanes.2, by: 12)
            hash = hash &+ rotate(lanes.3, by: 18)
            hash = merge(merge(merge(merge(hash, lanes.0), lanes.1), lanes.2), lanes.3)
        }
        hash &+= UInt64(count)
        while offset + 8 <= count {
            hash = mix(hash, bytes.word(at: offset))
            offset += 8
        }
        if offset + 4 <= count {
            hash ^= UInt64(bytes.halfWord(at: offset)) &* prime1
            hash = rotate(hash, by: 23) &* prime2 &+ prime3
            offset += 4
        }
        while offset < count {
            hash ^= UInt64(bytes.byte(at: offset)) &* prime5
            hash = rotate(hash, by: 11) &* prime1
            offset += 1
        }
        return finish(hash)
    }

    /// The hash of a text's UTF-8, as it is: two spellings of one letter are two texts.
    package static func hash(_ text: String, seed: UInt64 = 0) -> UInt64 {
        let bytes = Array(text.utf8)
        return unsafe hash(bytes.span.bytes, seed: seed)
    }

    /// The hash of the sixteen bytes that two numbers are, the lowest first.
    @inlinable
    package static func hash(_ first: UInt64, _ second: UInt64) -> UInt64 {
        finish(mix(mix(prime5 &+ 16, first), second))
    }

    /// A running sum that every word and its place go into: one step of the hash, without its end.
    @inlinable
    package static func mix(_ sum: UInt64, _ word: UInt64) -> UInt64 {
        rotate(sum ^ round(0, word), by: 27) &* prime1 &+ prime4
    }

    /// Spreads a running sum over all bits.
    @inlinable
    package static func finish(_ sum: UInt64) -> UInt64 {
        var hash = sum
        hash = (hash ^ (hash &>> 33)) &* prime2
        hash = (hash ^ (hash &>> 29)) &* prime3
        return hash ^ (hash &>> 32)
    }
}

// MARK: - Arithmetic

extension XXH64 {
    @usableFromInline static var prime1: UInt64 { 0x9E37_79B1_85EB_CA87 }
    @usableFromInline static var prime2: UInt64 { 0xC2B2_AE3D_27D4_EB4F }
    @usableFromInline static var prime3: UInt64 { 0x1656_67B1_9E37_79F9 }
    @usableFromInline static var prime4: UInt64 { 0x85EB_CA77_C2B2_AE63 }
    @usableFromInline static var prime5: UInt64 { 0x27D4_EB2F_1656_67C5 }

    @usableFromInline
    static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        rotate(lane &+ word &* prime2, by: 31) &* prime1
    }

    private static func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
        (hash ^ round(0, lane)) &* prime1 &+ prime4
    }

    @usableFromInline
    static func rotate(_ x: UInt64, by k: UInt64) -> UInt64 { (x &<< k) | (x &>> (64 &- k)) }
}

extension RawSpan {
    // Bounds are checked by the span itself; any bits are a number.
    fileprivate func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    fileprivate func halfWord(at offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    fileprivate func byte(at offset: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
}
