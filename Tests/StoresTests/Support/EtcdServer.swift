// A real etcd, as Debian packages it, on an address of its own, with its data in a directory of the test.

import Foundation
import Glibc
import Testing

@testable import Stores

final class EtcdServer {
    let host: String
    private let port: UInt16
    /// Where it would speak to other members, had it any.
    private let peer = "http://\(LoopbackHosts.fresh()):2380"
    private let directory: TestDirectory
    private let identity: Certificates?
    private var process: Process?
    private var hasEnded = DispatchSemaphore(value: 0)
    /// Further arguments of each etcdctl.
    var login: [String] = []

    /// Starts one that answers.
    /// - Parameter identity: to speak TLS, and to want a certificate of each client.
    init(host: String = LoopbackHosts.fresh(), port: UInt16 = 2379, identity: Certificates? = nil) throws {
        self.host = host
        self.port = port
        self.identity = identity
        directory = try TestDirectory()
        try start()
    }

    deinit { kill() }

    var url: String { "\(endpoint)" }

    var endpoint: EtcdOptions.Endpoint {
        EtcdOptions.Endpoint(isSecure: identity != nil, host: host, port: port)
    }

    func options(prefix: String = "/roster/") -> EtcdOptions { EtcdOptions(endpoints: [endpoint], prefix: prefix) }

    func start() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try Command.program("etcd"))
        process.arguments = [
            "--name=one", "--data-dir=\(directory.path)/data", "--listen-client-urls=\(url)",
            "--advertise-client-urls=\(url)", "--listen-peer-urls=\(peer)", "--initial-advertise-peer-urls=\(peer)",
            "--initial-cluster=one=\(peer)", "--heartbeat-interval=20", "--election-timeout=200",
        ]
        if let identity {
            process.arguments? += [
                "--cert-file=\(identity.server)", "--key-file=\(identity.serverKey)",
                "--trusted-ca-file=\(identity.ca)", "--client-cert-auth",
            ]
        }
        process.standardInput = FileHandle.nullDevice
        // A file, as a pipe that nobody reads would stop it.
        let log = FileHandle(forWritingAtPath: try directory.write("", as: "log"))
        process.standardOutput = log
        process.standardError = log
        let hasEnded = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in hasEnded.signal() }
        try process.run()
        (self.process, self.hasEnded) = (process, hasEnded)
        _ = try eventually { try ctl("endpoint", "health") }
    }

    @discardableResult
    func ctl(_ arguments: String..., input: String = "") throws -> String {
        var secrets: [String] = []
        if let identity {
            // Whether it is who it says is another's question.
            secrets = ["--insecure-skip-tls-verify", "--cert=\(identity.client)", "--key=\(identity.clientKey)"]
        }
        return try Command.run(
            "etcdctl", ["--endpoints=\(url)", "--command-timeout=2s"] + secrets + login + arguments, input: input,
            environment: ["ETCDCTL_API": "3"])
    }

    /// Up to 128 puts at once.
    func transaction(_ puts: [String]) throws {
        try ctl("txn", input: "\n" + puts.joined(separator: "\n") + "\n\n\n")
    }

    func setPassword(of user: String, to password: String) throws {
        try ctl("user", "passwd", user, "--interactive=false", input: password + "\n")
    }

    func list(_ names: String..., prefix: String = "/roster/") throws {
        for name in names { try ctl("put", prefix + name, "") }
    }

    func unlist(_ name: String) throws { try ctl("del", "/roster/" + name) }

    /// The store's revision.
    func revision() throws -> Int64 {
        let match = try #require(try ctl("get", "/", "--write-out=json").firstMatch(of: /"revision":(\d+)/))
        return try #require(Int64(match.1))
    }

    func signal(_ number: Int32) { if let process { _ = Glibc.kill(process.processIdentifier, number) } }

    /// Ends it as a power cut would; waits until it is gone.
    func kill() {
        guard let process else { return }
        if process.isRunning { signal(SIGKILL) }
        _ = hasEnded.wait(timeout: .now() + .seconds(10))
        self.process = nil
    }
}

/// A certificate authority, a server's and a client's certificate, made by the openssl command.
final class Certificates {
    private let directory: TestDirectory
    var ca: String { directory.path + "/ca.pem" }
    var server: String { directory.path + "/server.pem" }
    var serverKey: String { directory.path + "/server.key" }
    var client: String { directory.path + "/client.pem" }
    var clientKey: String { directory.path + "/client.key" }

    /// - Parameter names: the server's, as in a subjectAltName: "IP:127.0.0.1,DNS:localhost".
    init(serverNames names: String) throws {
        directory = try TestDirectory()
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=test-ca", "-keyout", "ca.key", "-out", "ca.pem")
        // etcd's gateway is a client of etcd itself, with the server's certificate.
        try sign("server", "subjectAltName=\(names)\nextendedKeyUsage=serverAuth,clientAuth\n")
        try sign("client", "extendedKeyUsage=clientAuth\n")
    }

    private func sign(_ name: String, _ extensions: String) throws {
        try directory.write(extensions, as: "\(name).ext")
        try openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(name)",
            "-keyout", "\(name).key", "-out", "\(name).csr")
        try openssl(
            "x509", "-req", "-days", "2", "-in", "\(name).csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-extfile", "\(name).ext", "-out", "\(name).pem")
    }

    private func openssl(_ arguments: String...) throws {
        try Command.run(
            "openssl",
            arguments.map { argument in
                let isFile = [".pem", ".key", ".csr", ".ext"].contains { argument.hasSuffix($0) }
                return isFile ? "\(directory.path)/\(argument)" : argument
            })
    }
}
