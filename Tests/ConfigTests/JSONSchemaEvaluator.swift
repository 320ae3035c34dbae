// A judge that is not ours: JSON Schema (draft 2020-12) as its specification reads, for the keywords we emit.
//
// It knows nothing of the module's schema; a keyword that it does not know is an error, so that the emitter
// cannot say anything that nobody judges.

import Foundation

/// A JSON document.
indirect enum JSONDocument: Hashable, Sendable, CustomStringConvertible {
    case null
    case flag(Bool)
    case integer(Int)
    case fraction(Double)
    case text(String)
    case list([JSONDocument])
    case mapping([Member])

    struct Member: Hashable, Sendable {
        var key: String
        var value: JSONDocument
    }

    init(parsing text: String) throws {
        self.init(try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed))
    }

    private init(_ object: Any) {
        switch object {
        case let number as NSNumber where isBoolean(number): self = .flag(number.boolValue)
        case let number as NSNumber:
            self = Int(exactly: number.doubleValue).map { .integer($0) } ?? .fraction(number.doubleValue)
        case let text as String: self = .text(text)
        case let list as [Any]: self = .list(list.map { JSONDocument($0) })
        case let mapping as [String: Any]:
            self = .mapping(
                mapping.sorted { $0.key < $1.key }.map { Member(key: $0.key, value: JSONDocument($0.value)) })
        default: self = .null
        }
    }

    subscript(key: String) -> JSONDocument? {
        guard case .mapping(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// As JSON text on one line.
    var description: String {
        switch self {
        case .null: "null"
        case .flag(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .fraction(let value): "\(value)"
        case .text(let text): "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
        case .list(let items): "[\(items.map(\.description).joined(separator: ", "))]"
        case .mapping(let members):
            "{\(members.map { "\(JSONDocument.text($0.key)): \($0.value)" }.joined(separator: ", "))}"
        }
    }
}

/// Booleans and numbers are one class in Foundation; only the Objective-C type tells them apart.
private func isBoolean(_ number: NSNumber) -> Bool {
    unsafe String(cString: number.objCType) == "c"
}

final class JSONSchemaEvaluator {
    struct UnknownKeyword: Error { let keyword: String }

    private let schema: JSONDocument
    /// Compiling a pattern costs more than all the rest.
    private var patterns: [String: Regex<AnyRegexOutput>] = [:]

    init(schema: JSONDocument) { self.schema = schema }

    /// Whether `document` is valid.
    func accepts(_ document: JSONDocument) throws -> Bool { try accepts(document, schema) }

    private func accepts(_ document: JSONDocument, _ schema: JSONDocument) throws -> Bool {
        switch schema {
        case .flag(let everything): return everything
        case .mapping(let members):
            // All are judged, so that an unknown keyword never hides behind a failed one.
            return try members.map { try accepts(document, $0.key, $0.value, in: schema) }.allSatisfy(\.self)
        default: throw UnknownKeyword(keyword: "\(schema)")
        }
    }

    private func accepts(
        _ document: JSONDocument, _ keyword: String, _ value: JSONDocument, in schema: JSONDocument
    ) throws -> Bool {
        switch (keyword, value, document) {
        case ("$schema", .text("https://json-schema.org/draft/2020-12/schema"), _), ("title", .text, _),
            ("description", .text, _), ("default", _, _):
            return true
        case ("type", .text(let type), _): return try has(document, type: type)
        case ("enum", .list(let values), _): return values.contains(document)
        case ("not", let inner, _): return try !accepts(document, inner)
        case ("anyOf", .list(let inner), _): return try inner.map { try accepts(document, $0) }.contains(true)
        case ("oneOf", .list(let inner), _): return try inner.map { try accepts(document, $0) }.count { $0 } == 1
        case ("dependentRequired", .mapping(let needs), .mapping):
            return needs.allSatisfy { need in
                guard document[need.key] != nil, case .list(let keys) = need.value else { return true }
                return keys.allSatisfy { if case .text(let key) = $0 { document[key] != nil } else { false } }
            }
        case ("pattern", .text(let pattern), .text(let text)): return try text.firstMatch(of: regex(pattern)) != nil
        case ("minLength", .integer(let least), .text(let text)): return text.unicodeScalars.count >= least
        case ("maxLength", .integer(let most), .text(let text)): return text.unicodeScalars.count <= most
        case ("minimum", .integer(let least), .integer(let number)): return number >= least
        case ("maximum", .integer(let most), .integer(let number)): return number <= most
        case ("minimum", .integer(let least), .fraction(let number)): return number >= Double(least)
        case ("maximum", .integer(let most), .fraction(let number)): return number <= Double(most)
        case ("minItems", .integer(let least), .list(let items)): return items.count >= least
        case ("maxItems", .integer(let most), .list(let items)): return items.count <= most
        case ("items", let inner, .list(let items)):
            return try items.map { try accepts($0, inner) }.allSatisfy(\.self)
        case ("maxProperties", .integer(let most), .mapping(let members)): return members.count <= most
        case ("required", .list(let keys), .mapping):
            return keys.allSatisfy { if case .text(let key) = $0 { document[key] != nil } else { false } }
        case ("propertyNames", let inner, .mapping(let members)):
            return try members.map { try accepts(.text($0.key), inner) }.allSatisfy(\.self)
        case ("properties", .mapping(let properties), .mapping):
            return try properties.map { property in
                try document[property.key].map { try accepts($0, property.value) } ?? true
            }.allSatisfy(\.self)
        case ("additionalProperties", let inner, .mapping(let members)):
            return try members.filter { schema["properties"]?[$0.key] == nil }
                .map { try accepts($0.value, inner) }.allSatisfy(\.self)
        case ("pattern", .text, _), ("minLength", .integer, _), ("maxLength", .integer, _), ("minimum", .integer, _),
            ("maximum", .integer, _), ("minItems", .integer, _), ("maxItems", .integer, _), ("items", _, _),
            ("maxProperties", .integer, _), ("required", .list, _), ("propertyNames", _, _),
            ("properties", .mapping, _), ("additionalProperties", _, _), ("dependentRequired", .mapping, _):
            // These judge one kind of value each, and pass the others.
            return true
        default: throw UnknownKeyword(keyword: keyword)
        }
    }

    private func regex(_ pattern: String) throws -> Regex<AnyRegexOutput> {
        if let regex = patterns[pattern] { return regex }
        let regex = try Regex(pattern)
        patterns[pattern] = regex
        return regex
    }

    private func has(_ document: JSONDocument, type: String) throws -> Bool {
        switch (type, document) {
        case ("number", .integer), ("number", .fraction), ("object", .mapping), ("array", .list), ("string", .text),
            ("boolean", .flag), ("integer", .integer):
            true
        case ("number", _), ("object", _), ("array", _), ("string", _), ("boolean", _), ("integer", _): false
        default: throw UnknownKeyword(keyword: "type \(type)")
        }
    }
}
