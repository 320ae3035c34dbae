// Files of the machine this runs on, read with a bound and replaced whole: the system calls of it, on values.
//
// Not taken: Foundation's, which have no bound for reading, open a FIFO and wait, and say "couldn't be saved" for a
// full disk. May block; for threads that may.

import Glibc
import Reactor

/// What is wrong with a file, without its path.
package struct DiskFault: Error, Hashable, CustomStringConvertible {
    package var reason: String
    /// There is no such file.
    package var isAbsence = false
    /// Somebody is writing to it at this moment.
    package var isBusy = false

    package var description: String { reason }

    /// Of the system call that has just failed.
    fileprivate static func last(_ doing: String = "") -> DiskFault {
        let code = errno
        return DiskFault(reason: doing + "\(SystemError(code: code))", isAbsence: code == ENOENT)
    }
}

/// What changes when a file does: which one it is, its length, and when it was written.
package struct FileStamp: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    package var size: Int64
    /// Since 1970.
    package var modified: Duration
    package var changed: Duration
}

package enum DiskFile {
    /// - Returns: nil where there is no such file; links are followed.
    package static func stamp(of path: String) throws(DiskFault) -> FileStamp? {
        var raw = stat()
        guard unsafe stat(path, &raw) == 0 else {
            let fault = DiskFault.last()
            if fault.isAbsence { return nil }
            throw fault
        }
        return FileStamp(raw)
    }

    package static func read(_ path: String, atMost limit: Int) throws(DiskFault) -> [UInt8] {
        try stamped(path, atMost: limit).bytes
    }

    /// The file and its stamp, which is the same after reading as before it.
    /// - Throws: for what is no regular file, longer than `limit`, or was changed while it was read.
    package static func stamped(
        _ path: String, atMost limit: Int
    ) throws(DiskFault) -> (bytes: [UInt8], stamp: FileStamp) {
        // A FIFO would wait for its writer.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .last() }
        defer { close(descriptor) }
        var raw = stat()
        guard unsafe fstat(descriptor, &raw) == 0 else { throw .last() }
        guard raw.st_mode & S_IFMT == S_IFREG else { throw DiskFault(reason: "it is no regular file") }
        guard raw.st_size <= limit else { throw DiskFault(reason: "it is longer than \(limit) bytes") }
        let before = FileStamp(raw)
        var bytes: [UInt8] = []
        while true {
            var count = 0
            let part = unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, filled in
                count = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                filled = max(0, count)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw .last()
            }
            if count == 0 { break }
            bytes += part
            guard bytes.count <= limit else { throw DiskFault(reason: "it is longer than \(limit) bytes") }
        }
        guard unsafe fstat(descriptor, &raw) == 0 else { throw .last() }
        guard FileStamp(raw) == before else {
            throw DiskFault(reason: "it was changed while it was read", isBusy: true)
        }
        return (bytes, before)
    }

    /// Puts `bytes` in a file's place, readable by its owner alone.
    ///
    /// The old file or the new one is there at any time, whole, also after a power cut; where it fails, the old one.
    package static func replace(_ path: String, with bytes: [UInt8]) throws(DiskFault) {
        let fresh = path + ".new"
        // What an earlier process left when it was cut short.
        guard unsafe unlink(fresh) == 0 || errno == ENOENT else { throw .last("\(fresh): ") }
        let descriptor = unsafe open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .last() }
        do throws(DiskFault) {
            defer { close(descriptor) }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
                if count < 0 {
                    if errno == EINTR { continue }
                    throw .last()
                }
                rest = rest.dropFirst(count)
            }
            guard fsync(descriptor) == 0, unsafe rename(fresh, path) == 0 else { throw .last() }
        } catch {
            _ = unsafe unlink(fresh)
            throw error
        }
        // The new name is on the disk once its directory is. Some file systems have no such thing; the file is whole.
        let directory = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let parent = unsafe open(
            directory.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : directory, O_RDONLY | O_CLOEXEC)
        guard parent >= 0 else { return }
        _ = fsync(parent)
        close(parent)
    }
}

extension FileStamp {
    fileprivate init(_ raw: stat) {
        self.init(
            device: UInt64(raw.st_dev), inode: UInt64(raw.st_ino), size: Int64(raw.st_size),
            modified: .seconds(raw.st_mtim.tv_sec) + .nanoseconds(raw.st_mtim.tv_nsec),
            changed: .seconds(raw.st_ctim.tv_sec) + .nanoseconds(raw.st_ctim.tv_nsec))
    }
}
