// Sizes as people write them: one whole number and one unit.
//
// Units are powers of 1024 by their IEC names. `KB` and `K` are refused: to half of their readers they are 1000.

internal import Vocabulary

extension ByteCount {
    /// What is wrong with a text that is no size, to stand behind it.
    enum TextError: Error, Hashable {
        case noUnit
        case badUnit(String)
        case notOneNumberAndUnit
        case tooLarge
    }

    private static let units: [(name: String, shift: Int)] = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30)]

    /// Reads a whole number and `B`, `KiB`, `MiB` or `GiB`, without a space.
    init(parsing text: String) throws(TextError) {
        let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
        guard !digits.isEmpty else { throw .notOneNumberAndUnit }
        let name = String(text[digits.endIndex...])
        guard let unit = ByteCount.units.first(where: { $0.name == name }) else {
            if name.isEmpty { throw .noUnit }
            throw name.unicodeScalars.allSatisfy(\.properties.isAlphabetic) ? .badUnit(name) : .notOneNumberAndUnit
        }
        guard let count = Int(String(digits) ?? ""), count <= Int.max >> unit.shift else { throw .tooLarge }
        self.init(count << unit.shift)
    }

    /// This size as ``init(parsing:)`` reads it, in the largest unit that leaves a whole number.
    var written: String {
        let unit = ByteCount.units.last { bytes > 0 && bytes % (1 << $0.shift) == 0 } ?? ByteCount.units[0]
        return "\(bytes >> unit.shift)\(unit.name)"
    }
}
