// A point on the monotonic clock of one process, in whole nanoseconds.
//
// `ContinuousClock.Instant` was not taken: it is 128 bits wide, and a worker
// stores several of these per connection and compares them per event.

/// A moment on a monotonic clock; only differences between two have a meaning.
@usableFromInline
package struct Instant: Comparable, Hashable, Sendable {
    /// Nanoseconds since the clock's own start.
    @usableFromInline package var nanoseconds: Int64

    @inlinable
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    @inlinable
    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// Saturates instead of overflowing: a time-out of a million years is the end of time.
    @inlinable
    package static func + (a: Instant, b: Duration) -> Instant {
        Instant(nanoseconds: a.nanoseconds.addingSaturating(b.wholeNanoseconds))
    }

    /// Saturates too: what `+` has made of an endless time-out can be subtracted like any other moment.
    @inlinable
    package static func - (a: Instant, b: Instant) -> Duration {
        .nanoseconds(a.nanoseconds.subtractingSaturating(b.nanoseconds))
    }
}

extension Duration {
    /// This duration in whole nanoseconds, rounded towards zero; saturates at ±292 years.
    @inlinable
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return product.addingSaturating(attoseconds / 1_000_000_000)
    }

    /// This duration in seconds, as near as a `Double` comes.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}

extension Int64 {
    @inlinable
    package func addingSaturating(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    @inlinable
    package func subtractingSaturating(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }
}
