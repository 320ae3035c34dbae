// Decides which of many alike are written.
//
// The first of its kind is written at once, so that an operator sees trouble as it
// begins; the rest of an interval is one number. A token bucket would say as much
// in more lines.

import Vocabulary

/// Admits one event of each key per interval, and counts those it left out. A value; time is handed in.
struct RateLimiter<Key: Hashable> {
    /// Two lines about one key are at least this far apart.
    static var interval: Duration { .seconds(5) }
    /// Keys remembered at once; beyond, a new key's events are left out until others have been forgotten.
    static var capacity: Int { 512 }

    private struct Entry {
        /// The order in which keys came.
        var number: UInt64
        var lastWritten: Instant
        var leftOut = 0
    }
    private var entries: [Key: Entry] = [:]
    private var lastNumber: UInt64 = 0

    /// Whether an event of `key` is written now; if not, it is counted for ``due(at:)``.
    mutating func admits(_ key: Key, at now: Instant) -> Bool {
        if entries[key] != nil {
            entries[key]?.leftOut += 1
            return false
        }
        guard entries.count < Self.capacity else { return false }
        lastNumber += 1
        entries[key] = Entry(number: lastNumber, lastWritten: now)
        return true
    }

    /// The keys of which events were left out for an interval, and how many, in the order in which the keys came.
    ///
    /// A key without any is forgotten: its next event is written at once. O(n) in the number of keys.
    mutating func due(at now: Instant) -> [(key: Key, leftOut: Int)] {
        var due: [(key: Key, leftOut: Int, number: UInt64)] = []
        for (key, entry) in entries where now >= entry.lastWritten + Self.interval {
            if entry.leftOut > 0 {
                due.append((key, entry.leftOut, entry.number))
                entries[key] = Entry(number: entry.number, lastWritten: now)
            } else {
                entries[key] = nil
            }
        }
        return due.sorted { $0.number < $1.number }.map { ($0.key, $0.leftOut) }
    }
}
