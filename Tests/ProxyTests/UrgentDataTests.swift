// Urgent bytes (MSG_OOB): a mark in the stream at which reads stop short, or, for splice(2), stop.
//
// The mark must neither hold the stream up nor pass for its end.

import Testing
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Urgent bytes")
    struct UrgentDataTests {
        @Test(
            "An urgent byte amid small messages takes its place in the stream", arguments: Route.resettable,
            [true, false])
        func amidMessages(route: Route, fromClient: Bool) throws {
            let path = try Path(route)
            let (source, sink) = fromClient ? (path.client, path.server) : (path.server, path.client)
            try source.send("be")
            #expect(try sink.receiveText(exactly: 2) == "be")
            try source.send("fore")
            try source.sendUrgent(UInt8(ascii: "!"))
            try source.send("after")
            try source.endStream()
            #expect(try sink.receiveTextToEnd() == "fore!after")
        }

        @Test("An urgent byte as the last one arrives before the end", arguments: Route.resettable, [true, false])
        func last(route: Route, fromClient: Bool) throws {
            let path = try Path(route)
            let (source, sink) = fromClient ? (path.client, path.server) : (path.server, path.client)
            try source.send("all")
            try source.sendUrgent(UInt8(ascii: "!"))
            try source.endStream()
            #expect(try sink.receiveTextToEnd() == "all!")
        }

        @Test("Urgent bytes in a bulk stream neither stop nor end it", arguments: Route.resettable, [true, false])
        func amidBulk(route: Route, fromClient: Bool) throws {
            let path = try Path(route)
            let (source, sink) = fromClient ? (path.client, path.server) : (path.server, path.client)
            let sender = Background { () -> SeededStream in
                var stream = SeededStream(seed: 12)
                for _ in 0..<16 {
                    try source.send(1 << 20, of: &stream)
                    // The urgent byte is the stream's own next one
                    try source.sendUrgent(of: &stream)
                }
                try source.send(1 << 20, of: &stream)
                return stream
            }
            // No mark keeps what is behind it from arriving, with the stream still open
            var expected = SeededStream(seed: 12)
            let length = (17 << 20) + 16
            #expect(try sink.verify(&expected, limit: length) == .intact(bytes: length))
            // And the last one, right before the end, does not stand for it
            var stream = try sender.value()
            try source.sendUrgent(of: &stream)
            try source.endStream()
            #expect(try sink.verify(&expected) == .intact(bytes: length + 1))
        }

        @Test("Marks close behind each other lose no byte", arguments: [true, false])
        func close(fromClient: Bool) throws {
            let endpoint = try ManualEndpoint()
            let remora = try Sidecar(to: [endpoint.address])
            for seed in UInt64(0)..<100 {
                let client = try remora.connect()
                let server = try endpoint.accept()
                let (source, sink) = fromClient ? (client, server) : (server, client)
                let sender = Background { () -> Int in
                    var stream = SeededStream(seed: seed)
                    try source.send(600 << 10, of: &stream)
                    for _ in 0..<8 {
                        try source.sendUrgent(of: &stream)
                        try source.send(5000, of: &stream)
                    }
                    try source.endStream()
                    return stream.offset
                }
                var expected = SeededStream(seed: seed)
                let verdict = try sink.verify(&expected)
                #expect(try verdict == .intact(bytes: sender.value()))
            }
        }

        @Test(
            "A mark that waits behind a blocked bulk stream does not cut it off", arguments: Route.resettable,
            [true, false])
        func behindABlockedStream(route: Route, fromClient: Bool) throws {
            let path = try Path(route)
            let (source, sink) = fromClient ? (path.client, path.server) : (path.server, path.client)
            // Given a stream that moves in bulk, and then is held up
            var sent = SeededStream(seed: 13)
            let reader = Background { () -> (StreamVerdict, SeededStream) in
                var expected = SeededStream(seed: 13)
                return (try sink.verify(&expected, limit: 8 << 20), expected)
            }
            try source.send(8 << 20, of: &sent)
            let (verdict, expected) = try reader.value()
            #expect(verdict == .intact(bytes: 8 << 20))
            source.setPatience(.milliseconds(100))
            try source.sendUntilBlocked(from: &sent)
            // When the source marks its end, with all of it still on the way
            let rest = Background { [expected] () -> StreamVerdict in
                var expected = expected
                return try sink.verify(&expected)
            }
            source.setPatience(Wire.patience)
            try source.sendUrgent(of: &sent)
            try source.endStream()
            // Then all of it arrives
            #expect(try rest.value() == .intact(bytes: sent.offset))
        }
    }
}
