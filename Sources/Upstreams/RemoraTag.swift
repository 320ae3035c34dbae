// What a member's tag `remora` = `1:PORT` says: that it is a remora, and where it answers load probes.
//
// Probes find a service by a digest of its name: a question has a fixed length, shorter than names may be.

package import Vocabulary

package enum RemoraTag {
    package static let key = "remora"
    /// Of what remoras say to each other.
    private static let version = "1"

    /// Where a member answers load probes: its own address, with the port that its tag names. Nil where it is no
    /// remora, has no such port, or speaks another version.
    package static func probeAddress(of member: SocketAddress, in tags: [String: String]) -> SocketAddress? {
        guard let text = tags[key] else { return nil }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == version, parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(parts[1]), port > 0
        else { return nil }
        switch member {
        case .ipv4, .ipv6: return member.with(port: port)
        case .unix: return nil
        }
    }
}

/// What load probes call a service by.
///
/// Of 64 bits, and only told apart from the other services of the member that is asked: two of sixty-four have the same
/// once in 10¹⁶ members.
@frozen
@usableFromInline
package struct ServiceDigest: Hashable, Sendable {
    @usableFromInline package let bits: UInt64

    package init(bits: UInt64) { self.bits = bits }

    package init(of service: String) {
        // 64-bit FNV-1a, as in RFC 9923.
        bits = service.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    /// Zero for endpoints that are of no service.
    init(of source: EndpointSource) {
        switch source {
        case .service(let name): self.init(of: name)
        case .fixed, .members: self.init(bits: 0)
        }
    }
}
