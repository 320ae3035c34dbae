// The schema as JSON Schema, for editors and for `remora schema`.
//
// Written from the same value the check reads. What JSON Schema cannot say stays with the check: ranges of
// durations, the inside of IPv6 addresses, and everything that concerns two places of a file at once.

internal import Routing

package enum ConfigSchema {
    /// A JSON Schema (draft 2020-12) of the config file; the same bytes in every process.
    ///
    /// It refuses no file that ``ConfigFile`` accepts. The check refuses more: see the module's page.
    package static var json: String {
        var members: [(key: String, value: JSONText)] = [
            ("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
            ("title", .string("remora config")),
        ]
        members += RemoraSchema.root.jsonSchema
        return JSONText.object(members).written() + "\n"
    }
}

private typealias Members = [(key: String, value: JSONText)]

extension Section {
    fileprivate var jsonSchema: Members {
        var properties: Members = fields.map { ($0.key, .object($0.jsonSchema)) }
        properties += later.map { key in
            (key.key, .object([("description", .string("Not available yet; \(key.advice).")), ("not", .object([]))]))
        }
        var members: Members = [
            ("type", .string("object")),
            ("additionalProperties", .flag(false)),
            ("properties", .object(properties)),
        ]
        let required = fields.filter(\.isRequired).map { JSONText.string($0.key) }
        if !required.isEmpty { members.append(("required", .array(required))) }
        // Of several groups one would be lost: a JSON object has each keyword once.
        precondition(alternatives.count <= 1, "a section has at most one group of alternatives")
        for group in alternatives {
            let choices = group.map { JSONText.object([("required", .array([.string($0)]))]) }
            members.append(("oneOf", .array(choices)))
        }
        if !companions.isEmpty {
            let needs: Members = companions.map { ($0.key, .array([.string($0.needs)])) }
            members.append(("dependentRequired", .object(needs)))
        }
        return members
    }
}

extension Field {
    var isRequired: Bool {
        switch absence {
        case .refused: true
        case .none, .read, .readEmpty: false
        }
    }

    fileprivate var jsonSchema: Members {
        var members: Members = [("description", .string(summary + shape.remark))]
        members += shape.jsonSchema
        if case .read(let text) = absence { members.append(("default", shape.jsonValue(text))) }
        return members
    }
}

extension Shape {
    /// What JSON Schema has no keyword for.
    fileprivate var remark: String {
        switch self {
        case .duration(let range): " From \(range.lowerBound.written) to \(range.upperBound.written)."
        case .size(let range): " From \(range.lowerBound.written) to \(range.upperBound.written)."
        case .choice(_, let later) where !later.isEmpty: " Not available yet: \(later.joined(separator: ", "))."
        case .flag, .mark, .integer, .factor, .address, .peer, .origin, .requestPath, .keyPrefix, .key, .hashKey,
            .serverName, .name, .text, .choice, .table, .list, .section:
            ""
        }
    }

    fileprivate var jsonSchema: Members {
        switch self {
        case .flag:
            [("type", .string("boolean"))]
        case .mark:
            [("type", .string("boolean")), ("enum", .array([.flag(true)]))]
        case .integer(let range):
            [
                ("type", .string("integer")), ("minimum", .integer(range.lowerBound)),
                ("maximum", .integer(range.upperBound)),
            ]
        case .factor(let range):
            [
                ("type", .string("number")),
                (
                    "anyOf",
                    .array([
                        .object([("enum", .array([.integer(0)]))]),
                        .object([
                            ("minimum", .integer(Int(range.lowerBound))), ("maximum", .integer(Int(range.upperBound))),
                        ]),
                    ])
                ),
            ]
        case .duration:
            [("type", .string("string")), ("pattern", .string(Pattern.duration))]
        case .size:
            [("type", .string("string")), ("pattern", .string(Pattern.size))]
        case .address(let portZero):
            [("type", .string("string")), ("pattern", .string(Pattern.address(portZero: portZero)))]
        case .peer(let portZero):
            [("type", .string("string")), ("pattern", .string(Pattern.peer(portZero: portZero)))]
        case .origin:
            [("type", .string("string")), ("pattern", .string(Pattern.origin))]
        case .requestPath:
            [
                ("type", .string("string")), ("maxLength", .integer(Shape.requestPathLength.upperBound)),
                ("pattern", .string(Pattern.requestPath)),
            ]
        case .keyPrefix:
            [
                ("type", .string("string")), ("maxLength", .integer(Shape.keyPrefixLength.upperBound)),
                ("pattern", .string(Pattern.keyPrefix)),
            ]
        case .key:
            [("type", .string("string")), ("pattern", .string(Pattern.key))]
        case .hashKey:
            [("type", .string("string")), ("pattern", .string(Pattern.hashKey))]
        case .serverName:
            [
                ("type", .string("string")), ("maxLength", .integer(ServerNamePattern.longest + 1)),
                ("pattern", .string(Pattern.serverName)),
            ]
        case .name:
            [("type", .string("string")), ("pattern", .string(Pattern.name))]
        case .text(let length):
            [
                ("type", .string("string")), ("minLength", .integer(length.lowerBound)),
                ("maxLength", .integer(length.upperBound)), ("pattern", .string(Pattern.noControl)),
            ]
        case .choice(let words, _):
            [("enum", .array(words.map { .string($0) }))]
        case .table(let entries, let text):
            [
                ("type", .string("object")), ("maxProperties", .integer(entries)),
                ("propertyNames", .object([("pattern", .string(Pattern.name))])),
                ("additionalProperties", .object(Shape.text(text).jsonSchema)),
            ]
        case .list(let element, _, let count):
            [
                ("type", .string("array")), ("minItems", .integer(count.lowerBound)),
                ("maxItems", .integer(count.upperBound)), ("items", .object(element.jsonSchema)),
            ]
        case .section(let section):
            if let shorthand = section.shorthand {
                [("anyOf", .array([.object(shorthand.shape.jsonSchema), .object(section.jsonSchema)]))]
            } else {
                section.jsonSchema
            }
        }
    }

    /// A default as JSON.
    fileprivate func jsonValue(_ text: String) -> JSONText {
        switch self {
        case .flag, .mark: .flag(text == "true")
        case .integer, .factor: Int(text).map { .integer($0) } ?? .string(text)
        case .duration, .size, .address, .peer, .origin, .requestPath, .keyPrefix, .key, .hashKey, .serverName, .name,
            .text, .choice, .table, .list, .section:
            .string(text)
        }
    }
}

/// What the scalars look like, as regular expressions that ECMA-262 and its relatives read alike.
private enum Pattern {
    static let name = "^[A-Za-z0-9._-]{\(Shape.nameLength.lowerBound),\(Shape.nameLength.upperBound)}$"
    static let duration = "^[0-9]+(ms|s|m|h)$"
    static let hashKey =
        "^(source_ip|sni|proxy_authority|path|(header|cookie):[!#$%&'*+.^_`|~0-9A-Za-z-]{1,\(RequestPart.longestName)})$"
    static let serverName = "^([*][.])?[A-Za-z0-9_-]{1,63}([.][A-Za-z0-9_-]{1,63})*$"
    static let size = "^[0-9]+(B|KiB|MiB|GiB)$"
    static let requestPath = "^/[!-\"$-~]*$"
    static let keyPrefix = "^[^\\x00-\\x1f\\x7f]*/$"
    static let noControl = "^[^\\x00-\\x1f\\x7f]*$"

    /// Base64 of 16, 24 or 32 bytes.
    static let key = "^([A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{32}|[A-Za-z0-9+/]{43}=)$"

    static func address(portZero: Bool) -> String {
        "^(unix:/[^\\x00-\\x1f\\x7f]{0,106}|\(hostAndPort(portZero: portZero)))$"
    }

    static func peer(portZero: Bool) -> String { "^\(hostAndPort(portZero: portZero))$" }

    static let origin =
        "^https?://([A-Za-z0-9._-]{1,\(Shape.longestHostName)}|\\[[0-9A-Fa-f:.]+\\]):\(port(zero: false))$"

    private static func hostAndPort(portZero: Bool) -> String {
        let octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
        return "(\(octet)(\\.\(octet)){3}|\\[[0-9A-Fa-f:.]+\\]):\(port(zero: portZero))"
    }

    private static func port(zero: Bool) -> String {
        (zero ? "" : "(?!0+$)") + "0*(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})"
    }
}
