// The zones that an upstream's connections go to, a tier for each, and a draw that says which.
//
// The shares are the snapshot's (see `ZoneShares`). A zone is drawn first, by one random number, and the policy then
// picks in it alone: two choices are compared within a zone, each zone has its own round, and the least loaded is the
// least of a zone. Where all stays in one zone nothing is drawn.
//
// The tiers lie in one block of memory that is reached by index: an array cannot hold what is not copied.

internal import Upstreams
internal import Vocabulary

@safe
struct ZoneTiers: ~Copyable {
    private(set) var tiers = unsafe UnsafeMutableBufferPointer<Tier>(start: nil, count: 0)
    /// Below which number a draw falls to each zone, in 2⁻³²; the last has the rest.
    private var thresholds: [UInt32] = []

    init() {}

    deinit {
        unsafe tiers.deinitialize()
        unsafe tiers.deallocate()
    }

    @inline(__always)
    var isEmpty: Bool { unsafe tiers.isEmpty }

    /// Takes over the zones of `snapshot`; O(endpoints in them).
    /// - Parameter waits: of round robin, whatever tier the endpoints stood in.
    mutating func adopt(
        _ snapshot: UpstreamSnapshot, continuing waits: Turns.Waits, cells: LoadCells, random: inout SeededRandom
    ) {
        resize(to: snapshot.zones.count, cells: cells)
        thresholds.removeAll(keepingCapacity: true)
        var sum = 0.0
        for (place, zone) in snapshot.zones.enumerated() {
            sum += zone.share
            thresholds.append(UInt32(min(sum * 0x1p32, Double(UInt32.max))))
            unsafe tiers[place].adopt(snapshot, zone.positions, continuing: waits, random: &random)
        }
    }

    /// Adds the part of its round that each endpoint has still to wait.
    func addWaits(to waits: inout Turns.Waits) {
        for place in unsafe tiers.indices { unsafe waits.merge(tiers[place].waits) { _, own in own } }
    }

    /// A pick in a zone that is drawn by its share; nil where that zone has nobody eligible.
    /// - Precondition: there is a zone.
    mutating func pick(excluding tried: TriedEndpoints, random: inout SeededRandom) -> UInt32? {
        let zone = drawPlace(&random)
        return unsafe tiers[zone].pick(excluding: tried, random: &random)
    }

    /// Changes the tier at a place, for who is in another file: there, under ThreadSanitizer, the compiler (Swift 6.3.1)
    /// makes of an element's change in place a module that it then refuses.
    mutating func changeTier<Outcome>(at place: Int, _ change: (inout Tier) -> Outcome) -> Outcome {
        unsafe change(&tiers[place])
    }

    /// A zone's place, by its share.
    @inline(__always)
    func drawPlace(_ random: inout SeededRandom) -> Int { unsafe tiers.count == 1 ? 0 : draw(&random) }

    private func draw(_ random: inout SeededRandom) -> Int {
        let number = UInt32(truncatingIfNeeded: random.next() &>> 32)
        // This node's own zone comes first, and mostly has the greatest share.
        if number < thresholds[0] { return 0 }
        var (low, high) = (1, thresholds.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if number < thresholds[middle] { high = middle } else { low = middle + 1 }
        }
        return high
    }

    private mutating func resize(to count: Int, cells: LoadCells) {
        guard unsafe count != tiers.count else { return }
        unsafe tiers.deinitialize()
        unsafe tiers.deallocate()
        unsafe tiers = UnsafeMutableBufferPointer<Tier>.allocate(capacity: count)
        for place in 0..<count { unsafe tiers.initializeElement(at: place, to: Tier(cells: cells)) }
    }
}
