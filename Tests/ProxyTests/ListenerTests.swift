// Addresses: who may listen where, and what is left behind.

import Glibc
import Reactor
import Routing
import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Listeners")
    struct ListenerTests {
        private static func options(_ address: SocketAddress) -> ListenerOptions {
            ListenerOptions(name: "front", bind: address, upstream: "back")
        }

        private static func sockets(_ address: SocketAddress, workers: Int = 1) throws(BindError) -> ListenerSockets {
            try ListenerSockets(options(address), workers: workers, silentPeerTimeout: .seconds(60))
        }

        @Test("A second data plane on an address is refused, however many workers share it", arguments: [1, 2])
        func addressInUse(workers: Int) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.workers = workers }
            let error = #expect(throws: BindError.self) { _ = try Self.sockets(remora.address, workers: workers) }
            #expect(error?.cause == .addressInUse)
            // The first is none the worse for it
            let client = try remora.connect()
            try endpoint.accept().send("hello")
            #expect(try client.receiveText(exactly: 5) == "hello")
        }

        @Test("Of several that want an address at the same moment, exactly one gets it")
        func race() throws {
            for _ in 0..<100 {
                let free = try ClosedPort().address
                let start = Flag()
                let rivals = (0..<3).map { _ in
                    Background { () -> ListenerSockets? in
                        while !start.isSet {}
                        return try? Self.sockets(free, workers: 2)
                    }
                }
                start.set()
                let winners = try rivals.compactMap { try $0.value() }
                #expect(winners.count == 1)
                for winner in winners { winner.descriptors.forEach(Kernel.close) }
            }
        }

        @Test("An address is free again as soon as its data plane has ended")
        func addressFreed() throws {
            let service = try Service.echo()
            let first = try Sidecar(to: [service.address])
            let client = try first.connect()
            try client.send("x")
            #expect(try client.receive(exactly: 1).count == 1)
            first.end()
            let second = try Sidecar(to: [service.address]) { $0.listener.bind = first.address }
            #expect(second.address == first.address)
            #expect(try second.connect().peerAddress == first.address)
        }

        @Test("A unix path that nobody answers on is taken over")
        func stalePath() throws {
            let (directory, endpoint) = (TemporaryDirectory(), try ManualEndpoint())
            let path = directory.socket("listener")
            // Given a socket's file that its process has left behind
            try Wire.listening(on: path, backlog: 1).close()
            let remora = try Sidecar(to: [endpoint.address]) { $0.listener.bind = path }
            let client = try remora.connect()
            try endpoint.accept().send("hello")
            #expect(try client.receiveText(exactly: 5) == "hello")
            // And when the data plane ends, it leaves none itself
            remora.end()
            #expect(throws: WireError.noSuchFile) { try Wire.connect(to: path) }
        }

        @Test("A unix path that somebody answers on is refused, and stays theirs")
        func livePath() throws {
            let (directory, service) = (TemporaryDirectory(), try Service.echo())
            let path = directory.socket("listener")
            let remora = try Sidecar(to: [service.address]) { $0.listener.bind = path }
            let error = #expect(throws: BindError.self) { _ = try Self.sockets(path) }
            #expect(error?.cause == .addressInUse)
            let client = try remora.connect()
            try client.send("hello")
            #expect(try client.receiveText(exactly: 5) == "hello")
        }

        @Test("A unix path at which there is no socket is left alone")
        func ordinaryFile() throws {
            let directory = TemporaryDirectory()
            let path = directory.path + "/file"
            Kernel.close(unsafe creat(path, 0o600))
            let error = #expect(throws: BindError.self) { _ = try Self.sockets(.unix(path: path)) }
            #expect(error?.cause == .addressInUse)
            #expect(unsafe access(path, F_OK) == 0)
        }

        @Test("A unix path that another process has taken over meanwhile is not removed")
        func pathOfAnother() throws {
            let (directory, endpoint) = (TemporaryDirectory(), try ManualEndpoint())
            let path = directory.socket("listener")
            let remora = try Sidecar(to: [endpoint.address]) { $0.listener.bind = path }
            unsafe unlink("\(directory.path)/listener")
            let successor = try Wire.listening(on: path, backlog: 1)
            remora.end()
            let client = try Wire.connect(to: path)
            try successor.accept().send("hello")
            #expect(try client.receiveText(exactly: 5) == "hello")
        }

        @Test("One that is told to end, or to drain, before its workers have begun ends")
        func endedAtOnce() throws {
            let endpoint = try ManualEndpoint()
            for number in 0..<200 {
                let remora = try Sidecar(to: [endpoint.address])
                if number.isMultiple(of: 2) { remora.plane.drain() }
                remora.end()
            }
        }

        @Test("A listening socket that was handed down serves two workers", arguments: [Transport.tcp4, .unix])
        func inherited(transport: Transport) throws {
            let (directory, service) = (TemporaryDirectory(), try Service.echo())
            let door = try Wire.listening(on: transport.freshAddress(in: directory, "inherited"), backlog: 128)
            let remora = try Sidecar(to: [service.address]) {
                $0.workers = 2
                $0.inherited = dup(door.descriptor)
            }
            #expect(remora.address == door.localAddress)
            let clients = try (0..<100).map { _ in try remora.connect() }
            for client in clients { try client.send("x") }
            for client in clients { #expect(try client.receive(exactly: 1).count == 1) }
            clients.forEach { $0.close() }
            #expect(remora.settles())
            #expect(remora.listener.connectionsTotal == 100)
            // Whoever handed it down can go on with it
            remora.end()
            let client = try Wire.connect(to: remora.address)
            try door.accept().send("hello")
            #expect(try client.receiveText(exactly: 5) == "hello")
        }

        @Test("A draining data plane leaves an inherited socket's clients to its other owners")
        func inheritedDrain() throws {
            let service = try Service.echo()
            let door = try Wire.listening(on: .ipv4(.loopback, port: 0), backlog: 128)
            let remora = try Sidecar(to: [service.address]) {
                $0.workers = 2
                $0.inherited = dup(door.descriptor)
            }
            let busy = try remora.connect()
            try busy.send("x")
            #expect(try busy.receive(exactly: 1).count == 1)
            remora.plane.drain()
            #expect(eventually { remora.plane.drainStage == .finishing(connections: 1) })
            let client = try Wire.connect(to: remora.address)
            try door.accept().send("hello")
            #expect(try client.receiveText(exactly: 5) == "hello")
            withExtendedLifetime(busy) {}
        }
    }
}
