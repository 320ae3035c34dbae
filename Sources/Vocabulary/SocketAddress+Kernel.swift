// The kernel's form of an address (`struct sockaddr_…`), packed for connect(2) and bind(2) and read back.

import Glibc

extension SocketAddress {
    /// No form of an address is longer.
    package static let longestKernelForm = MemoryLayout<sockaddr_un>.size

    /// The address family, `AF_…`.
    package var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// The bytes that connect(2) and bind(2) take.
    /// - Precondition: a unix path has at most ``longestUnixPath`` bytes; cut short, it would name another socket.
    package var kernelForm: [UInt8] {
        switch self {
        case .ipv4(let ip, let port):
            var raw = sockaddr_in()
            raw.sin_family = sa_family_t(AF_INET)
            raw.sin_port = port.bigEndian
            raw.sin_addr.s_addr = ip.bits.bigEndian
            return unsafe withUnsafeBytes(of: raw) { unsafe Array($0) }
        case .ipv6(let ip, let port):
            var raw = sockaddr_in6()
            raw.sin6_family = sa_family_t(AF_INET6)
            raw.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &raw.sin6_addr) {
                unsafe $0.storeBytes(of: ip.high.bigEndian, as: UInt64.self)
                unsafe $0.storeBytes(of: ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return unsafe withUnsafeBytes(of: raw) { unsafe Array($0) }
        case .unix(let path):
            precondition(path.utf8.count <= SocketAddress.longestUnixPath, "no socket has so long a path")
            var raw = sockaddr_un()
            raw.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &raw.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
            let length = MemoryLayout<sa_family_t>.size + path.utf8.count + 1
            return unsafe withUnsafeBytes(of: raw) { unsafe Array($0.prefix(length)) }
        }
    }

    /// Reads what accept(2) or getsockname(2) wrote. Nil for other families, and for unix sockets that have no path
    /// of ours: none at all, an abstract one, one that is not UTF-8 or fills all 108 bytes. A peer chooses its
    /// path freely; to repair it into text could make it longer than a path can be.
    package init?(kernelForm bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= MemoryLayout<sa_family_t>.size else { return nil }
        switch Int32(unsafe bytes.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size:
            let raw = unsafe bytes.loadUnaligned(as: sockaddr_in.self)
            self = .ipv4(IPv4(bits: UInt32(bigEndian: raw.sin_addr.s_addr)), port: UInt16(bigEndian: raw.sin_port))
        case AF_INET6 where bytes.count >= MemoryLayout<sockaddr_in6>.size:
            let raw = unsafe bytes.loadUnaligned(as: sockaddr_in6.self)
            let (high, low) = unsafe withUnsafeBytes(of: raw.sin6_addr) {
                unsafe ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            self = .ipv6(
                IPv6(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low)), port: UInt16(bigEndian: raw.sin6_port)
            )
        case AF_UNIX:
            let field = unsafe bytes.dropFirst(MemoryLayout<sa_family_t>.size)
            guard let path = unsafe String(validating: field.prefix { $0 != 0 }, as: UTF8.self),
                !path.isEmpty, path.utf8.count <= SocketAddress.longestUnixPath
            else { return nil }
            self = .unix(path: path)
        default:
            return nil
        }
    }
}
