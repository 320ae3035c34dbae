// Where durations are counted on a worker: log-linear buckets in the manner of
// HdrHistogram (Tene), 64 to each doubling, so that a bucket's middle is within
// 0.8 % of every duration in it.
//
// HdrHistogram's Swift package keeps its counts as plain integers inside a struct,
// which may only be read while nobody records; a worker would have to copy or lock.
// Here the counts are relaxed atomics in a mapping: any thread merges the workers'
// tables while they go on recording.

import Vocabulary

/// The buckets every histogram here has: a microsecond wide below 128 µs, then 64 to each doubling, up to 50 days.
///
/// A duration below one microsecond falls into bucket 0, one beyond the end (2⁴² µs) into the last.
package enum DurationBuckets {
    @usableFromInline static let subBuckets = 64
    /// Doublings above the linear part.
    @usableFromInline static let octaves = 36
    package static let count = subBuckets * (octaves + 1)

    @inlinable
    package static func index(nanoseconds: Int64) -> Int {
        let value = UInt64(max(0, nanoseconds)) / 1000
        if value < UInt64(subBuckets) { return Int(value) }
        let octave = 63 - value.leadingZeroBitCount - 6
        let index = (octave &+ 1) &* subBuckets &+ Int(truncatingIfNeeded: value >> UInt64(octave)) &- subBuckets
        return min(index, count - 1)
    }

    /// The least duration that falls into bucket `index`, in seconds.
    package static func lowerBound(_ index: Int) -> Double {
        precondition((0...count).contains(index))
        if index < subBuckets { return Double(index) * 1e-6 }
        let octave = index / subBuckets - 1
        return Double((index % subBuckets + subBuckets) << octave) * 1e-6
    }
}

/// The few buckets in which durations leave the process: a doubling each, from 125 µs to 18.6 hours.
///
/// Every bound is one of ``DurationBuckets`` too (125 µs by powers of two are 125 or 1000 microseconds by powers of two,
/// and those lie on the grid of 64 to a doubling), so that no duration is counted on the wrong side of it.
package enum CoarseBuckets {
    /// Upper bounds in seconds; what is as long as the last, or longer, has a bucket of its own.
    package static let bounds = microseconds.map { Double($0) / 1e6 }
    package static let count = bounds.count + 1

    private static let microseconds = (0..<30).map { Int64(125) << $0 }
    /// The first of the fine buckets beyond each bound.
    fileprivate static let edges = microseconds.map { DurationBuckets.index(nanoseconds: $0 * 1000) }
}

/// Histograms with a single writer, one a row.
///
/// `@unchecked`: the mapping's address never changes and its words are atomics.
@safe
package final class HistogramTable: @unchecked Sendable {
    private let counters: CounterTable
    /// The longest duration of each row, in nanoseconds; the buckets alone would round it.
    private let longest: CounterTable

    /// - Parameter rows: the most there can be; 19 KB of address space each, resident once used.
    package init(rows: Int) {
        counters = CounterTable(rows: rows, columns: DurationBuckets.count)
        longest = CounterTable(rows: rows, columns: 1)
    }

    /// - Precondition: only the table's one writer calls this.
    package func record(_ duration: Duration, row: Int) {
        let nanoseconds = max(0, duration.wholeNanoseconds)
        // The longest first: a reader that sees the count then seldom misses what bounds it.
        let before = longest.read(row: row, column: 0)
        if nanoseconds > before { longest.add(UInt64(nanoseconds) - before, row: row, column: 0) }
        counters.add(1, row: row, column: DurationBuckets.index(nanoseconds: nanoseconds))
    }

    /// Adds what this table has counted in `row` to `distribution`.
    package func add(row: Int, to distribution: inout DurationDistribution) {
        for bucket in 0..<DurationBuckets.count {
            distribution.counts[bucket] += counters.read(row: row, column: bucket)
        }
        distribution.longest = max(distribution.longest, Double(longest.read(row: row, column: 0)) / 1e9)
    }
}

/// Durations of all workers, merged; a value.
package struct DurationDistribution: Hashable, Sendable {
    package fileprivate(set) var counts = [UInt64](repeating: 0, count: DurationBuckets.count)
    /// Seconds.
    package fileprivate(set) var longest = 0.0

    package init() {}

    package var count: UInt64 { counts.reduce(0, +) }

    /// The duration that `fraction` of all were not longer than, in seconds: the middle of its bucket,
    /// but never above the longest; 0 if there are none.
    /// - Parameter fraction: 0 to 1.
    package func quantile(_ fraction: Double) -> Double {
        quantile(fraction, of: count)
    }

    package var report: QuantilesReport {
        let count = count
        var report = QuantilesReport()
        report.count = count
        report.p50 = quantile(0.5, of: count)
        report.p90 = quantile(0.9, of: count)
        report.p99 = quantile(0.99, of: count)
        report.p999 = quantile(0.999, of: count)
        report.max = longest
        report.sum = estimatedSum
        report.buckets = coarse
        return report
    }

    /// The counts between the bounds of ``CoarseBuckets``: what an earlier distribution can be subtracted from.
    private var coarse: [UInt64] {
        let edges = [0] + CoarseBuckets.edges + [counts.count]
        return zip(edges, edges.dropFirst()).map { counts[$0..<$1].reduce(0, +) }
    }

    /// The sum of all durations in seconds, each taken for the middle of its bucket, and so within 0.8 %; it never falls
    /// while counts rise. Not taken: one more counter for the workers to keep, for a number that is divided by a count.
    private var estimatedSum: Double {
        counts.enumerated().reduce(0) { sum, bucket in
            guard bucket.element > 0 else { return sum }
            let middle = (DurationBuckets.lowerBound(bucket.offset) + DurationBuckets.lowerBound(bucket.offset + 1)) / 2
            return sum + Double(bucket.element) * middle
        }
    }

    private func quantile(_ fraction: Double, of total: UInt64) -> Double {
        precondition((0...1).contains(fraction))
        let rank = max(1, UInt64((fraction * Double(total)).rounded(.up)))
        var seen: UInt64 = 0
        for (index, count) in counts.enumerated() {
            seen += count
            if seen >= rank {
                let middle = (DurationBuckets.lowerBound(index) + DurationBuckets.lowerBound(index + 1)) / 2
                return min(middle, longest)
            }
        }
        return 0
    }
}
