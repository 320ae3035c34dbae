// What becomes of connections when their endpoint is given up.

import Glibc
import Reactor
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Fates")
    struct FateTests {
        /// What a connection is at when its endpoint's fate turns.
        enum Activity: CaseIterable, Sendable {
            case silent, waiting, idle, halfClosed, bulk, blocked
        }

        private func bring(_ path: Path, to activity: Activity) throws {
            let (client, server) = (path.client, path.server)
            switch activity {
            case .silent: break
            case .waiting:
                try client.send("question")
                #expect(try server.receiveText(exactly: 8) == "question")
            case .idle: try exchange(client, server)
            case .halfClosed:
                try exchange(client, server)
                try client.endStream()
                #expect(try server.receiveToEnd() == [])
            case .bulk:
                var (sent, expected) = (SeededStream(seed: 21), SeededStream(seed: 21))
                for _ in 0..<64 {
                    try server.send(256 << 10, of: &sent)
                    #expect(try client.verify(&expected, limit: sent.offset) == .intact(bytes: sent.offset))
                }
            case .blocked:
                server.setPatience(.milliseconds(100))
                var stream = SeededStream(seed: 22)
                try server.sendUntilBlocked(from: &stream)
                server.setPatience(Wire.patience)
            }
        }

        private func exchange(_ client: Wire, _ server: Wire) throws {
            try client.send("question")
            #expect(try server.receiveText(exactly: 8) == "question")
            try server.send("answer")
            #expect(try client.receiveText(exactly: 6) == "answer")
        }

        // MARK: Reset

        @Test("Reset aborts both sides at once, whatever the connection is at", arguments: Activity.allCases, [1, 2])
        func reset(activity: Activity, workers: Int) throws {
            let path = try Path { $0.workers = workers }
            try bring(path, to: activity)
            path.remora.turn(to: .reset)
            #expect(path.client.awaitEnd() == .reset)
            // To an endpoint that has read the client's end nothing but a write tells.
            if activity == .halfClosed { #expect(eventually { (try? path.server.send("x")) == nil }) }
            #expect(path.server.awaitEnd() == (activity == .halfClosed ? nil : .reset))
            #expect(path.remora.settles())
            #expect(path.remora.endpoints[0].resetTotal == 1 && path.remora.endpoints[0].drainedTotal == 0)
            #expect(path.remora.listener.abortedTotal == 1)
            // It was not the endpoint that did it
            #expect(path.remora.noticesReach([]))
        }

        @Test("A fate is its own endpoint's alone", arguments: [ConnectionFate.drain, .reset], [1, 2])
        func others(fate: ConnectionFate, workers: Int) throws {
            let endpoints = try [ManualEndpoint(), ManualEndpoint()]
            let remora = try Sidecar(to: endpoints.map(\.address)) {
                $0.workers = workers
                // Each worker in turn: so many, that each endpoint has some.
                $0.upstream.balance = .roundRobin
            }
            let clients = try (0..<20).map { _ in try remora.connect() }
            #expect(eventually { remora.endpoints.reduce(0) { $0 + $1.connections } == 20 })
            let doomed = remora.endpoints[0].connections
            let servers = try (0..<(20 - doomed)).map { _ in try endpoints[1].accept() }
            remora.turn(to: fate)
            #expect(eventually { remora.endpoints[0].connections == 0 })
            #expect(remora.endpoints[1].connections == 20 - doomed)
            for server in servers { try server.send("here") }
            let served = clients.filter { (try? $0.receiveText(exactly: 4)) == "here" }
            #expect(served.count == 20 - doomed && doomed > 0)
            let report = remora.endpoints
            #expect(report[0].resetTotal + report[0].drainedTotal == UInt64(doomed))
            #expect(report[1].resetTotal + report[1].drainedTotal == 0)
        }

        @Test("A connection that is still connecting when its endpoint is given up goes elsewhere with what it holds")
        func movesOn() throws {
            let (hole, endpoint) = (try BlackHole(), try ManualEndpoint())
            let remora = try Sidecar(to: [hole.address, endpoint.address]) {
                $0.upstream.connectTimeout = .seconds(60)
                $0.upstream.connectAttempts = 1
                $0.upstream.balance = .roundRobin
            }
            // Of two in turn, one begins at the hole.
            let clients = try (0..<2).map { _ in try remora.connect() }
            for client in clients { try client.send("held") }
            #expect(eventually { remora.endpoints.map(\.connections) == [1, 1] })
            remora.turn(to: .reset)
            for _ in 0..<2 { #expect(try endpoint.accept().receiveText(exactly: 4) == "held") }
            #expect(remora.endpoints.map(\.connections) == [0, 2])
            #expect(remora.endpoints[0].failuresTotal == 0 && remora.endpoints[0].resetTotal == 0)
            #expect(remora.listener.abortedTotal == 0)
        }

        @Test("A connection whose endpoint nobody takes the place of is refused, not left to wait")
        func movesNowhere() throws {
            let hole = try BlackHole()
            let remora = try Sidecar(to: [hole.address]) { $0.upstream.connectTimeout = .seconds(60) }
            let client = try remora.connect()
            #expect(eventually { remora.endpoints[0].connections == 1 })
            remora.turn(to: .reset)
            #expect(client.awaitEnd() == .reset)
            #expect(remora.settles())
            #expect(remora.listener.refusedTotal == 1)
        }

        @Test("Whoever is placed on an endpoint in spite of its fate stays, whatever other fates turn")
        func placedSince() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address])
            let given = remora.plane.upstreams.upstreams[0].endpoints[0]
            let other = Endpoint(
                identity: EndpointIdentity(address: try ClosedPort().address),
                fitness: Fitness(.dead, because: "It is."), cell: given.cell + 1)
            // Given that all there is left is an endpoint whose connections were reset
            let first = try remora.connect()
            let firstServer = try endpoint.accept()
            remora.publish([given, other])
            remora.turn(0, to: .reset, state: .fit, cause: .suspect)
            #expect(first.awaitEnd() == .reset)
            #expect(firstServer.awaitEnd() == .reset)
            let client = try remora.connect()
            let server = try endpoint.accept()
            try exchange(client, server)
            let before = remora.endpoints[0].resetTotal
            // When the other endpoint's fate turns, and turns again
            for fate in [ConnectionFate.drain, .reset, .keep, .reset] { remora.turn(1, to: fate, state: .dead) }
            try exchange(client, server)
            #expect(remora.endpoints[0].resetTotal == before)
            // Or its own is judged otherwise from here
            for state in [Fitness.State.ejected, .suspect] { remora.turn(0, to: .reset, state: state, cause: .suspect) }
            try exchange(client, server)
            #expect(remora.endpoints[0].resetTotal == before)
            // But the same fate for another reason is another matter
            remora.turn(0, to: .reset, state: .left, cause: .left)
            #expect(client.awaitEnd() == .reset)
            #expect(server.awaitEnd() == .reset)
        }

        @Test("Whoever is placed in the very turn in which a worker learns of a fate stays")
        func placedInSameTurn() throws {
            for _ in 0..<10 {
                // Given a worker that finds a client and a fate that has turned in its first turn
                let endpoint = try ManualEndpoint()
                let remora = try Sidecar(to: [endpoint.address]) { $0.startsAtOnce = false }
                let client = try remora.connect()
                remora.turn(to: .reset, state: .suspect, cause: .suspect)
                try remora.start()
                // Then the client is placed by the set that the fate came with, for want of a fitter endpoint
                let server = try endpoint.accept()
                try exchange(client, server)
                #expect(remora.endpoints[0].resetTotal == 0)
                // Until the endpoint's state changes
                remora.turn(to: .reset)
                #expect(client.awaitEnd() == .reset)
            }
        }

        @Test("A fate that turns while others are carried out spares who was placed knowing of those")
        func placedDuringSweep() throws {
            // Given so many connections on one endpoint that a worker needs many turns to end them
            let endpoints = try [ManualEndpoint(), ManualEndpoint()]
            let remora = try Sidecar(to: [endpoints[0].address])
            let many = min(64 * Worker.sweepEnds, Kernel.raiseDescriptorLimit() / 5)
            let ends = try (0..<many).map { _ in (try remora.connect(), try endpoints[0].accept()) }
            #expect(eventually { remora.endpoints[0].connections == many })
            let first = remora.plane.upstreams.upstreams[0].endpoints[0]
            func publish(_ third: ConnectionFate) {
                let others: [(SocketAddress, Fitness.State, ConnectionFate)] = [
                    (first.identity.address, .dead, .reset), (endpoints[1].address, .suspect, .reset),
                    (endpoints[0].address, .dead, third),
                ]
                remora.publish(
                    others.enumerated().map { place, other in
                        Endpoint(
                            identity: EndpointIdentity(address: other.0), fitness: Fitness(other.1, because: "It is."),
                            fate: other.2, cell: first.cell + LoadCells.Index(place))
                    })
            }
            // When they are being ended, a client comes that only a suspect endpoint is left for, and one more fate turns
            publish(.keep)
            #expect(eventually { remora.endpoints[0].resetTotal > 0 })
            let client = try remora.connect()
            let server = try endpoints[1].accept()
            publish(.reset)
            // Then all of the many are ended, and the client is not
            #expect(eventually { remora.endpoints[0].resetTotal == UInt64(many) })
            for _ in 0..<10 { try exchange(client, server) }
            #expect(remora.endpoints[1].resetTotal == 0)
            withExtendedLifetime(ends) {}
        }

        // MARK: Drain

        @Test("Drain closes an idle connection, cleanly on both sides", arguments: Route.all, [1, 2])
        func drainIdle(route: Route, workers: Int) throws {
            let path = try Path(route) { $0.workers = workers }
            try bring(path, to: .idle)
            path.remora.turn(to: .drain)
            #expect(path.client.awaitEnd() == nil)
            #expect(path.server.awaitEnd() == nil)
            #expect(path.remora.settles())
            #expect(path.remora.endpoints[0].drainedTotal == 1 && path.remora.endpoints[0].resetTotal == 0)
            #expect(path.remora.listener.abortedTotal == 0)
        }

        @Test("Drain lets a connection that waits have its answer first")
        func drainWaiting() throws {
            let path = try Path()
            try bring(path, to: .waiting)
            path.remora.turn(to: .drain)
            let turned = ContinuousClock.now
            // Longer than it takes to be taken for at rest, shorter than it takes to be taken not to wait
            #expect(eventually { ContinuousClock.now - turned > Worker.restBeforeLeaving * 3 })
            #expect(path.remora.endpoints[0].connections == 1)
            try path.server.send("answer")
            #expect(try path.client.receiveTextToEnd() == "answer")
            #expect(path.server.awaitEnd() == nil)
            #expect(path.remora.endpoints[0].drainedTotal == 1)
        }

        @Test("Drain cuts no answer that comes in parts, nor a connection that is never quiet")
        func drainBusy() throws {
            let path = try Path()
            try bring(path, to: .waiting)
            path.remora.turn(to: .drain)
            let end = ContinuousClock.now + Worker.restBeforeLeaving * 8
            var parts = 0
            while ContinuousClock.now < end {
                let began = ContinuousClock.now
                try path.server.send("part")
                // Where the machine is so busy that this took long, the connection had a rest.
                guard try path.client.receiveText(exactly: 4) == "part" else { break }
                if ContinuousClock.now - began > Worker.restBeforeLeaving / 2 { break }
                parts += 1
            }
            #expect(parts > 0)
            #expect(path.client.awaitEnd() == nil)
            #expect(path.server.awaitEnd() == nil)
        }

        @Test("Drain closes a connection on which nothing was ever said, once it counts as silent")
        func drainSilent() throws {
            let path = try Path()
            path.remora.turn(to: .drain)
            #expect(path.client.awaitEnd() == nil)
            #expect(path.server.awaitEnd() == nil)
            #expect(path.remora.endpoints[0].drainedTotal == 1)
        }

        @Test("Drain leaves a connection that has ended on one side to end by itself")
        func drainHalfClosed() throws {
            let path = try Path()
            try bring(path, to: .halfClosed)
            path.remora.turn(to: .drain)
            let turned = ContinuousClock.now
            #expect(eventually { ContinuousClock.now - turned > Worker.restBeforeLeaving * 3 })
            try path.server.send("last words")
            path.server.close()
            #expect(try path.client.receiveTextToEnd() == "last words")
            #expect(path.remora.settles())
            #expect(path.remora.endpoints[0].drainedTotal == 0)
        }

        @Test("Drain lets a bulk stream come through whole", arguments: [1, 2])
        func drainBulk(workers: Int) throws {
            let path = try Path { $0.workers = workers }
            let (client, server) = (path.client, path.server)
            try client.send("question")
            #expect(try server.receiveText(exactly: 8) == "question")
            let reader = Background { () -> StreamVerdict in
                var expected = SeededStream(seed: 23)
                return try client.verify(&expected)
            }
            var sent = SeededStream(seed: 23)
            try server.send(8 << 20, of: &sent)
            path.remora.turn(to: .drain)
            try server.send(24 << 20, of: &sent)
            // It ends with its last byte, and nobody but remora has ended it.
            #expect(try reader.value() == .intact(bytes: sent.offset))
            #expect(path.remora.settles())
            #expect(path.remora.endpoints[0].drainedTotal == 1)
        }

        @Test("Drain never closes while bytes are held for a reader that takes its time")
        func drainBlocked() throws {
            let path = try Path()
            let (client, server) = (path.client, path.server)
            server.setPatience(.milliseconds(100))
            var sent = SeededStream(seed: 24)
            try server.sendUntilBlocked(from: &sent)
            path.remora.turn(to: .drain)
            let turned = ContinuousClock.now
            #expect(eventually { ContinuousClock.now - turned > Worker.restBeforeLeaving * 3 })
            var expected = SeededStream(seed: 24)
            #expect(try client.verify(&expected) == .intact(bytes: sent.offset))
            #expect(path.remora.endpoints[0].drainedTotal == 1)
        }

        @Test("Drain leaves a connection that is still connecting alone, and closes it at rest")
        func drainConnecting() throws {
            let hole = try BlackHole()
            let remora = try Sidecar(to: [hole.address]) { $0.upstream.connectTimeout = .seconds(20) }
            let client = try remora.connect()
            try client.send("patience")
            #expect(eventually { remora.endpoints[0].connections == 1 })
            remora.turn(to: .drain)
            try hole.open()
            let server = try hole.accept()
            #expect(try server.receiveText(exactly: 8) == "patience")
            try server.send("answer")
            #expect(try client.receiveTextToEnd() == "answer")
            #expect(remora.settles())
            #expect(remora.endpoints[0].drainedTotal == 1)
        }

        @Test("A fate that turns back ends what had begun", arguments: [1, 2])
        func turnsBack(workers: Int) throws {
            let path = try Path { $0.workers = workers }
            try bring(path, to: .waiting)
            path.remora.turn(to: .drain)
            path.remora.turn(to: .keep, state: .fit)
            try path.server.send("answer")
            #expect(try path.client.receiveText(exactly: 6) == "answer")
            let answered = ContinuousClock.now
            #expect(eventually { ContinuousClock.now - answered > Worker.restBeforeLeaving * 4 })
            try exchange(path.client, path.server)
            #expect(path.remora.endpoints[0].drainedTotal == 0)
            // And it can turn again
            path.remora.turn(to: .drain)
            #expect(path.client.awaitEnd() == nil)
        }

        // MARK: Many

        @Test("While thousands of connections are ended, others are served", arguments: [ConnectionFate.drain, .reset])
        func bounded(fate: ConnectionFate) throws {
            let endpoints = try [ManualEndpoint(), ManualEndpoint()]
            let remora = try Sidecar(to: [endpoints[0].address])
            // Given many connections on one endpoint, each of which has answered, and one on another
            // Four descriptors each, of this process.
            let many = min(10_000, Kernel.raiseDescriptorLimit() / 5)
            var ends: [Wire] = []
            for _ in 0..<many {
                let client = try remora.connect()
                let server = try endpoints[0].accept()
                try server.send("x")
                ends += [client, server]
            }
            #expect(eventually { remora.plane.counts(ofCell: remora.cell()).answered == UInt64(many) })
            let first = remora.plane.upstreams.upstreams[0].endpoints[0]
            let second = Endpoint(
                identity: EndpointIdentity(address: endpoints[1].address), fitness: Fitness(.fit, because: "It is."),
                cell: first.cell + 1)
            func publish(_ fate: ConnectionFate) {
                let given = Endpoint(
                    identity: first.identity, fitness: Fitness(.dead, because: "It is."), fate: fate, cell: first.cell)
                remora.publish([given, second])
            }
            publish(.keep)
            var busy: (client: Wire, server: Wire)?
            #expect(
                try eventually {
                    let client = try remora.connect()
                    guard eventually(within: .milliseconds(200), { endpoints[1].hasCaller }) else { return false }
                    busy = (client, try endpoints[1].accept())
                    return true
                })
            let (client, server) = try #require(busy)
            // When all of them are to go at the same moment
            let rested = ContinuousClock.now
            #expect(eventually { ContinuousClock.now - rested > Worker.restBeforeLeaving })
            let before = remora.plane.sweepingTurns
            publish(fate)
            // Then the other goes on meanwhile
            func ended() -> UInt64 { remora.endpoints[0].resetTotal + remora.endpoints[0].drainedTotal }
            #expect(
                try eventually {
                    try exchange(client, server)
                    return ended() >= many
                })
            // A turn looks at all who have something to say. By turns, not by exchanges: how many of those fit in is a
            // question of how slow this thread is.
            #expect(remora.plane.sweepingTurns - before >= UInt64(many / Worker.sweepEnds))
            #expect(eventually { remora.endpoints[0].connections == 0 })
            let verdicts = Set(stride(from: 0, to: 200, by: 2).map { ends[$0].awaitEnd()?.code ?? 0 })
            #expect(verdicts == [fate == .reset ? ECONNRESET : 0])
        }
    }
}
