import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Admin
import Stats
import Vocabulary

@Suite("The admin port under strain")
struct AdminOverloadTests {
    @Test("Two hundred silent clients do not keep /live from answering")
    func silentClients() async throws {
        try await withServer { address in
            let silent = try await onOwnThread { try (0..<200).map { _ in try Wire(to: address) } }
            #expect(try await ask(address, "GET /live").status == 200)
            for wire in silent { wire.close() }
        }
    }

    @Test("Clients that never end their request do not keep /live from answering either")
    func unfinishedRequests() async throws {
        try await withServer { address in
            let slow = try await onOwnThread {
                try (0..<200).map { _ in
                    let wire = try Wire(to: address)
                    // The one that gives way may be gone before it has sent anything.
                    try? wire.send("GET /live HTTP/1.1\r\nHost: loc")
                    return wire
                }
            }
            #expect(try await ask(address, "GET /live").status == 200)
            for wire in slow { wire.close() }
        }
    }

    @Test("Two thousand short connections, eight at a time, are all answered at once")
    func descriptorsReused() async throws {
        try await withServer { address in
            try await withThrowingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await onOwnThread {
                            for _ in 0..<250 {
                                let wire = try Wire(to: address)
                                try wire.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                                // Gives up, and fails, after ten seconds.
                                _ = try wire.receiveAnswer()
                                // While the server waits for more, so that its waiting ends with the connection.
                                wire.close()
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("One connection too many makes the one without progress for longest give way")
    func givingWay() async throws {
        var limits = AdminLimits()
        limits.connections = 2
        try await withServer(limits: limits) { address in
            try await onOwnThread {
                // Given two clients, of which the first has asked last
                let first = try Wire(to: address)
                let second = try Wire(to: address)
                for wire in [first, second, first] {
                    try wire.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    _ = try wire.receiveAnswer()
                }
                // When a third comes
                let third = try Wire(to: address)
                // Then the second is closed, and the others are served
                #expect(try second.receive().isEmpty)
                for wire in [third, first] {
                    try wire.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    #expect(try wire.receiveAnswer().status == 200)
                }
            }
        }
    }

    @Test("A silent client is closed after the idle time")
    func idle() async throws {
        var limits = AdminLimits()
        limits.idle = .milliseconds(30)
        try await withServer(limits: limits) { address in
            let text = try await onOwnThread { try Wire(to: address).receiveAll() }
            #expect(text.isEmpty)
        }
    }

    @Test("A request that does not end in time is answered 408, however it drips")
    func slowRequest() async throws {
        var limits = AdminLimits()
        limits.request = .milliseconds(300)
        try await withServer(limits: limits) { address in
            let text = try await onOwnThread {
                let wire = try Wire(to: address)
                try wire.send("GET /live HTTP/1.1\r\nA: ")
                // Bytes that come meanwhile buy no time: there are enough for longer than this client waits.
                DispatchQueue(label: "drip").async {
                    while (try? wire.send("a")) != nil { usleep(1_000) }
                }
                return try wire.receiveAll()
            }
            #expect(Answer(text)?.status == 408)
        }
    }

    @Test("A client that does not read its answer is closed after the write time")
    func slowReader() async throws {
        var limits = AdminLimits()
        limits.write = .milliseconds(50)
        var report = StatsReport.example
        let endpoint = report.upstreams[0].endpoints[0]
        report.upstreams[0].endpoints = Array(repeating: endpoint, count: 50_000)
        let large = report
        try await withTemporaryDirectory { directory in
            let bind = SocketAddress.unix(path: "\(directory)/admin.sock")
            try await withServer(bind: bind, source: .example(stats: { large }), limits: limits) { address in
                let text = try await onOwnThread {
                    let wire = try Wire(to: address)
                    try wire.send("GET /stats HTTP/1.1\r\n\r\n")
                    try wire.waitUntilClosed()
                    return try wire.receiveAll()
                }
                let answer = try #require(Answer(text))
                #expect(answer.status == 200)
                #expect(!answer.isComplete)
            }
        }
    }

    @Test("/live answers while every report is stuck, and a ninth report is refused")
    func stuckReports() async throws {
        let gate = DispatchSemaphore(value: 0)
        let source = AdminSource.example(stats: {
            gate.wait()
            return .example
        })
        try await withServer(source: source) { address in
            // When nine reports are asked for, and none comes forth
            let asking = try await onOwnThread {
                try (0...ReportDesk.depth).map { _ in
                    let wire = try Wire(to: address)
                    try wire.send("GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    return wire
                }
            }
            defer { for _ in asking { gate.signal() } }
            // Then whichever comes last is refused
            let refused = try await onOwnThread { try asking.firstAnswer() }
            #expect(refused.status == 503)
            #expect(refused.body == "8 reports are being waited for already; ask again\n")
            // And nothing holds up the others
            #expect(try await ask(address, "GET /live").status == 200)
            #expect(try await ask(address, "GET /ready").status == 200)
        }
    }

    @Test("Stopping ends connections, frees the address, and may be done twice")
    func stopping() async throws {
        // A path, since a TCP port stays open in a program that another test starts, until it has exec'ed.
        try await withTemporaryDirectory { directory in
            let address = SocketAddress.unix(path: "\(directory)/admin.sock")
            let server = AdminServer(bind: address, source: .example())
            #expect(try await server.start() == address)
            let wire = try await onOwnThread {
                let wire = try Wire(to: address)
                try wire.send("GET /live HTTP/1.1\r\n\r\n")
                _ = try wire.receiveAnswer()
                return wire
            }
            await server.stop()
            #expect(try await onOwnThread { try wire.receive() }.isEmpty)
            #expect(throws: Wire.Failure(errno: ENOENT)) { try Wire(to: address) }
            await server.stop()
            let second = AdminServer(bind: address, source: .example())
            #expect(try await second.start() == address)
            await second.stop()
        }
    }

    @Test("A second server on one address is told that it is in use")
    func secondServer() async throws {
        try await withServer { address in
            let second = AdminServer(bind: address, source: .example())
            await #expect(throws: AdminStartError.addressInUse(address)) { try await second.start() }
        }
    }

    @Test("Where descriptors run short, each new client makes the one before it give way")
    func lastDescriptors() async throws {
        // As if all that are left were the last ones.
        var limits = AdminLimits()
        limits.sparedDescriptors = 1 << 40
        try await withServer(limits: limits) { address in
            try await onOwnThread {
                var before: Wire?
                for _ in 0..<8 {
                    let wire = try Wire(to: address)
                    try wire.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    #expect(try wire.receiveAnswer().status == 200)
                    if let before { #expect(try before.receive().isEmpty) }
                    before = wire
                }
            }
        }
    }
}

extension Array where Element == Wire {
    /// The answer that comes first on any of these connections.
    fileprivate func firstAnswer() throws -> Answer {
        var watched = map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        guard unsafe poll(&watched, nfds_t(watched.count), 10_000) > 0,
            let ready = watched.firstIndex(where: { $0.revents != 0 })
        else { throw Wire.Failure(errno: ETIMEDOUT) }
        return try self[ready].receiveAnswer()
    }
}
