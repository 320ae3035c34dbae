// Text → tree, through Yams: the only file that knows its types.
//
// What YAML offers and a config does not need is refused here, each with a fault of its own: tags, merge keys,
// keys that are not text, a second document. Anchors and aliases work, within a budget.

import Yams

enum Composition {
    /// How often a text is composed again because a key stands twice, and over how many bytes in all.
    private static let mostMaskedKeys = 100
    private static let mostBytesComposedAgain = 64 << 20

    /// The document in `text`; nil, with a fault logged, if it is empty or no YAML.
    /// - Parameter emptiness: what to say if it is empty.
    static func tree(of text: String, emptiness: String, log: inout FaultLog) -> Tree? {
        let text = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
        if let (scalar, place) = MaskedText.firstForbidden(in: text) {
            let code = String(scalar.value, radix: 16, uppercase: true)
            let padded = String(repeating: "0", count: max(0, 4 - code.count)) + code
            log.add("the character U+\(padded) is not allowed here; remove it", at: place)
            return nil
        }
        var masked = MaskedText(text)
        while true {
            do throws(YamlError) {
                return try compose(masked, emptiness: emptiness, log: &log)
            } catch .duplicatedKeysInMapping(let keys, let context) {
                let place = Place(context.mark)
                let composedAgain = (masked.maskedKeys + 1) * masked.text.utf8.count
                let key = keys.first ?? ""
                if masked.maskedKeys < mostMaskedKeys, composedAgain <= mostBytesComposedAgain,
                    masked.maskKey(key, at: place)
                {
                    continue
                }
                log.add(
                    "the key \(masked.unmasked(key).quoted) stands more than once in this mapping; keep one", at: place)
                return nil
            } catch {
                let (message, place) = explanation(of: error, in: masked)
                log.add(message, at: place)
                return nil
            }
        }
    }

    private static func compose(
        _ masked: MaskedText, emptiness: String, log: inout FaultLog
    ) throws(YamlError) -> Tree? {
        let parser: Parser
        let first: Node?
        let second: Node?
        do {
            parser = try Parser(yaml: masked.text, resolver: .basic, encoding: .utf8)
            first = try parser.nextRoot()
            second = try first.flatMap { _ in try parser.nextRoot() }
        } catch let error as YamlError {
            throw error
        } catch {
            // Yams' functions throw nothing else, but their signatures do not say so.
            throw .reader(problem: "\(error)", offset: nil, value: -1, yaml: masked.text)
        }
        guard let first else {
            log.add(emptiness, at: .start)
            return nil
        }
        if let second {
            log.add(
                "a second YAML document starts here; join them into one", at: Place(second.mark))
        }
        // A node refers weakly to its anchor, which the parser owns.
        return withExtendedLifetime(parser) {
            var reader = TreeReader(masked: masked, log: log)
            let tree = reader.read(first, depth: 1).tree
            log = reader.log
            return tree
        }
    }
}

// MARK: - Yams' errors

extension Composition {
    /// libyaml says what it did not find; this adds what would be right.
    private static func explanation(of error: YamlError, in masked: MaskedText) -> (message: String, place: Place) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            // What is missing at the end, libyaml misses on the line after it.
            let place = min(Place(mark), masked.end)
            if problem.contains("Maximum nesting level") { return (TreeReader.tooDeep, place) }
            if problem.contains("cannot start any token"), let scalar = masked.scalar(at: place) {
                if scalar == "\t" { return ("a tab cannot indent; indent with spaces", place) }
                return ("plain text cannot begin with \(String(scalar).quoted); put it in quotes", place)
            }
            var message = "not YAML: \(problem)"
            // "context" reads "while parsing a block mapping", "problem" reads "did not find expected key".
            if let context, !context.text.isEmpty {
                message += " \(context.text)"
                if context.mark.line != mark.line { message += " from line \(context.mark.line)" }
            }
            return ("\(message); \(remedy(for: problem))", place)
        case .reader(let problem, _, _, _):
            return ("not YAML: \(problem); save the file as UTF-8 text", .start)
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded, .duplicatedKeysInMapping:
            return ("not YAML: \(error); check the whole file", .start)
        }
    }

    private static func remedy(for problem: String) -> String {
        if problem.contains("tab character") { return "indent with spaces" }
        if problem.contains("mapping values are not allowed") {
            return "put text that contains \": \" in quotes, or mend the indentation"
        }
        if problem.contains("end of stream") { return "close the quote or bracket" }
        if problem.contains("escape") { return "write \\\\ for a backslash, or use single quotes" }
        if problem.contains("expected key") || problem.contains("'-' indicator") {
            return "align it with the entries above"
        }
        if problem.contains("could not find expected ':'") { return "write key: value" }
        return "check indentation, quotes and brackets up to here"
    }
}

extension Place {
    fileprivate init(_ mark: Mark?) {
        self = mark.map { Place(line: $0.line, column: $0.column) } ?? .start
    }
}

extension Tag {
    /// The tag as the file gives it, `.implicit` for none; `Node.tag` would resolve it.
    fileprivate var given: Name { Name(rawValue: rawValue) }
}

// MARK: - Nodes to trees

/// Turns Yams' nodes into trees, resolving aliases on the way.
private struct TreeReader {
    /// Levels of lists and mappings, those inside aliases included.
    static let deepest = 32
    static let tooDeep = "nested too deeply; at most \(deepest) levels are allowed"
    /// Values that aliases may add to a document; enough for ten upstreams that share 100,000 endpoints.
    static let mostAliased = 1_000_000

    struct Reading {
        var tree: Tree
        /// Values in it, itself included.
        var size = 1
        /// Levels in it, itself included.
        var height = 1
    }

    let masked: MaskedText
    var log: FaultLog
    private var anchors: [String: Reading] = [:]
    private var aliased = 0

    init(masked: MaskedText, log: FaultLog) {
        self.masked = masked
        self.log = log
    }

    mutating func read(_ node: Node, depth: Int) -> Reading {
        let place = Place(node.mark)
        guard depth <= TreeReader.deepest else {
            return broken(TreeReader.tooDeep, at: place)
        }
        let reading: Reading
        switch node {
        case .scalar(let scalar): reading = read(scalar, at: place, depth: depth)
        case .sequence(let sequence): reading = read(sequence, at: place, depth: depth)
        case .mapping(let mapping): reading = read(mapping, at: place, depth: depth)
        case .alias: return broken("an alias cannot stand here; write the value out", at: place)
        }
        // Registered when complete, so that no alias can stand inside its own anchor.
        if let anchor = node.anchor { anchors[anchor.rawValue] = reading }
        return reading
    }

    private mutating func broken(_ message: String, at place: Place) -> Reading {
        log.add(message, at: place)
        return Reading(tree: Tree(content: .broken, place: place))
    }

    private mutating func read(_ scalar: Node.Scalar, at place: Place, depth: Int) -> Reading {
        let text = masked.unmasked(scalar.string)
        if scalar.style == .plain, scalar.string.unicodeScalars.first == masked.star {
            return resolve(alias: text, at: place, depth: depth)
        }
        switch scalar.tag.given {
        case .str:
            return Reading(tree: Tree(content: .quoted(text), place: place))
        case .implicit where scalar.style == .plain:
            if case .null = PlainMeaning(text) { return Reading(tree: Tree(content: .null, place: place)) }
            return Reading(tree: Tree(content: .plain(text), place: place))
        default:
            return broken(tagFault(scalar.tag), at: place)
        }
    }

    private mutating func read(_ sequence: Node.Sequence, at place: Place, depth: Int) -> Reading {
        guard [.implicit, .seq].contains(sequence.tag.given) else { return broken(tagFault(sequence.tag), at: place) }
        var items: [Tree] = []
        items.reserveCapacity(sequence.count)
        var (size, height) = (1, 1)
        for node in sequence {
            let item = read(node, depth: depth + 1)
            items.append(item.tree)
            size += item.size
            height = max(height, 1 + item.height)
        }
        return Reading(tree: Tree(content: .list(items), place: place), size: size, height: height)
    }

    private mutating func read(_ mapping: Node.Mapping, at place: Place, depth: Int) -> Reading {
        guard [.implicit, .map].contains(mapping.tag.given) else { return broken(tagFault(mapping.tag), at: place) }
        var entries: [Tree.Entry] = []
        var firstPlaces: [String: Place] = [:]
        var (size, height) = (1, 1)
        for (node, value) in mapping {
            let keyPlace = Place(node.mark)
            let key = key(node, at: keyPlace)
            let value = read(value, depth: depth + 1)
            size += 1 + value.size
            height = max(height, 1 + value.height)
            guard let key else { continue }
            if let first = firstPlaces[key] {
                log.add(
                    "the key \(key.quoted) stands in this mapping already, on line \(first.line); keep one",
                    at: keyPlace)
                continue
            }
            firstPlaces[key] = keyPlace
            entries.append(Tree.Entry(key: key, place: keyPlace, value: value.tree))
        }
        return Reading(tree: Tree(content: .mapping(entries), place: place), size: size, height: height)
    }

    private mutating func key(_ node: Node, at place: Place) -> String? {
        guard case .scalar(let scalar) = node,
            scalar.string.unicodeScalars.first != masked.star || scalar.style != .plain
        else {
            log.add("a key is neither a list, a mapping nor an alias; write its name", at: place)
            return nil
        }
        // Looking for doubles, Yams has resolved the tags of keys without one to `.str`.
        guard [.implicit, .str].contains(scalar.tag.given) else {
            _ = broken(tagFault(scalar.tag), at: place)
            return nil
        }
        let key = masked.unmasked(scalar.string)
        if key == "<<", scalar.style == .plain {
            log.add("merge keys (<<) are not supported; write the keys out", at: place)
            return nil
        }
        if let anchor = node.anchor {
            anchors[anchor.rawValue] = Reading(tree: Tree(content: .quoted(key), place: place))
        }
        return key
    }

    private mutating func resolve(alias text: String, at place: Place, depth: Int) -> Reading {
        let name = String(text.dropFirst())
        guard var target = anchors[name] else {
            return broken(
                "no anchor &\(name) stands before the alias \(text.quoted); define it above, or write the value out",
                at: place)
        }
        guard depth + target.height - 1 <= TreeReader.deepest else {
            return broken(TreeReader.tooDeep, at: place)
        }
        guard aliased + target.size <= TreeReader.mostAliased else {
            return broken(
                "aliases add more than \(TreeReader.mostAliased) values up to here; write less by alias", at: place)
        }
        aliased += target.size
        // Faults inside what it stands for keep their places; the value itself is at the alias.
        target.tree.place = place
        return target
    }

    private func tagFault(_ tag: Tag) -> String {
        "the tag \(masked.unmasked(tag.rawValue).quoted) is not supported; remove it"
    }
}
