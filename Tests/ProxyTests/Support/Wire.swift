// One end of a stream as a client or a server of the old school holds it: a
// blocking socket, on which every call ends within a time.
//
// Blocking, because a test then reads as the conversation that it is about; and
// bounded, because a byte that never comes must fail a test and not hang it.

import Glibc
import Reactor
import Synchronization
import Vocabulary

/// What a socket call answered instead of what was asked.
struct WireError: Error, Equatable, CustomStringConvertible {
    let code: Int32

    /// The peer has aborted the stream.
    static let reset = WireError(code: ECONNRESET)
    static let refused = WireError(code: ECONNREFUSED)
    static let noSuchFile = WireError(code: ENOENT)
    static let brokenPipe = WireError(code: EPIPE)
    /// Nothing happened within the socket's time.
    static let timedOut = WireError(code: EAGAIN)

    var description: String { "\(SystemError(code: code))" }
}

final class Wire: Sendable {
    /// How long a call may take; far more than anything here should.
    static let patience = Duration.seconds(20)

    let descriptor: Int32
    private let isOpen = Atomic<Bool>(true)

    init(descriptor: Int32, patience: Duration = Wire.patience) {
        self.descriptor = descriptor
        setPatience(patience)
    }

    deinit { close() }

    /// - Parameter receiveBuffer: bytes that the kernel holds unread, about; nil leaves it to the kernel.
    static func connect(to address: SocketAddress, receiveBuffer: Int32? = nil) throws -> Wire {
        let wire = Wire(descriptor: try newSocket(address.family))
        if let receiveBuffer { wire.setOption(SO_RCVBUF, receiveBuffer) }
        try wire.connect(to: address)
        return wire
    }

    private func connect(to address: SocketAddress) throws {
        let form = address.kernelForm
        try unsafe form.withUnsafeBytes { bytes in
            let raw = unsafe bytes.assumingMemoryBound(to: sockaddr.self)
            guard unsafe Glibc.connect(descriptor, raw.baseAddress, socklen_t(bytes.count)) == 0 else {
                throw WireError(code: errno)
            }
        }
    }

    static func newSocket(_ family: Int32) throws -> Int32 {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw WireError(code: errno) }
        return descriptor
    }

    var localAddress: SocketAddress? { Kernel.localAddress(of: descriptor) }
    var peerAddress: SocketAddress? { Kernel.peerAddress(of: descriptor) }

    // MARK: Sending

    /// - Parameter more: what follows, be it the end, may travel in the same segment.
    func send(_ bytes: [UInt8], more: Bool = false) throws {
        try unsafe bytes.withUnsafeBytes { try unsafe send($0, flags: more ? Int32(MSG_MORE) : 0) }
    }

    func send(_ text: String, more: Bool = false) throws { try send(Array(text.utf8), more: more) }

    func send(_ bytes: UnsafeRawBufferPointer, flags: Int32 = 0) throws {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count = unsafe Glibc.send(descriptor, rest.baseAddress, rest.count, flags | Int32(MSG_NOSIGNAL))
            guard count > 0 else { throw WireError(code: errno) }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        }
    }

    /// Sends as much as is taken before nothing more is for the socket's time.
    func sendUntilBlocked(from stream: inout SeededStream) throws {
        do {
            while true {
                try unsafe stream.withNext(64 << 10) { bytes in
                    let count = unsafe Glibc.send(
                        descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                    guard count > 0 else { throw WireError(code: errno) }
                    return count
                }
            }
        } catch let error as WireError where error == .timedOut {}
    }

    /// Sends one byte as urgent (MSG_OOB).
    func sendUrgent(_ byte: UInt8) throws {
        try unsafe [byte].withUnsafeBytes { try unsafe send($0, flags: Int32(MSG_OOB)) }
    }

    // MARK: Receiving

    /// The next bytes; none at the stream's end.
    func receive(atMost count: Int = 64 << 10) throws -> [UInt8] {
        try unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            unsafe filled = try receive(into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    /// - Returns: 0 at the stream's end.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
        guard count >= 0 else { throw WireError(code: errno) }
        return count
    }

    /// As many bytes; fewer where the stream ends before.
    func receive(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try receive(atMost: count - bytes.count)
            if more.isEmpty { break }
            bytes += more
        }
        return bytes
    }

    func receiveToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let more = try receive()
            if more.isEmpty { return bytes }
            bytes += more
        }
    }

    func receiveText(exactly count: Int) throws -> String {
        String(decoding: try receive(exactly: count), as: UTF8.self)
    }

    func receiveTextToEnd() throws -> String { String(decoding: try receiveToEnd(), as: UTF8.self) }

    /// What ended the stream, whatever came before: nil is a clean end.
    func awaitEnd() -> WireError? {
        do {
            while try !receive().isEmpty {}
            return nil
        } catch {
            return error as? WireError
        }
    }

    // MARK: Ending

    /// FIN: says that nothing more follows, and goes on listening.
    func endStream() throws {
        guard shutdown(descriptor, Int32(SHUT_WR)) == 0 else { throw WireError(code: errno) }
    }

    /// RST, where there is such a thing.
    func abort() { if takeOpen() { Kernel.abort(descriptor) } }

    func close() { if takeOpen() { Kernel.close(descriptor) } }

    private func takeOpen() -> Bool { isOpen.exchange(false, ordering: .acquiringAndReleasing) }

    // MARK: Options

    /// How long a call may take from now on.
    func setPatience(_ patience: Duration) {
        let (seconds, attoseconds) = patience.components
        var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    func setOption(_ option: Int32, _ value: Int32) {
        var value = value
        unsafe setsockopt(descriptor, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
