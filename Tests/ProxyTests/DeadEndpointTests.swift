// Endpoints that cannot be reached cost a client time at most.

import Glibc
import Reactor
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Dead endpoints")
    struct DeadEndpointTests {
        @Test("An endpoint that refuses is passed over for another", arguments: BalancePolicy.allCases)
        func refused(policy: BalancePolicy) throws {
            let (dead, service) = (try ClosedPort(), try Service.naming("alive"))
            let remora = try Sidecar(to: [dead.address, service.address]) {
                $0.upstream.balance = policy
                $0.upstream.hash.key = .path
            }
            // A key each, so that policies that hash meet both.
            for number in 0..<100 {
                let client = try remora.connect()
                try client.send("GET /\(number) HTTP/1.1\r\n")
                #expect(try client.receiveText(exactly: 5) == "alive")
            }
            #expect(remora.settles())
            let (failed, served) = (remora.endpoints[0], remora.endpoints[1])
            // Every failed connect was followed by one elsewhere, and counted as placed too
            #expect(failed.failuresTotal > 0)
            #expect(failed.connectionsTotal == failed.failuresTotal)
            #expect(remora.upstream.retriesTotal == failed.failuresTotal)
            #expect(served.failuresTotal == 0 && served.connectionsTotal == 100)
            #expect(remora.listener.refusedTotal == 0)
        }

        @Test("Where everybody refuses, the client is closed at once and counted", arguments: Transport.kinds)
        func allRefused(transport: Transport) throws {
            let dead = try [ClosedPort(), ClosedPort()]
            let remora = try Sidecar(transport, to: dead.map(\.address))
            let client = try remora.connect()
            // A unix client sees an end, for want of a reset.
            #expect(client.awaitEnd() == (transport == .unix ? nil : .reset))
            #expect(remora.settles())
            #expect(remora.listener.connectionsTotal == 1)
            #expect(remora.listener.refusedTotal == 1)
            #expect(remora.listener.abortedTotal == 0)
            #expect(remora.endpoints.map(\.failuresTotal) == [1, 1])
            #expect(remora.upstream.retriesTotal == 1)
            #expect(remora.noticesReach([.connectFailed, .connectFailed, .noEndpoint]))
        }

        @Test("No more endpoints are tried than connect_attempts says", arguments: [1, 2, 3, 5])
        func attempts(limit: Int) throws {
            let dead = try (0..<5).map { _ in try ClosedPort() }
            let remora = try Sidecar(to: dead.map(\.address)) { $0.upstream.connectAttempts = limit }
            let client = try remora.connect()
            #expect(client.awaitEnd() == .reset)
            #expect(remora.settles())
            let failures = remora.endpoints.map(\.failuresTotal)
            #expect(failures.reduce(0, +) == UInt64(limit))
            #expect(failures.allSatisfy { $0 <= 1 })
            #expect(remora.upstream.retriesTotal == UInt64(limit - 1))
        }

        @Test("A worker that was held up does not take its own delay for an endpoint's")
        func heldUp() throws {
            let (endpoint, stall, timeout) = (try ManualEndpoint(), Flag(), Duration.milliseconds(50))
            let remora = try Sidecar(to: [endpoint.address]) {
                $0.startsAtOnce = false
                $0.upstream.connectTimeout = timeout
                // So that what there is to hear after the pause is more than one wait tells
                $0.limits.eventsPerTurn = 1
                $0.limits.writesToLocalEndpointsAtOnce = false
                $0.listener.maxConnections = 4
                $0.noticesArrived = {
                    guard !stall.isSet else { return }
                    stall.set()
                    let began = Kernel.now()
                    while Kernel.now() < began + timeout * 4 { usleep(1000) }
                }
            }
            // Given clients of whom one too many is turned away, at which the worker is held up, while the others'
            // connects are under way; the endpoint accepts at once
            let clients = try (0..<6).map { _ in try remora.connect() }
            try remora.start()
            let servers = try (0..<4).map { _ in try endpoint.accept() }
            for server in servers { try server.send("here") }
            #expect(clients.filter { (try? $0.receiveText(exactly: 4)) == "here" }.count == 4)
            #expect(stall.isSet)
            #expect(remora.endpoints[0].failuresTotal == 0)
            #expect(remora.noticesReach([.listenerFull, .listenerFull]))
        }

        @Test("A unix endpoint whose path is gone is passed over")
        func missingPath() throws {
            let (directory, service) = (TemporaryDirectory(), try Service.naming("alive"))
            let remora = try Sidecar(to: [directory.socket("nobody"), service.address]) {
                $0.upstream.balance = .roundRobin
            }
            for _ in 0..<4 {
                let client = try remora.connect()
                try client.send("anyone?")
                #expect(try client.receiveText(exactly: 5) == "alive")
            }
            #expect(remora.settles())
            let failures = remora.endpoints.map(\.failuresTotal)
            #expect(failures[0] > 0 && failures[1] == 0)
            #expect(remora.upstream.retriesTotal == failures[0])
        }

        @Test(
            "What a client said to a black hole is given to the next endpoint, once",
            arguments: [Transport.tcp4, .distant])
        func blackHole(transport: Transport) throws {
            let (hole, endpoint) = (try BlackHole(transport), try ManualEndpoint())
            let remora = try Sidecar(to: [hole.address, endpoint.address]) {
                $0.upstream.balance = .roundRobin
                $0.upstream.connectTimeout = .milliseconds(200)
            }
            // Of two connections in turn, one begins at the hole.
            for _ in 0..<2 {
                let client = try remora.connect()
                try client.send("held bytes", more: true)
                try client.endStream()
                let server = try endpoint.accept()
                #expect(try server.receiveTextToEnd() == "held bytes")
                try server.send("answer")
                server.close()
                #expect(try client.receiveTextToEnd() == "answer")
            }
            #expect(remora.settles())
            #expect(remora.endpoints.map(\.failuresTotal) == [1, 0])
            #expect(remora.upstream.retriesTotal == 1)
            #expect(remora.upstream.connectSeconds.count == 2)
        }

        @Test("Where everybody is a black hole, the client is closed after the time of all attempts")
        func allBlackHoles() throws {
            let holes = try [BlackHole(), BlackHole()]
            let remora = try Sidecar(to: holes.map(\.address)) { $0.upstream.connectTimeout = .milliseconds(150) }
            let began = ContinuousClock.now
            let client = try remora.connect()
            #expect(client.awaitEnd() == .reset)
            #expect(ContinuousClock.now - began >= .milliseconds(300))
            #expect(remora.settles())
            #expect(remora.endpoints.map(\.failuresTotal) == [1, 1])
            #expect(remora.listener.refusedTotal == 1)
        }

        @Test(
            "What a client sends while its endpoint is slow to accept arrives then, and its end too",
            arguments: [Transport.tcp4, .distant], [true, false])
        func slowConnect(transport: Transport, ends: Bool) throws {
            // Given an endpoint that drops the first SYN
            let hole = try BlackHole(transport)
            let remora = try Sidecar(to: [hole.address]) { $0.upstream.connectTimeout = .seconds(20) }
            let client = try remora.connect()
            try client.send("patience", more: ends)
            if ends { try client.endStream() }
            #expect(eventually { remora.endpoints[0].connections == 1 })
            // When it takes the second
            try hole.open()
            let server = try hole.accept()
            // Then the client's bytes are there, and the answer comes back
            #expect(try server.receiveText(exactly: 8) == "patience")
            if ends { #expect(try server.receiveToEnd() == []) }
            try server.send("answer")
            #expect(try client.receiveText(exactly: 6) == "answer")
            #expect(remora.endpoints[0].failuresTotal == 0)
        }

        @Test(
            "A client that says nothing hears an endpoint that is slow to accept",
            arguments: [Transport.tcp4, .distant])
        func slowGreeting(transport: Transport) throws {
            let hole = try BlackHole(transport)
            let remora = try Sidecar(to: [hole.address]) { $0.upstream.connectTimeout = .seconds(20) }
            let client = try remora.connect()
            #expect(eventually { remora.endpoints[0].connections == 1 })
            try hole.open()
            let server = try hole.accept()
            try server.send("greeting")
            #expect(try client.receiveText(exactly: 8) == "greeting")
        }
    }
}
