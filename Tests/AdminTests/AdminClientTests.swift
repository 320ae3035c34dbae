import Glibc
import Testing

@testable import Admin
import Stats
import Vocabulary

@Suite("Asking a running remora")
struct AdminClientTests {
    @Test(
        "The client and the port understand each other, over TCP and a unix socket", arguments: ["tcp", "tcp6", "unix"])
    func understanding(kind: String) async throws {
        try await withTemporaryDirectory { directory in
            let bind: SocketAddress =
                switch kind {
                case "tcp": .anyLoopbackPort
                case "tcp6": .ipv6(.loopback, port: 0)
                default: .unix(path: "\(directory)/admin.sock")
                }
            try await withServer(bind: bind, token: "s3cret") { address in
                let reply = try await AdminClient(address: address, token: "s3cret").get("/stats")
                #expect(reply.status == 200)
                #expect(try ReportJSON.decode(StatsReport.self, from: reply.body) == .example)
                #expect(try await AdminClient(address: address, token: nil).get("/stats").status == 401)
                #expect(try await AdminClient(address: address, token: "s3cret").get("/nowhere").status == 404)
            }
        }
    }

    @Test("A port where nobody listens is unreachable, and why is said")
    func nobody() async throws {
        // Bound, so that nobody else gets the port, but not listening.
        let holder = try #require(SystemCalls.streamSocket(for: .anyLoopbackPort))
        defer { close(holder) }
        #expect(SystemCalls.bind(holder, to: .anyLoopbackPort) == 0)
        let address = try #require(SystemCalls.localAddress(of: holder))
        await #expect(throws: AdminClient.Failure.unreachable(address, reason: "Connection refused")) {
            try await AdminClient(address: address, token: nil).get("/live")
        }
        let path = SocketAddress.unix(path: "/nonexistent/admin.sock")
        await #expect(throws: AdminClient.Failure.unreachable(path, reason: "No such file or directory")) {
            try await AdminClient(address: path, token: nil).get("/live")
        }
    }

    @Test(
        "An answer is read as its head says",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", 200, "hello"),
            ("HTTP/1.0 503 Busy\r\n\r\nuntil the end", 503, "until the end"),
            ("HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n", 204, ""),
        ])
    func answers(bytes: String, status: Int, body: String) async throws {
        try await withAnswer(bytes) { address in
            let reply = try await AdminClient(address: address, token: nil).get("/")
            #expect(reply == AdminReply(status: status, body: Array(body.utf8)))
        }
    }

    @Test(
        "What is no answer says what came instead",
        arguments: [
            ("", "it closed without an answer"), ("HTTP/1.1 200 OK\r\n", "it closed without an answer"),
            ("SSH-2.0-OpenSSH\r\n\r\n", "it began with \"SSH-2.0-OpenSSH\""),
            ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "its answer was cut short"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "its answer comes in chunks"),
        ])
    func noAnswers(bytes: String, reason: String) async throws {
        try await withAnswer(bytes) { address in
            await #expect(throws: AdminClient.Failure.notUnderstood(address, reason: reason)) {
                try await AdminClient(address: address, token: nil).get("/")
            }
        }
    }

    @Test("An answer beyond 64 MiB is not read")
    func tooLong() async throws {
        try await withAnswer("HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n") { address in
            await #expect(throws: AdminClient.Failure.tooLong(address)) {
                try await AdminClient(address: address, token: nil).get("/")
            }
        }
    }

    @Test("A port that accepts and says nothing is given up after the timeout")
    func silence() async throws {
        let listener = try ListeningSocket(binding: .anyLoopbackPort)
        let address = listener.address
        await #expect(throws: AdminClient.Failure.tooSlow(address, limit: .milliseconds(50))) {
            try await AdminClient(address: address, token: nil).get("/live", timeout: .milliseconds(50))
        }
        listener.close()
    }

    @Test("A refusal says what to do about it")
    func refusals() {
        let address = SocketAddress.ipv4(.loopback, port: 9901)
        func told(_ status: Int, _ body: String = "", tokenFile: String? = nil) -> String? {
            AdminReply(status: status, body: Array(body.utf8)).refusal(from: address, tokenFile: tokenFile)
        }
        #expect(told(200) == nil)
        #expect(told(401)?.contains("--token-file FILE") == true)
        #expect(told(401, tokenFile: "/etc/t")?.contains("does not know the token in /etc/t") == true)
        #expect(told(403, "pages may not\n")?.contains("foreign request: pages may not\n") == true)
        #expect(told(503, "busy\n") == "the admin port at 127.0.0.1:9901 answered 503: busy")
    }

    /// Something that answers the first connection with `bytes`, whatever is asked, and closes.
    private func withAnswer(_ bytes: String, _ body: (SocketAddress) async throws -> Void) async throws {
        let listener = try ListeningSocket(binding: .anyLoopbackPort)
        defer { listener.close() }
        async let answering: Void = onOwnThread {
            var watched = pollfd(fd: listener.socket.file.rawValue, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&watched, 1, 10_000) == 1, case .connection(let socket) = listener.accept() else {
                return
            }
            let descriptor = socket.file.rawValue
            var request = [UInt8](repeating: 0, count: 4096)
            _ = unsafe recv(descriptor, &request, request.count, 0)
            let answer = Array(bytes.utf8)
            _ = unsafe Glibc.send(descriptor, answer, answer.count, Int32(MSG_NOSIGNAL))
            Glibc.close(descriptor)
        }
        try await body(listener.address)
        _ = try await answering
    }
}
