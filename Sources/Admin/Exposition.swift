// Text that Prometheus reads: its exposition format, version 0.0.4.
//
// A page of families, each with its help, its kind and its series. Of two series with the same name and labels only the
// first is written: a scrape that has both is refused whole, and would hide everything because of one.

struct Exposition {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    enum Kind: String {
        case counter, gauge, histogram
    }

    typealias Label = (name: String, value: String)

    private(set) var text = ""

    /// A family of metrics; none of its series may be written after another family has begun.
    /// - Parameters:
    ///   - name: with its unit, and `_total` for a counter.
    ///   - help: a sentence on one line.
    mutating func family(_ name: String, _ kind: Kind, _ help: String, _ body: (inout Series) -> Void) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        var series = Series(name: name)
        body(&series)
        text += series.text
    }

    mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        family(name, .counter, help) { $0.add(value) }
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        family(name, .gauge, help) { $0.add(value) }
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Int) { gauge(name, help, Double(value)) }

    mutating func gauge(_ name: String, _ help: String, _ value: Bool) { gauge(name, help, value ? 1 : 0) }

    /// The series of one family.
    struct Series {
        let name: String
        fileprivate(set) var text = ""
        private var written: Set<String> = []

        fileprivate init(name: String) { self.name = name }

        mutating func add(_ value: UInt64, _ labels: [Label] = []) { write(name, labels, "\(value)") }

        mutating func add(_ value: Int, _ labels: [Label] = []) { write(name, labels, "\(value)") }

        mutating func add(_ value: Bool, _ labels: [Label] = []) { write(name, labels, value ? "1" : "0") }

        mutating func add(_ value: Double, _ labels: [Label] = []) { write(name, labels, Self.number(value)) }

        /// - Parameter counts: one for each of the bounds, and one more for what is beyond the last.
        mutating func addHistogram(bounds: [Double], counts: [UInt64], sum: Double, _ labels: [Label]) {
            var total: UInt64 = 0
            for (bound, count) in zip(bounds, counts) {
                total += count
                write("\(name)_bucket", labels + [("le", Self.number(bound))], "\(total)")
            }
            total += counts.dropFirst(bounds.count).reduce(0, +)
            write("\(name)_bucket", labels + [("le", "+Inf")], "\(total)")
            write("\(name)_sum", labels, Self.number(sum))
            write("\(name)_count", labels, "\(total)")
        }

        private mutating func write(_ name: String, _ labels: [Label], _ value: String) {
            let pairs = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
            let series = pairs.isEmpty ? name : "\(name){\(pairs)}"
            guard written.insert(series).inserted else { return }
            text += "\(series) \(value)\n"
        }

        /// Whole numbers without a point: 3, not 3.0.
        private static func number(_ value: Double) -> String {
            guard value.magnitude < 1e15, value == value.rounded() else { return "\(value)" }
            return "\(Int64(value))"
        }

        private static func escaped(_ value: String) -> String {
            guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return value }
            return value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
        }
    }
}
