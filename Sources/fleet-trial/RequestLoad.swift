// A load of requests that does not wait for answers: what is due is sent, however slow the others are.
//
// Half of the truth about a fleet's failures is told by those who connect anew for each request, the other half by those
// who keep their connections: both are here, and every request has a number, under which its instance writes it down.
// One thread with poll(2): a few hundred requests a second, of which a few are under way. Not taken: a known load
// generator, which says how many have failed, not which.

import Glibc
import Reactor
import Synchronization
import Vocabulary

/// What became of one request.
struct RequestRecord: Equatable, Sendable {
    enum Outcome: Equatable, Sendable {
        /// - Parameter by: the instance's name.
        case answered(by: String)
        case failed(String)
    }

    let id: Int
    /// Whom it was for, by number.
    let service: Int
    /// Sent on a connection that had carried others.
    let isOnKeptConnection: Bool
    let begun: Instant
    let ended: Instant
    let outcome: Outcome

    var latency: Duration { ended - begun }
}

final class RequestLoad: Sendable {
    struct Target: Sendable {
        let service: Int
        let address: SocketAddress
    }

    struct Rate: Sendable {
        /// Requests with a connection of their own, of all targets together.
        var perSecond = 150
        /// Connections that are kept, for each target.
        var kept = 2
        /// Between two requests on a kept connection, and how many it carries: it is closed before a drain's end.
        var pause = Duration.milliseconds(100)
        var requestsOnKept = 20
        /// Without an answer for so long a request has failed.
        var patience = Duration.seconds(20)
    }

    /// Requests under way at once; one that is due then has failed, as the load would not be what it says.
    private static let mostUnderWay = 1500

    private struct Client {
        enum Phase {
            case connecting, receiving
            /// A kept connection between two requests.
            case resting(until: Instant)
        }

        let target: Target
        let descriptor: Int32
        var phase = Phase.connecting
        var id: Int
        var begun: Instant
        var received: [UInt8] = []
        /// Requests that the connection carries yet, this one included.
        var left: Int
        let isKept: Bool
        var isReused = false
    }

    private struct State {
        var records: [RequestRecord] = []
        var thread: KernelThread?
        var isEnding = false
        var isOver = false
    }

    private let targets: [Target]
    private let rate: Rate
    private let firstID: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - targets: asked in turn.
    ///   - firstID: of the first request; the others are counted up from it.
    init(_ targets: [Target], rate: Rate, firstID: Int) {
        self.targets = targets
        self.rate = rate
        self.firstID = firstID
        let thread = KernelThread.start(name: "load") { [self] in run() }
        state.withLock { $0.thread = thread }
    }

    /// All that have ended.
    var records: [RequestRecord] { state.withLock { $0.records } }

    /// Sends nothing new, and waits for what is under way.
    func end() async throws -> [RequestRecord] {
        state.withLock { $0.isEnding = true }
        while !state.withLock({ $0.isOver }) { try await Task.sleep(for: .milliseconds(20)) }
        let thread = state.withLock { state in
            defer { state.thread = nil }
            return state.thread
        }
        thread?.join()
        return records
    }

    /// As ``end()``, where nobody wants to know.
    func abandon() { state.withLock { $0.isEnding = true } }

    // MARK: The thread

    private func run() {
        var clients: [Client] = []
        var nextID = firstID
        let start = Kernel.now()
        var sent = 0
        while true {
            let now = Kernel.now()
            let isEnding = state.withLock { $0.isEnding }
            if !isEnding {
                let due = Int((now - start).inSeconds * Double(rate.perSecond))
                while sent < due {
                    begin(targets[sent % targets.count], kept: false, id: &nextID, at: now, &clients)
                    sent += 1
                }
                for target in targets {
                    let have = clients.count { $0.isKept && $0.target.address == target.address }
                    for _ in have..<max(have, rate.kept) { begin(target, kept: true, id: &nextID, at: now, &clients) }
                }
            }
            var polled = clients.map { client in
                let events: Int32 = if case .connecting = client.phase { POLLOUT } else { POLLIN }
                return pollfd(fd: client.descriptor, events: Int16(events), revents: 0)
            }
            _ = unsafe poll(&polled, nfds_t(polled.count), 2)
            let after = Kernel.now()
            var ended: [RequestRecord] = []
            var going: [Client] = []
            for (index, var client) in clients.enumerated() {
                if advance(&client, polled[index].revents != 0, isEnding, id: &nextID, at: after, &ended) {
                    going.append(client)
                } else {
                    Kernel.close(client.descriptor)
                }
            }
            clients = going
            let isOver = isEnding && clients.isEmpty
            state.withLock { state in
                state.records += ended
                state.isOver = isOver
            }
            if isOver { return }
        }
    }

    private func begin(_ target: Target, kept: Bool, id: inout Int, at now: Instant, _ clients: inout [Client]) {
        defer { id += 1 }
        func fail(_ why: String) {
            let record = RequestRecord(
                id: id, service: target.service, isOnKeptConnection: false, begun: now, ended: now,
                outcome: .failed(why))
            state.withLock { $0.records.append(record) }
        }
        guard clients.count < Self.mostUnderWay else { return fail("\(Self.mostUnderWay) are under way") }
        let outcome = Kernel.socket(family: target.address.family)
        guard outcome.succeeded else { return fail("no socket") }
        let connect = unsafe target.address.kernelForm.withUnsafeBytes {
            unsafe Kernel.connect(outcome.value, to: $0)
        }
        guard connect.succeeded || connect.error == .inProgress else {
            Kernel.close(outcome.value)
            return fail("connect: \(connect.error.map(String.init(describing:)) ?? "failed")")
        }
        _ = Kernel.disableNagle(outcome.value)
        clients.append(
            Client(
                target: target, descriptor: outcome.value, id: id, begun: now, left: kept ? rate.requestsOnKept : 1,
                isKept: kept))
    }

    /// - Returns: false where the connection is over.
    private func advance(
        _ client: inout Client, _ isReady: Bool, _ isEnding: Bool, id: inout Int, at now: Instant,
        _ ended: inout [RequestRecord]
    ) -> Bool {
        func record(_ outcome: RequestRecord.Outcome) {
            ended.append(
                RequestRecord(
                    id: client.id, service: client.target.service, isOnKeptConnection: client.isReused,
                    begun: client.begun, ended: now, outcome: outcome))
        }
        func fail(_ why: String) -> Bool {
            record(.failed(why))
            return false
        }
        switch client.phase {
        case .resting(let until):
            // Closed between two requests: nothing is lost, and a client that keeps connections opens another.
            guard !isReady, !isEnding else { return false }
            guard now >= until else { return true }
            client.id = id
            id += 1
            client.begun = now
            client.isReused = true
            return send(&client) || fail("send: \(SystemError(code: errno))")
        case .connecting:
            if isReady {
                if let error = Kernel.connectError(client.descriptor) { return fail("connect: \(error)") }
                return send(&client) || fail("send: \(SystemError(code: errno))")
            }
        case .receiving:
            if isReady {
                var buffer = [UInt8](repeating: 0, count: 1024)
                let count = unsafe recv(client.descriptor, &buffer, buffer.count, 0)
                if count < 0, errno == EAGAIN || errno == EINTR { return true }
                guard count > 0 else {
                    return fail(count == 0 ? "closed without an answer" : "receive: \(SystemError(code: errno))")
                }
                client.received += buffer.prefix(count)
                guard let name = Self.name(in: client.received) else { return true }
                record(.answered(by: name))
                client.received = []
                client.left -= 1
                client.phase = .resting(until: now + rate.pause)
                return client.left > 0
            }
        }
        return now - client.begun < rate.patience || fail("no answer in \(rate.patience)")
    }

    private func send(_ client: inout Client) -> Bool {
        let close = client.left == 1 ? "Connection: close\r\n" : ""
        let request = Array("GET /\(client.id) HTTP/1.1\r\nHost: trial\r\n\(close)\r\n".utf8)
        client.phase = .receiving
        return unsafe Glibc.send(client.descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
    }

    /// The instance's name, when the whole answer is there: its body is one line.
    private static func name(in answer: [UInt8]) -> String? {
        let text = String(decoding: answer, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n"), text.hasPrefix("HTTP/1.1 200 ") else { return nil }
        let body = text[end.upperBound...]
        guard body.last?.isNewline == true else { return nil }
        return String(body.dropLast())
    }
}
