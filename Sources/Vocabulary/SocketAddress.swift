// Where something listens or is reached, as people write it: `10.0.0.1:80`, `[::1]:80`, `unix:/run/x.sock`.
//
// Names are not resolved: an address that a resolver chose is one that nobody wrote down.

import Glibc

/// An address of a stream socket.
package enum SocketAddress: Hashable, Sendable {
    case ipv4(IPv4, port: UInt16)
    case ipv6(IPv6, port: UInt16)
    /// A path in the file system, 1 to ``longestUnixPath`` bytes without a NUL (`sun_path`, unix(7)).
    case unix(path: String)

    /// `sun_path` with its closing NUL has 108 bytes.
    package static let longestUnixPath = 107

    /// Four octets in network order, the first one highest.
    package struct IPv4: Hashable, Sendable {
        package let bits: UInt32
        package init(bits: UInt32) { self.bits = bits }
        package static let loopback = IPv4(bits: 0x7F00_0001)
    }

    /// Sixteen octets in network order.
    package struct IPv6: Hashable, Sendable {
        package let high: UInt64
        package let low: UInt64
        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }
        package static let loopback = IPv6(high: 0, low: 1)
    }

    package var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port): port
        case .unix: nil
        }
    }

    /// Whether only this machine can reach it: 127.0.0.0/8, ::1 or a unix socket.
    package var isLocal: Bool {
        switch self {
        case .ipv4(let ip, _): ip.bits >> 24 == 127
        case .ipv6(let ip, _): ip == .loopback || (ip.high == 0 && ip.low >> 24 == 0xFFFF_7F)
        case .unix: true
        }
    }
}

// MARK: - Text

extension SocketAddress {
    package enum ParseError: Error, Hashable {
        case noPort
        case badPort(String)
        case badHost(String)
        case bareIPv6(String)
        case badPath(String)

        /// What is wrong and what would be right.
        package var explanation: String {
            switch self {
            case .noPort: "has no port; write host:port, [v6]:port or unix:/path"
            case .badPort(let port): "has the port \"\(port)\"; a port is 0 to 65535"
            case .badHost(let host):
                "has the host \"\(host)\", which is no IP address; write one like 10.0.0.1 or [fd00::1] (names are not resolved)"
            case .bareIPv6(let host): "has an IPv6 address without brackets; write [\(host)]:port"
            case .badPath(let path):
                path.utf8.count > SocketAddress.longestUnixPath
                    ? "has a path of \(path.utf8.count) bytes; a unix socket's path has at most 107"
                    : "has no usable path; write unix:/path"
            }
        }
    }

    /// Reads `host:port`, `[v6]:port` or `unix:/path`. Port 0 is allowed; the caller knows whether it makes sense.
    package init(parsing text: String) throws(ParseError) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), path.utf8.count <= SocketAddress.longestUnixPath, !path.utf8.contains(0) else {
                throw .badPath(path)
            }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
            throw .noPort
        }
        let host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        if host.contains(":"), !host.hasPrefix("[") { throw .bareIPv6(text) }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits) else {
            throw .badPort(String(digits))
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let inner = String(host.dropFirst().dropLast())
            guard let ip = IPv6(inner) else { throw .badHost(inner) }
            self = .ipv6(ip, port: port)
        } else {
            guard let ip = IPv4(String(host)) else { throw .badHost(String(host)) }
            self = .ipv4(ip, port: port)
        }
    }

    /// The same address at another port; a path has none and stays as it is.
    package func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let ip, _): .ipv4(ip, port: port)
        case .ipv6(let ip, _): .ipv6(ip, port: port)
        case .unix: self
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    package var description: String {
        switch self {
        case .ipv4(let ip, let port): "\(ip):\(port)"
        case .ipv6(let ip, let port): "[\(ip)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

extension SocketAddress.IPv4: CustomStringConvertible {
    /// Reads four decimal octets; nil for anything else, short forms such as `127.1` included.
    package init?(_ text: String) {
        guard !text.utf8.contains(0) else { return nil }  // where inet_pton would stop, and accept
        var raw = in_addr()
        guard unsafe inet_pton(AF_INET, text, &raw) == 1 else { return nil }
        self.init(bits: UInt32(bigEndian: raw.s_addr))
    }

    package var description: String {
        "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
    }
}

extension SocketAddress.IPv6: CustomStringConvertible {
    /// Reads an address in any form of RFC 4291 §2.2; nil for anything else, zone indices included.
    package init?(_ text: String) {
        guard !text.utf8.contains(0) else { return nil }  // where inet_pton would stop, and accept
        var raw: (UInt64, UInt64) = (0, 0)
        guard unsafe inet_pton(AF_INET6, text, &raw) == 1 else { return nil }
        self.init(high: UInt64(bigEndian: raw.0), low: UInt64(bigEndian: raw.1))
    }

    /// The canonical form of RFC 5952.
    package var description: String {
        var raw = (high.bigEndian, low.bigEndian)
        return unsafe String(unsafeUninitializedCapacity: Int(INET6_ADDRSTRLEN)) { buffer in
            unsafe buffer.withMemoryRebound(to: CChar.self) { buffer in
                guard
                    let text = unsafe inet_ntop(AF_INET6, &raw, buffer.baseAddress, socklen_t(buffer.count))
                else { preconditionFailure("every IPv6 address has a text that fits INET6_ADDRSTRLEN") }
                return unsafe strlen(text)
            }
        }
    }
}
