// Every member once, in an order that each key has for itself: where a key goes when all on its way are unfit.
//
// Walking on until somebody fit comes would visit nearly a whole ring where hardly anybody is fit, on the path of
// every connection. So a walk ends after ``Detour/steps``, and then the key asks the members themselves: it starts at
// one and goes on by a stride, both its own, around a prime number of places. As with the walk, a key's order never
// changes, and the first in it who is fit owns the key; so somebody who recovers takes over exactly the keys that it
// comes first for.
//
// Weights play no part here. With three tenths of the members fit, the usual panic threshold, one key in eight billion
// gets this far.

@usableFromInline
struct Detour {
    /// Points or slots that are looked at before: with every other one unfit, one key in 2⁶⁴ goes on.
    @usableFromInline static var steps: Int { 64 }

    /// Places by rank, that is in the order of ``HashedMembers``.
    let given: [UInt32]
    /// The least prime that is no less than the number of members, and above 1.
    let places: UInt64

    init(_ members: HashedMembers) {
        given = members.members.map(\.given)
        places = Primes.atLeast(UInt64(max(given.count, 2)))
    }

    /// The first of this key's order that is eligible; nil where none is. O(n).
    func first(for key: UInt64, where isEligible: (UInt32) -> Bool) -> UInt32? {
        let spread = XXH64.hash(key, 0)
        var place = spread.multipliedFullWidth(by: places).high
        let stride = 1 + XXH64.hash(key, 1).multipliedFullWidth(by: places - 1).high
        for _ in 0..<places {
            if place < UInt64(given.count), isEligible(given[Int(place)]) { return given[Int(place)] }
            place += stride
            if place >= places { place -= places }
        }
        return nil
    }
}

enum Primes {
    /// The least prime that is no less than `number`; by trial division, for numbers of some millions.
    static func atLeast(_ number: UInt64) -> UInt64 {
        var candidate = max(number, 2)
        while !isPrime(candidate) { candidate += 1 }
        return candidate
    }

    static func isPrime(_ number: UInt64) -> Bool {
        guard number > 3 else { return number > 1 }
        if number.isMultiple(of: 2) { return false }
        var divisor: UInt64 = 3
        while divisor * divisor <= number {
            if number.isMultiple(of: divisor) { return false }
            divisor += 2
        }
        return true
    }
}
