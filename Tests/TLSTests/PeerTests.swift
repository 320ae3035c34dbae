// Against programs that are not ours, in both directions: openssl, curl and python3, and GnuTLS's (gnutls-bin) where it
// is installed.

import Foundation
import TLS
import Testing
import Vocabulary

@Suite("Streams with other implementations")
struct PeerTests {
    let certificates: Certificates

    init() throws { certificates = try Certificates.shared.get() }

    static let groups = ["X25519", "P-256", "P-384"]
    static let suites = [
        ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"), ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"), ("TLSv1.2", "ECDHE-RSA-CHACHA20-POLY1305"),
        ("TLSv1.3", "TLS_AES_128_GCM_SHA256"), ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
        ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"),
    ]

    /// s_client's and s_server's options for a version with one suite.
    private func options(_ version: String, _ suite: String) -> [String] {
        version == "TLSv1.2" ? ["-tls1_2", "-cipher", suite] : ["-tls1_3", "-ciphersuites", suite]
    }

    /// Answers one request of a program with one response, and ends.
    private func serve(
        _ arguments: [String], input: String = "ping\n", request: String = "ping\n", response: String = "pong\n",
        _ context: ServerContext, check: (Party) -> Void = { _ in }
    ) throws -> ProgramOutcome {
        let listener = try Loopback.Listener()
        let program = try Program(
            arguments.map { $0.replacing("PORT", with: "\(listener.port)") }, input: input, keepsInputOpen: true)
        let socket = try listener.accept()
        let party = Party(serving: socket, context)
        try run([party]) { party.end != .open || String(decoding: party.received, as: UTF8.self).hasSuffix(request) }
        party.outgoing = Array(response.utf8)[...]
        party.finishes = true
        try run([party]) { party.isDone }
        check(party)
        try run([party]) { party.end != .open }
        return program.outcome()
    }

    // MARK: As a server

    @Test("s_client speaks every version, suite and group with us", arguments: suites, groups)
    func opensslClient(suite: (String, String), group: String) throws {
        let context = try certificates.server(
            suite.1.contains("RSA") && !suite.1.contains("ECDSA") ? ["rsa"] : ["server"])
        let outcome = try serve(
            [
                "openssl", "s_client", "-quiet", "-connect", "127.0.0.1:PORT", "-CAfile", certificates.path("ca.pem"),
                "-verify_return_error", "-verify_hostname", "a.edge", "-curves",
                group == "P-256" ? group : "\(group):P-256",
            ] + options(suite.0, suite.1), context
        ) { party in
            #expect(party.handle.terms.version == suite.0 && party.handle.terms.cipher == suite.1)
        }
        #expect(outcome.output.contains("pong"), "\(outcome.errors)")
    }

    @Test(
        "Among the suites of both the order is ours, but who puts ChaCha20 first gets it",
        arguments: [
            ("TLSv1.3", "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", 2),
            ("TLSv1.3", "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256", 0),
            ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", 0),
            ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", 1),
            ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256", 0),
        ])
    func suiteOrder(version: String, offered: String, chosen: Int) throws {
        let outcome = try serve(
            ["openssl", "s_client", "-quiet", "-connect", "127.0.0.1:PORT", "-CAfile", certificates.path("ca.pem")]
                + options(version, offered), certificates.server()
        ) { party in
            #expect(party.handle.terms.cipher == String(offered.split(separator: ":")[chosen]))
        }
        #expect(outcome.output.contains("pong"), "\(outcome.errors)")
    }

    static let refusedClients: [(name: String, options: [String], alert: Alert)] = [
        ("TLS 1.0", ["-tls1", "-cipher", "ALL:@SECLEVEL=0"], .protocolVersion),
        ("TLS 1.1", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], .protocolVersion),
        ("no forward secrecy", ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], .handshakeFailure),
        ("no authenticated encryption", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], .handshakeFailure),
        ("finite-field Diffie-Hellman", ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], .handshakeFailure),
        ("no certificate at all", ["-tls1_2", "-cipher", "AECDH-AES128-SHA:@SECLEVEL=0"], .handshakeFailure),
        ("no encryption", ["-tls1_2", "-cipher", "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"], .handshakeFailure),
        ("an old curve", ["-tls1_2", "-curves", "P-521"], .handshakeFailure),
        ("an old curve in 1.3", ["-tls1_3", "-curves", "P-521"], .handshakeFailure),
    ]

    @Test("What is not safe is refused with the alert for it", arguments: refusedClients)
    func refused(name: String, options: [String], alert: Alert) throws {
        let listener = try Loopback.Listener()
        let program = try Program(
            ["openssl", "s_client", "-connect", "127.0.0.1:\(listener.port)"] + options)
        let socket = try listener.accept()
        let party = Party(serving: socket, try certificates.server())
        try run([party]) { party.end != .open }
        #expect(party.end == .failed && party.handle.alertSent == alert)
        #expect(program.outcome().errors.contains("alert number \(alert.code)"))
    }

    @Test("min_version 1.3 refuses 1.2")
    func minimum() throws {
        let listener = try Loopback.Listener()
        let program = try Program(["openssl", "s_client", "-tls1_2", "-connect", "127.0.0.1:\(listener.port)"])
        let socket = try listener.accept()
        let party = Party(serving: socket, try certificates.server(minimum: .tls13))
        try run([party]) { party.end != .open }
        #expect(party.handle.alertSent == .protocolVersion)
        #expect(program.outcome().status != 0)
    }

    @Test(
        "SSL 3 and what is no TLS at all are refused",
        arguments: [
            [0x16, 3, 0, 0, 0x2D, 1, 0, 0, 0x29, 3, 0] + [UInt8](repeating: 7, count: 32) + [0, 0, 2, 0, 0x2F, 1, 0],
            Array("GET / HTTP/1.1\r\nHost: a.edge\r\n\r\n".utf8),
        ])
    func noTLS(hello: [UInt8]) throws {
        let sockets = Loopback.pair()
        let party = Party(serving: sockets.1, try certificates.server())
        #expect(unsafe send(sockets.0, hello, hello.count, 0) == hello.count)
        try run([party]) { party.end != .open }
        #expect(party.end == .failed)
        guard case .protocolError(let reason) = party.handle.fault else {
            Issue.record("\(String(describing: party.handle.fault))")
            return
        }
        // SSL 3 itself has no alert for a version.
        #expect(reason == (hello[0] == 0x47 ? "http request" : "version too low"))
        #expect(hello[0] == 0x47 || party.handle.alertSent == .handshakeFailure)
        close(sockets.0)
    }

    @Test("A renegotiation that a client asks for is not done, and hurts nobody")
    func renegotiation() throws {
        let outcome = try serve(
            ["openssl", "s_client", "-tls1_2", "-state", "-connect", "127.0.0.1:PORT"], input: "R\nping\n",
            certificates.server())
        // It says so and goes on, or gives up.
        #expect(outcome.output.contains("pong") || outcome.errors.contains("no renegotiation"))
        // In no case is there a second handshake.
        let hellos = (outcome.output + outcome.errors).components(separatedBy: "read server hello").count - 1
        #expect(hellos == 1, "\(outcome.errors)")
    }

    @Test("curl fetches from us", arguments: ["--tlsv1.3", "--tls-max 1.2"])
    func curl(version: String) throws {
        let outcome = try serve(
            ["curl", "-sS", "--cacert", certificates.path("ca.pem"), "--http1.1"]
                + version.split(separator: " ").map(String.init)
                + ["--resolve", "x.ingest.edge:PORT:127.0.0.1", "https://x.ingest.edge:PORT/"],
            request: "\r\n\r\n", response: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello from remora",
            certificates.server(protocols: ["http/1.1"])
        ) { party in
            #expect(party.handle.terms.serverName == "x.ingest.edge")
            #expect(party.handle.terms.applicationProtocol == "http/1.1")
        }
        #expect(outcome.output == "hello from remora", "\(outcome.errors)")
    }

    static let hasGnuTLS = FileManager.default.isExecutableFile(atPath: "/usr/bin/gnutls-cli")

    @Test(
        "gnutls-cli speaks both versions with us", .enabled(if: hasGnuTLS, "gnutls-bin is not installed"),
        arguments: ["1.2", "1.3"], [false, true])
    func gnutlsClient(version: String, withCertificate: Bool) throws {
        var arguments = [
            "gnutls-cli", "--logfile=/dev/null", "--x509cafile", certificates.path("ca.pem"), "--sni-hostname",
            "a.edge",
            "--verify-hostname", "a.edge", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS\(version)", "-p", "PORT",
            "127.0.0.1",
        ]
        var context = try certificates.server()
        if withCertificate {
            arguments += [
                "--x509certfile", certificates.path("client.pem"), "--x509keyfile", certificates.path("client.key"),
            ]
            context = try certificates.server(
                clients: .required(certificates.authorities()), allowed: ["spiffe://edge/*"])
        }
        let outcome = try serve(arguments, context) { party in
            #expect(party.handle.terms.version == "TLSv\(version)")
            #expect(party.handle.peerNames.isEmpty == !withCertificate)
        }
        #expect(outcome.output.contains("pong"), "\(outcome.errors)")
    }

    @Test("Python's ssl module hears a clean end from us, and tells us one")
    func python() throws {
        let script = """
            import socket, ssl, sys
            context = ssl.create_default_context(cafile=sys.argv[2])
            stream = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))),
                server_hostname="a.edge", suppress_ragged_eofs=False)
            stream.sendall(b"ping\\n")
            data = b""
            while True:
                more = stream.recv(65536)
                if not more: break
                data += more
            print(stream.version(), len(data), data[:4])
            stream.unwrap()
            """
        let outcome = try serve(
            ["python3", "-c", script, "PORT", certificates.path("ca.pem")],
            response: String(repeating: "pong", count: 100_000), certificates.server())
        #expect(outcome.output == "TLSv1.3 400000 b'pong'\n", "\(outcome.errors)")
    }

    // MARK: As a client

    /// Sends one request to a program that listens, and reads to its end.
    private func ask(
        _ program: Program, port: UInt16, _ context: ClientContext, to name: ServerName = .host("a.edge"),
        request: String, until mark: String
    ) throws -> Party {
        let socket = try Loopback.connect(to: port)
        let party = Party(context.makePipe(over: socket, to: name, wire: Wire()), over: socket)
        party.outgoing = Array(request.utf8)[...]
        try run([party]) { party.end != .open || String(decoding: party.received, as: UTF8.self).contains(mark) }
        return party
    }

    private func opensslServer(_ certificate: String, _ options: [String]) throws -> (Program, UInt16) {
        let program = try Program(
            [
                "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificates.path("\(certificate).pem"),
                "-key",
                certificates.path("\(certificate).key"), "-www",
            ] + options, keepsInputOpen: true)
        let line = try program.line(with: "ACCEPT")
        return (program, try #require(line.split(separator: ":").last.flatMap { UInt16($0) }))
    }

    @Test("s_server speaks every version and suite with us", arguments: suites)
    func opensslServer(version: String, suite: String) throws {
        let certificate = suite.contains("RSA") && !suite.contains("ECDSA") ? "rsa" : "server"
        let (program, port) = try opensslServer(certificate, options(version, suite))
        let party = try ask(
            program, port: port, certificates.client(), request: "GET / HTTP/1.0\r\n\r\n", until: "</HTML>")
        #expect(String(decoding: party.received, as: UTF8.self).contains(suite))
        #expect(party.handle.terms.version == version && party.handle.terms.cipher == suite)
        program.stop()
    }

    @Test(
        "A server that speaks only what is not safe is refused",
        arguments: [
            ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
        ])
    func refusedServer(options: [String]) throws {
        let (program, port) = try opensslServer("server", options)
        let party = try ask(program, port: port, certificates.client(), request: "x", until: "never")
        #expect(party.end == .failed && !party.handle.isEstablished)
        program.stop()
    }

    @Test(
        "A server that chooses less than was offered is refused, and hears why",
        arguments: [
            // TLS 1.1, which was not offered
            ([3, 2], [UInt8](repeating: 7, count: 32), 70),
            // 1.2, which was; with the mark of a server that knows 1.3 as well (RFC 8446 §4.1.3)
            ([3, 3], [UInt8](repeating: 7, count: 24) + Array("DOWNGRD".utf8) + [1], 47),
        ] as [([UInt8], [UInt8], UInt8)])
    func downgraded(version: [UInt8], random: [UInt8], alert: UInt8) throws {
        let sockets = Loopback.pair()
        let party = Party(
            try certificates.client().makePipe(over: sockets.0, to: .host("a.edge"), wire: Wire()), over: sockets.0)
        // ECDHE-ECDSA-AES128-GCM-SHA256, no session and no compression
        let hello = version + random + [0, 0xC0, 0x2B, 0]
        let record = [22, 3, 3, 0, UInt8(hello.count + 4), 2, 0, 0, UInt8(hello.count)] + hello
        #expect(unsafe send(sockets.1, record, record.count, 0) == record.count)
        try run([party]) { party.end != .open }
        #expect(party.end == .failed && party.handle.alertSent == Alert(code: alert))
        close(sockets.1)
    }

    @Test("Our certificate is shown to a server that wants one", arguments: ["-tls1_2", "-tls1_3"])
    func clientCertificate(version: String) throws {
        let (program, port) = try opensslServer(
            "server", [version, "-Verify", "3", "-verify_return_error", "-CAfile", certificates.path("ca.pem")])
        let context = try certificates.client(certificate: "client")
        let party = try ask(program, port: port, context, request: "GET / HTTP/1.0\r\n\r\n", until: "</HTML>")
        #expect(String(decoding: party.received, as: UTF8.self).contains("Subject: CN=client.test"))
        party.finishes = true
        try run([party]) { party.isDone && party.end != .open }
        let bare = try ask(
            program, port: port, certificates.client(), request: "GET / HTTP/1.0\r\n\r\n", until: "</HTML>")
        #expect(bare.end == .failed)
        program.stop()
    }

    @Test("A session of s_server's is resumed, in both versions", arguments: ["-tls1_2", "-tls1_3"])
    func resumption(version: String) throws {
        let (program, port) = try opensslServer("server", [version])
        let (context, sessions) = (try certificates.client(), SessionStore())
        var resumed: [Bool] = []
        for _ in 0..<3 {
            let socket = try Loopback.connect(to: port)
            let party = Party(
                context.makePipe(over: socket, to: .host("a.edge"), wire: Wire(), sessions: sessions), over: socket)
            party.outgoing = Array("GET / HTTP/1.0\r\n\r\n".utf8)[...]
            party.finishes = true
            try run([party]) { party.end != .open }
            resumed.append(party.handle.terms.isResumed)
        }
        #expect(resumed == [false, true, true])
        program.stop()
    }
}
