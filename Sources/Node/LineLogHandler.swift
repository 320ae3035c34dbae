// Log lines on stderr, for people (text) or for machines (one JSON object a line).
//
// A line is one write, so lines of different threads never mix. Nobody on the byte
// path logs: workers leave notices, and the control thread writes them.

import Foundation
import Glibc
package import Logging
import Synchronization

/// The level that all handlers of a process go by, and that can be changed while it runs.
package final class SharedLogLevel: Sendable {
    private let place: Atomic<Int>

    package init(_ level: Logger.Level) { place = Atomic(Self.place(of: level)) }

    package var current: Logger.Level {
        get { Logger.Level.allCases[place.load(ordering: .relaxed)] }
        set { place.store(Self.place(of: newValue), ordering: .relaxed) }
    }

    private static func place(of level: Logger.Level) -> Int {
        // Every level is among them.
        Logger.Level.allCases.firstIndex(of: level) ?? 0
    }
}

package struct LineLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    private let shared: SharedLogLevel
    /// What this handler alone was told; nil: the level of all.
    private var ownLevel: Logger.Level?
    private let format: RunOptions.LogFormat
    private let write: @Sendable (String) -> Void

    /// - Parameter write: takes one line, its end included.
    package init(
        format: RunOptions.LogFormat, level: SharedLogLevel,
        write: @escaping @Sendable (String) -> Void = toStandardError
    ) {
        self.format = format
        shared = level
        self.write = write
    }

    package init(
        format: RunOptions.LogFormat, level: Logger.Level, write: @escaping @Sendable (String) -> Void = toStandardError
    ) {
        self.init(format: format, level: SharedLogLevel(level), write: write)
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? shared.current }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { _, own in own }.sorted { $0.key < $1.key }
        let time = Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        switch format {
        case .text:
            let tail = fields.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined()
            write("\(time) \(event.level.rawValue) \(Self.escaped("\(event.message)"))\(tail)\n")
        case .json:
            var object = Dictionary(uniqueKeysWithValues: fields.map { ($0.key, "\($0.value)") })
            // Last, so that no field passes for one of these.
            object["time"] = time
            object["level"] = event.level.rawValue
            object["message"] = "\(event.message)"
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let line = (try? encoder.encode(object)).map { String(decoding: $0, as: UTF8.self) }
            write((line ?? "{\"level\":\"error\",\"message\":\"a log line could not be encoded\"}") + "\n")
        }
    }

    // MARK: One line an event

    /// A field's value: in quotes where it would not be one word otherwise.
    private static func quoted(_ value: String) -> String {
        let isWord = value.unicodeScalars.allSatisfy { $0 != " " && $0 != "\"" && $0 != "=" && !isControl($0) }
        if isWord, !value.isEmpty { return value }
        let inner = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped(inner))\""
    }

    /// Without anything that ends a line or that a terminal would obey.
    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.map { scalar in
            if scalar == "\n" { return "\\n" }
            return isControl(scalar) ? "\\u{\(String(scalar.value, radix: 16))}" : "\(scalar)"
        }.joined()
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    // MARK: Where lines go

    /// Writes to the process's stderr; where that is gone, full or not being read, the line is lost and nothing waits.
    @Sendable
    package static func toStandardError(_ line: String) {
        // A pipe that is ready takes PIPE_BUF bytes (4 KiB, longer than our lines) without waiting. To set it
        // non-blocking instead would change it for everybody who shares it.
        var ready = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&ready, 1, 0) == 1 else { return }
        var line = line
        line.withUTF8 { _ = unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
