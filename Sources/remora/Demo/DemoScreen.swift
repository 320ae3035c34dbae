// Where the demo's story is written: lines with the time before them, and on a terminal one last line that is renewed.

import Reactor
import Synchronization
import Vocabulary

final class DemoScreen: Sendable {
    /// Of the column with the time, blanks included.
    private static let margin = 9
    private static let widest = 120

    private let start = Kernel.now()
    private let isTerminal = Terminal.isThere
    private let hasColours = Terminal.showsColours
    private let isStatusShown = Mutex(false)

    var elapsed: Duration { Kernel.now() - start }

    /// - Parameter isTitle: an act begins with it.
    func say(_ text: String, isTitle: Bool = false) {
        let seconds = DemoText.tenths(elapsed.inSeconds) + " s"
        let blanks = String(repeating: " ", count: max(0, Self.margin - 2 - seconds.count))
        let lines = DemoText.wrapped(text, width: width).enumerated().map { number, line in
            (number == 0 ? blanks + seconds + "  " : Self.indent)
                + (isTitle && hasColours ? "\u{1B}[1m\(line)\u{1B}[0m" : line)
        }
        write((isTitle ? [""] : []) + lines)
    }

    /// Lines as they are, below what was said.
    func show(_ lines: [String]) {
        write(lines.map { $0.isEmpty ? "" : Self.indent + $0 })
    }

    /// A sentence of somebody else's, below what was said.
    func quote(_ text: String) {
        show(DemoText.wrapped(text, width: width - 4).enumerated().map { ($0 == 0 ? "  " : "    ") + $1 })
    }

    /// Renews the last line, on a terminal.
    func renew(_ status: String) {
        guard isTerminal else { return }
        isStatusShown.withLock { isShown in
            isShown = true
            StandardStreams.output("\r\(Self.indent)\(status.prefix(width))\u{1B}[K")
        }
    }

    private func write(_ lines: [String]) {
        isStatusShown.withLock { isShown in
            let clear = isShown ? "\r\u{1B}[K" : ""
            isShown = false
            StandardStreams.output(clear + lines.map { "\($0)\n" }.joined())
        }
    }

    private static let indent = String(repeating: " ", count: margin)

    private var width: Int {
        let columns = isTerminal ? min(Self.widest, Terminal.size.width) : Self.widest
        return max(20, columns - Self.margin - 1)
    }
}
