// Lifeguard's local health (§IV-A): a member that misses answers doubts itself before it doubts others, and probes
// more slowly until answers come again.

/// How unwell we seem to ourselves: 0 is well.
package struct LocalHealth: Hashable, Sendable {
    /// From 0 to `maximum` - 1.
    package private(set) var score = 0
    /// Exclusive; 1 keeps the score at 0, which switches it off.
    private let maximum: Int

    /// - Precondition: `maximum` is 1 at least.
    package init(maximum: Int) {
        precondition(maximum >= 1, "a score needs room for being well")
        self.maximum = maximum
    }

    /// Adds to the score, or takes from it; stays in its range.
    package mutating func change(by delta: Int) {
        let (sum, overflow) = score.addingReportingOverflow(delta)
        score = overflow ? maximum - 1 : min(max(sum, 0), maximum - 1)
    }

    /// What a probe interval becomes: `interval` × (score + 1). Nothing else is stretched.
    package func stretched(_ interval: Duration) -> Duration { interval * (score + 1) }
}
