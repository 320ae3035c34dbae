// The admin port's listening socket: bound by us, so that failing says why, and a
// unix path is private, replaced when stale and removed at the end.
//
// FlyingFox would bind for itself, and leave all four to chance.

import FlyingSocks
import Glibc
import Synchronization
package import enum Vocabulary.SocketAddress

/// Why the admin port could not be opened.
package enum AdminStartError: Error, Hashable {
    /// Another process, or another listener of this one, has the address.
    case addressInUse(SocketAddress)
    /// Something that is no socket lies at the path; it is not ours to remove.
    case notASocket(path: String)
    case cannotBind(SocketAddress, errno: Int32)
    /// The kernel gives no event queue: no descriptors or no memory left.
    case cannotWatch(reason: String)
}

extension AdminStartError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .addressInUse(let address):
            "admin address \(address) is in use; is another remora running? stop it or set admin.bind"
        case .notASocket(let path):
            "admin address unix:\(path) is in the way of a file that is no socket; remove it or set admin.bind"
        case .cannotBind(let address, let code):
            "cannot bind the admin address \(address): \(SystemCalls.text(code)); set admin.bind to another"
        case .cannotWatch(let reason):
            "cannot watch the admin port: \(reason)"
        }
    }
}

final class ListeningSocket: Sendable {
    /// What came of one accept(2).
    enum Accepted {
        case connection(Socket)
        case none
        /// This one failed, the next one may not: the client was gone, or a signal came.
        case again
        /// Somebody waits, but there are no descriptors or no memory for them now.
        case exhausted
    }

    /// Where it is bound, with the port the kernel chose if it was to choose.
    let address: SocketAddress
    let socket: Socket
    private let isOpen = Atomic(true)
    /// The file at the unix path, as it was when it was bound.
    private let file: FileIdentity?

    /// Binds and listens.
    ///
    /// A unix path is bound with mode 0600. If a socket lies there that nobody listens on, left by a process that
    /// ended, it is replaced. Two processes that find the same stale socket in the same moment may both replace it,
    /// and then only the later one is reached.
    init(binding wanted: SocketAddress) throws(AdminStartError) {
        guard let descriptor = SystemCalls.streamSocket(for: wanted) else { throw .cannotBind(wanted, errno: errno) }
        do throws(AdminStartError) {
            try Self.bind(descriptor, to: wanted)
            guard listen(descriptor, 128) == 0 else { throw AdminStartError(errno, binding: wanted) }
            guard let bound = SystemCalls.localAddress(of: descriptor) else {
                throw AdminStartError(errno, binding: wanted)
            }
            address = bound
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        socket = Socket(file: .init(rawValue: descriptor))
        if case .unix(let path) = wanted { file = FileIdentity(path: path) } else { file = nil }
    }

    deinit { close() }

    /// Closes it, and removes its unix path unless something else lies there by now. The second time it does nothing.
    func close() {
        guard isOpen.exchange(false, ordering: .relaxed) else { return }
        if case .unix(let path) = address, let file, file == FileIdentity(path: path) { unsafe unlink(path) }
        Glibc.close(socket.file.rawValue)
    }

    /// Takes one connection, without waiting; it is closed on exec, as everything of ours is.
    func accept() -> Accepted {
        let descriptor = Glibc.accept(socket.file.rawValue, nil, nil)
        if descriptor >= 0 {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            return .connection(Socket(file: .init(rawValue: descriptor)))
        }
        return switch errno {
        case EAGAIN: .none
        case EINTR, ECONNABORTED, EPROTO: .again
        // Without a free descriptor the kernel does not even look whether somebody waits.
        default: hasClientWaiting ? .exhausted : .none
        }
    }

    private var hasClientWaiting: Bool {
        var watched = pollfd(fd: socket.file.rawValue, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&watched, 1, 0) > 0
    }
}

// MARK: - Binding

extension ListeningSocket {
    private static func bind(_ descriptor: Int32, to address: SocketAddress) throws(AdminStartError) {
        switch address {
        case .ipv4, .ipv6:
            var on: Int32 = 1
            let size = socklen_t(MemoryLayout<Int32>.size)
            // A port whose last connections are in TIME_WAIT is free; one that is listened on is not.
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
            // Inherited by every connection: an answer's last piece does not wait for an acknowledgement.
            unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
            let code = SystemCalls.bind(descriptor, to: address)
            guard code == 0 else { throw AdminStartError(code, binding: address) }
        case .unix(let path):
            // Before bind, or the path could be connected to for a moment.
            fchmod(descriptor, 0o600)
            var code = SystemCalls.bind(descriptor, to: address)
            if code == 0 { return }
            guard code == EADDRINUSE else { throw AdminStartError(code, binding: address) }
            guard let file = FileIdentity(path: path), file.isSocket else { throw .notASocket(path: path) }
            guard isStale(address) else { throw .addressInUse(address) }
            unsafe unlink(path)
            code = SystemCalls.bind(descriptor, to: address)
            guard code == 0 else { throw AdminStartError(code, binding: address) }
        }
    }

    /// Whether nobody listens on the socket that lies at a unix address.
    private static func isStale(_ address: SocketAddress) -> Bool {
        guard let probe = SystemCalls.streamSocket(for: address) else { return false }
        defer { Glibc.close(probe) }
        return SystemCalls.connect(probe, to: address) == ECONNREFUSED
    }
}

extension AdminStartError {
    fileprivate init(_ code: Int32, binding address: SocketAddress) {
        self = code == EADDRINUSE ? .addressInUse(address) : .cannotBind(address, errno: code)
    }
}

/// Which file lies at a path, to tell it from another that takes its place.
private struct FileIdentity: Equatable, Sendable {
    let device: UInt
    let number: UInt
    let isSocket: Bool

    init?(path: String) {
        var info = stat()
        guard unsafe lstat(path, &info) == 0 else { return nil }
        device = UInt(info.st_dev)
        number = UInt(info.st_ino)
        isSocket = info.st_mode & S_IFMT == S_IFSOCK
    }
}
