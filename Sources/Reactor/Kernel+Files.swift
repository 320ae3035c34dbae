// The system calls of files that are appended to, and waiting for one descriptor without a poller.

import Glibc
import Vocabulary

/// What a descriptor refers to, as far as writing to it differs.
package enum FileKind: Hashable, Sendable {
    case regular, pipe, socket, directory
    /// A device, a terminal among them.
    case other
}

/// Which file something leads to, whatever it is called: equal for two names or descriptors of one file.
package struct FileIdentity: Hashable, Sendable {
    private let device: UInt
    private let inode: UInt

    fileprivate init(_ status: stat) {
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }
}

extension Kernel {
    /// How a file is opened that lines are appended to.
    package struct AppendMode: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }

        /// Made if it is not there, with the rights 0640 as the umask allows.
        package static let creating = AppendMode(rawValue: O_CREAT)
        /// To be read too, by which a FIFO is there for as long as it is open, whoever else reads it.
        package static let reading = AppendMode(rawValue: O_RDWR)
    }

    /// Opens a file to append to it; a write that would wait fails with ``SystemError/wouldBlock`` instead, but for
    /// regular files, whose writes wait for their disk.
    package static func openToAppend(_ path: String, _ mode: AppendMode) throws(SystemError) -> Int32 {
        let access = mode.contains(.reading) ? 0 : O_WRONLY
        let flags = O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | access | mode.rawValue
        let descriptor = unsafe Glibc.open(path, flags, 0o640)
        guard descriptor >= 0 else { throw SystemError(code: errno) }
        return descriptor
    }

    /// Another descriptor for the same open file.
    package static func duplicate(_ descriptor: Int32) throws(SystemError) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw SystemError(code: errno) }
        return copy
    }

    package static func kind(of descriptor: Int32) -> FileKind? {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        return FileKind(status)
    }

    /// Of what a path leads to; nil where there is nothing.
    package static func kind(ofPath path: String) -> FileKind? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return FileKind(status)
    }

    package static func identity(of descriptor: Int32) -> FileIdentity? {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        return FileIdentity(status)
    }

    /// Of what a path leads to; nil where there is nothing.
    package static func identity(ofPath path: String) -> FileIdentity? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return FileIdentity(status)
    }

    /// Whether this process may write to what a path leads to.
    package static func mayWrite(to path: String) -> Result<Void, SystemError> {
        unsafe access(path, W_OK) == 0 ? .success(()) : .failure(SystemError(code: errno))
    }

    /// - Parameter isSocket: of the descriptor; a socket is sent to without waiting, whatever it was told before.
    package static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, isSocket: Bool) -> Outcome {
        while true {
            let count =
                unsafe isSocket
                ? Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
                : Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            if count >= 0 { return Outcome(Int64(count)) }
            if errno != EINTR { return Outcome(-Int64(errno)) }
        }
    }

    /// Waits until a descriptor has something to read, or has failed; signals that come meanwhile make no difference.
    /// - Parameter milliseconds: at most; negative is for ever.
    /// - Returns: false where the time was over first.
    package static func waitToRead(_ descriptor: Int32, milliseconds: Int32) -> Bool {
        wait(descriptor, for: POLLIN, milliseconds)
    }

    /// The same until it has room.
    package static func waitToWrite(_ descriptor: Int32, milliseconds: Int32) -> Bool {
        wait(descriptor, for: POLLOUT, milliseconds)
    }

    private static func wait(_ descriptor: Int32, for events: Int32, _ milliseconds: Int32) -> Bool {
        var ready = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        let end = now() + .milliseconds(max(0, milliseconds))
        var left = milliseconds
        while true {
            let count = unsafe poll(&ready, 1, left)
            guard count < 0, errno == EINTR else { return count == 1 }
            // Rounded up: a moment too short would be a turn for nothing.
            if milliseconds > 0 { left = Int32(clamping: max(0, (end - now()).wholeNanoseconds + 999_999) / 1_000_000) }
        }
    }
}

extension FileKind {
    fileprivate init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: self = .regular
        case S_IFIFO: self = .pipe
        case S_IFSOCK: self = .socket
        case S_IFDIR: self = .directory
        default: self = .other
        }
    }
}
