// The terminal on stdout, if it is one: how large it is, whether it shows colours, and taking it over for a while.

import Dispatch
import Glibc
import Synchronization

enum Terminal {
    static var isThere: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Whether colours are wanted: on a terminal that has them, unless NO_COLOR (no-color.org) says otherwise.
    static var showsColours: Bool {
        isThere && variable("NO_COLOR").isEmpty && variable("TERM") != "dumb"
    }

    private static func variable(_ name: String) -> String {
        unsafe getenv(name).map { unsafe String(cString: $0) } ?? ""
    }

    /// Columns and lines, as it is now; 80 by 24 where nobody knows.
    static var size: (width: Int, height: Int) {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }
}

/// The whole screen and the keyboard, given back as they were when it is let go.
///
/// Keys come without an end of line and are not shown; Ctrl-C is a key like others. Signals that would end the process
/// are taken note of instead, so that the screen is given back.
final class Screen {
    /// The alternate screen, and no cursor.
    private static let enter = "\u{1B}[?1049h\u{1B}[?25l"
    private static let leave = "\u{1B}[?25h\u{1B}[?1049l"

    private let before: termios?
    private let signals: [any DispatchSourceSignal]
    private let isInterrupted: Flag

    private final class Flag: Sendable {
        private let state = Mutex(false)
        var isSet: Bool { state.withLock { $0 } }
        func set() { state.withLock { $0 = true } }
    }

    init() {
        var settings = termios()
        if unsafe tcgetattr(STDIN_FILENO, &settings) == 0 {
            before = settings
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
            unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        } else {
            before = nil
        }
        let flag = Flag()
        isInterrupted = flag
        signals = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { flag.set() }
            source.activate()
            return source
        }
        StandardStreams.output(Self.enter)
    }

    deinit {
        for source in signals { source.cancel() }
        StandardStreams.output(Self.leave)
        guard var before else { return }
        unsafe tcsetattr(STDIN_FILENO, TCSANOW, &before)
    }

    /// Shows these lines and nothing else; there are no more than the screen has.
    func show(_ lines: [String]) {
        StandardStreams.output("\u{1B}[H" + lines.map { "\($0)\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }

    /// Waits for a key that asks for the end: q, Escape, or Ctrl-C; or for a signal that does.
    /// - Returns: whether one came within `milliseconds`.
    func isToEnd(within milliseconds: Int32) -> Bool {
        guard !isInterrupted.isSet else { return true }
        var watched = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        // Where the keyboard is none, it is not asked: it may be at its end, and always ready.
        guard before != nil else {
            poll(nil, 0, milliseconds)
            return isInterrupted.isSet
        }
        guard unsafe poll(&watched, 1, milliseconds) == 1 else { return isInterrupted.isSet }
        var key: UInt8 = 0
        // A keyboard that is at its end has gone.
        guard unsafe read(STDIN_FILENO, &key, 1) == 1 else { return true }
        return [UInt8(ascii: "q"), UInt8(ascii: "Q"), 0x1B, 0x03].contains(key)
    }
}
