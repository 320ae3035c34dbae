import FlyingFox
import Testing

@testable import Admin
import Vocabulary

@Suite("Reading requests")
struct RequestReaderTests {
    private static let post =
        "POST /log-level?level=debug HTTP/1.1\r\nHost: localhost\r\nX-A:  b c \t\r\nContent-Length: 5\r\n\r\nhello"

    @Test("A request is the same however its bytes are split", arguments: [1, 2, 3, 7, 42] as [UInt64])
    func splitAnywhere(seed: UInt64) async throws {
        // Given two requests in one stream, cut at random
        var random = SeededRandom(seed: seed)
        let stream = Array((Self.post + "\r\nGET /live HTTP/1.1\nHost: a\n\n").utf8)
        var reader = RequestReader(limits: .standard)
        var requests: [AdminRequest] = []
        var position = 0
        // When they come piece by piece
        while position < stream.count {
            let end = min(stream.count, position + Int.random(in: 1...12, using: &random))
            reader.append(Array(stream[position..<end]))
            while let request = try reader.next() { requests.append(request) }
            position = end
        }
        // Then both are there, and nothing is left
        try #require(requests.count == 2)
        let post = requests[0].message
        #expect(post.method == .POST)
        #expect(post.target.path() == "/log-level")
        #expect(post.target.query() == "level=debug")
        #expect(post.headers[HTTPHeader("x-a")] == "b c")
        #expect(try await post.bodyData == .init("hello".utf8))
        #expect(requests[1].message.target.path() == "/live")
        #expect(requests[1].message.headers[.host] == "a")
        #expect(reader.isIdle)
    }

    @Test("A request that is cut short is not there yet, at any byte")
    func truncated() throws {
        let bytes = Array(Self.post.utf8)
        for count in 0..<bytes.count {
            var reader = RequestReader(limits: .standard)
            reader.append(Array(bytes[..<count]))
            #expect(try reader.next() == nil, "after \(count) bytes")
            #expect(reader.isIdle == (count == 0))
        }
    }

    @Test(
        "A connection is kept as HTTP's versions agree",
        arguments: [
            ("HTTP/1.1", nil, true), ("HTTP/1.1", "close", false), ("HTTP/1.1", "Upgrade, Close", false),
            ("HTTP/1.1", "keep-alive", true), ("HTTP/1.0", nil, false), ("HTTP/1.0", "Keep-Alive", true),
        ] as [(String, String?, Bool)])
    func keeping(version: String, connection: String?, kept: Bool) throws {
        let field = connection.map { "Connection: \($0)\r\n" } ?? ""
        #expect(try read("GET / \(version)\r\n\(field)\r\n")?.keepsConnection == kept)
    }

    @Test(
        "What is no request is a fault that says so",
        arguments: [
            ("GET /\r\n\r\n", "is no request line"), ("GET  / HTTP/1.1\r\n\r\n", "is no request line"),
            (" GET / HTTP/1.1\r\n\r\n", "is no request line"), ("GET / HTTP/1.1 x\r\n\r\n", "is no request line"),
            ("GET / HTTP/2.0\r\n\r\n", "is not spoken here"), ("PRI * HTTP/2.0\r\n\r\n", "is not spoken here"),
            ("GET * HTTP/1.1\r\n\r\n", "is no path"), ("GET http://evil/stats HTTP/1.1\r\n\r\n", "is no path"),
            ("GET /é HTTP/1.1\r\n\r\n", "is no path"),
            ("GET / HTTP/1.1\r\nHost\r\n\r\n", "has no colon"),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "does not begin with a name"),
            ("GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n", "does not begin with a name"),
            ("GET / HTTP/1.1\r\n: b\r\n\r\n", "does not begin with a name"),
            ("GET / HTTP/1.1\r\nA: b\u{0}c\r\n\r\n", "control characters"),
            ("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "control characters"),
            ("\u{16}\u{3}\u{1}\n", "control characters"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "more than one Host"),
            ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "is no length"),
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "is no length"),
            ("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "is no length"),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "is not supported"),
            ("GET / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", "body is longer than 65536 bytes"),
        ])
    func faults(text: String, says: String) {
        do {
            _ = try read(text)
            Issue.record("no fault")
        } catch {
            #expect(error.explanation.contains(says), "\(error.explanation)")
        }
    }

    @Test("A head may be as long as its limit and no longer, whether or not its end has come", arguments: [-1, 0, 1])
    func headLimit(excess: Int) throws {
        var limits = AdminLimits()
        limits.headBytes = 100
        let frame = "GET / HTTP/1.1\r\nA: \r\n\r\n"
        let text = "GET / HTTP/1.1\r\nA: \(String(repeating: "a", count: 100 + excess - frame.utf8.count))\r\n\r\n"
        if excess <= 0 {
            #expect(try read(text, limits) != nil)
        } else {
            #expect(throws: MessageFault.headTooLong(limit: 100)) { try read(text, limits) }
        }
        // Without an end, as many bytes as the limit cannot be a head any more.
        let endless = String(repeating: "a", count: 100 + excess)
        if excess < 0 {
            #expect(try read(endless, limits) == nil)
        } else {
            #expect(throws: MessageFault.headTooLong(limit: 100)) { try read(endless, limits) }
        }
    }

    @Test("Blank lines count towards the head they precede")
    func blankLines() throws {
        var limits = AdminLimits()
        limits.headBytes = 100
        #expect(throws: MessageFault.headTooLong(limit: 100)) { try read(String(repeating: "\r\n", count: 51), limits) }
    }

    @Test("A body of exactly its limit is read")
    func bodyLimit() throws {
        let body = String(repeating: "b", count: AdminLimits.standard.bodyBytes)
        #expect(try read("POST / HTTP/1.1\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)") != nil)
    }

    @Test("Random bytes are a fault or not enough, never a crash", arguments: 0..<64 as Range<UInt64>)
    func noise(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        // Half the seeds damage a good request instead, which gets further in.
        var bytes = Array(Self.post.utf8)
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        if seed % 2 == 0 { bytes = (0..<2_000).map { _ in UInt8.random(in: 0...255, using: &random) } }
        var reader = RequestReader(limits: .standard)
        reader.append(bytes)
        let outcome = Result { () throws(MessageFault) -> AdminRequest? in try reader.next() }
        if case .success(let request?) = outcome { #expect(request.message.target.path().hasPrefix("/")) }
    }

    private func read(_ text: String, _ limits: AdminLimits = .standard) throws(MessageFault) -> AdminRequest? {
        var reader = RequestReader(limits: limits)
        reader.append(Array(text.utf8))
        return try reader.next()
    }
}
