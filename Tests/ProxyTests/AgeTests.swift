// Connections that have become too old.

import Glibc
import Reactor
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Ages")
    struct AgeTests {
        /// So short that twice as much is over before a second of silence would pass for rest.
        private static let age = Duration.milliseconds(400)
        private static let youngest = Duration.milliseconds(360)
        private static let oldest = Duration.milliseconds(440)

        private func path() throws -> (path: Path, began: ContinuousClock.Instant) {
            let began = ContinuousClock.now
            let path = try Path { $0.upstream.maxConnectionAge = Self.age }
            return (path, began)
        }

        private func exchange(_ path: Path) throws {
            try path.client.send("question")
            #expect(try path.server.receiveText(exactly: 8) == "question")
            try path.server.send("answer")
            #expect(try path.client.receiveText(exactly: 6) == "answer")
        }

        @Test("A connection that rests is closed when it is old, cleanly, and not before")
        func resting() throws {
            let (path, began) = try path()
            try exchange(path)
            #expect(try path.client.receiveToEnd() == [])
            #expect(ContinuousClock.now - began >= Self.youngest)
            #expect(try path.server.receiveToEnd() == [])
            #expect(path.remora.settles())
            #expect(path.remora.endpoints[0].drainedTotal == 1 && path.remora.endpoints[0].resetTotal == 0)
            #expect(path.remora.listener.abortedTotal == 0)
            #expect(path.remora.noticesReach([]))
        }

        @Test("One that waits for an answer when it is old gets it, and is closed then")
        func answeredLate() throws {
            let (path, began) = try path()
            // Each byte is a sign of life, without which it would not count as waiting for long.
            var asked = 0
            while ContinuousClock.now - began < Self.oldest + .milliseconds(50) {
                try path.client.send("?")
                asked += 1
                usleep(10_000)
            }
            #expect(try path.server.receive(exactly: asked).count == asked)
            try path.server.send("answer")
            #expect(try path.client.receiveTextToEnd() == "answer")
            #expect(try path.server.receiveToEnd() == [])
            #expect(path.remora.settles())
            #expect(path.remora.endpoints[0].drainedTotal == 1 && path.remora.endpoints[0].resetTotal == 0)
        }

        @Test("One that never rests is aborted at twice its age")
        func restless() throws {
            let (path, began) = try path()
            try path.client.send("question")
            #expect(try path.server.receiveText(exactly: 8) == "question")
            #expect(path.client.awaitEnd() == .reset)
            #expect(ContinuousClock.now - began >= Self.youngest * 2)
            #expect(path.server.awaitEnd() == .reset)
            #expect(path.remora.settles())
            #expect(path.remora.endpoints[0].drainedTotal == 0 && path.remora.endpoints[0].resetTotal == 1)
            #expect(path.remora.listener.abortedTotal == 1)
        }

        @Test("One that has half ended is left alone until then")
        func halfEnded() throws {
            let (path, began) = try path()
            try exchange(path)
            try path.client.endStream()
            #expect(try path.server.receiveToEnd() == [])
            #expect(path.client.awaitEnd() == .reset)
            #expect(ContinuousClock.now - began >= Self.youngest * 2)
            #expect(path.remora.settles())
            #expect(path.remora.endpoints[0].resetTotal == 1)
        }

        @Test("Connections that began together do not end together")
        func spread() throws {
            let service = try Service.echo()
            let remora = try Sidecar(to: [service.address]) { $0.upstream.maxConnectionAge = .seconds(2) }
            let clients = try (0..<24).map { _ in try remora.connect() }
            for client in clients {
                try client.send("x")
                #expect(try client.receive(exactly: 1).count == 1)
            }
            // Those that are left, each time they are fewer
            var left: Set<Int> = []
            #expect(
                eventually {
                    left.insert(remora.plane.connections)
                    return remora.plane.connections == 0
                })
            #expect(left.count >= 8)
            #expect(remora.endpoints[0].drainedTotal == 24)
        }
    }
}
