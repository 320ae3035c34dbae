// A proxy with a server behind it, and a driver that lets a client and that server
// follow a schedule through it.
//
// One thread drives both ends without blocking, so a run is as deterministic as
// the kernel and the proxy's own thread allow, and a wait that never ends is found
// and named instead of hanging the test.

import Glibc
import Reactor
import Routing
import Synchronization
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

/// What a run through a proxy must not do.
struct RelayFault: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// How a peer's incoming stream came to its end.
enum StreamEnding: Hashable {
    case end
    case reset
    case other(SystemError)
}

/// What came out at both ends.
struct RelayOutcome: Hashable {
    /// Bytes received by the client and by the server; each has been compared with what was sent.
    var received = [0, 0]
    var sent = [0, 0]
    var endings: [StreamEnding?] = [nil, nil]
}

/// The bytes of both directions, at every position: random, so that no shift of them looks the same.
private let patterns: [[UInt8]] = ScheduleSide.allCases.map { side in
    var random = SeededRandom(seed: UInt64(side.rawValue) + 77)
    return unsafe Array(unsafeUninitializedCapacity: Schedule.mostBytes) { buffer, count in
        unsafe buffer.withMemoryRebound(to: UInt64.self) { words in
            for index in words.indices { unsafe words[index] = random.next() }
        }
        count = Schedule.mostBytes
    }
}

/// One data plane with one worker, one listener and one server; or two of them in a row that speak TLS with each other,
/// so that whoever talks plainly at both ends has TLS in between.
final class DifferentialRelay: Sendable {
    private static let number = Atomic<Int>(0)
    /// A wait as long as this is a hang.
    private static let patience: Int32 = 20_000

    /// The first.
    let plane: DataPlane
    /// Behind it, if they are two.
    private let far: DataPlane?
    private let server: Int32
    private let serverFile: String?

    /// - Parameters:
    ///   - throughTLS: they are two.
    ///   - limits: changed as the test wants them.
    init(_ kind: RelayKind, throughTLS: Bool = false, limits change: (inout ProxyLimits) -> Void = { _ in }) throws {
        // splice(2) has no way to be quiet about a peer that has gone.
        Kernel.ignoreBrokenPipes()
        let name = "/tmp/remora-relay-\(getpid())-\(Self.number.add(1, ordering: .relaxed).newValue)"
        let loopback = SocketAddress.ipv4(.loopback, port: 0)
        server = try Kernel.bind(kind.serverIsTCP ? loopback : .unix(path: name + "-server"), sharingPort: false)
        try Kernel.listen(server)
        serverFile = kind.serverIsTCP ? nil : name + "-server"
        var address = try #require(Kernel.localAddress(of: server))
        if kind == .tcpToDistantTCP, let port = address.port {
            // The kernel takes the unspecified address for loopback; the proxy does not.
            address = .ipv4(SocketAddress.IPv4(bits: 0), port: port)
        }
        var limits = ProxyLimits(descriptors: 512)
        change(&limits)
        let options = ListenerOptions(
            name: "in", bind: kind.clientIsTCP ? loopback : .unix(path: name + "-client"), upstream: "up")
        guard throughTLS else {
            (plane, far) = (try Self.plane(options, to: address, limits, .none), nil)
            return
        }
        let certificates = try Certificates.shared.get()
        let (front, back) = (try certificates.server(), try certificates.client())
        let far = try Self.plane(
            ListenerOptions(name: "in", bind: loopback, upstream: "up"), to: address, limits,
            TLSContexts(listeners: ["in": ListenerTLS(context: front)]))
        self.far = far
        plane = try Self.plane(
            options, to: far.listeners[0].address, limits, TLSContexts(upstreams: ["up": UpstreamTLS(context: back)]))
    }

    private static func plane(
        _ options: ListenerOptions, to address: SocketAddress, _ limits: ProxyLimits, _ tls: TLSContexts
    ) throws -> DataPlane {
        let cells = LoadCells(capacity: 16)
        var upstream = UpstreamOptions(name: "up", endpoints: [StaticEndpoint(address: address)])
        // Two handshakes' worth on a machine that has other things to do.
        upstream.connectTimeout = .seconds(20)
        let discovery = try Discovery(upstreams: [upstream], cells: cells, at: Kernel.now())
        let plane = try DataPlane(
            listeners: [ListenerSockets(options, workers: 1, silentPeerTimeout: .seconds(60))],
            upstreams: discovery.current, cells: cells, workers: 1, limits: limits, tls: tls, seed: 1,
            noticesArrived: {})
        try plane.start()
        return plane
    }

    deinit {
        plane.end()
        far?.end()
        Kernel.close(server)
        if let serverFile { unsafe unlink(serverFile) }
    }

    /// Lets both peers follow the schedule.
    func run(_ schedule: Schedule) throws -> RelayOutcome {
        try converse(socketBuffer: schedule.socketBuffer).follow(schedule)
    }

    /// A new connection through the proxy.
    func converse(socketBuffer: Int32? = nil) throws -> Conversation {
        let client = try connect(socketBuffer)
        do {
            return Conversation(client: client, server: try accept(socketBuffer))
        } catch {
            Kernel.close(client)
            throw error
        }
    }

    /// Returns once the proxy holds bytes that the server's socket does not take.
    func waitUntilBlocked() throws {
        let deadline = Kernel.now() + .milliseconds(Int64(Self.patience))
        var looks = 0
        // A worker that adds to two counters is between them for a moment; a blocked one stays blocked.
        while looks < 20 {
            looks = bytesInside > 0 ? looks + 1 : 0
            sched_yield()
            if Kernel.now() > deadline { throw RelayFault("the proxy never holds anything") }
        }
    }

    /// What has been received from clients and not been sent to the server yet.
    private var bytesInside: Int {
        let report = plane.report()
        let sent = report.upstreams.flatMap(\.endpoints).reduce(0) { $0 + $1.sentBytesTotal }
        return Int(report.listeners.reduce(0) { $0 + $1.receivedBytesTotal } &- sent)
    }

    private func connect(_ socketBuffer: Int32?) throws -> Int32 {
        let address = plane.listeners[0].address
        let client = try Kernel.socket(family: address.family).get()
        prepare(client, socketBuffer)
        let form = address.kernelForm
        let outcome = unsafe form.withUnsafeBytes { unsafe Kernel.connect(client, to: $0) }
        guard outcome.succeeded || outcome.error == .inProgress else {
            Kernel.close(client)
            throw RelayFault("the proxy cannot be connected to: \(outcome.error, default: "")")
        }
        return client
    }

    private func accept(_ socketBuffer: Int32?) throws -> Int32 {
        var waiting = pollfd(fd: server, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&waiting, 1, Self.patience) == 1 else { throw RelayFault("nobody connects to the server") }
        let accepted = try Kernel.accept(server).get()
        prepare(accepted, socketBuffer)
        return accepted
    }

    private func prepare(_ socket: Int32, _ socketBuffer: Int32?) {
        if Kernel.isTCP(socket) { Kernel.disableNagle(socket) }
        guard var size = socketBuffer else { return }
        for option in [SO_SNDBUF, SO_RCVBUF] {
            unsafe setsockopt(socket, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// Both ends of one connection through the proxy.
    @safe
    final class Conversation {
        private struct Peer {
            var descriptor: Int32
            var isOpen = true
            /// Bytes that are to be written, and those that have been.
            var queued = 0
            var written = 0
            /// The byte after those is to be sent as an urgent one.
            var wantsUrgent = false
            var wantsEnd = false
            var hasEnded = false
            var received = 0
            /// How much is to be received before the schedule goes on.
            var goal = 0
            var ending: StreamEnding?

            var wantsToWrite: Bool { isOpen && (written < queued || wantsUrgent || (wantsEnd && !hasEnded)) }
            var wantsToRead: Bool { isOpen && ending == nil && received < goal }
        }

        private var peers: [Peer]
        private let buffer: UnsafeMutableRawBufferPointer

        init(client: Int32, server: Int32) {
            peers = [Peer(descriptor: client), Peer(descriptor: server)]
            unsafe buffer = .allocate(byteCount: 1 << 18, alignment: 64)
        }

        deinit {
            for peer in peers where peer.isOpen { Kernel.close(peer.descriptor) }
            unsafe buffer.deallocate()
        }

        func follow(_ schedule: Schedule) throws -> RelayOutcome {
            for step in schedule.steps { try perform(step) }
            // Whoever is left reads until the stream ends.
            for side in ScheduleSide.allCases { self[side].goal = .max }
            try exchange { $0.peers.allSatisfy { !$0.isOpen || ($0.ending != nil && !$0.wantsToWrite) } }
            return RelayOutcome(
                received: peers.map(\.received), sent: peers.map(\.written), endings: peers.map(\.ending))
        }

        func perform(_ step: Schedule.Step) throws {
            switch step {
            case .write(let side, let count):
                self[side].queued += count
                _ = try write(side)
            case .urgent(let side):
                // It stands where it stands: all before it has to be out.
                self[side.other].goal = .max
                self[side].wantsUrgent = true
                try exchange { !$0[side].wantsUrgent }
                self[side.other].goal = self[side.other].received
            case .read(let side, let count):
                let sent = self[side.other].queued
                self[side].goal = count < sent - self[side].received ? self[side].received + count : sent
                try exchange { !$0[side].wantsToRead }
                self[side].goal = self[side].received
            case .halfClose(let side):
                self[side].wantsEnd = true
                _ = try write(side)
            case .abort(let side):
                Kernel.abort(self[side].descriptor)
                self[side].isOpen = false
                // A write would learn of the reset, and a read could no longer.
                self[side.other].queued = self[side.other].written
                self[side.other].wantsEnd = self[side.other].hasEnded
            }
        }

        /// Returns once all that `side` was to write has left it.
        func waitUntilWritten(by side: ScheduleSide) throws { try exchange { !$0[side].wantsToWrite } }

        private subscript(side: ScheduleSide) -> Peer {
            get { peers[side.rawValue] }
            set { peers[side.rawValue] = newValue }
        }

        /// Writes and reads what the peers want until `isDone`.
        private func exchange(until isDone: (Conversation) -> Bool) throws {
            while !isDone(self) {
                var hasMoved = false
                for side in ScheduleSide.allCases {
                    if try write(side) { hasMoved = true }
                    if try read(side) { hasMoved = true }
                }
                if !hasMoved, !isDone(self) { try wait() }
            }
        }

        private func wait() throws {
            var waiting = peers.map { peer in
                pollfd(
                    fd: peer.isOpen && (peer.wantsToRead || peer.wantsToWrite) ? peer.descriptor : -1,
                    events: Int16((peer.wantsToRead ? POLLIN : 0) | (peer.wantsToWrite ? POLLOUT : 0)), revents: 0)
            }
            guard unsafe poll(&waiting, nfds_t(waiting.count), DifferentialRelay.patience) > 0 else {
                throw RelayFault(
                    "hangs: sent \(peers.map(\.written)), received \(peers.map(\.received)) as client and server, "
                        + "waiting for \(peers.map(\.goal)); endings \(peers.map(\.ending))")
            }
        }

        private func write(_ side: ScheduleSide) throws -> Bool {
            var hasMoved = false
            while self[side].isOpen, self[side].written < self[side].queued {
                let range = self[side].written..<self[side].queued
                let outcome = unsafe patterns[side.rawValue].withUnsafeBytes {
                    unsafe Kernel.send(
                        self[side].descriptor, UnsafeRawBufferPointer(rebasing: $0[range]), more: false)
                }
                if outcome.wouldBlock { return hasMoved }
                guard outcome.count > 0 else { throw RelayFault("\(side) cannot write: \(outcome.error, default: "")") }
                self[side].written += outcome.count
                hasMoved = true
            }
            if self[side].isOpen, self[side].wantsUrgent {
                guard try writeUrgent(side) else { return hasMoved }
                hasMoved = true
            }
            if self[side].isOpen, self[side].wantsEnd, !self[side].hasEnded {
                let outcome = Kernel.endStream(self[side].descriptor)
                guard outcome.succeeded else { throw RelayFault("\(side) cannot end: \(outcome.error, default: "")") }
                self[side].hasEnded = true
                hasMoved = true
            }
            return hasMoved
        }

        private func writeUrgent(_ side: ScheduleSide) throws -> Bool {
            var byte = patterns[side.rawValue][self[side].written]
            guard unsafe send(self[side].descriptor, &byte, 1, Int32(MSG_OOB)) == 1 else {
                guard errno == EAGAIN else { throw RelayFault("\(side) cannot send an urgent byte: errno \(errno)") }
                return false
            }
            self[side].wantsUrgent = false
            self[side].queued += 1
            self[side].written += 1
            return true
        }

        private func read(_ side: ScheduleSide) throws -> Bool {
            guard self[side].wantsToRead else { return false }
            let position = self[side].received
            let room = unsafe min(buffer.count, self[side].goal - position)
            let outcome = unsafe Kernel.receive(
                self[side].descriptor, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<room]))
            if outcome.wouldBlock { return false }
            guard outcome.count > 0 else {
                switch outcome.error {
                case nil: self[side].ending = .end
                case SystemError(code: ECONNRESET)?: self[side].ending = .reset
                case let error?: self[side].ending = .other(error)
                }
                return true
            }
            let source = patterns[side.other.rawValue]
            guard position + outcome.count <= self[side.other].written else {
                throw RelayFault("\(side) received more than was sent")
            }
            let isExact = unsafe source.withUnsafeBytes { pattern in
                guard let expected = pattern.baseAddress, let actual = unsafe buffer.baseAddress else {
                    return false
                }
                return unsafe memcmp(expected + position, actual, outcome.count) == 0
            }
            guard isExact else { throw RelayFault("\(side) received other bytes after position \(position)") }
            self[side].received += outcome.count
            return true
        }
    }
}
