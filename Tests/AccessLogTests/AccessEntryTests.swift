// Lines, byte for byte, and what strangers cannot do to them.

import Foundation
import Testing
import Vocabulary

@testable import AccessLog

@Suite("A line of the access log")
struct AccessEntryTests {
    private static let full = AccessEntry(
        start: 1_795_752_138_409_986_123, listener: "web-out", client: .ipv4(.init(bits: 0x0A00_0011), port: 48_390),
        serverName: "a.ingest.edge", clientIdentity: "URI spiffe://edge/web", upstream: "ingest",
        endpoint: .ipv6(.loopback, port: 9000), member: "edge-017", attempts: 2, received: 5, sent: 18_446_744,
        wait: .microseconds(1), connect: .milliseconds(1_500), firstByte: .nanoseconds(999), duration: .seconds(3_601),
        end: "drained", reason: "its member has left")
    private static let bare = AccessEntry(
        start: 0, listener: nil, client: nil, upstream: "web", duration: .zero, end: "listener_full")

    private func line(_ entry: AccessEntry, _ format: AccessLogOptions.Format) -> String {
        var bytes: [UInt8] = []
        entry.write(as: format, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("JSON: every field, null where there is nothing, one object a line")
    func json() {
        #expect(
            line(Self.full, .json) == """
                {"start":"2026-11-27T04:02:18.409986Z","listener":"web-out","client":"10.0.0.17:48390",\
                "server_name":"a.ingest.edge","client_identity":"URI spiffe://edge/web","upstream":"ingest",\
                "endpoint":"[::1]:9000","member":"edge-017","attempts":2,"received_bytes":5,"sent_bytes":18446744,\
                "wait_seconds":0.000001,"connect_seconds":1.500000,"first_byte_seconds":0.000000,\
                "duration_seconds":3601.000000,"end":"drained","reason":"its member has left"}

                """)
        #expect(
            line(Self.bare, .json) == """
                {"start":"1970-01-01T00:00:00.000000Z","listener":null,"client":null,"server_name":null,\
                "client_identity":null,"upstream":"web","endpoint":null,"member":null,"attempts":0,"received_bytes":0,\
                "sent_bytes":0,"wait_seconds":null,"connect_seconds":null,"first_byte_seconds":null,\
                "duration_seconds":0.000000,"end":"listener_full","reason":null}

                """)
    }

    @Test(
        "The longest line finds room: every value of bytes that become six, and every number at its end",
        arguments: [AccessLogOptions.Format.json, .text], ["\u{1}", "\u{7F}", "é", "€", "🐟"])
    func longest(format: AccessLogOptions.Format, scalar: String) {
        let words = String(repeating: scalar, count: 2 * AccessEntry.longestValue)
        let entry = AccessEntry(
            start: .max, listener: words, client: .unix(path: words), serverName: words, clientIdentity: words,
            upstream: words, endpoint: .unix(path: words), member: words, attempts: .max, received: .max, sent: .max,
            wait: .nanoseconds(Int64.max), connect: .nanoseconds(Int64.max), firstByte: .nanoseconds(Int64.max),
            duration: .nanoseconds(Int64.max), end: words, reason: words)
        let length = line(entry, format).utf8.count
        #expect((1...AccessEntry.longestLine).contains(length))
        if scalar == "\u{1}" { #expect(length > AccessEntry.longestLine * 9 / 10, "as long as it gets") }
    }

    @Test("Text: the same fields in the same order, quoted where they are no word")
    func text() {
        #expect(
            line(Self.full, .text) == """
                2026-11-27T04:02:18.409986Z listener=web-out client=10.0.0.17:48390 server_name=a.ingest.edge \
                client_identity="URI spiffe://edge/web" upstream=ingest endpoint=[::1]:9000 member=edge-017 attempts=2 \
                received_bytes=5 sent_bytes=18446744 wait_seconds=0.000001 connect_seconds=1.500000 \
                first_byte_seconds=0.000000 duration_seconds=3601.000000 end=drained reason="its member has left"

                """)
        #expect(
            line(Self.bare, .text) == """
                1970-01-01T00:00:00.000000Z listener=- client=- server_name=- client_identity=- upstream=web endpoint=- \
                member=- attempts=0 received_bytes=0 sent_bytes=0 wait_seconds=- connect_seconds=- \
                first_byte_seconds=- duration_seconds=0.000000 end=listener_full reason=-

                """)
    }

    /// What a stranger may say, and how text has it. JSON has the same in quotes.
    private static let strangers: [(said: String, written: String)] = [
        ("a\nend=clean", #""a\u000aend=clean""#), ("a b", #""a b""#), (#"a"b\c"#, #""a\"b\\c""#), ("-", #""-""#),
        ("", #""""#), ("a=b", #""a=b""#), ("\u{1B}[2J\u{7F}\0", #""\u001b[2J\u007f\u0000""#),
        ("ü\u{202E}\u{2028}", #""\u00fc\u202e\u2028""#), ("😀", #""\ud83d\ude00""#), ("\u{85}\r", #""\u0085\u000d""#),
    ]

    @Test("What a stranger says ends no line, no value and no quotation", arguments: strangers)
    func injection(said: String, written: String) throws {
        var entry = Self.bare
        entry.serverName = said
        #expect(line(entry, .text).contains(" server_name=\(written) client_identity=- "))
        let json = line(entry, .json)
        #expect(json.utf8.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x0A })
        #expect(json.utf8.count { $0 == 0x0A } == 1)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(object["server_name"] as? String == said)
        #expect(object.count == 17)
    }

    @Test("A random name never breaks a line, and JSON gives it back", arguments: UInt64(1)...20)
    func anything(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bytes = (0..<200).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        var entry = Self.bare
        entry.clientIdentity = String(decoding: bytes, as: UTF8.self)
        for format in AccessLogOptions.Format.allCases {
            let line = line(entry, format)
            #expect(line.utf8.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x0A })
            #expect(line.utf8.count { $0 == 0x0A } == 1)
        }
        let object = try JSONSerialization.jsonObject(with: Data(line(entry, .json).utf8)) as? [String: Any]
        // As much of it as a value may be long.
        let said = try #require(object?["client_identity"] as? String)
        #expect(
            said == entry.clientIdentity
                || said.hasSuffix("…") && entry.clientIdentity?.hasPrefix(said.dropLast()) == true)
    }

    @Test(
        "A value is cut where it is longer than a value may be, and says so",
        arguments: AccessLogOptions.Format.allCases)
    func length(format: AccessLogOptions.Format) {
        var entry = Self.bare
        let longest = String(repeating: "x", count: AccessEntry.longestValue)
        entry.serverName = longest
        #expect(line(entry, format).contains(longest))
        #expect(!line(entry, format).contains("\\u2026"))
        entry.serverName = longest + "y"
        #expect(line(entry, format).contains(#""\#(longest)\u2026""#))
        entry.serverName = String(repeating: "\0", count: 1 << 20)
        // Six bytes for each, and the rest of the line.
        #expect(line(entry, format).utf8.count < 7 * AccessEntry.longestValue)
    }

    @Test("Times that went backwards are none, and counts that are as large as they get are written in full")
    func extremes() {
        var entry = Self.bare
        (entry.duration, entry.wait, entry.start) = (.seconds(-5), .seconds(Int64.max), -1)
        (entry.received, entry.sent) = (.max, .max)
        let line = line(entry, .text)
        #expect(line.hasPrefix("1970-01-01T00:00:00.000000Z "))
        #expect(line.contains(" duration_seconds=0.000000 "))
        #expect(line.contains(" wait_seconds=9223372036.854775 "))
        #expect(line.contains(" received_bytes=18446744073709551615 sent_bytes=18446744073709551615 "))
    }

    @Test(
        "Days are those that Foundation counts",
        arguments: [0, 58, 59, 60, 364, 365, 789, 11_016, 11_017, 47_540, 2_932_896])
    func days(day: Int) throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        for day in day..<day + 400 {
            let parts = calendar.dateComponents(
                [.year, .month, .day], from: Date(timeIntervalSince1970: Double(day) * 86_400))
            let date = CivilDate(daysSince1970: day)
            #expect(date.year == parts.year && date.month == parts.month && date.day == parts.day, "\(day)")
        }
    }
}
