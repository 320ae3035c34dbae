// A file that a command was told to write.

import ArgumentParser
import Glibc

struct OutputFile {
    private let path: String
    private let descriptor: Int32

    /// Creates or empties the file; complains and ends with the exit code where it cannot.
    init(path: String) throws { try self.init(path: path, mode: 0o644) }

    /// - Parameter mode: who may read one that is created.
    init(path: String, mode: mode_t) throws {
        self.path = path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        if descriptor < 0 { throw OutputFile.complain(of: path) }
    }

    /// Writes everything and closes; to be called once.
    func write(_ bytes: [UInt8]) throws {
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw OutputFile.complain(of: path)
            }
            rest = rest.dropFirst(count)
        }
    }

    private static func complain(of path: String) -> ExitCode {
        StandardStreams.complain("error: \(path): \(unsafe String(cString: strerror(errno)))")
        return ExitStatus.cannotCreate.code
    }
}
