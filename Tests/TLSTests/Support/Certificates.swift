// Certificates to test with, made by the openssl command when they are first asked for.

import Foundation
import TLS
import Vocabulary

/// A program that was run to its end.
struct ProgramOutcome {
    var status: Int32
    var output: String
    var errors: String
}

/// Runs a program that must succeed, or any.
@discardableResult
func runProgram(_ arguments: [String], input: String = "", mayFail: Bool = false) throws -> ProgramOutcome {
    let program = try Program(arguments, input: input)
    let outcome = program.outcome()
    if !mayFail, outcome.status != 0 { throw ProgramFailed(arguments: arguments, outcome: outcome) }
    return outcome
}

struct ProgramFailed: Error {
    var arguments: [String]
    var outcome: ProgramOutcome
}

/// A program that runs beside a test; killed by its id when it is released.
final class Program {
    private let process = Process()
    private let output = Pipe()
    private let errors = Pipe()

    init(_ arguments: [String], input: String = "", keepsInputOpen: Bool = false) throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        let standardInput = Pipe()
        process.standardInput = standardInput
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        try? standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        if keepsInputOpen { held = standardInput } else { try? standardInput.fileHandleForWriting.close() }
    }

    private var held: Pipe?

    deinit {
        if process.isRunning { stop() }
        process.waitUntilExit()
    }

    /// Waits for a line that has `mark` in it.
    func line(with mark: String) throws -> String {
        var text = ""
        while true {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { throw ProgramFailed(arguments: process.arguments ?? [], outcome: outcome()) }
            text += String(decoding: more, as: UTF8.self)
            if let line = text.split(separator: "\n").first(where: { $0.contains(mark) }), text.hasSuffix("\n") {
                return String(line)
            }
        }
    }

    /// Waits for its end.
    func outcome() -> ProgramOutcome {
        held = nil
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let words = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return ProgramOutcome(
            status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: words, as: UTF8.self))
    }

    /// Not by SIGTERM, which threads that start programs may have blocked for them.
    func stop() { kill(process.processIdentifier, SIGKILL) }
}

/// A directory of certificates: two authorities, and what they vouch for.
final class Certificates: Sendable {
    static let shared = Result { try Certificates() }

    private static let place = FileManager.default.temporaryDirectory.appending(path: "remora-tls-\(getpid())")

    let directory: URL

    private init() throws {
        directory = Self.place
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        // Static things never end; this one goes with the process.
        atexit { try? FileManager.default.removeItem(at: Certificates.place) }
        for authority in ["ca", "other-ca"] {
            try make(authority, extensions: ["basicConstraints=critical,CA:true"])
        }
        try make("server", by: "ca", names: "DNS:a.edge,DNS:*.ingest.edge,IP:127.0.0.1")
        try make("second", by: "ca", names: "DNS:b.edge")
        try make("rsa", by: "ca", names: "DNS:a.edge,DNS:*.ingest.edge,IP:127.0.0.1", key: ["rsa:2048"])
        try make("stranger", by: "other-ca", names: "DNS:a.edge,URI:spiffe://edge/web")
        try make("client", by: "ca", names: "URI:spiffe://edge/web,DNS:web.edge,email:ops@edge.example,IP:10.0.0.7")
        try make("guest", by: "ca", names: "URI:spiffe://elsewhere/web")
        try make("nameless", by: "ca")
        try makeExpired()
        try runProgram([
            "openssl", "pkey", "-in", path("server.key"), "-aes128", "-passout", "pass:secret", "-out",
            path("encrypted.key"),
        ])
    }

    func path(_ file: String) -> String { directory.appending(path: file).path }

    /// Makes a key and a certificate, `NAME.pem` and `NAME.key`.
    func make(
        _ name: String, by authority: String? = nil, names: String? = nil,
        key: [String] = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
        extensions: [String] = []
    ) throws {
        var arguments =
            ["openssl", "req", "-x509", "-newkey"] + key
            + [
                "-nodes", "-keyout", path("\(name).key"), "-out", path("\(name).pem"), "-subj", "/CN=\(name).test",
                "-days", "30",
            ]
        if let authority {
            arguments += ["-CA", path("\(authority).pem"), "-CAkey", path("\(authority).key")]
            arguments += ["-addext", "basicConstraints=critical,CA:false"]
        }
        if let names { arguments += ["-addext", "subjectAltName=\(names)"] }
        for text in extensions { arguments += ["-addext", text] }
        try runProgram(arguments)
    }

    /// Only `openssl x509` makes certificates that have ended before they began.
    private func makeExpired() throws {
        try runProgram([
            "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
            path("expired.key"), "-out", path("expired.csr"), "-subj", "/CN=expired.test", "-addext",
            "subjectAltName=DNS:a.edge,URI:spiffe://edge/web",
        ])
        try runProgram([
            "openssl", "x509", "-req", "-in", path("expired.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-CAcreateserial", "-copy_extensions", "copy", "-days", "-1", "-out", path("expired.pem"),
        ])
    }

    func pair(_ name: String) throws -> CertificatePair {
        try CertificatePair(certificate: path("\(name).pem"), key: path("\(name).key"))
    }

    func authorities(_ name: String = "ca") throws -> TrustAnchors { try TrustAnchors(file: path("\(name).pem")) }

    /// A server's context with the first pair `server`.
    func server(
        _ names: [String] = ["server"], clients: ClientAuthentication = .none, allowed: [String] = [],
        protocols: [String] = [], minimum: ProtocolVersion = .tls12, tickets: TicketKeys? = nil, scope: String = "test"
    ) throws -> ServerContext {
        let tickets = try tickets ?? TicketKeys(at: Instant(nanoseconds: 0))
        return try ServerContext(
            ServerOptions(
                certificates: try names.map { try pair($0) }, clientAuthentication: clients,
                allowedNames: try allowed.map { try NamePattern($0) }, applicationProtocols: protocols,
                minimumVersion: minimum, scope: scope), tickets: tickets)
    }

    func client(
        trusting authority: String = "ca", certificate: String? = nil, protocols: [String] = [],
        minimum: ProtocolVersion = .tls12
    ) throws -> ClientContext {
        try ClientContext(
            ClientOptions(
                trusted: try authorities(authority), certificate: try certificate.map { try pair($0) },
                applicationProtocols: protocols, minimumVersion: minimum))
    }
}

/// Both ends of a stream over a pair of sockets.
struct Conversation {
    let client: Party
    let server: Party

    init(
        _ clientContext: ClientContext, _ serverContext: ServerContext, to name: ServerName = .host("a.edge"),
        sessions: SessionStore? = nil, endpoint: UInt64 = 0, wires: (Wire, Wire),
        sockets: (Int32, Int32) = Loopback.pair()
    ) throws {
        client = Party(
            clientContext.makePipe(over: sockets.0, to: name, wire: wires.0, sessions: sessions, endpoint: endpoint),
            over: sockets.0)
        server = Party(serverContext.makePipe(over: sockets.1, wire: wires.1), over: sockets.1)
    }

    var parties: [Party] { [client, server] }

    /// Runs the handshake, and until both know how it ended.
    func shakeHands() throws {
        try run(parties) {
            (client.handle.isEstablished && server.handle.isEstablished)
                || (client.handle.fault != nil && server.handle.fault != nil)
        }
    }

    /// Runs until both have told and heard the end.
    func finish() throws {
        client.finishes = true
        server.finishes = true
        try run(parties) { parties.allSatisfy { $0.isDone && $0.end != .open } }
    }
}
