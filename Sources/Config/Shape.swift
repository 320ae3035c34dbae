// What a value of the file may look like, as data.
//
// One schema, a value made of these, is read by three: `SchemaCheck` (is this file right?), `nearestName` (what
// was meant?) and `ConfigSchema.json` (what may an editor offer?). None knows a key of its own, so they cannot
// disagree. `Codable` was not taken: it stops at the first fault, knows no places and describes nothing.

internal import Routing
internal import Vocabulary

/// What a value may look like.
indirect enum Shape: Sendable {
    case flag
    /// The boolean that can only be true: leaving the key out is the other answer.
    case mark
    case integer(ClosedRange<Int>)
    /// 0, which is off, or a number within the range, of at most three decimals.
    case factor(ClosedRange<Double>)
    case duration(ClosedRange<Duration>)
    case size(ClosedRange<ByteCount>)
    /// `host:port`, `[v6]:port` or `unix:/path`.
    case address(portZero: Bool)
    /// `host:port` or `[v6]:port`.
    case peer(portZero: Bool)
    /// `http://host:port` or `https://host:port`, where the host may be a name.
    case origin
    /// What stands behind `GET` in a request: a path and maybe a query, in ASCII without spaces (RFC 9112 §3.2.1).
    case requestPath
    /// What keys of a store begin with: a text that ends with '/'.
    case keyPrefix
    /// A secret of 16, 24 or 32 bytes, in base64. No fault shows it.
    case key
    /// What a connection is known by: a word, or a kind and a name.
    case hashKey
    /// A host name, or `*.` and one.
    case serverName
    /// 1 to 64 of `A-Z a-z 0-9 . _ -`: such names stand in the ready line and in labels of metrics.
    case name
    /// Text without control characters, with its length in Unicode scalars.
    case text(ClosedRange<Int>)
    /// One of some words; those in `later` are known, and refused.
    case choice([String], later: [String])
    /// Any names, each with a text.
    case table(entries: Int, text: ClosedRange<Int>)
    case list(of: Shape, element: String, count: ClosedRange<Int>)
    case section(Section)
}

/// A mapping with known keys.
struct Section: Sendable {
    /// What one of it is called in a fault: `a listener`.
    let noun: String
    let fields: [Field]
    /// Known keys that no value can have yet.
    let later: [LaterKey]
    /// The field that a lone scalar, or a list if it is one, stands for in place of the mapping.
    let shorthand: Field?
    /// Fields that stand in for each other: of each of these groups exactly one is written.
    let alternatives: [[String]]
    /// Fields that make no sense without another one.
    let companions: [Companion]

    init(
        _ noun: String, _ fields: [Field], later: [LaterKey] = [], shorthand: Field? = nil,
        alternatives: [[Field]] = [], companions: [Companion] = []
    ) {
        self.noun = noun
        self.fields = fields
        self.later = later
        self.shorthand = shorthand
        self.alternatives = alternatives.map { $0.map(\.key) }
        self.companions = companions
    }
}

/// A key that needs another one beside it.
struct Companion: Sendable {
    let key: String
    let needs: String

    init(_ field: Field, needs other: Field) {
        key = field.key
        needs = other.key
    }
}

/// One key of a section.
struct Field: Sendable {
    /// What becomes of a key that is left out.
    enum Absence: Sendable {
        case refused
        /// There is no value.
        case none
        /// As if this had been written, in YAML without quotes.
        case read(String)
        /// As if an empty mapping or list had been written.
        case readEmpty
    }

    let key: String
    let shape: Shape
    let absence: Absence
    /// One line for people, in the JSON Schema and in editors.
    let summary: String
}

/// A key of CONTRACT.md that a later version brings.
struct LaterKey: Sendable {
    let key: String
    /// What to do without it.
    let advice: String
    /// A required key, or one of alternatives, that it will stand in for, and that is not asked for beside it.
    let replaces: String?

    init(_ key: String, _ advice: String = "remove it", replaces: String? = nil) {
        self.key = key
        self.advice = advice
        self.replaces = replaces
    }
}

// MARK: - Limits of all files

extension Shape {
    static let nameLength = 1...64
    static let requestPathLength = 1...1_024
    static let keyPrefixLength = 1...1_024
    /// The words for what connections are known by.
    static let hashKeys = ["source_ip", "sni", "proxy_authority", "path", "header:NAME", "cookie:NAME"]
    /// Of a host's name (RFC 1035 §2.3.4).
    static let longestHostName = 253

    static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Visible ASCII, but for `#`: what follows it is never sent.
    static func isRequestCharacter(_ scalar: Unicode.Scalar) -> Bool {
        (0x21...0x7E).contains(scalar.value) && scalar != "#"
    }

    static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || scalar.value == 0x7F }
}

// MARK: - In words

extension Shape {
    /// Whether a value of this shape is never shown.
    var isSecret: Bool {
        switch self {
        case .key: true
        case .list(let element, _, _): element.isSecret
        case .flag, .mark, .integer, .factor, .duration, .size, .address, .peer, .origin, .requestPath, .keyPrefix,
            .hashKey, .serverName, .name, .text, .choice, .table, .section:
            false
        }
    }

    /// What would be right, to stand behind "write".
    var expectation: String {
        switch self {
        case .flag: "true or false"
        case .mark: "true"
        case .integer(let range): "a whole number, \(range.lowerBound) to \(range.upperBound)"
        case .duration(let range): "a duration, \(range.lowerBound.written) to \(range.upperBound.written)"
        case .size(let range): "a size, \(range.lowerBound.written) to \(range.upperBound.written)"
        case .address: "host:port, [v6]:port or unix:/path"
        case .peer: "host:port or [v6]:port"
        case .origin: "http://host:port or https://host:port"
        case .requestPath: "a path that begins with '/', as in /healthz"
        case .keyPrefix: "text of 1 to 1024 characters that ends with '/'"
        case .key: "16, 24 or 32 bytes in base64, as openssl rand -base64 32 prints them"
        case .factor(let range):
            (range.lowerBound > 0 ? "0, or a number from " : "a number from ")
                + "\(Int(range.lowerBound)) to \(Int(range.upperBound)) with at most three decimals"
        case .hashKey: Shape.hashKeys.alternatives
        case .serverName: "a host name, or *.NAME for all with one label before it"
        case .name: "1 to 64 letters, digits, '.', '_' or '-'"
        case .text(let length): "text of \(length.lowerBound) to \(length.upperBound) characters"
        case .choice(let words, _): words.alternatives
        case .table: "a mapping of names to texts"
        case .list(_, let element, let count):
            count.lowerBound > 0 ? "a list with at least one \(element)" : "a list, one \(element) each"
        case .section(let section):
            if let shorthand = section.shorthand {
                "\(shorthand.shape.expectation), or a mapping with \(shorthand.key)"
            } else {
                "a mapping with \(section.fields.map(\.key).alternatives)"
            }
        }
    }
}

extension [String] {
    /// `a, b or c`.
    var alternatives: String {
        guard let last, count > 1 else { return first ?? "" }
        return dropLast().joined(separator: ", ") + " or " + last
    }
}
