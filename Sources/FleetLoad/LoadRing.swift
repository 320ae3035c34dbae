// Who tells whom: the remoras of the fleet in an order that all of them compute, and two kinds of steps in it.
//
//     ours ─► the next s − 1 members                      near: our own report
//     ours and those of the s − 1 before us ─► every      far: what is told by the near ones, passed on
//                      s-th member from us on
//
// A member that is D places on is told by one path: D mod s places near, by us; then D / s far steps, by whoever is
// there. So n members learn of each other with about s + n/s datagrams each instead of n, and every report arrives once,
// at most one stop from its origin.
//
// Not taken: everybody tells everybody, whose n heads are longer than the reports in them once they are sealed, and whose
// datagrams are three times as many; a random member at a time, as
// news are told, since a report that is passed on and on is old: its age grows with ln n of what is sent in a round, and
// its tail with every member that chance leaves out; three kinds of steps, which save a tenth of the bytes and add a
// stop.

/// A place in the order: a digest of the name, then the name.
struct RingPlace: Comparable, Sendable {
    let digest: UInt64
    let name: String

    init(of name: String) {
        self.name = name
        // 64-bit FNV-1a, and SplitMix64's last step, by which neighbouring names part.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        hash = (hash ^ (hash &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash &>> 27)) &* 0x94D0_49BB_1331_11EB
        digest = hash ^ (hash &>> 31)
    }

    static func < (a: RingPlace, b: RingPlace) -> Bool {
        a.digest == b.digest ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8) : a.digest < b.digest
    }
}

/// The order, as slots of members, this node among them.
struct LoadRing: Sendable {
    private(set) var slots: [Int]
    /// This node's own place.
    private(set) var position = 0
    /// How many places a far step is.
    private(set) var stride = 1

    init(of slot: Int) { slots = [slot] }

    var count: Int { slots.count }
    /// How many far steps there are until this node would come again.
    var farSteps: Int { (count - 1) / stride }
    /// How many members are told by near steps.
    var nearSteps: Int { stride - 1 }

    /// How many reports a far step passes on, ours among them: the last one would come round to the near ones.
    func reports(atFarStep step: Int) -> Int { min(stride, count - step * stride) }

    /// The member so many places after us, or before us.
    func slot(at offset: Int) -> Int {
        let place = (position + offset) % count
        return slots[place < 0 ? place + count : place]
    }

    /// - Parameter isBefore: whether the new member's place is before that of a slot.
    /// - Complexity: O(log count) questions, O(count) for the move.
    mutating func insert(_ slot: Int, isBefore: (Int) -> Bool) {
        var (place, end) = (0, slots.count)
        while place < end {
            let middle = (place + end) / 2
            if isBefore(slots[middle]) { end = middle } else { place = middle + 1 }
        }
        slots.insert(slot, at: place)
        if place <= position { position += 1 }
        chooseStride()
    }

    /// - Complexity: O(count).
    mutating func remove(_ slot: Int) {
        guard let place = slots.firstIndex(of: slot) else { return }
        slots.remove(at: place)
        if place < position { position -= 1 }
        chooseStride()
    }

    /// √(n/7), and a function of nothing else, so that all take the same steps.
    ///
    /// With reports of e bytes and heads of o, laps cost a = (s − 1)(e + o) near and b = n e + n o / s far; the sum of
    /// their times is least where √a + √b is. At 250 members that is at s = 6 to 8 with sealed heads, and hardly differs
    /// from 1 to 6 with plain ones, where a larger s saves datagrams.
    private mutating func chooseStride() {
        stride = max(1, Int((Double(count) / 7).squareRoot().rounded()))
    }
}
