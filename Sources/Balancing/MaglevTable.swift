// Maglev's lookup table: who owns a key, as evenly as can be, found with one look.
//
// Eisenbud et al., *Maglev: A Fast and Reliable Software Network Load Balancer* (NSDI 2016), §3.4: each member has an
// order of its own in which it wants the slots of a table of prime size; members take turns, each taking the first
// slot on its list that is free. Two members' shares differ by one slot; in return, when a member goes, a few keys
// of the others move too.
//
// Weights change how often a member's turn comes (the paper's way): with w a member takes its k-th turn at time
// (k − ½) / w, the heavier first where times are equal; the half rounds shares to the nearest slot. Members of one weight
// form one ring, so that a turn costs the logarithm of the number of different weights, and equal weights are the
// paper's plain round. Everybody's first turn comes before all others, so that the lightest own a slot too.
//
// The size follows from the number of members, as a table has to be a hundred times as large for shares to be within a
// per cent. It is one of the paper's two, so it changes once in the life of a fleet, and then all keys move. Keeping the
// old size for a while was not taken: two remoras that saw different pasts would disagree. A third size was not taken
// either: 10,000 members are within 1.5 % in the second, and a table ten times as large takes two seconds to fill.

public import Upstreams

/// An immutable table of members.
///
/// `@unchecked`: the memory behind the pointer is written in `init` alone, before anyone else sees the table.
@safe
@usableFromInline
package final class MaglevTable: KeyTable, @unchecked Sendable {
    /// Primes.
    private static let (small, large) = (65_537, 655_373)
    /// Slots that there are for a member at least in the small one.
    private static let slotsPerMember = 100

    /// Different members, by name.
    package let memberCount: Int
    /// Equal in two processes where their tables are.
    package let checksum: UInt64
    /// Each slot's owner: its place in the list that was given.
    @usableFromInline let slots: UnsafeBufferPointer<UInt32>
    private let detour: Detour

    /// The table of `members`, whatever their order; expected O(size · log size), whatever the weights.
    /// - Precondition: there are no more than 655,373 members.
    package convenience init(_ members: [HashedMember]) {
        let isSmall = members.count * MaglevTable.slotsPerMember <= MaglevTable.small
        self.init(members, size: isSmall ? MaglevTable.small : MaglevTable.large)
    }

    /// - Parameter size: prime, and no less than the number of members, each of which owns a slot or more.
    package init(_ members: [HashedMember], size: Int) {
        let hashed = HashedMembers(members)
        precondition(Primes.isPrime(UInt64(size)) && size >= hashed.count, "a table has a prime number of slots")
        memberCount = hashed.count
        detour = Detour(hashed)
        let slots = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: hashed.count == 0 ? 0 : size)
        unsafe slots.initialize(repeating: .max)
        var wishes = hashed.members.map { SlotWishes(of: $0.hash, size: UInt64(size)) }
        var rounds = WeightedRounds(weights: hashed.members.map(\.weight))
        for rank in wishes.indices {
            while unsafe slots[Int(wishes[rank].next())] != .max {}
            unsafe slots[Int(wishes[rank].taken)] = UInt32(rank)
        }
        for _ in 0..<(slots.count - hashed.count) {
            let rank = rounds.take()
            while unsafe slots[Int(wishes[rank].next())] != .max {}
            unsafe slots[Int(wishes[rank].taken)] = UInt32(rank)
        }
        let sum = unsafe slots.reduce(hashed.checksum(seed: UInt64(size))) { XXH64.mix($0, UInt64($1)) }
        checksum = XXH64.finish(sum)
        for slot in slots.indices { unsafe slots[slot] = hashed.members[Int(slots[slot])].given }
        unsafe self.slots = UnsafeBufferPointer(slots)
    }

    deinit { unsafe slots.deallocate() }
}

// MARK: - Lookup

extension MaglevTable {
    /// Whose key this is: the place, in the list the table was built from, of the first eligible member from the key's
    /// slot on; nil only where none is eligible. One look where most are, O(n) at worst (see ``Detour``).
    @inlinable
    @inline(__always)
    package func member(for key: UInt64, where isEligible: (UInt32) -> Bool) -> UInt32? {
        if unsafe slots.isEmpty { return nil }
        var slot = unsafe Int(key.multipliedFullWidth(by: UInt64(slots.count)).high)
        for _ in 0..<Detour.steps {
            let owner = unsafe slots[slot]
            if isEligible(owner) { return owner }
            slot &+= 1
            if unsafe slot == slots.count { slot = 0 }
        }
        return detoured(for: key, where: isEligible)
    }

    @usableFromInline
    @inline(never)
    func detoured(for key: UInt64, where isEligible: (UInt32) -> Bool) -> UInt32? {
        detour.first(for: key, where: isEligible)
    }

    /// How many slots there are.
    package var size: Int { unsafe slots.count }

    /// Who owns a slot: a place in the list that was given.
    package func owner(ofSlot slot: Int) -> UInt32 { unsafe slots[slot] }
}

// MARK: - Turns

/// The slots in the order in which one member wants them: from an offset on by a stride, both its own.
private struct SlotWishes {
    private let stride: UInt64
    private let size: UInt64
    /// The slot asked for last.
    private(set) var taken: UInt64

    init(of member: UInt64, size: UInt64) {
        self.size = size
        stride = 1 + XXH64.hash(member, 1).multipliedFullWidth(by: size - 1).high
        let offset = XXH64.hash(member, 0).multipliedFullWidth(by: size).high
        // `next` goes one stride on before it answers.
        taken = offset >= stride ? offset - stride : offset + size - stride
    }

    mutating func next() -> UInt64 {
        taken += stride
        if taken >= size { taken -= size }
        return taken
    }
}

/// Whose turn it is, by rank: members of one weight each in turn, the weights by stride scheduling.
private struct WeightedRounds {
    private struct Ring {
        let weight: UInt64
        var ranks: [Int] = []
        var next = 0
        /// Its members' next turn is the k-th: this is 2k − 1. All have had their first.
        var halves: UInt64 = 3

        /// Whether its turn, at time `halves / 2 / weight`, comes before the other's.
        func precedes(_ other: Ring) -> Bool {
            let (mine, theirs) = (halves * other.weight, other.halves * weight)
            return mine != theirs ? mine < theirs : weight > other.weight
        }
    }

    /// A heap: the ring whose turn is next is the first.
    private var rings: [Ring] = []

    init(weights: [UInt64]) {
        let order = weights.indices.sorted { weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1 }
        for rank in order {
            if rings.last?.weight != weights[rank] { rings.append(Ring(weight: weights[rank])) }
            rings[rings.count - 1].ranks.append(rank)
        }
        // From the heaviest, the soonest, to the lightest: that is a heap.
    }

    /// - Precondition: there is a member.
    mutating func take() -> Int {
        let rank = rings[0].ranks[rings[0].next]
        rings[0].next += 1
        if rings[0].next == rings[0].ranks.count {
            rings[0].next = 0
            rings[0].halves += 2
            sink()
        }
        return rank
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var first = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < rings.count {
                if rings[child].precedes(rings[first]) { first = child }
            }
            if first == parent { return }
            rings.swapAt(parent, first)
            parent = first
        }
    }
}
