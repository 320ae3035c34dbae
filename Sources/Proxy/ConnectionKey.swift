// What a connection is known by, as the number that rings and tables are asked with.
//
// All remoras of a fleet have to give one client to one endpoint, so what is hashed is written down here and has golden
// values in the tests: XXH64, without a seed, of these bytes.
//
//     source_ip         the address in network order, 4 or 16 bytes; an IPv4 address within IPv6 (::ffff:a.b.c.d) is IPv4
//     sni               the server name in lower case, in ASCII
//     proxy_authority   the same of the host that the PROXY header tells of
//     header, cookie    the value as it is, without the blanks around it
//     path              the path as it is, escapes and all, without its query
//
// A kind of key does not go into the hash: two upstreams that know the same client by the same text agree on it.

import Balancing
import Routing
import Upstreams
import Vocabulary

extension HashKey {
    /// The number that stands for what `facts` say of it; nil where they say nothing.
    func hash(of facts: ConnectionFacts) -> UInt64? {
        switch self {
        case .sourceIP: facts.peer.flatMap(HashKey.hash)
        case .serverName: facts.hello?.serverName.map { XXH64.hash($0) }
        case .proxyAuthority: facts.authority.map { XXH64.hash($0) }
        case .header, .cookie, .path: facts.requestPart.map { unsafe XXH64.hash($0.span.bytes) }
        }
    }

    /// Of an address without its port; nil for a unix socket's, which tells nothing of who is behind it.
    private static func hash(of address: SocketAddress) -> UInt64? {
        switch address {
        case .ipv4(let ip, _): hash(of: ip)
        case .ipv6(let ip, _):
            ip.high == 0 && ip.low >> 32 == 0xFFFF
                ? hash(of: SocketAddress.IPv4(bits: UInt32(truncatingIfNeeded: ip.low)))
                : XXH64.hash(ip.high.byteSwapped, ip.low.byteSwapped)
        case .unix: nil
        }
    }

    private static func hash(of ip: SocketAddress.IPv4) -> UInt64 {
        let octets: InlineArray<4, UInt8> = [
            UInt8(truncatingIfNeeded: ip.bits >> 24), UInt8(truncatingIfNeeded: ip.bits >> 16),
            UInt8(truncatingIfNeeded: ip.bits >> 8), UInt8(truncatingIfNeeded: ip.bits),
        ]
        return unsafe XXH64.hash(octets.span.bytes)
    }

    /// What has to be looked at for it, where a listener does not know it anyway.
    var peek: Preface.Peek {
        switch self {
        case .sourceIP, .proxyAuthority: .nothing
        case .serverName: .clientHello
        case .header(let name): .request(.header(name))
        case .cookie(let name): .request(.cookie(name))
        case .path: .request(.path)
        }
    }
}
