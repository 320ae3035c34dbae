// The broadcast queue as it is told in memberlist-behaviour §5, as slow as it likes.

import Gossip
import Vocabulary

/// Every message with a serial number, in a plain array that each draw searches whole.
struct QueueModel {
    struct Entry: Equatable {
        var serial: UInt32
        var about: String?
        /// Who else is mentioned.
        var from: String?
        var length: Int
        var transmissions = 0
    }

    /// In no order; higher serials are newer.
    private(set) var entries: [Entry] = []

    mutating func add(_ entry: Entry) {
        if let about = entry.about { remove(about: about) }
        entries.append(entry)
    }

    mutating func remove(about: String) { entries.removeAll { $0.about == about } }

    mutating func take(budget: inout Int, partOverhead: Int, parts: Int, limit: Int) -> [Entry] {
        var taken: [Entry] = []
        while taken.count < parts {
            let room = budget - partOverhead
            let fitting = entries.indices.filter { entries[$0].length <= room }
            guard room > 0,
                let best = fitting.min(by: { QueueModel.isTold(entries[$0], before: entries[$1]) })
            else { break }
            budget -= entries[best].length + partOverhead
            taken.append(entries.remove(at: best))
        }
        for var entry in taken {
            entry.transmissions += 1
            if entry.transmissions < limit { entries.append(entry) }
        }
        return taken
    }

    var inOrder: [Entry] { entries.sorted(by: QueueModel.isTold) }

    /// The names that somebody must keep.
    var mentioned: Set<String> { Set(entries.flatMap { [$0.about, $0.from].compactMap { $0 } }) }

    private static func isTold(_ a: Entry, before b: Entry) -> Bool {
        (a.transmissions, -a.length, UInt32.max - a.serial) < (b.transmissions, -b.length, UInt32.max - b.serial)
    }
}

/// The real queue and the model, driven alike; names live and die in a directory as in a running member.
struct QueuePair {
    let directory = Directory()
    var queue: BroadcastQueue
    var model = QueueModel()
    private var serial: UInt32 = 0

    init() { queue = BroadcastQueue(directory: directory) }

    private func message(of entry: QueueModel.Entry) -> Message {
        guard let about = entry.about else {
            return .user(unsafe withUnsafeBytes(of: entry.serial) { unsafe Array($0) })
        }
        // The serial is the incarnation; what kind it is follows from it.
        let node = directory.intern(about)
        if let from = entry.from {
            let accusation = Accusation(node: node, incarnation: entry.serial, from: directory.intern(from))
            return entry.serial % 2 == 0 ? .suspect(accusation) : .dead(accusation)
        }
        let record = MemberRecord(
            address: PeerAddress(.loopback as SocketAddress.IPv4, port: 1), meta: nil, versions: .serf, isRemora: false)
        return .alive(Announcement(node: node, incarnation: entry.serial, record: record))
    }

    /// Puts the same message into both.
    mutating func add(about: String?, from: String?, length: Int) {
        serial += 1
        let entry = QueueModel.Entry(serial: serial, about: about, from: about == nil ? nil : from, length: length)
        queue.add(message(of: entry), about: about.map(directory.intern), length: length)
        model.add(entry)
    }

    mutating func remove(about: String) {
        queue.remove(about: directory.intern(about))
        model.remove(about: about)
    }

    /// Draws from both: the messages as descriptions, and what is left of the budget.
    mutating func take(
        budget: Int, partOverhead: Int, parts: Int, limit: Int
    ) -> (real: [String], expected: [String], left: Int, leftExpected: Int) {
        var (left, leftExpected) = (budget, budget)
        var messages: [Message] = []
        queue.take(budget: &left, partOverhead: partOverhead, parts: parts, limit: limit, into: &messages)
        let entries = model.take(budget: &leftExpected, partOverhead: partOverhead, parts: parts, limit: limit)
        return (messages.map(describe), entries.map { describe(message(of: $0)) }, left, leftExpected)
    }

    /// The queue in the order of telling, and the model.
    var orders: (real: [String], expected: [String]) {
        var real: [String] = []
        queue.forEach { real.append("\(describe($0)) \($1)× \($2)") }
        return (real, model.inOrder.map { "\(describe(message(of: $0))) \($0.transmissions)× \($0.length)" })
    }

    private func describe(_ message: Message) -> String {
        switch message {
        case .alive(let says): "alive \(directory.name(of: says.node)) \(says.incarnation)"
        case .suspect(let says):
            "suspect \(directory.name(of: says.node)) \(says.incarnation) by \(directory.name(of: says.from))"
        case .dead(let says):
            "dead \(directory.name(of: says.node)) \(says.incarnation) by \(directory.name(of: says.from))"
        case .user(let bytes): "user \(bytes)"
        case .ping, .indirectPing, .ack, .nack, .viewChecksum: "not for everybody"
        }
    }
}
