// What waits to be told to the fleet, in the order of telling (memberlist-behaviour §5).
//
// Each message is told a bounded number of times; what was told least goes first, and of that the largest that still
// fits, so that datagrams fill up. The queue is nearly always empty or short, but holds a message about everybody after
// a mass start or a healed partition, and is drawn from many times a second then. So the order is a treap (Seidel and
// Aragon, 1996) in one array: every search, insertion and removal costs the logarithm, and nothing is allocated but the
// array's growth. Its shape is drawn from the messages' own numbers, and the same in every run.
//
// Not taken: buckets by transmissions and length (within a bucket the newest must be found still, and most buckets of
// most members stay empty), and a sorted array, which moves half of itself for every message.

/// Messages that wait to be told, each a bounded number of times.
///
/// Holds alive, suspect, dead and user messages: what concerns everybody. Messages about members are bounded by
/// the members, the others by ``uniqueLimit``; see ``add(_:about:length:)``. The names that a message mentions are held
/// in the directory while it waits. Two copies of one queue would release them twice: go on with one.
package struct BroadcastQueue {
    /// How many messages about nobody wait at most.
    package static let uniqueLimit = 4096
    /// How many of them give way when there is one more.
    package static let uniquesDropped = uniqueLimit / 16

    private let directory: Directory
    private var items: [Item] = []
    /// The treap's top.
    private var root = none
    /// The first of the items without a message, linked by `right`.
    private var free = none
    /// The item about a member. Looked up, never walked.
    private var index: [MemberID: UInt32] = [:]
    /// Messages ever added, since the queue was last empty.
    private var added: UInt64 = 0
    private var uniques = 0
    package private(set) var count = 0

    /// No item.
    private static let none = UInt32.max
    /// Room beyond this is given back when the queue is empty.
    private static let keptRoom = 64
    /// Transmissions and lengths are counted no further than this; no datagram is as long.
    private static let mostCounted = Int(UInt16.max)

    /// A message as it is kept: less than a quarter of `Message`, whose largest cases are never broadcast.
    fileprivate enum Content {
        case alive(Announcement)
        case suspect(Accusation)
        case dead(Accusation)
        case user([UInt8])
        case nothing
    }

    private struct Item {
        var content: Content
        /// Higher is newer.
        var number: UInt64
        var about: MemberID?
        var rank: Rank
        /// Below this one and told earlier, and later.
        var left: UInt32
        var right: UInt32

        /// A treap's node stands above those of lower weight. A bijection of the number, so no two are equal.
        var weight: UInt64 {
            let mixed = (number ^ number >> 32) &* 0x9E37_79B9_7F4A_7C15
            return (mixed ^ mixed >> 29) &* 0xBF58_476D_1CE4_E5B9
        }

        func precedes(_ other: Item) -> Bool {
            rank == other.rank ? number > other.number : rank < other.rank
        }
    }

    /// Lower goes first: fewer transmissions in the upper half, more bytes in the lower.
    private struct Rank: Equatable {
        let bits: UInt32

        init(transmissions: Int, length: Int) {
            bits = UInt32(min(transmissions, mostCounted)) << 16 | UInt32(mostCounted - min(length, mostCounted))
        }

        var transmissions: Int { Int(bits >> 16) }
        var length: Int { mostCounted - Int(bits & 0xFFFF) }

        static func < (a: Rank, b: Rank) -> Bool { a.bits < b.bits }
    }

    package init(directory: Directory) {
        self.directory = directory
    }

    package var isEmpty: Bool { count == 0 }

    package func contains(about member: MemberID) -> Bool { index[member] != nil }
}

// MARK: - Adding and removing

extension BroadcastQueue {
    /// Puts in a message that was not told yet. It replaces an older one about the same member, however often that
    /// was told: a refutation ends the accusation. About nobody, it replaces nothing; but where ``uniqueLimit``
    /// of these wait, ``uniquesDropped`` of them are dropped, those that were told most often first.
    /// - Parameter length: its bytes on the wire. A message longer than every budget waits in vain.
    /// - Precondition: `message` is alive, suspect, dead or user.
    /// - Complexity: O(log count).
    package mutating func add(_ message: Message, about member: MemberID?, length: Int) {
        precondition(length >= 0, "a message has no fewer than no bytes")
        let content = Content(message)
        hold(content, about: member)
        if let member {
            remove(about: member)
        } else {
            if uniques == BroadcastQueue.uniqueLimit { dropUniques() }
            uniques += 1
        }
        let slot = store(
            Item(
                content: content, number: added, about: member, rank: Rank(transmissions: 0, length: length),
                left: BroadcastQueue.none, right: BroadcastQueue.none))
        added += 1
        count += 1
        if let member { index[member] = slot }
        root = inserting(slot, into: root)
    }

    /// Drops the message about a member, if one waits.
    package mutating func remove(about member: MemberID) {
        guard let slot = index[member] else { return }
        root = removing(slot, from: root)
        discard(slot)
    }

    /// Drops everything, and so releases every name.
    package mutating func removeAll() {
        forEachSlot { slot in release(items[Int(slot)]) }
        self = BroadcastQueue(directory: directory)
    }

    private mutating func dropUniques() {
        var toDrop: [UInt32] = []
        forEachSlot { slot in
            if items[Int(slot)].about == nil { toDrop.append(slot) }
        }
        for slot in toDrop.suffix(BroadcastQueue.uniquesDropped) {
            root = removing(slot, from: root)
            discard(slot)
        }
    }
}

// MARK: - Telling

extension BroadcastQueue {
    /// Moves copies of messages that fit into `messages`: fewest transmissions first, then the largest that fits, then
    /// the newest. A message is told once in one call.
    /// - Parameters:
    ///   - budget: bytes that there are; each message takes its length and `partOverhead` of them.
    ///   - parts: how many messages at most.
    ///   - limit: transmissions after which a message is gone; it is told once even where this is 0.
    /// - Complexity: O(log count) for each message told; allocates nothing but what `messages` needs.
    package mutating func take(
        budget: inout Int, partOverhead: Int, parts: Int, limit: Int, into messages: inout [Message]
    ) {
        // Told in this call, linked by `right`: back in the order they could be told again.
        var told = BroadcastQueue.none
        var from = Rank(transmissions: 0, length: BroadcastQueue.mostCounted)
        for _ in 0..<max(0, parts) {
            guard let slot = next(from: &from, fitting: budget - partOverhead) else { break }
            root = removing(slot, from: root)
            messages.append(items[Int(slot)].content.message)
            budget -= items[Int(slot)].rank.length + partOverhead
            items[Int(slot)].right = told
            told = slot
        }
        while told != BroadcastQueue.none {
            let slot = told
            told = items[Int(slot)].right
            let rank = items[Int(slot)].rank
            if rank.transmissions + 1 >= limit {
                discard(slot)
            } else {
                items[Int(slot)].rank = Rank(transmissions: rank.transmissions + 1, length: rank.length)
                root = inserting(slot, into: root)
            }
        }
    }

    /// Calls with every message, its transmissions and its length, in the order they would be told given room.
    package func forEach(_ body: (_ message: Message, _ transmissions: Int, _ length: Int) -> Void) {
        forEachSlot { slot in
            let item = items[Int(slot)]
            body(item.content.message, item.rank.transmissions, item.rank.length)
        }
    }

    /// The first item at `from` or later that fits; `from` is then where it was sought last.
    private func next(from: inout Rank, fitting room: Int) -> UInt32? {
        guard room > 0 else { return nil }
        // What is as long as lengths are counted may be longer, and fits into no datagram anyway.
        let room = min(room, BroadcastQueue.mostCounted - 1)
        while let slot = first(from: from) {
            let rank = items[Int(slot)].rank
            if rank.length <= room { return slot }
            // Those as often told that fit come later, if there are any.
            from = Rank(transmissions: rank.transmissions, length: room)
        }
        return nil
    }

    /// The first item whose rank is not below this one.
    private func first(from rank: Rank) -> UInt32? {
        var node = root
        var best: UInt32?
        while node != BroadcastQueue.none {
            let item = items[Int(node)]
            if item.rank < rank {
                node = item.right
            } else {
                best = node
                node = item.left
            }
        }
        return best
    }
}

// MARK: - The treap

extension BroadcastQueue {
    /// A subtree with one item more.
    private mutating func inserting(_ slot: UInt32, into top: UInt32) -> UInt32 {
        if top == BroadcastQueue.none || items[Int(slot)].weight > items[Int(top)].weight {
            (items[Int(slot)].left, items[Int(slot)].right) = split(top, at: slot)
            return slot
        }
        if items[Int(slot)].precedes(items[Int(top)]) {
            items[Int(top)].left = inserting(slot, into: items[Int(top)].left)
        } else {
            items[Int(top)].right = inserting(slot, into: items[Int(top)].right)
        }
        return top
    }

    /// What of a subtree precedes an item, and what follows it.
    private mutating func split(_ top: UInt32, at slot: UInt32) -> (before: UInt32, after: UInt32) {
        if top == BroadcastQueue.none { return (BroadcastQueue.none, BroadcastQueue.none) }
        if items[Int(top)].precedes(items[Int(slot)]) {
            let (before, after) = split(items[Int(top)].right, at: slot)
            items[Int(top)].right = before
            return (top, after)
        }
        let (before, after) = split(items[Int(top)].left, at: slot)
        items[Int(top)].left = after
        return (before, top)
    }

    /// A subtree without an item that it holds.
    private mutating func removing(_ slot: UInt32, from top: UInt32) -> UInt32 {
        if top == slot { return joined(items[Int(slot)].left, items[Int(slot)].right) }
        if items[Int(slot)].precedes(items[Int(top)]) {
            items[Int(top)].left = removing(slot, from: items[Int(top)].left)
        } else {
            items[Int(top)].right = removing(slot, from: items[Int(top)].right)
        }
        return top
    }

    /// One subtree of two, where all of the first precedes all of the second.
    private mutating func joined(_ before: UInt32, _ after: UInt32) -> UInt32 {
        if before == BroadcastQueue.none { return after }
        if after == BroadcastQueue.none { return before }
        if items[Int(before)].weight > items[Int(after)].weight {
            items[Int(before)].right = joined(items[Int(before)].right, after)
            return before
        }
        items[Int(after)].left = joined(before, items[Int(after)].left)
        return after
    }

    /// Calls with every item that has a message, in their order.
    private func forEachSlot(_ body: (UInt32) -> Void) {
        func visit(_ top: UInt32) {
            if top == BroadcastQueue.none { return }
            visit(items[Int(top)].left)
            body(top)
            visit(items[Int(top)].right)
        }
        visit(root)
    }
}

// MARK: - Items

extension BroadcastQueue {
    private mutating func store(_ item: Item) -> UInt32 {
        guard free != BroadcastQueue.none else {
            items.append(item)
            return UInt32(items.count - 1)
        }
        let slot = free
        free = items[Int(slot)].right
        items[Int(slot)] = item
        return slot
    }

    /// Frees an item that the treap no longer holds.
    private mutating func discard(_ slot: UInt32) {
        release(items[Int(slot)])
        if let member = items[Int(slot)].about { index[member] = nil } else { uniques -= 1 }
        items[Int(slot)].content = .nothing
        items[Int(slot)].right = free
        free = slot
        count -= 1
        guard count == 0 else { return }
        added = 0
        if items.count > BroadcastQueue.keptRoom { self = BroadcastQueue(directory: directory) }
    }

    private func hold(_ content: Content, about member: MemberID?) {
        if let member { directory.hold(member) }
        content.forEachMember(directory.hold)
    }

    private func release(_ item: Item) {
        if let member = item.about { directory.release(member) }
        item.content.forEachMember(directory.release)
    }
}

extension BroadcastQueue.Content {
    init(_ message: Message) {
        switch message {
        case .alive(let announcement): self = .alive(announcement)
        case .suspect(let accusation): self = .suspect(accusation)
        case .dead(let accusation): self = .dead(accusation)
        case .user(let bytes): self = .user(bytes)
        case .ping, .indirectPing, .ack, .nack, .viewChecksum:
            preconditionFailure("what is meant for one member is not broadcast")
        }
    }

    var message: Message {
        switch self {
        case .alive(let announcement): .alive(announcement)
        case .suspect(let accusation): .suspect(accusation)
        case .dead(let accusation): .dead(accusation)
        case .user(let bytes): .user(bytes)
        case .nothing: preconditionFailure("an item of the treap has a message")
        }
    }

    func forEachMember(_ body: (MemberID) -> Void) {
        switch self {
        case .alive(let announcement): body(announcement.node)
        case .suspect(let accusation), .dead(let accusation):
            body(accusation.node)
            body(accusation.from)
        case .user, .nothing: break
        }
    }
}
