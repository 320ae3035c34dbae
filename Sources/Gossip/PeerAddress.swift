// Where a member is reached: by datagrams and streams alike, so never a unix path.
//
// `SocketAddress` was not taken: it can hold a path, so every copy counts references, and the core compares and
// copies addresses for every message.

package import Vocabulary

/// An IP address and a port. IPv4 addresses and their IPv6-mapped forms are one and the same.
package struct PeerAddress: Hashable, Sendable {
    /// The address as IPv6 (RFC 4291 §2.5.5.2 for IPv4), in network order, the first octet highest.
    package let high: UInt64
    package let low: UInt64
    package var port: UInt16

    private static let mapped: UInt64 = 0xFFFF << 32

    package init(_ ip: SocketAddress.IPv4, port: UInt16) {
        (high, low) = (0, PeerAddress.mapped | UInt64(ip.bits))
        self.port = port
    }

    package init(_ ip: SocketAddress.IPv6, port: UInt16) {
        (high, low) = (ip.high, ip.low)
        self.port = port
    }

    /// Nil for a unix path.
    package init?(_ address: SocketAddress) {
        switch address {
        case .ipv4(let ip, let port): self.init(ip, port: port)
        case .ipv6(let ip, let port): self.init(ip, port: port)
        case .unix: return nil
        }
    }

    package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    package var socketAddress: SocketAddress {
        isIPv4
            ? .ipv4(SocketAddress.IPv4(bits: UInt32(truncatingIfNeeded: low)), port: port)
            : .ipv6(SocketAddress.IPv6(high: high, low: low), port: port)
    }
}

extension PeerAddress: CustomStringConvertible {
    package var description: String { "\(socketAddress)" }
}
