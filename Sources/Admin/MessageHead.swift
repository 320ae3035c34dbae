// The head of an HTTP/1 message, cut out of a stream of bytes (RFC 9112 §2 and §5).
//
// FlyingFox decodes heads too, but without any bound: a header line may grow for
// as long as its sender likes. Here a head that outgrows its limit is a fault.

/// What a peer sent that is no message we accept.
enum MessageFault: Error, Hashable {
    case malformed(String)
    case headTooLong(limit: Int)
    case bodyTooLong(limit: Int)
    case transferEncoding(String)
    case version(String)
    /// The rest of a message that had begun did not come in time.
    case tooSlow

    /// What is wrong and what would be right.
    var explanation: String {
        switch self {
        case .malformed(let what): what
        case .headTooLong(let limit): "the request's head is longer than \(limit) bytes"
        case .bodyTooLong(let limit): "the request's body is longer than \(limit) bytes"
        case .transferEncoding(let coding): "transfer coding \"\(coding)\" is not supported here; send a Content-Length"
        case .version(let version): "\"\(version)\" is not spoken here; use HTTP/1.1"
        case .tooSlow: "the rest of the request did not come in time"
        }
    }
}

struct MessageHead: Hashable {
    /// The request line or the status line.
    var startLine: String
    /// Header fields in the order they came, names in lower case.
    var fields: [Field] = []

    struct Field: Hashable {
        var name: String
        var value: String
    }

    /// All values of the field `name`, which is in lower case.
    func values(of name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }

    /// The length of the body that follows; nil where the head names none.
    func contentLength() throws(MessageFault) -> Int? {
        let lengths = Set(values(of: "content-length"))
        guard let length = lengths.first else { return nil }
        guard lengths.count == 1, length.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(length) else {
            throw .malformed("Content-Length \"\(lengths.sorted().joined(separator: ", "))\" is no length")
        }
        return count
    }

    /// - Parameter lines: without their ends; the first is the start line.
    fileprivate init(lines: [String]) throws(MessageFault) {
        startLine = lines[0]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else {
                throw .malformed("the header line \"\(line)\" has no colon")
            }
            let name = line[..<colon]
            // Also refuses the obsolete continuation lines, which begin with a space (RFC 9112 §5.2).
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw .malformed("the header line \"\(line)\" does not begin with a name")
            }
            let value = line[line.index(after: colon)...].trimmingBlanks()
            fields.append(Field(name: name.lowercased(), value: value))
        }
    }
}

extension Substring {
    fileprivate func trimmingBlanks() -> String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var rest = drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return String(rest)
    }
}

/// Takes bytes as they come and gives back heads and the bytes between them.
///
/// Looks at every byte of a head once, however they were split on the way.
struct HeadReader {
    /// Bytes of a head at most, the blank line included.
    let limit: Int
    private var bytes: [UInt8] = []
    private var lines: [String] = []
    /// Where the line begins that has not ended yet, and how far its end has been looked for.
    private var lineStart = 0
    private var scanned = 0

    init(limit: Int) { self.limit = limit }

    /// Whether everything that came has been taken.
    var isEmpty: Bool { bytes.isEmpty }

    mutating func append(_ more: [UInt8]) { bytes += more }

    /// The next head, once it is complete; blank lines before it are skipped (RFC 9112 §2.2).
    ///
    /// After a fault the stream is of no further use.
    mutating func next() throws(MessageFault) -> MessageHead? {
        while let newline = bytes[scanned...].firstIndex(of: 0x0A) {
            guard newline < limit else { throw .headTooLong(limit: limit) }
            var line = bytes[lineStart..<newline]
            if line.last == 0x0D { line.removeLast() }
            scanned = newline + 1
            lineStart = scanned
            if !line.isEmpty {
                guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                    throw .malformed("the request has control characters; this port speaks HTTP/1.1 without TLS")
                }
                lines.append(String(decoding: line, as: UTF8.self))
            } else if !lines.isEmpty {
                let complete = lines
                _ = take(scanned)
                lines = []
                return try MessageHead(lines: complete)
            }
        }
        scanned = bytes.count
        guard bytes.count < limit else { throw .headTooLong(limit: limit) }
        return nil
    }

    /// Takes up to `count` bytes that follow the last head.
    mutating func take(_ count: Int) -> [UInt8] {
        let taken = Array(bytes.prefix(count))
        bytes.removeFirst(taken.count)
        lineStart = 0
        scanned = 0
        return taken
    }

    /// Whether `count` bytes have come that are not taken yet.
    func holds(_ count: Int) -> Bool { bytes.count >= count }
}
