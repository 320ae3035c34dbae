// Limits on connections, and what counts as outstanding.

import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Limits")
    struct LimitTests {
        @Test("A listener takes max_connections and refuses the next, until one ends", arguments: [1, 2])
        func listenerLimit(workers: Int) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) {
                $0.listener.maxConnections = 2
                $0.workers = workers
            }
            let clients = try (0..<2).map { _ in try remora.connect() }
            let servers = try (0..<2).map { _ in try endpoint.accept() }
            // One too many is reset, and never reaches the endpoint
            #expect(try remora.connect().awaitEnd() == .reset)
            #expect(eventually { remora.listener.refusedTotal == 1 })
            #expect(remora.listener.connections == 2)
            #expect(remora.listener.connectionsTotal == 3)
            #expect(remora.noticesReach([.listenerFull]))
            // The two go on
            try clients[0].send("on")
            try clients[1].send("on")
            var heard: [String] = []
            for server in servers { heard.append(try server.receiveText(exactly: 2)) }
            #expect(heard == ["on", "on"])
            // And where one has ended, another is taken
            clients[0].close()
            servers.forEach { _ = try? $0.endStream() }
            #expect(eventually { remora.listener.connections < 2 })
            let next = try remora.connect()
            try endpoint.accept().send("welcome")
            #expect(try next.receiveText(exactly: 7) == "welcome")
        }

        @Test("A full endpoint is passed over, and where all are full the client is refused")
        func endpointLimit() throws {
            let endpoints = try [ManualEndpoint(), ManualEndpoint()]
            let remora = try Sidecar(to: endpoints.map(\.address)) { $0.upstream.maxConnections = 1 }
            var paths: [(client: Wire, server: Wire)] = []
            for _ in 0..<2 {
                let client = try remora.connect()
                #expect(eventually { endpoints.contains { $0.hasCaller } })
                let called = endpoints.filter(\.hasCaller)
                #expect(called.count == 1)
                for endpoint in called { paths.append((client, try endpoint.accept())) }
            }
            #expect(remora.endpoints.map(\.connections) == [1, 1])
            #expect(try remora.connect().awaitEnd() == .reset)
            #expect(eventually { remora.listener.refusedTotal == 1 })
            #expect(remora.endpoints.map(\.failuresTotal) == [0, 0])
            // Once one has a place again, it is used
            paths[0].client.close()
            paths[0].server.close()
            #expect(eventually { remora.endpoints.contains { $0.connections == 0 } })
            let client = try remora.connect()
            #expect(eventually { endpoints.contains { $0.hasCaller } })
            client.close()
        }

        @Test("An endpoint with max_outstanding gets no more until it has answered")
        func outstandingLimit() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.upstream.maxOutstanding = 1 }
            // Given a connection that waits for its answer
            let waiting = try remora.connect()
            let server = try endpoint.accept()
            try waiting.send("question")
            #expect(try server.receiveText(exactly: 8) == "question")
            #expect(try remora.connect().awaitEnd() == .reset)
            // When the answer has come, the endpoint is open to the next
            try server.send("answer")
            #expect(try waiting.receiveText(exactly: 6) == "answer")
            let next = try remora.connect()
            try endpoint.accept().send("hello")
            #expect(try next.receiveText(exactly: 5) == "hello")
            #expect(remora.listener.refusedTotal == 1)
        }

        @Test("A connection that is silent for idle_timeout is aborted on both sides")
        func idle() throws {
            let path = try Path { $0.listener.idleTimeout = .milliseconds(300) }
            let began = ContinuousClock.now
            try path.client.send("x")
            #expect(try path.server.receiveText(exactly: 1) == "x")
            #expect(path.client.awaitEnd() == .reset)
            #expect(ContinuousClock.now - began >= .milliseconds(300))
            #expect(path.server.awaitEnd() == .reset)
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 1)
        }

        @Test("Bytes in one direction alone keep a connection from being idle", arguments: [true, false])
        func notIdle(fromClient: Bool) throws {
            let path = try Path { $0.listener.idleTimeout = .seconds(1) }
            let (source, sink) = fromClient ? (path.client, path.server) : (path.server, path.client)
            // Given a byte now and then for longer than the time-out
            let end = ContinuousClock.now + .milliseconds(2200)
            while ContinuousClock.now < end {
                try source.send("x")
                #expect(try sink.receive(exactly: 1).count == 1)
            }
            #expect(path.remora.listener.connections == 1)
            #expect(path.remora.listener.abortedTotal == 0)
        }

        @Test(
            "A connection waits from its placement to the endpoint's first byte, and from each question to its answer")
        func outstanding() throws {
            let path = try Path { $0.upstream.connectTimeout = .seconds(20) }
            func waits() -> Int { path.remora.endpoints[0].outstanding }
            #expect(waits() == 1)
            try path.client.send("question")
            #expect(try path.server.receive(exactly: 8).count == 8)
            #expect(waits() == 1)
            try path.server.send("answer")
            #expect(try path.client.receive(exactly: 6).count == 6)
            #expect(eventually { waits() == 0 })
            for _ in 0..<3 {
                try path.client.send("again")
                #expect(try path.server.receive(exactly: 5).count == 5)
                #expect(eventually { waits() == 1 })
                try path.server.send("here")
                #expect(try path.client.receive(exactly: 4).count == 4)
                #expect(eventually { waits() == 0 })
            }
            #expect(path.remora.endpoints[0].connections == 1)
        }

        @Test("A connection that is silent for a second waits no longer, until the client speaks")
        func silence() throws {
            let path = try Path()
            func waits() -> Int { path.remora.endpoints[0].outstanding }
            // Given a connection on which nobody has spoken
            let began = ContinuousClock.now
            #expect(waits() == 1)
            #expect(eventually { waits() == 0 })
            // It counted for a second, less what passed between its beginning and ours
            #expect(ContinuousClock.now - began >= .milliseconds(800))
            // When the client asks, and nobody answers
            let asked = ContinuousClock.now
            try path.client.send("question")
            #expect(try path.server.receive(exactly: 8).count == 8)
            #expect(eventually { waits() == 1 })
            #expect(eventually { waits() == 0 })
            #expect(ContinuousClock.now - asked >= .seconds(1))
            // Then its answer changes nothing, and the next question counts
            try path.server.send("late answer")
            #expect(try path.client.receive(exactly: 11).count == 11)
            #expect(waits() == 0)
            try path.client.send("more")
            #expect(eventually { waits() == 1 })
        }

        @Test("A connection on its way to a silent endpoint waits, however long it takes")
        func connectingWaits() throws {
            let hole = try BlackHole()
            let remora = try Sidecar(to: [hole.address]) { $0.upstream.connectTimeout = .milliseconds(2500) }
            let began = ContinuousClock.now
            let client = try remora.connect()
            #expect(eventually { remora.endpoints[0].outstanding == 1 })
            #expect(eventually { remora.endpoints[0].outstanding == 0 })
            #expect(ContinuousClock.now - began >= .milliseconds(2500))
            #expect(client.awaitEnd() == .reset)
        }
    }
}
