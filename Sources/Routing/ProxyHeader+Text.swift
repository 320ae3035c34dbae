// Version 1 of the PROXY protocol: one line of ASCII (§2.1 of the specification).
//
//     PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n
//
// The line is read by its grammar, byte for byte, and the reader stops in one of three ways: at the line's end,
// at the first byte that the grammar does not allow, or where the bytes end. Searching for CRLF and then
// splitting the line was not taken: it waits for 107 bytes of nonsense.

import Glibc
internal import Vocabulary

extension ProxyHeader {
    static let textSignature: InlineArray<6, UInt8> = [0x50, 0x52, 0x4F, 0x58, 0x59, 0x20]  // "PROXY "
    /// `PROXY UNKNOWN\r\n`, the shortest header of all.
    static let shortestText = 15
    /// Two full IPv6 addresses and two ports of five digits.
    static let longestTextOfAddresses = 104
    /// The specification's worst case: UNKNOWN with full IPv6 addresses after it. No line is longer.
    package static let longestText = 107

    /// Reads a line whose first byte is that of the signature.
    static func readText(_ bytes: Span<UInt8>) -> Reading {
        var line = TextReader()
        do throws(TextReader.Stop) {
            let header = try line.header(in: bytes)
            return .header(header, length: line.offset)
        } catch {
            switch error {
            case .bytesEnded:
                // The line lacks at least its LF, and the CR before that unless it is already there.
                let missing = bytes[bytes.count - 1] == Ascii.carriageReturn ? 1 : 2
                return .needMore(atLeast: min(max(shortestText, bytes.count + missing), longestText))
            case .fault(let fault):
                return .malformed(fault)
            }
        }
    }

    func encodeText(into output: inout MutableSpan<UInt8>) -> Int {
        var offset = 0
        switch self {
        case .relayed(.ipv4(let source, let sourcePort), .ipv4(let destination, let destinationPort)):
            output.put("PROXY TCP4 ", at: &offset)
            output.put(textOf: source, at: &offset)
            output.put(Ascii.space, at: &offset)
            output.put(textOf: destination, at: &offset)
            output.put(ports: sourcePort, destinationPort, at: &offset)
        case .relayed(.ipv6(let source, let sourcePort), .ipv6(let destination, let destinationPort)):
            output.put("PROXY TCP6 ", at: &offset)
            output.put(textOf: source, at: &offset)
            output.put(Ascii.space, at: &offset)
            output.put(textOf: destination, at: &offset)
            output.put(ports: sourcePort, destinationPort, at: &offset)
        case .relayed, .unknown:
            output.put("PROXY UNKNOWN", at: &offset)
        }
        output.put("\r\n", at: &offset)
        return offset
    }
}

// MARK: - Reading

/// Where the reader is in the line. The line itself is handed to every operation: a type that kept the span
/// would need lifetimes, which the language does not yet let us write down.
private struct TextReader {
    /// Bytes taken so far.
    var offset = 0

    enum Stop: Error {
        /// A header so far, but not a whole one.
        case bytesEnded
        case fault(ProxyHeaderFault)
    }

    mutating func header(in line: Span<UInt8>) throws(Stop) -> ProxyHeader {
        for index in ProxyHeader.textSignature.indices {
            let byte = try peek(in: line)
            guard byte == ProxyHeader.textSignature[index] else { throw .fault(.noHeader(byte, offset: offset)) }
            offset += 1
        }
        if try peek(in: line) == Ascii.U {
            try expect(Ascii.unknown, .family, in: line)
            try skipToEnd(of: line)
            return .unknown
        }
        try expect(Ascii.tcp, .family, in: line)
        switch try peek(in: line) {
        case Ascii.four:
            offset += 1
            try expect(Ascii.space, .space, in: line)
            let source = try ipv4(in: line)
            try expect(Ascii.space, .space, in: line)
            let destination = try ipv4(in: line)
            let (sourcePort, destinationPort) = try portsAndEnd(of: line)
            return .relayed(
                source: .ipv4(source, port: sourcePort), destination: .ipv4(destination, port: destinationPort))
        case Ascii.six:
            offset += 1
            try expect(Ascii.space, .space, in: line)
            let source = try ipv6(in: line)
            try expect(Ascii.space, .space, in: line)
            let destination = try ipv6(in: line)
            let (sourcePort, destinationPort) = try portsAndEnd(of: line)
            return .relayed(
                source: .ipv6(source, port: sourcePort), destination: .ipv6(destination, port: destinationPort))
        case let byte:
            throw .fault(.unexpectedByte(byte, offset: offset, wanted: .family))
        }
    }

    private mutating func portsAndEnd(of line: Span<UInt8>) throws(Stop) -> (UInt16, UInt16) {
        try expect(Ascii.space, .space, in: line)
        let source = try number(upTo: Int(UInt16.max), in: line)
        try expect(Ascii.space, .space, in: line)
        let destination = try number(upTo: Int(UInt16.max), in: line)
        try expect(Ascii.carriageReturn, .lineEnd, in: line)
        try expect(Ascii.lineFeed, .lineFeed, in: line)
        return (UInt16(source), UInt16(destination))
    }

    /// UNKNOWN may be followed by anything, which means nothing. A CR or LF alone would mean an end to some
    /// readers and none to others, and is refused.
    private mutating func skipToEnd(of line: Span<UInt8>) throws(Stop) {
        if try peek(in: line) != Ascii.carriageReturn {
            try expect(Ascii.space, .space, in: line)
        }
        while true {
            switch try peek(in: line) {
            case Ascii.carriageReturn:
                offset += 1
                try expect(Ascii.lineFeed, .lineFeed, in: line)
                return
            case Ascii.lineFeed:
                throw .fault(.unexpectedByte(Ascii.lineFeed, offset: offset, wanted: .carriageReturn))
            default:
                offset += 1
            }
        }
    }

    private mutating func ipv4(in line: Span<UInt8>) throws(Stop) -> SocketAddress.IPv4 {
        var bits = UInt32(try number(upTo: 255, in: line))
        for _ in 1..<4 {
            try expect(Ascii.dot, .dot, in: line)
            bits = bits << 8 | UInt32(try number(upTo: 255, in: line))
        }
        return SocketAddress.IPv4(bits: bits)
    }

    /// Reads every form of RFC 4291 §2.2. The specification names hexadecimal groups only, but everybody writes
    /// addresses with inet_ntop, and so IPv4-mapped ones with four decimal octets at the end.
    private mutating func ipv6(in line: Span<UInt8>) throws(Stop) -> SocketAddress.IPv6 {
        let start = offset
        var groups = 0
        var bits: UInt128 = 0  // of the groups so far, the last one lowest
        var gap: Int?  // how many groups stand before "::"
        if try peek(in: line) == Ascii.colon {
            offset += 1
            try expect(Ascii.colon, .colon, in: line)
            gap = 0
        }
        while true {
            if gap == groups, try peek(in: line) == Ascii.space { break }  // nothing stands after "::"
            let groupStart = offset
            let group = try hexadecimalGroup(in: line)
            let following = try peek(in: line)
            if following == Ascii.dot {
                offset = groupStart
                bits = bits << 32 | UInt128(try ipv4(in: line).bits)
                groups += 2
                break
            }
            bits = bits << 16 | UInt128(group)
            groups += 1
            guard groups <= 8 else { throw .fault(.misshapenIPv6(offset: start)) }
            if following == Ascii.space { break }
            try expect(Ascii.colon, .colon, in: line)
            if try peek(in: line) == Ascii.colon {
                guard gap == nil else { throw .fault(.misshapenIPv6(offset: start)) }
                offset += 1
                gap = groups
            }
        }
        guard let gap else {
            guard groups == 8 else { throw .fault(.misshapenIPv6(offset: start)) }
            return address(of: bits)
        }
        guard groups < 8 else { throw .fault(.misshapenIPv6(offset: start)) }
        let tailWidth = 16 * (groups - gap)
        let tail = bits & ((1 << tailWidth) - 1)
        return address(of: (bits >> tailWidth) << (128 - 16 * gap) | tail)
    }

    private func address(of bits: UInt128) -> SocketAddress.IPv6 {
        SocketAddress.IPv6(high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits))
    }

    /// One to four digits; a fifth is left for the caller, who wants a colon there.
    private mutating func hexadecimalGroup(in line: Span<UInt8>) throws(Stop) -> UInt16 {
        var group: UInt16 = 0
        for count in 0..<4 {
            let byte = try peek(in: line)
            guard let digit = hexadecimalValue(byte) else {
                if count > 0 { break }
                throw .fault(.unexpectedByte(byte, offset: offset, wanted: .hexadecimal))
            }
            group = group << 4 | UInt16(digit)
            offset += 1
        }
        return group
    }

    private func hexadecimalValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    private mutating func number(upTo limit: Int, in line: Span<UInt8>) throws(Stop) -> Int {
        let start = offset
        var value = 0
        while true {
            let byte = try peek(in: line)
            guard (0x30...0x39).contains(byte) else {
                if offset > start { return value }
                throw .fault(.unexpectedByte(byte, offset: offset, wanted: .digit))
            }
            if value == 0, offset > start { throw .fault(.leadingZero(offset: start)) }
            value = value * 10 + Int(byte - 0x30)
            guard value <= limit else { throw .fault(.numberAbove(limit, offset: start)) }
            offset += 1
        }
    }

    private mutating func expect(
        _ byte: UInt8, _ wanted: ProxyHeaderFault.Wanted, in line: Span<UInt8>
    ) throws(Stop) {
        let found = try peek(in: line)
        guard found == byte else { throw .fault(.unexpectedByte(found, offset: offset, wanted: wanted)) }
        offset += 1
    }

    private mutating func expect<let length: Int>(
        _ word: InlineArray<length, UInt8>, _ wanted: ProxyHeaderFault.Wanted, in line: Span<UInt8>
    ) throws(Stop) {
        for index in word.indices { try expect(word[index], wanted, in: line) }
    }

    private func peek(in line: Span<UInt8>) throws(Stop) -> UInt8 {
        guard offset < ProxyHeader.longestText else { throw .fault(.lineTooLong) }
        guard offset < line.count else { throw .bytesEnded }
        return line[offset]
    }
}

private enum Ascii {
    static let carriageReturn = UInt8(ascii: "\r")
    static let lineFeed = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let dot = UInt8(ascii: ".")
    static let colon = UInt8(ascii: ":")
    static let four = UInt8(ascii: "4")
    static let six = UInt8(ascii: "6")
    static let U = UInt8(ascii: "U")
    static let tcp: InlineArray<3, UInt8> = [0x54, 0x43, 0x50]
    static let unknown: InlineArray<7, UInt8> = [0x55, 0x4E, 0x4B, 0x4E, 0x4F, 0x57, 0x4E]
}

// MARK: - Writing

extension MutableSpan<UInt8> {
    fileprivate mutating func put(textOf ip: SocketAddress.IPv4, at offset: inout Int) {
        put(decimal: ip.bits >> 24, at: &offset)
        for shift in stride(from: UInt32(16), through: 0, by: -8) {
            put(Ascii.dot, at: &offset)
            put(decimal: ip.bits >> shift & 255, at: &offset)
        }
    }

    /// The form of RFC 5952, which is inet_ntop's.
    fileprivate mutating func put(textOf ip: SocketAddress.IPv6, at offset: inout Int) {
        var raw = (ip.high.bigEndian, ip.low.bigEndian)
        let start = offset
        offset += unsafe withUnsafeMutableBytes { output in
            let room = unsafe output[start...]
            let text = unsafe inet_ntop(
                AF_INET6, &raw, UnsafeMutableRawBufferPointer(rebasing: room).bindMemory(to: CChar.self).baseAddress,
                socklen_t(room.count))
            // It refuses only where there is no room; `longestEncoding` has some for this, its NUL and more.
            guard let text = unsafe text else { preconditionFailure("no room for an IPv6 address") }
            return unsafe strlen(text)
        }
    }

    fileprivate mutating func put(decimal number: UInt32, at offset: inout Int) {
        var divisor: UInt32 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            put(UInt8(truncatingIfNeeded: 0x30 + number / divisor % 10), at: &offset)
            divisor /= 10
        }
    }

    fileprivate mutating func put(ports source: UInt16, _ destination: UInt16, at offset: inout Int) {
        put(Ascii.space, at: &offset)
        put(decimal: UInt32(source), at: &offset)
        put(Ascii.space, at: &offset)
        put(decimal: UInt32(destination), at: &offset)
    }
}
