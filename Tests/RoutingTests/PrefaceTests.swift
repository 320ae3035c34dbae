import Testing
import Vocabulary

@testable import Routing

@Suite("What is read ahead")
struct PrefaceTests {
    private static let socket = ConnectionFacts(peer: .ipv4(.loopback, port: 1), local: .ipv4(.loopback, port: 2))
    private static let header = [UInt8].text("PROXY TCP4 10.0.0.1 10.0.0.2 1000 443\r\n")
    private static let relayed = ConnectionFacts(
        peer: .ipv4(.init(bits: 0x0A00_0001), port: 1000), local: .ipv4(.init(bits: 0x0A00_0002), port: 443))
    private static let peeks: [Preface.Peek] = [
        .clientHello, .request(.path), .request(.header("x-user")), .request(.cookie("id")),
    ]

    @Test("A part of the first request is told, and all of the request is left for the endpoint")
    func request() {
        let preface = Preface(peek: .request(.header("x-user")))
        let head = [UInt8].text("GET / HTTP/1.1\r\nX-User: ann\r\n\r\n")
        var facts = Self.socket
        facts.requestPart = .text("ann")
        #expect(preface.examine(bytes: head + [1, 2], of: Self.socket) == .done(length: 0, facts: facts))
        #expect(preface.examine(bytes: Array(head.dropLast()), of: Self.socket) == .needMore(atLeast: head.count))
    }

    @Test("Behind a PROXY header it is the same, and only the header is taken", arguments: peeks)
    func behindHeader(peek: Preface.Peek) {
        let preface = Preface(takesProxyHeader: true, peek: peek)
        let garbage: [UInt8] = [0, 1, 2]
        #expect(
            preface.examine(bytes: Self.header + garbage, of: Self.socket) == .done(length: 39, facts: Self.relayed))
        guard case .needMore(let wanted) = preface.examine(bytes: Self.header, of: Self.socket) else {
            Issue.record("nothing more is wanted")
            return
        }
        #expect(wanted > Self.header.count)
        // Whoever stops looking has what the header says.
        #expect(
            preface.withoutPeek.examine(bytes: Self.header, of: Self.socket)
                == .done(length: Self.header.count, facts: Self.relayed))
        #expect(
            preface.examine(bytes: garbage, of: Self.socket) == .malformed(.proxyHeader(.noHeader(0, offset: 0))))
    }

    @Test("What is no such thing is no fault: the connection goes on without", arguments: peeks)
    func fallback(peek: Preface.Peek) {
        let preface = Preface(peek: peek)
        for bytes: [UInt8] in [[0, 0, 0], .text("*1\r\n$4\r\nPING\r\n"), .text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")] {
            #expect(preface.examine(bytes: bytes, of: Self.socket) == .done(length: 0, facts: Self.socket))
        }
        #expect(preface.withoutPeek.examine(bytes: [], of: Self.socket) == .done(length: 0, facts: Self.socket))
    }

    @Test("What is longer than the bound is not looked at any further", arguments: peeks)
    func bound(peek: Preface.Peek) {
        let beginning =
            peek == .clientHello
            ? [22, 3, 1, 0x40, 0, 1, 0, 0x40, 0]
            : [UInt8].text("GET /\(peek == .request(.path) ? "" : " HTTP/1.1\r\na: ")")
        let preface = Preface(takesProxyHeader: true, peek: peek)
        let long = beginning + [UInt8](repeating: 0x61, count: Preface.bound.bytes)
        for count in [Preface.bound.bytes - 1, Preface.bound.bytes, long.count] {
            let bytes = Array((Self.header + long).prefix(count))
            switch preface.examine(bytes: bytes, of: Self.socket) {
            case .needMore(let wanted): #expect(count < Preface.bound.bytes && wanted <= Preface.bound.bytes)
            case .done(let length, let facts): #expect(length == Self.header.count && facts == Self.relayed)
            case .malformed(let fault): Issue.record("\(fault)")
            }
        }
    }

    @Test("The socket is asked only once all is decided")
    func lazy() {
        var asked = 0
        func socket() -> ConnectionFacts {
            asked += 1
            return Self.socket
        }
        let preface = Preface(takesProxyHeader: true, peek: .request(.path))
        for count in 0...Self.header.count {
            _ = preface.examine(Array(Self.header.prefix(count)).span, of: socket())
        }
        #expect(asked == 0)
        _ = preface.examine((Self.header + [UInt8].text("GET /a HTTP/1.1\r\n")).span, of: socket())
        #expect(asked == 1)
    }

    // MARK: The host that a PROXY header tells of

    /// Version 2 over IPv4, with vectors of type and value.
    private static func binary(_ vectors: [(type: UInt8, value: [UInt8])], command: UInt8 = 0x21) -> [UInt8] {
        let tail = vectors.flatMap { [$0.type, UInt8($0.value.count >> 8), UInt8($0.value.count & 255)] + $0.value }
        let length = 12 + tail.count
        return [UInt8].hex("0d0a0d0a000d0a515549540a") + [command, 0x11, UInt8(length >> 8), UInt8(length & 255)]
            + [10, 0, 0, 1, 10, 0, 0, 2, 3, 232, 1, 187] + tail
    }

    @Test(
        "The host that a PROXY header tells of is known, in lower case",
        arguments: [
            ([(0x02, [UInt8].text("A.Ingest.edge"))], "a.ingest.edge"),
            ([(0x05, [1, 2, 3]), (0x02, .text("b.edge")), (0x02, .text("c.edge"))], "b.edge"),
            ([(0x05, .text("x"))], nil), ([(0x02, [])], nil), ([(0x02, .text("a b"))], nil),
            ([(0x02, [0xC3, 0xA4])], nil),
            ([], nil),
        ] as [([(UInt8, [UInt8])], String?)])
    func authority(vectors: [(UInt8, [UInt8])], expected: String?) {
        let bytes = Self.binary(vectors.map { (type: $0.0, value: $0.1) })
        var facts = Self.relayed
        facts.authority = expected
        #expect(Preface.proxyHeader.examine(bytes: bytes, of: Self.socket) == .done(length: bytes.count, facts: facts))
    }

    @Test("A header that speaks for nobody tells of no host either")
    func localAuthority() {
        let bytes = Self.binary([(0x02, .text("a.edge"))], command: 0x20)
        #expect(
            Preface.proxyHeader.examine(bytes: bytes, of: Self.socket) == .done(length: bytes.count, facts: Self.socket)
        )
        #expect(
            Preface.proxyHeader.examine(bytes: Self.header, of: Self.socket) == .done(length: 39, facts: Self.relayed))
    }
}

@Suite("Patterns of server names")
struct ServerNamePatternTests {
    @Test(
        "A star stands for one whole label",
        arguments: [
            ("*.ingest.edge", "a.ingest.edge", true), ("*.ingest.edge", "ingest.edge", false),
            ("*.ingest.edge", "a.b.ingest.edge", false), ("*.ingest.edge", ".ingest.edge", false),
            ("*.ingest.edge", "aingest.edge", false), ("*.edge", "a.edge", true), ("a.edge", "a.edge", true),
            ("A.Edge", "a.edge", true), ("*.EDGE", "a.edge", true), ("a.edge", "b.a.edge", false),
            ("a.edge", "a.edge.", false), ("*.edge", "edge", false), ("*.edge", "", false), ("a", "a", true),
        ])
    func matching(pattern: String, name: String, expected: Bool) throws {
        #expect(try #require(ServerNamePattern(pattern)).matches(name) == expected)
    }

    @Test(
        "What is no host name is no pattern",
        arguments: [
            "", "*", "*.", "a.*", "a*.b", "*a.b", "*.*.b", "a..b", ".a", "a.", "a b", "ä.b", "a:1",
            String(repeating: "a", count: 64), String(repeating: "a.", count: 127) + "a",
        ])
    func none(text: String) {
        #expect(ServerNamePattern(text) == nil)
    }
}
