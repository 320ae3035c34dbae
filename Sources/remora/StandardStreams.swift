// Whole texts to stdout and stderr, without a buffer that would have to be flushed before the end.

import Glibc

enum StandardStreams {
    /// Opens /dev/null in the place of each that this process was started without.
    ///
    /// To be called before anything else is opened: a socket that got a free number below 3 would be sent log lines.
    static func fillGaps() {
        while true {
            let descriptor = unsafe open("/dev/null", O_RDWR)
            if descriptor <= STDERR_FILENO, descriptor >= 0 { continue }
            if descriptor >= 0 { close(descriptor) }
            return
        }
    }

    static func output(_ text: String) { write(Array(text.utf8), to: STDOUT_FILENO) }
    static func output(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

    /// One complaint; a line end is added.
    static func complain(_ text: String) { write(Array("\(text)\n".utf8), to: STDERR_FILENO) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                // Whoever was to read it is gone: there is no better place to say so.
                return
            }
            rest = rest.dropFirst(count)
        }
    }
}
