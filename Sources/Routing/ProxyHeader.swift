// The PROXY protocol's header (HAProxy's proxy-protocol.txt, "the specification" below), both versions, both
// ways: a few bytes by which a proxy tells the next hop whom it speaks for.
//
// Reading takes a `Span`, so that bytes from outside meet no unsafe code, and allocates only where a unix
// socket's path must be kept. It is stricter than inet_pton and strtol, on which most readers of version 1
// rest: two hops that read one header differently are a hole. Version 1 is in `ProxyHeader+Text.swift`,
// version 2 in `ProxyHeader+Binary.swift`.

package import Vocabulary

/// What a PROXY header says of the connection it stands before.
package enum ProxyHeader: Hashable, Sendable {
    /// Nothing: the addresses of the socket itself hold. Version 1 says UNKNOWN, version 2 LOCAL, or a family or
    /// transport that is UNSPEC.
    case unknown
    /// The connection is carried on for `source`, which had connected to `destination`. When read from a header,
    /// both are of one family.
    case relayed(source: SocketAddress, destination: SocketAddress)

    /// The header to write for a client's connection; `unknown` where an end has no address.
    package init(relaying facts: ConnectionFacts) {
        if let source = facts.peer, let destination = facts.local {
            self = .relayed(source: source, destination: destination)
        } else {
            self = .unknown
        }
    }

    /// What holds of a connection that began with this header, given what its socket says.
    package func facts(over socket: ConnectionFacts) -> ConnectionFacts {
        switch self {
        case .unknown: socket
        case .relayed(let source, let destination): ConnectionFacts(peer: source, local: destination)
        }
    }
}

// MARK: - Reading

extension ProxyHeader {
    /// What a connection's first bytes are.
    package enum Reading: Hashable, Sendable {
        /// The beginning of a header that has at least this many bytes in all.
        case needMore(atLeast: Int)
        /// A whole header, which takes the first `length` bytes.
        case header(ProxyHeader, length: Int)
        case malformed(ProxyHeaderFault)
    }

    /// Reads the header that `bytes` begin with, of either version: their first byte tells which.
    ///
    /// Whatever follows the header is not looked at. The first wrong byte of a signature or a line is refused
    /// when it comes, without waiting for what should follow it.
    package static func read(_ bytes: Span<UInt8>) -> Reading {
        guard !bytes.isEmpty else { return .needMore(atLeast: shortestText) }
        switch bytes[0] {
        case textSignature[0]: return readText(bytes)
        case binarySignature[0]: return readBinary(bytes)
        case let byte: return .malformed(.noHeader(byte, offset: 0))
        }
    }
}

// MARK: - Writing

extension ProxyHeader {
    /// Enough room for what ``encode(as:into:)`` writes, whatever the version.
    package static let longestEncoding = longestTextOfAddresses

    /// Writes the header to the start of `output`.
    ///
    /// Addresses that are not both IPv4 or both IPv6 are written as `unknown`: version 1 has no words for them,
    /// and for version 2 the specification lets receivers refuse all but TCP over IP and LOCAL. HAProxy does
    /// the same.
    /// - Precondition: `output` has room for ``longestEncoding`` bytes.
    /// - Returns: how many bytes it wrote.
    package func encode(as version: ProxyProtocolVersion, into output: inout MutableSpan<UInt8>) -> Int {
        precondition(output.count >= ProxyHeader.longestEncoding, "no room for a PROXY header")
        switch version {
        case .v1: return encodeText(into: &output)
        case .v2: return encodeBinary(into: &output)
        }
    }
}

extension MutableSpan<UInt8> {
    /// Puts one byte at `offset` and moves `offset` past it.
    mutating func put(_ byte: UInt8, at offset: inout Int) {
        self[offset] = byte
        offset += 1
    }

    mutating func put(_ text: StaticString, at offset: inout Int) {
        text.withUTF8Buffer { utf8 in
            for index in utf8.indices { unsafe put(utf8[index], at: &offset) }
        }
    }

    /// Puts a number in network order.
    mutating func put<Number: FixedWidthInteger>(bigEndian number: Number, at offset: inout Int) {
        for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
            put(UInt8(truncatingIfNeeded: number >> Number(shift)), at: &offset)
        }
    }
}
