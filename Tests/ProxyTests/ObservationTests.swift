// What workers tell of endpoints: failures one by one and in a row, recovery once, and answers as counts.

import Glibc
import Reactor
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Observations")
    struct ObservationTests {
        /// An endpoint on which the connection has got as far as a question.
        private func ask(_ remora: Sidecar, _ endpoint: ManualEndpoint) throws -> (client: Wire, server: Wire) {
            let client = try remora.connect()
            try client.send("question")
            let server = try endpoint.accept()
            #expect(try server.receiveText(exactly: 8) == "question")
            return (client, server)
        }

        @Test("A refused connect is told, and is no part of a streak", arguments: Transport.kinds)
        func refused(transport: Transport) throws {
            let (directory, dead) = (TemporaryDirectory(), try ClosedPort())
            let remora = try Sidecar(to: [transport == .unix ? directory.socket("nobody") : dead.address])
            for _ in 0..<2 {
                #expect(try remora.connect().awaitEnd() == .reset)
                #expect(remora.observations(1) == [Observation(cell: remora.cell(), kind: .refused, streak: 0)])
            }
            #expect(remora.plane.counts(ofCell: remora.cell()) == EndpointCounts(answered: 0, failed: 0))
            // Only before a local instance does that stop anybody from connecting
            #expect(remora.listener.state == .listening && remora.plane.accepts(listener: 0))
        }

        @Test("Connects that time out are told with how many there were in a row")
        func timedOut() throws {
            let hole = try BlackHole()
            let remora = try Sidecar(to: [hole.address]) { $0.upstream.connectTimeout = .milliseconds(50) }
            for streak in 1...3 {
                #expect(try remora.connect().awaitEnd() == .reset)
                #expect(remora.observations(1) == [Observation(cell: remora.cell(), kind: .timedOut, streak: streak)])
            }
            #expect(remora.plane.counts(ofCell: remora.cell()) == EndpointCounts(answered: 0, failed: 3))
        }

        @Test(
            "A reset before the first byte is told, and an answer ends the streak and is told once",
            arguments: [Transport.tcp4, .distant, .unix])
        func streak(transport: Transport) throws {
            let endpoint = try ManualEndpoint(transport)
            let remora = try Sidecar(to: [endpoint.address])
            let cell = remora.cell()
            func reset() throws {
                let (client, server) = try ask(remora, endpoint)
                // A unix socket is reset by a close that leaves bytes unread.
                try client.send("more")
                #expect(try eventually { try server.hasUnread() })
                server.abort()
                #expect(client.awaitEnd() == .reset)
            }
            for streak in 1...2 {
                try reset()
                #expect(remora.observations(1) == [Observation(cell: cell, kind: .reset, streak: streak)])
            }
            for answers in 1...2 {
                let (client, server) = try ask(remora, endpoint)
                try server.send("answer")
                #expect(try client.receiveText(exactly: 6) == "answer")
                #expect(eventually { remora.plane.counts(ofCell: cell).answered == UInt64(answers) })
            }
            try reset()
            #expect(
                remora.observations(2) == [
                    Observation(cell: cell, kind: .answered, streak: 0),
                    Observation(cell: cell, kind: .reset, streak: 1),
                ])
            #expect(remora.plane.counts(ofCell: cell) == EndpointCounts(answered: 2, failed: 3))
        }

        @Test(
            "An endpoint that accepts and resets at once is told of as one that resets",
            arguments: [Transport.tcp4, .distant])
        func resetOnAccept(transport: Transport) throws {
            let service = try Service(transport) { $0.abort() }
            let remora = try Sidecar(to: [service.address])
            for streak in 1...50 {
                let client = try remora.connect()
                // Whichever of these finds it first.
                try? client.send("question")
                _ = client.awaitEnd()
                #expect(remora.observations(1) == [Observation(cell: remora.cell(), kind: .reset, streak: streak)])
            }
        }

        @Test("Neither an end before the first byte, nor a client's abort, nor a reset after an answer is a failure")
        func noFailure() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address])
            let (ended, ending) = try ask(remora, endpoint)
            ending.close()
            #expect(ended.awaitEnd() == nil)
            ended.close()
            let (aborting, aborted) = try ask(remora, endpoint)
            aborting.abort()
            #expect(aborted.awaitEnd() == .reset)
            let (client, server) = try ask(remora, endpoint)
            try server.send("answer")
            #expect(try client.receiveText(exactly: 6) == "answer")
            server.abort()
            #expect(client.awaitEnd() == .reset)
            #expect(remora.settles())
            #expect(remora.noticesReach([]))
            #expect(remora.plane.counts(ofCell: remora.cell()) == EndpointCounts(answered: 1, failed: 0))
        }

        @Test("A cell that goes to another endpoint brings neither its counts nor its streak along", arguments: [1, 2])
        func newTenant(workers: Int) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.workers = workers }
            let cell = remora.cell()
            func reset() throws {
                let (client, server) = try ask(remora, endpoint)
                server.abort()
                #expect(client.awaitEnd() == .reset)
            }
            for _ in 0..<8 { try reset() }
            #expect(remora.observations(8).count == 8)
            #expect(remora.endpoints[0].connectionsTotal == 8)
            // When the endpoint goes, and its cell is given to the next
            let old = remora.plane.upstreams.upstreams[0].endpoints[0]
            remora.publish([])
            remora.publish([
                Endpoint(identity: old.identity, fitness: Fitness(.fit, because: "It is another."), cell: cell)
            ])
            // Then that begins at zero
            #expect(remora.endpoints[0].connectionsTotal == 0)
            #expect(remora.plane.counts(ofCell: cell) == EndpointCounts(answered: 0, failed: 0))
            #expect(
                try eventually {
                    let client = try remora.connect()
                    guard eventually(within: .milliseconds(200), { endpoint.hasCaller }) else { return false }
                    let server = try endpoint.accept()
                    server.abort()
                    return client.awaitEnd() == .reset
                })
            #expect(remora.observations(1) == [Observation(cell: cell, kind: .reset, streak: 1)])
            #expect(remora.endpoints[0].connectionsTotal == 1)
            #expect(remora.plane.counts(ofCell: cell) == EndpointCounts(answered: 0, failed: 1))
        }

        @Test("What is still to be told of an endpoint is not told of the next one in its cell")
        func noticeOfLast() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address])
            let old = remora.plane.upstreams.upstreams[0].endpoints[0]
            let (client, server) = try ask(remora, endpoint)
            server.abort()
            #expect(client.awaitEnd() == .reset)
            // Given a notice that nobody has taken yet
            #expect(remora.settles())
            #expect(remora.plane.counts(ofCell: old.cell).failed == 1)
            // When the cell becomes another's
            remora.publish([])
            remora.publish([
                Endpoint(identity: old.identity, fitness: Fitness(.fit, because: "It is another."), cell: old.cell)
            ])
            // Then there is nothing to be said of that one
            #expect(remora.noticesReach([]))
        }

        @Test(
            "What errno a connect fails with tells what to think of the endpoint",
            arguments: [
                (ECONNREFUSED, Observation.Kind.refused), (ENOENT, .refused), (EHOSTUNREACH, .unreachable),
                (ENETUNREACH, .unreachable), (EACCES, .unreachable), (ETIMEDOUT, .timedOut), (ECONNRESET, .reset),
                (EPIPE, .reset), (EADDRNOTAVAIL, nil),
            ])
        func kinds(code: Int32, kind: Observation.Kind?) {
            #expect(Observation.Kind(ofConnect: SystemError(code: code)) == kind)
            let notice = Notice(kind: .connectFailed, listener: 0, upstream: 0, cell: 3, detail: code, streak: 2)
            #expect(notice.observation == kind.map { Observation(cell: 3, kind: $0, streak: 2) })
        }

        @Test("An upstream's load is what its endpoints have now, and the mean of what they took")
        func load() throws {
            let endpoints = try [ManualEndpoint(), ManualEndpoint()]
            let remora = try Sidecar(to: endpoints.map(\.address)) { $0.upstream.balance = .roundRobin }
            let place = try #require(remora.plane.place(ofUpstream: "back"))
            #expect(remora.plane.place(ofUpstream: "elsewhere") == nil)
            let before = remora.plane.load(ofUpstream: place)
            #expect(before == UpstreamLoad())
            let clients = try (0..<2).map { _ in try remora.connect() }
            let servers = try endpoints.map { try $0.accept() }
            #expect(remora.plane.load(ofUpstream: place).outstanding == 2)
            for client in clients { try client.send("question") }
            for server in servers { #expect(try server.receiveText(exactly: 8) == "question") }
            let asked = ContinuousClock.now
            #expect(eventually { ContinuousClock.now - asked > .milliseconds(50) })
            for server in servers { try server.send("answer") }
            for client in clients { #expect(try client.receiveText(exactly: 6) == "answer") }
            #expect(eventually { remora.plane.load(ofUpstream: place).answers == 2 })
            let after = remora.plane.load(ofUpstream: place)
            #expect(after.outstanding == 0 && after.connections == 2)
            let mean = try #require(after.meanAnswerTime(since: before))
            #expect(mean >= .milliseconds(50) && mean < .seconds(20))
            #expect(after.meanAnswerTime(since: after) == nil)
        }
    }
}
