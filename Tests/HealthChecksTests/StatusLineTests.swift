// The first line of an answer, and everything that is none.

import Testing
import Vocabulary

@testable import HealthChecks

@Suite("A status line")
struct StatusLineTests {
    private func read(_ text: String) -> StatusLine { read(Array(text.utf8)) }

    private func read(_ bytes: [UInt8]) -> StatusLine { StatusLine(bytes.span) }

    @Test(
        "Its status is read, with or without a reason, whatever follows",
        arguments: [
            ("HTTP/1.1 200 OK\r\n", 200), ("HTTP/1.0 204 No Content\r\n", 204), ("HTTP/1.1 503 \r\n", 503),
            ("HTTP/1.1 200\r\n", 200), ("HTTP/1.9 999 ü\t~\r\nContent-Length: 0\r\n\r\nbody", 999),
            ("HTTP/1.1 100 Continue\r\n\r\n", 100), ("HTTP/1.1 200 OK\r\n\u{0}", 200),
        ])
    func statuses(text: String, status: Int) {
        #expect(read(text) == .status(status))
    }

    @Test("Cut short anywhere it is the beginning of one")
    func truncated() {
        let text = Array("HTTP/1.1 200 All is well\r\n".utf8)
        for count in text.indices { #expect(read(Array(text.prefix(count))) == .incomplete, "\(count)") }
        #expect(read(text) == .status(200))
    }

    @Test(
        "Anything else is refused at its first wrong byte",
        arguments: [
            "h", "HTTP/2", "HTTP/1,", "HTTP/1.x", "HTTP/1.10", "HTTP/1.1\t", "HTTP/1.1  ", "HTTP/1.1 0", "HTTP/1.1 099",
            "HTTP/1.1 2x", "HTTP/1.1 20\r", "HTTP/1.1 2000", "HTTP/1.1 200\n", "HTTP/1.1 200\t", "HTTP/1.1 200 OK\n",
            "HTTP/1.1 200 O\u{0}", "HTTP/1.1 200 O\u{7F}", "HTTP/1.1 200 OK\rx", "HTTP/1.1 200\r\r", " HTTP/1.1 200",
            "\r\nHTTP/1.1 200 OK\r\n", "SSH-2.0-OpenSSH_9.6\r\n", "220 mail ESMTP\r\n", "\u{15}\u{3}\u{3}",
            "ICY 200 OK",
        ])
    func refused(text: String) {
        let bytes = Array(text.utf8)
        #expect(read(bytes) == .refused)
        // And by nothing before that byte, but for texts whose last bytes are right again.
        if let first = bytes.indices.first(where: { read(Array(bytes.prefix($0 + 1))) == .refused }) {
            #expect(read(Array(bytes.prefix(first))) == .incomplete)
        }
    }

    /// The grammar again, by whole lines instead of bytes.
    private func reference(_ bytes: [UInt8]) -> Int? {
        guard let end = bytes.firstIndex(of: 13), end + 1 < bytes.count, bytes[end + 1] == 10, end >= 12 else {
            return nil
        }
        let line = bytes[..<end]
        guard line.starts(with: Array("HTTP/1.".utf8)), (48...57).contains(line[7]), line[8] == 32,
            (49...57).contains(line[9]), (48...57).contains(line[10]), (48...57).contains(line[11]),
            end == 12 || line[12] == 32, line[12...].allSatisfy({ $0 == 9 || ($0 >= 32 && $0 != 127) })
        else { return nil }
        return Int(String(decoding: line[9..<12], as: UTF8.self))
    }

    @Test("Of random bytes and of damaged lines it reads what the grammar says", arguments: UInt64(0)..<40)
    func noise(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let original = Array("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n".utf8)
        for _ in 0..<500 {
            var bytes =
                Bool.random(using: &random)
                ? original : (0..<Int(random.below(64))).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            for _ in 0..<random.below(4) where !bytes.isEmpty {
                let index = Int(random.below(UInt32(bytes.count)))
                switch random.below(3) {
                case 0: bytes[index] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: index)
                default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
                }
            }
            let found = read(bytes)
            if let status = reference(bytes) {
                #expect(found == .status(status), "\(bytes)")
            } else if case .status = found {
                Issue.record("\(bytes) is no status line")
            }
            // What is refused stays refused, and a status stays one, whatever comes behind.
            if found != .incomplete { #expect(read(bytes + [7]) == found, "\(bytes)") }
        }
    }
}
