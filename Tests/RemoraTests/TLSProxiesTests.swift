// haproxy and nginx before a remora and behind it, over TLS on both sides; and what a listener refuses.

import Foundation
import Testing
import Vocabulary

@Suite("TLS with other proxies, and refusals", .serialized)
struct TLSProxiesTests {
    private let files: TLSFiles

    init() throws {
        files = try TLSFiles()
        let names = "DNS:web.edge,IP:127.0.0.1"
        try files.make("web", by: "ca", names: names)
        try files.make("shop", by: "ca", names: "URI:spiffe://edge/shop")
        try files.make("guest", by: "ca", names: "URI:spiffe://edge/guest")
        try files.make("other-ca", extensions: ["basicConstraints=critical,CA:true"])
        try files.make("stranger", by: "other-ca", names: names + ",URI:spiffe://edge/shop")
    }

    /// client ─► program ─TLS─► remora ─TLS─► program ─► instance, each side showing the other who it is.
    /// - Parameter program: its arguments, and a config file by its name and text.
    private func between(
        _ program: (_ listener: SocketAddress, _ instance: SocketAddress) throws -> (
            arguments: [String], file: String, config: String
        )
    ) throws {
        let instance = try Instance("web")
        defer { instance.end() }
        let (ca, directory) = (files.path("ca.pem"), files.directory)
        let file = try directory.write(
            """
            upstreams:
            - name: out
              endpoints: ["unix:\(files.path("back"))"]
              tls: {ca: \(ca), server_name: web.edge, \(files.pair("shop"))}
            listeners:
            - name: in
              bind: "127.0.0.1:0"
              upstream: out
              tls: {\(files.pair("web")), client_ca: \(ca), allow_san: ["spiffe://edge/shop"]}
            admin: 127.0.0.1:0

            """)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let (arguments, name, config) = try program(try remora.ready().listener, instance.address)
            try config.write(toFile: files.path(name), atomically: true, encoding: .utf8)
            let peer = try Companion(arguments, in: directory.path)
            let fetch = ["curl", "-sS", "-m", "5", "--unix-socket", files.path("front"), "http://web.edge/"]
            // Until the program has bound its socket.
            let give = ContinuousClock.now + patience
            var answer = try runProgram(fetch)
            while answer.status != 0, ContinuousClock.now < give {
                usleep(50_000)
                answer = try runProgram(fetch)
            }
            #expect(answer.status == 0 && answer.output.hasPrefix("web"), "\(answer.output)")
            // And again, on sessions of the connections before.
            for _ in 0..<3 { #expect(try runProgram(fetch).output.hasPrefix("web")) }
            withExtendedLifetime(peer) {}
        }
        #expect(instance.requests >= 4)
    }

    @Test("haproxy speaks with us on both sides, and each shows who it is")
    func haproxy() throws {
        let (ca, home) = (files.path("ca.pem"), files.directory.path)
        try runProgram(
            ["sh", "-ec", "cat web.pem web.key > web.both; cat shop.pem shop.key > shop.both"], in: home)
        try between { listener, instance in
            (
                ["/usr/sbin/haproxy", "-db", "-f", "haproxy.cfg"], "haproxy.cfg",
                """
                defaults
                  mode tcp
                  timeout connect 5s
                  timeout client 10s
                  timeout server 10s
                listen front
                  bind unix@\(home)/front
                  server r \(listener) ssl verify required ca-file \(ca) verifyhost web.edge crt \(home)/shop.both
                listen back
                  bind unix@\(home)/back ssl crt \(home)/web.both verify required ca-file \(ca)
                  server i \(instance)

                """
            )
        }
    }

    @Test("nginx speaks with us on both sides, and each shows who it is")
    func nginx() throws {
        let (ca, home) = (files.path("ca.pem"), files.directory.path)
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(home)/\($0);" }
        try between { listener, instance in
            (
                ["/usr/sbin/nginx", "-e", "stderr", "-p", home, "-c", "\(home)/nginx.conf"], "nginx.conf",
                """
                daemon off;
                master_process off;
                pid \(home)/pid;
                error_log stderr;
                events {}
                http {
                  access_log off;
                  \(places.joined(separator: " "))
                  server {
                    listen unix:\(home)/front;
                    location / {
                      proxy_pass https://\(listener);
                      proxy_ssl_verify on;
                      proxy_ssl_trusted_certificate \(ca);
                      proxy_ssl_name web.edge;
                      proxy_ssl_certificate \(files.path("shop.pem"));
                      proxy_ssl_certificate_key \(files.path("shop.key"));
                    }
                  }
                  server {
                    listen unix:\(home)/back ssl;
                    ssl_certificate \(files.path("web.pem"));
                    ssl_certificate_key \(files.path("web.key"));
                    ssl_client_certificate \(ca);
                    ssl_verify_client on;
                    location / { proxy_pass http://\(instance); }
                  }
                }

                """
            )
        }
    }

    // MARK: Refusals

    /// What a client tries, and the alert that it gets (RFC 8446 §6).
    private static let refused: [(options: [String], alert: Int)] = [
        (["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], 70),
        (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], 70),
        (["-tls1_2", "-cipher", "AES128-SHA"], 40),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], 40),
        (["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], 40),
        (["-tls1_3", "-curves", "P-521"], 40),
    ]

    @Test("What is too old or too weak, and whoever is not let in, gets the alert for it")
    func clients() throws {
        let instance = try Instance("web")
        defer { instance.end() }
        let ca = files.path("ca.pem")
        let file = try files.directory.write(
            """
            upstreams: [{name: out, endpoints: ["\(instance.address)"]}]
            listeners:
            - {name: open, bind: "127.0.0.1:0", upstream: out, tls: {\(files.pair("web"))}}
            - name: closed
              bind: "127.0.0.1:0"
              upstream: out
              tls: {\(files.pair("web")), client_ca: \(ca), allow_san: ["spiffe://edge/shop"]}
            - name: strict
              bind: "127.0.0.1:0"
              upstream: out
              tls: {\(files.pair("web")), min_version: "1.3", alpn: [h2]}
            admin: 127.0.0.1:0

            """)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let listeners = try remora.ready().listeners.map(\.address)
            for (options, alert) in Self.refused {
                let output = try files.openssl(listeners[0], options)
                #expect(output.contains("SSL alert number \(alert)"), "\(options)\n\(output)")
            }
            let identities: [(who: [String], alert: Int)] = [
                ([], 116), (files.showing("guest"), 46), (files.showing("stranger"), 48),
            ]
            for (who, alert) in identities {
                let output = try files.openssl(listeners[1], who)
                #expect(output.contains("SSL alert number \(alert)"), "\(who)\n\(output)")
            }
            #expect(try files.openssl(listeners[1], files.showing("shop")).contains("\r\n\r\nweb"))
            let lines = [
                (["-tls1_2"], 70, "unsupported protocol"), (["-alpn", "http/1.1"], 120, "no application protocol"),
            ]
            for (options, alert, words) in lines {
                let output = try files.openssl(listeners[2], options)
                #expect(output.contains("SSL alert number \(alert)"), "\(options)\n\(output)")
                try remora.log.line(
                    containing: "listener strict: a client was closed in the TLS handshake: TLS failed: \(words)")
            }
            #expect(try files.openssl(listeners[2], ["-alpn", "http/1.1,h2"]).contains("ALPN protocol: h2"))
        }
        #expect(instance.requests == 2)
    }

    /// Makes the session in a file one that allows early data, which no session of ours does.
    private static let allowEarlyData = """
        import base64, sys
        mark = "-----BEGIN SSL SESSION PARAMETERS-----"
        der = base64.b64decode(open(sys.argv[1]).read().split(mark)[1].split("-----END")[0])
        def bounds(at):
            start, size = at + 2, der[at + 1]
            if size > 127: start, size = start + size - 128, int.from_bytes(der[start:start + size - 128], "big")
            return start, start + size
        (at, end), fields = bounds(0), []
        while at < end:
            fields.append(der[at:bounds(at)[1]])
            at += len(fields[-1])
        assert all(field[0] != 0xAF for field in fields), "it allows some"
        # [15] is max_early_data, in the order of its tag.
        fields.append(bytes([0xAF, 4, 2, 2, 0x40, 0]))
        body = b"".join(sorted(fields, key=lambda field: max(0xA0, field[0])))
        with open(sys.argv[1], "w") as file:
            whole = b"\\x30\\x82" + len(body).to_bytes(2, "big") + body
            print(mark, base64.encodebytes(whole).decode() + "-----END SSL SESSION PARAMETERS-----", sep="\\n", file=file)
        """

    @Test("Early data is not taken, from whoever sends some though no session of ours allows it")
    func earlyData() throws {
        let instance = try Instance("web")
        defer { instance.end() }
        let file = try files.directory.write(
            """
            upstreams: [{name: out, endpoints: ["\(instance.address)"]}]
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: out, tls: {\(files.pair("web"))}}]
            admin: 127.0.0.1:0

            """)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let listener = try remora.ready().listener
            let (session, early) = (files.path("session"), files.path("early"))
            let first = try files.openssl(listener, ["-tls1_3", "-sess_out", session])
            #expect(first.contains("\r\n\r\nweb"), "\(first)")
            let made = try runProgram(["python3", "-c", Self.allowEarlyData, session])
            try #require(made.status == 0, "\(made.output)")
            try "GET /early HTTP/1.1\r\n\r\n".write(toFile: early, atomically: true, encoding: .utf8)
            // Its session is good, and it is served what it asked for afterwards, and nothing else
            let second = try files.openssl(listener, ["-tls1_3", "-sess_in", session, "-early_data", early])
            #expect(second.contains("Early data was rejected") && second.contains("\nReused, TLS"), "\(second)")
            #expect(second.contains("\r\n\r\nweb"))
        }
        #expect(instance.requests == 2)
    }
}
