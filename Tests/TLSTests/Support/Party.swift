// One end of a stream under test: a pipe over a socket, what it has to send, and what has come.

import Glibc
import TLS

/// How long anything may take that should take milliseconds; the machine may be busy.
let patience = 30

/// Where a party puts what it decrypts.
private let room = 200 << 10

/// A pipe and a script: send these bytes, then perhaps the end.
@safe
final class Party {
    let descriptor: Int32
    private let pipe: TLSPipe
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 64)
    /// What is still to be sent.
    var outgoing: ArraySlice<UInt8> = []
    /// Bytes that one send is given.
    var sendSize = 64 << 10
    /// What one receive may give, within the buffer.
    var receiveSize = room
    /// The stream is ended once everything is sent.
    var finishes = false
    /// The end goes with the last bytes, where the pipe takes all of them.
    var endsAlong = false
    /// The socket's end follows the stream's.
    var closesSocket = true
    private(set) var received: [UInt8] = []
    private(set) var end = PipeReading.End.open
    private var hasBegun = false
    private var hasClosed = false
    /// Does not read for as long as it is set.
    var isSlow = false

    init(_ pipe: consuming TLSPipe?, over descriptor: Int32) {
        guard let pipe else { preconditionFailure("no memory for a pipe") }
        self.pipe = pipe
        self.descriptor = descriptor
    }

    /// A server's end, with a wire of its own.
    convenience init(serving descriptor: Int32, _ context: ServerContext) {
        self.init(context.makePipe(over: descriptor, wire: Wire()), over: descriptor)
    }

    deinit {
        unsafe buffer.deallocate()
        _ = close(descriptor)
    }

    var handle: TLSPipe.Handle { pipe.handle }

    /// Everything that was to be sent is with the socket, the end included.
    var isDone: Bool {
        handle.fault != nil
            || (outgoing.isEmpty && !handle.isBlocked && handle.isEstablished && (!finishes || handle.isFinished))
    }

    /// What has come since the last time.
    func takeReceived() -> [UInt8] {
        defer { received = [] }
        return received
    }

    /// Does all that can be done without waiting.
    /// - Returns: whether there was anything.
    @discardableResult
    func step() -> Bool {
        var progress = false
        if !hasBegun {
            hasBegun = true
            progress = true
            _ = handle.begin()
        }
        if handle.isBlocked {
            let kept = handle.keptBytes
            _ = handle.flush()
            if handle.keptBytes != kept { progress = true }
        }
        if !isSlow, end == .open {
            let reading = unsafe handle.receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<receiveSize]))
            if reading.received > 0 || reading.end != .open { progress = true }
            unsafe received += buffer[..<reading.count]
            end = reading.end
        }
        guard handle.isEstablished else { return progress }
        if !outgoing.isEmpty, !handle.isBlocked {
            let part = outgoing.prefix(sendSize)
            let isLast = part.count == outgoing.count
            let writing = unsafe part.withUnsafeBytes { unsafe handle.send($0, ends: endsAlong && isLast) }
            outgoing = outgoing.dropFirst(writing.count)
            if writing.count > 0 { progress = true }
        }
        if finishes, outgoing.isEmpty, !handle.isFinished {
            _ = handle.finish(more: closesSocket)
            progress = true
        }
        if finishes, handle.isFinished, !handle.isBlocked, closesSocket, !hasClosed {
            hasClosed = true
            shutdown(descriptor, Int32(SHUT_WR))
            progress = true
        }
        return progress
    }

    /// Ends the socket with a reset instead of an end.
    func reset() {
        var now = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        // The descriptor itself stays until the party goes; connecting to nowhere resets it now.
        var nowhere = sockaddr(sa_family: sa_family_t(AF_UNSPEC), sa_data: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        _ = unsafe connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }
}

/// What was waited for did not come.
struct TooLate: Error {}

/// Lets parties go on until `isOver`, waiting for their sockets where none can.
func run(_ parties: [Party], until isOver: () -> Bool) throws {
    let deadline = time(nil) + patience
    while !isOver() {
        var progress = false
        for party in parties where party.step() { progress = true }
        if progress || isOver() { continue }
        guard time(nil) < deadline else { throw TooLate() }
        var waits = parties.map { party in
            pollfd(
                fd: party.descriptor,
                events: Int16(party.isSlow || party.end != .open ? 0 : POLLIN)
                    | Int16(party.handle.isBlocked ? POLLOUT : 0), revents: 0)
        }
        _ = unsafe poll(&waits, nfds_t(waits.count), 100)
    }
}

// MARK: - Sockets

enum Loopback {
    /// Two ends of a connection within the process, non-blocking.
    static func pair() -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0
        else { preconditionFailure("no sockets") }
        return (ends[0], ends[1])
    }

    /// Two ends of a connection on which each send arrives as the message it was, non-blocking and roomy.
    static func messagePair() -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else { preconditionFailure("no sockets") }
        var room: Int32 = 1 << 20
        for end in ends { unsafe setsockopt(end, SOL_SOCKET, SO_SNDBUF, &room, socklen_t(MemoryLayout<Int32>.size)) }
        return (ends[0], ends[1])
    }

    /// The messages that have come.
    static func messages(at descriptor: Int32) -> [[UInt8]] {
        var (messages, room): ([[UInt8]], [UInt8]) = ([], [UInt8](repeating: 0, count: 1 << 20))
        while true {
            let count = unsafe recv(descriptor, &room, room.count, 0)
            guard count > 0 else { return messages }
            messages.append(Array(room.prefix(count)))
        }
    }

    /// Segments with bytes that a TCP socket has sent.
    static func segmentsSent(by descriptor: Int32) -> Int {
        // The C library's tcp_info ends before it: tcpi_data_segs_out of linux/tcp.h.
        let place = 156
        var information = [UInt8](repeating: 0, count: place + 4)
        var length = socklen_t(information.count)
        let result = unsafe getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &information, &length)
        precondition(result == 0 && Int(length) == information.count, "no count of segments")
        return Int(
            unsafe information.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: place, as: UInt32.self) })
    }

    /// Two ends of a TCP connection, non-blocking.
    static func tcpPair() throws -> (Int32, Int32) {
        let listener = try Listener()
        let near = try connect(to: listener.port)
        return (near, try listener.accept())
    }

    static func connect(to port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = address(port)
        let result = unsafe withUnsafeBytes(of: &address) {
            unsafe Glibc.connect(
                descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard result == 0 else {
            close(descriptor)
            throw TooLate()
        }
        prepare(descriptor)
        return descriptor
    }

    static func prepare(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var on: Int32 = 1
        unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }

    static func address(_ port: UInt16) -> sockaddr_in {
        sockaddr_in(
            sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
            sin_addr: in_addr(s_addr: UInt32(0x7F00_0001).bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    }

    /// Listens at a free port of 127.0.0.1.
    final class Listener {
        private let descriptor: Int32
        let port: UInt16

        init() throws {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            self.descriptor = descriptor
            var address = Loopback.address(0)
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = unsafe withUnsafeMutableBytes(of: &address) {
                let pointer = unsafe $0.baseAddress?.assumingMemoryBound(to: sockaddr.self)
                return unsafe bind(descriptor, pointer, length) == 0 && listen(descriptor, 4096) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
            guard isBound else { throw TooLate() }
            port = UInt16(bigEndian: address.sin_port)
        }

        deinit { close(descriptor) }

        func accept() throws -> Int32 {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&wait, 1, Int32(patience) * 1000) == 1 else { throw TooLate() }
            let accepted = Glibc.accept(descriptor, nil, nil)
            Loopback.prepare(accepted)
            return accepted
        }
    }
}
