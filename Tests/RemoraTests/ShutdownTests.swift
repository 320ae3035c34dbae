// Signals, and the stages of a drain.

import Glibc
import Reactor
import Testing
import Vocabulary

@Suite("Signals")
struct ShutdownTests {
    @Test("SIGTERM and SIGINT let a transfer finish, refuse new clients, and end with 0", arguments: [SIGTERM, SIGINT])
    func drain(signal: Int32) throws {
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address]), options: ["--threads", "2"]) { remora in
            let ready = try remora.ready()
            // Given a client in the middle of a transfer
            let (client, accepted) = try connectedPair(through: ready.listener, to: server)
            // When the signal comes
            remora.signal(signal)
            try remora.log.line(containing: "draining for at most 20.0 seconds; another signal ends at once")
            try remora.log.line(containing: "listeners are closed; 1 connections are left")
            // Then nobody new is let in, and the admin port says why
            #expect(throws: SystemError.connectionRefused) { try Peer(to: ready.listener) }
            #expect(try get("/ready", from: ready.admin) == (503, "draining: 1 connection left\n"))
            #expect(try get("/live", from: ready.admin).status == 200)
            // And the transfer goes on to its end
            let block = [UInt8](repeating: 7, count: 1 << 20)
            try accepted.send(Array(block.prefix(1 << 15)))
            #expect(try client.receive(1 << 15).utf8.count == 1 << 15)
            accepted.close()
            #expect(try client.ending() == .end)
            client.close()
            #expect(try remora.ending() == .exit(0))
            #expect(try remora.log.rest().contains("drained"))
        }
    }

    @Test("A second signal ends it at once, and what was left is aborted", arguments: [SIGTERM, SIGINT])
    func secondSignal(signal: Int32) throws {
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address])) { remora in
            let (client, accepted) = try connectedPair(through: try remora.ready().listener, to: server)
            remora.signal(SIGTERM)
            try remora.log.line(containing: "draining")
            remora.signal(signal)
            #expect(try remora.ending() == .exit(0))
            #expect(try client.ending() == .reset)
            #expect(try accepted.ending() == .reset)
            #expect(try remora.log.rest().contains("a second signal: ending at once; 1 connections are aborted"))
        }
    }

    @Test("When the drain period is over, what is left is aborted, never ended as if complete")
    func drainDeadline() throws {
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address], drain: "1s")) { remora in
            let (client, accepted) = try connectedPair(through: try remora.ready().listener, to: server)
            remora.signal(SIGTERM)
            #expect(try client.ending() == .reset)
            #expect(try accepted.ending() == .reset)
            #expect(try remora.ending() == .exit(0))
            #expect(try remora.log.rest().contains("the drain period is over: 1 connections are aborted"))
        }
    }

    @Test("An idle remora ends at once")
    func idle() throws {
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address], drain: "24h")) { remora in
            _ = try remora.ready()
            remora.signal(SIGTERM)
            #expect(try remora.ending() == .exit(0))
        }
    }

    @Test("SIGHUP reads the config again, and a file that is as it was changes nothing")
    func hangUp() throws {
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address])) { remora in
            let listener = try remora.ready().listener
            let (client, accepted) = try connectedPair(through: listener, to: server)
            remora.signal(SIGHUP)
            try remora.log.line(containing: "config: read again; nothing has changed")
            try client.send("still")
            #expect(try accepted.receive(5) == "still")
            _ = try connectedPair(through: listener, to: server)
        }
    }
}
