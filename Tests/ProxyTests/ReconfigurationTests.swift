// Listeners that come and go while their data plane runs.

import Reactor
import Routing
import Stats
import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Another config's listeners")
    struct ReconfigurationTests {
        private static func sockets(
            _ name: String, at address: SocketAddress = .ipv4(.loopback, port: 0), workers: Int
        ) throws -> ListenerSockets {
            try ListenerSockets(
                ListenerOptions(name: name, bind: address, upstream: "back"), workers: workers,
                silentPeerTimeout: .seconds(60))
        }

        private static func isServed(at address: SocketAddress) throws {
            let client = try Wire.connect(to: address)
            try client.send("hello")
            #expect(try client.receiveText(exactly: 5) == "hello")
        }

        @Test("A listener is opened beside one that stays, by every worker", arguments: Transport.allCases, [1, 3])
        func opened(transport: Transport, workers: Int) throws {
            let (service, directory) = (try Service.echo(), TemporaryDirectory())
            let remora = try Sidecar(to: [service.address]) { $0.workers = workers }
            let staying = try #require(remora.plane.listeners.first)
            let new = try Self.sockets(
                "new", at: transport.freshAddress(in: directory, "new"), workers: workers)
            #expect(try remora.configure([.stays(number: 0, staying.options), .opens(new)]))
            #expect(remora.plane.listeners.map(\.number) == [0, 1])
            for _ in 0..<20 {
                try Self.isServed(at: new.address)
                try Self.isServed(at: remora.address)
            }
            #expect(remora.plane.report().listeners.map(\.connectionsTotal) == [20, 20])
        }

        @Test(
            "A listener that closes takes in who has come, keeps them, and leaves no socket behind",
            arguments: Transport.allCases)
        func closed(transport: Transport) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(transport, to: [endpoint.address])
            let client = try remora.connect()
            let server = try endpoint.accept()
            #expect(try remora.configure([]))
            #expect(throws: (any Error).self) { try Wire.connect(to: remora.address) }
            try client.send("still")
            #expect(try server.receiveText(exactly: 5) == "still")
            #expect(remora.listener.state == .draining && remora.listener.connections == 1)
            client.close()
            server.close()
            #expect(eventually { remora.plane.report().listeners.isEmpty })
        }

        @Test("A number stays with a closed listener's connections, and comes to the next with all counts at zero")
        func reused() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address])
            let client = try remora.connect()
            let server = try endpoint.accept()
            // Given a listener whose door was closed before it was given up, with a connection left
            remora.plane.stopAccepting(listener: 0)
            #expect(eventually { remora.plane.isClosed(listener: 0) })
            #expect(try remora.configure([]))
            // When another comes, then it has another number
            #expect(try remora.configure([.opens(try Self.sockets("b", workers: 1))]))
            #expect(remora.plane.listeners.map(\.number) == [1])
            #expect(remora.plane.name(ofListener: 0) == "front")
            // And once nobody is left the number is the next one's, with an open door
            client.close()
            server.close()
            #expect(eventually { remora.plane.connections == 0 })
            let third = try Self.sockets("c", workers: 1)
            #expect(try remora.configure([.stays(number: 1, remora.plane.listeners[0].options), .opens(third)]))
            #expect(remora.plane.listeners.map(\.number) == [1, 0])
            #expect(remora.plane.accepts(listener: 0) && remora.plane.name(ofListener: 0) == "c")
            let report = try #require(remora.plane.report().listeners.last)
            #expect(report.name == "c" && report.connectionsTotal == 0 && report.state == .listening)
            let late = try Wire.connect(to: third.address)
            try endpoint.accept().send("hello")
            #expect(try late.receiveText(exactly: 5) == "hello")
            #expect(remora.plane.report().listeners.last?.connectionsTotal == 1)
            // And it obeys orders of its own
            remora.plane.stopAccepting(listener: 0)
            #expect(eventually { remora.plane.isClosed(listener: 0) })
        }

        @Test("There is room for as many as there are numbers, those counted that still have connections")
        func room() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.limits.listeners = 2 }
            let client = try remora.connect()
            let server = try endpoint.accept()
            #expect(remora.plane.roomForListeners() == 1)
            #expect(try remora.configure([]))
            #expect(remora.plane.roomForListeners() == 1)
            client.close()
            server.close()
            #expect(eventually { remora.plane.roomForListeners() == 2 })
        }

        @Test("A door that a drain closes takes in who waits, and opens again", arguments: [1, 2])
        func door(workers: Int) throws {
            let service = try Service.echo()
            let remora = try Sidecar(to: [service.address]) { setup in
                setup.workers = workers
                setup.startsAtOnce = false
            }
            // Given clients in the queue when the order comes
            let clients = try (0..<20).map { _ in try remora.connect() }
            remora.plane.closeDoor(listener: 0)
            try remora.start()
            #expect(eventually { remora.plane.isClosed(listener: 0) })
            for client in clients {
                try client.send("x")
                #expect(try client.receive(exactly: 1).count == 1)
            }
            #expect(throws: WireError.refused) { try remora.connect() }
            #expect(remora.listener.state == .draining)
            remora.plane.resumeAccepting(listener: 0)
            #expect(eventually { remora.plane.accepts(listener: 0) })
            try Self.isServed(at: remora.address)
        }
    }
}
