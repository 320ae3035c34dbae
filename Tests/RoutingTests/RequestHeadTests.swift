import Testing
import Vocabulary

@testable import Routing

@Suite("Request heads")
struct RequestHeadTests {
    // MARK: What is found

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let part: RequestPart
        let text: String
        /// Nil where the head has no such part.
        let value: String?

        init(_ description: String, _ part: RequestPart, _ text: String, _ value: String?) {
            (testDescription, self.part, self.text, self.value) = (description, part, text, value)
        }
    }

    static let heads: [Case] = [
        Case("a path", .path, "GET /a/b HTTP/1.1\r\n", "/a/b"),
        Case("a path before a query", .path, "GET /a?b=/c HTTP/1.0\r\n", "/a"),
        Case(
            "a path with escapes and dots stays as it is", .path, "GET /a/../%41%2f//b HTTP/1.1\r\n", "/a/../%41%2f//b"),
        Case("a path beyond ASCII", .path, "GET /ä HTTP/1.1\r\n", "/ä"),
        Case("the path of a whole URI", .path, "GET http://h:80/a/b?c HTTP/1.1\r\n", "/a/b"),
        Case("a whole URI without a path asks for the root", .path, "GET http://h?x HTTP/1.1\r\n", "/"),
        Case("a whole URI that ends with its host", .path, "GET http://h HTTP/1.1\r\n", "/"),
        Case("CONNECT names a host and no path", .path, "CONNECT h:443 HTTP/1.1\r\n", nil),
        Case("a star is no path", .path, "OPTIONS * HTTP/1.1\r\n", nil),
        Case("one empty line before it, as old clients send behind a body", .path, "\r\nGET /a HTTP/1.1\r\n", "/a"),
        Case("lines that end in LF alone", .path, "\nGET /a HTTP/1.1\n", "/a"),
        Case("a method of the longest kind", .path, String(repeating: "M", count: 32) + " / HTTP/1.1\r\n", "/"),
        Case("a method that somebody made up", .path, "x-Y!_9 /p HTTP/1.9\r\n", "/p"),

        Case("a field", .header("x-user"), "GET / HTTP/1.1\r\nHost: h\r\nX-User: ann\r\n\r\n", "ann"),
        Case("a name in any letters", .header("x-user"), "GET / HTTP/1.1\r\nx-uSER: ann\r\n\r\n", "ann"),
        Case("blanks around a value are not of it", .header("a"), "GET / HTTP/1.1\r\na:\t b c \t\r\n\r\n", "b c"),
        Case("no blank at all", .header("a"), "GET / HTTP/1.1\na:b\n\n", "b"),
        Case("a repeated field is one list", .header("a"), "GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nA: 3\r\n\r\n", "1, 3"),
        Case("an empty one among them adds nothing", .header("a"), "GET / HTTP/1.1\r\na:\r\na: 3\r\na: \r\n\r\n", "3"),
        Case("a folded value", .header("a"), "GET / HTTP/1.1\r\na: 1\r\n  2\r\n\t3 \r\nb: 4\r\n\r\n", "1 2 3"),
        Case("a value that begins on the next line", .header("a"), "GET / HTTP/1.1\r\na:\r\n 2\r\n\r\n", "2"),
        Case("a folded value of another field", .header("a"), "GET / HTTP/1.1\r\nb: 1\r\n a: 2\r\na: 3\r\n\r\n", "3"),
        Case("a name that begins like it", .header("a"), "GET / HTTP/1.1\r\nab: 1\r\n\r\n", nil),
        Case("a name that it begins with", .header("ab"), "GET / HTTP/1.1\r\na: 1\r\n\r\n", nil),
        Case("an empty value", .header("a"), "GET / HTTP/1.1\r\na: \r\n\r\n", nil),
        Case("no fields", .header("a"), "GET / HTTP/1.1\r\n\r\n", nil),
        Case("a colon in a value", .header("host"), "GET / HTTP/1.1\r\nHost: h:80\r\n\r\n", "h:80"),

        Case("a cookie", .cookie("id"), "GET / HTTP/1.1\r\nCookie: a=1; id=x=y; b=2\r\n\r\n", "x=y"),
        Case("a cookie's name with its capitals", .cookie("ID"), "GET / HTTP/1.1\r\nCookie: id=1; ID=2\r\n\r\n", "2"),
        Case("the first of two of one name", .cookie("id"), "GET / HTTP/1.1\r\nCookie: id=1; id=2\r\n\r\n", "1"),
        Case("one in a second field", .cookie("id"), "GET / HTTP/1.1\r\nCookie: a=1\r\nCookie: id=2\r\n\r\n", "2"),
        Case(
            "without the blanks that should be there", .cookie("id"), "GET / HTTP/1.1\r\nCookie: a=1;id=2 \r\n\r\n", "2"
        ),
        Case("an empty one", .cookie("id"), "GET / HTTP/1.1\r\nCookie: id=; a=1\r\n\r\n", nil),
        Case("a word that is no pair", .cookie("id"), "GET / HTTP/1.1\r\nCookie: id\r\n\r\n", nil),
        Case("a name that ends like it", .cookie("id"), "GET / HTTP/1.1\r\nCookie: sid=1\r\n\r\n", nil),
        Case("cookies that a server sets", .cookie("id"), "GET / HTTP/1.1\r\nSet-Cookie: id=1\r\n\r\n", nil),
    ]

    @Test("A part is found where the head has it", arguments: heads)
    func found(head: Case) {
        let bytes = [UInt8].text(head.text)
        let expected: RequestHead.Reading =
            head.value.map { .found(.text($0), length: bytes.count) } ?? .absent(length: bytes.count)
        #expect(RequestHead.read(head.part, exactly: bytes) == expected)
        // What follows is not looked at.
        #expect(RequestHead.read(head.part, exactly: bytes + [0, 0xFF]) == expected)
    }

    @Test("Every beginning asks for more", arguments: heads)
    func truncation(head: Case) {
        let bytes = [UInt8].text(head.text)
        for count in 0..<bytes.count {
            #expect(RequestHead.read(head.part, exactly: bytes.prefix(count)) == .needMore, "\(count) bytes")
        }
    }

    // MARK: What is none

    static let others: [(name: String, bytes: [UInt8], decisive: Int)] = [
        ("a ClientHello", [22, 3, 1, 2, 0], 1),
        ("zeroes", [0, 0, 0, 0], 1),
        ("a blank first", .text(" GET / HTTP/1.1\r\n"), 1),
        ("a second empty line", .text("\r\n\r\nGET / HTTP/1.1"), 3),
        ("HTTP/2", .text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 12),
        ("HTTP/0.9", .text("GET /\r\n"), 6),
        ("a version without a minor one", .text("GET / HTTP/1.\r\n"), 14),
        ("a version of two digits", .text("GET / HTTP/1.10\r\n"), 15),
        ("small letters in the version", .text("GET / http/1.1\r\n"), 7),
        ("two spaces", .text("GET  / HTTP/1.1\r\n"), 5),
        ("a space behind the version", .text("GET / HTTP/1.1 \r\n"), 15),
        ("a tab for a space", .text("GET\t/ HTTP/1.1\r\n"), 4),
        ("the greeting of SSH", .text("SSH-2.0-OpenSSH_9.2\r\n"), 20),
        ("a command of Redis", .text("*1\r\n$4\r\nPING\r\n"), 3),
        ("a long word", [UInt8](repeating: 0x41, count: 100), 33),
        ("a colon without a name", .text("GET / HTTP/1.1\r\n: a\r\n"), 17),
        ("a blank before the colon", .text("GET / HTTP/1.1\r\na : b\r\n"), 18),
        ("a first field that goes on with another", .text("GET / HTTP/1.1\r\n a: b\r\n"), 17),
        ("a bare CR in a value", .text("GET / HTTP/1.1\r\na: b\rc\r\n"), 22),
        ("a NUL in a value", .text("GET / HTTP/1.1\r\na: b\0c\r\n"), 21),
        ("a NUL in a target", .text("GET /\0 HTTP/1.1\r\n"), 6),
        ("a line without a colon", .text("GET / HTTP/1.1\r\nab\r\n"), 19),
    ]

    @Test("What is no head is known at its first wrong byte", arguments: others)
    func foreign(name: String, bytes: [UInt8], decisive: Int) {
        let part = RequestPart.header("a")
        #expect(RequestHead.read(part, exactly: bytes) == .noHead)
        #expect(RequestHead.read(part, exactly: bytes.prefix(decisive)) == .noHead)
        #expect(RequestHead.read(part, exactly: bytes.prefix(decisive - 1)) == .needMore)
    }

    @Test("A head that takes more bytes than are read is none, and its path is known all the same")
    func bound() {
        let line = [UInt8].text("GET /a HTTP/1.1\r\nx: ")
        let rest = [UInt8](repeating: 0x61, count: Preface.bound.bytes - line.count - 4)
        let fitting = line + rest + .text("\r\n\r\n")
        #expect(RequestHead.read(.header("x"), exactly: fitting) == .found(rest, length: Preface.bound.bytes))
        let long = line + rest + .text("a\r\n\r\n")
        #expect(RequestHead.read(.header("x"), exactly: long.dropLast()) == .noHead)
        #expect(RequestHead.read(.header("x"), exactly: long) == .noHead)
        #expect(RequestHead.read(.path, exactly: long) == .found(.text("/a"), length: 17))
        #expect(RequestHead.read(.header("x"), exactly: fitting, within: fitting.count - 1) == .noHead)
    }

    // MARK: Whatever the bytes

    @Test("How bytes come changes nothing, and more of them mend nothing", arguments: 1...10 as ClosedRange<UInt64>)
    func garbage(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let samples = Self.heads.map { [UInt8].text($0.text) } + Self.others.map(\.bytes)
        let parts: [RequestPart] = [.path, .header("a"), .cookie("id")]
        var (read, refused) = (0, 0)
        for _ in 0..<400 {
            var bytes = samples[Int(random.below(UInt32(samples.count)))]
            for _ in 0..<random.below(3) where !bytes.isEmpty {
                let place = Int(random.below(UInt32(bytes.count)))
                switch random.below(4) {
                case 0: bytes[place] ^= 1 << UInt8(random.below(8))
                case 1: bytes.remove(at: place)
                case 2: bytes.insert([0x0A, 0x0D, 0x20, 0x3A, 0x3B][Int(random.below(5))], at: place)
                default: bytes.removeSubrange(place...)
                }
            }
            let part = parts[Int(random.below(3))]
            let whole = RequestHead.read(part, exactly: bytes)
            let first = (0...bytes.count).lazy.map { RequestHead.read(part, exactly: bytes.prefix($0)) }
                .first { $0 != .needMore }
            #expect(first ?? .needMore == whole)
            switch whole {
            case .found(let value, let length):
                read += 1
                #expect(!value.isEmpty && length <= bytes.count)
            case .absent(let length): #expect(length <= bytes.count)
            case .noHead: refused += 1
            case .needMore: break
            }
        }
        #expect(read > 20 && refused > 20)
    }

    @Test("Names are tokens, of a bounded length")
    func names() {
        #expect(RequestPart.isName("X-User_id.1~"))
        #expect(RequestPart.isName(String(repeating: "a", count: 128)))
        for text in ["", "a b", "a:", "ä", "a\"", "a;b", String(repeating: "a", count: 129)] {
            #expect(!RequestPart.isName(text), "\(text)")
        }
    }
}

extension RequestHead {
    /// Reads bytes in a block of exactly their size, so that AddressSanitizer sees a read beyond them.
    static func read(
        _ part: RequestPart, exactly bytes: some Collection<UInt8>, within limit: Int = Preface.bound.bytes
    ) -> Reading {
        let block = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        defer { unsafe block.deallocate() }
        _ = unsafe block.initialize(fromContentsOf: bytes)
        return unsafe read(part, in: Span(_unsafeElements: UnsafeBufferPointer(block)), within: limit)
    }
}
