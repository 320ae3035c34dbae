// What clients of the admin port cost the data plane, in one process, whatever they do.

import Foundation
import Reactor
import Synchronization
import Testing
import Vocabulary

@Suite("The admin port beside the data plane", .serialized)
struct AdminPaceTests {
    /// How long requests are counted at a time, with and without a crowd.
    private static let window = Duration.milliseconds(400)
    private static let rounds = 4

    @Test("Connections keep their pace while the admin port is hammered, and /live and /ready answer")
    func pace() throws {
        // Given reports that are large, for an upstream with many endpoints
        let (instance, directory) = (try Instance("only"), try TestDirectory())
        defer { instance.end() }
        let many = (1...400).map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", ")
        let file = try directory.write(
            """
            upstreams:
              - {name: out, endpoints: ["\(instance.address)"]}
              - {name: wide, endpoints: [\(many)]}
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: out}]
            admin: {bind: "127.0.0.1:0"}
            """)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let ready = try remora.ready()
            // When requests are counted, by turns alone and beside a crowd, so that a machine that has other things to
            // do has them in both
            var (quiet, crowded, scrapes) = (0, 0, 0)
            for _ in 0..<Self.rounds {
                quiet += try answers(through: ready.listener)
                let crowd = try Crowd(at: ready.admin)
                defer { scrapes += crowd.leave() }
                crowded += try answers(through: ready.listener)
                #expect(try get("/live", from: ready.admin) == (200, "live\n"))
                #expect(try get("/ready", from: ready.admin) == (200, "ready\n"))
            }
            // Then every one was answered, and the crowd took a part of the processor and no more
            #expect(scrapes >= Self.rounds)
            #expect(crowded * 4 >= quiet, "\(crowded) beside a crowd, \(quiet) without, \(scrapes) scrapes")
        }
    }

    /// Requests in one window, one after another; each must be answered.
    private func answers(through listener: SocketAddress) throws -> Int {
        var count = 0
        let end = Kernel.now() + Self.window
        while Kernel.now() < end {
            try #require(request(through: listener) == "only")
            count += 1
        }
        return count
    }
}

/// Clients of an admin port at its worst: some scrape without a pause, more than may connect never end their requests,
/// others ask for report upon report and read none.
private struct Crowd {
    /// Those that wait, or let wait.
    private let idle: [Peer]
    private let scrapers: Scrapers

    init(at admin: SocketAddress) throws {
        let unfinished = "GET /stats HTTP/1.1\r\nHost: loc"
        let many = String(repeating: "GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 200)
        let events = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
        idle = try (Array(repeating: unfinished, count: 80) + [many, many, many, many, events, events]).map { text in
            let peer = try Peer(to: admin)
            // Whoever has to give way may be gone by now.
            try? peer.send(text)
            return peer
        }
        scrapers = Scrapers(of: admin)
    }

    /// Ends all of them.
    /// - Returns: how many scrapes were answered.
    func leave() -> Int {
        for peer in idle { peer.close() }
        return scrapers.stop()
    }
}

private final class Scrapers: Sendable {
    private static let paths = ["/metrics", "/stats", "/metrics", "/stats"]
    private let isOver = Atomic(false)
    private let answered = Atomic(0)
    private let ended = DispatchSemaphore(value: 0)

    init(of admin: SocketAddress) {
        for path in Self.paths {
            let thread = Thread { [self] in
                while !isOver.load(ordering: .relaxed) {
                    if Self.scrape(path, of: admin) { answered.add(1, ordering: .relaxed) }
                }
                ended.signal()
            }
            thread.stackSize = 1 << 18
            thread.start()
        }
    }

    func stop() -> Int {
        isOver.store(true, ordering: .relaxed)
        for _ in Self.paths { ended.wait() }
        return answered.load(ordering: .relaxed)
    }

    /// - Returns: whether it was answered; it may be told that too many ask.
    private static func scrape(_ path: String, of admin: SocketAddress) -> Bool {
        guard let peer = try? Peer(to: admin) else { return false }
        defer { peer.close() }
        let request = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        guard (try? peer.send(request)) != nil, let answer = try? peer.receiveAll() else { return false }
        return answer.hasPrefix("HTTP/1.1 200 ")
    }
}
