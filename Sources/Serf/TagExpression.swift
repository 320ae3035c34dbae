// The expressions by which queries choose members (serf-layer §7).
//
// Agents match with RE2, whose time is bounded by expression times text. A query comes from anybody who can gossip,
// so ours has to be bounded as well: Thompson's simulation (Regular Expression Search Algorithm, CACM 11/6, 1968) of
// a small machine, all its threads in step, and a limit to the machine. Not taken: Swift's `Regex`, which backtracks,
// and so matches `(a|aa)+b` against fifty letters for minutes; and the C library's `regcomp`, whose syntax is another.
//
// What is understood: literals, `.`, classes with ranges, negation and `\d \w \s`, groups (capturing or not; nothing
// is captured), `|`, `* + ?` and `{n,m}` (lazy ones match alike), `^ $ \A \z \b \B`, and `(?i)` or `(?s)` at the
// beginning. RE2's other features (Unicode classes, named classes, flags inside) are refused, and a query with them
// is not for us.

/// A compiled expression. Characters are Unicode scalars, as in RE2.
struct TagExpression: Sendable {
    enum Fault: Error, Hashable, Sendable {
        /// Not an expression, or not of the subset that is understood here.
        case notUnderstood
        /// Longer than ``longestText``, or a machine of more than ``mostSteps``.
        case tooLarge
    }

    /// In scalars, of an expression.
    static let longestText = 512
    /// Steps, ranges of their classes included: what is compared with each scalar at most.
    static let mostSteps = 1024
    /// Of groups within each other.
    static let deepestNesting = 64

    indirect enum Node: Sendable {
        case empty
        case one(Scalars)
        case assertion(Assertion)
        case sequence([Node])
        case choice([Node])
        /// `most` nil: any number.
        case repeated(Node, least: Int, most: Int?)
    }

    enum Assertion: Sendable { case begin, end, wordEdge, noWordEdge }

    /// A set of scalars.
    struct Scalars: Sendable {
        var ranges: [ClosedRange<UInt32>]
        var isNegated = false
        var ignoresCase = false

        func contains(_ scalar: UInt32) -> Bool {
            var isIn = has(scalar)
            if !isIn, ignoresCase, let other = scalar.otherCase { isIn = has(other) }
            return isIn != isNegated
        }

        private func has(_ scalar: UInt32) -> Bool { ranges.contains { $0.contains(scalar) } }
    }

    private enum Step: Sendable {
        case one(Scalars)
        case assertion(Assertion)
        case fork(Int, Int)
        case jump(Int)
        case match
    }

    private var steps: [Step] = []
    /// What was compiled, nothings included: those can be repeated too.
    private var size = 0

    init(_ text: String) throws(Fault) {
        guard text.unicodeScalars.count <= TagExpression.longestText else { throw .tooLarge }
        var parser = TagExpressionParser(text)
        try compile(try parser.parse())
        try append(.match)
    }

    // MARK: Matching

    /// Whether the expression matches anywhere in a text.
    /// - Complexity: O(text × expression), whatever they are.
    func matches(in text: String) -> Bool {
        let scalars = text.unicodeScalars.map(\.value)
        var threads = Threads(count: steps.count)
        var next = Threads(count: steps.count)
        for position in 0...scalars.count {
            // Unanchored: a new attempt begins everywhere.
            if follow(0, at: position, in: scalars, into: &threads) { return true }
            guard position < scalars.count else { return false }
            next.removeAll()
            for thread in threads.list {
                if case .one(let set) = steps[thread], set.contains(scalars[position]),
                    follow(thread + 1, at: position + 1, in: scalars, into: &next)
                {
                    return true
                }
            }
            swap(&threads, &next)
        }
        return false
    }

    /// Steps that wait for a scalar, each once.
    private struct Threads {
        private(set) var list: [Int] = []
        private var isIn: [Bool]

        init(count: Int) { isIn = [Bool](repeating: false, count: count) }

        mutating func insert(_ step: Int) -> Bool {
            if isIn[step] { return false }
            isIn[step] = true
            list.append(step)
            return true
        }

        mutating func removeAll() {
            for index in isIn.indices { isIn[index] = false }
            list.removeAll(keepingCapacity: true)
        }
    }

    /// Adds all that is reached from a step without a scalar; whether the end is.
    private func follow(_ step: Int, at position: Int, in text: [UInt32], into threads: inout Threads) -> Bool {
        var waiting = [step]
        while let step = waiting.popLast() {
            guard threads.insert(step) else { continue }
            switch steps[step] {
            case .match: return true
            case .jump(let target): waiting.append(target)
            case .fork(let first, let second): waiting += [second, first]
            case .assertion(let assertion):
                if assertion.holds(at: position, in: text) { waiting.append(step + 1) }
            case .one: break
            }
        }
        return false
    }

    // MARK: Compiling

    private mutating func append(_ step: Step) throws(Fault) {
        try grow(by: 1)
        steps.append(step)
    }

    private mutating func grow(by more: Int) throws(Fault) {
        size += more
        guard size <= TagExpression.mostSteps else { throw .tooLarge }
    }

    private mutating func compile(_ node: Node) throws(Fault) {
        switch node {
        case .empty: try grow(by: 1)
        case .one(let set):
            try grow(by: set.ranges.count)
            try append(.one(set))
        case .assertion(let assertion): try append(.assertion(assertion))
        case .sequence(let nodes):
            for node in nodes { try compile(node) }
        case .choice(let nodes):
            var exits: [Int] = []
            for (index, node) in nodes.enumerated() {
                guard index < nodes.count - 1 else {
                    try compile(node)
                    break
                }
                let fork = steps.count
                try append(.jump(0))
                try compile(node)
                exits.append(steps.count)
                try append(.jump(0))
                steps[fork] = .fork(fork + 1, steps.count)
            }
            for exit in exits { steps[exit] = .jump(steps.count) }
        case .repeated(let node, let least, let most):
            // Nothing, no times, is something to compile as well.
            try grow(by: 1)
            for _ in 0..<least { try compile(node) }
            guard let most else { return try compileLoop(of: node) }
            var forks: [Int] = []
            for _ in least..<most {
                forks.append(steps.count)
                try append(.jump(0))
                try compile(node)
            }
            for fork in forks { steps[fork] = .fork(fork + 1, steps.count) }
        }
    }

    private mutating func compileLoop(of node: Node) throws(Fault) {
        let fork = steps.count
        try append(.jump(0))
        try compile(node)
        try append(.jump(fork))
        steps[fork] = .fork(fork + 1, steps.count)
    }
}

extension TagExpression.Assertion {
    fileprivate func holds(at position: Int, in text: [UInt32]) -> Bool {
        switch self {
        case .begin: return position == 0
        case .end: return position == text.count
        case .wordEdge, .noWordEdge:
            let before = position > 0 && text[position - 1].isWord
            let after = position < text.count && text[position].isWord
            return (before != after) == (self == .wordEdge)
        }
    }
}

extension UInt32 {
    /// A letter, a digit or `_`, of ASCII, as RE2's `\w`.
    fileprivate var isWord: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self) || self == 0x5F
    }

    /// An ASCII letter's other form; `(?i)` goes no further here.
    fileprivate var otherCase: UInt32? {
        (0x41...0x5A).contains(self) ? self + 0x20 : (0x61...0x7A).contains(self) ? self - 0x20 : nil
    }
}
