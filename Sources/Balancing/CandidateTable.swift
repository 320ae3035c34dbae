// The endpoints that may be picked, laid out for weighted draws in O(1).
//
// Equal weights need no table: a number below the count is the draw. Unequal ones
// use the alias method (Walker 1977, in the form of Vose 1991): n buckets of equal
// size, each shared by at most two endpoints, so a draw is one bucket and one
// comparison. The shares are whole numbers (each weight times n, dealt into buckets
// of the weights' sum), hence exact where floating point would round.
//
// A tree of weights would draw in O(log n) and could change one weight in place,
// but weights change with the snapshot, which is rare, and draws do not.

internal import Upstreams
internal import Vocabulary

struct CandidateTable {
    /// One endpoint and one alias bucket; together, so that most draws touch one cache line.
    struct Candidate {
        /// Index of the endpoint's record in the snapshot.
        var record: UInt32
        var cell: LoadCells.Index
        var weight: UInt32
        /// The weights of all candidates before this one.
        var before: UInt32
        /// Of the ``CandidateTable/totalWeight`` parts of this bucket, how many are its own …
        var threshold: UInt32
        /// … and whose the others are.
        var alias: UInt32
    }

    private(set) var candidates: [Candidate] = []
    private(set) var totalWeight: UInt32 = 0
    private(set) var isUniform = true

    var count: Int { candidates.count }

    /// Replaces the contents by the candidates of `snapshot` that stand at `positions`; O(n).
    /// - Precondition: the weights' sum is below 2³², as it is for 429,000 endpoints of the greatest weight, and
    ///   there are fewer load cells than that.
    mutating func rebuild(from snapshot: UpstreamSnapshot, _ positions: Range<Int>) {
        candidates.removeAll(keepingCapacity: true)
        candidates.reserveCapacity(positions.count)
        totalWeight = 0
        isUniform = true
        for position in positions {
            let index = unsafe snapshot.candidates[position]
            let record = unsafe snapshot.records[Int(index)]
            candidates.append(
                Candidate(
                    record: index, cell: record.cell, weight: record.weight, before: totalWeight, threshold: .max,
                    alias: 0))
            totalWeight += record.weight
            if record.weight != candidates[0].weight { isUniform = false }
        }
        if !isUniform { fillBuckets() }
    }

    /// Vose's construction: each bucket that its own weight does not fill is topped up by one that has too much.
    private mutating func fillBuckets() {
        var parts = candidates.map { UInt64($0.weight) * UInt64(candidates.count) }
        let bucket = UInt64(totalWeight)
        var short = parts.indices.filter { parts[$0] < bucket }
        var ample = parts.indices.filter { parts[$0] >= bucket }
        while let poor = short.popLast(), let rich = ample.popLast() {
            candidates[poor].threshold = UInt32(parts[poor])
            candidates[poor].alias = UInt32(rich)
            parts[rich] -= bucket - parts[poor]
            if parts[rich] < bucket { short.append(rich) } else { ample.append(rich) }
        }
        // The parts add up to the buckets exactly, so what is left is exactly full: `threshold` stays above any draw.
    }
}

// MARK: - Draws

extension CandidateTable {
    /// A position, with the probability of its weight's share.
    ///
    /// One random number gives both the bucket (the product's high half) and the place in it (the low half, uniform
    /// but for a bias below n/2⁶⁴).
    /// - Precondition: there is a candidate.
    @inline(__always)
    func draw(_ random: inout SeededRandom) -> Int {
        let (bucket, place) = random.next().multipliedFullWidth(by: UInt64(candidates.count))
        let position = Int(bucket)
        if isUniform { return position }
        let part = UInt32(truncatingIfNeeded: place.multipliedFullWidth(by: UInt64(totalWeight)).high)
        let candidate = candidates[position]
        return part < candidate.threshold ? position : Int(candidate.alias)
    }

    /// A position other than `first`, with the probability of its weight's share among the others.
    ///
    /// Drawing until the result differs is exact: whichever try succeeds, each other position then stands in
    /// proportion to its weight, as conditioning on "not `first`" only rescales. So is the search in the running sums
    /// with `first` cut out, taken where `first` holds nearly all the weight and tries would go on for long; and a
    /// mixture of two exact draws is exact.
    /// - Precondition: there are two candidates.
    @inline(__always)
    func draw(otherThan first: Int, _ random: inout SeededRandom) -> Int {
        if isUniform {
            let position = Int(random.below(UInt32(truncatingIfNeeded: candidates.count &- 1)))
            return position >= first ? position &+ 1 : position
        }
        for _ in 0..<4 {
            let position = draw(&random)
            if position != first { return position }
        }
        return search(otherThan: first, &random)
    }

    private func search(otherThan first: Int, _ random: inout SeededRandom) -> Int {
        let skipped = candidates[first]
        var part = random.below(totalWeight - skipped.weight)
        if part >= skipped.before { part += skipped.weight }
        var low = 0
        var high = candidates.count
        // The last position whose `before` is at most `part`.
        while high - low > 1 {
            let middle = (low + high) / 2
            if candidates[middle].before <= part { low = middle } else { high = middle }
        }
        return low
    }
}
