// A tiny HTTP server in the test's own process: the instance of a service, that can fall ill and go away.

import Dispatch
import Foundation
import Glibc
import Reactor
import Synchronization
import Testing
import Vocabulary

/// Answers every request with its name; `/healthz` as it is told. One request a connection.
final class Instance: Sendable {
    let name: String
    let address: SocketAddress
    /// How long each request takes; they are served one after the other.
    private let service: Duration
    private let descriptor: Int32
    private let isWell = Atomic(true)
    private let isOver = Atomic(false)
    private let answered = Atomic(0)
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - address: where it listens; by default where the kernel likes.
    ///   - service: how long each request takes.
    init(
        _ name: String, at address: SocketAddress = .ipv4(.loopback, port: 0), service: Duration = .zero
    ) throws {
        self.name = name
        self.service = service
        descriptor = try Kernel.bind(address, sharingPort: false)
        try Kernel.listen(descriptor)
        self.address = try #require(Kernel.localAddress(of: descriptor))
        let thread = Thread { [self] in serve() }
        thread.stackSize = 1 << 18
        thread.start()
    }

    /// Requests answered so far, those for its health apart.
    var requests: Int { answered.load(ordering: .relaxed) }

    /// From now on checks fail, or pass.
    func feel(well: Bool) { isWell.store(well, ordering: .relaxed) }

    /// Goes away: its port refuses connections from then on.
    func end() {
        guard !isOver.exchange(true, ordering: .relaxed) else { return }
        shutdown(descriptor, Int32(SHUT_RDWR))
        ended.wait()
        Kernel.close(descriptor)
    }

    private func serve() {
        defer { ended.signal() }
        while !isOver.load(ordering: .relaxed) {
            guard Wait.until(descriptor, isReady: .toRead, deadline: Kernel.now() + .milliseconds(200)) else {
                continue
            }
            let accepted = Kernel.accept(descriptor)
            guard accepted.succeeded else { continue }
            answer(accepted.value)
            Kernel.close(accepted.value)
        }
    }

    private func answer(_ client: Int32) {
        var request: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !String(decoding: request, as: UTF8.self).contains("\r\n\r\n") {
            guard Wait.until(client, isReady: .toRead, deadline: Kernel.now() + .seconds(2)) else { return }
            let count = unsafe read(client, &buffer, buffer.count)
            guard count > 0 else { return }
            request += buffer.prefix(count)
        }
        if service > .zero { usleep(UInt32(service / .microseconds(1))) }
        let isCheck = request.starts(with: Array("GET /healthz ".utf8))
        let status = isCheck && !isWell.load(ordering: .relaxed) ? "503 Service Unavailable" : "200 OK"
        let text = "HTTP/1.1 \(status)\r\nContent-Length: \(name.utf8.count)\r\nConnection: close\r\n\r\n\(name)"
        _ = unsafe Glibc.send(client, text, text.utf8.count, Int32(MSG_NOSIGNAL))
        if !isCheck { answered.add(1, ordering: .relaxed) }
    }
}

/// One request through a listener; who answered, or nil where nobody did.
func request(through listener: SocketAddress) -> String? {
    guard let peer = try? Peer(to: listener) else { return nil }
    defer { peer.close() }
    guard (try? peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) != nil, let answer = try? peer.receiveAll(),
        answer.hasPrefix("HTTP/1.1 200 OK\r\n")
    else { return nil }
    return answer.split(separator: "\r\n\r\n", maxSplits: 1).dropFirst().first.map(String.init)
}
