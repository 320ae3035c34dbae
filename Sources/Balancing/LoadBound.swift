// How much one endpoint may carry more than its share before keys that belong to it go elsewhere.
//
// Mirrokni, Thorup and Zadimoghaddam, *Consistent Hashing with Bounded Loads* (2018): with c times the average as
// everybody's capacity, rounded up, a key walks on to the first with room. Capacities follow from what all carry now
// and the one that is to be placed, so those of n members always have room for it.

/// The factor c, in thousandths: exact, where a binary fraction would place one connection more on one machine than on
/// another.
package struct LoadBound: Hashable, Sendable {
    /// From 1, with which all carry alike, to where there is hardly a bound.
    package static let range = 1.0...100.0

    private let thousandths: UInt64

    /// Nil outside of ``range``.
    package init?(factor: Double) {
        guard LoadBound.range.contains(factor) else { return nil }
        thousandths = UInt64((factor * 1000).rounded())
    }

    /// ⌈c (m + 1) w / W⌉: what a member may carry once the connection that is being placed is counted.
    /// - Parameters:
    ///   - outstanding: m, what all members carry that may be given something, before this connection.
    ///   - weight: w, of the member.
    ///   - totalWeight: W, of all members that may be given something, this one among them.
    package func capacity(outstanding: UInt32, weight: UInt32, totalWeight: UInt64) -> UInt64 {
        let demand = thousandths * (UInt64(outstanding) + 1)
        let product = demand.multipliedFullWidth(by: UInt64(weight))
        let divisor = 1000 * totalWeight
        let (quotient, remainder) = divisor.dividingFullWidth(product)
        return remainder == 0 ? quotient : quotient + 1
    }

    /// Whether a member that carries `load` may be given one more.
    package func leavesRoom(
        on load: UInt32, outstanding: UInt32, weight: UInt32, totalWeight: UInt64
    ) -> Bool {
        UInt64(load) + 1 <= capacity(outstanding: outstanding, weight: weight, totalWeight: totalWeight)
    }
}
