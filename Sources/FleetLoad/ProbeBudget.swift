// How many probes may be sent: a token bucket, one for each worker, so that none asks another before it sends.

package import Vocabulary

/// A share of what a node may ask in a second.
package struct ProbeBudget: Sendable {
    /// Questions that all workers of a node send in a second at most, on the average. With their answers 44 kB/s each way,
    /// 72 with the headers of UDP and IPv4; three a connection are enough for 333 connections a second, and beyond that
    /// answers are fewer, and the rest is picked by own counts.
    package static let perSecond = 1000
    /// What may be sent at once after a pause, as a part of a second.
    private static let burst = Duration.milliseconds(100)

    /// From one question to the next.
    private let interval: Duration
    /// When all that was sent is paid for.
    private var paid = Instant(nanoseconds: .min)

    /// - Parameter share: of how many workers this is one.
    package init(perSecond: Int = ProbeBudget.perSecond, share: Int = 1) {
        precondition(perSecond > 0 && share > 0)
        interval = .nanoseconds(Int64(share) * 1_000_000_000 / Int64(perSecond))
    }

    /// How many may be sent now, `wanted` at most.
    package func allows(_ wanted: Int, at now: Instant) -> Int {
        let debt = (paid - (now + (.zero - ProbeBudget.burst))).wholeNanoseconds
        let room = ProbeBudget.burst.wholeNanoseconds - max(0, debt)
        return min(wanted, max(0, Int(room / interval.wholeNanoseconds)))
    }

    /// - Precondition: ``allows(_:at:)`` has allowed so many.
    package mutating func spend(_ count: Int, at now: Instant) {
        paid = max(paid, now + (.zero - ProbeBudget.burst)) + interval * count
    }
}
