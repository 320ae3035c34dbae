// Where lines go: a file that others rename, fill and read, in whole lines.
//
// A batch is one write, which appends; so lines of two processes in one file do not mix. To a pipe or a socket lines go a
// few at a time, as much as is passed on in one piece: remora's own log, or another process, may write there too. What
// cannot be written at once is thrown away and counted, not kept: a log that waits for its disk is not worth the memory of
// a busy proxy. Of a line that was written in part the rest is kept, and comes first when there is room again, so that a
// reader of the file never finds two lines in one.
//
// A file that standard error or output leads to is not opened again, but written through that descriptor: remora's own log
// is written there, at an offset that only it and its duplicates share, and would go over the lines of a second one.
//
// A full pipe is given a moment, as its reader may only be slower than a burst; once that was for nothing, nobody waits
// again until something was written.

import Glibc
import Reactor

/// An open file to which lines are appended. Closed when it is let go.
package final class LineSink: Sendable {
    package let path: String
    private let descriptor: Int32
    private let kind: FileKind
    private let identity: FileIdentity?

    /// Why a file cannot be a log: a sentence with its remedy.
    package struct Refusal: Error, Hashable, CustomStringConvertible {
        package let path: String
        package let cause: String
        package var description: String { "access_log: \(path) cannot be opened: \(cause)" }
    }

    /// Opens it; a file that is not there is made, its directory is not.
    ///
    /// Symbolic links are followed: a container's log is often one, to its standard output. May wait for a disk.
    package init(_ path: String) throws(Refusal) {
        self.path = path
        do throws(SystemError) {
            descriptor = try Self.open(path)
        } catch {
            throw Refusal(path: path, cause: Self.explanation(of: error, path))
        }
        kind = Kernel.kind(of: descriptor) ?? .other
        identity = Kernel.identity(of: descriptor)
    }

    deinit { Kernel.close(descriptor) }

    /// Why it could not be opened, as far as that can be seen without making anything; nil where nothing speaks against
    /// it.
    package static func obstacle(to path: String) -> Refusal? {
        let cause: String?
        switch Kernel.kind(ofPath: path) {
        case .directory: cause = explanation(of: SystemError.isDirectory, path)
        case .regular, .pipe, .socket, .other:
            switch Kernel.mayWrite(to: path) {
            case .success: cause = nil
            case .failure(let error): cause = explanation(of: error, path)
            }
        case nil:
            switch Kernel.mayWrite(to: directory(of: path)) {
            case .success: cause = nil
            case .failure(let error): cause = explanation(of: error, path)
            }
        }
        return cause.map { Refusal(path: path, cause: $0) }
    }

    /// Whether both lead to one file, by whatever names.
    func isSameFile(as other: LineSink) -> Bool { identity != nil && identity == other.identity }

    private static func open(_ path: String) throws(SystemError) -> Int32 {
        let standard = standard(path)
        switch Kernel.kind(ofPath: path) {
        case .regular:
            if let standard { return try Kernel.duplicate(standard) }
        case .socket:
            // It has no name by which to open it: what systemd gives for standard error and output is one.
            if let standard { return try Kernel.duplicate(standard) }
        case .pipe where standard == nil:
            // To be read too: otherwise it could not be opened before its reader, nor outlive it.
            return try Kernel.openToAppend(path, .reading)
        case .pipe, .directory, .other, nil: break
        }
        return try Kernel.openToAppend(path, .creating)
    }

    /// The descriptor of this process that is open on what a path leads to, be that `/dev/stderr`, `/proc/self/fd/2`, a link
    /// to one of them or the file's own name. First the one that the log goes to.
    private static func standard(_ path: String) -> Int32? {
        guard let file = Kernel.identity(ofPath: path) else { return nil }
        return [STDERR_FILENO, STDOUT_FILENO].first { Kernel.identity(of: $0) == file }
    }

    private static func explanation(of error: SystemError, _ path: String) -> String {
        switch error {
        case .noSuchFile: "the directory \(directory(of: path)) is not there; make it, or name another file"
        case .notPermitted: "\(error); let the user of this process write there"
        case .isDirectory: "it is a directory; name a file in it"
        case .noSuchDevice: "it is a socket; name a file, a FIFO, /dev/stdout or /dev/stderr"
        default: error.description
        }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    // MARK: Writing

    /// Appends as many of the bytes as there is room for.
    /// - Parameter milliseconds: how long a pipe without room is given.
    /// - Returns: how many were written, and why not all.
    func append(_ bytes: UnsafeRawBufferPointer, patience milliseconds: Int32) -> (count: Int, error: SystemError?) {
        var written = 0
        while written < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
            let piece = unsafe UnsafeRawBufferPointer(rebasing: rest[..<pieceLength(of: rest)])
            let outcome = unsafe Kernel.write(descriptor, piece, isSocket: kind == .socket)
            if outcome.succeeded, outcome.count > 0 {
                written += outcome.count
            } else if outcome.wouldBlock {
                guard milliseconds > 0, Kernel.waitToWrite(descriptor, milliseconds: milliseconds) else {
                    return (written, .wouldBlock)
                }
            } else {
                return (written, outcome.error ?? .noSpace)
            }
        }
        return (written, nil)
    }

    /// Bytes that a pipe takes all at once or not at all (PIPE_BUF of pipe(7)), and on Linux a stream socket too. A line is
    /// longer only where long names of strangers have to be escaped; into such a one others may write.
    static let longestPiece = 4_096

    /// How much of it is written at once: as many whole lines as are passed on in one piece, or one that is longer.
    private func pieceLength(of bytes: UnsafeRawBufferPointer) -> Int {
        switch kind {
        case .regular, .directory, .other: return bytes.count
        case .pipe, .socket: break
        }
        guard bytes.count > Self.longestPiece else { return bytes.count }
        let end = UInt8(ascii: "\n")
        if let last = unsafe bytes[..<Self.longestPiece].lastIndex(of: end) { return last + 1 }
        return unsafe bytes[Self.longestPiece...].firstIndex(of: end).map { $0 + 1 } ?? bytes.count
    }
}

extension SystemError {
    fileprivate static let noSuchFile = SystemError(code: ENOENT)
    fileprivate static let notPermitted = SystemError(code: EACCES)
    fileprivate static let isDirectory = SystemError(code: EISDIR)
    fileprivate static let noSuchDevice = SystemError(code: ENXIO)
    fileprivate static let noSpace = SystemError(code: ENOSPC)
}
