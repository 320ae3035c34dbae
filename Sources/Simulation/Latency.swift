// How long things are under way.
//
// Every distribution has a cap: a tail without end would deliver a datagram after its receiver has long restarted,
// which no network does. Logarithm and exponential are the C library's: another release of it may round the last bit
// otherwise and so give another run for the same seed. A recorded log replays all the same, as it holds no latencies.

import Glibc
import Vocabulary

/// The distribution of a one-way delay.
package enum Latency: Hashable, Sendable {
    case fixed(Duration)
    /// Any delay between the two, both included, alike.
    case uniform(Duration, Duration)
    /// At least `minimum`, and `mean` more on average before the cap is applied.
    case exponential(minimum: Duration, mean: Duration, cap: Duration)
    /// Half are below `median`; `sigma` is the deviation of the logarithm (0.5 is usual between data centres).
    case logNormal(median: Duration, sigma: Double, cap: Duration)

    /// What 250 nodes in one place see: 0.2 to 1 ms.
    package static let local = Latency.uniform(.microseconds(200), .milliseconds(1))

    /// The longest delay that this gives.
    package var longest: Duration {
        switch self {
        case .fixed(let delay): delay
        case .uniform(_, let high): high
        case .exponential(_, _, let cap), .logNormal(_, _, let cap): cap
        }
    }
}

// MARK: - Drawing

/// A distribution made ready for drawing many times: nanoseconds only.
struct LatencySampler: Sendable {
    private enum Shape { case fixed, uniform, exponential, logNormal }
    private let shape: Shape
    private let base: Int64
    private let spread: Double
    private let cap: Int64

    init(_ latency: Latency) {
        switch latency {
        case .fixed(let delay):
            (shape, base, spread, cap) = (.fixed, delay.wholeNanoseconds, 0, .max)
        case .uniform(let low, let high):
            let width = Double(high.wholeNanoseconds - low.wholeNanoseconds)
            (shape, base, spread, cap) = (.uniform, low.wholeNanoseconds, width, high.wholeNanoseconds)
        case .exponential(let minimum, let mean, let cap):
            (shape, base, spread) = (.exponential, minimum.wholeNanoseconds, Double(mean.wholeNanoseconds))
            self.cap = cap.wholeNanoseconds
        case .logNormal(let median, let sigma, let cap):
            (shape, base, spread) = (.logNormal, median.wholeNanoseconds, sigma)
            self.cap = cap.wholeNanoseconds
        }
    }

    /// One delay in nanoseconds. Every shape but the fixed one takes numbers from the generator.
    func draw(using random: inout SeededRandom) -> Int64 {
        switch shape {
        case .fixed: return base
        case .uniform: return min(cap, base + Int64(spread * random.unit()))
        case .exponential: return min(cap, base + Int64(-spread * log(1 - random.unit())))
        case .logNormal:
            // Box and Muller (1958); the second value is thrown away rather than kept as hidden state.
            let radius = sqrt(-2 * log(1 - random.unit()))
            let normal = radius * cos(2 * Double.pi * random.unit())
            return Int64(min(Double(cap), Double(base) * exp(spread * normal)))
        }
    }
}

extension SeededRandom {
    /// A number in 0..<1, of 53 random bits.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}

// MARK: - As text

extension Latency {
    /// `fixed:1ms`, `uniform:200us,1ms`, `exponential:1ms,4ms,100ms` (minimum, mean, cap) or `lognormal:5ms,0.5,100ms`
    /// (median, sigma, cap). Nil for anything else, for a cap below what it caps, and above a minute.
    package init?(parsing text: some StringProtocol) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let parts = text[text.index(after: colon)...].split(separator: ",", omittingEmptySubsequences: false)
        let times = parts.map { Duration(simulationText: $0) }
        switch (text[..<colon], parts.count) {
        case ("fixed", 1):
            guard let delay = times[0] else { return nil }
            self = .fixed(delay)
        case ("uniform", 2):
            guard let low = times[0], let high = times[1], low <= high else { return nil }
            self = .uniform(low, high)
        case ("exponential", 3):
            guard let low = times[0], let mean = times[1], let cap = times[2], low <= cap else { return nil }
            self = .exponential(minimum: low, mean: mean, cap: cap)
        case ("lognormal", 3):
            guard let median = times[0], let sigma = Double(parts[1]), let cap = times[2], median <= cap,
                (0...10).contains(sigma)
            else { return nil }
            self = .logNormal(median: median, sigma: sigma, cap: cap)
        default: return nil
        }
        guard longest <= .seconds(60) else { return nil }
    }

    /// What ``init(parsing:)`` reads.
    package var text: String {
        switch self {
        case .fixed(let delay): "fixed:\(delay.simulationText)"
        case .uniform(let low, let high): "uniform:\(low.simulationText),\(high.simulationText)"
        case .exponential(let minimum, let mean, let cap):
            "exponential:\(minimum.simulationText),\(mean.simulationText),\(cap.simulationText)"
        case .logNormal(let median, let sigma, let cap):
            "lognormal:\(median.simulationText),\(sigma),\(cap.simulationText)"
        }
    }
}
