// One HTTP/1.1 response out of a stream's bytes (RFC 9112), its body given out as it comes.
//
// Strict, as it talks to one kind of server: a length or chunks, never both and never neither, no continuation lines,
// no interim responses (nobody asks for one). Not taken: FlyingFox's decoder, which is internal to that package, async,
// bounds neither lines nor heads, and hands a response out only once its body has ended, which a watch's never does;
// nor Admin's reader of requests, whose chunked cousin would have no use there.

/// What a server sent that is no response we can use.
enum ResponseFault: Error, Hashable, CustomStringConvertible {
    case malformed(String)
    case headTooLong

    var description: String {
        switch self {
        case .malformed(let what): "the answer is not HTTP/1.1: \(what)"
        case .headTooLong: "the answer's head is longer than \(ResponseReader.headLimit) bytes"
        }
    }
}

struct ResponseReader {
    /// Of the status line and fields; of the trailer fields too.
    static let headLimit = 16 << 10
    /// Of a line that says how long a chunk is, its extensions included.
    static let chunkLineLimit = 256

    private enum State {
        case head
        case body(left: Int)
        case chunkLine
        case chunk(left: Int)
        /// The line end that closes a chunk.
        case chunkEnd
        case trailer
        case done
    }

    private var state = State.head
    /// The line that has not ended yet.
    private var line: [UInt8] = []
    /// Bytes of the head or the trailer so far.
    private var headBytes = 0
    private var lines: [String] = []

    /// Nil until the head has come.
    private(set) var status: Int?
    /// Whether the server keeps the connection.
    private(set) var keepsConnection = true
    private var body: [UInt8] = []

    /// Whether its end has come. A stream that ends before that is its connection's fault to tell.
    var isDone: Bool {
        if case .done = state { true } else { false }
    }

    /// Takes what has come. After a fault the connection is of no further use.
    ///
    /// Bytes beyond the end of the response are a fault: none is sent before the next request.
    mutating func receive(_ bytes: [UInt8]) throws(ResponseFault) {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch state {
            case .done: throw .malformed("bytes follow its end")
            case .body(let left):
                let taken = take(from: &rest, atMost: left)
                state = taken == left ? .done : .body(left: left - taken)
            case .chunk(let left):
                let taken = take(from: &rest, atMost: left)
                state = taken == left ? .chunkEnd : .chunk(left: left - taken)
            case .head, .trailer:
                if let text = try line(from: &rest, limit: Self.headLimit - headBytes, else: .headTooLong) {
                    headBytes += text.utf8.count + 2
                    try receive(headLine: text)
                }
            case .chunkLine:
                let long = ResponseFault.malformed("a chunk's length takes more than \(Self.chunkLineLimit) bytes")
                if let text = try line(from: &rest, limit: Self.chunkLineLimit, else: long) {
                    let length = try Self.chunkLength(text)
                    headBytes = 0
                    state = length == 0 ? .trailer : .chunk(left: length)
                }
            case .chunkEnd:
                let wrong = ResponseFault.malformed("a chunk is longer than it says")
                if let text = try line(from: &rest, limit: 2, else: wrong) {
                    guard text.isEmpty else { throw wrong }
                    state = .chunkLine
                }
            }
        }
    }

    /// What of the body has come since the last time.
    mutating func takeBody() -> [UInt8] {
        defer { body = [] }
        return body
    }

    private mutating func take(from rest: inout ArraySlice<UInt8>, atMost count: Int) -> Int {
        let part = rest.prefix(count)
        body += part
        rest = rest.dropFirst(part.count)
        return part.count
    }

    // MARK: Lines

    /// The line that ends in `rest`, without its CR LF; nil where it goes on.
    private mutating func line(
        from rest: inout ArraySlice<UInt8>, limit: Int, else fault: ResponseFault
    ) throws(ResponseFault) -> String? {
        let newline = rest.firstIndex(of: 0x0A)
        line += rest[..<(newline ?? rest.endIndex)]
        // The line's own end is not in it yet.
        guard line.count < limit else { throw fault }
        guard let newline else {
            rest = []
            return nil
        }
        rest = rest[(newline + 1)...]
        guard line.popLast() == 0x0D else { throw .malformed("a line does not end with CR LF") }
        defer { line = [] }
        guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw .malformed("a line has control characters")
        }
        return String(decoding: line, as: UTF8.self)
    }

    private static func chunkLength(_ text: String) throws(ResponseFault) -> Int {
        // Extensions are to be ignored (RFC 9112 §7.1.1).
        let digits = text.prefix { $0 != ";" && $0 != " " && $0 != "\t" }
        let isNumber = !digits.isEmpty && digits.utf8.count <= 8 && digits.allSatisfy(\.isASCIIHexDigit)
        guard isNumber, let length = Int(digits, radix: 16) else { throw .malformed("a chunk has no length") }
        return length
    }

    private mutating func receive(headLine text: String) throws(ResponseFault) {
        guard text.isEmpty else {
            lines.append(text)
            return
        }
        let complete = lines
        (lines, headBytes) = ([], 0)
        if case .trailer = state {
            // etcd's gateway sends some; they say nothing that the body has not said.
            for line in complete { _ = try Self.field(line) }
            state = .done
        } else {
            try receive(head: complete)
        }
    }

    private mutating func receive(head: [String]) throws(ResponseFault) {
        guard let first = head.first else { throw .malformed("there is no status line") }
        let words = first.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count >= 2, words[0] == "HTTP/1.1" || words[0] == "HTTP/1.0", words[1].utf8.count == 3,
            let number = Int(words[1]), (200...599).contains(number)
        else { throw .malformed("there is no status line") }
        var lengths: Set<String> = []
        var codings: [String] = []
        keepsConnection = words[0] == "HTTP/1.1"
        for line in head.dropFirst() {
            let (name, value) = try Self.field(line)
            switch name {
            case "content-length": lengths.insert(value)
            case "transfer-encoding": codings.append(value.lowercased())
            case "connection": if value.lowercased() == "close" { keepsConnection = false }
            default: break
            }
        }
        switch (lengths.first, codings.first) {
        case (let length?, nil):
            guard lengths.count == 1, (1...18).contains(length.utf8.count), length.allSatisfy(\.isASCIIDigit),
                let count = Int(length)
            else { throw .malformed("its Content-Length is no length") }
            state = count == 0 ? .done : .body(left: count)
        case (nil, "chunked"?) where codings.count == 1: state = .chunkLine
        case (nil, nil) where number == 204 || number == 304: state = .done
        case (nil, nil): throw .malformed("it does not say where its body ends")
        case (nil, _?): throw .malformed("its transfer coding is not chunked")
        case (_?, _?): throw .malformed("it has a length and a transfer coding")
        }
        status = number
    }

    /// A header field, its name in lower case.
    private static func field(_ line: String) throws(ResponseFault) -> (name: String, value: String) {
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        // Also refuses continuation lines, which begin with a blank (RFC 9112 §5.2).
        guard parts.count == 2, !parts[0].isEmpty, parts[0].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .malformed("a header line does not begin with a name")
        }
        let blanks = { (character: Character) in character == " " || character == "\t" }
        var value = parts[1].drop(while: blanks)
        while let last = value.last, blanks(last) { value.removeLast() }
        return (parts[0].lowercased(), String(value))
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) && utf8.count == 1 }
    fileprivate var isASCIIHexDigit: Bool { isASCIIDigit || "abcdefABCDEF".contains(self) }
}
