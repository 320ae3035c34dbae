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
    }
}
