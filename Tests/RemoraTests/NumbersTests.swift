// What a running remora says of itself agrees with what was done to it, on both ways of asking.

import Admin
import Foundation
import Glibc
import Reactor
import Stats
import Testing
import Vocabulary

/// `GET /stats`, decoded.
func report(from admin: SocketAddress) throws -> StatsReport {
    let answer = try get("/stats", from: admin)
    #expect(answer.status == 200)
    return try ReportJSON.decode(StatsReport.self, from: Array(answer.body.utf8))
}

@Suite("Numbers")
struct NumbersTests {
    @Test("GET /stats and stats --json agree with each other and with what happened", arguments: ["1", "3"])
    func numbers(threads: String) throws {
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address]), options: ["--threads", threads]) { remora in
            let ready = try remora.ready()
            // Given three connections that came and went cleanly, one that was aborted, and one that stays
            for _ in 0..<3 {
                let (client, accepted) = try connectedPair(through: ready.listener, to: server)
                try accepted.send("goodbye")
                #expect(try client.receive(7) == "goodbye")
                accepted.close()
                #expect(try client.ending() == .end)
                client.close()
            }
            let (doomed, survivor) = try connectedPair(through: ready.listener, to: server)
            doomed.abort()
            #expect(try survivor.ending() == .reset)
            let staying = try connectedPair(through: ready.listener, to: server)
            defer { staying.client.close() }
            // When it is asked, once all of that has reached the counters
            let seen = try Wait.forAnswer {
                let seen = try report(from: ready.admin)
                let settled = seen.listeners[0].connections == 1 && seen.listeners[0].sentBytesTotal == 5 * 4 + 3 * 7
                guard settled else { throw TooLate(description: "\(seen.listeners)") }
                return seen
            }
            // Then
            let listener = seen.listeners[0]
            #expect(listener.name == "in" && listener.address == "\(ready.listener)" && listener.upstream == "out")
            #expect(listener.connectionsTotal == 5)
            #expect(listener.abortedTotal == 1)
            #expect(listener.refusedTotal == 0)
            #expect(listener.receivedBytesTotal == 5 * 4)
            let upstream = seen.upstreams[0]
            #expect(upstream.connectSeconds.count == 5)
            #expect(upstream.firstByteSeconds.count == 5)
            #expect(upstream.lifetimeSeconds.count == 4)
            let endpoint = upstream.endpoints[0]
            #expect(endpoint.address == "\(server.address)")
            #expect(endpoint.connections == 1 && endpoint.connectionsTotal == 5)
            #expect(endpoint.outstanding == 0)
            #expect(endpoint.failuresTotal == 0)

            let outcome = try RemoraProcess.outcome(of: ["stats", "--json", "--admin", "\(ready.admin)"])
            #expect(outcome.ending == .exit(0))
            let said = try ReportJSON.decode(StatsReport.self, from: Array(outcome.output.utf8))
            #expect(said.listeners == seen.listeners)
            #expect(said.upstreams == seen.upstreams)
            #expect(said.uptimeSeconds >= seen.uptimeSeconds)
        }
    }
}
