// The admin port's token, as an operator keeps it: alone in a file.

import Glibc

package enum TokenFile {
    /// A file longer than this holds no token.
    package static let longest = 4096

    package enum ReadError: Error, Hashable, CustomStringConvertible {
        case unreadable(path: String, errno: Int32)
        case empty(path: String)
        case tooLong(path: String)
        case badCharacter(path: String)

        package var description: String {
            switch self {
            case .unreadable(let path, let code): "cannot read the token file \(path): \(SystemCalls.text(code))"
            case .empty(let path): "the token file \(path) is empty; write a token of your choice into it"
            case .tooLong(let path):
                "the token file \(path) is longer than \(TokenFile.longest) bytes; is it another file?"
            case .badCharacter(let path):
                "the token file \(path) holds more than one word; a token is one, of visible ASCII characters"
            }
        }
    }

    /// Reads the token in the file at `path`; blanks and line ends around it do not belong to it.
    package static func read(_ path: String) throws(ReadError) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, errno: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        while bytes.count <= longest {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw .unreadable(path: path, errno: errno)
            }
            bytes += buffer.prefix(count)
        }
        guard bytes.count <= longest else { throw .tooLong(path: path) }
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let trimmed = bytes.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
        guard !trimmed.isEmpty else { throw .empty(path: path) }
        guard trimmed.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .badCharacter(path: path) }
        return String(decoding: trimmed, as: UTF8.self)
    }
}
