import Testing
import Vocabulary

@Suite("Socket addresses")
struct SocketAddressTests {
    // MARK: Text

    static let good: [(text: String, canonical: String)] = [
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("255.255.255.255:65535", "255.255.255.255:65535"),
        ("10.0.0.1:0080", "10.0.0.1:80"),
        ("[::]:1", "[::]:1"),
        ("[::1]:80", "[::1]:80"),
        ("[FD00:0:0:1::A]:443", "[fd00:0:0:1::a]:443"),
        ("[1:2:3:4:5:6:7:8]:9", "[1:2:3:4:5:6:7:8]:9"),
        ("[0:0:1:0:0:0:1:0]:1", "[0:0:1::1:0]:1"),
        ("[1:0:2:3:4:5:6:7]:1", "[1:0:2:3:4:5:6:7]:1"),
        ("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1"),
        ("[::ffff:c000:201]:1", "[::ffff:192.0.2.1]:1"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
        ("unix:/a:b:80", "unix:/a:b:80"),
        ("unix:/" + String(repeating: "x", count: 106), "unix:/" + String(repeating: "x", count: 106)),
    ]

    @Test("An address is read as people write it, and printed in one form, which reads back", arguments: good)
    func parsing(text: String, canonical: String) throws {
        let address = try SocketAddress(parsing: text)
        #expect("\(address)" == canonical)
        #expect(try SocketAddress(parsing: canonical) == address)
    }

    static let bad: [(text: String, error: SocketAddress.ParseError)] = [
        ("", .noPort),
        ("10.0.0.1", .noPort),
        ("[::1]", .noPort),
        ("10.0.0.1:", .badPort("")),
        ("10.0.0.1:65536", .badPort("65536")),
        ("10.0.0.1:-1", .badPort("-1")),
        ("10.0.0.1:+80", .badPort("+80")),
        ("10.0.0.1: 80", .badPort(" 80")),
        ("10.0.0.1:99999999999999999999", .badPort("99999999999999999999")),
        ("10.0.0.1:８０", .badPort("８０")),
        (":80", .badHost("")),
        ("localhost:80", .badHost("localhost")),
        ("10.0.0:80", .badHost("10.0.0")),
        ("10.0.0.1.1:80", .badHost("10.0.0.1.1")),
        ("10.0.0.256:80", .badHost("10.0.0.256")),
        ("10.0.0.01:80", .badHost("10.0.0.01")),
        ("0x0a.0.0.1:80", .badHost("0x0a.0.0.1")),
        (" 10.0.0.1:80", .badHost(" 10.0.0.1")),
        ("10.0.0.1\0.example:80", .badHost("10.0.0.1\0.example")),
        ("[::1\0]:80", .badHost("::1\0")),
        ("[10.0.0.1]:80", .badHost("10.0.0.1")),
        ("[::1]x:80", .badHost("[::1]x")),
        ("[]:80", .badHost("")),
        ("[1:2:3:4:5:6:7]:80", .badHost("1:2:3:4:5:6:7")),
        ("[1:2:3:4:5:6:7:8:9]:80", .badHost("1:2:3:4:5:6:7:8:9")),
        ("[1::2::3]:80", .badHost("1::2::3")),
        ("[12345::]:80", .badHost("12345::")),
        ("[fe80::1%eth0]:80", .badHost("fe80::1%eth0")),
        ("::1", .bareIPv6("::1")),
        ("fd00::1:80", .bareIPv6("fd00::1:80")),
        ("unix:", .badPath("")),
        ("unix:relative", .badPath("relative")),
        ("unix:/a\0b", .badPath("/a\0b")),
        ("unix:/" + String(repeating: "x", count: 107), .badPath("/" + String(repeating: "x", count: 107))),
    ]

    @Test("What is no address is refused for the right reason", arguments: bad)
    func refusal(text: String, error: SocketAddress.ParseError) {
        #expect(throws: error) { try SocketAddress(parsing: text) }
    }

    @Test("A refusal says what would be right")
    func explanations() {
        #expect(SocketAddress.ParseError.badHost("localhost").explanation.contains("names are not resolved"))
        #expect(SocketAddress.ParseError.bareIPv6("::1").explanation.hasSuffix("write [::1]:port"))
        let long = SocketAddress.ParseError.badPath("/" + String(repeating: "x", count: 107))
        #expect(long.explanation == "has a path of 108 bytes; a unix socket's path has at most 107")
        #expect(SocketAddress.ParseError.badPath("a").explanation.hasSuffix("write unix:/path"))
    }

    @Test("Every address prints as text that reads back as itself", arguments: 1...5 as ClosedRange<UInt64>)
    func textRoundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<2000 {
            let address = SocketAddress.random(using: &random)
            #expect(try SocketAddress(parsing: "\(address)") == address)
        }
    }

    // MARK: Kernel form

    @Test("The kernel's form has the layout of ip(7), ipv6(7) and unix(7)")
    func kernelLayout() throws {
        #expect(
            try SocketAddress(parsing: "10.1.2.3:8080").kernelForm
                == [2, 0, 0x1F, 0x90, 10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(
            try SocketAddress(parsing: "[fd00::102]:258").kernelForm
                == [10, 0, 1, 2, 0, 0, 0, 0, 0xFD] + [UInt8](repeating: 0, count: 13) + [1, 2, 0, 0, 0, 0])
        #expect(try SocketAddress(parsing: "unix:/ab").kernelForm == [1, 0, 0x2F, 0x61, 0x62, 0])
    }

    @Test("Every address survives the way through the kernel's form", arguments: 1...5 as ClosedRange<UInt64>)
    func kernelRoundTrip(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<2000 {
            let address = SocketAddress.random(using: &random)
            let form = address.kernelForm
            #expect(form.count <= SocketAddress.longestKernelForm)
            #expect(SocketAddress(kernel: form) == address)
            // accept(2) may report more room than the path takes.
            #expect(SocketAddress(kernel: form + [0, 0]) == address)
        }
    }

    @Test("A kernel form cut short is no address, a path excepted, whose end is where the bytes end")
    func kernelTruncation() throws {
        for text in ["10.1.2.3:8080", "[fd00::102]:258"] {
            let form = try SocketAddress(parsing: text).kernelForm
            for count in 0..<form.count { #expect(SocketAddress(kernel: Array(form.prefix(count))) == nil) }
        }
        #expect(SocketAddress(kernel: [1, 0, 0x2F, 0x61]) == .unix(path: "/a"))
    }

    @Test("A unix socket without a path of ours has no address")
    func foreignPaths() {
        let unix: [UInt8] = [1, 0]
        #expect(SocketAddress(kernel: unix) == nil, "unnamed")
        #expect(SocketAddress(kernel: unix + [0, 0x61]) == nil, "abstract")
        #expect(SocketAddress(kernel: unix + [0x2F] + [UInt8](repeating: 0xFF, count: 60) + [0]) == nil, "not UTF-8")
        #expect(SocketAddress(kernel: unix + [UInt8](repeating: 0x61, count: 108)) == nil, "all 108 bytes")
        #expect(SocketAddress(kernel: unix + [UInt8](repeating: 0x61, count: 107) + [0]) != nil)
        #expect(SocketAddress(kernel: [16, 0, 0, 0]) == nil, "another family")
    }

    @Test(
        "Whatever bytes stand in a kernel form, what is read from it can be written again",
        arguments: [1, 2, 3] as [UInt64])
    func kernelGarbage(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<5000 {
            var bytes = (0..<random.below(112)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if bytes.count > 1 { bytes.replaceSubrange(0..<2, with: [[1, 2, 10, 0][Int(random.below(4))], 0]) }
            guard let address = SocketAddress(kernel: bytes) else { continue }
            #expect(SocketAddress(kernel: address.kernelForm) == address)
        }
    }

    // MARK: Questions

    @Test("Only loopback and unix sockets are local")
    func locality() throws {
        for text in ["127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/x"] {
            #expect(try SocketAddress(parsing: text).isLocal, "\(text)")
        }
        for text in ["126.0.0.1:1", "128.0.0.1:1", "0.0.0.0:1", "[::]:1", "[::2]:1", "[::ffff:10.0.0.1]:1", "[1::1]:1"]
        {
            #expect(try !SocketAddress(parsing: text).isLocal, "\(text)")
        }
    }

    @Test("The port can be exchanged where there is one")
    func ports() throws {
        #expect(try SocketAddress(parsing: "10.0.0.1:80").with(port: 81) == SocketAddress(parsing: "10.0.0.1:81"))
        #expect(try SocketAddress(parsing: "[::1]:80").with(port: 81).port == 81)
        #expect(SocketAddress.unix(path: "/x").with(port: 81) == .unix(path: "/x"))
        #expect(SocketAddress.unix(path: "/x").port == nil)
    }
}

extension SocketAddress {
    /// IPv6 addresses mostly of zero groups, where their text is hard; paths of all lengths.
    fileprivate static func random(using random: inout SeededRandom) -> SocketAddress {
        let port = UInt16(truncatingIfNeeded: random.next())
        switch random.below(3) {
        case 0:
            return .ipv4(IPv4(bits: UInt32(truncatingIfNeeded: random.next())), port: port)
        case 1:
            var halves: [UInt64] = [0, 0]
            for group in 0..<8 where random.below(2) == 0 {
                halves[group / 4] |= (random.next() & 0xFFFF) << UInt64(group % 4 * 16)
            }
            return .ipv6(IPv6(high: halves[0], low: halves[1]), port: port)
        default:
            let alphabet = ["/", ":", "a", "é", "[", "]", " ", "."]
            var path = "/"
            for _ in 0..<random.below(53) { path += alphabet[Int(random.below(8))] }
            return .unix(path: path)
        }
    }

    fileprivate init?(kernel bytes: [UInt8]) {
        let address = unsafe bytes.withUnsafeBytes { unsafe SocketAddress(kernelForm: $0) }
        guard let address else { return nil }
        self = address
    }
}
