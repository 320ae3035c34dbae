// Each direction closes by itself.

import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Half-close")
    struct HalfCloseTests {
        @Test("A client that has ended its stream still gets the answer", arguments: Route.all)
        func clientEndsFirst(route: Route) throws {
            let path = try Path(route)
            // Given a client that asks and ends its stream
            try path.client.send("question")
            try path.client.endStream()
            // Then the endpoint has all of it, and the end
            #expect(try path.server.receiveTextToEnd() == "question")
            // And what it answers then, in pieces, arrives, and its end too
            try path.server.send("ans")
            #expect(try path.client.receiveText(exactly: 3) == "ans")
            try path.server.send("wer")
            path.server.close()
            #expect(try path.client.receiveTextToEnd() == "wer")
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 0)
        }

        @Test("An endpoint that has ended its stream still gets the client's bytes", arguments: Route.all)
        func endpointEndsFirst(route: Route) throws {
            let path = try Path(route)
            try path.server.send("greeting")
            try path.server.endStream()
            #expect(try path.client.receiveTextToEnd() == "greeting")
            try path.client.send("late ")
            #expect(try path.server.receiveText(exactly: 5) == "late ")
            try path.client.send("words")
            path.client.close()
            #expect(try path.server.receiveTextToEnd() == "words")
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 0)
        }

        @Test("An end without a byte before it is passed on, either way first", arguments: Route.all, [true, false])
        func emptyStreams(route: Route, clientFirst: Bool) throws {
            let path = try Path(route)
            let (first, second) = clientFirst ? (path.client, path.server) : (path.server, path.client)
            try first.endStream()
            #expect(try second.receiveToEnd() == [])
            try second.endStream()
            #expect(try first.receiveToEnd() == [])
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 0)
        }

        @Test("Bytes and end in one segment are both passed on, and the answer back", arguments: Route.all)
        func endWithBytes(route: Route) throws {
            let path = try Path(route)
            try path.client.send("last words", more: true)
            try path.client.endStream()
            #expect(try path.server.receiveTextToEnd() == "last words")
            try path.server.send("farewell", more: true)
            try path.server.endStream()
            #expect(try path.client.receiveTextToEnd() == "farewell")
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 0)
        }

        @Test("What a client has sent and ended before remora has seen it arrives whole", arguments: Route.all)
        func allBeforeAccept(route: Route) throws {
            // Given a client that has said all before any endpoint is connected
            let endpoint = try ManualEndpoint(route.endpoint)
            let remora = try Sidecar(route.client, to: [endpoint.address])
            let client = try remora.connect()
            try client.send("all at once", more: true)
            try client.endStream()
            // Then the endpoint has all of it, and its answer finds the client
            let server = try endpoint.accept()
            #expect(try server.receiveTextToEnd() == "all at once")
            try server.send("heard")
            server.close()
            #expect(try client.receiveTextToEnd() == "heard")
            #expect(remora.settles())
        }

        @Test(
            "An end behind a stream that is held up arrives after all of its bytes", arguments: Route.all,
            [true, false])
        func endBehindHeldBytes(route: Route, fromClient: Bool) throws {
            let path = try Path(route)
            let (source, sink) = fromClient ? (path.client, path.server) : (path.server, path.client)
            // Given a sink that does not read until the source is blocked and, later, has ended
            source.setPatience(.milliseconds(100))
            var sent = SeededStream(seed: 4)
            try source.sendUntilBlocked(from: &sent)
            try source.endStream()
            // When the sink reads
            var expected = SeededStream(seed: 4)
            #expect(try sink.verify(&expected) == .intact(bytes: sent.offset))
            // Then the other direction is still open
            try sink.send("thanks")
            sink.close()
            source.setPatience(Wire.patience)
            #expect(try source.receiveTextToEnd() == "thanks")
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 0)
        }

        @Test("An end that is read together with bytes which the sink does not take yet comes after them")
        func endReadWithHeldBytes() throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address]) { $0.limits.mostPipes = 0 }
            // Whatever the kernel takes for the sink, some of these streams end just beyond it
            for size in stride(from: 32 << 10, through: 4 << 20, by: 32 << 10) {
                let client = try remora.connect(receiveBuffer: 4096)
                let server = try endpoint.accept()
                let before = remora.listener
                var stream = SeededStream(seed: 19)
                try server.send(size, of: &stream)
                try server.endStream()
                // Given a client that reads nothing before remora has all, or holds a part
                #expect(
                    eventually {
                        let sent = remora.listener.sentBytesTotal - before.sentBytesTotal
                        let received = remora.endpoints[0].receivedBytesTotal - before.sentBytesTotal
                        return received == UInt64(size) || received > sent
                    })
                // Then it still gets all of it, and a clean end
                var expected = SeededStream(seed: 19)
                #expect(try client.verify(&expected) == .intact(bytes: size))
                client.close()
                #expect(try server.receiveToEnd() == [])
            }
            #expect(remora.settles())
            #expect(remora.listener.abortedTotal == 0)
        }
    }
}
