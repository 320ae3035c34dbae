// What is counted is what happened; and what is replaced meanwhile harms nobody.

import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Reports")
    struct ReportTests {
        @Test("Bytes, totals and gauges are exactly what was done", arguments: Route.all, [1, 2])
        func exact(route: Route, workers: Int) throws {
            let endpoint = try ManualEndpoint(route.endpoint)
            let remora = try Sidecar(route.client, to: [endpoint.address]) { $0.workers = workers }
            var open: [(client: Wire, server: Wire)] = []
            for number in 1...5 {
                let client = try remora.connect()
                let server = try endpoint.accept()
                try client.send([UInt8](repeating: 1, count: 100 * number))
                #expect(try server.receive(exactly: 100 * number).count == 100 * number)
                try server.send([UInt8](repeating: 2, count: 7 * number))
                #expect(try client.receive(exactly: 7 * number).count == 7 * number)
                open.append((client, server))
            }
            // Given five connections, of which two end well and one is aborted
            for ending in open.prefix(2) {
                ending.client.close()
                #expect(try ending.server.receiveToEnd() == [])
                ending.server.close()
            }
            #expect(eventually { remora.listener.connections == 3 })
            remora.plane.drain()
            #expect(eventually { remora.plane.drainStage == .finishing(connections: 3) })
            // Then the report says just that
            let (listener, upstream) = (remora.listener, remora.upstream)
            #expect(listener.name == "front" && listener.upstream == "back")
            #expect(listener.address == "\(remora.address)")
            #expect(listener.connectionsTotal == 5)
            #expect(listener.refusedTotal == 0 && listener.abortedTotal == 0)
            #expect(listener.receivedBytesTotal == 1500 && listener.sentBytesTotal == 105)
            #expect(upstream.name == "back" && upstream.balance == "p2c" && upstream.load == "local")
            #expect(upstream.retriesTotal == 0)
            #expect(upstream.connectSeconds.count == 5)
            #expect(upstream.firstByteSeconds.count == 5)
            #expect(upstream.lifetimeSeconds.count == 2)
            let report = upstream.endpoints[0]
            #expect(report.address == "\(endpoint.address)" && report.state == "fit" && report.weight == 100)
            #expect(report.connections == 3 && report.connectionsTotal == 5)
            #expect(report.outstanding == 0 && report.failuresTotal == 0)
            #expect(report.sentBytesTotal == 1500 && report.receivedBytesTotal == 105)
            remora.end()
            #expect(remora.listener.abortedTotal == 3)
            #expect(remora.listener.connections == 0)
            #expect(remora.endpoints[0].connections == 0)
            #expect(remora.upstream.lifetimeSeconds.count == 5)
        }

        @Test(
            "The ring's checksum is the same whatever order endpoints were named in, and another with other endpoints",
            arguments: [BalancePolicy.ringHash, .maglev])
        func ringChecksum(policy: BalancePolicy) throws {
            let addresses = (1...5).map { SocketAddress.ipv4(.loopback, port: $0) }
            func checksum(_ addresses: [SocketAddress], _ policy: BalancePolicy) throws -> String? {
                try Sidecar(to: addresses) { $0.upstream.balance = policy }.upstream.ringChecksum
            }
            let first = try #require(try checksum(addresses, policy))
            #expect(first.count == 16 && first.allSatisfy(\.isHexDigit))
            #expect(try checksum(addresses.reversed(), policy) == first)
            #expect(try checksum(addresses.dropLast(), policy) != first)
            #expect(try checksum(addresses, .p2c) == nil)
        }

        @Test("Times are what the endpoint took")
        func times() throws {
            let path = try Path()
            try path.client.send("question")
            #expect(try path.server.receive(exactly: 8).count == 8)
            let asked = ContinuousClock.now
            #expect(eventually { ContinuousClock.now - asked > .milliseconds(50) })
            try path.server.send("answer")
            #expect(try path.client.receive(exactly: 6).count == 6)
            #expect(eventually { path.remora.upstream.firstByteSeconds.count == 1 })
            #expect(path.remora.upstream.firstByteSeconds.max >= 0.05)
            path.client.close()
            path.server.close()
            #expect(eventually { path.remora.upstream.lifetimeSeconds.count == 1 })
            #expect(path.remora.upstream.lifetimeSeconds.max >= path.remora.upstream.firstByteSeconds.max)
        }
    }

    @Suite("Replacement")
    struct ReplacementTests {
        @Test("An endpoint that is taken out keeps its connections and gets no new ones", arguments: [1, 2])
        func replaced(workers: Int) throws {
            let (old, new) = (try ManualEndpoint(), try ManualEndpoint())
            let remora = try Sidecar(to: [old.address]) { $0.workers = workers }
            let client = try remora.connect()
            let server = try old.accept()
            try client.send("question")
            #expect(try server.receiveText(exactly: 8) == "question")
            // When the endpoint is replaced, again and again
            for _ in 0..<10 {
                try remora.replaceEndpoints(with: [old.address, new.address])
                try remora.replaceEndpoints(with: [new.address])
            }
            #expect(remora.endpoints.map(\.address) == ["\(new.address)"])
            // Then new connections go elsewhere, once the workers have seen it
            var callers: [Wire] = []
            #expect(
                try eventually {
                    callers.append(try remora.connect())
                    return eventually(within: .milliseconds(100)) { new.hasCaller }
                })
            while old.hasCaller { _ = try old.accept() }
            for _ in 0..<20 {
                callers.append(try remora.connect())
                try new.accept().close()
            }
            #expect(!old.hasCaller)
            // And the old connection goes on to its end
            try server.send("answer")
            #expect(try client.receiveText(exactly: 6) == "answer")
            var sent = SeededStream(seed: 16)
            let reader = Background { () -> StreamVerdict in
                var expected = SeededStream(seed: 16)
                return try client.verify(&expected)
            }
            try server.send(4 << 20, of: &sent)
            server.close()
            #expect(try reader.value() == .intact(bytes: 4 << 20))
        }

        @Test("An upstream without endpoints refuses, until it has one again")
        func emptied() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [])
            #expect(try remora.connect().awaitEnd() == .reset)
            #expect(eventually { remora.listener.refusedTotal == 1 })
            try remora.replaceEndpoints(with: [endpoint.address])
            #expect(
                try eventually {
                    let client = try remora.connect()
                    return eventually(within: .milliseconds(100)) { endpoint.hasCaller } && client.descriptor >= 0
                })
        }
    }
}
