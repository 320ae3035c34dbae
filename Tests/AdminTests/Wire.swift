// A client that knows nothing of the code under test: blocking sockets on a thread of its own,
// so that it neither borrows FlyingFox's reading nor holds up the thread pool that the server runs on.

import Dispatch
import Glibc
import Synchronization

@testable import Admin
import Stats
import Vocabulary

/// One blocking connection to an address; gives up after ten seconds.
final class Wire: Sendable {
    struct Failure: Error, Equatable { var errno: Int32 }

    let descriptor: Int32
    private let isOpen = Atomic(true)

    init(to address: Vocabulary.SocketAddress) throws {
        descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(errno: errno) }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        let code = SystemCalls.connect(descriptor, to: address)
        guard code == 0 else {
            close()
            throw Failure(errno: code)
        }
    }

    deinit { close() }

    func close() {
        if isOpen.exchange(false, ordering: .relaxed) { Glibc.close(descriptor) }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(errno: errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Up to 64 KiB; empty at the end.
    func receive() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw Failure(errno: errno) }
        return Array(buffer.prefix(count))
    }

    /// Waits until the other side has closed, whatever there still is to read. For unix sockets.
    func waitUntilClosed() throws {
        // POLLHUP is reported unasked, and alone.
        var watched = pollfd(fd: descriptor, events: 0, revents: 0)
        guard unsafe poll(&watched, 1, 10_000) == 1 else { throw Failure(errno: ETIMEDOUT) }
    }

    /// Everything until the other side closes.
    func receiveAll() throws -> String {
        var all: [UInt8] = []
        while case let more = try receive(), !more.isEmpty { all += more }
        return String(decoding: all, as: UTF8.self)
    }

    /// What comes until it ends in `end`, or holds it.
    func receive(until end: String) throws -> String {
        var text = ""
        while !text.contains(end) {
            let more = try receive()
            guard !more.isEmpty else { throw Failure(errno: ECONNRESET) }
            text += String(decoding: more, as: UTF8.self)
        }
        return text
    }

    /// One answer with a Content-Length on a connection that is kept.
    func receiveAnswer() throws -> Answer {
        var all: [UInt8] = []
        while true {
            if let answer = Answer(String(decoding: all, as: UTF8.self)), answer.isComplete { return answer }
            let more = try receive()
            guard !more.isEmpty else { throw Failure(errno: ECONNRESET) }
            all += more
        }
    }
}

/// An HTTP answer, taken apart by splitting at line ends.
struct Answer: Sendable {
    var status: Int
    /// Names in lower case.
    var fields: [String: String] = [:]
    var body: String

    init?(_ text: String) {
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        guard let first = lines.first, let code = first.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else {
            return nil
        }
        status = code
        body = String(text[end.upperBound...])
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            fields[line[..<colon].lowercased()] = String(line[line.index(colon, offsetBy: 2)...])
        }
    }

    var isComplete: Bool { body.utf8.count == fields["content-length"].flatMap { Int($0) } ?? 0 }
}

/// Runs blocking work on a thread of its own.
func onOwnThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue(label: "wire").async { continuation.resume(with: Result(catching: work)) }
    }
}

// MARK: - What the tests serve

extension StatsReport {
    static let example: StatsReport = {
        var listener = ListenerReport(
            name: "ingest-out", address: "127.0.0.1:15001", upstream: "ingest", state: .listening)
        listener.connections = 3
        listener.connectionsTotal = 120
        listener.abortedTotal = 1
        listener.receivedBytesTotal = 1_572_864
        listener.sentBytesTotal = 512
        var fit = EndpointReport(
            address: "10.0.0.1:9000", member: nil, zone: nil, state: "fit", reason: "named by the config", weight: 100)
        fit.outstanding = 2
        fit.connections = 3
        fit.connectionsTotal = 119
        var ejected = EndpointReport(
            address: "unix:/run/a.sock", member: "edge-017", zone: "pacific", state: "ejected",
            reason: "its connection was refused 2 s ago", weight: 50)
        ejected.failuresTotal = 4
        var upstream = UpstreamReport(name: "ingest", balance: "p2c", load: "local", endpoints: [fit, ejected])
        upstream.retriesTotal = 1
        upstream.connectSeconds.count = 119
        upstream.connectSeconds.p50 = 0.000_23
        upstream.connectSeconds.p90 = 0.0012
        upstream.connectSeconds.p99 = 0.25
        upstream.connectSeconds.p999 = 1.5
        upstream.connectSeconds.max = 75
        return StatsReport(
            node: "edge-001", version: "0.1.0", uptimeSeconds: 11_520, listeners: [listener], upstreams: [upstream])
    }()
}

extension MembersReport {
    static let example = MembersReport(members: [
        MemberReport(
            name: "edge-001", address: "10.0.0.1:7946", state: "alive", incarnation: 3,
            tags: ["zone": "pacific", "camelCase": "x y"], zone: "pacific", sinceSeconds: 61.5, remora: true),
        MemberReport(
            name: "queue-1", address: "10.0.0.2:7946", state: "dead", incarnation: 1, tags: [:], zone: nil,
            sinceSeconds: 0.25, remora: false, reason: "edge-001 declared it dead."),
    ])
}

extension AdminSource {
    /// Ready and alive, with the example's numbers.
    static func example(
        stats: @escaping @Sendable () -> StatsReport = { .example }, ready: Bool = true, live: Bool = true
    ) -> AdminSource {
        AdminSource(
            stats: stats,
            readiness: { (ready, ready ? "every listener is bound" : "listener a is not bound") },
            liveness: { (live, live ? "the workers turn" : "worker 1 is stuck") })
    }
}

extension Vocabulary.SocketAddress {
    static let anyLoopbackPort = Vocabulary.SocketAddress.ipv4(.loopback, port: 0)
}

/// Starts a server, and stops it whatever `body` does.
func withServer<Value: Sendable>(
    bind: Vocabulary.SocketAddress = .anyLoopbackPort, token: String? = nil, source: AdminSource = .example(),
    limits: AdminLimits = .standard, _ body: (Vocabulary.SocketAddress) async throws -> Value
) async throws -> Value {
    try await withServer(AdminServer(bind: bind, token: token, source: source, limits: limits), body)
}

func withServer<Value: Sendable>(
    _ server: AdminServer, _ body: (Vocabulary.SocketAddress) async throws -> Value
) async throws -> Value {
    let address = try await server.start()
    do {
        let value = try await body(address)
        await server.stop()
        return value
    } catch {
        await server.stop()
        throw error
    }
}

/// One request on a connection of its own, and its answer.
func ask(
    _ address: Vocabulary.SocketAddress, _ line: String = "GET /live", host: String? = "localhost",
    _ fields: [String] = []
) async throws -> Answer {
    let lines = ["\(line) HTTP/1.1"] + (host.map { ["Host: \($0)"] } ?? []) + fields + ["Connection: close", "", ""]
    let text = try await onOwnThread {
        let wire = try Wire(to: address)
        try wire.send(lines.joined(separator: "\r\n"))
        return try wire.receiveAll()
    }
    guard let answer = Answer(text) else { throw Wire.Failure(errno: EPROTO) }
    return answer
}
