// Many times in a few figures. All of them are kept and sorted: a run has some ten thousand, and a histogram's buckets
// would be seen in the tail.

/// In seconds.
package struct Latencies: Codable, Equatable, Sendable {
    package let count: Int
    package let mean: Double
    package let p50: Double
    package let p99: Double
    package let p999: Double
    package let max: Double

    /// - Parameter nanoseconds: in any order.
    /// - Returns: nil of none.
    package init?(nanoseconds: [Int64]) {
        let sorted = nanoseconds.sorted()
        guard let longest = sorted.last else { return nil }
        /// The time that this share of all is not longer than.
        func quantile(_ share: Double) -> Double {
            let rank = Int((share * Double(sorted.count)).rounded(.up))
            return Double(sorted[Swift.max(1, rank) - 1]) / 1e9
        }
        count = sorted.count
        mean = sorted.reduce(0) { $0 + Double($1) } / Double(sorted.count) / 1e9
        (p50, p99, p999) = (quantile(0.5), quantile(0.99), quantile(0.999))
        max = Double(longest) / 1e9
    }
}
