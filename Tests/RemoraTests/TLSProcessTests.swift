// TLS as an operator has it: a config with files' names in it, the files, and a process.

import Foundation
import Glibc
import Synchronization
import Testing
import Vocabulary

@Suite("TLS of a process", .serialized)
struct TLSProcessTests {
    // MARK: The example

    private func shipped(_ name: String) throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return try String(contentsOfFile: "/\(root)/configs/\(name)", encoding: .utf8)
    }

    /// Replaces what must be there.
    private func replacing(_ text: String, _ replacements: [(String, String)]) throws -> String {
        try replacements.reduce(text) { text, replacement in
            try #require(text.contains(replacement.0), "the example has no \(replacement.0)")
            return text.replacing(replacement.0, with: replacement.1)
        }
    }

    @Test("The example of mutual TLS works as its comment says, and lets in whom it says")
    func example() throws {
        let (directory, instance) = (try TestDirectory(), try Instance("web"))
        defer { instance.end() }
        let server = try shipped("mutual-tls-server.yaml")
        let script = server.split(separator: "\n").drop { !$0.hasPrefix("#   mkdir") }.filter { $0.hasPrefix("#   ") }
            .map { $0.dropFirst(4) }
        let made = try runProgram(["sh", "-ec", script.joined(separator: "\n")], in: directory.path)
        try #require(made.status == 0, "\(made.output)")
        let there = "cd '\(directory.path)' && exec \"$0\" \"$@\""
        _ = try directory.write(
            try replacing(
                server,
                [
                    ("127.0.0.1:15443\n    service", "127.0.0.1:0\n    service"),
                    ("address: 127.0.0.1:9000", "address: \(instance.address)"),
                ])
                + "admin: 127.0.0.1:0\n", as: "server.yaml")
        try RemoraProcess.with(["run", "--config", "server.yaml", "--threads", "1"], script: there) { server in
            let inbound = try server.ready().listener
            _ = try directory.write(
                try replacing(
                    shipped("mutual-tls-client.yaml"),
                    [
                        ("127.0.0.1:15443", "\(inbound)"), ("127.0.0.1:15001", "127.0.0.1:0"),
                        ("127.0.0.1:9902", "127.0.0.1:0"),
                    ]),
                as: "client.yaml")
            try RemoraProcess.with(["run", "--config", "client.yaml", "--threads", "1"], script: there) { client in
                let outbound = try client.ready().listener
                #expect(request(through: outbound) == "web")
            }
            // Of the same authority, but another's identity.
            let refused = try runProgram(
                [
                    "openssl", "s_client", "-ign_eof", "-connect", "\(inbound)", "-cert", "tls/web.pem", "-key",
                    "tls/web.key",
                ],
                in: directory.path)
            #expect(refused.output.contains("alert number 46"), "\(refused.output)")
            let line = try server.log.line(containing: "closed in the TLS handshake")
            #expect(
                line.contains(
                    "the peer's certificate is refused: none of its names is allowed; it is for DNS web.edge, URI spiffe://edge/web"
                ), "\(line)")
            #expect(instance.requests == 1)
        }
    }

    // MARK: Files that change

    private func config(_ tls: String, to instance: Instance) -> String {
        """
        upstreams: [{name: out, endpoints: ["\(instance.address)"]}]
        listeners: [{name: in, bind: "127.0.0.1:0", upstream: out, tls: {\(tls)}}]
        admin: 127.0.0.1:0

        """
    }

    /// How `GET /stats` describes certificates.
    private func certificates(_ admin: SocketAddress) throws -> [[String: Any]] {
        let stats = try JSONSerialization.jsonObject(with: Data(try get("/stats", from: admin).body.utf8))
        return try #require((stats as? [String: Any])?["certificates"] as? [[String: Any]])
    }

    /// How it describes the only one.
    private func certificate(_ admin: SocketAddress) throws -> [String: Any] {
        let all = try certificates(admin)
        return try #require(all.count == 1 ? all[0] : nil)
    }

    /// As many clients as are asked for, each with one request after the other on new connections; it says what they
    /// have seen before the file `late` was there and, when that is enough, after. One more has a connection all the while.
    private static let load = """
        import os, socket, ssl, sys, threading, time
        context = ssl.create_default_context(cafile=sys.argv[2])
        host, port = sys.argv[1].split(":")
        give_up = time.monotonic() + 20
        lock, early, late, failures, count = threading.Lock(), set(), set(), [], 0

        def connect():
            plain = socket.create_connection((host, int(port)), 20)
            return context.wrap_socket(plain, server_hostname="web.edge")

        def page(stream):
            text = b""
            while more := stream.recv(4096): text += more
            head, _, body = text.partition(b"\\r\\n\\r\\n")
            if f"Content-Length: {len(body)}".encode() not in head: raise OSError("cut off")
            shown = [name for _, name in stream.getpeercert()["subjectAltName"] if name != "web.edge"]
            return shown[0], body.decode().split()[-1]

        def visit():
            with connect() as stream:
                stream.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                return page(stream)

        def go_on():
            global count
            while count < 100 and time.monotonic() < give_up:
                is_late = os.path.exists("late")
                try: seen = visit()
                except OSError as error:
                    with lock: failures.append(error)
                else:
                    with lock:
                        (late if is_late else early).add(seen)
                        count += is_late

        steady = connect()
        steady.sendall(b"GET / HTTP/1.1\\r\\nHo")
        threads = [threading.Thread(target=go_on) for _ in range(int(sys.argv[3]))]
        for thread in threads: thread.start()
        print("begun", flush=True)
        for thread in threads: thread.join()
        steady.sendall(b"st: x\\r\\n\\r\\n")
        print("steady", *page(steady))
        for name, seen in ("early", early), ("late", late): print(name, *sorted(seen))
        print("failed", *failures)
        """

    @Test(
        "Certificates of both sides that are renamed into place, or swapped by a link, are used and lose no connection",
        arguments: [false, true])
    func rotation(byLink: Bool) throws {
        let files = try TLSFiles()
        let manager = FileManager.default
        // As Kubernetes mounts a secret: files are links through a link to a directory.
        try manager.createSymbolicLink(atPath: files.path("data"), withDestinationPath: "data-1")
        for (number, name) in ["1", "2"].flatMap({ number in ["web", "edge"].map { (number, $0) } }) {
            let directory = files.path("data-\(number)")
            try manager.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let names = name == "web" ? "DNS:web.edge,DNS:\(number).web" : "DNS:\(number).edge"
            try files.make("made", by: "ca", names: names)
            for kind in ["pem", "key"] {
                try manager.moveItem(atPath: files.path("made.\(kind)"), toPath: "\(directory)/\(name).\(kind)")
                guard number == "1" else { continue }
                let place = files.path("\(name).\(kind)")
                if byLink {
                    try manager.createSymbolicLink(atPath: place, withDestinationPath: "data/\(name).\(kind)")
                } else {
                    try manager.copyItem(atPath: "\(directory)/\(name).\(kind)", toPath: place)
                }
            }
        }
        try files.make("back", by: "ca", names: "DNS:back.edge")
        let endpoint = try TLSEndpoint(files, [TLSEndpoint.Door(certificate: "back", authority: "ca")])
        let file = try files.directory.write(
            """
            upstreams:
            - name: out
              endpoints: ["\(endpoint.addresses[0])"]
              connect_timeout: 20s
              tls: {ca: \(files.path("ca.pem")), server_name: back.edge, \(files.pair("edge"))}
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: out, tls: {\(files.pair("web"))}}]
            admin: 127.0.0.1:0

            """)
        try RemoraProcess.with(["run", "--config", file, "--threads", "2"]) { remora in
            let ready = try remora.ready()
            // Given 32 clients that come and go
            let load = try Companion(
                ["python3", "-c", Self.load, "\(ready.listener)", files.path("ca.pem"), "32"],
                in: files.directory.path)
            try load.output.line(containing: "begun")
            // When both pairs are replaced
            let swap =
                byLink
                ? "ln -s data-2 data.new && mv -T data.new data"
                : "for file in web.pem web.key edge.pem edge.key; do cp data-2/$file .new && mv .new $file; done"
            let began = ContinuousClock.now
            #expect(try runProgram(["sh", "-ec", swap], in: files.directory.path).status == 0)
            let lines = try (0..<2).map { _ in try remora.log.line(containing: "was read again; it ends in ") }
            for name in ["web", "edge"] {
                #expect(lines.contains { $0.contains("\(files.path("\(name).pem")) was read again") }, "\(lines)")
            }
            // Then that is seen within two looks, by the machine's busy clock
            #expect(ContinuousClock.now - began < .seconds(5))
            _ = try files.directory.write("", as: "late")
            // And whoever comes later meets the new ones alone, and nobody has lost anything
            #expect(try load.output.line() == "steady 1.web 1.edge")
            let early = try load.output.line()
            #expect(early.hasPrefix("early ('1.web', '1.edge')"), "\(early)")
            #expect(try load.output.line() == "late ('2.web', '2.edge')")
            #expect(try load.output.rest() == "failed\n")
            let paths = try certificates(ready.admin).map { ($0["path"] as? String, $0["names"] as? [String]) }
            #expect(paths.contains { $0 == (files.path("web.pem"), ["DNS web.edge", "DNS 2.web"]) }, "\(paths)")
            #expect(paths.contains { $0 == (files.path("edge.pem"), ["DNS 2.edge"]) }, "\(paths)")
        }
    }

    @Test("A pair that does not match is refused loudly, the old one stays, and a good one mends it")
    func badPair() throws {
        let (files, instance) = (try TLSFiles(), try Instance("web"))
        defer { instance.end() }
        try files.make("web", by: "ca", names: "DNS:web.edge")
        try files.make("other", by: "ca", names: "DNS:web.edge")
        let file = try files.directory.write(config(files.pair("web"), to: instance))
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let ready = try remora.ready()
            let before = try certificate(ready.admin)
            #expect(before["path"] as? String == files.path("web.pem") && before["refused"] is NSNull)
            #expect(before["kind"] as? String == "certificate" && before["state"] as? String == "ok")
            #expect(before["used_by"] as? [String] == ["listener:in"])
            #expect((before["expires_seconds"] as? Int).map { (29 * 86_400...30 * 86_400).contains($0) } == true)
            try runProgram(["mv", files.path("other.key"), files.path("web.key")])
            let reason =
                "the key in \(files.path("web.key")) is not that of the certificate in \(files.path("web.pem"))"
            let line = try remora.log.line(containing: "has changed and cannot be used")
            #expect(
                line.contains(
                    "error the certificate \(files.path("web.pem")) has changed and cannot be used: \(reason); what was there before is still used"
                ),
                "\(line)")
            #expect(try certificate(ready.admin)["refused"] as? String == reason)
            #expect(try files.openssl(ready.listener, ["-servername", "web.edge"]).contains("\r\n\r\nweb"))
            try runProgram(["mv", files.path("other.pem"), files.path("web.pem")])
            _ = try remora.log.line(containing: "was read again")
            #expect(try certificate(ready.admin)["refused"] is NSNull)
            #expect(try files.openssl(ready.listener, ["-servername", "web.edge"]).contains("\r\n\r\nweb"))
        }
    }

    // MARK: The start

    @Test("Files that cannot be used end run and check with 78, in the same words")
    func badFiles() throws {
        let (files, instance) = (try TLSFiles(), try Instance("web"))
        defer { instance.end() }
        try files.make("web", by: "ca", names: "DNS:web.edge")
        try files.make("other", by: "ca", names: "DNS:web.edge")
        let (web, other, none) = (files.path("web.pem"), files.path("other.key"), files.path("none.pem"))
        for (tls, path, fault) in [
            ("certificate: \(none)", none, "cannot read \(none): No such file or directory"),
            (
                "certificate: \(web), key: \(other)", other,
                "the key in \(other) is not that of the certificate in \(web)"
            ),
            (
                "certificate: \(web)", web,
                "\(web) holds no private key; it must have one that begins with -----BEGIN PRIVATE KEY-----"
            ),
            ("\(files.pair("web")), client_ca: \(none)", none, "cannot read \(none): No such file or directory"),
        ] {
            let text = config(tls, to: instance)
            let file = try files.directory.write(text)
            let run = try RemoraProcess.outcome(of: ["run", "--config", file])
            let check = try RemoraProcess.outcome(of: ["check", "--config", file])
            let place = try place(of: path, in: text)
            #expect(check.ending == .exit(78) && check.output == "")
            #expect(check.log == "\(file):\(place): error: tls: \(fault)\n")
            #expect(run.ending == .exit(78) && run.output == "" && run.log == check.log)
            // What cannot be read twice has no places to look up.
            let input = try #require(FileHandle(forReadingAtPath: file))
            let piped = try RemoraProcess.outcome(of: ["run", "--config", "-"], input: input)
            #expect(piped.ending == .exit(78) && piped.output == "" && piped.log == "-: error: tls: \(fault)\n")
        }
        let file = try files.directory.write(config(files.pair("web"), to: instance))
        let check = try RemoraProcess.outcome(of: ["check", "--config", file])
        #expect(check.ending == .exit(0) && check.output == "\(file): ok\n" && check.log == "")
    }

    /// `LINE:COLUMN` of what stands in a text once.
    private func place(of path: String, in text: String) throws -> String {
        let parts = text.components(separatedBy: path)
        try #require(parts.count == 2, "\(path)")
        let lines = parts[0].components(separatedBy: "\n")
        return "\(lines.count):\(lines[lines.count - 1].count + 1)"
    }

    @Test("check, run and reload name every file that is of no use at its place, among the other faults")
    func everyFault() throws {
        let (files, instance) = (try TLSFiles(), try Instance("web"))
        defer { instance.end() }
        for name in ["web", "other"] { try files.make(name, by: "ca", names: "DNS:web.edge") }
        let weak = try runProgram(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days", "30", "-subj", "/CN=weak",
                "-keyout",
                files.path("weak.key"), "-out", files.path("weak.pem"),
            ])
        try #require(weak.status == 0, "\(weak.output)")
        func text(_ more: String) -> String {
            """
            upstreams:
            - {name: out, endpoints: ["\(instance.address)"], tls: {ca: \(files.path("none-1.pem")), server_name: web.edge}}
            listeners:
            - name: a
              bind: 127.0.0.1:0
              upstream: out
              tls: {certificate: \(files.path("web.pem")), key: \(files.path("other.key"))}
            - {name: b, bind: "127.0.0.1:0", upstream: out, tls: {\(files.pair("weak"))}}
            - {name: c, bind: "127.0.0.1:0", upstream: out, tls: {certificate: \(files.path("none-2.pem"))}}
            admin: 127.0.0.1:0
            access_log: {path: \(files.path("none/access.log"))}
            \(more)
            """
        }
        let faults = [
            ("none-1.pem", "tls: cannot read \(files.path("none-1.pem")): No such file or directory"),
            (
                "other.key",
                "tls: the key in \(files.path("other.key")) is not that of the certificate in \(files.path("web.pem"))"
            ),
            ("weak.pem", "tls: \(files.path("weak.pem")) cannot be used: ee key too small"),
            ("none-2.pem", "tls: cannot read \(files.path("none-2.pem")): No such file or directory"),
            (
                "none/access.log",
                "access_log: \(files.path("none/access.log")) cannot be opened: the directory \(files.path("none")) is not there; make it, or name another file"
            ),
        ]
        let good = try files.directory.write(config(files.pair("web"), to: instance))
        try RemoraProcess.with(["run", "--config", good, "--threads", "1"]) { remora in
            let admin = try remora.ready().admin
            for more in ["", "shutdwon: {drain: 1s}"] {
                let text = text(more)
                let file = try files.directory.write(text)
                var lines = try faults.map { path, fault in
                    "\(file):\(try place(of: files.path(path), in: text)): error: \(fault)"
                }
                if !more.isEmpty {
                    lines.append("\(file):12:1: error: unknown key \"shutdwon\" in the config; did you mean shutdown?")
                }
                let check = try RemoraProcess.outcome(of: ["check", "--config", file])
                #expect(check.ending == .exit(78) && check.output == "")
                #expect(check.log.split(separator: "\n").map(String.init) == lines)
                let run = try RemoraProcess.outcome(of: ["run", "--config", file])
                // Faults of the text end it before it reads a file.
                #expect(run.ending == .exit(78))
                #expect(run.log == (more.isEmpty ? check.log : lines[lines.count - 1] + "\n"))
                guard more.isEmpty else { continue }
                let reload = try RemoraProcess.outcome(of: ["reload", "--admin", "\(admin)"])
                #expect(reload.ending == .exit(78))
                for line in lines { #expect((reload.output + reload.log).contains(line), "\(reload)") }
            }
        }
    }

    @Test("Who holds keys leaves no core dump, and who holds none may", arguments: ["tls", "membership", "neither"])
    func coreDumps(keys: String) throws {
        let (files, instance) = (try TLSFiles(), try Instance("web"))
        defer { instance.end() }
        try files.make("web", by: "ca", names: "DNS:web.edge")
        var text = config(files.pair("web"), to: instance)
        if keys != "tls" { text = text.replacing(", tls: {\(files.pair("web"))}", with: "") }
        if keys == "membership" { text += "membership: {bind: \"127.0.0.1:0\", keys: [AAECAwQFBgcICQoLDA0ODw==]}\n" }
        let file = try files.directory.write(text)
        // A limit that the process has to lower by itself.
        let script = "ulimit -S -c $(ulimit -H -c); exec \"$0\" \"$@\""
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"], script: script) { remora in
            _ = try remora.ready()
            let limits = try String(contentsOfFile: "/proc/\(remora.id)/limits", encoding: .utf8)
            let line = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
            let values = line.split(separator: " ").dropFirst(4).prefix(2).map(String.init)
            #expect((values == ["0", "0"]) == (keys != "neither"), "\(line)")
        }
    }
}
