// What the control thread writes about load cells and workers read: what becomes of the connections on each, and
// whether a cell has changed hands.
//
// A connection keeps its endpoint's cell and nothing of the snapshot, so this is how it is reached when its endpoint's
// fate turns. By cell, not by a search of the new snapshot: workers spend nothing on a set in which no fate has turned,
// however many endpoints it has. A fate is a state; that it has turned is a number that grows, the version of the set
// that says so, and a worker that has slept through several turns makes up for all of them with one sweep.
//
// A connection remembers by which version it was placed, so which came first is never in doubt: a fate that turned with
// an earlier one, or with that one, was known when it was placed. Not taken: to compare times, which one turn of a
// worker's loop has only one of.
//
// A fate that stays what it was turns too when its cause does: whoever was placed on a suspect endpoint for want of a
// fitter one is not spared when that endpoint dies. A cause is what the fleet says of it, never what is seen from here:
// an ejection that comes and goes is no reason to end anything.

import Stats
import Synchronization
import Upstreams

final class EndpointBoard: Sendable {
    /// What becomes of the connections that were placed on an endpoint before its fate turned.
    struct Verdict {
        var fate: ConnectionFate
        /// The version of the set that made it so; zero where none did.
        var turn: UInt64
    }

    /// What a new set says otherwise than the one before.
    struct Changes {
        /// Cells that name another endpoint than before, or their first, and whom.
        var fresh: [(cell: LoadCells.Index, identity: EndpointIdentity)] = []
        fileprivate let version: UInt64
        fileprivate var turned: [Turn] = []

        fileprivate init(version: UInt64) { self.version = version }
    }

    fileprivate struct Turn {
        var cell: LoadCells.Index
        var fate: ConnectionFate
        var cause: FateCause
    }

    private enum Column: Int, CaseIterable {
        case verdict, tenancy
        /// Why the endpoint's connections are to end.
        case cause
    }

    private let words: CounterTable
    /// The version of the newest set in which some fate turned to one that ends connections.
    private let latest = Atomic<UInt64>(0)
    /// By cell, the comparison that last met it in the older of two snapshots.
    private let marks = Mutex<(marks: [UInt32], last: UInt32)>(([], 0))

    init(cells: Int) { words = CounterTable(rows: cells, columns: Column.allCases.count) }

    // MARK: Reading, on any thread

    var latestTurn: UInt64 { latest.load(ordering: .acquiring) }

    func verdict(on cell: LoadCells.Index) -> Verdict {
        let word = words.read(row: Int(cell), column: Column.verdict.rawValue)
        return Verdict(fate: Self.fates[Int(word & 3)], turn: word >> 2)
    }

    /// Changes when the cell goes to another endpoint.
    func tenancy(of cell: LoadCells.Index) -> UInt64 { words.read(row: Int(cell), column: Column.tenancy.rawValue) }

    /// Why the connections on it are to end.
    func cause(on cell: LoadCells.Index) -> FateCause {
        FateCause(rawValue: UInt8(truncatingIfNeeded: causeCode(on: cell))) ?? .none
    }

    // MARK: Writing, on the control thread

    /// Compares `set` with the one before, and takes note of cells that have changed hands.
    ///
    /// O(endpoints of the upstreams that changed): one comparison of two references for each that both sets share, which
    /// sorted as they are is all but those that changed, and a look at the rest. To be called before `set` is published, for nobody may count in a
    /// fresh cell yet; what else has changed takes effect by ``apply(_:)``.
    func compare(_ set: UpstreamSet, with before: UpstreamSet?) -> Changes {
        var changes = Changes(version: set.version)
        marks.withLock { state in
            for (place, snapshot) in set.upstreams.enumerated() {
                let last = before.flatMap { place < $0.upstreams.count ? $0.upstreams[place] : nil }
                if snapshot === last { continue }
                compare(snapshot, with: last, &state.marks, &state.last, &changes)
            }
        }
        return changes
    }

    private func compare(
        _ snapshot: UpstreamSnapshot, with last: UpstreamSnapshot?, _ marks: inout [UInt32], _ mark: inout UInt32,
        _ changes: inout Changes
    ) {
        // After four thousand million comparisons a mark of long ago could pass for this one's.
        if mark == .max { marks = [] }
        mark = mark == .max ? 1 : mark + 1
        func meet(_ cell: LoadCells.Index) -> Bool {
            if Int(cell) >= marks.count {
                marks += Array(repeating: 0, count: max(Int(cell) + 1 - marks.count, marks.count))
            }
            defer { marks[Int(cell)] = mark }
            return marks[Int(cell)] != mark
        }
        let (changed, replaced) = Self.difference(snapshot.endpoints, last?.endpoints ?? [])
        if let last { for place in replaced { _ = meet(unsafe last.records[place].cell) } }
        for place in changed {
            let record = unsafe snapshot.records[place]
            if meet(record.cell) {
                words.add(1, row: Int(record.cell), column: Column.tenancy.rawValue)
                changes.fresh.append((record.cell, snapshot.endpoints[place].identity))
            }
            let cause = record.fate == .keep ? FateCause.none : snapshot.endpoints[place].cause
            if verdict(on: record.cell).fate != record.fate || self.causeCode(on: record.cell) != Self.code(of: cause) {
                changes.turned.append(Turn(cell: record.cell, fate: record.fate, cause: cause))
            }
        }
    }

    /// Places in `new` and in `old` that may name different endpoints, or the same one in a different state.
    ///
    /// By identity, as snapshots share what has not changed; the names only keep the two in step. In another order than
    /// theirs more is answered than has changed, never less.
    private static func difference(_ new: [Endpoint], _ old: [Endpoint]) -> (new: [Int], old: [Int]) {
        var (changed, replaced): ([Int], [Int]) = ([], [])
        var (place, oldPlace) = (0, 0)
        while place < new.count, oldPlace < old.count {
            if new[place] === old[oldPlace] {
                place += 1
                oldPlace += 1
                continue
            }
            let (name, oldName) = (new[place].identity.member ?? "", old[oldPlace].identity.member ?? "")
            if name <= oldName {
                changed.append(place)
                place += 1
            }
            if oldName <= name {
                replaced.append(oldPlace)
                oldPlace += 1
            }
        }
        return (changed + (place..<new.count), replaced + (oldPlace..<old.count))
    }

    /// Lets fates turn.
    ///
    /// To be called once the set is published: a worker that knows of the turn then places nobody by the older set.
    /// - Returns: whether there are connections to end, for which workers are to be woken.
    @discardableResult
    func apply(_ changes: Changes) -> Bool {
        var ends = false
        for change in changes.turned {
            if change.fate != .keep { ends = true }
            let turn = change.fate == .keep ? verdict(on: change.cell).turn : changes.version
            set(.cause, of: change.cell, to: Self.code(of: change.cause))
            set(.verdict, of: change.cell, to: turn << 2 | Self.code(of: change.fate))
        }
        if ends { latest.store(changes.version, ordering: .releasing) }
        return ends
    }

    private func set(_ column: Column, of cell: LoadCells.Index, to word: UInt64) {
        let before = words.read(row: Int(cell), column: column.rawValue)
        words.add(word &- before, row: Int(cell), column: column.rawValue)
    }

    private func causeCode(on cell: LoadCells.Index) -> UInt64 {
        words.read(row: Int(cell), column: Column.cause.rawValue)
    }

    private static func code(of cause: FateCause) -> UInt64 { UInt64(cause.rawValue) }

    private static func code(of fate: ConnectionFate) -> UInt64 { UInt64(fates.firstIndex(of: fate) ?? 0) }

    /// In the order of their codes; what fresh memory says is the first.
    private static let fates = [ConnectionFate.keep, .drain, .reset, .keep]
}
