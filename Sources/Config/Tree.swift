// A YAML document as this module sees it: places, keys in order, and scalars that nobody has interpreted yet.
//
// Yams' own `Node` is not passed on: it resolves `yes`, `1:30` and `0o17` by YAML 1.1, it loses where an alias
// stands, and walking it expands alias bombs. Only `Composition` knows it.

/// One value of a document with its place.
struct Tree: Sendable {
    enum Content: Sendable {
        /// Nothing, `~` or `null`.
        case null
        /// A scalar without quotes; its text may mean a number or a boolean.
        case plain(String)
        /// A scalar in quotes or in a block; text, whatever it looks like.
        case quoted(String)
        case list([Tree])
        /// In the order of the file; no key occurs twice.
        case mapping([Entry])
        /// Refused while composing, with a fault: to be passed over in silence.
        case broken
    }

    struct Entry: Sendable {
        var key: String
        var place: Place
        var value: Tree
    }

    var content: Content
    var place: Place
}

/// What a scalar without quotes is, by the core schema of YAML 1.2 (§10.3.2).
enum PlainMeaning {
    case null, flag, number, text

    init(_ text: String) {
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "true", "True", "TRUE", "false", "False", "FALSE": self = .flag
        default: self = PlainMeaning.isNumber(text.utf8[...]) ? .number : .text
        }
    }

    private static func isNumber(_ text: Substring.UTF8View) -> Bool {
        func digits(_ text: Substring.UTF8View) -> Substring.UTF8View { text.drop { isDigit($0) } }
        if text.starts(with: "0o".utf8) {
            return text.count > 2 && text.dropFirst(2).allSatisfy { (0x30...0x37).contains($0) }
        }
        if text.starts(with: "0x".utf8) { return text.count > 2 && text.dropFirst(2).allSatisfy { isHexDigit($0) } }
        if [".nan", ".NaN", ".NAN"].contains(where: { text.elementsEqual($0.utf8) }) { return true }

        var rest = text
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest = rest.dropFirst() }
        if [".inf", ".Inf", ".INF"].contains(where: { rest.elementsEqual($0.utf8) }) { return true }

        let whole = digits(rest)
        var seen = rest.count - whole.count
        rest = whole
        if rest.first == UInt8(ascii: ".") {
            let fraction = digits(rest.dropFirst())
            seen += rest.count - 1 - fraction.count
            rest = fraction
        }
        guard seen > 0 else { return false }
        guard let mark = rest.first else { return true }
        guard mark == UInt8(ascii: "e") || mark == UInt8(ascii: "E") else { return false }
        rest = rest.dropFirst()
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest = rest.dropFirst() }
        return !rest.isEmpty && digits(rest).isEmpty
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }
}
