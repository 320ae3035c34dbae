// Listeners before a local instance: callers see what the instance is like.

import Glibc
import Reactor
import Routing
import Synchronization
import Testing
import Vocabulary

@testable import Proxy

/// A local instance that goes and comes back at one address.
private final class Instance {
    let address: SocketAddress
    private var door: Wire?

    init() throws {
        let free = try ClosedPort()
        address = free.address
    }

    func start() throws {
        let descriptor = try Kernel.bind(address, sharingPort: false)
        try Kernel.listen(descriptor)
        // Accepting blocks, as everywhere in these tests.
        _ = fcntl(descriptor, F_SETFL, 0)
        door = Wire(descriptor: descriptor)
    }

    func accept() throws -> Wire {
        guard let door else { throw WireError(code: EBADF) }
        return try door.accept()
    }

    func stop() {
        door?.close()
        door = nil
    }
}

extension DataPlaneBehaviour {
    @Suite("Inbound listeners")
    struct InboundTests {
        private static func sidecar(
            _ transport: Transport = .tcp4, to address: SocketAddress, workers: Int = 1,
            _ adjust: (inout Sidecar.Setup) -> Void = { _ in }
        ) throws -> Sidecar {
            try Sidecar(transport, to: [address]) {
                $0.workers = workers
                $0.listener.target = .service("web")
                $0.upstream.name = $0.listener.upstream
                adjust(&$0)
            }
        }

        /// Clients come until every worker has found the instance gone, or one has and has been heeded.
        private func isRefused(_ remora: Sidecar) -> Bool {
            eventually {
                do {
                    _ = try remora.connect().awaitEnd()
                    return false
                } catch {
                    return error as? WireError == .refused
                }
            }
        }

        @Test(
            "When the instance refuses, callers are refused, and served again once that is undone",
            arguments: Transport.tcp, [1, 2])
        func refused(transport: Transport, workers: Int) throws {
            let instance = try Instance()
            let remora = try Self.sidecar(transport, to: instance.address, workers: workers)
            for round in 1...3 {
                // Given an instance that is gone
                #expect(try remora.connect().awaitEnd() == .reset)
                #expect(eventually { !remora.plane.accepts(listener: 0) })
                var notices: [Notice] = []
                #expect(
                    eventually {
                        _ = remora.plane.takeNotices { notices.append($0) }
                        return notices.contains { $0.kind == .instanceRefused }
                    })
                let told = notices.filter { $0.kind == .instanceRefused }
                #expect(told.map(\.listener) == [0] && told.map(\.detail) == [ECONNREFUSED])
                #expect(remora.listener.state == .failing)
                // When the control thread has heeded that
                remora.plane.stopAccepting(listener: 0)
                // Then callers are refused before they have sent a byte
                #expect(isRefused(remora))
                for _ in 0..<20 { #expect(throws: WireError.refused) { try remora.connect() } }
                // And once it is back, they are served
                try instance.start()
                remora.plane.resumeAccepting(listener: 0)
                #expect(eventually { remora.plane.accepts(listener: 0) })
                #expect(remora.listener.state == .listening)
                for _ in 0..<20 {
                    let client = try remora.connect()
                    let server = try instance.accept()
                    try server.send("round \(round)")
                    #expect(try client.receiveText(exactly: 7) == "round \(round)")
                    client.close()
                    server.close()
                }
                #expect(remora.settles())
                instance.stop()
            }
            #expect(remora.upstream.retriesTotal == 0)
        }

        @Test("A worker that has stopped by itself accepts again when told to, though nobody told it to stop")
        func resumedWithoutStop() throws {
            let instance = try Instance()
            let remora = try Self.sidecar(to: instance.address)
            for _ in 0..<3 {
                #expect(try remora.connect().awaitEnd() == .reset)
                #expect(isRefused(remora))
                remora.plane.resumeAccepting(listener: 0)
                #expect(eventually { remora.plane.accepts(listener: 0) })
            }
            #expect(
                remora.noticesReach(
                    Array(repeating: [.connectFailed, .instanceRefused, .noEndpoint], count: 3).flatMap { $0 }))
        }

        @Test("A socket that listens again gets its share of clients again", arguments: [0, 1])
        func spread(first: Int) throws {
            let options = ListenerOptions(name: "front", bind: .ipv4(.loopback, port: 0), target: .service("web"))
            let sockets = try ListenerSockets(options, workers: 2, silentPeerTimeout: .seconds(60))
            defer { sockets.close() }
            /// How many of a hundred clients each socket is given; nil where they are refused.
            func shares() throws -> [Int]? {
                do {
                    let clients = try (0..<100).map { _ in try Wire.connect(to: sockets.address) }
                    return withExtendedLifetime(clients) {
                        sockets.descriptors.map { descriptor in
                            var count = 0
                            while case let outcome = Kernel.accept(descriptor), outcome.succeeded {
                                Kernel.close(outcome.value)
                                count += 1
                            }
                            return count
                        }
                    }
                } catch let error as WireError where error == .refused {
                    return nil
                }
            }
            let order = [sockets.descriptors[first], sockets.descriptors[1 - first]]
            for _ in 0..<3 {
                Kernel.stopListening(order[0])
                #expect(try shares()?.sorted() == [0, 100])
                Kernel.stopListening(order[1])
                #expect(try shares() == nil)
                try Kernel.listenAgain(order[0])
                #expect(try shares()?.sorted() == [0, 100])
                try Kernel.listenAgain(order[1])
                // Each gets none of a hundred once in 10³⁰ times.
                #expect(try #require(try shares()).allSatisfy { $0 > 0 })
            }
        }

        @Test("Who takes bytes slowly, or asks too much of it, does not make an instance look gone")
        func timeOut() throws {
            let hole = try BlackHole()
            let remora = try Self.sidecar(to: hole.address) { $0.upstream.connectTimeout = .milliseconds(50) }
            #expect(try remora.connect().awaitEnd() == .reset)
            #expect(remora.noticesReach([.connectFailed, .noEndpoint]))
            #expect(remora.plane.accepts(listener: 0))
        }

        @Test("Through a unix socket, callers are accepted and closed at once instead", arguments: [1, 2])
        func unix(workers: Int) throws {
            let instance = try Instance()
            let remora = try Self.sidecar(.unix, to: instance.address, workers: workers)
            #expect(try remora.connect().awaitEnd() == nil)
            #expect(eventually { remora.listener.state == .failing })
            remora.plane.stopAccepting(listener: 0)
            try instance.start()
            for _ in 0..<20 { #expect(try remora.connect().awaitEnd() == nil) }
            #expect(eventually { remora.listener.refusedTotal == 21 })
            remora.plane.resumeAccepting(listener: 0)
            #expect(eventually { remora.plane.accepts(listener: 0) })
            let client = try remora.connect()
            try instance.accept().send("hello")
            #expect(try client.receiveText(exactly: 5) == "hello")
        }

        @Test("An inherited socket goes on listening: its callers are reset, and its owner loses nothing")
        func inherited() throws {
            let instance = try Instance()
            let door = try Wire.listening(on: .ipv4(.loopback, port: 0), backlog: 128)
            let remora = try Self.sidecar(to: instance.address, workers: 2) { $0.inherited = dup(door.descriptor) }
            #expect(try remora.connect().awaitEnd() == .reset)
            #expect(eventually { remora.listener.state == .failing })
            remora.plane.stopAccepting(listener: 0)
            for _ in 0..<20 { #expect(try remora.connect().awaitEnd() == .reset) }
            remora.end()
            let client = try Wire.connect(to: remora.address)
            try door.accept().send("hello")
            #expect(try client.receiveText(exactly: 5) == "hello")
        }

        @Test("While callers are refused, nobody else can take the address", arguments: [1, 2])
        func addressKept(workers: Int) throws {
            let remora = try Self.sidecar(to: try ClosedPort().address, workers: workers)
            remora.plane.stopAccepting(listener: 0)
            #expect(isRefused(remora))
            let error = #expect(throws: BindError.self) {
                _ = try ListenerSockets(
                    ListenerOptions(name: "rival", bind: remora.address, upstream: "back"), workers: workers,
                    silentPeerTimeout: .seconds(60))
            }
            #expect(error?.cause == .addressInUse)
            remora.plane.resumeAccepting(listener: 0)
            #expect(eventually { remora.plane.accepts(listener: 0) })
        }

        @Test("Connections that were accepted before go on while callers are refused")
        func accepted() throws {
            let service = try Service.echo()
            let remora = try Self.sidecar(to: service.address)
            let client = try remora.connect()
            try client.send("before")
            #expect(try client.receiveText(exactly: 6) == "before")
            remora.plane.stopAccepting(listener: 0)
            #expect(isRefused(remora))
            try client.send("after")
            #expect(try client.receiveText(exactly: 5) == "after")
        }

        @Test("A drain ends well whether it comes before, after, or instead of accepting again", arguments: [1, 2])
        func drain(workers: Int) throws {
            for resumes in [false, true] {
                let service = try Service.echo()
                let remora = try Self.sidecar(to: service.address, workers: workers)
                let client = try remora.connect()
                try client.send("x")
                #expect(try client.receive(exactly: 1).count == 1)
                remora.plane.stopAccepting(listener: 0)
                #expect(isRefused(remora))
                if resumes { remora.plane.resumeAccepting(listener: 0) }
                remora.plane.drain()
                #expect(eventually { remora.plane.drainStage == .finishing(connections: 1) })
                #expect(remora.listener.state == .draining)
                // Too late for either
                remora.plane.resumeAccepting(listener: 0)
                remora.plane.stopAccepting(listener: 0)
                remora.plane.resumeAccepting(listener: 0)
                #expect(throws: WireError.refused) { try remora.connect() }
                client.close()
                #expect(eventually { remora.plane.drainStage == .done })
                remora.end()
                // No socket is left on either side
                #expect(descriptors(touching: remora.address.port) == [])
            }
        }

        /// What callers met with.
        private final class Outcomes: Sendable {
            let served = Counter(), turnedAway = Counter(), odd = Counter()
            let isOver = Flag()

            /// Refused, or reset in the queue, which whatever is called next may find.
            static let turnedAway: [WireError] = [.refused, .reset, .brokenPipe, WireError(code: ENOTCONN)]
        }

        @Test("A hundred stops and starts under load lose nobody who was accepted", arguments: [1, 2])
        func cycles(workers: Int) throws {
            let service = try Service.echo()
            let remora = try Self.sidecar(to: service.address, workers: workers)
            let (outcomes, address) = (Outcomes(), remora.address)
            let callers = (0..<2).map { _ in
                Background {
                    while !outcomes.isOver.isSet {
                        do {
                            let client = try Wire.connect(to: address)
                            try client.send("are you there?")
                            try client.endStream()
                            if try client.receiveTextToEnd() == "are you there?" {
                                outcomes.served.add()
                            } else {
                                outcomes.odd.add()
                            }
                        } catch let error as WireError where Outcomes.turnedAway.contains(error) {
                            outcomes.turnedAway.add()
                        } catch {
                            outcomes.odd.add()
                        }
                    }
                }
            }
            for _ in 0..<100 {
                let served = outcomes.served.value
                #expect(eventually { outcomes.served.value > served + 2 })
                let turnedAway = outcomes.turnedAway.value
                remora.plane.stopAccepting(listener: 0)
                #expect(eventually { outcomes.turnedAway.value > turnedAway + 2 })
                remora.plane.resumeAccepting(listener: 0)
            }
            outcomes.isOver.set()
            for caller in callers { try caller.value() }
            #expect(remora.settles())
            #expect(outcomes.odd.value == 0)
            // Whoever was accepted was served
            #expect(remora.listener.connectionsTotal == UInt64(outcomes.served.value))
            #expect(remora.listener.abortedTotal == 0 && remora.listener.refusedTotal == 0)
            remora.end()
            #expect(descriptors(touching: address.port) == [])
        }
    }
}
