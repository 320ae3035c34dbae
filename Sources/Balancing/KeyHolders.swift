// Whose key it is, among the endpoints of one tier: what the policies that hash pick by.
//
// The ring or table is everybody's, built elsewhere of all members whatever their fitness. A tier has its own list beside
// it: which of its endpoints stands for which member. So whether a member may be given a connection is one look by its
// place, and a tier's adoption copies a few bytes for each member and builds nothing. A member without an endpoint in
// the tier is passed over, as one that is full or was tried; an endpoint that is no member yet owns no key.
//
// A bound on loads needs what all of the tier carry. A sum over ten thousand cells at each pick would cost more than the
// connection; a sum that all workers keep together is a line that they all write at every answer, and it cannot tell
// what the unfit among them carry, who may carry most of it. So each worker keeps a sum of what it last saw, and looks
// at some again at each pick: at all where they are few, else at so many that it has seen each within its last 64 picks.
// What it places itself it counts at once. With a sum that is a little behind, a bound is that of a moment ago.
//
// Of many callers each sees little of an endpoint's load, and bounds only its own. So where the endpoints' own sidecars
// have said of late how much they carry, of all of them, there is a second bound: the same, by what they said. Each is
// held on its own scale. Not taken: one bound with the fleet's counts where they are known and ours where they are not,
// by which whoever tells nothing would look idle; and the fleet's counts alone, of which the freshest does not know what
// this node has placed since.

internal import Upstreams
internal import Vocabulary

/// A tier's endpoints by their places on a ring or in a table.
///
/// Picks count no references, so the list is plain memory, and the table is reached by a pointer without a count.
/// `@safe`: ``keeper`` holds what that pointer is to, and the list is this value's own.
@safe
struct KeyHolders: ~Copyable {
    /// Who stands for a member.
    fileprivate struct Holder {
        /// Index of the record; ``KeyOwners/nobody`` where no endpoint of the tier stands for it.
        var record: UInt32
        var cell: LoadCells.Index
        /// As gossiped.
        var weight: UInt32
        /// The load that is in the sum for it.
        var seen: UInt32
        /// What its sidecar said that it carries, as it is in the other sum; and when it measured that.
        var said: UInt32 = 0
        var measured = Instant(nanoseconds: .min)
    }

    @safe
    private enum Table {
        case none
        case ring(Unmanaged<HashRing>)
        case maglev(Unmanaged<MaglevTable>)
    }

    /// How many holders are looked at anew at each pick with a bound, at least …
    private static let fewest = 64
    /// … and within how many picks all of them are.
    private static let picks = 64

    private var table = Table.none
    private var keeper: (any KeyTable)?
    private var holders = unsafe UnsafeMutableBufferPointer<Holder>(start: nil, count: 0)
    private var limits = PlacementLimits.none
    private var bound: LoadBound?
    /// Of those who hold keys.
    private var totalWeight: UInt64 = 0
    /// What they carried when each was seen last.
    private var outstanding: UInt64 = 0
    /// What their sidecars said that they carry, of all callers.
    private var saidOutstanding: UInt64 = 0
    /// Whom to look at next.
    private var next = 0

    init() {}

    deinit { unsafe holders.deallocate() }

    /// Takes over the endpoints of `snapshot` that stand in a tier; O(members).
    mutating func adopt(_ snapshot: UpstreamSnapshot, _ tier: Eligibility, cells: LoadCells) {
        guard let keys = snapshot.keys, Self.hasAnybody(snapshot, tier) else {
            self = KeyHolders()
            return
        }
        limits = PlacementLimits(snapshot.options)
        keeper = keys.table
        table =
            switch keys.table {
            case let ring as HashRing: unsafe .ring(Unmanaged.passUnretained(ring))
            case let maglev as MaglevTable: unsafe .maglev(Unmanaged.passUnretained(maglev))
            default: .none
            }
        bound = snapshot.options.hash.boundedLoad.flatMap(LoadBound.init(factor:))
        (totalWeight, outstanding, saidOutstanding, next) = (0, 0, 0, 0)
        if unsafe holders.count != keys.records.count {
            unsafe holders.deallocate()
            unsafe holders = .allocate(capacity: keys.records.count)
        }
        for (place, index) in keys.records.enumerated() {
            var holder = Holder(record: KeyOwners.nobody, cell: 0, weight: 0, seen: 0)
            if index != KeyOwners.nobody {
                let record = unsafe snapshot.records[Int(index)]
                if record.eligibility == tier {
                    holder = Holder(record: index, cell: record.cell, weight: UInt32(record.ringWeight), seen: 0)
                    totalWeight += UInt64(record.ringWeight)
                }
            }
            unsafe holders.initializeElement(at: place, to: holder)
        }
        // A bound holds from the first pick on.
        if bound != nil { for place in 0..<count { see(place, in: cells) } }
    }

    private var count: Int { unsafe holders.count }

    private static func hasAnybody(_ snapshot: UpstreamSnapshot, _ tier: Eligibility) -> Bool {
        switch tier {
        case .preferred: snapshot.preferredCount > 0
        case .reserve: unsafe snapshot.candidates.count > snapshot.preferredCount
        case .none: false
        }
    }
}

// MARK: - Picks

extension KeyHolders {
    /// Index of the record of the first after the key that is eligible, and within its bound where there is one; nil only
    /// where none is eligible.
    ///
    /// Where nobody who is eligible is within a bound, as much of the load is on those who are not, the bound is that of
    /// the eligible among themselves; O(n) then.
    /// - Parameter since: what sidecars measured before is not used; nil: nothing of theirs is.
    @inline(__always)
    mutating func pick(
        for key: UInt64, excluding tried: TriedEndpoints, since: Instant?, in cells: LoadCells
    ) -> UInt32? {
        if count == 0 { return nil }
        if bound == nil {
            let limits = limits
            let place = first(after: key) { $0.isOpen(within: limits, excluding: tried, in: cells) }
            return place.map { unsafe holders[$0].record }
        }
        return pickBounded(for: key, excluding: tried, since: since, in: cells)
    }

    @inline(never)
    private mutating func pickBounded(
        for key: UInt64, excluding tried: TriedEndpoints, since: Instant?, in cells: LoadCells
    ) -> UInt32? {
        guard let bound else { return nil }
        for _ in 0..<min(count, max(Self.fewest, (count + Self.picks - 1) / Self.picks)) {
            see(next, in: cells)
            next = next + 1 == count ? 0 : next + 1
        }
        var picked: Int?
        if let since, haveAllSaid(since: since) {
            picked = first(
                after: key, tried, cells, bound, outstanding: outstanding, totalWeight: totalWeight,
                saidOutstanding: saidOutstanding)
        }
        let isBySaid = picked != nil
        if picked == nil {
            picked = first(
                after: key, tried, cells, bound, outstanding: outstanding, totalWeight: totalWeight)
        }
        if picked == nil {
            var open = (outstanding: UInt64(0), weight: UInt64(0))
            for place in 0..<count {
                let holder = unsafe holders[place]
                guard holder.isOpen(within: limits, excluding: tried, in: cells) else { continue }
                open.outstanding += UInt64(holder.load(in: cells))
                open.weight += UInt64(holder.weight)
            }
            if open.weight == 0 { return nil }
            picked = first(
                after: key, tried, cells, bound, outstanding: open.outstanding, totalWeight: open.weight)
        }
        guard let picked else { return nil }
        // With the connection that is about to be placed.
        see(picked, in: cells)
        unsafe holders[picked].seen += 1
        outstanding += 1
        if isBySaid { cells.countOnReport(of: unsafe holders[picked].cell) }
        return unsafe holders[picked].record
    }

    /// Whether everybody's sidecar has measured since then, as far as was seen; O(n).
    private func haveAllSaid(since: Instant) -> Bool {
        for place in 0..<count {
            let holder = unsafe holders[place]
            if holder.record != KeyOwners.nobody, holder.measured < since { return false }
        }
        return true
    }

    /// The place of the first that may be given a connection without carrying more than its bound.
    /// - Parameter saidOutstanding: nil: what sidecars said is no bound.
    private func first(
        after key: UInt64, _ tried: TriedEndpoints, _ cells: LoadCells, _ bound: LoadBound,
        outstanding: UInt64, totalWeight: UInt64, saidOutstanding: UInt64? = nil
    ) -> Int? {
        let (outstanding, limits) = (UInt32(clamping: outstanding), limits)
        let saidOutstanding = saidOutstanding.map { UInt32(clamping: $0) }
        return first(after: key) { holder in
            guard holder.isOpen(within: limits, excluding: tried, in: cells),
                bound.leavesRoom(
                    on: holder.load(in: cells), outstanding: outstanding, weight: holder.weight,
                    totalWeight: totalWeight)
            else { return false }
            return saidOutstanding.map {
                bound.leavesRoom(on: holder.said, outstanding: $0, weight: holder.weight, totalWeight: totalWeight)
            } ?? true
        }
    }

    @inline(__always)
    private func first(after key: UInt64, where isEligible: (Holder) -> Bool) -> Int? {
        let holders = unsafe holders
        let place =
            switch table {
            case .none: UInt32?.none
            case .ring(let ring):
                unsafe ring._withUnsafeGuaranteedRef { ring in
                    ring.member(for: key) { unsafe isEligible(holders[Int($0)]) }
                }
            case .maglev(let maglev):
                unsafe maglev._withUnsafeGuaranteedRef { maglev in
                    maglev.member(for: key) { unsafe isEligible(holders[Int($0)]) }
                }
            }
        return place.map { Int($0) }
    }

    private mutating func see(_ place: Int, in cells: LoadCells) {
        let holder = unsafe holders[place]
        guard holder.record != KeyOwners.nobody else { return }
        let load = holder.load(in: cells)
        // What was counted for it is part of the sum.
        outstanding = outstanding &- UInt64(holder.seen) &+ UInt64(load)
        unsafe holders[place].seen = load
        guard let said = cells.reported(of: holder.cell) else { return }
        saidOutstanding = saidOutstanding &- UInt64(holder.said) &+ UInt64(said.load.outstanding)
        unsafe holders[place].said = said.load.outstanding
        unsafe holders[place].measured = said.measured
    }
}

extension KeyHolders.Holder {
    /// Whether it may be given a connection, its bound aside.
    @inline(__always)
    fileprivate func isOpen(
        within limits: PlacementLimits, excluding tried: TriedEndpoints, in cells: LoadCells
    ) -> Bool {
        record != KeyOwners.nobody && limits.leaveRoom(on: cells.load(of: cell)) && !tried.contains(cell)
    }

    /// What bounds go by.
    @inline(__always)
    fileprivate func load(in cells: LoadCells) -> UInt32 {
        cells.comparedLoad(of: cell, placed: cells.load(of: cell)).outstanding
    }
}
