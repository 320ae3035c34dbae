// The one connection of one check.
//
//     tcp     connecting ───────────────────────► parting
//     http    connecting ─► asking ─► listening ─► parting
//                                          (the verdict falls at the arrow into parting, or where it fails)
//
// Parting is for the instance's log: to close over bytes that are still coming resets the connection, which servers log
// as an error of the client, once per interval for ever. So a TCP check ends its stream (FIN) and an HTTP check, which has
// asked for the connection to be closed, waits for the other side's end; what comes until then is thrown away, within
// a bound and the check's time. The road of HAProxy, to reset before the instance's accept(2), leaves no TIME_WAIT, and
// entries in logs; one TIME_WAIT per check is 30 at a pace of 2 s.

import Reactor
import Vocabulary

/// Owned by a checker; its descriptor is closed when it is let go.
final class CheckConnection {
    /// Of a status line; far more than any reason phrase takes.
    static let longestStatusLine = 4_096
    /// What is thrown away of an answer's rest, before the connection is closed over it.
    static let mostDiscarded = 64 << 10

    enum Stage: Equatable {
        case connecting
        case asking
        case listening
        /// The verdict is known.
        case parting
        /// There is nothing left to do with the connection.
        case over
    }

    let descriptor: Int32
    private let address: SocketAddress
    private let probe: HealthCheckOptions.Probe
    /// When it is given up.
    var deadline: Instant
    private(set) var stage = Stage.connecting
    private let request: [UInt8]
    private var sent = 0
    private var received: [UInt8] = []
    private var discarded = 0

    /// - Parameter descriptor: of a socket that is connecting.
    init(
        _ probe: HealthCheckOptions.Probe, at address: SocketAddress, on descriptor: Int32, until deadline: Instant
    ) {
        self.descriptor = descriptor
        self.address = address
        self.probe = probe
        self.deadline = deadline
        request = probe.request(to: address)
    }

    deinit { Kernel.close(descriptor) }

    /// What has become of the beginning of a connection.
    enum Opening {
        case connecting(CheckConnection)
        case over(CheckResult)
    }

    /// Begins to connect.
    static func open(
        _ probe: HealthCheckOptions.Probe, at address: SocketAddress, until deadline: Instant
    ) -> Opening {
        let socket = Kernel.socket(family: address.family)
        guard socket.succeeded else { return .over(.inconclusive) }
        let connection = CheckConnection(probe, at: address, on: socket.value, until: deadline)
        let form = address.kernelForm
        let outcome = unsafe form.withUnsafeBytes { unsafe Kernel.connect(socket.value, to: $0) }
        if let error = outcome.error, error != .inProgress { return .over(connection.refusal(error)) }
        return .connecting(connection)
    }

    /// What is waited for.
    var interest: Readiness {
        switch stage {
        case .connecting, .asking: .writable
        case .listening, .parting: .readable
        case .over: []
        }
    }

    /// Goes on after an event, as far as that leads; reads once.
    /// - Parameter buffer: where bytes land.
    /// - Returns: the verdict, once.
    func advance(_ buffer: inout [UInt8]) -> CheckResult? {
        switch stage {
        case .connecting:
            if let error = Kernel.connectError(descriptor) { return end(refusal(error)) }
            guard !isConnectedToItself else { return end(.failed("connect to \(address) refused")) }
            switch probe {
            case .tcp:
                _ = Kernel.endStream(descriptor)
                stage = .parting
                return .passed
            case .http:
                stage = .asking
                return ask()
            }
        case .asking: return ask()
        case .listening: return listen(&buffer)
        case .parting:
            discard(&buffer)
            return nil
        case .over: return nil
        }
    }

    /// What it comes to when its time is over; nil where the verdict is known.
    /// - Parameter timeout: that has passed.
    func expire(after timeout: Duration) -> CheckResult? {
        switch stage {
        case .connecting: end(.failed("no connection to \(address) in \(timeout.inWords)"))
        case .asking, .listening: end(.failed("\(probe.text) got no answer in \(timeout.inWords)"))
        case .parting, .over: nil
        }
    }

    // MARK: Stages

    private func ask() -> CheckResult? {
        let outcome = unsafe request.withUnsafeBytes {
            unsafe Kernel.send(descriptor, UnsafeRawBufferPointer(rebasing: $0.dropFirst(sent)), more: false)
        }
        if let error = outcome.error {
            return outcome.wouldBlock ? nil : end(.failed("\(probe.text) could not be sent: \(error)"))
        }
        sent += outcome.count
        if sent == request.count { stage = .listening }
        return nil
    }

    private func listen(_ buffer: inout [UInt8]) -> CheckResult? {
        let outcome = read(&buffer, atMost: CheckConnection.longestStatusLine - received.count)
        if let error = outcome.error {
            return outcome.wouldBlock ? nil : end(.failed("\(probe.text) got no answer: \(error)"))
        }
        if outcome.count == 0 {
            return end(
                .failed("\(probe.text) got \(received.isEmpty ? "no answer" : "half a status line"), and the end"))
        }
        received.append(contentsOf: buffer.prefix(outcome.count))
        switch StatusLine(received.span) {
        case .incomplete:
            guard received.count == CheckConnection.longestStatusLine else { return nil }
            return end(.failed("\(probe.text) got a status line of more than \(received.count) bytes"))
        case .refused:
            return end(.failed("\(probe.text) got something else than an answer in HTTP/1"))
        case .status(let status):
            stage = .parting
            return (200...299).contains(status) ? .passed : .failed("\(probe.text) answered \(status)")
        }
    }

    private func discard(_ buffer: inout [UInt8]) {
        let outcome = read(&buffer, atMost: buffer.count)
        guard !outcome.wouldBlock else { return }
        discarded += max(0, outcome.count)
        if outcome.count <= 0 || discarded >= CheckConnection.mostDiscarded { stage = .over }
    }

    private func read(_ buffer: inout [UInt8], atMost count: Int) -> Outcome {
        unsafe buffer.withUnsafeMutableBytes {
            unsafe Kernel.receive(descriptor, into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(count)))
        }
    }

    private func end(_ result: CheckResult) -> CheckResult {
        stage = .over
        return result
    }

    // MARK: Connecting

    /// On loopback, a port that nobody listens to may be the very one that the kernel has chosen for us, and two
    /// ends of one socket connect to each other (RFC 9293 §3.5): about one check in 28,000 would pass.
    private var isConnectedToItself: Bool {
        guard address.port != nil, let local = Kernel.localAddress(of: descriptor) else { return false }
        return Kernel.peerAddress(of: descriptor) == local
    }

    private func refusal(_ error: SystemError) -> CheckResult {
        if error.isExhaustion || error == .addressNotAvailable { return .inconclusive }
        if error == .connectionRefused { return .failed("connect to \(address) refused") }
        // A unix socket's, where TCP would let us wait.
        if error == .wouldBlock { return .failed("connect to \(address) refused: its queue is full") }
        return .failed("connect to \(address) failed: \(error)")
    }
}

// MARK: - In words

extension HealthCheckOptions.Probe {
    /// What was asked, as the subject of a sentence.
    fileprivate var text: String {
        switch self {
        case .tcp: "connect"
        case .http(let path): "GET \(path)"
        }
    }

    /// The bytes of the question.
    fileprivate func request(to address: SocketAddress) -> [UInt8] {
        guard case .http(let path) = self else { return [] }
        let host = address.port == nil ? "localhost" : "\(address)"
        return Array(
            """
            GET \(path) HTTP/1.1\r
            Host: \(host)\r
            User-Agent: remora-health-check\r
            Accept: */*\r
            Connection: close\r
            \r

            """.utf8)
    }
}
