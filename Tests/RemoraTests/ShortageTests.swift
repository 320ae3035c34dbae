// When something is missing: descriptors, endpoints, somebody to read the log.

import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

@Suite("Shortages")
struct ShortageTests {
    @Test("Out of descriptors it pauses, without spinning, with one log line, and serves those who wait once others go")
    func descriptorExhaustion() throws {
        let server = try Server()
        let script = "ulimit -n 64; exec \"$0\" \"$@\""
        try withRemora(TestConfig(endpoints: [server.address]), script: script) { remora in
            let ready = try remora.ready()
            // Given more clients than fit, each with a number that it sends at once
            var clients: [String: Peer] = [:]
            for number in 100..<160 {
                clients["\(number)"] = try Peer(to: ready.listener)
                try clients["\(number)"]?.send("\(number)")
            }
            // When those that fit have been served
            var served: [(client: Peer, server: Peer)] = []
            while let peer = try server.accept(within: .milliseconds(500)) {
                let client = try #require(clients.removeValue(forKey: try peer.receive(3)))
                try peer.send("ok")
                #expect(try client.receive(2) == "ok")
                served.append((client, peer))
            }
            #expect((10..<31).contains(served.count))
            try remora.log.line(containing: "accepting pauses: Too many open files")
            #expect(try get("/stats", from: ready.admin).body.contains("\"state\":\"paused\""))
            // Then it is quiet: no lines, no CPU
            let before = try remora.processorSeconds()
            #expect(remora.log.text(within: .seconds(1)) == "")
            #expect(try remora.processorSeconds() - before < 0.1)
            // And those who wait are served as others leave
            for (client, peer) in served {
                client.close()
                peer.close()
            }
            while !clients.isEmpty {
                let peer = try server.accept()
                let client = try #require(clients.removeValue(forKey: try peer.receive(3)))
                try peer.send("ok")
                #expect(try client.receive(2) == "ok")
            }
            // And it says when that is over
            let last = try remora.log.line()
            #expect(last.contains("accepting goes on"))
            #expect(try get("/stats", from: ready.admin).body.contains("\"state\":\"listening\""))
            remora.signal(SIGTERM)
            #expect(try remora.ending() == .exit(0))
        }
    }

    @Test("With every endpoint down each client is closed promptly, every one is counted, and few lines are logged")
    func allEndpointsDown() throws {
        let (one, other) = (try Server(listens: false), try Server(listens: false))
        try withRemora(TestConfig(endpoints: [one.address, other.address])) { remora in
            let ready = try remora.ready()
            for _ in 0..<1000 {
                do {
                    _ = try Peer(to: ready.listener).ending()
                } catch let error as SystemError where error.code == ECONNRESET {
                    // So prompt that it was closed before this end had looked.
                }
            }
            let report = try report(from: ready.admin)
            let listener = report.listeners[0]
            #expect(listener.connectionsTotal == 1000)
            #expect(listener.refusedTotal == 1000)
            #expect(listener.abortedTotal == 0)
            #expect(listener.connections == 0)
            let upstream = report.upstreams[0]
            // Each client was tried on both endpoints.
            #expect(upstream.endpoints.map(\.failuresTotal) == [1000, 1000])
            #expect(upstream.retriesTotal == 1000)
            #expect(upstream.endpoints.allSatisfy { $0.connections == 0 && $0.outstanding == 0 })
            remora.signal(SIGTERM)
            let lines = try remora.log.rest().split(separator: "\n")
            for address in [one.address, other.address] {
                #expect(
                    lines.contains {
                        $0.hasSuffix(
                            "warning upstream out: \(address) did not accept a connection: Connection refused")
                    })
            }
            #expect(
                lines.contains { $0.contains("upstream out: no endpoint could be given to a client of listener in") })
            // Three kinds of line, each once and then once in five seconds.
            #expect(lines.count < 20)
        }
    }

    @Test("A full disk behind stdout and stderr stops nothing")
    func fullDisk() throws {
        try servesWithUnixSockets(script: "exec \"$0\" \"$@\" >/dev/full 2>&1") { _ in }
    }

    @Test("Without stdin, stdout and stderr it runs, and no socket takes their place")
    func closedStreams() throws {
        try servesWithUnixSockets(script: "exec \"$0\" \"$@\" <&- >&- 2>&-") { remora in
            let targets = try (0...2).map(remora.target)
            #expect(targets == ["/dev/null", "/dev/null", "/dev/null"])
        }
    }

    /// Remora has nowhere to print where it listens, so it does so on paths that are known.
    private func servesWithUnixSockets(script: String, check: (RemoraProcess) throws -> Void) throws {
        let (server, directory) = (try Server(), try TestDirectory())
        let listener = SocketAddress.unix(path: "\(directory.path)/in")
        let config = TestConfig(
            bind: "\(listener)", admin: "unix:\(directory.path)/admin", endpoints: [server.address])
        try withRemora(config, script: script) { remora in
            _ = try Wait.forAnswer { try Peer(to: listener) }
            _ = try server.accept()
            _ = try connectedPair(through: listener, to: server)
            try check(remora)
            remora.signal(SIGTERM)
            #expect(try remora.ending() == .exit(0))
        }
    }

    @Test("Without address space it ends with 70, and says what to change")
    func noAddressSpace() throws {
        let server = try Server()
        let script = "ulimit -v 500000; exec \"$0\" \"$@\""
        try withRemora(TestConfig(endpoints: [server.address]), script: script) { remora in
            #expect(try remora.ending() == .exit(70))
            let line = try remora.log.line(containing: "address space")
            #expect(line.contains("ulimit -v") && line.contains("vm.overcommit_memory"))
            #expect(try remora.output.rest() == "")
        }
    }

    @Test("A stderr that nobody reads loses lines and holds nothing up")
    func stalledLog() throws {
        // Given a pipe that is full
        let pipe = Pipe()
        let end = pipe.fileHandleForWriting.fileDescriptor
        try Kernel.adopt(end)
        let block = [UInt8](repeating: UInt8(ascii: "."), count: 4096)
        while unsafe write(end, block, block.count) > 0 {}
        // As the other end of a terminal or of a log collector is: waiting writes wait
        _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) & ~O_NONBLOCK)
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address]), errors: pipe.fileHandleForWriting) { remora in
            let ready = try remora.ready()
            _ = try connectedPair(through: ready.listener, to: server)
            remora.signal(SIGHUP)
            remora.signal(SIGTERM)
            #expect(try remora.ending() == .exit(0))
        }
    }
}
