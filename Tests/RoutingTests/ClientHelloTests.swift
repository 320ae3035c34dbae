import Foundation
import Testing
import Vocabulary

@testable import Routing

@Suite("ClientHellos")
struct ClientHelloTests {
    // MARK: What is read

    struct Sample: Sendable, CustomTestStringConvertible {
        /// A file of the fuzzer's corpus.
        let file: String
        let hello: ClientHello
        var testDescription: String { file }

        /// Without the fuzzer's choice of a preface before it.
        func bytes() throws -> [UInt8] {
            let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "Fuzz/Corpus/prefaces")
            return [UInt8](try Data(contentsOf: corpus.appending(path: file))).dropFirst().map { $0 }
        }
    }

    /// From OpenSSL 3.0.22's s_client, curl 7.88.1, gnutls-cli 3.7.9 and Python 3.
    static let captured: [Sample] = [
        Sample(
            file: "hello-openssl-tls13",
            hello: ClientHello(serverName: "a.ingest.edge", applicationProtocols: ["h2", "http/1.1"])),
        Sample(file: "hello-openssl-tls12", hello: ClientHello(serverName: "b.ingest.edge")),
        Sample(file: "hello-openssl-no-name", hello: ClientHello()),
        Sample(file: "hello-openssl-split", hello: ClientHello(serverName: "split.ingest.edge")),
        Sample(
            file: "hello-curl",
            hello: ClientHello(serverName: "c.ingest.edge", applicationProtocols: ["h2", "http/1.1"])),
        Sample(file: "hello-gnutls", hello: ClientHello(serverName: "d.ingest.edge", applicationProtocols: ["h2"])),
        Sample(file: "hello-gnutls-tls12", hello: ClientHello(serverName: "e.ingest.edge")),
        Sample(file: "hello-python", hello: ClientHello(serverName: "f.ingest.edge")),
    ]

    @Test("Hellos of real clients are read", arguments: captured)
    func real(capture: Sample) throws {
        let bytes = try capture.bytes()
        #expect(ClientHello.read(exactly: bytes) == .hello(capture.hello, length: bytes.count))
        #expect(ClientHello.read(exactly: bytes + [0x17, 3, 3]) == .hello(capture.hello, length: bytes.count))
    }

    @Test("A hello in records of any size is the same", arguments: captured, [1, 2, 3, 7, 40, 511])
    func split(capture: Sample, size: Int) throws {
        let message = Array(try capture.bytes().dropFirst(5))
        let bytes = [UInt8].records(of: message, size: size)
        #expect(ClientHello.read(exactly: bytes) == .hello(capture.hello, length: bytes.count))
    }

    @Test("Every beginning asks for more, never for more than there is", arguments: captured, [3, 100_000])
    func truncation(capture: Sample, size: Int) throws {
        let bytes = [UInt8].records(of: Array(try capture.bytes().dropFirst(5)), size: size)
        for count in 0..<bytes.count {
            guard case .needMore(let wanted) = ClientHello.read(exactly: bytes.prefix(count)) else {
                Issue.record("\(count) of \(bytes.count) bytes were decided")
                return
            }
            #expect(wanted > count && wanted <= bytes.count)
        }
    }

    static let made: [(name: String, bytes: [UInt8], hello: ClientHello)] = [
        ("no extensions at all, as TLS 1.2 allows", .hello(extensions: nil), ClientHello()),
        ("an empty list of extensions", .hello(extensions: []), ClientHello()),
        (
            "a name in capitals", .hello(extensions: .serverName("A.Ingest.EDGE")),
            ClientHello(serverName: "a.ingest.edge")
        ),
        ("an address for a name", .hello(extensions: .serverName("10.0.0.1")), ClientHello(serverName: "10.0.0.1")),
        (
            "reserved extensions before and after (GREASE)",
            .hello(extensions: [0x0A, 0x0A, 0, 0] + .serverName("x.y") + [0xFA, 0xFA, 0, 1, 0]),
            ClientHello(serverName: "x.y")
        ),
        (
            "a reserved protocol among known ones",
            .hello(extensions: .protocols([[0x0A, 0x0A], .text("h2"), .text("http/1.1")])),
            ClientHello(applicationProtocols: ["h2", "http/1.1"])
        ),
        (
            "an encrypted hello's outer one",
            .hello(extensions: .serverName("public.edge") + .extension(0xFE0D, [0, 0, 1, 0, 1, 7, 0, 0, 0, 0])),
            ClientHello(serverName: "public.edge", hasEncryptedHello: true)
        ),
        (
            "a name of a kind that nobody defined",
            .hello(extensions: .extension(0, [0, 4, 9, 0, 1, 0x61])), ClientHello()
        ),
        (
            "as long as the bound",
            .hello(extensions: .serverName("x.y") + .extension(21, [UInt8](repeating: 0, count: 16_384 - 68))),
            ClientHello(serverName: "x.y")
        ),
        (
            "more protocols than are kept",
            .hello(extensions: .protocols((0..<40).map { .text("p\($0)") })),
            ClientHello(applicationProtocols: (0..<16).map { "p\($0)" })
        ),
    ]

    @Test("What is unusual and allowed is read", arguments: made)
    func unusual(name: String, bytes: [UInt8], hello: ClientHello) {
        #expect(ClientHello.read(exactly: bytes) == .hello(hello, length: bytes.count))
    }

    // MARK: What is refused

    static let malformed: [(bytes: [UInt8], fault: ClientHelloFault)] = [
        (.text("G"), .noTLS(0x47)),
        (.text("PROXY TCP4"), .noTLS(0x50)),
        ([0x80, 0x2E, 1, 0, 2], .noTLS(0x80)),
        ([23], .noTLS(23)),
        ([22, 2], .unknownVersion(major: 2, offset: 0)),
        ([22, 3, 1, 0, 0], .recordLength(0, offset: 0)),
        ([22, 3, 1, 0x40, 1], .recordLength(16385, offset: 0)),
        ([22, 3, 1, 0, 40, 2], .otherMessage(type: 2)),
        ([22, 3, 1, 0x40, 0, 1, 0, 0x40, 0], .tooLong(length: 16_384 + 4 + 5 + 5, limit: 16_384)),
        ([22, 3, 1, 0x40, 0, 1, 1, 0, 0], .tooLong(length: 65_536 + 4 + 5 + 5, limit: 16_384)),
        ([22, 3, 1, 0, 2, 1, 0, 21], .notHandshake(type: 21, offset: 7)),
        ([22, 3, 1, 0, 2, 1, 0, 22, 4], .unknownVersion(major: 4, offset: 7)),
        (.hello(sessionID: [UInt8](repeating: 0, count: 33)), .lengths(.sessionID)),
        (.hello(suites: [1]), .lengths(.cipherSuites)),
        (.hello(suites: []), .lengths(.cipherSuites)),
        (.hello(compressions: []), .lengths(.compressions)),
        (.hello(extensions: [], extra: 1), .lengths(.extensions)),
        (.hello(extensions: [0]), .lengths(.extensions)),
        (.hello(extensions: [0, 99, 0, 1]), .lengths(.extensions)),
        (.hello(extensions: .serverName("a") + .serverName("b")), .repeated(.serverName)),
        (.hello(extensions: .extension(0, [0, 8, 0, 0, 1, 0x61, 0, 0, 1, 0x62])), .repeated(.serverName)),
        (.hello(extensions: .extension(0, [])), .lengths(.serverName)),
        (.hello(extensions: .extension(0, [0, 3, 0, 0, 0])), .serverName(nil)),
        (.hello(extensions: .extension(0, [0, 4, 0, 0, 2, 0x61])), .lengths(.serverName)),
        (.hello(extensions: .extension(0, [0, 2, 0, 0])), .lengths(.serverName)),
        (.hello(extensions: .serverName("a\0b")), .serverName(0)),
        (.hello(extensions: .serverName("a b")), .serverName(0x20)),
        (.hello(extensions: .serverName(String(repeating: "a", count: 256))), .lengths(.serverName)),
        (.hello(extensions: .protocols([[]])), .lengths(.applicationProtocols)),
        (.hello(extensions: .extension(16, [0, 3, 3, 0x68, 0x32])), .lengths(.applicationProtocols)),
        (.hello(extensions: .extension(16, [0, 9, 2, 0x68, 0x32])), .lengths(.applicationProtocols)),
        (.hello(extensions: .extension(0xFE0D, [])), .lengths(.encryptedHello)),
    ]

    @Test("What does not add up is refused, and more bytes mend nothing", arguments: malformed)
    func refused(bytes: [UInt8], fault: ClientHelloFault) {
        #expect(ClientHello.read(exactly: bytes) == .malformed(fault))
        #expect(ClientHello.read(exactly: bytes + [0, 0]) == .malformed(fault))
        #expect(fault.description.utf8.count < 120)
    }

    @Test("A message within its bound whose records' heads go beyond it is refused")
    func headsCount() {
        // Given a message of 4,000 bytes in records of one byte
        let padded = [UInt8].hello(extensions: .extension(21, [UInt8](repeating: 0, count: 4000)))
        let bytes = [UInt8].records(of: Array(padded.dropFirst(5)), size: 1)
        // Then the bound is met as soon as what is left cannot fit, which is before it is all there
        guard case .malformed(.tooLong(let length, _)) = ClientHello.read(exactly: bytes) else {
            Issue.record("it was read")
            return
        }
        #expect(length > Preface.bound.bytes && length < bytes.count)
    }

    // MARK: As a preface

    @Test("A hello as a preface takes nothing and tells what it says")
    func preface() {
        let socket = ConnectionFacts(peer: .ipv4(.loopback, port: 1), local: .ipv4(.loopback, port: 2))
        let bytes = [UInt8].hello(extensions: .serverName("x.y"))
        var facts = socket
        facts.hello = ClientHello(serverName: "x.y")
        let preface = Preface(peek: .clientHello)
        #expect(preface.examine(bytes: bytes + [1, 2], of: socket) == .done(length: 0, facts: facts))
        #expect(preface.examine(bytes: Array(bytes.dropLast()), of: socket) == .needMore(atLeast: bytes.count))
        // What is no hello is for the endpoint to judge.
        #expect(preface.examine(bytes: .text("GET /"), of: socket) == .done(length: 0, facts: socket))
    }

    @Test("Behind a PROXY header, both are read and only the header is taken")
    func behindHeader() {
        let socket = ConnectionFacts(peer: .ipv4(.loopback, port: 1), local: .ipv4(.loopback, port: 2))
        let header = [UInt8].text("PROXY TCP4 10.0.0.1 10.0.0.2 1000 443\r\n")
        let hello = [UInt8].hello(extensions: .serverName("x.y"))
        let preface = Preface(takesProxyHeader: true, peek: .clientHello)
        let verdict = preface.examine(bytes: header + hello, of: socket)
        guard case .done(let length, let facts) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(length == header.count)
        #expect(facts.peer == .ipv4(.init(bits: 0x0A00_0001), port: 1000))
        #expect(facts.hello?.serverName == "x.y")
        #expect(preface.examine(bytes: header, of: socket) == .needMore(atLeast: header.count + 9))
        #expect(preface.examine(bytes: hello, of: socket) == .malformed(.proxyHeader(.noHeader(22, offset: 0))))
        // A hello that fits alone may not fit behind a header.
        let long = [UInt8].hello(extensions: .extension(21, [UInt8](repeating: 0, count: 16_384 - 56)))
        #expect(long.count == Preface.bound.bytes)
        var unnamed = facts
        unnamed.hello = nil
        #expect(preface.examine(bytes: header + long, of: socket) == .done(length: header.count, facts: unnamed))
    }

    // MARK: Whatever the bytes

    @Test("No bytes crash the reader, and how they come changes nothing", arguments: 1...10 as ClosedRange<UInt64>)
    func garbage(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let samples = try Self.captured.map { try $0.bytes() } + Self.made.map(\.bytes).filter { $0.count < 1000 }
        var (read, refused) = (0, 0)
        for _ in 0..<100 {
            var bytes = samples[Int(random.below(UInt32(samples.count)))]
            if random.below(3) == 0 {
                bytes = .records(of: Array(bytes.dropFirst(5)), size: 1 + Int(random.below(100)))
            }
            for _ in 0..<random.below(3) where !bytes.isEmpty {
                let place = Int(random.below(UInt32(bytes.count)))
                switch random.below(4) {
                case 0: bytes[place] ^= 1 << UInt8(random.below(8))
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                default: bytes.removeSubrange(place...)
                }
            }
            let whole = ClientHello.read(exactly: bytes)
            var held = 0
            while held < bytes.count, case .needMore(let wanted) = ClientHello.read(exactly: bytes.prefix(held)) {
                #expect(wanted > held)
                held += 1
            }
            #expect(ClientHello.read(exactly: bytes.prefix(held)) == whole)
            switch whole {
            case .hello(_, let length):
                read += 1
                #expect(length <= bytes.count)
            case .needMore(let wanted): #expect(wanted > bytes.count && wanted <= Preface.bound.bytes)
            case .malformed: refused += 1
            }
        }
        #expect(read > 10 && refused > 10)
    }
}

// MARK: - Bytes

extension ClientHello {
    /// Reads bytes in a block of exactly their size, so that AddressSanitizer sees a read beyond them.
    fileprivate static func read(exactly bytes: some Collection<UInt8>) -> Reading {
        let block = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        defer { unsafe block.deallocate() }
        _ = unsafe block.initialize(fromContentsOf: bytes)
        return unsafe read(Span(_unsafeElements: UnsafeBufferPointer(block)))
    }
}

extension [UInt8] {
    /// A message in one record.
    /// - Parameter extra: what its list of extensions says beyond its length.
    fileprivate static func hello(
        sessionID: [UInt8] = [], suites: [UInt8] = [0x13, 0x01], compressions: [UInt8] = [0], extensions: [UInt8]? = [],
        extra: Int = 0
    ) -> [UInt8] {
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32)
        body += [UInt8(sessionID.count)] + sessionID
        body += .number(suites.count) + suites
        body += [UInt8(compressions.count)] + compressions
        if let extensions { body += .number(extensions.count + extra) + extensions }
        let message = [1, UInt8(body.count >> 16)] + .number(body.count & 0xFFFF) + body
        return records(of: message, size: 1 << 14)
    }

    fileprivate static func records(of message: [UInt8], size: Int) -> [UInt8] {
        var result: [UInt8] = []
        var rest = message[...]
        while !rest.isEmpty {
            let part = rest.prefix(Swift.min(size, 1 << 14))
            result += [22, 3, 1] + .number(part.count) + part
            rest = rest.dropFirst(part.count)
        }
        return result
    }

    fileprivate static func number(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

    fileprivate static func `extension`(_ type: Int, _ contents: [UInt8]) -> [UInt8] {
        .number(type) + .number(contents.count) + contents
    }

    fileprivate static func serverName(_ name: String) -> [UInt8] {
        .extension(0, .number(name.utf8.count + 3) + [0] + .number(name.utf8.count) + name.utf8)
    }

    fileprivate static func protocols(_ names: [[UInt8]]) -> [UInt8] {
        let list = names.flatMap { [UInt8($0.count)] + $0 }
        return .extension(16, .number(list.count) + list)
    }
}
