// Each direction of a stream through TLS ends by itself, and a cut is never taken for an end.

import Glibc
import TLS
import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Ends through TLS")
    struct SecureEndTests {
        @Test("A question and its answer pass, and both ends close cleanly", arguments: Sealing.secured)
        func exchange(sealing: Sealing) throws {
            let path = try SecurePath(sealing)
            try path.client.send("question")
            #expect(path.server.receiveText(exactly: 8) == "question")
            try path.server.send("answer")
            #expect(path.client.receiveText(exactly: 6) == "answer")
            try path.client.endStream()
            #expect(path.server.receiveTextToEnd() == "")
            #expect(path.server.ending == .end)
            try path.server.endStream()
            #expect(path.client.receiveTextToEnd() == "")
            #expect(path.client.ending == .end)
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 0)
        }

        @Test(
            "A side that has ended its stream hears the other to its end", arguments: Sealing.secured,
            SecurePath.Side.allCases)
        func halfClose(sealing: Sealing, side: SecurePath.Side) throws {
            let path = try SecurePath(sealing)
            let (first, last) = path.ends(from: side)
            try first.send("that is all")
            try first.endStream()
            #expect(last.receiveTextToEnd() == "that is all")
            #expect(last.ending == .end)
            // The other direction goes on for as long as it likes
            for _ in 0..<3 {
                try last.send("and more")
                #expect(first.receiveText(exactly: 8) == "and more")
            }
            try last.endStream()
            #expect(first.receiveTextToEnd() == "")
            #expect(first.ending == .end)
            #expect(path.remora.settles())
            #expect(path.remora.listener.abortedTotal == 0)
        }

        @Test(
            "An end without close_notify is an abort, told after all that came before",
            arguments: [
                (Sealing.tlsToTLS, SecurePath.Side.client), (.tlsToTLS, .endpoint), (.tlsToTCP, .client),
                (.tcpToTLS, .endpoint),
            ])
        func truncation(sealing: Sealing, side: SecurePath.Side) throws {
            let path = try SecurePath(sealing)
            let (source, sink) = path.ends(from: side)
            // Given more than the sink's socket takes at once
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
            let heard = Background { sink.receiveToEnd() }
            try source.send(bytes)
            // When the source's socket ends where the stream has not
            try source.wire.endStream()
            // Then everything arrives, and no end
            #expect(try heard.value() == bytes)
            #expect(path.remora.settles())
            #expect(sink.ending == .reset)
            #expect(path.remora.listener.abortedTotal == 1)
        }

        @Test("A reset is passed on as a reset", arguments: Sealing.secured, SecurePath.Side.allCases)
        func reset(sealing: Sealing, side: SecurePath.Side) throws {
            let path = try SecurePath(sealing)
            let (source, sink) = path.ends(from: side)
            try source.send("half a ")
            #expect(sink.receiveText(exactly: 7) == "half a ")
            source.wire.abort()
            #expect(sink.receiveToEnd() == [])
            #expect(sink.ending == .reset)
            #expect(path.remora.settles())
        }

        @Test(
            "A record that was changed on the way aborts both sides, and the side at fault is told",
            arguments: [
                (Sealing.tlsToTLS, SecurePath.Side.client), (.tlsToTLS, .endpoint), (.tlsToTCP, .client),
                (.tcpToTLS, .endpoint),
            ])
        func forgedRecord(sealing: Sealing, side: SecurePath.Side) throws {
            let path = try SecurePath(sealing)
            let (source, sink) = path.ends(from: side)
            try source.send("true")
            #expect(sink.receiveText(exactly: 4) == "true")
            // A record of application data that nobody has encrypted
            try source.wire.send([23, 3, 3, 0, 32] + [UInt8](repeating: 9, count: 32))
            #expect(sink.receiveToEnd() == [])
            #expect(sink.ending == .reset)
            _ = source.receiveToEnd()
            #expect(source.ending == .fault("the peer sent the TLS alert \"bad record mac\""))
            #expect(path.remora.settles())
        }

        @Test("An idle connection is closed after its time", arguments: Sealing.secured)
        func idle(sealing: Sealing) throws {
            let path = try SecurePath(sealing) { $0.listener.idleTimeout = .milliseconds(300) }
            try path.client.send("x")
            #expect(path.server.receiveText(exactly: 1) == "x")
            _ = path.client.receiveToEnd()
            #expect(path.client.ending == .reset)
            #expect(path.remora.settles())
        }

        @Test("A drained endpoint's connection at rest ends by close_notify on both sides", arguments: Sealing.secured)
        func drained(sealing: Sealing) throws {
            let path = try SecurePath(sealing)
            try path.client.send("question")
            #expect(path.server.receiveText(exactly: 8) == "question")
            try path.server.send("answer")
            #expect(path.client.receiveText(exactly: 6) == "answer")
            path.remora.turn(to: .drain, state: .draining, cause: .left)
            #expect(path.client.receiveToEnd() == [])
            #expect(path.client.ending == .end)
            #expect(path.server.receiveToEnd() == [])
            #expect(path.server.ending == .end)
            #expect(path.remora.settles())
            #expect(path.remora.endpoints[0].drainedTotal == 1)
        }

        @Test("Decrypted bytes count, and an answered connection waits for nothing", arguments: Sealing.secured)
        func outstanding(sealing: Sealing) throws {
            let path = try SecurePath(sealing)
            #expect(path.remora.endpoints[0].outstanding == 1)
            try path.client.send("question")
            #expect(path.server.receiveText(exactly: 8) == "question")
            try path.server.send("answer")
            #expect(path.client.receiveText(exactly: 6) == "answer")
            #expect(eventually { path.remora.endpoints[0].outstanding == 0 })
            try path.client.send("more")
            #expect(eventually { path.remora.endpoints[0].outstanding == 1 })
            #expect(path.server.receiveText(exactly: 4) == "more")
            #expect(path.remora.listener.receivedBytesTotal == 12)
            #expect(path.remora.endpoints[0].sentBytesTotal == 12)
            #expect(path.remora.endpoints[0].receivedBytesTotal == 6)
        }
    }
}
