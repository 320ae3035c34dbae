// A field together with the type its value is read as, so that asking a section for a key cannot name a key the
// schema lacks, nor take its value for another type.

internal import Routing
internal import Stores
internal import Upstreams
internal import Vocabulary

/// A value that has the shape the schema asks for, with its place.
struct Checked: Sendable {
    enum Content: Sendable {
        case flag(Bool)
        case integer(Int)
        case factor(Double)
        case duration(Duration)
        case size(ByteCount)
        case address(SocketAddress)
        case origin(EtcdOptions.Endpoint)
        case key(GossipKey)
        case hashKey(HashKey)
        case serverName(ServerNamePattern)
        case text(String)
        case table([String: String])
        /// Without the elements that had no right shape.
        case list([Checked])
        case section(CheckedSection)
    }

    var content: Content
    var place: Place
}

/// A mapping whose values have the right shapes; those that had not are missing.
struct CheckedSection: Sendable {
    /// Where the mapping begins.
    var place: Place
    var values: [String: Checked] = [:]
    /// Keys that the file gives, whether their values are right or not, and where they stand.
    var written: [String: Place] = [:]

    /// Whether the file gives `key`, rightly or wrongly.
    func gives<Value>(_ key: Key<Value>) -> Bool { written[key.field.key] != nil }

    /// The value of `key`, its default included; nil if there is none, or none of the right shape.
    subscript<Value>(key: Key<Value>) -> Value? {
        values[key.field.key].flatMap { key.read($0) }
    }

    /// Where the value of `key` stands; for one that was left out, where the mapping begins.
    func place<Value>(of key: Key<Value>) -> Place {
        values[key.field.key]?.place ?? place
    }
}

/// A text with its place.
struct CheckedText: Sendable {
    let text: String
    let place: Place
}

/// A field and how its value is read.
struct Key<Value: Sendable>: Sendable {
    let field: Field
    /// Nil where the schema's check lets no value through that this could be given.
    fileprivate let read: @Sendable (Checked) -> Value?

    private init(
        _ key: String, _ shape: Shape, _ absence: Field.Absence, _ summary: String,
        read: @escaping @Sendable (Checked.Content) -> Value?
    ) {
        field = Field(key: key, shape: shape, absence: absence, summary: summary)
        self.read = { read($0.content) }
    }
}

extension Key<Bool> {
    static func flag(_ key: String, or absence: Field.Absence, _ summary: String) -> Key {
        Key(key, .flag, absence, summary) { if case .flag(let value) = $0 { value } else { nil } }
    }
}

extension Key<Void> {
    static func mark(_ key: String, _ summary: String) -> Key {
        Key(key, .mark, .none, summary) { if case .flag(true) = $0 { () } else { nil } }
    }
}

extension Key<Int> {
    static func integer(
        _ key: String, _ range: ClosedRange<Int>, or absence: Field.Absence = .none, _ summary: String
    ) -> Key {
        Key(key, .integer(range), absence, summary) { if case .integer(let value) = $0 { value } else { nil } }
    }
}

extension Key<Weight> {
    static func weight(_ key: String, or absence: Field.Absence, _ summary: String) -> Key {
        Key(key, .integer(Weight.range), absence, summary) {
            if case .integer(let value) = $0 { Weight(value) } else { nil }
        }
    }
}

extension Key<Duration> {
    static func duration(
        _ key: String, _ range: ClosedRange<Duration>, or absence: Field.Absence, _ summary: String
    ) -> Key {
        Key(key, .duration(range), absence, summary) { if case .duration(let value) = $0 { value } else { nil } }
    }
}

extension Key<ByteCount> {
    static func size(
        _ key: String, _ range: ClosedRange<ByteCount>, or absence: Field.Absence, _ summary: String
    ) -> Key {
        Key(key, .size(range), absence, summary) { if case .size(let value) = $0 { value } else { nil } }
    }
}

extension Key<Double> {
    static func factor(
        _ key: String, _ range: ClosedRange<Double>, or absence: Field.Absence, _ summary: String
    ) -> Key {
        Key(key, .factor(range), absence, summary) { if case .factor(let value) = $0 { value } else { nil } }
    }
}

extension Key<HashKey> {
    static func hashKey(_ key: String, or absence: Field.Absence, _ summary: String) -> Key {
        Key(key, .hashKey, absence, summary) { if case .hashKey(let value) = $0 { value } else { nil } }
    }
}

extension Key<ServerNamePattern> {
    static func serverName(_ key: String, _ summary: String) -> Key {
        Key(key, .serverName, .refused, summary) { if case .serverName(let value) = $0 { value } else { nil } }
    }
}

extension Key<SocketAddress> {
    static func address(
        _ key: String, portZero: Bool, or absence: Field.Absence = .refused, _ summary: String
    ) -> Key {
        Key(key, .address(portZero: portZero), absence, summary) {
            if case .address(let value) = $0 { value } else { nil }
        }
    }

    static func peer(
        _ key: String, portZero: Bool, or absence: Field.Absence = .refused, _ summary: String
    ) -> Key {
        Key(key, .peer(portZero: portZero), absence, summary) {
            if case .address(let value) = $0 { value } else { nil }
        }
    }
}

extension Key<[SocketAddress]> {
    static func peers(_ key: String, count: ClosedRange<Int>, element: String, _ summary: String) -> Key {
        Key(key, .list(of: .peer(portZero: false), element: element, count: count), .readEmpty, summary) {
            guard case .list(let elements) = $0 else { return nil }
            return elements.compactMap { if case .address(let value) = $0.content { value } else { nil } }
        }
    }
}

extension Key<[EtcdOptions.Endpoint]> {
    static func origins(
        _ key: String, count: ClosedRange<Int>, element: String, or absence: Field.Absence, _ summary: String
    ) -> Key {
        Key(key, .list(of: .origin, element: element, count: count), absence, summary) {
            guard case .list(let elements) = $0 else { return nil }
            return elements.compactMap { if case .origin(let value) = $0.content { value } else { nil } }
        }
    }
}

extension Key<[CheckedText]> {
    /// Texts with their places.
    static func texts(
        _ key: String, of text: ClosedRange<Int>, element: String, count: ClosedRange<Int>,
        or absence: Field.Absence = .refused, _ summary: String
    ) -> Key {
        Key(key, .list(of: .text(text), element: element, count: count), absence, summary) {
            guard case .list(let elements) = $0 else { return nil }
            return elements.compactMap {
                if case .text(let value) = $0.content { CheckedText(text: value, place: $0.place) } else { nil }
            }
        }
    }
}

extension Key<[GossipKey]> {
    static func keys(_ key: String, count: ClosedRange<Int>, _ summary: String) -> Key {
        Key(key, .list(of: .key, element: "key", count: count), .none, summary) {
            guard case .list(let elements) = $0 else { return nil }
            return elements.compactMap { if case .key(let value) = $0.content { value } else { nil } }
        }
    }
}

extension Key<String> {
    static func text(
        _ key: String, _ length: ClosedRange<Int>, or absence: Field.Absence = .none, _ summary: String
    ) -> Key {
        Key(key, .text(length), absence, summary) { if case .text(let value) = $0 { value } else { nil } }
    }

    static func name(_ key: String, or absence: Field.Absence = .refused, _ summary: String) -> Key {
        Key(key, .name, absence, summary) { if case .text(let value) = $0 { value } else { nil } }
    }

    static func keyPrefix(_ key: String, or absence: Field.Absence, _ summary: String) -> Key {
        Key(key, .keyPrefix, absence, summary) { if case .text(let value) = $0 { value } else { nil } }
    }

    static func requestPath(_ key: String, _ summary: String) -> Key {
        Key(key, .requestPath, .none, summary) { if case .text(let value) = $0 { value } else { nil } }
    }

    /// A path of the file system, of at most `PATH_MAX` bytes with its NUL.
    static func path(_ key: String, _ summary: String) -> Key {
        Key(key, .text(1...4_095), .none, summary) { if case .text(let value) = $0 { value } else { nil } }
    }
}

extension Key<String> {
    /// Like ``path(_:_:)``, for one that has to be there.
    static func requiredPath(_ key: String, _ summary: String) -> Key {
        Key(key, .text(1...4_095), .refused, summary) { if case .text(let value) = $0 { value } else { nil } }
    }
}

extension Key<[String: String]> {
    static func table(_ key: String, entries: Int, text: ClosedRange<Int>, _ summary: String) -> Key {
        Key(key, .table(entries: entries, text: text), .readEmpty, summary) {
            if case .table(let value) = $0 { value } else { nil }
        }
    }
}

extension Key<CheckedSection> {
    static func section(
        _ key: String, _ section: Section, or absence: Field.Absence = .readEmpty, _ summary: String
    ) -> Key {
        Key(key, .section(section), absence, summary) { if case .section(let value) = $0 { value } else { nil } }
    }
}

extension Key<[CheckedSection]> {
    static func sections(
        _ key: String, of section: Section, element: String, count: ClosedRange<Int>, or absence: Field.Absence,
        _ summary: String
    ) -> Key {
        Key(key, .list(of: .section(section), element: element, count: count), absence, summary) {
            guard case .list(let elements) = $0 else { return nil }
            return elements.compactMap { if case .section(let value) = $0.content { value } else { nil } }
        }
    }
}

extension Key where Value: RawRepresentable<String> & CaseIterable {
    /// One of the cases of `Value`, or of words that a later version brings.
    static func choice(_ key: String, or fallback: Value, later: [String] = [], _ summary: String) -> Key {
        Key(
            key, .choice(Value.allCases.map(\.rawValue), later: later), .read(fallback.rawValue), summary
        ) { if case .text(let word) = $0 { Value(rawValue: word) } else { nil } }
    }

    /// One of the cases of `Value`; nil where it is left out.
    static func choice(_ key: String, _ summary: String) -> Key {
        Key(key, .choice(Value.allCases.map(\.rawValue), later: []), .none, summary) {
            if case .text(let word) = $0 { Value(rawValue: word) } else { nil }
        }
    }

    /// One of the cases of `Value`, or `none`, which reads as nil and is the default.
    static func choiceOrNone(_ key: String, _ summary: String) -> Key {
        Key(key, .choice(["none"] + Value.allCases.map(\.rawValue), later: []), .read("none"), summary) {
            if case .text(let word) = $0 { Value(rawValue: word) } else { nil }
        }
    }
}
