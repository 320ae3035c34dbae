// The first message of TLS (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2), read to route by and left as it is.
//
//     record: type 1 | version 2 | length 2 | fragment …            any number of them
//     message: type 1 | length 3 | version 2 | random 32 | session id | suites | compressions | extensions
//
// It is read in one pass by a cursor that steps over records' heads, for a message may be spread over records at will, and
// that stops in one of three ways: at the message's end, at the first byte that cannot stand there, or where the bytes
// end. Nothing is copied but the names that are found. Joining the records first was not taken: it copies 16 KiB for a
// stranger who has sent five bytes.
//
// What is not understood is passed over, as the protocol wants it: unknown extensions, suites, versions and the reserved
// values that clients send to see whether servers do (GREASE, RFC 8701). What does not add up is refused, since an
// endpoint might read it otherwise than we do.

/// What a client says in its first message that connections are routed by.
package struct ClientHello: Hashable, Sendable {
    /// The server that it wants (RFC 6066 §3), in lower case. With an encrypted hello it is the public name of
    /// whoever can decrypt it.
    package var serverName: String?
    /// What it offers to speak (RFC 7301), of visible ASCII characters, the first ``protocolsRead`` at most.
    package var applicationProtocols: [String]
    /// It has an encrypted hello within (RFC 9849), which only the server of the public name can read.
    package var hasEncryptedHello: Bool

    package init(serverName: String? = nil, applicationProtocols: [String] = [], hasEncryptedHello: Bool = false) {
        self.serverName = serverName
        self.applicationProtocols = applicationProtocols
        self.hasEncryptedHello = hasEncryptedHello
    }

    /// More of them are not kept.
    package static let protocolsRead = 16

    /// What a connection's first bytes are.
    package enum Reading: Hashable, Sendable {
        /// The beginning of a message that has at least this many bytes, its records' heads counted.
        case needMore(atLeast: Int)
        /// A whole message, which is within the first `length` bytes.
        case hello(ClientHello, length: Int)
        case malformed(ClientHelloFault)
    }

    /// Reads the message that `bytes` begin with; whatever follows it is not looked at.
    /// - Parameter limit: a message that takes more bytes is malformed.
    package static func read(_ bytes: Span<UInt8>, within limit: Int = Preface.bound.bytes) -> Reading {
        var cursor = MessageCursor(limit: limit)
        do throws(MessageCursor.Stop) {
            let hello = try cursor.hello(in: bytes)
            return .hello(hello, length: cursor.offset)
        } catch {
            switch error {
            case .bytesEnded: return .needMore(atLeast: cursor.leastEnd)
            case .fault(let fault): return .malformed(fault)
            }
        }
    }
}

extension ClientHello {
    /// The byte of a host name in lower case; nil for one that no host name has. Underscores are in use, and so are
    /// addresses, which RFC 6066 does not want here.
    static func lowered(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"):
            byte
        default: nil
        }
    }
}

/// Why bytes are no ClientHello. Keeps numbers and at most one of the peer's bytes.
package enum ClientHelloFault: Error, Hashable, Sendable {
    /// The connection does not begin with a TLS record of the handshake; this is its first byte.
    case noTLS(UInt8)
    /// The record at `offset` is of another type.
    case notHandshake(type: UInt8, offset: Int)
    case unknownVersion(major: UInt8, offset: Int)
    case recordLength(Int, offset: Int)
    /// The first message is not a ClientHello.
    case otherMessage(type: UInt8)
    /// It takes `length` bytes at least, its records' heads counted.
    case tooLong(length: Int, limit: Int)
    /// A length within the message reaches beyond what it is in, or leaves something over.
    case lengths(Part)
    case repeated(Part)
    /// A server name that is none: of no bytes, or with one that no host name has.
    case serverName(UInt8?)

    package enum Part: String, Sendable {
        case message = "the message"
        case sessionID = "the session id"
        case cipherSuites = "the list of cipher suites"
        case compressions = "the list of compression methods"
        case extensions = "the list of extensions"
        case serverName = "the server name"
        case applicationProtocols = "the list of application protocols"
        case encryptedHello = "the encrypted hello"
    }
}

extension ClientHelloFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noTLS(let byte):
            byte & 0x80 != 0
                ? "byte 0 is \(escaped(byte)), which begins no TLS handshake; SSL 2 is not spoken"
                : "byte 0 is \(escaped(byte)), which begins no TLS handshake; does the peer speak TLS?"
        case .notHandshake(let type, let offset):
            "the TLS record at byte \(offset) is of type \(type) where the ClientHello goes on"
        case .unknownVersion(let major, let offset):
            "the TLS record at byte \(offset) is of version \(major).x; only 3.x is known"
        case .recordLength(let length, let offset):
            "the TLS record at byte \(offset) announces \(length) bytes; a handshake's has 1 to \(MessageCursor.longestRecord)"
        case .otherMessage(let type):
            "the first TLS message is of type \(type); a ClientHello's is 1"
        case .tooLong(let length, let limit):
            "the ClientHello takes \(length) bytes; at most \(limit) are read"
        case .lengths(let part):
            "\(part.rawValue) of the ClientHello is not as long as it says"
        case .repeated(let part):
            "\(part.rawValue) of the ClientHello is there twice"
        case .serverName(let byte):
            byte.map { "the server name of the ClientHello holds \(escaped($0)), which no host name does" }
                ?? "the server name of the ClientHello is empty"
        }
    }
}

// MARK: - Reading

/// Where the reader is. The bytes are handed to every operation, as in `TextReader`.
private struct MessageCursor {
    /// Bytes of the connection that were taken; a record's head is taken as a whole.
    var offset = 0
    /// Of the record that `offset` is in.
    private var recordLeft = 0
    /// Of the message, as far as is known: its head of four bytes at first.
    private var left = 4
    private let limit: Int

    static let recordHead = 5
    static let longestRecord = 1 << 14

    enum Stop: Error {
        case bytesEnded
        case fault(ClientHelloFault)
    }

    init(limit: Int) { self.limit = limit }

    /// Where the message ends if what is missing comes in one record.
    var leastEnd: Int { offset + left + (left > recordLeft ? Self.recordHead : 0) }

    mutating func hello(in bytes: Span<UInt8>) throws(Stop) -> ClientHello {
        let type = try byte(in: bytes)
        guard type == 1 else { throw .fault(.otherMessage(type: type)) }
        left = Int(try byte(in: bytes)) << 16 | Int(try number(in: bytes))
        try checkBound()
        // Version and random
        try skip(34, of: .message, in: bytes)
        let sessionID = Int(try byte(of: .sessionID, in: bytes))
        guard sessionID <= 32 else { throw .fault(.lengths(.sessionID)) }
        try skip(sessionID, of: .sessionID, in: bytes)
        let suites = Int(try number(of: .cipherSuites, in: bytes))
        guard suites >= 2, suites.isMultiple(of: 2) else { throw .fault(.lengths(.cipherSuites)) }
        try skip(suites, of: .cipherSuites, in: bytes)
        let compressions = Int(try byte(of: .compressions, in: bytes))
        guard compressions >= 1 else { throw .fault(.lengths(.compressions)) }
        try skip(compressions, of: .compressions, in: bytes)
        var hello = ClientHello()
        // TLS 1.2 allows a message without any.
        guard left > 0 else { return hello }
        guard Int(try number(of: .extensions, in: bytes)) == left else { throw .fault(.lengths(.extensions)) }
        var seen: Set<UInt16> = []
        while left > 0 {
            let type = try number(of: .extensions, in: bytes)
            let length = Int(try number(of: .extensions, in: bytes))
            guard length <= left else { throw .fault(.lengths(.extensions)) }
            switch type {
            case 0:
                guard seen.insert(type).inserted else { throw .fault(.repeated(.serverName)) }
                hello.serverName = try serverName(length, in: bytes)
            case 16:
                guard seen.insert(type).inserted else { throw .fault(.repeated(.applicationProtocols)) }
                hello.applicationProtocols = try protocols(length, in: bytes)
            case 0xFE0D:
                guard seen.insert(type).inserted else { throw .fault(.repeated(.encryptedHello)) }
                guard length > 0 else { throw .fault(.lengths(.encryptedHello)) }
                // 0 is the outer one; the inner never travels in the clear.
                hello.hasEncryptedHello = try byte(of: .encryptedHello, in: bytes) == 0
                try skip(length - 1, of: .encryptedHello, in: bytes)
            default:
                try skip(length, of: .extensions, in: bytes)
            }
        }
        return hello
    }

    /// - Parameter length: of the extension's contents.
    private mutating func serverName(_ length: Int, in bytes: Span<UInt8>) throws(Stop) -> String? {
        let end = left - length
        guard length >= 2, Int(try number(in: bytes)) == length - 2 else { throw .fault(.lengths(.serverName)) }
        var name: String?
        while left > end {
            guard left - end >= 3 else { throw .fault(.lengths(.serverName)) }
            let kind = try byte(in: bytes)
            let count = Int(try number(in: bytes))
            guard count <= left - end else { throw .fault(.lengths(.serverName)) }
            guard kind == 0 else {
                // No other kind was ever defined.
                try skip(count, of: .serverName, in: bytes)
                continue
            }
            guard name == nil else { throw .fault(.repeated(.serverName)) }
            guard count > 0 else { throw .fault(.serverName(nil)) }
            guard count <= 255 else { throw .fault(.lengths(.serverName)) }
            var text: [UInt8] = []
            text.reserveCapacity(count)
            for _ in 0..<count {
                let letter = try byte(in: bytes)
                guard let lowered = ClientHello.lowered(letter) else { throw .fault(.serverName(letter)) }
                text.append(lowered)
            }
            name = String(decoding: text, as: UTF8.self)
        }
        return name
    }

    private mutating func protocols(_ length: Int, in bytes: Span<UInt8>) throws(Stop) -> [String] {
        let end = left - length
        guard length >= 2, Int(try number(in: bytes)) == length - 2 else {
            throw .fault(.lengths(.applicationProtocols))
        }
        var found: [String] = []
        while left > end {
            let count = Int(try byte(in: bytes))
            guard count > 0, count <= left - end else { throw .fault(.lengths(.applicationProtocols)) }
            guard found.count < ClientHello.protocolsRead else {
                try skip(count, of: .applicationProtocols, in: bytes)
                continue
            }
            var text: [UInt8] = []
            for _ in 0..<count { text.append(try byte(in: bytes)) }
            // Reserved values are no text, and nothing is routed by them.
            if text.allSatisfy({ (0x21...0x7E).contains($0) }) { found.append(String(decoding: text, as: UTF8.self)) }
        }
        return found
    }

    // MARK: Bytes

    private mutating func number(
        of part: ClientHelloFault.Part = .message, in bytes: Span<UInt8>
    ) throws(Stop) -> UInt16 {
        UInt16(try byte(of: part, in: bytes)) << 8 | UInt16(try byte(of: part, in: bytes))
    }

    /// - Parameter part: what is at fault if the message has no such byte.
    private mutating func byte(
        of part: ClientHelloFault.Part = .message, in bytes: Span<UInt8>
    ) throws(Stop) -> UInt8 {
        guard left > 0 else { throw .fault(.lengths(part)) }
        if recordLeft == 0 { try enterRecord(in: bytes) }
        guard offset < bytes.count else { throw .bytesEnded }
        let byte = bytes[offset]
        advance(1)
        return byte
    }

    private mutating func skip(_ count: Int, of part: ClientHelloFault.Part, in bytes: Span<UInt8>) throws(Stop) {
        guard count <= left else { throw .fault(.lengths(part)) }
        var rest = count
        while rest > 0 {
            if recordLeft == 0 { try enterRecord(in: bytes) }
            let step = min(rest, recordLeft, bytes.count - offset)
            guard step > 0 else { throw .bytesEnded }
            advance(step)
            rest -= step
        }
    }

    private mutating func advance(_ count: Int) {
        offset += count
        recordLeft -= count
        left -= count
    }

    /// Judges a record's head byte by byte, and steps over it once it is there.
    private mutating func enterRecord(in bytes: Span<UInt8>) throws(Stop) {
        guard bytes.count > offset else { throw .bytesEnded }
        guard bytes[offset] == 22 else {
            throw .fault(offset == 0 ? .noTLS(bytes[0]) : .notHandshake(type: bytes[offset], offset: offset))
        }
        guard bytes.count > offset + 1 else { throw .bytesEnded }
        guard bytes[offset + 1] == 3 else {
            throw .fault(.unknownVersion(major: bytes[offset + 1], offset: offset))
        }
        guard bytes.count >= offset + Self.recordHead else { throw .bytesEnded }
        let length = Int(bytes[offset + 3]) << 8 | Int(bytes[offset + 4])
        guard (1...Self.longestRecord).contains(length) else {
            throw .fault(.recordLength(length, offset: offset))
        }
        offset += Self.recordHead
        recordLeft = length
        try checkBound()
    }

    private func checkBound() throws(Stop) {
        guard leastEnd <= limit else { throw .fault(.tooLong(length: leastEnd, limit: limit)) }
    }
}
