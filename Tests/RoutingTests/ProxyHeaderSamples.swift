// Headers to test with, and the two views of bytes that the tests need.

import Routing
import Vocabulary

/// Headers as HAProxy 2.6.12 sent them (`send-proxy`, `send-proxy-v2`, with `proxy-v2-options crc32c,unique-id`,
/// and `send-proxy-v2-ssl-cn`), captured from its listeners on loopback.
enum Captured {
    static let headers: [(bytes: [UInt8], header: ProxyHeader)] = [
        (.text("PROXY TCP4 127.0.0.1 127.0.0.1 48602 21001\r\n"), relayed("127.0.0.1:48602", "127.0.0.1:21001")),
        (.text("PROXY TCP6 ::1 ::1 51354 21002\r\n"), relayed("[::1]:51354", "[::1]:21002")),
        (
            .text("PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 55320 21003\r\n"),
            relayed("[::ffff:127.0.0.1]:55320", "[::ffff:127.0.0.1]:21003")
        ),
        (.text("PROXY UNKNOWN\r\n"), .unknown),
        (
            .hex("0d0a0d0a000d0a515549540a 2111000c 7f000001 7f000001 b1ae 520d"),
            relayed("127.0.0.1:45486", "127.0.0.1:21005")
        ),
        (
            .hex(
                """
                0d0a0d0a000d0a515549540a 21210024
                00000000000000000000000000000001 00000000000000000000000000000001 e04e 520e
                """),
            relayed("[::1]:57422", "[::1]:21006")
        ),
        (
            .hex(
                """
                0d0a0d0a000d0a515549540a 21210024
                00000000000000000000ffff7f000001 00000000000000000000ffff7f000001 9cd6 520f
                """),
            relayed("[::ffff:127.0.0.1]:40150", "[::ffff:127.0.0.1]:21007")
        ),
        (.hex("0d0a0d0a000d0a515549540a 20000000"), .unknown),
        // With a checksum and a unique id
        (
            .hex("0d0a0d0a000d0a515549540a 21110019 7f000001 7f000001 e002 5211 0300043c999cd6 050003616263"),
            relayed("127.0.0.1:57346", "127.0.0.1:21009")
        ),
        (
            .hex(
                """
                0d0a0d0a000d0a515549540a 21210031
                00000000000000000000000000000001 00000000000000000000000000000001 92ae 5212
                030004f96ae17f 050003616263
                """),
            relayed("[::1]:37550", "[::1]:21010")
        ),
        (.hex("0d0a0d0a000d0a515549540a 2000000d 0300045c4470fa 050003616263"), .unknown),
        // With the state of TLS
        (
            .hex("0d0a0d0a000d0a515549540a 21110014 7f000001 7f000001 cae4 5215 2000050000000000"),
            relayed("127.0.0.1:51940", "127.0.0.1:21013")
        ),
    ]

    /// Those that carry a checksum over addresses.
    static var withChecksum: [[UInt8]] { [headers[8].bytes, headers[9].bytes] }
}

func relayed(_ source: String, _ destination: String) -> ProxyHeader {
    guard let source = try? SocketAddress(parsing: source), let destination = try? SocketAddress(parsing: destination)
    else { preconditionFailure("a test's address is misspelt") }
    return .relayed(source: source, destination: destination)
}

extension ProxyHeader {
    /// Reads bytes in a block of exactly their size, so that AddressSanitizer sees a read beyond them.
    static func read(exactly bytes: some Collection<UInt8>) -> Reading {
        let block = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        defer { unsafe block.deallocate() }
        _ = unsafe block.initialize(fromContentsOf: bytes)
        return unsafe read(Span(_unsafeElements: UnsafeBufferPointer(block)))
    }

    func encoded(as version: ProxyProtocolVersion) -> [UInt8] {
        var room = [UInt8](repeating: 0xAA, count: ProxyHeader.longestEncoding)
        var span = room.mutableSpan
        let length = encode(as: version, into: &span)
        return Array(room.prefix(length))
    }

    /// A header of one family.
    static func random(using random: inout SeededRandom) -> ProxyHeader {
        func port() -> UInt16 { UInt16(truncatingIfNeeded: random.next() >> UInt64(random.below(16))) }
        func ipv4() -> SocketAddress { .ipv4(.init(bits: UInt32(truncatingIfNeeded: random.next())), port: port()) }
        func ipv6() -> SocketAddress {
            var halves: [UInt64] = [0, 0]
            for group in 0..<8 where random.below(2) == 0 {
                halves[group / 4] |= (random.next() & (0xFFFF >> UInt64(random.below(16)))) << UInt64(group % 4 * 16)
            }
            return .ipv6(.init(high: halves[0], low: halves[1]), port: port())
        }
        switch random.below(5) {
        case 0: return .unknown
        case 1, 2: return .relayed(source: ipv4(), destination: ipv4())
        default: return .relayed(source: ipv6(), destination: ipv6())
        }
    }
}

extension Preface {
    func examine(bytes: [UInt8], of socket: ConnectionFacts) -> PrefaceVerdict { examine(bytes.span, of: socket) }
}

extension [UInt8] {
    static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// Pairs of hexadecimal digits; white space between them is skipped.
    static func hex(_ digits: String) -> [UInt8] {
        let nibbles = digits.compactMap(\.hexDigitValue)
        return stride(from: 0, to: nibbles.count, by: 2).map { UInt8(nibbles[$0] << 4 | nibbles[$0 + 1]) }
    }

    /// A version 2 header of these parts; its length is that of `body` unless told otherwise.
    static func binary(
        versionAndCommand: UInt8 = 0x21, family: UInt8 = 0x11, length: Int? = nil, _ body: [UInt8] = []
    ) -> [UInt8] {
        let length = length ?? body.count
        return hex("0d0a0d0a000d0a515549540a") + [versionAndCommand, family, UInt8(length >> 8), UInt8(length & 255)]
            + body
    }
}
