// The first request head of HTTP/1 (RFC 9112 §2 to §5), looked at for one thing and left as it is.
//
//     [empty line] method SP target SP HTTP/1.x ⏎ name: value ⏎ … ⏎ empty line
//
// A connection is known by a path, a field or a cookie of it. So the reader looks for that one part and keeps nothing
// else: no table of fields, no request. Bytes that no head has at their place end it there and then, since whoever waits
// for more of them keeps the client waiting; and whatever is not read is no fault, as the endpoint and not remora is who
// answers the client. What differs between servers (a path's dots and escapes, a name's spaces) is not made alike here.
//
// Lines may end in a bare LF (§2.2). What a server has to refuse (§3, §5.1: space before a colon, a bare CR) is no head.

/// A part of a request that connections are known by.
package enum RequestPart: Hashable, Sendable {
    /// The path of the target, without its query.
    case path
    /// A field by its name, in lower case.
    case header(String)
    /// A cookie by its name (RFC 6265 §4.2), capitals and all.
    case cookie(String)
}

/// Reads a connection's first request head.
package enum RequestHead {
    /// What a connection's first bytes are.
    package enum Reading: Hashable, Sendable {
        /// The beginning of a head, as far as it goes.
        case needMore
        /// The part that was looked for, never empty, within the first `length` bytes.
        case found([UInt8], length: Int)
        /// A whole head, `length` bytes of it, that has no such part, or an empty one.
        case absent(length: Int)
        /// No head of HTTP/1: another protocol, HTTP/2 with it, or one that is longer than what is read.
        case noHead
    }

    /// Longer words do not begin a request; the longest registered method has 17 letters.
    package static let longestMethod = 32

    /// Looks for `part` in the head that `bytes` begin with; whatever follows it is not looked at. O(bytes).
    ///
    /// A path is found with the first line, all else with the head's end. Values of a repeated field are one, joined
    /// by ", " in their order (RFC 9110 §5.3); of a repeated cookie the first counts. Folded lines are joined by a space
    /// (RFC 9112 §5.2).
    /// - Parameter limit: a head that takes more bytes is none.
    package static func read(
        _ part: RequestPart, in bytes: Span<UInt8>, within limit: Int = Preface.bound.bytes
    ) -> Reading {
        var cursor = HeadCursor()
        do throws(HeadCursor.Stop) {
            return try cursor.read(part, in: bytes.extracting(first: limit))
        } catch {
            switch error {
            case .bytesEnded: return bytes.count < limit ? .needMore : .noHead
            case .noHead: return .noHead
            }
        }
    }
}

// MARK: - Reading

/// Where the reader is. The bytes are handed to every operation, as in `MessageCursor`.
private struct HeadCursor {
    enum Stop: Error {
        case bytesEnded
        case noHead
    }

    private var offset = 0

    mutating func read(_ part: RequestPart, in bytes: Span<UInt8>) throws(Stop) -> RequestHead.Reading {
        // One empty line is passed over (§2.2); of more, somebody would wait for long.
        _ = try endsLine(in: bytes)
        let target = try requestLine(in: bytes)
        switch part {
        case .path:
            guard let path = path(of: target, in: bytes) else { return .absent(length: offset) }
            // A whole URI without one asks for the root (§3.2.2).
            let text = path.isEmpty ? [UInt8(ascii: "/")] : path.map { bytes[$0] }
            return .found(text, length: offset)
        case .header(let name):
            let value = try joinedValue(of: Array(name.utf8), by: ", ", in: bytes)
            return answer(value)
        case .cookie(let name):
            // Several fields are one list of pairs, as HTTP/2 has them (RFC 9113 §8.2.3).
            let value = try joinedValue(of: Array("cookie".utf8), by: "; ", in: bytes)
            return answer(HeadCursor.cookie(Array(name.utf8), in: value))
        }
    }

    private func answer(_ value: [UInt8]) -> RequestHead.Reading {
        value.isEmpty ? .absent(length: offset) : .found(value, length: offset)
    }

    // MARK: The first line

    /// - Returns: where the target stands.
    private mutating func requestLine(in bytes: Span<UInt8>) throws(Stop) -> Range<Int> {
        let start = offset
        while try byte(in: bytes) != UInt8(ascii: " ") {
            guard HeadCursor.isToken(bytes[offset]), offset - start < RequestHead.longestMethod else {
                throw .noHead
            }
            offset += 1
        }
        guard offset > start else { throw .noHead }
        offset += 1
        let target = offset
        while try byte(in: bytes) != UInt8(ascii: " ") {
            guard try byte(in: bytes) > 0x20, try byte(in: bytes) != 0x7F else { throw .noHead }
            offset += 1
        }
        let end = offset
        guard end > target else { throw .noHead }
        offset += 1
        for expected in "HTTP/1.".utf8 {
            guard try byte(in: bytes) == expected else { throw .noHead }
            offset += 1
        }
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(try byte(in: bytes)) else { throw .noHead }
        offset += 1
        guard try endsLine(in: bytes) else { throw .noHead }
        return target..<end
    }

    /// The path within a target (RFC 9112 §3.2); nil for one that has none: `*`, and what CONNECT asks for.
    private func path(of target: Range<Int>, in bytes: Span<UInt8>) -> Range<Int>? {
        var start = target.lowerBound
        if bytes[start] != UInt8(ascii: "/") {
            guard let authority = authority(of: target, in: bytes) else { return nil }
            start = authority
            while start < target.upperBound, !HeadCursor.endsAuthority(bytes[start]) { start += 1 }
        }
        var end = start
        while end < target.upperBound, bytes[end] != UInt8(ascii: "?"), bytes[end] != UInt8(ascii: "#") { end += 1 }
        return start..<end
    }

    /// Where the authority of a whole URI begins: behind `scheme://`.
    private func authority(of target: Range<Int>, in bytes: Span<UInt8>) -> Int? {
        var place = target.lowerBound
        while place < target.upperBound, HeadCursor.isScheme(bytes[place]) { place += 1 }
        guard place > target.lowerBound else { return nil }
        for expected in "://".utf8 {
            guard place < target.upperBound, bytes[place] == expected else { return nil }
            place += 1
        }
        return place
    }

    // MARK: Fields

    /// The values of all fields of this name, one behind the other, up to the end of the head.
    private mutating func joinedValue(
        of name: [UInt8], by separator: String, in bytes: Span<UInt8>
    ) throws(Stop) -> [UInt8] {
        var joined: [UInt8] = []
        while try !endsLine(in: bytes) {
            let isWanted = try fieldName(is: name, in: bytes)
            var isFirstPart = true
            // The line, and those that go on with it.
            repeat {
                let value = try restOfLine(in: bytes)
                if isWanted, !value.isEmpty {
                    if isFirstPart {
                        if !joined.isEmpty { joined += separator.utf8 }
                    } else {
                        joined.append(UInt8(ascii: " "))
                    }
                    isFirstPart = false
                    for place in value { joined.append(bytes[place]) }
                }
            } while try HeadCursor.isBlank(byte(in: bytes))
        }
        return joined
    }

    /// Steps over a field's name and its colon.
    private mutating func fieldName(is wanted: [UInt8], in bytes: Span<UInt8>) throws(Stop) -> Bool {
        let start = offset
        var isWanted = true
        while try byte(in: bytes) != UInt8(ascii: ":") {
            let letter = bytes[offset]
            guard HeadCursor.isToken(letter) else { throw .noHead }
            let place = offset - start
            isWanted = isWanted && place < wanted.count && wanted[place] == HeadCursor.lowered(letter)
            offset += 1
        }
        guard offset > start else { throw .noHead }
        isWanted = isWanted && offset - start == wanted.count
        offset += 1
        return isWanted
    }

    /// Steps over the rest of a line.
    /// - Returns: where it stands, without the blanks around it.
    private mutating func restOfLine(in bytes: Span<UInt8>) throws(Stop) -> Range<Int> {
        while try HeadCursor.isBlank(byte(in: bytes)) { offset += 1 }
        let start = offset
        var end = offset
        while try !endsLine(in: bytes) {
            let letter = bytes[offset]
            guard letter >= 0x20 && letter != 0x7F || letter == UInt8(ascii: "\t") else { throw .noHead }
            offset += 1
            if !HeadCursor.isBlank(letter) { end = offset }
        }
        return start..<end
    }

    /// The value of the first pair of this name; none if there is no such pair.
    private static func cookie(_ name: [UInt8], in pairs: [UInt8]) -> [UInt8] {
        for pair in pairs.split(separator: UInt8(ascii: ";")) {
            let pair = pair.trimmingBlanks
            guard let equals = pair.firstIndex(of: UInt8(ascii: "=")),
                pair[..<equals].trimmingBlanks.elementsEqual(name)
            else { continue }
            return Array(pair[(equals + 1)...].trimmingBlanks)
        }
        return []
    }

    // MARK: Bytes

    private func byte(in bytes: Span<UInt8>) throws(Stop) -> UInt8 {
        guard offset < bytes.count else { throw .bytesEnded }
        return bytes[offset]
    }

    /// Steps over the end of a line, if one stands here.
    private mutating func endsLine(in bytes: Span<UInt8>) throws(Stop) -> Bool {
        switch try byte(in: bytes) {
        case UInt8(ascii: "\n"):
            offset += 1
            return true
        case UInt8(ascii: "\r"):
            guard offset + 1 < bytes.count else { throw .bytesEnded }
            guard bytes[offset + 1] == UInt8(ascii: "\n") else { throw .noHead }
            offset += 2
            return true
        default:
            return false
        }
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    private static func endsAuthority(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
    }

    private static func isScheme(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// RFC 9110 §5.6.2.
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^")...UInt8(ascii: "`"), UInt8(ascii: "|"),
            UInt8(ascii: "~"):
            true
        default: isAlphanumeric(byte)
        }
    }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

extension ArraySlice<UInt8> {
    fileprivate var trimmingBlanks: ArraySlice<UInt8> {
        var slice = drop(while: HeadCursor.isBlank)
        while let last = slice.last, HeadCursor.isBlank(last) { slice.removeLast() }
        return slice
    }
}

// MARK: - Names

extension RequestPart {
    /// Of a field's or a cookie's name in a config.
    package static let longestName = 128

    /// Whether a field or a cookie can have this name: both are tokens (RFC 9110 §5.1, RFC 6265 §4.1.1).
    package static func isName(_ text: String) -> Bool {
        (1...longestName).contains(text.utf8.count) && text.utf8.allSatisfy(HeadCursor.isToken)
    }
}
