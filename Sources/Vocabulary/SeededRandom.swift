// The one random generator of every core: the same seed gives the same run.

/// xoshiro256** by Blackman and Vigna (2018), seeded through SplitMix64 as they advise.
///
/// Not for secrets. 32 bytes of state, no allocation, about a nanosecond a number.
@usableFromInline
package struct SeededRandom: RandomNumberGenerator, Sendable {
    @usableFromInline var a: UInt64
    @usableFromInline var b: UInt64
    @usableFromInline var c: UInt64
    @usableFromInline var d: UInt64

    package init(seed: UInt64) {
        var state = seed
        func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z &>> 31)
        }
        (a, b, c, d) = (next(), next(), next(), next())
    }

    @inlinable
    package mutating func next() -> UInt64 {
        let result = rotate(b &* 5, by: 7) &* 9
        let shifted = b &<< 17
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= shifted
        d = rotate(d, by: 45)
        return result
    }

    /// A number in `0..<bound`, by Lemire's multiplication; its bias, below `bound`/2⁶⁴, is left in.
    /// - Precondition: `bound` is above zero.
    @inlinable
    package mutating func below(_ bound: UInt32) -> UInt32 {
        assert(bound > 0, "nothing is below zero")
        return UInt32(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    @usableFromInline
    func rotate(_ x: UInt64, by k: UInt64) -> UInt64 { (x &<< k) | (x &>> (64 - k)) }
}
