// How many bytes may be sent, and when: evenly, and never more in a second than there are.
//
// Two limits. A pace spreads datagrams over the second, and lets a node that was late catch up a tenth of it. Then the
// bytes of the second that ends now are counted, so that no second has more than the budget, wherever it begins. Not
// taken: a token bucket alone, which lets a second have its rate and its burst; to keep within the budget it would have
// to leave the burst unused at all other times.

import Vocabulary

/// What was sent within the last second. A value; time is handed in.
struct SendingBudget: Sendable {
    /// A large budget is for long datagrams, not for many.
    static let mostDatagrams = 200
    /// What a pause may be made up for.
    static let burst = Duration.milliseconds(100)
    private static let second = Duration.seconds(1)

    let bytesPerSecond: Int
    /// Of the last second, the first one first; at most ``mostDatagrams``.
    private var sent: [(at: Instant, bytes: Int)] = []
    private var bytes = 0
    /// When all that was sent is paid for.
    private var paid = Instant(nanoseconds: .min)

    init(bytesPerSecond: Int) { self.bytesPerSecond = bytesPerSecond }

    /// The first moment at which a datagram of so many bytes may be sent; `now` where it may be sent at once.
    /// - Precondition: it is not longer than a second's budget.
    mutating func earliest(for length: Int, at now: Instant) -> Instant {
        precondition(length <= bytesPerSecond, "a datagram that no second has room for")
        forget(before: now)
        var (left, count) = (bytes + length, sent.count)
        var last: Instant?
        for datagram in sent {
            if left <= bytesPerSecond, count < SendingBudget.mostDatagrams { break }
            last = datagram.at
            left -= datagram.bytes
            count -= 1
        }
        return max(now, paid, last.map { $0 + SendingBudget.second } ?? now)
    }

    /// - Precondition: ``earliest(for:at:)`` has allowed it at this moment.
    mutating func spend(_ length: Int, at now: Instant) {
        sent.append((now, length))
        bytes += length
        let cost = Duration.nanoseconds(Int64(length) * 1_000_000_000 / Int64(bytesPerSecond))
        paid = max(paid, now + (.zero - SendingBudget.burst)) + cost
    }

    /// What is a second old is no longer of the second that ends now.
    private mutating func forget(before now: Instant) {
        let start = now + (.zero - SendingBudget.second)
        let kept = sent.firstIndex { $0.at > start } ?? sent.count
        guard kept > 0 else { return }
        bytes -= sent[..<kept].reduce(0) { $0 + $1.bytes }
        sent.removeFirst(kept)
    }
}
