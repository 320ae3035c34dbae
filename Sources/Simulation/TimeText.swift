// Durations as people write them in scenarios and in the header of a log: `250ms`, `10s`, `2m`.
//
// Config has a reader of its own, with a line and a column for every fault; a scenario's line is short enough to be
// shown whole.

import Vocabulary

extension Duration {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000),
        ("ns", 1),
    ]

    /// Digits and a unit: `ns`, `us`, `ms`, `s`, `m` or `h`. Nil for anything else, and for more than 292 years.
    init?(simulationText text: some StringProtocol) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let name = text.dropFirst(digits.count)
        guard let count = Int64(digits), let unit = Duration.units.first(where: { $0.name == name }) else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: unit.nanoseconds)
        guard !overflow else { return nil }
        self = .nanoseconds(product)
    }

    /// In the largest unit that divides it: what `init(simulationText:)` reads back, for durations of at least zero.
    var simulationText: String {
        let count = wholeNanoseconds
        for unit in Duration.units where count.isMultiple(of: unit.nanoseconds) && count != 0 {
            return "\(count / unit.nanoseconds)\(unit.name)"
        }
        return "0s"
    }
}
