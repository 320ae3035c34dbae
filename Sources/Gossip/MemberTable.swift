// What one member knows of all others.
//
// Rows lie in an array by the names' numbers, so that finding one takes no hashing; 24 bytes each, and 4 more for a
// place in the list that is walked to probe. Names and records are shared. A row whose name is not listed has no record.

import Vocabulary

struct MemberTable: Sendable {
    struct Row: Sendable {
        /// Nil: not listed.
        var record: MemberRecord?
        /// When it came into its state.
        var since: Instant
        var incarnation: UInt32
        var state: MemberState

        var claim: Claim { Claim(incarnation: incarnation, state: state) }
    }

    /// By ``MemberID/index``.
    private var rows: [Row] = []
    /// The listed names, in the order in which they are probed.
    private(set) var order: [MemberID] = []
    /// Members alive or suspect.
    private(set) var present = 0
    /// Members dead, not left.
    private(set) var dead = 0
    /// The sum over all present members of a hash of name and incarnation; order does not matter to a sum. Suspects count
    /// as alive: a suspicion ends by itself, in a new incarnation or a death.
    private(set) var checksum: UInt64 = 0

    private static let vacant = Row(record: nil, since: Instant(nanoseconds: 0), incarnation: 0, state: .dead)

    /// Listed members, whatever their state.
    var listed: Int { order.count }

    /// Nil if not listed.
    subscript(id: MemberID) -> Row? {
        let index = Int(id.index)
        guard index < rows.count, rows[index].record != nil else { return nil }
        return rows[index]
    }

    /// What is known of a listed member. - Precondition: it is listed, as every name in ``order`` is.
    func row(of id: MemberID) -> Row {
        assert(rows[Int(id.index)].record != nil, "a row was asked for that is not listed")
        return rows[Int(id.index)]
    }

    func isListed(_ id: MemberID) -> Bool { Int(id.index) < rows.count && rows[Int(id.index)].record != nil }

    func state(of id: MemberID) -> MemberState { rows[Int(id.index)].state }

    /// What is known beside a claim; nil if not listed. Counts no reference.
    func claim(about id: MemberID) -> Claim? {
        let index = Int(id.index)
        guard index < rows.count, rows[index].record != nil else { return nil }
        return rows[index].claim
    }

    /// The memory that this uses. What growth holds in reserve, at most as much again, is not in it: how much the
    /// allocator gives differs from process to process, and a simulation prints the same for the same seed.
    var bytes: Int { rows.count * MemoryLayout<Row>.stride + order.count * MemoryLayout<MemberID>.stride }
}

// MARK: - Changes

extension MemberTable {
    /// Lists a newcomer at a random place of the order, which keeps the time to its first probe low
    /// (memberlist-behaviour §2). - Precondition: it is not listed.
    mutating func insert(_ id: MemberID, _ row: Row, digest: UInt64, random: inout SeededRandom) {
        precondition(row.record != nil && !isListed(id), "listed twice")
        append(id, row, digest: digest)
        order.swapAt(Int(random.below(UInt32(order.count))), order.count - 1)
    }

    /// Lists a newcomer at the end of the order.
    mutating func append(_ id: MemberID, _ row: Row, digest: UInt64) {
        let index = Int(id.index)
        if rows.count <= index {
            rows.append(contentsOf: repeatElement(MemberTable.vacant, count: index + 1 - rows.count))
        }
        rows[index] = row
        order.append(id)
        count(row, digest: digest, by: 1)
    }

    /// Replaces what is known of a listed member.
    mutating func update(_ id: MemberID, _ row: Row, digest: UInt64) {
        count(rows[Int(id.index)], digest: digest, by: -1)
        rows[Int(id.index)] = row
        count(row, digest: digest, by: 1)
    }

    /// Takes members off the list: those for whom `isDue` says so.
    mutating func remove(where isDue: (MemberID, Row) -> Bool, digest: (MemberID) -> UInt64) -> [(MemberID, Row)] {
        var removed: [(MemberID, Row)] = []
        for id in order where isDue(id, rows[Int(id.index)]) {
            removed.append((id, rows[Int(id.index)]))
        }
        guard !removed.isEmpty else { return [] }
        for (id, row) in removed {
            count(row, digest: digest(id), by: -1)
            rows[Int(id.index)] = MemberTable.vacant
        }
        order.removeAll { rows[Int($0.index)].record == nil }
        return removed
    }

    mutating func shuffle(random: inout SeededRandom) { order.shuffle(using: &random) }

    mutating func reserve(_ count: Int) {
        rows.reserveCapacity(count)
        order.reserveCapacity(count)
    }

    private mutating func count(_ row: Row, digest: UInt64, by sign: Int) {
        if row.state.isPresent {
            present += sign
            let hash = MemberTable.hash(digest, row.incarnation)
            checksum = sign > 0 ? checksum &+ hash : checksum &- hash
        } else if row.state == .dead {
            dead += sign
        }
    }

    /// The finaliser of SplitMix64 (Steele et al. 2014): equal in every process, and sums of it do not cancel out.
    private static func hash(_ digest: UInt64, _ incarnation: UInt32) -> UInt64 {
        var z = digest &+ UInt64(incarnation) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }
}

// MARK: - Choices

extension MemberTable {
    /// Up to `count` different members, each with equal chance, of those that `isWanted`.
    ///
    /// Draws at first, which is quick where most are wanted; where draws keep failing it looks at all of them, so that
    /// every wanted member can be found even when few are (memberlist-behaviour §3, from 0.6.0).
    func choose(
        _ count: Int, random: inout SeededRandom, into chosen: inout [MemberID], where isWanted: (MemberID, Row) -> Bool
    ) {
        chosen.removeAll(keepingCapacity: true)
        guard count > 0, !order.isEmpty else { return }
        if order.count > 4 * count {
            for _ in 0..<4 * count {
                let id = order[Int(random.below(UInt32(order.count)))]
                if !chosen.contains(id), isWanted(id, rows[Int(id.index)]) {
                    chosen.append(id)
                    if chosen.count == count { return }
                }
            }
        }
        // Selection sampling would prefer nobody, but what was drawn stays drawn.
        var others: [MemberID] = []
        for id in order where !chosen.contains(id) && isWanted(id, rows[Int(id.index)]) { others.append(id) }
        while chosen.count < count, !others.isEmpty {
            chosen.append(others.remove(at: Int(random.below(UInt32(others.count)))))
        }
    }
}
