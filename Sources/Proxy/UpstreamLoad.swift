// How busy an upstream is, for who asks several times a second: gauges and two sums, no histogram.

import Vocabulary

package struct UpstreamLoad: Hashable, Sendable {
    /// Connections that wait for an answer now.
    package var outstanding = 0
    package var connections = 0
    /// Connections on which the first byte came; only grows. The later answers of a connection are not measured.
    package var answers: UInt64
    /// How long all of ``answers`` waited for it, from the connection's first question on.
    package var answerNanoseconds: UInt64

    package init(answers: UInt64 = 0, answerNanoseconds: UInt64 = 0) {
        self.answers = answers
        self.answerNanoseconds = answerNanoseconds
    }

    /// The mean time to the first byte on connections answered since an earlier look; nil where there were none.
    ///
    /// The two sums are read one after the other while workers count, so one answer more or less may be in either.
    package func meanAnswerTime(since earlier: UpstreamLoad) -> Duration? {
        let count = answers &- earlier.answers
        guard count > 0 else { return nil }
        return .nanoseconds(Int64(clamping: (answerNanoseconds &- earlier.answerNanoseconds) / count))
    }
}
