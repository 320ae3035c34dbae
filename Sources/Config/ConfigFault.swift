// What is wrong with a config file, where, and what would be right.
//
// Reading never stops at the first mistake: each stage writes into one `FaultLog` and goes on with what is
// left. The alternative, throwing where a mistake is found, makes an operator run `check` once per typo.

/// A position in a text; both numbers count from 1.
struct Place: Comparable, Hashable, Sendable {
    static let start = Place(line: 1, column: 1)

    var line: Int
    /// In Unicode scalars, which is what most editors show.
    var column: Int

    static func < (a: Place, b: Place) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// One mistake of whoever wrote the file.
package struct ConfigFault: Error, Hashable, Sendable {
    package let file: String
    /// From 1.
    package let line: Int
    /// From 1, in Unicode scalars.
    package let column: Int
    /// What is wrong; what would be right.
    package let message: String
}

extension ConfigFault: CustomStringConvertible {
    /// `FILE:LINE:COLUMN: error: MESSAGE`, the form that editors and CI systems find in logs.
    package var description: String { "\(file):\(line):\(column): error: \(message)" }
}

/// Why a file became no ``Configuration``: all its faults in the order of the text, up to ``limit``.
package struct ConfigFaults: Error, Hashable, Sendable {
    /// Past this many, more faults no longer help anyone; they are only counted.
    package static let limit = 100

    /// Never empty.
    package let faults: [ConfigFault]
    /// How many more there are.
    package let omitted: Int

    /// - Precondition: `log` has a fault.
    init(_ log: FaultLog) {
        precondition(!log.isEmpty, "a refusal has a reason")
        let sorted = log.faults.sorted { a, b in
            (a.line, a.column, a.message) < (b.line, b.column, b.message)
        }
        faults = Array(sorted.prefix(ConfigFaults.limit))
        omitted = sorted.count - faults.count + log.uncollected
    }
}

extension ConfigFaults: CustomStringConvertible {
    /// One line per fault, and a last one if some were left out.
    package var description: String {
        var lines = faults.map(\.description)
        if omitted > 0 { lines.append("\(faults[0].file): and \(omitted) more") }
        return lines.joined(separator: "\n")
    }
}

/// Collects the faults of one file.
///
/// A set, because an alias repeats the faults of what it stands for; and bounded, because a file of 16 MiB has
/// room for millions. Faults beyond the bound are counted.
struct FaultLog {
    static let capacity = 10_000

    let file: String
    private(set) var faults: Set<ConfigFault> = []
    private(set) var uncollected = 0

    init(file: String) { self.file = file }

    var isEmpty: Bool { faults.isEmpty }

    /// - Parameter message: made only if there is room for it.
    mutating func add(_ message: @autoclosure () -> String, at place: Place) {
        guard faults.count < FaultLog.capacity else {
            uncollected += 1
            return
        }
        faults.insert(ConfigFault(file: file, line: place.line, column: place.column, message: message()))
    }
}

extension String {
    /// This text between quotation marks, fit for one line of a terminal: shortened, control characters escaped.
    var quoted: String {
        let shown = 60
        var result = "\""
        for scalar in unicodeScalars.prefix(shown) {
            switch scalar {
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        if unicodeScalars.dropFirst(shown).first != nil { result += "…" }
        return result + "\""
    }
}
