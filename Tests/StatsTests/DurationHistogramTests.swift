import Stats
import Testing
import Vocabulary

@Suite("Duration buckets")
struct DurationBucketsTests {
    @Test(
        "A duration falls into the bucket that the layout gives it",
        arguments: [
            (Int64(-5), 0), (0, 0), (999, 0), (1_000, 1), (63_999, 63), (64_000, 64), (127_999, 127), (128_000, 128),
            (129_999, 128), (130_000, 129), (255_999, 191), (256_000, 192), (1_000_000, 317),
        ])
    func index(nanoseconds: Int64, bucket: Int) {
        #expect(DurationBuckets.index(nanoseconds: nanoseconds) == bucket)
    }

    @Test("Every bucket begins where the one before it ends, and holds its own lower bound")
    func contiguous() {
        for bucket in 0..<DurationBuckets.count {
            let lower = DurationBuckets.lowerBound(bucket)
            #expect(lower < DurationBuckets.lowerBound(bucket + 1))
            let nanoseconds = Int64((lower * 1e9).rounded())
            #expect(DurationBuckets.index(nanoseconds: nanoseconds) == bucket)
            if bucket > 0 { #expect(DurationBuckets.index(nanoseconds: nanoseconds - 1) == bucket - 1) }
        }
    }

    @Test("No bucket is wider than 1/64 of its lower bound, or than a microsecond")
    func width() {
        for bucket in 0..<DurationBuckets.count {
            let lower = DurationBuckets.lowerBound(bucket)
            #expect(DurationBuckets.lowerBound(bucket + 1) - lower <= max(lower / 64, 1e-6) * 1.000_001)
        }
    }

    @Test("The longest durations there are share the last bucket")
    func overflow() {
        #expect(DurationBuckets.index(nanoseconds: .max) == DurationBuckets.count - 1)
        #expect(DurationBuckets.lowerBound(DurationBuckets.count) > 50 * 86_400)
    }
}

@Suite("A duration distribution")
struct DurationDistributionTests {
    @Test("Nothing recorded is all zeroes")
    func empty() {
        let distribution = DurationDistribution()
        #expect(distribution.report == QuantilesReport())
        #expect(distribution.quantile(1) == 0)
    }

    @Test("One duration is every quantile, within its bucket, and the maximum exactly")
    func single() {
        let table = HistogramTable(rows: 1)
        table.record(.microseconds(1500), row: 0)
        let report = merge([table]).report
        #expect(report.count == 1)
        #expect(report.max == 0.0015)
        for quantile in [report.p50, report.p90, report.p99, report.p999] {
            #expect(abs(quantile - 0.0015) <= 0.0015 / 128)
        }
    }

    @Test("A quantile is never above the longest duration")
    func bounded() {
        let table = HistogramTable(rows: 1)
        // The lowest duration of its bucket, whose middle is above it.
        table.record(.microseconds(128), row: 0)
        #expect(merge([table]).quantile(1) == 0.000128)
    }

    @Test(
        "The quantile of few durations is the first that enough of them do not exceed",
        arguments: [(0.0, 10), (0.33, 10), (0.34, 20), (0.5, 20), (0.66, 20), (0.67, 30), (0.99, 30), (1, 30)])
    func ranks(fraction: Double, microseconds: Int) {
        let table = HistogramTable(rows: 1)
        for duration in [30, 10, 20] { table.record(.microseconds(duration), row: 0) }
        #expect(Int(merge([table]).quantile(fraction) * 1e6) == microseconds)
    }

    @Test("A negative duration counts as none")
    func negative() {
        let table = HistogramTable(rows: 1)
        table.record(.seconds(-1), row: 0)
        let report = merge([table]).report
        #expect(report.count == 1)
        #expect(report.max == 0)
    }

    @Test("Quantiles of several workers' tables agree with a sorted list", arguments: [1, 2, 3, 42, 1_000] as [UInt64])
    func quantiles(seed: UInt64) {
        // Given durations over six decades, spread over three workers
        var random = SeededRandom(seed: seed)
        let tables = (0..<3).map { _ in HistogramTable(rows: 2) }
        var durations: [Double] = []
        for _ in 0..<4_999 {
            let microseconds = Int64(1) << Int64.random(in: 0..<30, using: &random)
            let exact = microseconds + Int64.random(in: 0..<microseconds, using: &random)
            durations.append(Double(exact) / 1e6)
            tables[Int.random(in: 0..<3, using: &random)].record(.microseconds(exact), row: 1)
        }
        durations.sort()
        // When they are merged
        let merged = merge(tables, row: 1)
        // Then every quantile is near the duration of its rank
        #expect(merged.count == 4_999)
        #expect(merged.longest == durations.last)
        for fraction in [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let exact = durations[max(1, Int((fraction * 4_999).rounded(.up))) - 1]
            #expect(
                abs(merged.quantile(fraction) - exact) <= max(exact / 128, 0.5e-6) * 1.000_001, "fraction \(fraction)")
        }
        // And the other row has none of them
        #expect(merge(tables, row: 0).count == 0)
    }

    @Test("Quantiles rise with their fraction", arguments: [7, 8, 9] as [UInt64])
    func monotonic(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let table = HistogramTable(rows: 1)
        for _ in 0..<200 { table.record(.microseconds(Int64.random(in: 0..<100_000, using: &random)), row: 0) }
        let merged = merge([table])
        let quantiles = stride(from: 0.0, through: 1.0, by: 0.01).map(merged.quantile)
        #expect(zip(quantiles, quantiles.dropFirst()).allSatisfy { $0 <= $1 })
    }

    // MARK: What leaves the process

    @Test("A duration is counted before the first bound that it is shorter than; as long as a bound, beyond it")
    func coarseEdges() {
        for (number, bound) in CoarseBuckets.bounds.enumerated() {
            let exact = Duration.nanoseconds(Int64((bound * 1e9).rounded()))
            #expect(coarse(exact - .nanoseconds(1)) == [number: 1])
            #expect(coarse(exact) == [number + 1: 1])
        }
        #expect(coarse(.seconds(-1)) == [0: 1])
        #expect(coarse(.zero) == [0: 1])
        #expect(coarse(.seconds(400 * 86_400)) == [CoarseBuckets.count - 1: 1])
    }

    @Test("The bounds are 125 µs and its doublings, up to 18.6 hours")
    func coarseBounds() {
        #expect(CoarseBuckets.bounds.first == 0.000_125)
        #expect(CoarseBuckets.bounds.last == 67_108.864)
        #expect(CoarseBuckets.bounds.count == 30)
        #expect(zip(CoarseBuckets.bounds, CoarseBuckets.bounds.dropFirst()).allSatisfy { $1 == 2 * $0 })
    }

    @Test("Counts between the bounds are exact and the sum is within 0.8 %", arguments: [1, 2, 3, 42] as [UInt64])
    func leaving(seed: UInt64) {
        // Given durations over six decades, on two workers
        var random = SeededRandom(seed: seed)
        let tables = [HistogramTable(rows: 1), HistogramTable(rows: 1)]
        var counts = [UInt64](repeating: 0, count: CoarseBuckets.count)
        var sum = 0.0
        var before = 0.0
        for number in 1...500 {
            let microseconds = Int64.random(in: 128..<(128 << Int64.random(in: 1..<20, using: &random)), using: &random)
            let seconds = Double(microseconds) / 1e6
            sum += seconds
            counts[CoarseBuckets.bounds.firstIndex { seconds < $0 } ?? CoarseBuckets.count - 1] += 1
            // When each is recorded
            tables[Int.random(in: 0..<2, using: &random)].record(.microseconds(microseconds), row: 0)
            guard number % 25 == 0 else { continue }
            // Then the sum rises
            let now = merge(tables).report.sum
            #expect(now > before)
            before = now
        }
        let report = merge(tables).report
        #expect(report.buckets == counts)
        #expect(report.buckets.reduce(0, +) == report.count)
        #expect(abs(report.sum - sum) <= sum / 128)
    }

    @Test("Below 128 µs the sum is within half a microsecond of each")
    func sumOfShort() {
        let table = HistogramTable(rows: 1)
        for microseconds in 0..<128 { table.record(.microseconds(microseconds), row: 0) }
        #expect(abs(merge([table]).report.sum - 8128e-6) <= 64.001e-6)
    }

    /// The buckets that are not empty once `duration` alone is recorded.
    private func coarse(_ duration: Duration) -> [Int: UInt64] {
        let table = HistogramTable(rows: 1)
        table.record(duration, row: 0)
        let counts = merge([table]).report.buckets.enumerated()
        return Dictionary(uniqueKeysWithValues: counts.lazy.filter { $0.element > 0 }.map { ($0.offset, $0.element) })
    }

    private func merge(_ tables: [HistogramTable], row: Int = 0) -> DurationDistribution {
        var distribution = DurationDistribution()
        for table in tables { table.add(row: row, to: &distribution) }
        return distribution
    }
}
