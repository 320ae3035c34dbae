// Log lines, collected.

import Logging
import Synchronization

@testable import Node

/// What was logged, as "level message".
final class Lines: Sendable {
    private let written = Mutex<[String]>([])

    var all: [String] { written.withLock { $0 } }

    /// Those since the last call.
    func taken() -> [String] {
        written.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }

    var logger: Logger {
        Logger(label: "test") { _ in
            LineLogHandler(format: .text, level: .trace) { line in
                // Without the time before it and the end behind it.
                let words = line.dropLast().split(separator: " ", maxSplits: 1)
                self.written.withLock { $0.append(String(words[1])) }
            }
        }
    }
}
