// An aborted stream is never taken for a whole one.

import Glibc
import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Abort")
    struct AbortTests {
        /// Who aborts.
        enum Side: CaseIterable, Sendable {
            case client, endpoint

            func ends(of path: Path) -> (aborting: Wire, other: Wire) {
                switch self {
                case .client: (path.client, path.server)
                case .endpoint: (path.server, path.client)
                }
            }
        }

        @Test("A reset is passed on as a reset, with what was said before", arguments: Route.resettable, Side.allCases)
        func resetAfterAnExchange(route: Route, side: Side) throws {
            let path = try Path(route)
            let (aborting, other) = side.ends(of: path)
            try path.client.send("question")
            #expect(try path.server.receiveText(exactly: 8) == "question")
            try path.server.send("answer")
            #expect(try path.client.receiveText(exactly: 6) == "answer")
            aborting.abort()
            #expect(other.awaitEnd() == .reset)
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 1)
        }

        @Test("A reset before the first byte is passed on", arguments: Route.resettable, Side.allCases)
        func resetOfSilence(route: Route, side: Side) throws {
            let path = try Path(route)
            let (aborting, other) = side.ends(of: path)
            // Remora knows the endpoint's half to be open once a byte of it has gone through.
            try path.server.send("x")
            #expect(try path.client.receiveText(exactly: 1) == "x")
            aborting.abort()
            #expect(other.awaitEnd() == .reset)
            #expect(path.remora.settles())
        }

        @Test("A reset in the middle of a bulk stream is no end of it", arguments: Route.resettable, Side.allCases)
        func resetInBulk(route: Route, side: Side) throws {
            let path = try Path(route)
            let (aborting, other) = side.ends(of: path)
            // Given a stream that moves in bulk, read as far as its middle
            let reader = Background { () -> StreamVerdict in
                var expected = SeededStream(seed: 5)
                return try other.verify(&expected, limit: 8 << 20)
            }
            var stream = SeededStream(seed: 5)
            try aborting.send(9 << 20, of: &stream)
            #expect(try reader.value() == .intact(bytes: 8 << 20))
            // When its source aborts
            aborting.abort()
            // Then the sink gets a reset, whatever it gets before
            #expect(other.awaitEnd() == .reset)
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 1)
        }

        @Test("A sink that aborts a bulk stream resets its source", arguments: Route.resettable, Side.allCases)
        func resetOfTheSink(route: Route, side: Side) throws {
            let path = try Path(route)
            let (aborting, other) = side.ends(of: path)
            let sender = Background { () -> WireError? in
                var stream = SeededStream(seed: 6)
                do {
                    while true { try other.send(1 << 20, of: &stream) }
                } catch {
                    return error as? WireError
                }
            }
            var expected = SeededStream(seed: 6)
            #expect(try aborting.verify(&expected, limit: 4 << 20) == .intact(bytes: 4 << 20))
            aborting.abort()
            #expect(try sender.value() == .reset)
            #expect(path.remora.settles())
        }

        @Test("A reset reaches a peer whose own stream is held up", arguments: Route.resettable, Side.allCases)
        func resetWhileBlocked(route: Route, side: Side) throws {
            let path = try Path(route)
            let (aborting, other) = side.ends(of: path)
            // Given a side that sends to one which does not read
            other.setPatience(.milliseconds(100))
            var stream = SeededStream(seed: 7)
            try other.sendUntilBlocked(from: &stream)
            other.setPatience(Wire.patience)
            // When the one that does not read aborts
            aborting.abort()
            // Then the sender learns it
            #expect(other.awaitEnd() == .reset)
            #expect(path.remora.settles())
        }

        @Test(
            "A reset by a source whose bytes are held up reaches the sink as one", arguments: Route.resettable,
            Side.allCases)
        func resetOfABlockedSource(route: Route, side: Side) throws {
            let path = try Path(route)
            let (aborting, other) = side.ends(of: path)
            aborting.setPatience(.milliseconds(100))
            var stream = SeededStream(seed: 8)
            try aborting.sendUntilBlocked(from: &stream)
            aborting.abort()
            // Remora gives the connection up although its sink takes nothing
            #expect(path.remora.settles())
            // And the sink, which has only now begun to read, gets no clean end
            #expect(other.awaitEnd() == .reset)
        }

        @Test("A reset that follows an end is passed on", arguments: Route.resettable, Side.allCases)
        func resetAfterTheEnd(route: Route, side: Side) throws {
            let path = try Path(route)
            let (aborting, other) = side.ends(of: path)
            try aborting.send("half")
            try aborting.endStream()
            #expect(try other.receiveTextToEnd() == "half")
            aborting.abort()
            // The stream from it was whole; what is sent to it can no longer arrive.
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 1)
        }

        @Test("A close that leaves bytes unread is an abort", arguments: Route.resettable, Side.allCases)
        func unreadBytes(route: Route, side: Side) throws {
            let path = try Path(route)
            let (closing, other) = side.ends(of: path)
            try other.send("never read")
            #expect(try eventually { try closing.hasUnread() })
            closing.close()
            #expect(other.awaitEnd() == .reset)
            #expect(path.remora.settles())
        }

        @Test("A unix client's abort resets the endpoint")
        func unixClientAborts() throws {
            let path = try Path(Route(client: .unix, endpoint: .tcp4))
            try path.server.send("never read")
            #expect(try eventually { try path.client.hasUnread() })
            path.client.close()
            #expect(path.server.awaitEnd() == .reset)
            #expect(path.remora.settles())
        }

        @Test("A unix endpoint's abort resets the client")
        func unixEndpointAborts() throws {
            let path = try Path(Route(client: .tcp4, endpoint: .unix))
            try path.client.send("never read")
            #expect(try eventually { try path.server.hasUnread() })
            path.server.close()
            #expect(path.client.awaitEnd() == .reset)
            #expect(path.remora.settles())
        }

        @Test(
            "A client that aborts while its endpoint is connected to frees everything",
            arguments: [Transport.tcp4, .distant])
        func abortDuringConnect(transport: Transport) throws {
            let hole = try BlackHole(transport)
            let remora = try Sidecar(to: [hole.address]) { $0.upstream.connectTimeout = .seconds(60) }
            let client = try remora.connect()
            try client.send("hello?")
            #expect(eventually { remora.endpoints[0].connections == 1 })
            client.abort()
            #expect(remora.settles())
            #expect(remora.listener.abortedTotal == 1)
            #expect(remora.endpoints[0].failuresTotal == 0)
        }

        @Test("A connection that takes the place of an aborted one hears nothing of its end")
        func placeTakenAtOnce() throws {
            // Given a worker that is kept busy, so that what happens meanwhile is reported to it at once
            let (bulk, isOver) = (try Path(), Flag())
            let (source, sink) = (bulk.server, bulk.client)
            let writer = Background {
                var stream = SeededStream(seed: 18)
                while !isOver.isSet { try source.send(1 << 20, of: &stream) }
                source.close()
            }
            let reader = Background { sink.awaitEnd() }
            for _ in 0..<300 {
                let aborted = (client: try bulk.remora.connect(), server: try bulk.endpoint.accept())
                // When one side aborts, a client comes, and then the other side aborts too
                aborted.client.abort()
                let client = try bulk.remora.connect()
                aborted.server.abort()
                // Then that client is served
                let server = try bulk.endpoint.accept()
                try client.send("ping")
                #expect(try server.receiveText(exactly: 4) == "ping")
                try server.send("pong")
                #expect(try client.receiveText(exactly: 4) == "pong")
            }
            isOver.set()
            try writer.value()
            #expect(try reader.value() == nil)
        }

        @Test("An endpoint that accepts and resets at once resets the client")
        func resetOnAccept() throws {
            let service = try Service { $0.abort() }
            let remora = try Sidecar(to: [service.address]) { $0.upstream.connectAttempts = 1 }
            for _ in 0..<100 {
                let client = try remora.connect()
                #expect(client.awaitEnd() == .reset)
            }
            #expect(remora.settles())
        }
    }
}

extension Wire {
    /// Whether bytes have arrived that nobody has read.
    func hasUnread() throws -> Bool {
        var byte: UInt8 = 0
        let count = unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        if count < 0, errno != EAGAIN { throw WireError(code: errno) }
        return count == 1
    }
}
