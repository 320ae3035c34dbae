// From an expression's text to its tree, by recursive descent; what is not understood is refused, never guessed.

struct TagExpressionParser {
    private typealias Fault = TagExpression.Fault
    private typealias Node = TagExpression.Node
    private typealias Scalars = TagExpression.Scalars

    private let text: [UnicodeScalar]
    private var position = 0
    private var depth = 0
    private var ignoresCase = false
    private var dotMatchesLineEnds = false

    /// RE2's limit to a counted repetition.
    private static let mostRepeated = 1000

    private static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
    private static let words: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
    /// RE2's `\s`, which has no vertical tab.
    private static let spaces: [ClosedRange<UInt32>] = [0x09...0x0A, 0x0C...0x0D, 0x20...0x20]

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    mutating func parse() throws(TagExpression.Fault) -> TagExpression.Node {
        try parseFlags()
        let node = try parseChoice()
        guard position == text.count else { throw .notUnderstood }
        return node
    }

    private var next: UnicodeScalar? { position < text.count ? text[position] : nil }

    /// Steps over these scalars, if they come next.
    private mutating func take(_ sought: String) -> Bool {
        guard text[position...].starts(with: sought.unicodeScalars) else { return false }
        position += sought.unicodeScalars.count
        return true
    }

    /// `(?i)`, `(?s)` or both, before everything else.
    private mutating func parseFlags() throws(Fault) {
        while text[position...].starts(with: "(?".unicodeScalars) {
            let start = position
            position += 2
            while let flag = next, flag == "i" || flag == "s" {
                if flag == "i" { ignoresCase = true } else { dotMatchesLineEnds = true }
                position += 1
            }
            if position > start + 2, take(")") { continue }
            // `(?:`, which is a group.
            guard position == start + 2 else { throw .notUnderstood }
            position = start
            return
        }
    }

    private mutating func parseChoice() throws(Fault) -> Node {
        depth += 1
        defer { depth -= 1 }
        guard depth <= TagExpression.deepestNesting else { throw .tooLarge }
        var choices = [try parseSequence()]
        while take("|") { choices.append(try parseSequence()) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func parseSequence() throws(Fault) -> Node {
        var nodes: [Node] = []
        while let scalar = next, scalar != "|", scalar != ")" { nodes.append(try parseRepeated()) }
        return nodes.isEmpty ? .empty : .sequence(nodes)
    }

    private mutating func parseRepeated() throws(Fault) -> Node {
        let node = try parseOne()
        let repeated: Node
        if take("*") {
            repeated = .repeated(node, least: 0, most: nil)
        } else if take("+") {
            repeated = .repeated(node, least: 1, most: nil)
        } else if take("?") {
            repeated = .repeated(node, least: 0, most: 1)
        } else if let (least, most) = try parseCounts() {
            repeated = .repeated(node, least: least, most: most)
        } else {
            return node
        }
        // Lazy or not makes no difference to whether there is a match.
        _ = take("?")
        // RE2 refuses `**`.
        if let next, next == "*" || next == "+" || next == "?" { throw .notUnderstood }
        return repeated
    }

    /// `{n}`, `{n,}` or `{n,m}`; anything else after a brace is a literal brace, as in RE2.
    private mutating func parseCounts() throws(Fault) -> (Int, Int?)? {
        let start = position
        guard take("{"), let least = try parseNumber() else {
            position = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = try parseNumber() }
        guard take("}") else {
            position = start
            return nil
        }
        if let most, most < least { throw .notUnderstood }
        return (least, most)
    }

    private mutating func parseNumber() throws(Fault) -> Int? {
        var number: Int?
        while let scalar = next, ("0"..."9").contains(scalar) {
            let sum = (number ?? 0) * 10 + Int(scalar.value - 0x30)
            guard sum <= Self.mostRepeated else { throw .tooLarge }
            number = sum
            position += 1
        }
        return number
    }

    private mutating func parseOne() throws(Fault) -> Node {
        guard let scalar = next else { throw .notUnderstood }
        // A brace that counts nothing is a literal, one that counts needs something before it.
        if scalar == "{", try parseCounts() != nil { throw .notUnderstood }
        position += 1
        switch scalar {
        case "(": return try parseGroup()
        case "[": return .one(try parseClass())
        case "\\": return try parseEscape()
        case "^": return .assertion(.begin)
        case "$": return .assertion(.end)
        case ".":
            return .one(Scalars(ranges: dotMatchesLineEnds ? [] : [0x0A...0x0A], isNegated: true))
        case "*", "+", "?": throw .notUnderstood
        default: return .one(literal(scalar))
        }
    }

    private func literal(_ scalar: UnicodeScalar) -> Scalars {
        Scalars(ranges: [scalar.value...scalar.value], ignoresCase: ignoresCase)
    }

    private mutating func parseGroup() throws(Fault) -> Node {
        if take("?"), !take(":") {
            // `(?P<name>` and `(?<name>` capture, which is nothing to us; flags do not come here.
            guard take("P<") || take("<") else { throw .notUnderstood }
            var length = 0
            while let scalar = next, scalar != ">" {
                guard scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_" else {
                    throw .notUnderstood
                }
                length += 1
                position += 1
            }
            guard length > 0, take(">") else { throw .notUnderstood }
        }
        let node = try parseChoice()
        guard take(")") else { throw .notUnderstood }
        return node
    }

    private mutating func parseEscape() throws(Fault) -> Node {
        if let set = parseSet() { return .one(set) }
        guard let scalar = next else { throw .notUnderstood }
        switch scalar {
        case "A": return assertion(.begin)
        case "z": return assertion(.end)
        case "b": return assertion(.wordEdge)
        case "B": return assertion(.noWordEdge)
        default: return .one(literal(try parseEscapedLiteral()))
        }
    }

    private mutating func assertion(_ assertion: TagExpression.Assertion) -> Node {
        position += 1
        return .assertion(assertion)
    }

    /// The sets of `\d`, `\w`, `\s` and their opposites, behind the backslash.
    private mutating func parseSet() -> Scalars? {
        let set: Scalars
        switch next {
        case "d": set = Scalars(ranges: Self.digits)
        case "D": set = Scalars(ranges: Self.digits, isNegated: true)
        case "w": set = Scalars(ranges: Self.words)
        case "W": set = Scalars(ranges: Self.words, isNegated: true)
        case "s": set = Scalars(ranges: Self.spaces)
        case "S": set = Scalars(ranges: Self.spaces, isNegated: true)
        default: return nil
        }
        position += 1
        return set
    }

    /// Punctuation, and the letters that stand for control characters; RE2 refuses other letters, and so do we.
    private mutating func parseEscapedLiteral() throws(Fault) -> UnicodeScalar {
        guard let scalar = next else { throw .notUnderstood }
        position += 1
        switch scalar {
        case "t": return "\t"
        case "n": return "\n"
        case "r": return "\r"
        default:
            let isLetterOrDigit =
                ("0"..."9").contains(scalar) || ("A"..."Z").contains(scalar) || ("a"..."z").contains(scalar)
            guard scalar.isASCII, !isLetterOrDigit else { throw .notUnderstood }
            return scalar
        }
    }

    private mutating func parseClass() throws(Fault) -> Scalars {
        var set = Scalars(ranges: [], isNegated: take("^"), ignoresCase: ignoresCase)
        var isFirst = true
        while let scalar = next {
            position += 1
            if scalar == "]", !isFirst { return set }
            isFirst = false
            // `[:alpha:]` and the like.
            if scalar == "[", next == ":" { throw .notUnderstood }
            var low = scalar
            if scalar == "\\" {
                if let known = parseSet() {
                    set.ranges += known.isNegated ? known.complement : known.ranges
                    continue
                }
                low = try parseEscapedLiteral()
            }
            guard next == "-", position + 1 < text.count, text[position + 1] != "]" else {
                set.ranges.append(low.value...low.value)
                continue
            }
            position += 1
            guard var high = next else { throw .notUnderstood }
            position += 1
            if high == "\\" { high = try parseEscapedLiteral() }
            guard low <= high else { throw .notUnderstood }
            set.ranges.append(low.value...high.value)
        }
        throw .notUnderstood
    }
}

extension TagExpression.Scalars {
    /// What is in none of the ranges, which are in order and apart.
    fileprivate var complement: [ClosedRange<UInt32>] {
        var gaps: [ClosedRange<UInt32>] = []
        var low: UInt32 = 0
        for range in ranges {
            if range.lowerBound > low { gaps.append(low...range.lowerBound - 1) }
            low = range.upperBound + 1
        }
        gaps.append(low...0x10_FFFF)
        return gaps
    }
}
