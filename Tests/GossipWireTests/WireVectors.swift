// The golden vectors as far as messages go, with all their fields.

import Testing

struct WireVector: Decodable, Sendable, CustomTestStringConvertible {
    struct Extra: Decodable, Sendable {
        let n, total_len: Int?
        let why, receiver_key: String?
    }

    let id, layer, hex, expect: String
    let mode: String?
    let fields: JSON?
    let extra: Extra?

    var bytes: [UInt8] { [UInt8](hex: hex) }
    var isAccepted: Bool { expect == "accept" }
    var isExact: Bool { mode == "exact" }
    var isStream: Bool { layer == "stream" }
    var testDescription: String { id }

    private struct File: Decodable { let vectors: [WireVector] }

    static func load(_ file: String) -> [WireVector] { VectorFile.load(file, as: File.self).vectors }
}

/// A value of a vector's fields, and of what was decoded, written the same way: byte strings as an object with `hex`.
enum JSON: Hashable, Sendable, Decodable {
    case null
    case boolean(Bool)
    case number(Double)
    case text(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let boolean = try? value.decode(Bool.self) {
            self = .boolean(boolean)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let array = try? value.decode([JSON].self) {
            self = .array(array)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    static func bytes(_ bytes: some Sequence<UInt8>) -> JSON {
        let digits = Array("0123456789abcdef")
        return .object(["hex": .text(String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }))])
    }

    static func bytesOrNull(_ bytes: [UInt8]) -> JSON { bytes.isEmpty ? .null : .bytes(bytes) }

    static func number(_ value: some BinaryInteger) -> JSON { .number(Double(value)) }

    subscript(key: String) -> JSON? {
        if case .object(let fields) = self { fields[key] } else { nil }
    }

    /// The object with one field changed.
    func with(_ key: String, _ value: JSON) -> JSON {
        guard case .object(var fields) = self else { return self }
        fields[key] = value
        return .object(fields)
    }

    var elements: [JSON] { if case .array(let elements) = self { elements } else { [] } }

    /// Of a byte string.
    var content: [UInt8]? { if case .text(let hex)? = self["hex"] { [UInt8](hex: hex) } else { nil } }

    var integer: Int? { if case .number(let value) = self { Int(exactly: value) } else { nil } }
}
