// How a member says what it serves: the Serf tag `svc.NAME` = `HOST:PORT;weight=N;zone=Z;health=…;load=1`.
//
// The text is another machine's, perhaps a person's at a shell, so it is read strictly and refused as a whole: half
// of a tag understood is an endpoint nobody advertised. Only attributes that are not known here are passed over, so
// that a newer remora may say more.

package import Vocabulary

package struct ServiceTag: Hashable, Sendable {
    /// Where the service is reached.
    package enum Host: Hashable, Sendable {
        /// At the member's own address.
        case own
        case ipv4(SocketAddress.IPv4)
        case ipv6(SocketAddress.IPv6)
    }

    package enum Health: String, CaseIterable, Sendable {
        case passing, failing, draining
    }

    /// All tags of a member share this many bytes (Serf's limit), so no tag is longer.
    package static let longestText = 512
    private static let prefix = "svc."

    package var host: Host
    /// Above zero.
    package var port: UInt16
    package var weight: Weight
    /// ``isZone(_:)`` holds for it; nil: the member's own.
    package var zone: String?
    package var health: Health
    /// Whether a remora's inbound listener stands there, so that its load is known.
    package var reportsLoad: Bool

    /// - Precondition: `port` is above zero, and `zone` can be written.
    package init(
        host: Host = .own, port: UInt16, weight: Weight = .standard, zone: String? = nil, health: Health = .passing,
        reportsLoad: Bool = false
    ) {
        precondition(port > 0, "nothing is reached at port 0")
        precondition(zone.map(Self.isZone) ?? true, "such a zone cannot be written into a tag")
        self.host = host
        self.port = port
        self.weight = weight
        self.zone = zone
        self.health = health
        self.reportsLoad = reportsLoad
    }

    /// The tag's key for a service.
    package static func key(for service: String) -> String { prefix + service }

    /// The service that a tag's key names; nil for other tags.
    package static func service(ofKey key: String) -> String? {
        key.hasPrefix(prefix) && key.utf8.count > prefix.utf8.count ? String(key.dropFirst(prefix.count)) : nil
    }

    /// Whether a zone of this name can be written: not empty, and without what separates attributes.
    package static func isZone(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count < longestText && !text.utf8.contains(UInt8(ascii: ";"))
    }

    /// Where the service of a member at `member` is reached.
    package func address(of member: SocketAddress) -> SocketAddress {
        switch host {
        case .own: member.with(port: port)
        case .ipv4(let ip): .ipv4(ip, port: port)
        case .ipv6(let ip): .ipv6(ip, port: port)
        }
    }
}

// MARK: - Text

extension ServiceTag {
    package enum ParseError: Error, Hashable {
        case tooLong(bytes: Int)
        case address(SocketAddress.ParseError)
        case unusableAddress(String)
        case bare(String)
        case twice(String)
        case value(String, of: String)

        /// What is wrong, to follow the tag's text.
        package var explanation: String {
            switch self {
            case .tooLong(let bytes): "has \(bytes) bytes; a tag has at most \(ServiceTag.longestText)"
            case .address(let error): error.explanation
            case .unusableAddress(let text): "names \"\(text)\", where nothing can be reached"
            case .bare(let attribute): "has \"\(attribute)\" where name=value belongs"
            case .twice(let name): "says \(name) twice"
            case .value(let value, let name): "says \(name)=\(value), which means nothing"
            }
        }
    }

    /// Reads a tag's value. Attributes of unknown name are passed over.
    package init(parsing text: String) throws(ParseError) {
        guard text.utf8.count <= Self.longestText else { throw .tooLong(bytes: text.utf8.count) }
        var parts = text.split(separator: ";", omittingEmptySubsequences: false)[...]
        let place = parts.popFirst().map(String.init) ?? ""
        (host, port) = try Self.readAddress(place)
        (weight, zone, health, reportsLoad) = (.standard, nil, .passing, false)
        var said: [Substring] = []
        // A closing separator says nothing.
        if parts.last == "" { parts.removeLast() }
        for part in parts {
            guard let equals = part.firstIndex(of: "="), equals != part.startIndex else { throw .bare(String(part)) }
            let name = part[..<equals]
            let value = String(part[part.index(after: equals)...])
            if said.contains(name) { throw .twice(String(name)) }
            said.append(name)
            try read(value, of: name)
        }
    }

    private mutating func read(_ value: String, of name: Substring) throws(ParseError) {
        switch name {
        case "weight":
            guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value),
                Weight.range.contains(number)
            else { throw .value(value, of: "weight") }
            weight = Weight(number)
        case "zone":
            guard Self.isZone(value) else { throw .value(value, of: "zone") }
            zone = value
        case "health":
            guard let known = Health(rawValue: value) else { throw .value(value, of: "health") }
            health = known
        case "load":
            guard value == "1" || value == "0" else { throw .value(value, of: "load") }
            reportsLoad = value == "1"
        default: break  // a newer remora's
        }
    }

    private static func readAddress(_ text: String) throws(ParseError) -> (Host, UInt16) {
        let isOwn = text.hasPrefix(":")
        let address: SocketAddress
        do throws(SocketAddress.ParseError) {
            address = try SocketAddress(parsing: isOwn ? "0.0.0.0" + text : text)
        } catch {
            throw .address(error)
        }
        switch address {
        case .ipv4(let ip, let port) where port > 0:
            if isOwn { return (.own, port) }
            // The kernel would take the unspecified address for this machine's own.
            if ip.bits != 0 { return (.ipv4(ip), port) }
        case .ipv6(let ip, let port) where port > 0:
            // Nor does it matter to the kernel that IPv4's is written as ::ffff:0.0.0.0.
            if ip.high != 0 || (ip.low != 0 && ip.low != 0xFFFF << 32) { return (.ipv6(ip), port) }
        case .ipv4, .ipv6, .unix: break
        }
        throw .unusableAddress(text)
    }
}

extension ServiceTag: CustomStringConvertible {
    /// The tag's value; what is as it is anyway is left out, as all tags of a member share 512 bytes.
    package var description: String {
        var text =
            switch host {
            case .own: ":\(port)"
            case .ipv4(let ip): "\(SocketAddress.ipv4(ip, port: port))"
            case .ipv6(let ip): "\(SocketAddress.ipv6(ip, port: port))"
            }
        if weight != .standard { text += ";weight=\(weight.value)" }
        if let zone { text += ";zone=\(zone)" }
        if health != .passing { text += ";health=\(health.rawValue)" }
        if reportsLoad { text += ";load=1" }
        return text
    }
}
