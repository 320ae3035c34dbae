import Testing
import Vocabulary

@testable import Stores

@Suite("Reading a response")
struct ResponseReaderTests {
    private static let plain = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"
    private static let chunked =
        "HTTP/1.1 412 Precondition Failed\r\nTrailer: X\r\ntransfer-encoding:  Chunked \r\n\r\n"
        + "5\r\nhello\r\n1;why=not\r\n \r\n00A\r\n0123456789\r\n0\r\nX: done\r\n\r\n"

    @Test(
        "A body of a given length, and one in chunks with trailers, however they are split",
        arguments: [1, 2, 3, 7, 1000])
    func whole(step: Int) throws {
        for (text, status, body) in [(Self.plain, 200, "hello"), (Self.chunked, 412, "hello 0123456789")] {
            var reader = ResponseReader()
            var got: [UInt8] = []
            for part in Array(text.utf8).parts(of: step) {
                #expect(!reader.isDone)
                try reader.receive(part)
                got += reader.takeBody()
            }
            #expect(reader.isDone && reader.status == status && reader.keepsConnection)
            #expect(String(decoding: got, as: UTF8.self) == body)
        }
    }

    @Test("What is cut short is not done, wherever it is cut")
    func truncated() throws {
        for text in [Self.plain, Self.chunked] {
            let bytes = Array(text.utf8)
            for length in 0..<bytes.count {
                var reader = ResponseReader()
                try reader.receive(Array(bytes[..<length]))
                #expect(!reader.isDone)
            }
        }
    }

    @Test("A body is given out as it comes, before its end")
    func streaming() throws {
        var reader = ResponseReader()
        try reader.receive(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nde".utf8))
        #expect(reader.takeBody() == Array("abcde".utf8))
        #expect(reader.takeBody().isEmpty && !reader.isDone)
    }

    @Test("Whether the connection is kept is the server's to say")
    func keeping() throws {
        for (head, isKept) in [
            ("HTTP/1.1 200 OK", true), ("HTTP/1.1 200 OK\r\nConnection: Close", false), ("HTTP/1.0 200 OK", false),
        ] {
            var reader = ResponseReader()
            try reader.receive(Array((head + "\r\nContent-Length: 0\r\n\r\n").utf8))
            #expect(reader.isDone && reader.keepsConnection == isKept)
        }
    }

    @Test(
        "What is not HTTP/1.1, or ambiguous, is refused",
        arguments: [
            "\u{15}\u{3}\u{1}\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n",
        ])
    func refused(text: String) {
        var reader = ResponseReader()
        #expect(throws: ResponseFault.self) { try reader.receive(Array(text.utf8)) }
    }

    @Test("A head, a trailer, and a chunk's line have bounds, reached without an end in sight")
    func bounds() {
        let start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        let endless = [
            "HTTP/1.1 200 " + String(repeating: "x", count: 16 << 10),
            start + String(repeating: "A: b\r\n", count: 3000),
            start + "\r\n0\r\n" + String(repeating: "A: b\r\n", count: 3000),
            start + "\r\n1;" + String(repeating: "x", count: 300),
        ]
        for text in endless {
            for step in [1, 100_000] {
                #expect(throws: ResponseFault.self) {
                    var reader = ResponseReader()
                    for part in Array(text.utf8).parts(of: step) { try reader.receive(part) }
                }
            }
        }
    }

    @Test(
        "Any bytes give a response or a fault, the same however they are split",
        arguments: 1...300 as ClosedRange<UInt64>)
    func anyBytes(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var bytes = Array((seed.isMultiple(of: 2) ? Self.plain : Self.chunked).utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let byte = [0x0A, 0x0D, 0x20, 0x30, 0x3A, UInt8.random(in: 0...255, using: &random)]
                .randomElement(using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes[place] = byte ?? 0
            case 1: bytes.insert(byte ?? 0, at: place)
            default: bytes.remove(at: place)
            }
        }
        #expect(Self.outcome(bytes, step: 1) == Self.outcome(bytes, step: bytes.count))
    }

    /// What comes of `bytes`; the body only where there is no fault, as how much of it came first is a matter of steps.
    private static func outcome(_ bytes: [UInt8], step: Int) -> String {
        var reader = ResponseReader()
        var body: [UInt8] = []
        do throws(ResponseFault) {
            for part in bytes.parts(of: step) {
                try reader.receive(part)
                body += reader.takeBody()
            }
            return "\(reader.status ?? 0) \(reader.isDone) \(body)"
        } catch {
            return "\(error)"
        }
    }

    @Test("Messages are lines, however they come; one that never ends is given up")
    func messages() throws {
        let bytes = Array("{\"a\":1}\n\n{\"b\":2}\n{\"c\"".utf8)
        for step in 1...bytes.count {
            var splitter = MessageSplitter(limit: 100)
            let lines = try bytes.parts(of: step).flatMap { try splitter.receive($0) }
            #expect(lines.map { String(decoding: $0, as: UTF8.self) } == [#"{"a":1}"#, #"{"b":2}"#])
        }
        var splitter = MessageSplitter(limit: 100)
        #expect(try splitter.receive([UInt8](repeating: 0x20, count: 100)).isEmpty)
        #expect(throws: MessageSplitter.TooLong.self) { try splitter.receive([0x20]) }
    }
}

extension [UInt8] {
    fileprivate func parts(of size: Int) -> [[UInt8]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
