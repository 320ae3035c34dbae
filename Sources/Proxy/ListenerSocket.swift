// Sockets to accept from: bound here, or handed down by whoever started us.
//
// Each worker gets a socket of its own on the address (SO_REUSEPORT), so that the
// kernel spreads clients and workers share no queue. The first of them is bound
// and listens without that option, which fails where anybody else listens, a second
// remora included; only then is the option set and the others join it. To be bound
// would not be enough: two sockets may be, for as long as neither listens.

import CEpoll
import Glibc
package import Reactor
package import Routing
import Synchronization
package import Vocabulary

/// Why an address could not be listened on.
package struct BindError: Error, CustomStringConvertible {
    package var listener: String
    package var address: SocketAddress
    package var cause: SystemError

    package var description: String {
        let remedy =
            switch cause.code {
            case EADDRINUSE: "; another process listens there: stop it, or choose another address"
            case EADDRNOTAVAIL: "; this machine has no such address"
            case EACCES, EPERM: "; it takes a privilege: CAP_NET_BIND_SERVICE, or write access to the directory"
            case ENOENT: "; the directory does not exist"
            default: ""
            }
        return "listener \(listener) cannot bind \(address): \(cause)\(remedy)"
    }
}

/// A listener's sockets, open.
package struct ListenerSockets: Sendable {
    package let options: ListenerOptions
    /// The address as bound: port 0 has become a real one.
    package let address: SocketAddress
    let isTCP: Bool
    /// One for each worker, or a single one for all.
    let descriptors: [Int32]
    /// What the workers leave by who accept from a single one; nil where each has its own.
    let sharedDoor: SharedDoor?

    /// - Parameter inherited: a descriptor that already listens; it is used as it is.
    package init(
        _ options: ListenerOptions, workers: Int, inherited: Int32? = nil, silentPeerTimeout: Duration
    ) throws(BindError) {
        precondition(workers > 0)
        self.options = options
        do throws(SystemError) {
            if let inherited {
                try Kernel.adopt(inherited)
                descriptors = [inherited]
                sharedDoor = SharedDoor(inherited, file: nil, workers: workers)
            } else if case .unix(let path) = options.bind {
                let descriptor = try Self.listenOnPath(options.bind, path)
                descriptors = [descriptor]
                sharedDoor = SharedDoor(descriptor, file: SocketFile(path: path), workers: workers)
            } else {
                descriptors = try Self.listen(on: options.bind, count: workers)
                sharedDoor = nil
            }
        } catch {
            throw BindError(listener: options.name, address: options.bind, cause: error)
        }
        address = Kernel.localAddress(of: descriptors[0]) ?? options.bind
        isTCP = Kernel.isTCP(descriptors[0])
        for descriptor in descriptors where Kernel.isTCP(descriptor) {
            // What is set here is inherited by every socket that is accepted, at no cost.
            Kernel.disableNagle(descriptor)
            Kernel.keepUrgentInline(descriptor)
            Kernel.watchForSilentPeer(descriptor, timeout: silentPeerTimeout)
        }
    }

    /// Undoes the bind, where no worker was started to accept.
    package func close() {
        if let sharedDoor { sharedDoor.abandon() } else { descriptors.forEach(Kernel.close) }
    }

    private static func listen(on address: SocketAddress, count: Int) throws(SystemError) -> [Int32] {
        let first = try Kernel.bind(address, sharingPort: false)
        var sockets = [first]
        // A port that the kernel chose goes when the socket stops listening for a while (`Kernel.stopListening`); so
        // where it chose, the first only holds the port until others have bound it by number.
        let isChosen = address.port == 0
        do throws(SystemError) {
            try Kernel.listen(first)
            try Kernel.sharePort(first)
            let bound = Kernel.localAddress(of: first) ?? address
            while sockets.count < (isChosen ? count + 1 : count) {
                sockets.append(try Kernel.bind(bound, sharingPort: true))
                try Kernel.listen(sockets[sockets.count - 1])
            }
        } catch {
            sockets.forEach(Kernel.close)
            throw error
        }
        if isChosen { Kernel.close(sockets.removeFirst()) }
        return sockets
    }

    /// Takes over a path that nobody listens on any more; one that somebody answers on is in use.
    private static func listenOnPath(_ address: SocketAddress, _ path: String) throws(SystemError) -> Int32 {
        do {
            return try bindAndListen(address)
        } catch  where error == .addressInUse {
            guard isSocket(path), !Kernel.answers(address) else { throw error }
            unsafe unlink(path)
            return try bindAndListen(address)
        }
    }

    private static func bindAndListen(_ address: SocketAddress) throws(SystemError) -> Int32 {
        let descriptor = try Kernel.bind(address, sharingPort: false)
        do throws(SystemError) {
            try Kernel.listen(descriptor)
        } catch {
            Kernel.close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }
}

/// A socket that several workers accept from: the last to leave closes it, so that clients
/// are turned away from then on instead of waiting in a queue that nobody looks at.
final class SharedDoor: Sendable {
    private let descriptor: Int32
    /// The file that this process has made, and removes with the socket.
    private let file: SocketFile?
    /// Workers that may accept yet.
    private let workers: Atomic<Int>

    init(_ descriptor: Int32, file: SocketFile?, workers: Int) {
        self.descriptor = descriptor
        self.file = file
        self.workers = Atomic(workers)
    }

    /// To be called once by each worker, which accepts nothing from then on.
    func leave() {
        guard workers.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        abandon()
    }

    /// Closes it whoever may accept yet.
    func abandon() {
        // The file first: who finds it must find somebody behind it.
        file?.remove()
        Kernel.close(descriptor)
    }
}

/// A unix socket's file, which outlives the socket unless somebody removes it.
struct SocketFile: Sendable {
    let path: String
    private let identity: (dev_t, ino_t)

    init(path: String) {
        self.path = path
        identity = Self.identity(of: path)
    }

    /// Removes the file, unless another process has put its own there since.
    func remove() {
        if Self.identity(of: path) == identity { unsafe unlink(path) }
    }

    private static func identity(of path: String) -> (dev_t, ino_t) {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? (status.st_dev, status.st_ino) : (0, 0)
    }
}

/// Listening sockets that the parent process opened for this one: systemd's protocol, sd_listen_fds(3).
package struct InheritedSockets: Sendable {
    private let sockets: [(name: String, descriptor: Int32)]

    /// - Parameters:
    ///   - environment: `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` count.
    ///   - process: this process's id; descriptors meant for another are left alone.
    package init(environment: [String: String], process: Int32) {
        guard environment["LISTEN_PID"].flatMap(Int32.init) == process,
            let count = environment["LISTEN_FDS"].flatMap(Int32.init), (1...1024).contains(count)
        else {
            sockets = []
            return
        }
        let names = environment["LISTEN_FDNAMES"]?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        sockets = (0..<count).map { number in
            (name: names.indices.contains(Int(number)) ? String(names[Int(number)]) : "", descriptor: 3 + number)
        }
    }

    /// The socket that bears the listener's name, else one that is bound to its address.
    package func descriptor(for listener: ListenerOptions) -> Int32? {
        let listening = sockets.filter { Kernel.isListening($0.descriptor) }
        let match =
            listening.first { $0.name == listener.name }
            ?? listening.first { Kernel.localAddress(of: $0.descriptor) == listener.bind }
        return match?.descriptor
    }
}
