// How old an answer about an upstream's load may be.
//
// A queue changes as fast as it is served, so age counts in the time that an answer is waited for, which is measured
// and not configured. In the simulation information is worth having up to 3 to 8 of those times, by load; within two it
// is nearly as good as the truth.

/// The mean time to an answer of one upstream, of late, as one worker sees it.
package struct Freshness: Sendable {
    /// How many mean times an answer is used for.
    package static let periods = 2
    /// What is taken for the mean before anything is measured.
    package static let assumedPeriod = Duration.milliseconds(10)
    /// Below and above this nothing is believed: a clock's grain, and a service that never answers.
    static let range: ClosedRange<Int64> = 500_000...30_000_000_000
    /// So many answers change the mean by half.
    private static let inertia: UInt64 = 32

    /// In nanoseconds; nil before the first answer.
    private var mean: Int64?
    private var answers: UInt64 = 0
    private var nanoseconds: UInt64 = 0

    package init() {}

    /// Takes in two sums that only grow: of answers, and of the times that they were waited for.
    package mutating func look(answers: UInt64, nanoseconds: UInt64) {
        let count = answers &- self.answers
        guard count > 0 else { return }
        let window = Int64(clamping: (nanoseconds &- self.nanoseconds) / count)
        (self.answers, self.nanoseconds) = (answers, nanoseconds)
        guard let mean else {
            self.mean = window
            return
        }
        let share = Double(count) / Double(count + Self.inertia)
        self.mean = mean + Int64(Double(window - mean) * share)
    }

    /// The mean time to an answer, within reason.
    package var period: Duration {
        guard let mean else { return Self.assumedPeriod }
        return .nanoseconds(min(max(mean, Self.range.lowerBound), Self.range.upperBound))
    }

    /// What was measured longer ago is not used.
    package var limit: Duration { period * Self.periods }
}
