// What many measurements say together. Every value is kept, so that percentiles are exact: a simulation has thousands
// of them, not billions.
//
// `DurationDistribution` of Stats was not taken: its buckets are within 0.8 %, and differ from what was measured.

import Glibc

/// Values of one quantity, at least one.
package struct Sample: Sendable {
    /// In rising order.
    package let values: [Double]

    /// Nil without any value.
    /// - Precondition: every value is a number.
    package init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        precondition(values.allSatisfy { !$0.isNaN }, "what is not a number has no place in an order")
        self.values = values.sorted()
    }

    package var count: Int { values.count }
    package var mean: Double { values.reduce(0, +) / Double(values.count) }
    package var least: Double { values[0] }
    package var most: Double { values[values.count - 1] }

    /// The standard error of the mean: how far it would stray if everything were measured again; 0 for one value.
    package var standardError: Double {
        guard count > 1 else { return 0 }
        let mean = mean
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (squares / Double(count - 1) / Double(count)).squareRoot()
    }

    /// The least value that `fraction` of all values do not exceed (the nearest rank; never interpolated).
    /// - Precondition: `fraction` is in 0...1.
    package func percentile(_ fraction: Double) -> Double {
        precondition((0...1).contains(fraction))
        let rank = (fraction * Double(count)).rounded(.up)
        return values[max(Int(rank) - 1, 0)]
    }

    /// The share of values that are `limit` or less, 0...1.
    package func share(atMost limit: Double) -> Double {
        Double(values.count { $0 <= limit }) / Double(count)
    }
}

/// The straight line that is nearest to some points, by least squares.
package struct LineFit: Sendable {
    package let intercept: Double
    package let slope: Double

    /// Nil unless the points have two different x.
    package init?(_ points: [(x: Double, y: Double)]) {
        let count = Double(points.count)
        let (sumX, sumY) = points.reduce((0, 0)) { ($0.0 + $1.x, $0.1 + $1.y) }
        let (meanX, meanY) = (sumX / count, sumY / count)
        let spread = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
        guard points.count > 1, spread > 0 else { return nil }
        slope = points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) } / spread
        intercept = meanY - slope * meanX
    }

    package func value(at x: Double) -> Double { intercept + slope * x }
}

/// How a quantity grows with the number of members, as a·1 or a + b·ln N, fitted to what was measured.
package struct GrowthFit: Sendable {
    package enum Law: Sendable {
        case constant
        case logarithmic
    }

    package let law: Law
    /// The constant, in the quantity's unit.
    package let base: Double
    /// What each e-fold of members adds; 0 where the law is a constant.
    package let perFold: Double
    /// The largest distance between a measurement and the law, as a share of what the law says there.
    package let worstResidual: Double

    /// Nil unless there are two sizes.
    package init?(_ law: Law, measured: [(nodes: Int, value: Double)]) {
        guard let line = LineFit(measured.map { (x: log(Double($0.nodes)), y: $0.value) }) else { return nil }
        self.law = law
        switch law {
        case .constant:
            base = measured.reduce(0) { $0 + $1.value } / Double(measured.count)
            perFold = 0
        case .logarithmic:
            base = line.intercept
            perFold = line.slope
        }
        let (base, perFold) = (base, perFold)
        worstResidual =
            measured.map { size in
                let lawful = base + perFold * log(Double(size.nodes))
                return abs(size.value - lawful) / max(abs(lawful), .leastNormalMagnitude)
            }.max() ?? 0
    }

    package func value(at nodes: Int) -> Double { base + perFold * log(Double(nodes)) }

    /// As a person writes it: `0.41 + 0.12 ln N`.
    package var formula: String {
        switch law {
        case .constant: base.written()
        case .logarithmic: "\(base.written()) \(perFold < 0 ? "-" : "+") \(abs(perFold).written()) ln N"
        }
    }
}
