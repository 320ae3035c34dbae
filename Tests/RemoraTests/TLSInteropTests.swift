// Programs of others before a remora: openssl, curl, python3 and gnutls-cli.

import Foundation
import Testing
import Vocabulary

@Suite("TLS with others", .serialized)
struct TLSInteropTests {
    /// An authority, what it vouches for and what it does not.
    private let files: TLSFiles

    init() throws {
        files = try TLSFiles()
        let names = "DNS:web.edge,IP:127.0.0.1"
        try files.make("web", by: "ca", names: names)
        try files.make("rsa", by: "ca", names: names, isRSA: true)
        try files.make("shop", by: "ca", names: "URI:spiffe://edge/shop")
        try files.make("guest", by: "ca", names: "URI:spiffe://edge/guest")
    }

    private static func has(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// Runs a remora whose listeners are `listeners` in the config's order, before `instance`.
    private func withRemora<Result>(
        before instance: Instance, _ listeners: [String], _ body: (RemoraProcess, [SocketAddress]) throws -> Result
    ) throws -> Result {
        let lines = listeners.enumerated().map { number, tls in
            "- {name: l\(number), bind: \"127.0.0.1:0\", upstream: out, tls: {\(tls)}}\n"
        }
        let directory = try TestDirectory()
        let file = try directory.write(
            "upstreams: [{name: out, endpoints: [\"\(instance.address)\"]}]\nlisteners:\n\(lines.joined())admin: 127.0.0.1:0\n"
        )
        return try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            try body(remora, try remora.ready().listeners.map(\.address))
        }
    }

    // MARK: In front

    /// Version, suite, group, and whether the suite is for a certificate of RSA. In 1.2 the group is also what a key of
    /// that kind may be of, and ours is of P-256.
    private static let table: [(version: String, suite: String, group: String, isRSA: Bool)] = {
        let groups = ["X25519", "P-256", "P-384"]
        let suites12 = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"]
        let suites13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
        return groups.flatMap { group in
            [false, true].flatMap { isRSA in
                (isRSA || group == "P-256" ? suites12 : []).map {
                    ("1.2", "ECDHE-\(isRSA ? "RSA" : "ECDSA")-\($0)", group, isRSA)
                }
                    + suites13.map { ("1.3", $0, group, isRSA) }
            }
        }
    }()

    @Test("Every version, suite, curve and kind of key that is offered is spoken with openssl")
    func everything() throws {
        let instance = try Instance("web")
        defer { instance.end() }
        try withRemora(before: instance, [files.pair("web"), files.pair("rsa")]) { _, listeners in
            for row in Self.table {
                let suites = row.version == "1.2" ? ["-tls1_2", "-cipher"] : ["-tls1_3", "-ciphersuites"]
                let output = try files.openssl(
                    listeners[row.isRSA ? 1 : 0], suites + [row.suite, "-curves", row.group, "-servername", "web.edge"])
                #expect(output.contains("\r\n\r\nweb"), "\(row)\n\(output)")
                #expect(output.contains("Cipher is \(row.suite)") && output.contains("Verify return code: 0 (ok)"))
            }
        }
        #expect(instance.requests == Self.table.count)
    }

    @Test("curl, Python and GnuTLS fetch through a listener that asks who they are")
    func clients() throws {
        let instance = try Instance("web")
        defer { instance.end() }
        let tls = "\(files.pair("web")), client_ca: \(files.path("ca.pem")), allow_san: [\"spiffe://edge/shop\"]"
        try withRemora(before: instance, [tls]) { _, listeners in
            let port = try #require(listeners[0].port)
            let (ca, shop, key) = (files.path("ca.pem"), files.path("shop.pem"), files.path("shop.key"))
            for version in ["2", "3"] {
                let curl = try runProgram([
                    "curl", "-sS", "--cacert", ca, "--cert", shop, "--key", key, "--tlsv1.\(version)", "--tls-max",
                    "1.\(version)", "--resolve", "web.edge:\(port):127.0.0.1", "https://web.edge:\(port)/",
                ])
                #expect(curl.status == 0 && curl.output == "web", "\(curl.output)")
                let python = try runProgram([
                    "python3", "-c",
                    """
                    import socket, ssl, sys
                    context = ssl.create_default_context(cafile=sys.argv[2])
                    context.load_cert_chain(sys.argv[3], sys.argv[4])
                    context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv1_" + sys.argv[5]]
                    stream = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="web.edge", suppress_ragged_eofs=False)
                    stream.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                    text = b""
                    while more := stream.recv(4096): text += more
                    print(stream.version(), text.split(b"\\r\\n\\r\\n")[1].decode())
                    """, "\(port)", ca, shop, key, version,
                ])
                #expect(python.output == "TLSv1.\(version) web\n")
                guard Self.has("/usr/bin/gnutls-cli") else { continue }
                let gnutls = try runProgram(
                    [
                        "gnutls-cli", "--logfile=/dev/null", "--x509cafile", ca, "--x509certfile", shop,
                        "--x509keyfile", key, "--sni-hostname", "web.edge", "--verify-hostname", "web.edge",
                        "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.\(version)", "-p", "\(port)", "127.0.0.1",
                    ], input: "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(gnutls.output.contains("\r\n\r\nweb"), "\(gnutls.output)")
            }
        }
    }

    @Test("Who is not in allow_san is refused, whatever session another listener gave")
    func sessionOfAnother() throws {
        let instance = try Instance("web")
        defer { instance.end() }
        let base = "\(files.pair("web")), client_ca: \(files.path("ca.pem"))"
        let listeners = ["[\"spiffe://edge/shop\", \"spiffe://edge/guest\"]", "[\"spiffe://edge/shop\"]"]
        try withRemora(before: instance, listeners.map { "\(base), allow_san: \($0)" }) { _, listeners in
            let session = files.path("session")
            let first = try files.openssl(
                listeners[0], files.showing("guest") + ["-tls1_2", "-sess_out", session])
            #expect(first.contains("\r\n\r\nweb"), "\(first)")
            let second = try files.openssl(listeners[1], files.showing("guest") + ["-tls1_2", "-sess_in", session])
            #expect(second.contains("alert number 46\n"), "\(second)")
        }
    }
}
