// Round robin by weight: who is next.
//
// Endpoints of equal weight form one ring and take turns in it; the rings share the
// turns in proportion to their total weights, by stride scheduling (Waldspurger and
// Weihl 1995): ring r takes its k-th turn at the virtual time (k + phase_r) / W_r,
// the earliest first. So a turn costs O(log c) for c different weights, O(1) when
// all are equal, where nginx's smooth scheme looks at every endpoint; and a light
// endpoint's turns are spread evenly between those of a heavy one.
//
// Times are compared as fractions of whole numbers, so over one period (the sum of
// the weights) each endpoint gets exactly its weight, for ever. A phase drawn at
// random keeps workers from marching in step.
//
// A new snapshot must not make anyone start over, or endpoints late in the order
// would starve where snapshots come faster than rounds. So each endpoint carries
// over the part of its own round that it still has to wait, and newcomers queue
// behind those who waited already.

internal import Upstreams
internal import Vocabulary

struct Turns {
    /// The endpoints of one weight, and when they have their next turn.
    private struct Ring {
        /// Where its members stand in ``Turns/members``.
        var start: Int
        var count: Int
        /// The member whose turn is next, counted from `start`.
        var next = 0
        /// All its members' weights together: its turns per period.
        var total: UInt32
        /// Whole periods since the last adoption, wrapping; no two rings are more than one apart.
        var period: UInt32 = 0
        /// Turns taken in this period, below `total`.
        var taken: UInt32 = 0
        /// How far into its stride its turns come, in 2⁻³² of the stride.
        var phase: UInt32

        /// The time of its next turn within the period, in 2⁻³² / `total`.
        var position: UInt64 { UInt64(taken) << 32 | UInt64(phase) }

        func precedes(_ other: Ring) -> Bool {
            if period != other.period { return Int32(bitPattern: period &- other.period) < 0 }
            let a = position.multipliedFullWidth(by: UInt64(other.total))
            let b = other.position.multipliedFullWidth(by: UInt64(total))
            if a.high != b.high { return a.high < b.high }
            if a.low != b.low { return a.low < b.low }
            return start < other.start
        }

        /// Strides from `now`'s turn to this ring's: 0...1.
        func wait(from now: Ring) -> Double {
            let unit = 0x1p-32
            let periods = Double(Int32(bitPattern: period &- now.period)) * Double(total)
            let strides = Double(position) * unit - Double(now.position) * unit * Double(total) / Double(now.total)
            return min(max(periods + strides, 0), 1)
        }
    }

    /// A heap: the ring whose turn is earliest is the first.
    private var rings: [Ring] = []
    /// Positions in the table, ring by ring.
    private var members: [UInt32] = []

    /// The position in the table whose turn it is; its turn is then taken.
    /// - Precondition: the table has a candidate.
    mutating func take() -> Int {
        let ring = rings[0]
        let position = Int(members[ring.start &+ ring.next])
        rings[0].next = ring.next &+ 1 == ring.count ? 0 : ring.next &+ 1
        rings[0].taken = ring.taken &+ 1
        if rings[0].taken == ring.total {
            rings[0].taken = 0
            rings[0].period &+= 1
        }
        sink(0)
        return position
    }

    /// Restores the heap where only the ring at `top` may come too early.
    private mutating func sink(_ top: Int) {
        var parent = top
        while true {
            var earliest = parent
            let left = 2 &* parent &+ 1
            if left < rings.count, rings[left].precedes(rings[earliest]) { earliest = left }
            if left &+ 1 < rings.count, rings[left &+ 1].precedes(rings[earliest]) { earliest = left &+ 1 }
            if earliest == parent { return }
            rings.swapAt(parent, earliest)
            parent = earliest
        }
    }
}

// MARK: - Adoption

extension Turns {
    /// By cell, the part of its own round that each endpoint has still to wait: 0 is next, 1 a whole round.
    typealias Waits = [LoadCells.Index: Double]

    /// - Parameter table: the one these turns were made for.
    func waits(in table: CandidateTable) -> Waits {
        var waits = Waits(minimumCapacity: members.count)
        for ring in rings {
            let strides = ring.wait(from: rings[0])
            for ahead in 0..<ring.count {
                let place = (ring.next + ahead) % ring.count
                let cell = table.candidates[Int(members[ring.start + place])].cell
                // One address named twice is one cell with two turns; either will do.
                waits[cell] = (strides + Double(ahead)) / Double(ring.count)
            }
        }
        return waits
    }

    /// Starts over for `table`, those in `waits` where they stood; O(n log n).
    mutating func rebuild(for table: CandidateTable, continuing waits: Waits, random: inout SeededRandom) {
        struct Member {
            var position: Int
            var weight: UInt32
            /// nil for a newcomer.
            var wait: Double?
        }
        let sorted = table.candidates.indices.map { position in
            let candidate = table.candidates[position]
            return Member(position: position, weight: candidate.weight, wait: waits[candidate.cell])
        }.sorted { a, b in
            if a.weight != b.weight { return a.weight > b.weight }
            let (waitA, waitB) = (a.wait ?? .infinity, b.wait ?? .infinity)
            return waitA != waitB ? waitA < waitB : a.position < b.position
        }
        members = sorted.map { UInt32($0.position) }
        rings.removeAll(keepingCapacity: true)
        var start = 0
        while start < sorted.count {
            let weight = sorted[start].weight
            let end = sorted[start...].firstIndex { $0.weight != weight } ?? sorted.count
            var ring = Ring(start: start, count: end - start, total: weight * UInt32(end - start), phase: 0)
            if let wait = sorted[start].wait {
                ring.phase = UInt32(min(wait * Double(ring.count) * 0x1p32, Double(UInt32.max)))
            } else {
                ring.phase = UInt32(truncatingIfNeeded: random.next())
                ring.next = Int(random.below(UInt32(ring.count)))
            }
            rings.append(ring)
            start = end
        }
        for parent in stride(from: rings.count / 2 - 1, through: 0, by: -1) { sink(parent) }
    }
}
