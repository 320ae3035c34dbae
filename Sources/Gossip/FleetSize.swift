// What depends on how many members there are: how often things are told, how long a suspicion lasts, how rarely whole
// views are exchanged. The results are the reference's to the last digit (memberlist-behaviour §5, 7, 9): members that
// waited or repeated differently would spoil each other's estimates.
//
// Logarithms are counted in digits and bits where the result is a whole number: a logarithm in floating point may
// land on either side of a power of ten.

import func Glibc.log10

/// The number of members listed, ourselves and those not yet reaped included: `n` of every formula.
package struct FleetSize: Hashable, Sendable {
    /// Not negative.
    package let members: Int

    /// - Precondition: `members` is not negative.
    package init(_ members: Int) {
        precondition(members >= 0, "a fleet has no fewer than no members")
        self.members = members
    }

    /// How often one member tells a thing: `multiplier` × ⌈log₁₀(n + 1)⌉ times; 0 for an empty fleet.
    package func transmissions(multiplier: Int) -> Int { multiplier * decimalDigits }

    /// The suspicion of a member that enough others confirmed: `multiplier` × max(1, log₁₀ n) probe intervals, the
    /// logarithm cut after three decimals.
    package func shortestSuspicion(multiplier: Int, interval: Duration) -> Duration {
        interval * (multiplier * max(1000, thousandfoldLogarithm)) / 1000
    }

    /// How many confirmations bring a suspicion to its shortest, `multiplier` − 2; none where too few members could
    /// confirm, and the suspicion is at its shortest from the start.
    package func confirmationsWanted(multiplier: Int) -> Int {
        let wanted = max(0, multiplier - 2)
        return members - 2 < wanted ? 0 : wanted
    }

    /// From one push-pull to the next: `interval` up to 32 members, one more for each doubling begun beyond.
    package func pushPullInterval(_ interval: Duration) -> Duration {
        guard members > 32 else { return interval }
        // ⌈log₂ n⌉ is the width of n - 1 in bits.
        let width = Int.bitWidth - (members - 1).leadingZeroBitCount
        return interval * (width - 5 + 1)
    }

    /// ⌈log₁₀(n + 1)⌉; no digit for 0.
    private var decimalDigits: Int {
        var digits = 0
        var rest = members
        while rest > 0 {
            rest /= 10
            digits += 1
        }
        return digits
    }

    /// ⌊1000 × log₁₀ n⌋, 0 for an empty fleet. Only for a power of ten is the logarithm so near a thousandth that
    /// rounding could carry it over, and there it is counted.
    private var thousandfoldLogarithm: Int {
        guard members > 1 else { return 0 }
        var power = 1
        for digits in 1...decimalDigits {
            if power == members { return 1000 * (digits - 1) }
            power = power.multipliedReportingOverflow(by: 10).partialValue
        }
        return Int(1000 * log10(Double(members)))
    }
}
