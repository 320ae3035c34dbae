// One connection to an admin port, made and used by a thread that may wait, with one deadline for all of it.

import Glibc
internal import Vocabulary

struct ClientStream: ~Copyable {
    private let address: SocketAddress
    private let descriptor: Int32
    private let timeout: Duration
    private let deadline: ContinuousClock.Instant

    /// Connects.
    /// - Parameter timeout: for connecting and all that follows; whatever is not done by then fails with `tooSlow`.
    static func connected(to address: SocketAddress, timeout: Duration) throws(AdminClient.Failure) -> ClientStream {
        guard let descriptor = SystemCalls.streamSocket(for: address) else {
            throw .unreachable(address, reason: SystemCalls.text(errno))
        }
        let stream = ClientStream(address: address, descriptor: descriptor, timeout: timeout, deadline: .now + timeout)
        try stream.connect()
        return stream
    }

    private func connect() throws(AdminClient.Failure) {
        var code = SystemCalls.connect(descriptor, to: address)
        if code == EINPROGRESS {
            try wait(for: POLLOUT)
            code = SystemCalls.pendingError(of: descriptor)
        }
        guard code == 0 else { throw .unreachable(address, reason: SystemCalls.text(code)) }
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws(AdminClient.Failure) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else {
                try handle(errno, waitingFor: POLLOUT)
            }
        }
    }

    /// Up to 64 KiB; empty at the end, which a reset is too.
    func receive() throws(AdminClient.Failure) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if count >= 0 { return Array(buffer.prefix(count)) }
            if errno == ECONNRESET { return [] }
            try handle(errno, waitingFor: POLLIN)
        }
    }

    private func handle(_ code: Int32, waitingFor events: Int32) throws(AdminClient.Failure) {
        switch code {
        case EAGAIN: try wait(for: events)
        case EINTR: return
        default: throw .notUnderstood(address, reason: SystemCalls.text(code))
        }
    }

    private func wait(for events: Int32) throws(AdminClient.Failure) {
        var watched = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            // Rounded up, so that the last millisecond is waited for and not spun through.
            let milliseconds = left.wholeNanoseconds / 1_000_000 + 1
            guard left > .zero else { throw .tooSlow(address, limit: timeout) }
            if unsafe poll(&watched, 1, Int32(clamping: milliseconds)) > 0 { return }
        }
    }
}
