// Intents of members that gossip has not shown us yet: messages overtake each other (serf-layer §4).

import GossipWire
import Vocabulary

/// The latest intent of each unknown member, for five minutes.
struct IntentBuffer: Sendable {
    struct Intent: Sendable {
        let isLeave: Bool
        let time: LamportTime
        let heard: Instant
    }

    /// As long as the reference keeps them.
    static let keptFor: Duration = .seconds(300)
    /// Names are strangers' words; beyond this the intents that were heard first go.
    static let limit = 4096

    /// By the names' bytes, as peers compare them: to strings, two spellings of one accent are equal. Looked up, never
    /// walked.
    private var intents: [[UInt8]: Intent] = [:]
    /// As they were heard; an entry whose intent was replaced or taken is passed over.
    private var order: [(name: [UInt8], heard: Instant)] = []
    private var first = 0

    var count: Int { intents.count }

    /// Remembers an intent.
    /// - Returns: whether it is later than the one that is remembered, and so to be told on.
    mutating func take(isLeave: Bool, of name: String, at time: LamportTime, now: Instant) -> Bool {
        expire(at: now)
        let name = Array(name.utf8)
        if let known = intents[name], known.time >= time { return false }
        intents[name] = Intent(isLeave: isLeave, time: time, heard: now)
        order.append((name, now))
        while intents.count > Self.limit || order.count - first > 2 * Self.limit { dropFirst() }
        return true
    }

    /// The intent of a member that has appeared, which is forgotten here.
    mutating func removeIntent(of name: String, now: Instant) -> Intent? {
        expire(at: now)
        return intents.removeValue(forKey: Array(name.utf8))
    }

    private mutating func expire(at now: Instant) {
        while first < order.count, now - order[first].heard >= Self.keptFor { dropFirst() }
    }

    private mutating func dropFirst() {
        let entry = order[first]
        first += 1
        if let intent = intents[entry.name], intent.heard == entry.heard { intents[entry.name] = nil }
        // Amortised: half of what is walked is gone.
        if first > order.count / 2 {
            order.removeFirst(first)
            first = 0
        }
    }
}
