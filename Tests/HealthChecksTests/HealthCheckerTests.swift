// The checker over real sockets.

import Reactor
import Testing
import Vocabulary

@testable import HealthChecks

@Suite("The health checker")
struct HealthCheckerTests {
    private static func http(_ path: String = "/healthz", timeout: Duration = .seconds(5)) -> HealthCheckOptions {
        HealthCheckOptions(probe: .http(path: path), interval: max(.seconds(5), timeout), timeout: timeout)
    }

    private static let tcp = HealthCheckOptions(probe: .tcp, interval: .seconds(5), timeout: .seconds(5))

    private func checker() throws -> HealthChecker { try HealthChecker(random: SeededRandom(seed: 1)) }

    /// The first verdict on an instance.
    private func verdict(_ instance: Instance, _ options: HealthCheckOptions) throws -> HealthCheck.State {
        let checker = try checker()
        checker.watch("web", at: instance.address, options)
        #expect(checker.state(of: "web") == .unknown)
        let changes = try checker.run([instance]) { !$0.isEmpty }
        #expect(changes.map(\.service) == ["web"])
        #expect(checker.state(of: "web") == changes.first?.state)
        return try #require(changes.first?.state)
    }

    @Test(
        "A status of 200 to 299 passes and every other fails, with the status as reason",
        arguments: [
            ("200 OK", .passing), ("204", .passing), ("299 Fine", .passing),
            ("300 Elsewhere", .failing("GET /healthz answered 300")),
            ("199 Soon", .failing("GET /healthz answered 199")),
            ("503 Service Unavailable", .failing("GET /healthz answered 503")),
        ] as [(String, HealthCheck.State)])
    func statuses(status: String, state: HealthCheck.State) throws {
        let instance = try Instance(.answers("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n"))
        #expect(try verdict(instance, HealthCheckerTests.http()) == state)
    }

    @Test("It asks as a client of HTTP/1.1 does, and for the connection to be closed")
    func request() throws {
        let instance = try Instance(.answersAndEnds("HTTP/1.1 200 OK\r\n\r\n"))
        #expect(try verdict(instance, HealthCheckerTests.http("/healthz?full=1")) == .passing)
        #expect(
            String(decoding: instance.connections[0].received, as: UTF8.self)
                == "GET /healthz?full=1 HTTP/1.1\r\nHost: \(instance.address)\r\nUser-Agent: remora-health-check\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        )
    }

    @Test(
        "What is no answer fails, with a sentence that says what it was instead",
        arguments: [
            (.answersAndEnds(""), "GET /healthz got no answer, and the end"),
            (.answersAndEnds("HTTP/1.1 20"), "GET /healthz got half a status line, and the end"),
            (.answers("SSH-2.0-x\r\n"), "GET /healthz got something else than an answer in HTTP/1"),
            (.answers("{\"ok\": true}"), "GET /healthz got something else than an answer in HTTP/1"),
            (
                .neverEnds("HTTP/1.1 200 " + String(repeating: "o", count: 1_000)),
                "GET /healthz got a status line of more than 4096 bytes"
            ),
            (.resets, "GET /healthz got no answer: Connection reset by peer"),
        ] as [(Instance.Manner, String)])
    func noAnswers(manner: Instance.Manner, reason: String) throws {
        let state = try verdict(try Instance(manner), HealthCheckerTests.http())
        if case .resets = manner {
            // Where the reset is seen depends on how far the check had come.
            guard case .failing(let text) = state else { return #expect(state == .failing(reason)) }
            #expect(text.hasSuffix("Connection reset by peer") || text.hasSuffix("Broken pipe"), "\(text)")
        } else {
            #expect(state == .failing(reason))
        }
    }

    @Test("An answer may come byte by byte")
    func dribbling() throws {
        #expect(try verdict(try Instance(.dribbles("HTTP/1.1 200 OK\r\n\r\n")), HealthCheckerTests.http()) == .passing)
    }

    @Test(
        "An instance that says nothing, or never comes to the end of its first line, fails when its time is over",
        arguments: [.waits, .answers("HTTP/1.1 200 O")] as [Instance.Manner])
    func silence(manner: Instance.Manner) throws {
        let state = try verdict(try Instance(manner), HealthCheckerTests.http(timeout: .milliseconds(50)))
        #expect(state == .failing("GET /healthz got no answer in 50 ms"))
    }

    @Test("A refused connection fails at once, of whatever probe", arguments: [tcp, http()])
    func refused(options: HealthCheckOptions) throws {
        let instance = try Instance(.waits, accepts: false)
        #expect(try verdict(instance, options) == .failing("connect to \(instance.address) refused"))
    }

    @Test("Two ends of one socket are no instance")
    func connectedToItself() throws {
        let socket = try Kernel.bind(.ipv4(.loopback, port: 0), sharingPort: false)
        let address = try #require(Kernel.localAddress(of: socket))
        let connection = CheckConnection(.tcp, at: address, on: socket, until: Kernel.now() + .seconds(1))
        let form = address.kernelForm
        let outcome = unsafe form.withUnsafeBytes { unsafe Kernel.connect(socket, to: $0) }
        #expect(outcome.succeeded || outcome.error == .inProgress)
        let poller = try Poller()
        poller.addLevel(of: socket, token: 0, for: connection.interest)
        #expect(poller.wait(milliseconds: 5_000) == 1)
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(connection.advance(&buffer) == .failed("connect to \(address) refused"))
        #expect(connection.stage == .over)
    }

    @Test("A queue that is full is no connection, when its time is over")
    func fullQueue() throws {
        let instance = try Instance(.waits, accepts: false)
        try instance.listen(backlog: 0)
        let checker = try checker()
        let options = HealthCheckOptions(probe: .tcp, interval: .seconds(5), timeout: .milliseconds(100))
        // Nobody accepts: the queue has room for one, and the rest is not answered.
        for number in 0..<8 {
            checker.watch("\(number)", at: instance.address, options)
        }
        let changes = try checker.run([]) { $0.count == 8 }
        #expect(changes.contains { $0.state == .failing("no connection to \(instance.address) in 100 ms") })
    }

    @Test("Services at IPv6 addresses and at paths are checked like others")
    func families() throws {
        let scratch = Scratch()
        for address in [SocketAddress.ipv6(.loopback, port: 0), .unix(path: "\(scratch.path)/a")] {
            let instance = try Instance(.answersAndEnds("HTTP/1.1 200 OK\r\n\r\n"), at: address)
            #expect(try verdict(instance, HealthCheckerTests.http()) == .passing)
            #expect(try verdict(instance, HealthCheckerTests.tcp) == .passing)
            let host = address.port == nil ? "localhost" : "\(instance.address)"
            let request = String(decoding: instance.connections[0].received, as: UTF8.self)
            #expect(request.contains("\r\nHost: \(host)\r\n"))
        }
    }

    @Test("A path where nobody listens, or where the queue is full, fails with its own reason")
    func paths() throws {
        let scratch = Scratch()
        let nowhere = SocketAddress.unix(path: "\(scratch.path)/none")
        let checker = try checker()
        checker.watch("nowhere", at: nowhere, HealthCheckerTests.tcp)
        let full = try Instance(.waits, at: .unix(path: "\(scratch.path)/full"), accepts: false)
        try full.listen(backlog: 0)
        for number in 0..<4 { checker.watch("full \(number)", at: full.address, HealthCheckerTests.tcp) }
        let changes = try checker.run([]) { $0.count == 5 }
        let states = Dictionary(uniqueKeysWithValues: changes.map { ($0.service, $0.state) })
        #expect(states["nowhere"] == .failing("connect to \(nowhere) failed: No such file or directory"))
        #expect(
            changes.contains { $0.state == .failing("connect to \(full.address) refused: its queue is full") })
    }

    // MARK: What the instance sees

    @Test(
        "A check ends its connection cleanly: the instance sees the end and no reset, though it has said something",
        arguments: [
            (tcp, Instance.Manner.answers("220 mail ESMTP, and many more words of greeting\r\n")),
            (tcp, .waits),
            (http(), .answersAndEnds("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "body ", count: 2_000))),
            (http(), .answersAndEnds("HTTP/1.1 503 No\r\n\r\n" + String(repeating: "body ", count: 2_000))),
        ])
    func cleanEnd(options: HealthCheckOptions, manner: Instance.Manner) throws {
        let instance = try Instance(manner)
        let checker = try checker()
        checker.watch("web", at: instance.address, options)
        try checker.run([instance]) { _ in instance.connections.first?.ended != nil }
        #expect(instance.connections.first?.ended == .some(.none))
    }

    @Test("An answer that never ends is closed over after a bound, long before the check's time is over")
    func endlessBody() throws {
        let body = String(repeating: "x", count: 4_096)
        let instance = try Instance(.neverEnds("HTTP/1.1 200 OK\r\n\r\n\(body)"))
        let checker = try checker()
        checker.watch("web", at: instance.address, HealthCheckerTests.http(timeout: .seconds(60)))
        let changes = try checker.run([instance]) { _ in instance.connections.first?.ended != nil }
        #expect(changes.map(\.state) == [.passing])
        // Neither ended nor asked for more: the kernel's buffers hold the rest.
        #expect(instance.connections[0].sent > CheckConnection.mostDiscarded)
    }

    @Test("An instance that keeps the connection open loses it when the check's time is over")
    func lingering() throws {
        let instance = try Instance(.answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        let checker = try checker()
        checker.watch("web", at: instance.address, HealthCheckerTests.http(timeout: .milliseconds(100)))
        let changes = try checker.run([instance]) { _ in instance.connections.first?.ended != nil }
        #expect(changes.map(\.state) == [.passing])
        #expect(checker.nextWake > Kernel.now() + .seconds(3))
    }

    // MARK: Over time

    @Test("A service falls after fall checks and rises after rise, one connection each")
    func fallAndRise() throws {
        let instance = try Instance(.waits)
        let checker = try checker()
        let pace = HealthCheckOptions(
            probe: .tcp, interval: .milliseconds(20), timeout: .milliseconds(20), fall: 3, rise: 2)
        checker.watch("web", at: instance.address, pace)
        try checker.run([instance]) { $0.map(\.state) == [.passing] }
        instance.stopListening()
        try checker.run([instance]) {
            $0.map(\.state) == [.failing("connect to \(instance.address) refused")]
        }
        let before = instance.connections.count
        try instance.listen()
        try checker.run([instance]) { $0.map(\.state) == [.passing] }
        #expect(instance.connections.count == before + 2)
    }

    @Test("After a refusal that a worker has seen it fails at once, and passes when the instance is back")
    func refusalElsewhere() throws {
        let instance = try Instance(.waits)
        let checker = try checker()
        checker.watch("web", at: instance.address, .afterRefusal, from: .failing("refused"))
        let changes = try checker.run([instance]) { !$0.isEmpty }
        #expect(changes == [HealthChange(service: "web", state: .passing)])
        #expect(checker.fail("web", because: "connect to \(instance.address) refused"))
        #expect(!checker.fail("web", because: "connect to \(instance.address) refused"))
        #expect(checker.state(of: "web") == .failing("connect to \(instance.address) refused"))
        // Soon: not after the interval of 1 s.
        #expect(checker.nextWake <= Kernel.now() + .milliseconds(100))
        try checker.run([instance]) { $0.map(\.state) == [.passing] }
    }

    @Test("What a check hears that began before a refusal says nothing any more")
    func staleVerdict() throws {
        let instance = try Instance(.answers("HTTP/1.1 200 OK\r\n\r\n"))
        let checker = try checker()
        var options = HealthCheckerTests.http()
        options.rise = 1
        checker.watch("web", at: instance.address, options)
        try checker.run([]) { _ in checker.nextWake > Kernel.now() + .seconds(1) }
        #expect(checker.fail("web", because: "refused"))
        // Its answer is there, and nobody reads it: the next check's is.
        let changes = try checker.run([instance]) { !$0.isEmpty }
        #expect(changes.map(\.state) == [.passing])
        #expect(instance.connections.count == 2)
    }

    @Test("A check that runs is not begun again, however soon the next is due")
    func oneAtATime() throws {
        let instance = try Instance(.waits)
        let checker = try checker()
        let options = HealthCheckOptions(probe: .http(path: "/"), interval: .milliseconds(10), timeout: .seconds(10))
        checker.watch("web", at: instance.address, options)
        try checker.run([instance]) { _ in instance.connections.first?.received.isEmpty == false }
        // A few intervals later
        let end = Kernel.now() + .milliseconds(100)
        try checker.run([instance]) { _ in Kernel.now() > end }
        #expect(instance.connections.count == 1 && instance.connections[0].ended == nil)
    }

    @Test("Who is no longer watched, or watched anew, is not told of")
    func stopped() throws {
        let instance = try Instance(.waits)
        let checker = try checker()
        checker.watch("web", at: instance.address, HealthCheckerTests.http())
        try checker.run([instance]) { _ in !instance.connections.isEmpty }
        checker.stopWatching("web")
        #expect(checker.state(of: "web") == nil && checker.nextWake == Instant(nanoseconds: .max))
        #expect(!checker.fail("web", because: "refused"))
        #expect(checker.turn().isEmpty)
        try checker.run([instance]) { _ in instance.connections.first?.ended != nil }
        checker.watch("web", at: instance.address, HealthCheckerTests.tcp, from: .failing("x"))
        checker.watch("web", at: instance.address, HealthCheckerTests.tcp)
        #expect(checker.state(of: "web") == .unknown)
    }

    @Test("Where it was us who slept, the instance gets its time once more")
    func oversleeping() throws {
        let instance = try Instance(.answers("HTTP/1.1 200 OK\r\n\r\n"))
        let checker = try checker()
        checker.watch("web", at: instance.address, HealthCheckerTests.http(timeout: .milliseconds(50)))
        // Until the first check is due for certain
        let sleep = try Poller()
        _ = sleep.wait(milliseconds: 110)
        #expect(checker.turn().isEmpty)
        // Connected by now, and nobody here to ask in time.
        _ = sleep.wait(milliseconds: 200)
        let changes = try checker.run([instance]) { !$0.isEmpty }
        #expect(changes.map(\.state) == [.passing])
    }

    @Test("Sixty-four services are checked side by side: the slow hold up nobody")
    func many() throws {
        let slow = try Instance(.waits)
        let well = try Instance(.answersAndEnds("HTTP/1.1 200 OK\r\n\r\n"))
        let refusing = try Instance(.waits, accepts: false)
        let checker = try checker()
        let instances = [slow, well, refusing, well]
        for number in 0..<HealthChecker.mostServices {
            checker.watch(
                "s\(number)", at: instances[number % 4].address,
                HealthCheckOptions(
                    probe: .http(path: "/"), interval: .milliseconds(1_500), timeout: .milliseconds(1_500)))
        }
        let changes = try checker.run([slow, well]) { $0.count == HealthChecker.mostServices }
        let last = changes.suffix(HealthChecker.mostServices / 4)
        #expect(last.allSatisfy { $0.state == .failing("GET / got no answer in 1.5 s") })
        #expect(changes.count { $0.state == .passing } == 32)
        #expect(changes.count { $0.state == .failing("connect to \(refusing.address) refused") } == 16)
    }

    @Test("Whatever bytes an instance answers, there is a verdict, and one", arguments: UInt64(0)..<30)
    func noise(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let head = Bool.random(using: &random) ? "HTTP/1.1 " : ""
        let bytes = (0..<Int(random.below(300))).map { _ in UInt8(random.below(128)) }
        let instance = try Instance(.answersAndEnds(head + String(decoding: bytes, as: UTF8.self)))
        let state = try verdict(instance, HealthCheckerTests.http())
        #expect(state != .unknown)
    }
}
