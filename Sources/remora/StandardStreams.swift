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

    static func output(_ text: String) { output(Array(text.utf8)) }

    /// Ends the process where it cannot be written, on a full disk say: a script must not take a part for the whole.
    static func output(_ bytes: [UInt8]) {
        // Whoever was to read it may go when it has seen enough.
        guard let reason = write(bytes, to: STDOUT_FILENO), reason != EPIPE else { return }
        complain(unsafe "error: standard output: \(String(cString: strerror(reason)))")
        exit(ExitStatus.cannotCreate.rawValue)
    }

    /// One complaint; a line end is added. Where it cannot be written there is no better place to say so.
    static func complain(_ text: String) { _ = write(Array("\(text)\n".utf8), to: STDERR_FILENO) }

    /// - Returns: why not all was written; nil if it was.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return errno
            }
            rest = rest.dropFirst(count)
        }
        return nil
    }
}
