// Certificates for these tests, made by the openssl command when they are first asked for.

import Foundation
import TLS
import Testing
import Vocabulary

@testable import Proxy

struct ProgramFailed: Error {
    var arguments: [String]
    var words: String
}

/// A program of somebody else's that runs beside a test; killed by its id when it is released.
final class Program {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let errors = Pipe()

    /// - Parameter says: what it gets as its input, which stays open.
    init(_ arguments: [String], says: String = "") throws {
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        try say(says)
    }

    func say(_ text: String) throws { try input.fileHandleForWriting.write(contentsOf: Data(text.utf8)) }

    /// Not by SIGTERM, which threads that start programs may have blocked for them.
    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// The first line that has `mark` in it.
    func line(with mark: String) throws -> String {
        var text = ""
        while true {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { throw ProgramFailed(arguments: process.arguments ?? [], words: text) }
            text += String(decoding: more, as: UTF8.self)
            if text.hasSuffix("\n"), let line = text.split(separator: "\n").first(where: { $0.contains(mark) }) {
                return String(line)
            }
        }
    }

    /// Waits for its success.
    /// - Returns: what it has said.
    @discardableResult
    func outcome() throws -> String {
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let words = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ProgramFailed(arguments: process.arguments ?? [], words: text + words)
        }
        return text
    }
}

/// Two authorities, and what they vouch for.
final class Certificates: Sendable {
    static let shared = Result { try Certificates() }
    private static let place = FileManager.default.temporaryDirectory.appending(path: "remora-proxy-tls-\(getpid())")

    let tickets: TicketKeys

    private init() throws {
        try FileManager.default.createDirectory(at: Self.place, withIntermediateDirectories: true)
        // Static things never end; this one goes with the process.
        atexit { try? FileManager.default.removeItem(at: Certificates.place) }
        tickets = try TicketKeys(at: Instant(nanoseconds: 0))
        for authority in ["ca", "other-ca"] {
            try make(authority, extensions: ["basicConstraints=critical,CA:true"])
        }
        try make("server", by: "ca", names: "DNS:a.edge,IP:127.0.0.1")
        try make("second", by: "ca", names: "DNS:a.edge")
        try make("wrong-host", by: "ca", names: "DNS:b.edge")
        try make("stranger", by: "other-ca", names: "DNS:a.edge,URI:spiffe://edge/web")
        try make("client", by: "ca", names: "URI:spiffe://edge/web")
        try make("guest", by: "ca", names: "URI:spiffe://elsewhere/web")
    }

    static func path(_ file: String) -> String { place.appending(path: file).path }

    private func make(_ name: String, by authority: String? = nil, names: String? = nil, extensions: [String] = [])
        throws
    {
        var arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
            Self.path("\(name).key"), "-out", Self.path("\(name).pem"), "-subj", "/CN=\(name).test", "-days", "30",
        ]
        if let authority {
            arguments += ["-CA", Self.path("\(authority).pem"), "-CAkey", Self.path("\(authority).key")]
            arguments += ["-addext", "basicConstraints=critical,CA:false"]
        }
        if let names { arguments += ["-addext", "subjectAltName=\(names)"] }
        for text in extensions { arguments += ["-addext", text] }
        try Program(["openssl"] + arguments).outcome()
    }

    // MARK: Contexts

    func pair(_ name: String) throws -> CertificatePair {
        try CertificatePair(certificate: Self.path("\(name).pem"), key: Self.path("\(name).key"))
    }

    func authorities(_ name: String = "ca") throws -> TrustAnchors { try TrustAnchors(file: Self.path("\(name).pem")) }

    func server(
        _ name: String = "server", clients: ClientAuthentication = .none, allowed: [String] = [],
        minimum: ProtocolVersion = .tls12, tickets: TicketKeys? = nil
    ) throws -> ServerContext {
        try ServerContext(
            ServerOptions(
                certificates: [try pair(name)], clientAuthentication: clients,
                allowedNames: try allowed.map { try NamePattern($0) }, minimumVersion: minimum, scope: "test"),
            tickets: tickets ?? self.tickets)
    }

    func client(trusting authority: String = "ca", certificate: String? = nil) throws -> ClientContext {
        try ClientContext(
            ClientOptions(trusted: try authorities(authority), certificate: try certificate.map { try pair($0) }))
    }
}

extension TLSContexts {
    /// For a ``Sidecar``: its listener terminates where there is a server's context, its upstream originates where there
    /// is a client's.
    static func sidecar(front: ServerContext? = nil, back: ClientContext? = nil, name: ServerName? = .host("a.edge"))
        -> TLSContexts
    {
        TLSContexts(
            listeners: front.map { ["front": ListenerTLS(context: $0)] } ?? [:],
            upstreams: back.map { ["back": UpstreamTLS(context: $0, serverName: name)] } ?? [:])
    }
}

/// Which of a connection's two halves speak TLS.
enum Sealing: String, CaseIterable, CustomTestStringConvertible, Sendable {
    case tlsToTLS, tlsToTCP, tcpToTLS, tcpToTCP

    static let secured: [Sealing] = [.tlsToTLS, .tlsToTCP, .tcpToTLS]

    var client: Bool { self == .tlsToTLS || self == .tlsToTCP }
    var endpoint: Bool { self == .tlsToTLS || self == .tcpToTLS }
    var testDescription: String { rawValue }

    func contexts() throws -> TLSContexts {
        let certificates = try Certificates.shared.get()
        return .sidecar(
            front: client ? try certificates.server() : nil, back: endpoint ? try certificates.client() : nil)
    }
}
