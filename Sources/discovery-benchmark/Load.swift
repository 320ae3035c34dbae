// Both ends of the load: clients that connect, ask and go, and a server that answers at every endpoint's address.

import Glibc
import Reactor
import Synchronization
import Vocabulary

/// Clients on threads of their own, one connection after the other, at a rate.
final class Clients: Sendable {
    private static let threads = 4
    private static let patience = Int32(5_000)
    static let threadName = "client"

    private let address: SocketAddress
    private let perSecond: Int
    private let running = Mutex<[KernelThread]>([])
    private let isOver = Atomic(false)
    private let count = Atomic(0)
    private let failures = Atomic(0)

    init(of address: SocketAddress, perSecond: Int) {
        self.address = address
        self.perSecond = perSecond
    }

    /// Exchanges that are over, failed ones as well.
    var ended: Int { count.load(ordering: .relaxed) }
    /// Those that brought no whole answer.
    var failed: Int { failures.load(ordering: .relaxed) }

    func start() {
        running.withLock { running in
            running = (0..<Self.threads).map { _ in
                KernelThread.start(name: Self.threadName) { [self] in run() }
            }
        }
    }

    func end() {
        isOver.store(true, ordering: .relaxed)
        for thread in running.withLock({ $0 }) { thread.join() }
    }

    static func sleep(_ time: Duration) {
        var wanted = timespec(tv_sec: 0, tv_nsec: Int(time.inSeconds * 1e9))
        unsafe nanosleep(&wanted, nil)
    }

    private func run() {
        let start = Kernel.now()
        var done = 0
        while !isOver.load(ordering: .relaxed) {
            let due = Int((Kernel.now() - start).inSeconds * Double(perSecond) / Double(Self.threads))
            guard done < due else {
                Self.sleep(.milliseconds(1))
                continue
            }
            done += 1
            if !exchange() { failures.wrappingAdd(1, ordering: .relaxed) }
            count.wrappingAdd(1, ordering: .relaxed)
        }
    }

    private func exchange() -> Bool {
        let socket = Kernel.socket(family: address.family)
        guard socket.succeeded else { return false }
        let descriptor = socket.value
        defer { Kernel.close(descriptor) }
        let connect = unsafe address.kernelForm.withUnsafeBytes { unsafe Kernel.connect(descriptor, to: $0) }
        guard connect.succeeded || connect.error == .inProgress, wait(descriptor, POLLOUT),
            Kernel.connectError(descriptor) == nil
        else { return false }
        var bytes = [UInt8](repeating: 7, count: EchoServer.messageLength)
        guard unsafe send(descriptor, bytes, bytes.count, 0) == bytes.count else { return false }
        var received = 0
        while true {
            guard wait(descriptor, POLLIN) else { return false }
            let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
            guard count >= 0 else { return false }
            if count == 0 { return received == EchoServer.messageLength }
            received += count
        }
    }

    private func wait(_ descriptor: Int32, _ events: Int32) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return unsafe poll(&polled, 1, Self.patience) == 1
    }
}

/// Answers each connection's message with as many bytes, and ends it.
final class EchoServer: Sendable {
    static let messageLength = 64
    static let threadName = "server"

    private let thread: KernelThread
    private let isOver: Flag

    private final class Flag: Sendable {
        let value = Atomic(false)
    }

    /// - Throws: where one of the addresses is somebody else's.
    init(at addresses: [SocketAddress]) throws {
        var listeners: [Int32] = []
        for address in addresses {
            let listener = try Kernel.bind(address, sharingPort: false)
            try Kernel.listen(listener)
            listeners.append(listener)
        }
        let flag = Flag()
        isOver = flag
        let sockets = listeners
        thread = KernelThread.start(name: Self.threadName) { Self.run(sockets, until: flag) }
    }

    func end() {
        isOver.value.store(true, ordering: .relaxed)
        thread.join()
    }

    private static func run(_ listeners: [Int32], until isOver: Flag) {
        guard let poller = try? Poller() else { preconditionFailure("the system gives no epoll set") }
        // A listener's token is its descriptor; a connection's has this bit as well.
        let connection: UInt64 = 1 << 32
        for listener in listeners { poller.addLevel(of: listener, token: UInt64(listener)) }
        var buffer = [UInt8](repeating: 0, count: messageLength)
        while !isOver.value.load(ordering: .relaxed) {
            for index in 0..<poller.wait(milliseconds: 100) {
                let token = poller.event(at: index).token
                let descriptor = Int32(truncatingIfNeeded: token & ~connection)
                guard token & connection != 0 else {
                    let accepted = Kernel.accept(descriptor)
                    if accepted.succeeded {
                        poller.addLevel(of: accepted.value, token: connection | UInt64(accepted.value))
                    }
                    continue
                }
                // So small a message is never cut in two on loopback.
                let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
                if count > 0 { _ = unsafe send(descriptor, buffer, count, 0) }
                Kernel.close(descriptor)
            }
        }
        for listener in listeners { Kernel.close(listener) }
    }
}
