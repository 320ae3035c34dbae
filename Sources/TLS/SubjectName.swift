// The names in a certificate, and the patterns of `allow_san` that say which of them are let in.
//
// A pattern is of one kind and compared with names of that kind alone: who may get a certificate for a DNS name of its
// choice must not be let in by a pattern for URIs. What `*` stands for depends on the kind and never crosses a
// boundary that gives the name its meaning:
//
//     DNS      *.edge.example      within one label, one character at least; letters in any case
//     URI      spiffe://edge/*     at the end, behind a slash: all the rest, one character at least
//              spiffe://*/web      elsewhere: within one segment, as within the authority
//     e-mail   *@edge.example      within one side of the @; the domain in any case
//     IP       10.0.0.*            IPv4 alone: one number; IPv6 is written out, in any form of RFC 4291

import COpenSSL
import Vocabulary

/// One of a certificate's subject alternative names (RFC 5280 §4.2.1.6).
package enum SubjectName: Hashable, Sendable, CustomStringConvertible {
    case dns(String)
    case uri(String)
    case email(String)
    case address(String)

    /// The name after the word for its kind.
    package var description: String {
        switch self {
        case .dns(let name): "DNS \(name)"
        case .uri(let name): "URI \(name)"
        case .email(let name): "e-mail \(name)"
        case .address(let name): "IP \(name)"
        }
    }

    /// As logs tell of it: whoever was refused may bear names as long as a certificate can be, and a long one is cut.
    var shown: String {
        let text = description
        guard text.utf8.count > Self.longestShown else { return text }
        // By bytes: one character may have any number of them. A scalar that is cut becomes U+FFFD.
        return String(decoding: text.utf8.prefix(Self.longestShown), as: UTF8.self) + "..."
    }

    /// In bytes, the word for the kind included; a DNS name has 253 at most (RFC 1035 §2.3.4).
    static let longestShown = 257

    /// Names that are read of one certificate; the rest is not looked at.
    static let bound = 256

    /// Those that are text of visible ASCII characters: another is no name that anybody could have written down, and
    /// might be one thing to us and another to whoever issued it.
    static func all(in certificate: OpaquePointer) -> [SubjectName] {
        guard let names = unsafe X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return [] }
        let stack = OpaquePointer(names)
        defer { unsafe GENERAL_NAMES_free(stack) }
        var found: [SubjectName] = []
        for index in 0..<min(unsafe remora_sk_GENERAL_NAME_num(stack), CInt(bound)) {
            var (kind, length): (CInt, CInt) = (0, 0)
            guard let start = unsafe remora_sk_GENERAL_NAME_value(stack, index, &kind, &length) else { continue }
            let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: Int(length)))
            if let name = SubjectName(kind: kind, bytes) { found.append(name) }
        }
        return found
    }

    private init?(kind: CInt, _ bytes: [UInt8]) {
        if kind == GEN_IPADD {
            guard let text = Self.addressText(bytes) else { return nil }
            self = .address(text)
            return
        }
        guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        switch kind {
        case GEN_DNS: self = .dns(text.lowercased())
        case GEN_URI: self = .uri(text)
        case GEN_EMAIL: self = .email(text)
        default: return nil
        }
    }

    private static func addressText(_ bytes: [UInt8]) -> String? {
        switch bytes.count {
        case 4: return SocketAddress.IPv4(bits: bytes.reduce(0) { $0 << 8 | UInt32($1) }).description
        case 16:
            let halves = [bytes[..<8], bytes[8...]].map { $0.reduce(0) { $0 << 8 | UInt64($1) } }
            return SocketAddress.IPv6(high: halves[0], low: halves[1]).description
        default: return nil
        }
    }
}

// MARK: - Patterns

/// A pattern of `allow_san`.
package struct NamePattern: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        case dns, uri, email, address
    }

    package enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
        case empty
        case unprintable
        case misplacedStar(String)

        package var description: String {
            switch self {
            case .empty: "is empty"
            case .unprintable: "holds a blank or a character that is not ASCII; names in certificates hold none"
            case .misplacedStar(let pattern):
                "\"\(pattern)\" is an IPv6 address with a *; write addresses out"
            }
        }
    }

    /// As it was written.
    package let description: String
    package let kind: Kind
    /// In the form in which names are compared.
    private let pattern: [UInt8]

    /// Reads a pattern; its kind is told by its shape.
    package init(_ text: String) throws(Fault) {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .unprintable }
        description = text
        if let address = SocketAddress.IPv6(text) {
            (kind, pattern) = (.address, Array(address.description.utf8))
        } else if text.contains(":"), text.contains("*"),
            text.utf8.allSatisfy({ Self.isHexadecimal($0) || $0 == 0x3A || $0 == Self.star })
        {
            throw .misplacedStar(text)
        } else if text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2A }), text.contains("."),
            text.utf8.contains(where: { $0 != 0x2E && $0 != 0x2A })
        {
            (kind, pattern) = (.address, Array(text.utf8))
        } else if text.contains("://") || (text.contains(":") && !text.contains("@")) {
            (kind, pattern) = (.uri, Array(text.utf8))
        } else if text.contains("@") {
            (kind, pattern) = (.email, Self.canonicalEmail(text))
        } else {
            (kind, pattern) = (.dns, Array(text.lowercased().utf8))
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    /// Only the domain is the same in any case (RFC 5280 §7.5).
    private static func canonicalEmail(_ text: String) -> [UInt8] {
        guard let at = text.lastIndex(of: "@") else { return Array(text.utf8) }
        return Array((text[..<at] + text[at...].lowercased()).utf8)
    }

    /// Whether a certificate with this name is let in.
    package func matches(_ name: SubjectName) -> Bool {
        switch (kind, name) {
        case (.dns, .dns(let text)):
            return Self.matches(pattern[...], Array(text.lowercased().utf8)[...], boundary: 0x2E, restAtEnd: false)
        case (.uri, .uri(let text)):
            return Self.matches(pattern[...], Array(text.utf8)[...], boundary: 0x2F, restAtEnd: true)
        case (.email, .email(let text)):
            return Self.matches(pattern[...], Self.canonicalEmail(text)[...], boundary: 0x40, restAtEnd: false)
        case (.address, .address(let text)):
            return Self.matches(pattern[...], Array(text.utf8)[...], boundary: 0x2E, restAtEnd: false)
        case (.dns, _), (.uri, _), (.email, _), (.address, _):
            return false
        }
    }

    private static let star = UInt8(ascii: "*")

    /// A `*` takes one byte at least and no `boundary`, except where it may take all the rest.
    ///
    /// Letting the latest `*` take more is enough: whatever one before it could take more of, the latest could have
    /// taken instead. So the work is bounded by the product of both lengths.
    private static func matches(
        _ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>, boundary: UInt8, restAtEnd: Bool
    ) -> Bool {
        var (p, t) = (pattern.startIndex, text.startIndex)
        // Behind the latest star, and behind what it takes.
        var latest: (p: Int, t: Int)?
        while p < pattern.endIndex || t < text.endIndex {
            if p < pattern.endIndex, pattern[p] == star {
                if restAtEnd, p + 1 == pattern.endIndex, p > pattern.startIndex, pattern[p - 1] == boundary {
                    return t < text.endIndex
                }
                if t < text.endIndex, text[t] != boundary {
                    (p, t) = (p + 1, t + 1)
                    latest = (p, t)
                    continue
                }
            } else if p < pattern.endIndex, t < text.endIndex, pattern[p] == text[t] {
                (p, t) = (p + 1, t + 1)
                continue
            }
            guard let place = latest, place.t < text.endIndex, text[place.t] != boundary else { return false }
            (p, t) = (place.p, place.t + 1)
            latest = (p, t)
        }
        return true
    }
}
