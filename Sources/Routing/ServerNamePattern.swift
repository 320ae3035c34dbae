// Which server names a route is for: one name, or all those that differ in their first label alone.
//
// As in certificates (RFC 6125 §6.4.3): `*` stands for one whole label and only at the left, so `*.ingest.edge` is for
// `a.ingest.edge` and neither for `ingest.edge` nor for `a.b.ingest.edge`. What people write for a route is then what
// they write into the certificate behind it. Not taken: suffixes of any depth, as Envoy has them.

/// A server name, or a family of them.
package struct ServerNamePattern: Hashable, Sendable {
    /// In lower case; what follows the star, its dot included, where there is one.
    private let name: String
    private let isFamily: Bool

    /// Of a host name (RFC 1035 §2.3.4).
    package static let longest = 253

    /// Nil for a text that is no host name, or has a star anywhere but as its whole first label before others.
    package init?(_ text: String) {
        let isFamily = text.hasPrefix("*.")
        let name = isFamily ? String(text.dropFirst()) : text
        let labels = (isFamily ? name.dropFirst() : name[...]).split(separator: ".", omittingEmptySubsequences: false)
        guard name.utf8.count <= ServerNamePattern.longest, labels.allSatisfy(ServerNamePattern.isLabel)
        else { return nil }
        self.name = name.lowercased()
        self.isFamily = isFamily
    }

    private static func isLabel(_ text: Substring) -> Bool {
        (1...63).contains(text.utf8.count) && text.utf8.allSatisfy { ClientHello.lowered($0) != nil && $0 != 0x3A }
    }

    /// - Parameter serverName: in lower case, as ``ClientHello`` tells it.
    package func matches(_ serverName: String) -> Bool {
        guard isFamily else { return serverName.utf8.elementsEqual(name.utf8) }
        guard let dot = serverName.utf8.firstIndex(of: UInt8(ascii: ".")), dot > serverName.startIndex else {
            return false
        }
        return serverName.utf8[dot...].elementsEqual(name.utf8)
    }
}

extension ServerNamePattern: CustomStringConvertible {
    package var description: String { isFamily ? "*\(name)" : name }
}

/// Where connections go whose TLS asks for one of some names.
package struct ServerNameRoute: Hashable, Sendable {
    package var match: ServerNamePattern
    /// The name of an upstream.
    package var upstream: String

    package init(match: ServerNamePattern, upstream: String) {
        self.match = match
        self.upstream = upstream
    }
}
