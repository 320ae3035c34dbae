import Testing
import Vocabulary

@testable import Routing

@Suite("PROXY headers")
struct ProxyHeaderTests {
    // MARK: What is read

    @Test("Headers that HAProxy sent are read", arguments: Captured.headers)
    func captured(bytes: [UInt8], header: ProxyHeader) {
        #expect(ProxyHeader.read(exactly: bytes) == .header(header, length: bytes.count))
    }

    static let lines: [(line: String, header: ProxyHeader)] = [
        // The specification's example and its longest lines
        ("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", relayed("192.168.0.1:56324", "192.168.0.11:443")),
        (
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            relayed("255.255.255.255:65535", "255.255.255.255:65535")
        ),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            relayed(
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")
        ),
        (
            "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            .unknown
        ),
        ("PROXY UNKNOWN \r\n", .unknown),
        ("PROXY UNKNOWN   whatever \0 it is\r\n", .unknown),
        ("PROXY TCP4 0.0.0.0 1.2.3.4 0 1\r\n", relayed("0.0.0.0:0", "1.2.3.4:1")),
        ("PROXY TCP6 :: ::1 0 1\r\n", relayed("[::]:0", "[::1]:1")),
        ("PROXY TCP6 FD00::A 0001:02:3:4:5:6:7:8 1 2\r\n", relayed("[fd00::a]:1", "[1:2:3:4:5:6:7:8]:2")),
        ("PROXY TCP6 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1 2\r\n", relayed("[1:2:3:4:5:6:7:0]:1", "[0:2:3:4:5:6:7:8]:2")),
        ("PROXY TCP6 1::8 1:2:3:4:5:6:1.2.3.4 1 2\r\n", relayed("[1::8]:1", "[1:2:3:4:5:6:102:304]:2")),
        ("PROXY TCP6 1:2::1.2.3.4 ::1.2.3.4 1 2\r\n", relayed("[1:2::102:304]:1", "[::102:304]:2")),
    ]

    @Test("Lines of version 1 are read, and what follows is left alone", arguments: lines)
    func text(line: String, header: ProxyHeader) {
        let bytes = [UInt8].text(line)
        #expect(bytes.count <= ProxyHeader.longestText)
        #expect(ProxyHeader.read(exactly: bytes) == .header(header, length: bytes.count))
        #expect(ProxyHeader.read(exactly: bytes + .text("\r\nGET")) == .header(header, length: bytes.count))
    }

    static let ipv4Body: [UInt8] = [10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0, 80]
    static let ipv4Header = relayed("10.0.0.1:4660", "10.0.0.2:80")
    static let ipv6Body: [UInt8] = .hex("fd000000000000000000000000000001 fd000000000000000000000000000002 1234 0050")
    static let ipv6Header = relayed("[fd00::1]:4660", "[fd00::2]:80")

    /// Two fields of 108 bytes.
    static func unixBody(_ source: [UInt8], _ destination: [UInt8]) -> [UInt8] {
        [source, destination].flatMap { $0 + [UInt8](repeating: 0, count: 108 - $0.count) }
    }

    static let binaries: [(name: String, bytes: [UInt8], header: ProxyHeader)] = [
        ("TCP over IPv4", .binary(family: 0x11, ipv4Body), ipv4Header),
        ("UDP over IPv4", .binary(family: 0x12, ipv4Body), ipv4Header),
        ("TCP over IPv6", .binary(family: 0x21, ipv6Body), ipv6Header),
        ("UDP over IPv6", .binary(family: 0x22, ipv6Body), ipv6Header),
        (
            "unix stream", .binary(family: 0x31, unixBody(.text("/run/client"), .text("/run/server"))),
            relayed("unix:/run/client", "unix:/run/server")
        ),
        (
            "unix datagram",
            .binary(family: 0x32, unixBody(.text("/a"), .text("/" + String(repeating: "b", count: 106)))),
            relayed("unix:/a", "unix:/" + String(repeating: "b", count: 106))
        ),
        ("unix without a source path", .binary(family: 0x31, unixBody([], .text("/run/server"))), .unknown),
        ("an abstract unix socket", .binary(family: 0x31, unixBody([0, 0x61], .text("/run/server"))), .unknown),
        ("a path that is not UTF-8", .binary(family: 0x31, unixBody([0x2F, 0xFF], .text("/run/server"))), .unknown),
        ("a path with a line end", .binary(family: 0x31, unixBody(.text("/a\nb"), .text("/run/server"))), .unknown),
        (
            "a path of all 108 bytes",
            .binary(family: 0x31, unixBody([UInt8](repeating: 0x61, count: 108), .text("/run/server"))), .unknown
        ),
        ("LOCAL", .binary(versionAndCommand: 0x20, family: 0), .unknown),
        ("LOCAL with addresses", .binary(versionAndCommand: 0x20, family: 0x11, ipv4Body), .unknown),
        ("LOCAL with bytes of no meaning", .binary(versionAndCommand: 0x20, family: 0xFF, [1, 2, 3]), .unknown),
        ("PROXY for an unspecified family", .binary(family: 0x00), .unknown),
        ("an unspecified family with bytes", .binary(family: 0x01, [3, 0, 200]), .unknown),
        ("an unspecified transport", .binary(family: 0x10, [1]), .unknown),
        ("TLVs, one of them empty", .binary(ipv4Body + [4, 0, 0, 0xE0, 0, 2, 8, 9, 4, 0, 1, 0]), ipv4Header),
        (
            "as long as the bound",
            .binary(ipv4Body + [4, 0x3F, 0xE1] + [UInt8](repeating: 0, count: 0x3FE1)), ipv4Header
        ),
    ]

    @Test("Headers of version 2 are read, and what follows is left alone", arguments: binaries)
    func binary(name: String, bytes: [UInt8], header: ProxyHeader) {
        #expect(ProxyHeader.read(exactly: bytes) == .header(header, length: bytes.count))
        #expect(ProxyHeader.read(exactly: bytes + [0x0D, 0, 1]) == .header(header, length: bytes.count))
    }

    // MARK: What is refused

    static let malformed: [(bytes: [UInt8], fault: ProxyHeaderFault)] = [
        (.text("G"), .noHeader(0x47, offset: 0)),
        (.text("\n"), .noHeader(0x0A, offset: 0)),
        ([0x16, 3, 1], .noHeader(0x16, offset: 0)),
        (.text("proxy TCP4"), .noHeader(0x70, offset: 0)),
        (.text("PROXIES"), .noHeader(0x49, offset: 4)),
        (.text("POST / HTTP/1.1\r\n"), .noHeader(0x4F, offset: 1)),
        (.text("PROXY\t"), .noHeader(0x09, offset: 5)),
        (.text("\r\n\r\n\0\r\nQUIX"), .noHeader(0x58, offset: 10)),
        (.text("\r\n\r\nGET"), .noHeader(0x47, offset: 4)),

        (.text("PROXY  "), .unexpectedByte(0x20, offset: 6, wanted: .family)),
        (.text("PROXY tcp4"), .unexpectedByte(0x74, offset: 6, wanted: .family)),
        (.text("PROXY TCP5"), .unexpectedByte(0x35, offset: 9, wanted: .family)),
        (.text("PROXY UDP4"), .unexpectedByte(0x44, offset: 7, wanted: .family)),
        (.text("PROXY UNKNOWN\n"), .unexpectedByte(0x0A, offset: 13, wanted: .space)),
        (.text("PROXY UNKNOWNS"), .unexpectedByte(0x53, offset: 13, wanted: .space)),
        (.text("PROXY UNKNOWN\rX"), .unexpectedByte(0x58, offset: 14, wanted: .lineFeed)),
        (.text("PROXY UNKNOWN a\rb\r\n"), .unexpectedByte(0x62, offset: 16, wanted: .lineFeed)),
        (.text("PROXY UNKNOWN a\n"), .unexpectedByte(0x0A, offset: 15, wanted: .carriageReturn)),
        (.text("PROXY UNKNOWN " + String(repeating: "x", count: 93)), .lineTooLong),
        (.text("PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n"), .lineTooLong),
        (.text("PROXY TCP4  1"), .unexpectedByte(0x20, offset: 11, wanted: .digit)),
        (.text("PROXY TCP4\r\n"), .unexpectedByte(0x0D, offset: 10, wanted: .space)),
        (.text("PROXY TCP4 1.2.3 "), .unexpectedByte(0x20, offset: 16, wanted: .dot)),
        (.text("PROXY TCP4 1..2.3 "), .unexpectedByte(0x2E, offset: 13, wanted: .digit)),
        (.text("PROXY TCP4 1.2.3.4.5"), .unexpectedByte(0x2E, offset: 18, wanted: .space)),
        (.text("PROXY TCP4 1.2.3.x"), .unexpectedByte(0x78, offset: 17, wanted: .digit)),
        (.text("PROXY TCP4 256"), .numberAbove(255, offset: 11)),
        (.text("PROXY TCP4 01"), .leadingZero(offset: 11)),
        (.text("PROXY TCP4 1.2.3.00"), .leadingZero(offset: 17)),
        (.text("PROXY TCP4 ::1 "), .unexpectedByte(0x3A, offset: 11, wanted: .digit)),
        (.text("PROXY TCP4 1.2.3.4 5.6.7.8 65536"), .numberAbove(65535, offset: 27)),
        (.text("PROXY TCP4 1.2.3.4 5.6.7.8 080"), .leadingZero(offset: 27)),
        (.text("PROXY TCP4 1.2.3.4 5.6.7.8 -1"), .unexpectedByte(0x2D, offset: 27, wanted: .digit)),
        (.text("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), .unexpectedByte(0x0D, offset: 28, wanted: .space)),
        (.text("PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n"), .unexpectedByte(0x0D, offset: 29, wanted: .digit)),
        (.text("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"), .unexpectedByte(0x20, offset: 30, wanted: .lineEnd)),
        (.text("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), .unexpectedByte(0x0A, offset: 30, wanted: .lineEnd)),
        (.text("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r"), .unexpectedByte(0x0D, offset: 31, wanted: .lineFeed)),
        (.text("PROXY TCP6 1.2.3.4 "), .misshapenIPv6(offset: 11)),
        (.text("PROXY TCP6 :1"), .unexpectedByte(0x31, offset: 12, wanted: .colon)),
        (.text("PROXY TCP6 1: "), .unexpectedByte(0x20, offset: 13, wanted: .hexadecimal)),
        (.text("PROXY TCP6 :::"), .unexpectedByte(0x3A, offset: 13, wanted: .hexadecimal)),
        (.text("PROXY TCP6 1::2::"), .misshapenIPv6(offset: 11)),
        (.text("PROXY TCP6 12345"), .unexpectedByte(0x35, offset: 15, wanted: .colon)),
        (.text("PROXY TCP6 g"), .unexpectedByte(0x67, offset: 11, wanted: .hexadecimal)),
        (.text("PROXY TCP6 1:2:3:4:5:6:7 "), .misshapenIPv6(offset: 11)),
        (.text("PROXY TCP6 1:2:3:4:5:6:7:8:9 "), .misshapenIPv6(offset: 11)),
        (.text("PROXY TCP6 1:2:3:4:5:6:7:8:: "), .misshapenIPv6(offset: 11)),
        (.text("PROXY TCP6 ::1:2:3:4:5:6:7:8 "), .misshapenIPv6(offset: 11)),
        (.text("PROXY TCP6 1:2:3:4:5:6:7:1.2.3.4 "), .misshapenIPv6(offset: 11)),
        (.text("PROXY TCP6 ::256.2.3.4 "), .numberAbove(255, offset: 13)),
        (.text("PROXY TCP6 fe80::1%"), .unexpectedByte(0x25, offset: 18, wanted: .colon)),

        (.binary(versionAndCommand: 0x11, ipv4Body), .unknownVersion(1)),
        (.binary(versionAndCommand: 0x31, ipv4Body), .unknownVersion(3)),
        (.binary(versionAndCommand: 0x22, ipv4Body), .unknownCommand(2)),
        (.binary(family: 0x41, ipv4Body), .unknownFamily(4)),
        (.binary(family: 0x13, ipv4Body), .unknownTransport(3)),
        (.binary(family: 0x11, length: 11), .addressesCutShort(announced: 11, needed: 12)),
        (.binary(family: 0x21, length: 35), .addressesCutShort(announced: 35, needed: 36)),
        (.binary(family: 0x31, length: 215), .addressesCutShort(announced: 215, needed: 216)),
        (.binary(length: 16_369), .tooLong(announced: 16_369)),
        (.binary(versionAndCommand: 0x20, length: 65_535), .tooLong(announced: 65_535)),
        (.binary(ipv4Body + [4]), .vectorOverrun(offset: 28)),
        (.binary(ipv4Body + [4, 0]), .vectorOverrun(offset: 28)),
        (.binary(ipv4Body + [4, 0, 1]), .vectorOverrun(offset: 28)),
        (.binary(ipv4Body + [4, 0, 0, 4, 1, 0, 0]), .vectorOverrun(offset: 31)),
        (.binary(ipv4Body + [3, 0, 3, 0, 0, 0]), .misplacedChecksum(offset: 28)),
        (
            .binary(ipv4Body + [3, 0, 4, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0]),
            .misplacedChecksum(offset: 35)
        ),
    ]

    @Test("Malformed headers are refused, at the first byte that no header has there", arguments: malformed)
    func refusal(bytes: [UInt8], fault: ProxyHeaderFault) {
        #expect(ProxyHeader.read(exactly: bytes) == .malformed(fault))
        #expect(ProxyHeader.read(exactly: bytes + .text("\r\n\r\n")) == .malformed(fault))
    }

    @Test("A fault is one short sentence and shows at most one byte of the peer's", arguments: malformed.map(\.fault))
    func sentences(fault: ProxyHeaderFault) {
        let sentence = PrefaceFault.proxyHeader(fault).description
        #expect(sentence.utf8.count < 100)
        #expect(sentence.utf8.allSatisfy { (0x20..<0x7F).contains($0) })
    }

    @Test("Bytes are shown as characters only if they print")
    func escapes() {
        #expect(
            ProxyHeaderFault.noHeader(0x47, offset: 0).description
                == "byte 0 is 'G', which begins no PROXY header; is the peer set to send one?")
        #expect(
            ProxyHeaderFault.unexpectedByte(0x0A, offset: 13, wanted: .space).description
                == "byte 13 of the PROXY line is 0x0a where a single space belongs")
        #expect(
            ProxyHeaderFault.wrongChecksum(found: 1, computed: 0xFEDC_BA98).description
                == "the PROXY header's CRC32C is 0x00000001; its bytes make 0xfedcba98")
        #expect(ProxyHeaderFault.tooLong(announced: 16_369).description.hasSuffix("at most 16368 are read"))
    }

    // MARK: The checksum

    @Test("CRC-32C gives the check value of its definition, and sees zeros in the hole")
    func checksumValue() {
        func checksum(_ bytes: [UInt8], hole: Range<Int> = 0..<0) -> UInt32 { crc32c(of: bytes.span, zeroing: hole) }
        #expect(checksum(.text("123456789")) == 0xE306_9283)
        #expect(checksum([1, 2, 9, 9, 3], hole: 2..<4) == checksum([1, 2, 0, 0, 3]))
    }

    @Test("A header with a checksum is refused if any bit of it is wrong", arguments: Captured.withChecksum)
    func checksum(bytes: [UInt8]) throws {
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            switch ProxyHeader.read(exactly: damaged) {
            case .malformed: break
            case .needMore(let count): #expect(count > bytes.count, "bit \(bit) made the header longer")
            case .header(let header, let length):
                // What states nothing needs no checksum, and a TLV of another type is none.
                let lostItsMeaning = header == .unknown || [28, 52].contains(bit / 8)
                #expect(lostItsMeaning && length == bytes.count, "bit \(bit)")
            }
        }
    }

    // MARK: What is written

    static let written: [(header: ProxyHeader, version: ProxyProtocolVersion, bytes: [UInt8])] = [
        (ipv4Header, .v1, .text("PROXY TCP4 10.0.0.1 10.0.0.2 4660 80\r\n")),
        (ipv6Header, .v1, .text("PROXY TCP6 fd00::1 fd00::2 4660 80\r\n")),
        (ipv4Header, .v2, .binary(family: 0x11, ipv4Body)),
        (ipv6Header, .v2, .binary(family: 0x21, ipv6Body)),
        (.unknown, .v1, .text("PROXY UNKNOWN\r\n")),
        (.unknown, .v2, .binary(versionAndCommand: 0x20, family: 0)),
        (relayed("10.0.0.1:1", "[::1]:2"), .v1, .text("PROXY UNKNOWN\r\n")),
        (relayed("10.0.0.1:1", "[::1]:2"), .v2, .binary(versionAndCommand: 0x20, family: 0)),
        (relayed("unix:/a", "unix:/b"), .v1, .text("PROXY UNKNOWN\r\n")),
        (relayed("unix:/a", "unix:/b"), .v2, .binary(versionAndCommand: 0x20, family: 0)),
        (relayed("0.0.0.0:0", "255.10.100.9:10000"), .v1, .text("PROXY TCP4 0.0.0.0 255.10.100.9 0 10000\r\n")),
    ]

    @Test("Headers are written as the specification has them", arguments: written)
    func encoding(header: ProxyHeader, version: ProxyProtocolVersion, bytes: [UInt8]) {
        #expect(header.encoded(as: version) == bytes)
    }

    @Test(
        "What HAProxy wrote without TLVs is what we write of the same connection", arguments: Captured.headers.prefix(8)
    )
    func likeHAProxy(bytes: [UInt8], header: ProxyHeader) {
        #expect(header.encoded(as: bytes[0] == 0x50 ? .v1 : .v2) == bytes)
    }

    @Test("The longest header takes all the room that is asked for")
    func longest() {
        #expect(Self.lines[2].header.encoded(as: .v1).count == ProxyHeader.longestEncoding)
    }

    // MARK: What becomes of the facts

    @Test("A header's addresses replace the socket's; one that states nothing leaves them")
    func facts() throws {
        let socket = ConnectionFacts(
            peer: try SocketAddress(parsing: "10.9.9.9:9"), local: try SocketAddress(parsing: "10.8.8.8:8"))
        #expect(ProxyHeader.unknown.facts(over: socket) == socket)
        let facts = Self.ipv4Header.facts(over: socket)
        #expect(ProxyHeader(relaying: facts) == Self.ipv4Header)
        #expect(ProxyHeader(relaying: ConnectionFacts(peer: nil, local: socket.local)) == .unknown)
        #expect(ProxyHeader(relaying: ConnectionFacts(peer: socket.peer, local: nil)) == .unknown)
    }

    @Test("A listener reads ahead what its options say, and nothing else")
    func preface() {
        let socket = ConnectionFacts(peer: nil, local: .unix(path: "/l"))
        var options = ListenerOptions(name: "l", bind: .unix(path: "/l"), upstream: "u")
        let line = [UInt8].text("PROXY TCP4 10.0.0.1 10.0.0.2 4660 80\r\nhello")
        #expect(options.preface.examine(bytes: line, of: socket) == .done(length: 0, facts: socket))
        #expect(options.preface.examine(bytes: [], of: socket) == .done(length: 0, facts: socket))
        options.acceptProxyProtocol = true
        #expect(
            options.preface.examine(bytes: line, of: socket)
                == .done(length: line.count - 5, facts: Self.ipv4Header.facts(over: socket)))
        #expect(options.preface.examine(bytes: [], of: socket) == .needMore(atLeast: 15))
        #expect(
            options.preface.examine(bytes: [0x47], of: socket) == .malformed(.proxyHeader(.noHeader(0x47, offset: 0))))
    }
}
