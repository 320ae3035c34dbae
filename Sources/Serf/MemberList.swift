// The members that Serf lists: all that gossip sees, and for a day those that it saw (serf-layer §4).

import Gossip
import GossipWire
import Vocabulary

/// Rows by the members' numbers, as in gossip's own table; names are held while they are listed.
struct MemberList {
    struct Row {
        var standing: Standing
        /// The last that was announced.
        var record: MemberRecord
        /// When gossip saw it go; nil while it is there.
        var departed: Instant?
        /// It went by its own word, be it Serf's or only gossip's.
        var saidGoodbye = false
        /// An operator wants it forgotten as soon as it has left.
        var isPruned = false
    }

    private let directory: Directory
    /// By ``MemberID/index``.
    private var rows: [Row?] = []
    /// In no order that means anything, but the same in every run.
    private(set) var order: [MemberID] = []

    init(directory: Directory) { self.directory = directory }

    var count: Int { order.count }

    subscript(id: MemberID) -> Row? {
        Int(id.index) < rows.count ? rows[Int(id.index)] : nil
    }

    /// Lists a member, or replaces what is known of it.
    mutating func update(_ id: MemberID, _ row: Row) {
        let index = Int(id.index)
        if rows.count <= index { rows.append(contentsOf: repeatElement(nil, count: index + 1 - rows.count)) }
        if rows[index] == nil {
            directory.hold(id)
            order.append(id)
        }
        rows[index] = row
    }

    /// Takes members off the list.
    /// - Complexity: O(count).
    mutating func remove(where isDue: (MemberID, Row) -> Bool) {
        var removed: [MemberID] = []
        order.removeAll { id in
            guard let row = rows[Int(id.index)], isDue(id, row) else { return false }
            removed.append(id)
            return true
        }
        for id in removed {
            rows[Int(id.index)] = nil
            directory.release(id)
        }
    }

    /// When the first of those that are gone will have been gone for so long.
    func firstReaping(after kept: Duration, besides own: MemberID) -> Instant? {
        order.compactMap { $0 == own ? nil : self[$0]?.departed }.min().map { $0 + kept }
    }

    /// The number of a listed member.
    func find(_ name: String) -> MemberID? {
        let id = directory.intern(name)
        return self[id] == nil ? nil : id
    }
}
