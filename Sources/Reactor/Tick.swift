// The grain of a worker's timers. A type of its own, so that a slab index and a time cannot change places.

public import Vocabulary

/// A millisecond of the monotonic clock: tick `n` begins `n` ms after the clock's start.
///
/// Deadlines are rounded up and the present is rounded down, so a timer never fires early and at most 1 ms late.
@usableFromInline
package struct Tick: Comparable, Hashable, Sendable {
    @usableFromInline package var count: UInt64

    @inlinable
    package init(_ count: UInt64) { self.count = count }

    /// The tick that `now` lies in.
    @inlinable
    package init(containing now: Instant) {
        count = UInt64(max(0, now.nanoseconds)) / 1_000_000
    }

    /// The first tick that does not begin before `deadline`.
    @inlinable
    package init(notBefore deadline: Instant) {
        let (ticks, rest) = UInt64(max(0, deadline.nanoseconds)).quotientAndRemainder(dividingBy: 1_000_000)
        count = ticks + (rest > 0 ? 1 : 0)
    }

    /// When the tick begins; saturates at the end of time.
    @inlinable
    package var start: Instant {
        let (nanoseconds, overflow) = count.multipliedReportingOverflow(by: 1_000_000)
        return Instant(nanoseconds: overflow ? .max : Int64(clamping: nanoseconds))
    }

    @inlinable
    package static func < (a: Tick, b: Tick) -> Bool { a.count < b.count }
}
