// A file that a command was told to write.
//
// One for all to see is opened at once, so that a command that works long does not work for nothing. One that nobody else
// is to read is made anew under a name that nobody knows, and takes the place of what was there when it is whole: rights
// are given to a file only where it is made, and a link that stands there may be somebody else's. Not taken: fchmod(2) of
// the file that is there, which whoever has it open reads on.

import ArgumentParser
import Glibc
import Reactor

struct OutputFile {
    private let path: String
    private let descriptor: Int32

    /// Creates or empties the file; complains and ends with the exit code where it cannot.
    init(path: String) throws { try self.init(path, O_CREAT | O_TRUNC, mode: 0o644) }

    /// - Parameter name: how it is called in complaints, where that is not its path.
    private init(_ path: String, _ flags: Int32, mode: mode_t = 0, name: String? = nil) throws {
        self.path = name ?? path
        descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC | flags, mode)
        if descriptor < 0 { throw OutputFile.complain(of: self.path) }
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

// MARK: - For its owner alone

extension OutputFile {
    /// Writes a file that its owner alone may read, whatever was there; a FIFO, a device, or a name of something that is
    /// open (/dev/stdout) is written to as it is. Complains and ends with the exit code where it cannot, and then a file
    /// that was there is as before.
    static func writePrivately(_ bytes: [UInt8], to path: String) throws {
        guard isMade(path) else { return try OutputFile(path, 0).write(bytes) }
        // Beside it: a file cannot be moved to another file system.
        let directory = path.lastIndex(of: "/").map { path[...$0] } ?? ""
        let draft = "\(directory).remora-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        let file = try OutputFile(draft, O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600, name: path)
        do {
            try file.write(bytes)
            guard unsafe rename(draft, path) == 0 else { throw complain(of: path) }
        } catch {
            unsafe unlink(draft)
            throw error
        }
    }

    /// Whether a file is made there, where there is none or a plain one. What /dev and /proc have is not replaced, even
    /// where it leads to a plain file, as /dev/stdout may.
    private static func isMade(_ path: String) -> Bool {
        guard !path.hasPrefix("/dev/"), !path.hasPrefix("/proc/") else { return false }
        return switch Kernel.kind(ofPath: path) {
        case nil, .regular: true
        case .pipe, .socket, .directory, .other: false
        }
    }
}
