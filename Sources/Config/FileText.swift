// The text of a file, read with open(2) and read(2).
//
// Not by Foundation: pipes and `/dev/stdin` must work, `/dev/zero` must end, and the kernel's own reason should
// reach the operator. Nothing else of this module sees C.

import Glibc

/// Why a file gave no text.
enum UnreadableFile: Error, Hashable {
    /// The kernel's words.
    case system(String)
    case tooLarge
    /// Where the first byte stands that is no UTF-8.
    case notUTF8(Place)
}

/// Why bytes are no text.
struct NoUTF8: Error, Hashable {
    static let message = "the file is not UTF-8 from here on; save it as UTF-8 text"

    let place: Place
}

extension String {
    /// Reads the whole file at `path`, or standard input for `-`; blocks until its end.
    init(contentsOf path: String, atMost limit: Int) throws(UnreadableFile) {
        let bytes = try readBytes(path, atMost: limit)
        do throws(NoUTF8) {
            try self.init(utf8: bytes)
        } catch {
            throw .notUTF8(error.place)
        }
    }

    /// The text that these bytes are.
    init(utf8 bytes: [UInt8]) throws(NoUTF8) {
        do {
            self = String(copying: try UTF8Span(validating: bytes.span))
        } catch {
            var cursor = LineCursor()
            // Valid up to there, so nothing is repaired.
            for scalar in String(decoding: bytes[..<error.byteOffsets.lowerBound], as: UTF8.self).unicodeScalars {
                cursor.pass(scalar)
            }
            throw NoUTF8(place: cursor.place)
        }
    }
}

private func readBytes(_ path: String, atMost limit: Int) throws(UnreadableFile) -> [UInt8] {
    let isStandardInput = path == "-"
    let descriptor = isStandardInput ? STDIN_FILENO : unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(lastError()) }
    defer { if !isStandardInput { _ = close(descriptor) } }

    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        if count < 0 {
            if errno == EINTR { continue }
            throw .system(lastError())
        }
        if count == 0 { return bytes }
        bytes.append(contentsOf: chunk[..<count])
        if bytes.count > limit { throw .tooLarge }
    }
}

private func lastError() -> String {
    let number = errno
    var text = [CChar](repeating: 0, count: 256)
    guard unsafe strerror_r(number, &text, text.count) == 0 else { return "error \(number)" }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
