// Servers for remora to connect to: one whose connections the test takes by hand,
// one that serves by itself, and addresses where nobody answers.

import Glibc
import Reactor
import Synchronization
import Vocabulary

/// An endpoint whose connections the test accepts one by one.
final class ManualEndpoint: Sendable {
    let address: SocketAddress
    fileprivate let door: Wire
    private let directory = TemporaryDirectory()

    init(_ transport: Transport = .tcp4, backlog: Int32 = 1024) throws {
        let bound = transport.freshAddress(in: directory, "endpoint")
        door = try Wire.listening(on: bound, backlog: backlog)
        address = transport.reaching(door.localAddress ?? bound)
    }

    func accept() throws -> Wire { try door.accept() }

    /// Whether a connection waits to be accepted.
    var hasCaller: Bool {
        var question = pollfd(fd: door.descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&question, 1, 0) == 1
    }
}

extension Wire {
    static func listening(on address: SocketAddress, backlog: Int32) throws -> Wire {
        let wire = Wire(descriptor: try newSocket(address.family))
        let form = address.kernelForm
        try unsafe form.withUnsafeBytes { bytes in
            let raw = unsafe bytes.assumingMemoryBound(to: sockaddr.self)
            guard unsafe bind(wire.descriptor, raw.baseAddress, socklen_t(bytes.count)) == 0,
                listen(wire.descriptor, backlog) == 0
            else { throw WireError(code: errno) }
        }
        return wire
    }

    func accept() throws -> Wire {
        let accepted = Glibc.accept(descriptor, nil, nil)
        guard accepted >= 0 else { throw WireError(code: errno) }
        return Wire(descriptor: accepted)
    }
}

/// An endpoint that serves every connection on a thread of its own, until it goes.
final class Service: Sendable {
    let address: SocketAddress
    private let door: Wire
    private let acceptor: KernelThread
    private let directory: TemporaryDirectory
    private let count: Counter

    /// - Parameter serve: what becomes of a connection; one that throws is closed.
    init(_ transport: Transport = .tcp4, _ serve: @escaping @Sendable (Wire) throws -> Void) throws {
        let directory = TemporaryDirectory()
        let bound = transport.freshAddress(in: directory, "service")
        let door = try Wire.listening(on: bound, backlog: 4096)
        door.setPatience(.zero)
        let count = Counter()
        self.directory = directory
        self.door = door
        self.count = count
        address = transport.reaching(door.localAddress ?? bound)
        acceptor = KernelThread.start(name: "acceptor") {
            var threads: [KernelThread] = []
            // A shutdown of the listening socket ends the loop.
            while let wire = try? door.accept() {
                count.add()
                threads.append(KernelThread.start(name: "server") { try? serve(wire) })
            }
            for thread in threads { thread.join() }
        }
    }

    /// Waits for what is being served; each socket's calls end within its time.
    deinit {
        shutdown(door.descriptor, Int32(SHUT_RDWR))
        acceptor.join()
    }

    /// Connections it has had.
    var connections: Int { count.value }

    /// Sends back what it gets, and the end too.
    static func echo(_ transport: Transport = .tcp4) throws -> Service {
        try Service(transport) { wire in
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
            defer { unsafe buffer.deallocate() }
            while true {
                let count = try unsafe wire.receive(into: buffer)
                if count == 0 { break }
                try unsafe wire.send(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            try wire.endStream()
        }
    }

    /// Says its name once a connection, after the first bytes of it.
    static func naming(_ name: String) throws -> Service {
        try Service { wire in
            if try !wire.receive().isEmpty { try wire.send(name) }
            _ = wire.awaitEnd()
        }
    }
}

final class Counter: Sendable {
    private let number = Atomic<Int>(0)
    var value: Int { number.load(ordering: .relaxed) }
    func add() { number.add(1, ordering: .relaxed) }
}

final class Flag: Sendable {
    private let flag = Atomic<Bool>(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}

/// What a thread of the test comes to.
final class Background<Value: Sendable>: Sendable {
    private let result: Box
    private let thread: KernelThread

    private final class Box: Sendable {
        let result = Mutex<Result<Value, any Error>?>(nil)
    }

    init(_ body: @escaping @Sendable () throws -> Value) {
        let box = Box()
        result = box
        thread = KernelThread.start(name: "test") {
            let outcome = Result { try body() }
            box.result.withLock { $0 = outcome }
        }
    }

    /// Waits for its end; to be called once.
    func value() throws -> Value {
        thread.join()
        guard let result = result.result.withLock({ $0 }) else { fatalError("a joined thread has stored its result") }
        return try result.get()
    }
}

// MARK: - Where nobody answers

/// An address on which nothing listens: it is bound, so nobody else comes to listen there.
final class ClosedPort: Sendable {
    let address: SocketAddress
    private let holder: Wire

    init() throws {
        let holder = Wire(descriptor: try Wire.newSocket(AF_INET))
        var form = SocketAddress.ipv4(.loopback, port: 0).kernelForm
        let size = socklen_t(form.count)
        let bound = unsafe form.withUnsafeMutableBytes {
            unsafe bind(holder.descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, size)
        }
        guard bound == 0, let address = holder.localAddress else { throw WireError(code: errno) }
        self.holder = holder
        self.address = address
    }
}

/// An endpoint whose queue is full, so that the kernel drops every further SYN, as a dead network would.
final class BlackHole {
    let address: SocketAddress
    private let endpoint: ManualEndpoint
    private var fillers: [Wire] = []

    init(_ transport: Transport = .tcp4) throws {
        endpoint = try ManualEndpoint(transport, backlog: 0)
        address = endpoint.address
        // A queue for 0 has room for one, perhaps; a connect that stays in progress proves it full.
        while fillers.count < 8 {
            let filler = Wire(descriptor: try Kernel.socket(family: AF_INET).get())
            let form = address.kernelForm
            _ = unsafe form.withUnsafeBytes { unsafe Kernel.connect(filler.descriptor, to: $0) }
            var question = pollfd(fd: filler.descriptor, events: Int16(POLLOUT), revents: 0)
            if unsafe poll(&question, 1, 50) == 0 { return }
            fillers.append(filler)
        }
        fatalError("a queue for 0 connections took 8")
    }

    /// Makes room in the queue; who has called meanwhile gets through when its SYN is repeated, within seconds.
    func open() throws {
        for _ in fillers { _ = try endpoint.accept() }
        fillers = []
    }

    func accept() throws -> Wire { try endpoint.accept() }
}
