// The first line of an HTTP/1 answer, and nothing behind it (RFC 9112 §4).
//
//     status-line = "HTTP/1." DIGIT SP 3DIGIT [ SP *( HTAB / SP / VCHAR / obs-text ) ] CRLF
//
// What is no such line is refused at its first wrong byte, so that an instance that says something else, or never ends,
// is not waited for. One leniency: the space before an empty reason, which servers must send, may be missing; clients
// of the field take that. A line that ends in LF alone is refused: nothing that speaks HTTP writes one.

/// What the bytes so far are.
enum StatusLine: Equatable {
    /// The beginning of one.
    case incomplete
    /// 100 to 999.
    case status(Int)
    /// None, whatever follows.
    case refused

    private static let version = Array("HTTP/1.".utf8)
    /// Bytes up to and with the status.
    private static let head = version.count + 5

    /// - Complexity: O(`bytes.count`).
    init(_ bytes: Span<UInt8>) {
        for index in 0..<min(bytes.count, StatusLine.head) where !StatusLine.allows(bytes[index], at: index) {
            self = .refused
            return
        }
        guard bytes.count > StatusLine.head else {
            self = .incomplete
            return
        }
        // A status begins with 1 at least, so all three are digits and the number is 100 or more.
        let status = (StatusLine.head - 3..<StatusLine.head).reduce(0) { $0 * 10 + Int(bytes[$1] - UInt8(ascii: "0")) }
        self = StatusLine.end(bytes, from: StatusLine.head, status)
    }

    /// The reason and the end of the line.
    private static func end(_ bytes: Span<UInt8>, from start: Int, _ status: Int) -> StatusLine {
        guard bytes[start] == UInt8(ascii: " ") || bytes[start] == UInt8(ascii: "\r") else { return .refused }
        for index in start..<bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\r"):
                guard index + 1 < bytes.count else { return .incomplete }
                return bytes[index + 1] == UInt8(ascii: "\n") ? .status(status) : .refused
            case UInt8(ascii: "\t"), 0x20...0x7E, 0x80...0xFF: continue
            default: return .refused
            }
        }
        return .incomplete
    }

    private static func allows(_ byte: UInt8, at index: Int) -> Bool {
        switch index {
        case version.indices: byte == version[index]
        case version.count: (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        case version.count + 1: byte == UInt8(ascii: " ")
        case version.count + 2: (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(byte)
        default: (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
    }
}
