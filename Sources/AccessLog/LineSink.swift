// Where lines go: a file that others rename, fill and read, in whole lines.
//
// A batch is one write, which appends; so lines of two processes in one file do not mix. What cannot be written at once
// is thrown away and counted, not kept: a log that waits for its disk is not worth the memory of a busy proxy. Of a line
// that was written in part the rest is kept, and comes first when there is room again, so that a reader of the file never
// finds two lines in one.
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

    private static func open(_ path: String) throws(SystemError) -> Int32 {
        if Kernel.kind(ofPath: path) == .pipe, standard(path) == nil {
            // To be read too: otherwise it could not be opened before its reader, nor outlive it.
            return try Kernel.openToAppend(path, .reading)
        }
        do throws(SystemError) {
            return try Kernel.openToAppend(path, .creating)
        } catch {
            // A socket, as systemd gives for both, has no name by which to open it.
            guard error == .noSuchDevice, let standard = standard(path) else { throw error }
            return try Kernel.duplicate(standard)
        }
    }

    /// The descriptor that a path means.
    private static func standard(_ path: String) -> Int32? {
        switch path {
        case "/dev/stdout": 1
        case "/dev/stderr": 2
        default: nil
        }
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
            let outcome = unsafe Kernel.write(descriptor, rest, isSocket: kind == .socket)
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
}

extension SystemError {
    fileprivate static let noSuchFile = SystemError(code: ENOENT)
    fileprivate static let notPermitted = SystemError(code: EACCES)
    fileprivate static let isDirectory = SystemError(code: EISDIR)
    fileprivate static let noSuchDevice = SystemError(code: ENXIO)
    fileprivate static let noSpace = SystemError(code: ENOSPC)
}
