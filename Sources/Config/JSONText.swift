// JSON with its keys in the order given, so that the same value is always the same bytes.
//
// `JSONEncoder` can sort keys, but not keep them in the order in which a reader wants them.

package indirect enum JSONText {
    case object([(key: String, value: JSONText)])
    case array([JSONText])
    case string(String)
    case integer(Int)
    case unsigned(UInt64)
    /// Must be finite: JSON has no other numbers.
    case number(Double)
    case flag(Bool)
    case null

    /// Two spaces per level, arrays of scalars on one line.
    package func written(indent: String = "") -> String {
        let deeper = indent + "  "
        switch self {
        case .object(let members):
            if members.isEmpty { return "{}" }
            let lines = members.map { "\(deeper)\(JSONText.literal($0.key)): \($0.value.written(indent: deeper))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        case .array(let items):
            if items.allSatisfy(\.isScalar) { return "[" + items.map { $0.written() }.joined(separator: ", ") + "]" }
            return "[\n" + items.map { deeper + $0.written(indent: deeper) }.joined(separator: ",\n") + "\n\(indent)]"
        case .string(let text): return JSONText.literal(text)
        case .integer(let value): return String(value)
        case .unsigned(let value): return String(value)
        case .number(let value):
            precondition(value.isFinite, "JSON has no infinity")
            return String(value)
        case .flag(let value): return String(value)
        case .null: return "null"
        }
    }

    private var isScalar: Bool {
        switch self {
        case .object, .array: false
        case .string, .integer, .unsigned, .number, .flag, .null: true
        }
    }

    private static func literal(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let code = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - code.count) + code
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
