// Leaving without losing anybody.

import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Drain")
    struct DrainTests {
        @Test(
            "While it drains, nobody new is taken, and a running transfer completes",
            arguments: [Transport.tcp4, .tcp6, .unix], [1, 2])
        func busy(transport: Transport, workers: Int) throws {
            // Given a transfer that runs
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(transport, to: [endpoint.address]) { $0.workers = workers }
            #expect(remora.plane.drainStage == .serving)
            let client = try remora.connect()
            let server = try endpoint.accept()
            var sent = SeededStream(seed: 14)
            let reader = Background { () -> (StreamVerdict, SeededStream) in
                var expected = SeededStream(seed: 14)
                return (try client.verify(&expected, limit: 4 << 20), expected)
            }
            try server.send(4 << 20, of: &sent)
            let (verdict, rest) = try reader.value()
            #expect(verdict == .intact(bytes: 4 << 20))
            // When remora drains
            remora.plane.drain()
            #expect(eventually { remora.plane.drainStage == .finishing(connections: 1) })
            #expect(remora.listener.state == .draining)
            // Then clients are turned away
            #expect(throws: transport == .unix ? WireError.noSuchFile : .refused) { try remora.connect() }
            // And the transfer goes on to its end
            let last = Background { [rest] () -> StreamVerdict in
                var expected = rest
                return try client.verify(&expected)
            }
            try server.send(16 << 20, of: &sent)
            server.close()
            #expect(try last.value() == .intact(bytes: sent.offset))
            client.close()
            #expect(eventually { remora.plane.drainStage == .done })
            #expect(remora.listener.abortedTotal == 0)
            remora.end()
            #expect(remora.plane.drainStage == .done)
        }

        @Test("An idle data plane has drained at once", arguments: [1, 2])
        func idle(workers: Int) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.workers = workers }
            remora.plane.drain()
            #expect(eventually { remora.plane.drainStage == .done })
        }

        @Test(
            "Whoever waits in a listener's queue when the drain begins is served", arguments: [Transport.tcp4, .unix])
        func queued(transport: Transport) throws {
            // Given clients that call as fast as they can
            let service = try Service.echo()
            for _ in 0..<20 {
                let remora = try Sidecar(transport, to: [service.address])
                let clients = try (0..<50).map { _ in try remora.connect() }
                // When the drain begins with some of them still in the queue
                remora.plane.drain()
                // Then each of them is served
                for client in clients {
                    try client.send("here")
                    try client.endStream()
                }
                for client in clients { #expect(try client.receiveTextToEnd() == "here") }
                #expect(eventually { remora.plane.drainStage == .done })
                #expect(remora.listener.connectionsTotal == 50)
            }
        }

        @Test("Ending aborts what is left, on both sides", arguments: Route.resettable)
        func end(route: Route) throws {
            let path = try Path(route)
            try path.server.send("x")
            #expect(try path.client.receiveText(exactly: 1) == "x")
            path.remora.plane.drain()
            #expect(eventually { path.remora.plane.drainStage == .finishing(connections: 1) })
            path.remora.end()
            #expect(path.client.awaitEnd() == .reset)
            #expect(path.server.awaitEnd() == .reset)
            #expect(path.remora.plane.connections == 0)
            #expect(path.remora.listener.abortedTotal == 1)
        }

        @Test("Ending does not wait for a stream that is held up, nor for a client that has said nothing yet")
        func endWhileBlocked() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address])
            let client = try remora.connect()
            let server = try endpoint.accept()
            server.setPatience(.milliseconds(100))
            var stream = SeededStream(seed: 15)
            try server.sendUntilBlocked(from: &stream)
            let silent = try remora.connect()
            let listening = try endpoint.accept()
            remora.end()
            #expect(client.awaitEnd() == .reset)
            #expect(silent.awaitEnd() == .reset)
            #expect(listening.awaitEnd() == .reset)
            #expect(remora.plane.connections == 0)
        }
    }
}
