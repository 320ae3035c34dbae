// A slow reader stops its sender, and nobody else.

import Reactor
import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Backpressure")
    struct BackpressureTests {
        @Test(
            "What a slow reader leaves stops the sender, is held within a bound, and arrives when it reads on",
            arguments: [Route.all[0], Route.all[1], Route.all[2]], [true, false])
        func slowReader(route: Route, towardsClient: Bool) throws {
            try stall(route, towardsClient: towardsClient, atMost: Int(ProxyLimits(descriptors: 0).pipeCapacity))
        }

        @Test("Without pipes, no more than one read is held", arguments: Route.all, [true, false])
        func slowReaderOfCopies(route: Route, towardsClient: Bool) throws {
            try stall(route, towardsClient: towardsClient, atMost: Worker.bufferSize) { $0.limits.mostPipes = 0 }
        }

        private func stall(
            _ route: Route, towardsClient: Bool, atMost bound: Int, _ adjust: (inout Sidecar.Setup) -> Void = { _ in }
        ) throws {
            let path = try Path(route, adjust)
            let (source, sink) = towardsClient ? (path.server, path.client) : (path.client, path.server)
            // Given a stream that flows
            var sent = SeededStream(seed: 9)
            var expected = SeededStream(seed: 9)
            let reader = Background { [expected] () -> (StreamVerdict, SeededStream) in
                var expected = expected
                return (try sink.verify(&expected, limit: 8 << 20), expected)
            }
            try source.send(8 << 20, of: &sent)
            let (first, read) = try reader.value()
            #expect(first == .intact(bytes: 8 << 20))
            expected = read
            // When nobody reads any more, until the source is stopped
            source.setPatience(.milliseconds(200))
            try source.sendUntilBlocked(from: &sent)
            // Then what remora has read and not written is within its bound
            let (listener, endpoint) = (path.remora.listener, path.remora.endpoints[0])
            let held =
                towardsClient
                ? endpoint.receivedBytesTotal - listener.sentBytesTotal
                : listener.receivedBytesTotal - endpoint.sentBytesTotal
            #expect(held <= UInt64(bound))
            // And others are served meanwhile
            for _ in 0..<50 {
                let client = try path.remora.connect()
                let server = try path.endpoint.accept()
                try client.send("ping")
                #expect(try server.receiveText(exactly: 4) == "ping")
                try server.send("pong")
                #expect(try client.receiveText(exactly: 4) == "pong")
            }
            // And all that was sent arrives, and what is sent from then on
            let rest = Background { [expected] () -> StreamVerdict in
                var expected = expected
                return try sink.verify(&expected)
            }
            source.setPatience(Wire.patience)
            try source.send(1 << 20, of: &sent)
            try source.endStream()
            #expect(try rest.value() == .intact(bytes: sent.offset))
        }

        @Test("A reader that pauses for longer than a silent peer may is not taken for one", arguments: [true, false])
        func pausedReader(towardsClient: Bool) throws {
            let path = try Path { $0.limits.silentPeerTimeout = .seconds(1) }
            let (source, sink) = towardsClient ? (path.server, path.client) : (path.client, path.server)
            source.setPatience(.milliseconds(200))
            var sent = SeededStream(seed: 17)
            try source.sendUntilBlocked(from: &sent)
            // Given a reader that is alive, but reads nothing for a while
            #expect(!eventually(within: .seconds(5)) { path.remora.listener.connections == 0 })
            // When it reads on, then all is there
            try source.endStream()
            var expected = SeededStream(seed: 17)
            #expect(try sink.verify(&expected) == .intact(bytes: sent.offset))
        }

        @Test("A bulk stream does not keep a small request from being answered")
        func fairness() throws {
            // Given one worker, and a stream that always has more
            let bulk = try Path()
            let (sink, source) = (bulk.client, bulk.server)
            let reader = Background { () -> StreamVerdict in
                var expected = SeededStream(seed: 10)
                return try sink.verify(&expected)
            }
            let isOver = Flag()
            let writer = Background { () -> Int in
                var stream = SeededStream(seed: 10)
                while !isOver.isSet { try source.send(1 << 20, of: &stream) }
                source.close()
                return stream.offset
            }
            // When small requests come
            var moved: [UInt64] = []
            for _ in 0..<200 {
                let client = try bulk.remora.connect()
                let server = try bulk.endpoint.accept()
                try client.send("ping")
                #expect(try server.receiveText(exactly: 4) == "ping")
                try server.send("pong")
                #expect(try client.receiveText(exactly: 4) == "pong")
                moved.append(bulk.remora.listener.sentBytesTotal)
            }
            isOver.set()
            let sent = try writer.value()
            // Then each waited for a few turns of the stream at most
            let perRequest = zip(moved.dropFirst(), moved).map { $0 - $1 }.sorted()
            #expect(perRequest[perRequest.count / 2] <= UInt64(64 * Worker.spliceBudget))
            #expect(try reader.value() == .intact(bytes: sent))
            #expect(moved.last ?? 0 > moved.first ?? 0)
        }
    }
}
