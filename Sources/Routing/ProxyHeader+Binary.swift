// Version 2 of the PROXY protocol: a head of 16 bytes, the addresses, and vectors of type, length and value
// (§2.2 of the specification).
//
//     signature 12 | version, command 1 | family, transport 1 | length 2 | addresses | TLVs …
//
// The head is judged byte by byte as it comes, all else once it is whole. All TLVs are walked, since a length that
// does not add up means that sender and reader disagree on where the header ends; the one that is a checksum is
// verified, and the one that names the host which the client asked for can be asked for.

internal import Vocabulary

extension ProxyHeader {
    static let binarySignature: InlineArray<12, UInt8> = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
    /// Up to and with the length of what follows.
    static let binaryHeadLength = 16

    fileprivate enum Command: UInt8 { case local, proxy }
    fileprivate enum Family: UInt8 { case unspecified, ipv4, ipv6, unix }
    fileprivate enum Transport: UInt8 { case unspecified, stream, datagram }

    /// Reads a header whose first byte is that of the signature.
    static func readBinary(_ bytes: Span<UInt8>) -> Reading {
        for offset in 0..<min(bytes.count, binarySignature.count) where bytes[offset] != binarySignature[offset] {
            return .malformed(.noHeader(bytes[offset], offset: offset))
        }
        guard bytes.count > 12 else { return .needMore(atLeast: binaryHeadLength) }
        guard bytes[12] >> 4 == 2 else { return .malformed(.unknownVersion(bytes[12] >> 4)) }
        guard let command = Command(rawValue: bytes[12] & 15) else {
            return .malformed(.unknownCommand(bytes[12] & 15))
        }
        guard bytes.count > 13 else { return .needMore(atLeast: binaryHeadLength) }
        // LOCAL discards all that follows, an unknown family included.
        var layout = AddressLayout.none
        if command == .proxy {
            guard let family = Family(rawValue: bytes[13] >> 4) else {
                return .malformed(.unknownFamily(bytes[13] >> 4))
            }
            guard let transport = Transport(rawValue: bytes[13] & 15) else {
                return .malformed(.unknownTransport(bytes[13] & 15))
            }
            layout = AddressLayout(family, transport)
        }
        guard bytes.count >= binaryHeadLength else { return .needMore(atLeast: binaryHeadLength) }
        let announced = Int(bytes.bigEndian(at: 14) as UInt16)
        let length = binaryHeadLength + announced
        guard length <= Preface.bound.bytes else { return .malformed(.tooLong(announced: announced)) }
        guard announced >= layout.length else {
            return .malformed(.addressesCutShort(announced: announced, needed: layout.length))
        }
        guard bytes.count >= length else { return .needMore(atLeast: length) }
        return readBody(of: bytes.extracting(first: length), layout)
    }

    /// How the addresses stand behind the head.
    private enum AddressLayout {
        /// In no known way, if at all. What stands there is then skipped as a whole, unread: nothing says where
        /// the TLVs would begin, and a checksum over a header that states nothing guards nothing.
        case none
        case ipv4, ipv6, unix

        /// A datagram's addresses are as good as a stream's: somebody carries the datagrams of that client over
        /// this stream.
        init(_ family: Family, _ transport: Transport) {
            switch (family, transport) {
            case (.unspecified, _), (_, .unspecified): self = .none
            case (.ipv4, .stream), (.ipv4, .datagram): self = .ipv4
            case (.ipv6, .stream), (.ipv6, .datagram): self = .ipv6
            case (.unix, .stream), (.unix, .datagram): self = .unix
            }
        }

        var length: Int {
            switch self {
            case .none: 0
            case .ipv4: 2 * 4 + 2 * 2
            case .ipv6: 2 * 16 + 2 * 2
            case .unix: 2 * 108
            }
        }
    }

    /// - Parameter header: the whole header and nothing more.
    private static func readBody(of header: Span<UInt8>, _ layout: AddressLayout) -> Reading {
        let start = binaryHeadLength
        let addresses: ProxyHeader
        switch layout {
        case .none:
            return .header(.unknown, length: header.count)
        case .ipv4:
            addresses = .relayed(
                source: .ipv4(.init(bits: header.bigEndian(at: start)), port: header.bigEndian(at: start + 8)),
                destination: .ipv4(.init(bits: header.bigEndian(at: start + 4)), port: header.bigEndian(at: start + 10))
            )
        case .ipv6:
            addresses = .relayed(
                source: .ipv6(
                    .init(high: header.bigEndian(at: start), low: header.bigEndian(at: start + 8)),
                    port: header.bigEndian(at: start + 32)),
                destination: .ipv6(
                    .init(high: header.bigEndian(at: start + 16), low: header.bigEndian(at: start + 24)),
                    port: header.bigEndian(at: start + 34)))
        case .unix:
            if let source = unixAddress(header.extracting(start..<start + 108)),
                let destination = unixAddress(header.extracting(start + 108..<start + 216))
            {
                addresses = .relayed(source: source, destination: destination)
            } else {
                addresses = .unknown
            }
        }
        if let fault = faultOfVectors(in: header, from: start + layout.length) { return .malformed(fault) }
        return .header(addresses, length: header.count)
    }

    /// Nil for a socket without a path, an abstract one, and a path that `SocketAddress` cannot hold (one of all
    /// 108 bytes, or not printable text): it names nobody.
    private static func unixAddress(_ field: Span<UInt8>) -> SocketAddress? {
        var end = 0
        while end < field.count, field[end] != 0 {
            guard field[end] >= 0x20, field[end] != 0x7F else { return nil }
            end += 1
        }
        guard end > 0, end < field.count, let utf8 = try? UTF8Span(validating: field.extracting(first: end)) else {
            return nil
        }
        return .unix(path: String(copying: utf8))
    }

    /// The host that the client asked the header's sender for (PP2_TYPE_AUTHORITY, in practice TLS's server name), in
    /// lower case; nil where the header has none, or one that is no host name. Of several the first counts.
    /// - Parameter header: one that ``read(_:)`` has read, and nothing more.
    static func authority(in header: Span<UInt8>) -> String? {
        let authorityType: UInt8 = 0x02
        guard header.count > binaryHeadLength, header[0] == binarySignature[0], header[12] & 15 == 1,
            let family = Family(rawValue: header[13] >> 4), let transport = Transport(rawValue: header[13] & 15)
        else { return nil }
        let layout = AddressLayout(family, transport)
        guard layout != .none else { return nil }
        var offset = binaryHeadLength + layout.length
        while offset < header.count {
            let start = offset + vectorHeadLength
            let end = start + Int(header.bigEndian(at: offset + 1) as UInt16)
            if header[offset] == authorityType { return hostName(header.extracting(start..<end)) }
            offset = end
        }
        return nil
    }

    private static func hostName(_ bytes: Span<UInt8>) -> String? {
        guard (1...255).contains(bytes.count) else { return nil }
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        for place in bytes.indices {
            guard let lowered = ClientHello.lowered(bytes[place]) else { return nil }
            text.append(lowered)
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static let vectorHeadLength = 3

    private static func faultOfVectors(in header: Span<UInt8>, from start: Int) -> ProxyHeaderFault? {
        let checksumType: UInt8 = 0x03  // PP2_TYPE_CRC32C
        var checksum: Int?
        var offset = start
        while offset < header.count {
            guard header.count - offset >= vectorHeadLength else { return .vectorOverrun(offset: offset) }
            let length = Int(header.bigEndian(at: offset + 1) as UInt16)
            guard header.count - offset - vectorHeadLength >= length else { return .vectorOverrun(offset: offset) }
            if header[offset] == checksumType {
                guard checksum == nil, length == 4 else { return .misplacedChecksum(offset: offset) }
                checksum = offset + vectorHeadLength
            }
            offset += vectorHeadLength + length
        }
        guard let checksum else { return nil }
        let found: UInt32 = header.bigEndian(at: checksum)
        let computed = crc32c(of: header, zeroing: checksum..<checksum + 4)
        return found == computed ? nil : .wrongChecksum(found: found, computed: computed)
    }
}

/// CRC-32C (RFC 4960, appendix B) of `bytes` as if those at `hole` were zero.
///
/// Half a byte at a time, by 16 constants: a header with a checksum has some sixty bytes, which take 0.4 µs. One of
/// 16 KiB takes 105 µs; a table of 256 would be quicker there, and has to be kept for what nobody sends.
func crc32c(of bytes: Span<UInt8>, zeroing hole: Range<Int>) -> UInt32 {
    let table: InlineArray<16, UInt32> = [
        0x0000_0000, 0x105E_C76F, 0x20BD_8EDE, 0x30E3_49B1, 0x417B_1DBC, 0x5125_DAD3, 0x61C6_9362, 0x7198_540D,
        0x82F6_3B78, 0x92A8_FC17, 0xA24B_B5A6, 0xB215_72C9, 0xC38D_26C4, 0xD3D3_E1AB, 0xE330_A81A, 0xF36E_6F75,
    ]
    var checksum = UInt32.max
    for index in bytes.indices {
        if !hole.contains(index) { checksum ^= UInt32(bytes[index]) }
        checksum = checksum >> 4 ^ table[Int(checksum & 15)]
        checksum = checksum >> 4 ^ table[Int(checksum & 15)]
    }
    return ~checksum
}

extension Span<UInt8> {
    fileprivate func bigEndian<Number: FixedWidthInteger & UnsignedInteger>(at offset: Int) -> Number {
        var number: Number = 0
        for index in offset..<offset + MemoryLayout<Number>.size { number = number << 8 | Number(self[index]) }
        return number
    }
}

// MARK: - Writing

extension ProxyHeader {
    func encodeBinary(into output: inout MutableSpan<UInt8>) -> Int {
        var offset = 0
        for index in ProxyHeader.binarySignature.indices {
            output.put(ProxyHeader.binarySignature[index], at: &offset)
        }
        switch self {
        case .relayed(.ipv4(let source, let sourcePort), .ipv4(let destination, let destinationPort)):
            output.putHead(.proxy, .ipv4, .stream, length: AddressLayout.ipv4.length, at: &offset)
            output.put(bigEndian: source.bits, at: &offset)
            output.put(bigEndian: destination.bits, at: &offset)
            output.put(bigEndian: sourcePort, at: &offset)
            output.put(bigEndian: destinationPort, at: &offset)
        case .relayed(.ipv6(let source, let sourcePort), .ipv6(let destination, let destinationPort)):
            output.putHead(.proxy, .ipv6, .stream, length: AddressLayout.ipv6.length, at: &offset)
            output.put(bigEndian: source.high, at: &offset)
            output.put(bigEndian: source.low, at: &offset)
            output.put(bigEndian: destination.high, at: &offset)
            output.put(bigEndian: destination.low, at: &offset)
            output.put(bigEndian: sourcePort, at: &offset)
            output.put(bigEndian: destinationPort, at: &offset)
        case .relayed, .unknown:
            output.putHead(.local, .unspecified, .unspecified, length: 0, at: &offset)
        }
        return offset
    }
}

extension MutableSpan<UInt8> {
    fileprivate mutating func putHead(
        _ command: ProxyHeader.Command, _ family: ProxyHeader.Family, _ transport: ProxyHeader.Transport, length: Int,
        at offset: inout Int
    ) {
        put(2 << 4 | command.rawValue, at: &offset)
        put(family.rawValue << 4 | transport.rawValue, at: &offset)
        put(bigEndian: UInt16(length), at: &offset)
    }
}
