// One tier of an upstream's endpoints, and the policies that pick from it.
//
// Every policy picks among the eligible only: not tried before by this connection,
// and below its limits. What is eligible changes from pick to pick, so it is not
// part of any table: draws are rejected and repeated, which leaves the others in
// proportion to their weights, and after a few rejections one pass over all
// candidates decides, so that "none" is said only where there is none.
//
// The policies that hash ask `KeyHolders` first; a connection without a key, or one whose
// key nobody can be given (no table has been built yet, or all of its members are full
// or were tried), goes by p2c: to be served by anybody is better than not to be.

internal import Upstreams
internal import Vocabulary

/// Endpoints that may be picked alike.
struct Tier: ~Copyable {
    /// Rejected draws after which all candidates are looked at. With half of them full, one pick in 256 gets there.
    private static let draws = 8

    let cells: LoadCells
    private(set) var table = CandidateTable()
    private var turns = Turns()
    private(set) var policy = BalancePolicy.p2c
    private(set) var limits = PlacementLimits.none
    /// By candidate, whether its own sidecar reports its load; empty where nobody is asked.
    var reports: [Bool] = []
    var reporters = 0
    /// What they answered.
    var pool = ProbePool()

    init(cells: LoadCells) { self.cells = cells }

    /// Of round robin: the part of its round that each endpoint has still to wait.
    var waits: Turns.Waits { turns.waits(in: table) }

    /// Takes over the candidates of `snapshot` that stand at `positions`.
    /// - Parameter waits: of round robin, from the tiers that they stood in before.
    mutating func adopt(
        _ snapshot: UpstreamSnapshot, _ positions: Range<Int>, continuing waits: Turns.Waits,
        random: inout SeededRandom
    ) {
        table.rebuild(from: snapshot, positions)
        policy = snapshot.options.balance
        limits = PlacementLimits(snapshot.options)
        switch policy {
        case .roundRobin: turns.rebuild(for: table, continuing: waits, random: &random)
        case .p2c, .leastRequest, .random, .ringHash, .maglev: turns = Turns()
        }
        adoptReports(snapshot)
    }

    /// Index of a record of the snapshot adopted last; nil where no endpoint of the tier is eligible.
    @inline(__always)
    mutating func pick(excluding tried: TriedEndpoints, random: inout SeededRandom) -> UInt32? {
        let picked =
            switch policy {
            case .p2c, .ringHash, .maglev: lessLoadedOfTwo(excluding: tried, &random)
            case .random: draw(excluding: tried, &random)
            case .roundRobin: nextInTurn(excluding: tried, &random)
            case .leastRequest: leastLoaded(excluding: tried, &random)
            }
        return picked?.record
    }
}

/// An eligible endpoint, with the load that made it so.
struct Option {
    var position: Int
    var record: UInt32
    var load: WeighedLoad
}

// MARK: - Policies

extension Tier {
    /// Two distinct weighted draws, of which the second is taken only if it is less loaded (Mitzenmacher 2001).
    ///
    /// Distinct, because a draw compared with itself is no choice: with two endpoints, a quarter of all picks would
    /// take the more loaded one.
    @inline(__always)
    private func lessLoadedOfTwo(excluding tried: TriedEndpoints, _ random: inout SeededRandom) -> Option? {
        guard let first = draw(excluding: tried, &random) else { return nil }
        guard let second = draw(otherThan: first.position, excluding: tried, &random) else { return first }
        return second.load.isLess(than: first.load) ? second : first
    }

    /// One weighted draw.
    @inline(__always)
    func draw(excluding tried: TriedEndpoints, _ random: inout SeededRandom) -> Option? {
        if table.count == 0 { return nil }
        for _ in 0..<Self.draws {
            if let drawn = option(at: table.draw(&random), excluding: tried) { return drawn }
        }
        return drawAmongEligible(otherThan: nil, excluding: tried, &random)
    }

    @inline(__always)
    func draw(
        otherThan first: Int, excluding tried: TriedEndpoints, _ random: inout SeededRandom
    ) -> Option? {
        if table.count == 1 { return nil }
        for _ in 0..<Self.draws {
            if let drawn = option(at: table.draw(otherThan: first, &random), excluding: tried) { return drawn }
        }
        return drawAmongEligible(otherThan: first, excluding: tried, &random)
    }

    /// The next in turn that is eligible. Those passed over lose that turn, and it falls to the others alike.
    private mutating func nextInTurn(excluding tried: TriedEndpoints, _ random: inout SeededRandom) -> Option? {
        for _ in 0..<table.count {
            if let next = option(at: turns.take(), excluding: tried) { return next }
        }
        return drawAmongEligible(otherThan: nil, excluding: tried, &random)
    }

    /// The least loaded of all; one drawn by weight among equals. O(n).
    ///
    /// Starting the pass at a random place and taking the first of the equals would favour those behind a gap.
    private func leastLoaded(excluding tried: TriedEndpoints, _ random: inout SeededRandom) -> Option? {
        var least: Option?
        var equals = WeightedReservoir()
        for position in 0..<table.count {
            guard let option = option(at: position, excluding: tried) else { continue }
            if let least {
                if least.load.isLess(than: option.load) { continue }
                if option.load.isLess(than: least.load) { equals = WeightedReservoir() }
            }
            if equals.takes(option.load.weight, &random) { least = option }
        }
        return least
    }

    /// A weighted draw in one pass over all candidates; nil only where none is eligible.
    @inline(never)
    private func drawAmongEligible(
        otherThan excluded: Int?, excluding tried: TriedEndpoints, _ random: inout SeededRandom
    ) -> Option? {
        var drawn: Option?
        var reservoir = WeightedReservoir()
        for position in 0..<table.count where position != excluded {
            guard let option = option(at: position, excluding: tried) else { continue }
            if reservoir.takes(option.load.weight, &random) { drawn = option }
        }
        return drawn
    }

    /// The candidate at `position`; nil where it was tried or has no room.
    @inline(__always)
    func option(at position: Int, excluding tried: TriedEndpoints) -> Option? {
        let candidate = table.candidates[position]
        let load = cells.load(of: candidate.cell)
        guard limits.leaveRoom(on: load), !tried.contains(candidate.cell) else { return nil }
        let compared = cells.comparedLoad(of: candidate.cell, placed: load)
        return Option(
            position: position, record: candidate.record, load: WeighedLoad(load: compared, weight: candidate.weight))
    }
}

// MARK: - Load

extension LoadCells {
    /// What choices compare and bounds go by: this process's own counts. Limits are always held against these.
    /// - Parameter placed: ``load(of:)`` of the cell, which was read anyway.
    @inline(__always)
    func comparedLoad(of cell: Index, placed: EndpointLoad) -> EndpointLoad { placed }
}

/// An endpoint's load at one moment, compared for its weight.
struct WeighedLoad {
    var load: EndpointLoad
    var weight: UInt32

    /// Compares outstanding/weight, then connections/weight, multiplied out so that nothing is rounded.
    @inline(__always)
    func isLess(than other: WeighedLoad) -> Bool {
        let (weight, otherWeight) = (UInt64(weight), UInt64(other.weight))
        let mine = UInt64(load.outstanding) &* otherWeight
        let theirs = UInt64(other.load.outstanding) &* weight
        if mine != theirs { return mine < theirs }
        return UInt64(load.connections) &* otherWeight < UInt64(other.load.connections) &* weight
    }
}

/// Draws one of a sequence by weight without knowing what is to come: each replaces the one held with the
/// probability of its share so far (Chao 1982, for a sample of one).
///
/// One pass rather than two, as loads change meanwhile and a second pass could find none of what the first counted.
struct WeightedReservoir {
    private var sum: UInt32 = 0

    /// Whether the next of the sequence is taken in place of what was taken before.
    @inline(__always)
    mutating func takes(_ weight: UInt32, _ random: inout SeededRandom) -> Bool {
        sum += weight
        return sum == weight || random.below(sum) < weight
    }
}
