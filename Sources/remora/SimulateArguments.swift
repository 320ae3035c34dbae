// Words of the `simulate` command line as values; what cannot be read is named with what would be right.

import ArgumentParser
import Simulation
import Vocabulary

/// A share of a whole: `5%` or `0.05`.
struct ShareArgument: ExpressibleByArgument {
    /// 0...1.
    let share: Double

    init?(argument: String) {
        let isPercentage = argument.last == "%"
        guard let number = Double(isPercentage ? argument.dropLast() : argument[...]) else { return nil }
        share = isPercentage ? number / 100 : number
        guard (0...1).contains(share) else { return nil }
    }
}

/// A time with its unit: `500us`, `0.5ms`, `30s`, `2m`, `1h`.
struct TimeArgument: ExpressibleByArgument {
    /// Whole nanoseconds, not negative, a week at most.
    let duration: Duration

    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9),
    ]

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) { self.init(argument[...]) }

    init?(_ text: Substring) {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let name = text.dropFirst(digits.count)
        guard let number = Double(digits), let unit = Self.units.first(where: { $0.name == name }) else { return nil }
        let nanoseconds = (number * unit.nanoseconds).rounded()
        guard nanoseconds <= 7 * 24 * 3600e9 else { return nil }
        duration = .nanoseconds(Int64(nanoseconds))
    }

    var defaultValueDescription: String { "\(duration)" }
}

/// A one-way delay: `1ms`, `0.5ms..2ms`, or a distribution as ``Latency`` reads it.
struct LatencyArgument: ExpressibleByArgument {
    let latency: Latency

    init?(argument: String) {
        if let latency = Latency(parsing: argument) {
            self.latency = latency
            return
        }
        let ends = argument.split(separator: "..", omittingEmptySubsequences: false).map { TimeArgument($0) }
        guard let first = ends.first??.duration, let last = ends.last??.duration, first <= last, last <= .seconds(60)
        else { return nil }
        switch ends.count {
        case 1: latency = .fixed(first)
        case 2: latency = .uniform(first, last)
        default: return nil
        }
    }
}

/// Sizes of a fleet: `250` or `250,1000,4000`.
struct SizesArgument: ExpressibleByArgument {
    /// Rising, each once.
    let sizes: [Int]

    init?(argument: String) {
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        let sizes = numbers.compactMap(\.self)
        guard sizes.count == numbers.count, sizes.allSatisfy({ (2...65_536).contains($0) }) else { return nil }
        self.sizes = Array(Set(sizes)).sorted()
    }
}

/// The sides of a split by their members' number: `7+3`.
struct SidesArgument: ExpressibleByArgument {
    /// Two or more, each at least 1.
    let sides: [Int]

    init?(argument: String) {
        let numbers = argument.split(separator: "+", omittingEmptySubsequences: false).map { Int($0) }
        sides = numbers.compactMap(\.self)
        guard sides.count == numbers.count, sides.count >= 2, sides.allSatisfy({ (1...65_536).contains($0) })
        else { return nil }
    }
}

enum ProfileArgument: String, CaseIterable, ExpressibleByArgument {
    case lan, wan, local
}

enum SwitchArgument: String, CaseIterable, ExpressibleByArgument {
    case on, off
}
