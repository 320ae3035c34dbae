import Foundation
import Logging
import Synchronization
import Testing

@testable import Node

@Suite("Log lines")
struct LineLogHandlerTests {
    /// What one event is written as.
    private func line(
        _ format: RunOptions.LogFormat, _ message: Logger.Message, _ metadata: Logger.Metadata = [:],
        level: Logger.Level = .warning
    ) -> String {
        let store = Store()
        let logger = Logger(label: "test") { _ in LineLogHandler(format: format, level: .info, write: store.add) }
        logger.log(level: level, message, metadata: metadata)
        return store.text
    }

    @Test("A text line is time, level, message, fields by name")
    func text() throws {
        let line = line(.text, "draining", ["b": "2", "a": "1"])
        let match = try #require(line.wholeMatch(of: /(\S+) warning draining a=1 b=2\n/))
        _ = try Date(String(match.1), strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    @Test(
        "A field that is not one plain word is quoted",
        arguments: [
            ("plain-1.2:/x", "plain-1.2:/x"), ("", #""""#), ("two words", #""two words""#), ("a=b", #""a=b""#),
            (#"say "hi""#, #""say \"hi\"""#), ("line\nend", #""line\nend""#), ("esc\u{1B}[2J", #""esc\u{1b}[2J""#),
            ("c1\u{9B}", #""c1\u{9b}""#), ("sep\u{2028}", #""sep\u{2028}""#), ("é 日本", #""é 日本""#), ("日本", "日本"),
        ])
    func quoting(value: String, written: String) {
        #expect(line(.text, "m", ["k": "\(value)"]).hasSuffix(" m k=\(written)\n"))
    }

    @Test("Whatever an event holds, it is one line", arguments: ["a\nb", "a\r\nb", "a\u{85}b\u{2029}c", "\n"])
    func oneLine(hostile: String) {
        for format in [RunOptions.LogFormat.text, .json] {
            let line = line(format, "\(hostile)", ["k": "\(hostile)"])
            #expect(line.hasSuffix("\n"))
            #expect(!line.dropLast().contains { $0 == "\n" || $0 == "\r\n" || $0 == "\r" })
        }
    }

    @Test("A JSON line is one object, with the same words in it")
    func json() throws {
        let line = line(.json, "a \"b\"\nc", ["path": "/x/y", "n": "1"], level: .error)
        let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(object["message"] == "a \"b\"\nc")
        #expect(object["level"] == "error")
        #expect(object["path"] == "/x/y")
        #expect(object["n"] == "1")
        #expect(Set(object.keys) == ["time", "level", "message", "path", "n"])
    }

    @Test("No field of an event passes for its level, time or message")
    func reserved() throws {
        let line = line(.json, "true", ["level": "info", "message": "false", "time": "never"])
        let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        #expect(object["level"] == "warning")
        #expect(object["message"] == "true")
        #expect(object["time"] != "never")
    }

    @Test("What is less severe than the level is not written")
    func level() {
        #expect(line(.text, "m", level: .debug) == "")
        #expect(line(.text, "m", level: .info) != "")
    }

    private final class Store: Sendable {
        private let written = Mutex("")
        var text: String { written.withLock { $0 } }
        @Sendable func add(_ line: String) { written.withLock { $0 += line } }
    }
}
