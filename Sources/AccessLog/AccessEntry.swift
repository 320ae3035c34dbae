// One connection's line, in either format.
//
// Every field is in every line, in the same order: `-` in text and `null` in JSON where there is nothing to say. So a line
// is found by grep and cut by position, and no reader has to ask whether a key is there. Names and units are those of the
// admin port.
//
// Some of what is in a line was said by strangers (the server name, a certificate's name). No byte of theirs can end a
// line, a value or a quotation, or reach a terminal: what is not visible ASCII is written as JSON escapes it, in both
// formats, and no value is longer than `longestValue`.
//
// Lines are bytes written into a buffer that is used again, with room for the longest asked for once. A `String` for each
// value, or an encoder, would cost several times as much, for each connection; an array that is asked for each byte whether
// it has room and no other owner took 17,200 instructions a line where this takes 13,900 (`.ci/gates --only record`).

package import Vocabulary

/// What the access log says of one connection; the admin port's words, as far as they are there too.
package struct AccessEntry: Sendable {
    /// When it was accepted, in nanoseconds since 1970 by the wall clock.
    package var start: Int64
    package var listener: String?
    /// As the socket has it, or the PROXY header.
    package var client: SocketAddress?
    package var serverName: String?
    /// What the client's verified certificate names first, with its kind: `URI spiffe://edge/web`.
    package var clientIdentity: String?
    package var upstream: String
    package var endpoint: SocketAddress?
    package var member: String?
    /// Endpoints that were tried.
    package var attempts: Int
    package var received: UInt64
    package var sent: UInt64
    /// From the accept to the placement on the endpoint that it was placed on last.
    package var wait: Duration?
    /// From there until that one had accepted.
    package var connect: Duration?
    package var firstByte: Duration?
    /// From the accept to the end.
    package var duration: Duration
    /// One word.
    package var end: String
    /// A few, where there is more to say.
    package var reason: String?

    package init(
        start: Int64, listener: String?, client: SocketAddress?, serverName: String? = nil,
        clientIdentity: String? = nil, upstream: String, endpoint: SocketAddress? = nil, member: String? = nil,
        attempts: Int = 0, received: UInt64 = 0, sent: UInt64 = 0, wait: Duration? = nil, connect: Duration? = nil,
        firstByte: Duration? = nil, duration: Duration, end: String, reason: String? = nil
    ) {
        self.start = start
        self.listener = listener
        self.client = client
        self.serverName = serverName
        self.clientIdentity = clientIdentity
        self.upstream = upstream
        self.endpoint = endpoint
        self.member = member
        self.attempts = attempts
        self.received = received
        self.sent = sent
        self.wait = wait
        self.connect = connect
        self.firstByte = firstByte
        self.duration = duration
        self.end = end
        self.reason = reason
    }

    /// Bytes of a value that are written; the rest is cut off, and `…` says so (as `\u2026`).
    package static let longestValue = 512

    /// A bound on what a line takes: nine values of strangers at worst, each byte of which may become six and the mark of
    /// a cut too; and keys, numbers and what stands between, which have some 500.
    static let longestLine = 9 * (6 * longestValue + 8) + 1024

    /// Appends the line, its end included.
    package func write(as format: AccessLogOptions.Format, to lines: inout [UInt8]) {
        lines.append(addingCapacity: Self.longestLine) { line in
            switch format {
            case .json:
                line.append(UInt8(ascii: "{"))
                writeFields(to: &line, as: format)
                line.append(UInt8(ascii: "}"))
            case .text: writeFields(to: &line, as: format)
            }
            line.append(UInt8(ascii: "\n"))
        }
    }

    private func writeFields(to line: inout OutputSpan<UInt8>, as format: AccessLogOptions.Format) {
        var fields = FieldWriter(format: format)
        fields.time("start", start, &line)
        fields.text("listener", listener, &line)
        fields.address("client", client, &line)
        fields.text("server_name", serverName, &line)
        fields.text("client_identity", clientIdentity, &line)
        fields.text("upstream", upstream, &line)
        fields.address("endpoint", endpoint, &line)
        fields.text("member", member, &line)
        fields.number("attempts", UInt64(attempts), &line)
        fields.number("received_bytes", received, &line)
        fields.number("sent_bytes", sent, &line)
        fields.seconds("wait_seconds", wait, &line)
        fields.seconds("connect_seconds", connect, &line)
        fields.seconds("first_byte_seconds", firstByte, &line)
        fields.seconds("duration_seconds", duration, &line)
        fields.text("end", end, &line)
        fields.text("reason", reason, &line)
    }
}

/// Writes keys with values, and what stands between them.
private struct FieldWriter {
    let format: AccessLogOptions.Format
    private var isFirst = true

    init(format: AccessLogOptions.Format) { self.format = format }

    mutating func text(_ key: StaticString, _ value: String?, _ line: inout OutputSpan<UInt8>) {
        begin(key, &line)
        guard let value else { return nothing(&line) }
        switch format {
        case .json: line.appendQuoted(value)
        case .text: if value.isWord { for byte in value.utf8 { line.append(byte) } } else { line.appendQuoted(value) }
        }
    }

    mutating func address(_ key: StaticString, _ value: SocketAddress?, _ line: inout OutputSpan<UInt8>) {
        guard case .ipv4(let ip, let port)? = value else { return text(key, value.map { "\($0)" }, &line) }
        // Nearly all are these, and they need neither a string nor a look at each byte.
        begin(key, &line)
        if format == .json { line.append(UInt8(ascii: "\"")) }
        for shift in stride(from: UInt32(24), through: 0, by: -8) {
            line.append(decimal: UInt64(ip.bits >> shift & 0xFF))
            line.append(UInt8(ascii: shift == 0 ? ":" : "."))
        }
        line.append(decimal: UInt64(port))
        if format == .json { line.append(UInt8(ascii: "\"")) }
    }

    mutating func number(_ key: StaticString, _ value: UInt64, _ line: inout OutputSpan<UInt8>) {
        begin(key, &line)
        line.append(decimal: value)
    }

    /// With six decimals, cut off and not rounded; less than nothing is nothing.
    mutating func seconds(_ key: StaticString, _ value: Duration?, _ line: inout OutputSpan<UInt8>) {
        begin(key, &line)
        guard let value else { return nothing(&line) }
        let microseconds = UInt64(max(0, value.wholeNanoseconds)) / 1_000
        line.append(decimal: microseconds / 1_000_000)
        line.append(UInt8(ascii: "."))
        line.append(decimal: microseconds % 1_000_000, digits: 6)
    }

    /// As RFC 3339 has it, in UTC; in text without its key, as it begins the line.
    mutating func time(_ key: StaticString, _ nanoseconds: Int64, _ line: inout OutputSpan<UInt8>) {
        switch format {
        case .json:
            begin(key, &line)
            line.append(UInt8(ascii: "\""))
            line.append(timestamp: nanoseconds)
            line.append(UInt8(ascii: "\""))
        case .text:
            isFirst = false
            line.append(timestamp: nanoseconds)
        }
    }

    private mutating func begin(_ key: StaticString, _ line: inout OutputSpan<UInt8>) {
        switch format {
        case .json:
            if !isFirst { line.append(UInt8(ascii: ",")) }
            line.append(UInt8(ascii: "\""))
            line.append(key)
            line.append(UInt8(ascii: "\""))
            line.append(UInt8(ascii: ":"))
        case .text:
            if !isFirst { line.append(UInt8(ascii: " ")) }
            line.append(key)
            line.append(UInt8(ascii: "="))
        }
        isFirst = false
    }

    private func nothing(_ line: inout OutputSpan<UInt8>) {
        switch format {
        case .json: line.append("null")
        case .text: line.append(UInt8(ascii: "-"))
        }
    }
}

// MARK: - Bytes

extension String {
    /// Whether it can stand in a line of text as it is: no reader takes it for two values, for another or for none.
    fileprivate var isWord: Bool {
        utf8.count <= AccessEntry.longestValue && !isEmpty && self != "-"
            && utf8.allSatisfy {
                (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
                    && $0 != UInt8(ascii: "=")
            }
    }
}

extension OutputSpan<UInt8> {
    fileprivate mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { for place in $0.indices { append(unsafe $0[place]) } }
    }

    /// Appends `text` in quotes, in visible ASCII, as JSON escapes it.
    fileprivate mutating func appendQuoted(_ text: String) {
        append(UInt8(ascii: "\""))
        var left = AccessEntry.longestValue
        for scalar in text.unicodeScalars {
            left -= Int(UTF8.width(scalar))
            guard left >= 0 else {
                append("\\u2026")
                break
            }
            switch scalar {
            case "\"": append("\\\"")
            case "\\": append("\\\\")
            case "\u{20}"..."\u{7E}": append(UInt8(truncatingIfNeeded: scalar.value))
            default: for unit in UTF16.encode(scalar) ?? .init() { appendEscape(unit) }
            }
        }
        append(UInt8(ascii: "\""))
    }

    private mutating func appendEscape(_ unit: UInt16) {
        append("\\u")
        for shift in stride(from: UInt16(12), through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: unit >> shift & 0xF)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    /// Appends a number in decimal, with zeroes before it up to so many digits.
    /// - Precondition: it has no more, unless only one was asked for.
    fileprivate mutating func append(decimal value: UInt64, digits: Int = 1) {
        var reversed = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
        var (rest, count) = (value, 0)
        while rest > 0 {
            reversed[count] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            count += 1
        }
        for place in stride(from: Swift.max(count, digits) - 1, through: 0, by: -1) { append(reversed[place]) }
    }

    /// Appends a moment as RFC 3339 has it, with microseconds, in UTC.
    ///
    /// Years from 1970 on, in the Gregorian calendar; a clock that is set to an earlier one is taken to be there.
    fileprivate mutating func append(timestamp nanoseconds: Int64) {
        let microseconds = UInt64(Swift.max(0, nanoseconds)) / 1_000
        let seconds = microseconds / 1_000_000
        let date = CivilDate(daysSince1970: Int(seconds / 86_400))
        append(decimal: UInt64(date.year), digits: 4)
        append(UInt8(ascii: "-"))
        append(decimal: UInt64(date.month), digits: 2)
        append(UInt8(ascii: "-"))
        append(decimal: UInt64(date.day), digits: 2)
        append(UInt8(ascii: "T"))
        append(decimal: seconds / 3_600 % 24, digits: 2)
        append(UInt8(ascii: ":"))
        append(decimal: seconds / 60 % 60, digits: 2)
        append(UInt8(ascii: ":"))
        append(decimal: seconds % 60, digits: 2)
        append(UInt8(ascii: "."))
        append(decimal: microseconds % 1_000_000, digits: 6)
        append(UInt8(ascii: "Z"))
    }
}

/// A day of the Gregorian calendar.
///
/// The arithmetic of eras of 400 years that begin in March, so that a leap day ends a year (Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`). Foundation's formatting takes longer than all else in a line.
struct CivilDate: Hashable {
    let year: Int
    let month: Int
    let day: Int

    /// - Parameter days: not negative.
    init(daysSince1970 days: Int) {
        let shifted = days + 719_468
        let (era, dayOfEra) = shifted.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}
