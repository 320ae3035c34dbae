// Durations as people write them: one whole number and one unit.
//
// `1h30m` and `1.5s` are refused: a second way to write a value is a second way to misread it.

extension Duration {
    /// What is wrong with a text that is no duration, to stand behind it.
    enum TextError: Error, Hashable {
        case noUnit
        case badUnit(String)
        case notOneNumberAndUnit
        case tooLong
    }

    /// Reads a whole number and `ms`, `s`, `m` or `h`, without a space.
    init(parsing text: String) throws(TextError) {
        let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
        guard !digits.isEmpty else { throw .notOneNumberAndUnit }
        let unit = String(text[digits.endIndex...])
        let milliseconds: Int64
        switch unit {
        case "ms": milliseconds = 1
        case "s": milliseconds = 1_000
        case "m": milliseconds = 60_000
        case "h": milliseconds = 3_600_000
        case "": throw .noUnit
        default: throw unit.unicodeScalars.allSatisfy(\.properties.isAlphabetic) ? .badUnit(unit) : .notOneNumberAndUnit
        }
        guard let count = Int64(String(digits) ?? ""), !count.multipliedReportingOverflow(by: milliseconds).overflow
        else { throw .tooLong }
        self = .milliseconds(count * milliseconds)
    }

    /// This duration as ``init(parsing:)`` reads it, in the largest unit that leaves a whole number.
    ///
    /// - Precondition: it has whole milliseconds and is not negative.
    var written: String {
        let (seconds, attoseconds) = components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        precondition(seconds >= 0 && attoseconds >= 0 && attoseconds % 1_000_000_000_000_000 == 0)
        if milliseconds > 0 { return "\(seconds * 1_000 + milliseconds)ms" }
        if seconds > 0, seconds % 3_600 == 0 { return "\(seconds / 3_600)h" }
        if seconds > 0, seconds % 60 == 0 { return "\(seconds / 60)m" }
        return "\(seconds)s"
    }
}
