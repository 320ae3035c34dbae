// Tree + schema → checked values, and a fault for everything that has not the shape the schema asks for.
//
// What is wrong is left out and the rest goes on, so that the faults of one element hide none of the next, and
// so that questions across elements (is there such an upstream?) are still answered.

internal import Vocabulary

struct SchemaCheck {
    var log: FaultLog

    /// Checks a whole document.
    mutating func check(_ document: Tree, as root: Section) -> CheckedSection? {
        guard case .section(let section) = check(document, as: .section(root), label: root.noun)?.content else {
            return nil
        }
        return section
    }

    /// - Parameter label: what the value is called in a fault: its key, or what its list holds.
    private mutating func check(_ tree: Tree, as shape: Shape, label: String) -> Checked? {
        switch tree.content {
        case .broken:
            return nil
        case .null:
            log.add("\(label) has no value; write \(shape.expectation)", at: tree.place)
            return nil
        case .plain, .quoted, .list, .mapping:
            break
        }
        switch (shape, tree.content) {
        case (.section(let section), .mapping(let entries)):
            return Checked(
                content: .section(check(entries, of: section, at: tree.place)), place: tree.place)
        case (.section(let section), .plain), (.section(let section), .quoted), (.section(let section), .list):
            guard let field = section.shorthand, field.shape.isList == tree.content.isList else {
                return mismatch(tree, shape, label)
            }
            let entry = Tree.Entry(key: field.key, place: tree.place, value: tree)
            return Checked(
                content: .section(check([entry], of: section, at: tree.place, label: label)), place: tree.place)
        case (.list(let element, let noun, let count), .list(let items)):
            return check(items, as: element, noun: noun, count: count, at: tree.place, label: label)
        case (.table(let most, let length), .mapping(let entries)):
            return checkTable(entries, most: most, length: length, at: tree.place, label: label)
        case (.list, _), (.table, _), (_, .list), (_, .mapping):
            return mismatch(tree, shape, label)
        default:
            do throws(ScalarFault) {
                return Checked(content: try ScalarReading.read(tree.content, as: shape), place: tree.place)
            } catch {
                log.add("\(label) \(error.message)", at: tree.place)
                return nil
            }
        }
    }

    private mutating func mismatch(_ tree: Tree, _ shape: Shape, _ label: String) -> Checked? {
        let found = shape.isSecret ? tree.content.kind : tree.content.description
        log.add("\(label) is \(found); write \(shape.expectation)", at: tree.place)
        return nil
    }

    // MARK: Sections

    /// - Parameter label: what to call the only value, where it stands in place of a mapping.
    private mutating func check(
        _ entries: [Tree.Entry], of section: Section, at place: Place, label: String? = nil
    ) -> CheckedSection {
        var checked = CheckedSection(place: place)
        var replaced: Set<String> = []
        for entry in entries {
            checked.written[entry.key] = entry.place
            if let field = section.fields.first(where: { $0.key == entry.key }) {
                if case .null = entry.value.content {
                    // An empty value has its place at the end of the line, or on the next; the key says more.
                    let isNeeded = section.alternatives.contains { $0.contains(field.key) }
                    log.add(
                        "\(field.key) has no value; \(field.remedyForNoValue(isNeeded: isNeeded))", at: entry.place)
                } else {
                    checked.values[field.key] = check(entry.value, as: field.shape, label: label ?? field.key)
                }
            } else if let later = section.later.first(where: { $0.key == entry.key }) {
                log.add("\(later.key) is not available yet; \(later.advice)", at: entry.place)
                if let key = later.replaces { replaced.insert(key) }
            } else {
                log.add(section.refusal(of: entry.key), at: entry.place)
            }
        }
        refuseOthersThanOne(of: section, checked.written, replaced, at: place)
        for companion in section.companions where checked.written[companion.needs] == nil {
            guard let place = checked.written[companion.key] else { continue }
            log.add("\(companion.key) needs \(companion.needs); add it, or remove \(companion.key)", at: place)
        }
        for field in section.fields where checked.written[field.key] == nil {
            switch field.absence {
            case .refused:
                if replaced.contains(field.key) { break }
                log.add(
                    "\(section.noun) needs \(field.key); add \(field.key): \(field.shape.expectation)", at: place)
            case .none:
                break
            case .read(let text):
                checked.values[field.key] = check(
                    Tree(content: .plain(text), place: place), as: field.shape, label: field.key)
            case .readEmpty:
                checked.values[field.key] = check(
                    Tree(content: field.shape.empty, place: place), as: field.shape, label: field.key)
            }
        }
        return checked
    }

    /// Of fields that stand in for each other.
    /// - Parameters:
    ///   - written: where each key stands.
    ///   - replaced: keys that one of later stands in for.
    ///   - place: of the mapping.
    private mutating func refuseOthersThanOne(
        of section: Section, _ written: [String: Place], _ replaced: Set<String>, at place: Place
    ) {
        for group in section.alternatives {
            let given = group.filter { written[$0] != nil }
            guard let first = given.first else {
                if replaced.isDisjoint(with: group) {
                    log.add("\(section.noun) needs \(group.alternatives); add one", at: place)
                }
                continue
            }
            guard given.count > 1 else { continue }
            let last = given.compactMap { written[$0] }.max() ?? place
            let all = given.dropFirst().reduce(first) { "\($0) and \($1)" }
            log.add("\(section.noun) has \(all); keep one", at: last)
        }
    }

    // MARK: Lists and tables

    private mutating func check(
        _ items: [Tree], as shape: Shape, noun: String, count: ClosedRange<Int>, at place: Place, label: String
    ) -> Checked? {
        if items.count > count.upperBound {
            log.add("\(label) has \(items.count) entries; at most \(count.upperBound) are allowed", at: place)
        } else if items.count < count.lowerBound {
            log.add("\(label) is empty; add at least one \(noun)", at: place)
            return nil
        }
        let checked = items.prefix(count.upperBound).compactMap { check($0, as: shape, label: noun) }
        return Checked(content: .list(checked), place: place)
    }

    private mutating func checkTable(
        _ entries: [Tree.Entry], most: Int, length: ClosedRange<Int>, at place: Place, label: String
    ) -> Checked? {
        if entries.count > most {
            log.add("\(label) has \(entries.count) entries; at most \(most) are allowed", at: place)
        }
        var table: [String: String] = [:]
        for entry in entries.prefix(most) {
            do throws(ScalarFault) {
                _ = try ScalarReading.name(entry.key)
            } catch {
                log.add("the name \(error.message)", at: entry.place)
                continue
            }
            if case .null = entry.value.content {
                log.add("\(entry.key) has no value; write \"\" for an empty text", at: entry.place)
            } else if case .text(let text) = check(entry.value, as: .text(length), label: entry.key)?.content {
                table[entry.key] = text
            }
        }
        return Checked(content: .table(table), place: place)
    }
}

// MARK: - In words

extension Section {
    /// What to say of a key that is unknown here.
    fileprivate func refusal(of key: String) -> String {
        let known = fields.map(\.key)
        if let nearest = nearestName(to: key, among: known + later.map(\.key)) {
            return "unknown key \(key.quoted) in \(noun); did you mean \(nearest)?"
        }
        return "unknown key \(key.quoted) in \(noun); its keys are \(known.joined(separator: ", "))"
    }
}

extension Field {
    fileprivate func remedyForNoValue(isNeeded: Bool) -> String {
        isRequired || isNeeded ? "write \(shape.expectation)" : "write \(shape.expectation), or remove the key"
    }
}

extension Shape {
    fileprivate var isList: Bool { if case .list = self { true } else { false } }

    /// An empty value of a shape that has one.
    fileprivate var empty: Tree.Content {
        switch self {
        case .list: .list([])
        case .flag, .mark, .integer, .factor, .duration, .size, .address, .peer, .origin, .requestPath, .keyPrefix,
            .key,
            .hashKey, .serverName, .name, .text, .choice, .table, .section:
            .mapping([])
        }
    }
}

extension Tree.Content {
    fileprivate var isList: Bool { if case .list = self { true } else { false } }

    /// What this is, to stand behind "is".
    fileprivate var description: String {
        switch self {
        case .plain(let text): text.quoted
        case .quoted(let text): "the text \(text.quoted)"
        case .list, .mapping, .null, .broken: kind
        }
    }

    /// The same without what it says.
    fileprivate var kind: String {
        switch self {
        case .null: "nothing"
        case .plain, .quoted: "a text"
        case .list: "a list"
        case .mapping: "a mapping"
        case .broken: "unreadable"
        }
    }
}
