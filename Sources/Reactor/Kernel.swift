// The system calls of streams as functions on values; those of datagrams and epoll are in the files beside this one,
// and no other calls the C shim.
//
// Each answers an `Outcome`, one word that is a count or an error, because
// `throws` and `Optional` cost a branch and a register more on the byte path.

public import CEpoll
package import Vocabulary

/// What a system call answered: a number, or an errno.
@frozen
@usableFromInline
package struct Outcome: Sendable {
    @usableFromInline let raw: Int64

    @inlinable init(_ raw: Int64) { self.raw = raw }

    /// The number; negative if the call failed.
    @inlinable package var count: Int { Int(raw) }
    @inlinable package var succeeded: Bool { raw >= 0 }
    /// Nothing to do now; the descriptor's next edge says when (EAGAIN).
    @inlinable package var wouldBlock: Bool { raw == -Int64(EAGAIN) }
    @inlinable package var error: SystemError? { raw < 0 ? SystemError(code: Int32(-raw)) : nil }
    /// The number as a descriptor or a length.
    @inlinable package var value: Int32 { Int32(truncatingIfNeeded: raw) }

    /// The number, or the error thrown.
    @discardableResult
    package func get() throws(SystemError) -> Int32 {
        if let error { throw error }
        return value
    }
}

/// An errno, with the kernel's own words for it.
@frozen
@usableFromInline
package struct SystemError: Error, Hashable, CustomStringConvertible {
    @usableFromInline package let code: Int32

    @inlinable package init(code: Int32) { self.code = code }

    package static let addressInUse = SystemError(code: EADDRINUSE)
    package static let addressNotAvailable = SystemError(code: EADDRNOTAVAIL)
    package static let unreachable = SystemError(code: EHOSTUNREACH)
    package static let tooManyOpenFiles = SystemError(code: EMFILE)
    package static let connectionRefused = SystemError(code: ECONNREFUSED)
    package static let timedOut = SystemError(code: ETIMEDOUT)
    package static let wouldBlock = SystemError(code: EAGAIN)
    package static let interrupted = SystemError(code: EINTR)
    /// The call makes no sense for this kind of descriptor (EINVAL).
    package static let invalid = SystemError(code: EINVAL)
    package static let inProgress = SystemError(code: EINPROGRESS)

    /// The process or the machine has no descriptor, buffer or memory left: it may have one later.
    package var isExhaustion: Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) }

    @usableFromInline
    package var description: String {
        var text = [CChar](repeating: 0, count: 128)
        guard unsafe strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// The system calls of the data plane.
@usableFromInline
package enum Kernel {
    // MARK: Bytes

    @inlinable
    package static func receive(_ fd: Int32, into buffer: UnsafeMutableRawPointer, count: Int) -> Outcome {
        unsafe Outcome(remora_receive(fd, buffer, count))
    }

    /// - Parameter more: further bytes or the end follow at once, so they may share a segment (MSG_MORE).
    @inlinable
    package static func send(_ fd: Int32, _ bytes: UnsafeRawPointer, count: Int, more: Bool) -> Outcome {
        unsafe Outcome(remora_send(fd, bytes, count, more ? 1 : 0))
    }

    /// As ``receive(_:into:count:)``, for callers that have a buffer at hand; its empty case costs instructions.
    @inlinable
    package static func receive(_ fd: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        unsafe Outcome(remora_receive(fd, buffer.baseAddress, buffer.count))
    }

    /// As ``send(_:_:count:more:)``, for callers that have a buffer at hand.
    @inlinable
    package static func send(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, more: Bool) -> Outcome {
        unsafe Outcome(remora_send(fd, bytes.baseAddress, bytes.count, more ? 1 : 0))
    }

    @inlinable
    package static func splice(from: Int32, into: Int32, atMost count: Int, more: Bool) -> Outcome {
        Outcome(remora_splice(from, into, count, more ? 1 : 0))
    }

    /// A pipe of at least `capacity` bytes; nil where the kernel's limits allow none.
    package static func pipe(capacity: Int32) -> (readEnd: Int32, writeEnd: Int32, capacity: Int32)? {
        var ends: (Int32, Int32) = (-1, -1)
        let outcome = unsafe withUnsafeMutableBytes(of: &ends) {
            unsafe Outcome(remora_pipe($0.assumingMemoryBound(to: Int32.self).baseAddress, capacity))
        }
        return outcome.succeeded ? (ends.0, ends.1, outcome.value) : nil
    }

    // MARK: Connections

    @inlinable
    package static func accept(_ fd: Int32) -> Outcome { Outcome(remora_accept(fd)) }

    /// A non-blocking stream socket.
    @inlinable
    package static func socket(family: Int32) -> Outcome { Outcome(remora_socket(family)) }

    @inlinable
    package static func connect(_ fd: Int32, to address: UnsafeRawBufferPointer) -> Outcome {
        unsafe Outcome(remora_connect(fd, address.baseAddress, UInt32(address.count)))
    }

    /// Sends the end of our stream after all that was sent (FIN).
    @inlinable
    package static func endStream(_ fd: Int32) -> Outcome { Outcome(remora_shutdown_write(fd)) }

    /// Bytes that were sent and that the peer has not acknowledged; a reset would throw away those under way.
    package static func unacknowledged(_ fd: Int32) -> Int { max(0, Outcome(remora_unacknowledged(fd)).count) }

    @inlinable
    package static func close(_ fd: Int32) { _ = remora_close(fd) }

    /// Closes; a TCP peer sees a reset, what was not delivered is gone.
    @inlinable
    package static func abort(_ fd: Int32) { _ = remora_abort(fd) }

    /// What became of a connect that was in progress; nil is success.
    package static func connectError(_ fd: Int32) -> SystemError? {
        let outcome = Outcome(remora_get_option(fd, SOL_SOCKET, SO_ERROR))
        return outcome.succeeded ? (outcome.value == 0 ? nil : SystemError(code: outcome.value)) : outcome.error
    }

    package static func localAddress(of fd: Int32) -> SocketAddress? {
        unsafe address { unsafe remora_local_address(fd, $0, $1) }
    }

    package static func peerAddress(of fd: Int32) -> SocketAddress? {
        unsafe address { unsafe remora_peer_address(fd, $0, $1) }
    }

    private static func address(_ call: (UnsafeMutableRawPointer?, UInt32) -> Int64) -> SocketAddress? {
        unsafe withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
            let length = unsafe call(buffer.baseAddress, UInt32(buffer.count))
            guard length > 0 else { return nil }
            return unsafe SocketAddress(
                kernelForm: UnsafeRawBufferPointer(rebasing: buffer.prefix(Int(length))))
        }
    }

    // MARK: Listening

    /// A socket bound to `address`; one of another process there, or of this one without `sharingPort`, is an error.
    /// - Parameter sharingPort: several sockets may be bound to the address (SO_REUSEPORT).
    package static func bind(_ address: SocketAddress, sharingPort: Bool) throws(SystemError) -> Int32 {
        let descriptor = try socket(family: address.family).get()
        do throws(SystemError) {
            if address.family != AF_UNIX {
                try setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
                if sharingPort { try setOption(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) }
            }
            if address.family == AF_INET6 {
                // An address means what it says: [::] is not 0.0.0.0 too.
                try setOption(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
            }
            let form = address.kernelForm
            try unsafe Outcome(remora_bind(descriptor, form, UInt32(form.count))).get()
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Lets sockets that are bound from now on share the address of a bound one.
    package static func sharePort(_ fd: Int32) throws(SystemError) {
        try setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)
    }

    /// Listens with as long a queue as the system allows (`net.core.somaxconn`).
    package static func listen(_ fd: Int32) throws(SystemError) {
        try Outcome(remora_listen(fd, Int32(UInt16.max))).get()
    }

    /// Refuses whoever connects to a listening TCP socket from now on, and resets those who wait to be accepted; other
    /// sockets that share the port are given its share.
    ///
    /// It stays bound, if it was bound to a port by number: shutdown gives back one that the kernel chose. The address
    /// is kept from others too, who could take it while nobody listens there if both allowed it (SO_REUSEADDR).
    package static func stopListening(_ fd: Int32) {
        _ = remora_shutdown_read(fd)
        _ = remora_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0)
    }

    /// Undoes ``stopListening(_:)``; one that fails has changed nothing, so the address is kept from others still.
    package static func listenAgain(_ fd: Int32) throws(SystemError) {
        // Without it, connections of before would be in the way.
        try setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        do throws(SystemError) {
            try listen(fd)
        } catch {
            _ = remora_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0)
            throw error
        }
    }

    /// Whether somebody accepts connections at a local address.
    package static func answers(_ address: SocketAddress) -> Bool {
        guard let probe = try? socket(family: address.family).get() else { return false }
        defer { close(probe) }
        let form = address.kernelForm
        let outcome = unsafe Outcome(remora_connect(probe, form, UInt32(form.count)))
        // A queue that is full has somebody behind it.
        return outcome.succeeded || outcome.wouldBlock
    }

    /// Makes a descriptor of another process's making fit for a poller.
    package static func adopt(_ fd: Int32) throws(SystemError) { try Outcome(remora_adopt(fd)).get() }

    // MARK: Options

    static func setOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ value: Int32) throws(SystemError) {
        try Outcome(remora_set_option(fd, level, name, value)).get()
    }

    /// Sends small segments at once (RFC 896's algorithm off). Accepted sockets inherit it.
    @discardableResult
    package static func disableNagle(_ fd: Int32) -> Outcome {
        Outcome(remora_set_option(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1))
    }

    /// Keeps the urgent byte in the stream instead of dropping it. Accepted sockets inherit it.
    package static func keepUrgentInline(_ fd: Int32) { _ = remora_set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1) }

    /// Notices a peer that has gone silent: asks for a sign of life after half of `timeout` without
    /// traffic, and fails the socket when bytes or probes have gone unanswered for all of it
    /// (TCP_USER_TIMEOUT, RFC 5482, which also ends keep-alive probing). Accepted sockets inherit it.
    package static func watchForSilentPeer(_ fd: Int32, timeout: Duration) {
        let seconds = Int32(clamping: max(1, timeout.components.seconds))
        _ = remora_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        _ = remora_set_option(fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, max(1, seconds / 2))
        _ = remora_set_option(fd, Int32(IPPROTO_TCP), TCP_KEEPINTVL, max(1, seconds / 4))
        _ = remora_set_option(fd, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Int32(clamping: Int64(seconds) * 1000))
    }

    /// Changes how long sent bytes or probes may go unanswered; nil leaves it to the system, which for ever
    /// keeps a peer that answers but has no room (RFC 1122 §4.2.2.17).
    package static func setSilentPeerTimeout(_ fd: Int32, _ timeout: Duration?) {
        let milliseconds = timeout.map { max(1, $0.wholeNanoseconds / 1_000_000) } ?? 0
        _ = remora_set_option(fd, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Int32(clamping: milliseconds))
    }

    /// Whether the socket is one of TCP: only there is a reset, and a short read proof that nothing is left.
    package static func isTCP(_ fd: Int32) -> Bool {
        let family = remora_get_option(fd, SOL_SOCKET, SO_DOMAIN)
        return family == Int64(AF_INET) || family == Int64(AF_INET6)
    }

    package static func isListening(_ fd: Int32) -> Bool { remora_get_option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 }

    // MARK: Time and limits

    package static func now() -> Instant { Instant(nanoseconds: remora_now()) }

    /// Writing to a peer that has gone is an error to handle, not the end of the process (SIGPIPE): splice(2) knows
    /// no flag to say so for one call.
    package static func ignoreBrokenPipes() { remora_ignore_signal(SIGPIPE) }

    /// A write beyond what a file may hold (RLIMIT_FSIZE) becomes an error (EFBIG) instead of the process's end.
    package static func ignoreFileSizeLimit() { remora_ignore_signal(SIGXFSZ) }

    /// Processors this process may run on.
    package static var processors: Int { Int(remora_processors()) }

    /// Names the calling thread for ps(1) and debuggers; what is beyond 15 bytes is cut off.
    package static func nameThread(_ name: String) { unsafe remora_name_thread(String(name.prefix(15))) }

    /// The number that the next descriptor would get; `Int32.max` where there is none left.
    package static func lowestFreeDescriptor() -> Int32 {
        let probe = Outcome(remora_eventfd())
        guard probe.succeeded else { return .max }
        close(probe.value)
        return probe.value
    }

    /// Raises the soft limit of open descriptors to the hard one; answers what it is now.
    package static func raiseDescriptorLimit() -> Int { Outcome(remora_raise_descriptor_limit()).count }
}
