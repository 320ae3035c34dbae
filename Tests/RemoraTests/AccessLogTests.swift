// The access log of a real process: what is in it, what becomes of it when files are renamed, full or not read, and that
// none of this holds up a connection.

import AccessLog
import Admin
import Foundation
import Glibc
import Reactor
import Stats
import Testing
import Vocabulary

/// A remora with an access log in a directory of its own.
private struct Logged {
    let remora: RemoraProcess
    let ready: ReadyLine
    let directory: TestDirectory
    let server: Server

    /// - Parameters:
    ///   - log: the section, with `DIR` for the directory.
    ///   - prepare: makes what has to be there before the process starts.
    static func with(
        _ log: String = "{path: DIR/access.log}", listener: String = "", upstream: String = "", threads: Int = 2,
        script: String? = nil, prepare: (TestDirectory) throws -> Void = { _ in },
        _ body: (Logged) throws -> Void
    ) throws {
        let (directory, server) = (try TestDirectory(), try Server())
        try prepare(directory)
        let file = try directory.write(config(log, server, directory, listener: listener, upstream: upstream))
        try RemoraProcess.with(["run", "--config", file, "--threads", "\(threads)"], script: script) { remora in
            try body(Logged(remora: remora, ready: try remora.ready(), directory: directory, server: server))
        }
    }

    static func config(
        _ log: String, _ server: Server, _ directory: TestDirectory, listener: String = "", upstream: String = ""
    ) -> String {
        let section = log.isEmpty ? "" : "access_log: \(log.replacing("DIR", with: directory.path))"
        return """
            upstreams: [{name: out, endpoints: ["\(server.address)"]\(upstream)}]
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: out\(listener)}]
            admin: "127.0.0.1:0"
            shutdown: {drain: 0s}
            \(section)
            """
    }

    func write(_ log: String) throws { _ = try directory.write(Self.config(log, server, directory)) }

    func reload() throws -> (ending: RemoraProcess.Ending, output: String, log: String) {
        try RemoraProcess.outcome(of: ["reload", "--admin", "\(ready.admin)"])
    }

    /// The lines of a file so far.
    func lines(_ name: String = "access.log") -> [String] {
        let text = (try? String(contentsOfFile: "\(directory.path)/\(name)", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    /// Waits for so many lines, and reads them as JSON.
    func entries(_ count: Int) throws -> [[String: Any]] {
        try Wait.until(lines().count, is: count)
        return try lines().map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    }

    func report() throws -> AccessLogReport? {
        let (status, body) = try get("/stats", from: ready.admin)
        try #require(status == 200)
        return try ReportJSON.decode(StatsReport.self, from: Array(body.utf8)).accessLog
    }

    /// Lines that were written or dropped.
    func counted() throws -> UInt64 {
        let report = try #require(try report())
        return report.writtenTotal + report.droppedTotal
    }

    /// A connection that comes and goes cleanly.
    func visit() throws {
        let (client, server) = try connectedPair(through: ready.listener, to: server)
        server.close()
        #expect(try client.ending() == .end)
    }

    func end() throws {
        remora.signal(SIGTERM)
        #expect(try remora.ending() == .exit(0))
    }
}

/// Whether a client is turned away by a reset, which it may hear of while it still connects.
private func isReset(at listener: SocketAddress) throws -> Bool {
    do {
        return try Peer(to: listener).ending() == .reset
    } catch let error as SystemError where error.code == ECONNRESET {
        return true
    }
}

@Suite("Access log")
struct AccessLogTests {
    @Test("A connection that ended has a line with all there is to say of it")
    func clean() throws {
        try Logged.with { logged in
            let before = Date.now
            try logged.visit()
            let entry = try #require(try logged.entries(1).first)
            let words = entry.compactMapValues { $0 as? String }
            #expect(words["listener"] == "in" && words["upstream"] == "out" && words["end"] == "clean")
            #expect(words["endpoint"] == "\(logged.server.address)")
            #expect(words["client"]?.wholeMatch(of: /127\.0\.0\.1:\d+/) != nil)
            #expect(entry["reason"] is NSNull && entry["member"] is NSNull && entry["server_name"] is NSNull)
            let numbers = entry.compactMapValues { $0 as? Double }
            #expect(numbers["attempts"] == 1 && numbers["received_bytes"] == 4 && numbers["sent_bytes"] == 4)
            let duration = try #require(numbers["duration_seconds"])
            let connect = try #require(numbers["connect_seconds"])
            #expect(duration > 0 && duration < 20 && connect <= duration)
            let start = try Date(
                #require(words["start"]), strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
            // As far as two clocks agree that were read at different moments.
            #expect(abs(start.timeIntervalSince(before)) < 20)
            try Wait.until(try logged.report()?.writtenTotal, is: 1)
            #expect(try logged.report()?.droppedTotal == 0 && (try logged.report()?.fault) == nil)
            let metrics = try get("/metrics", from: logged.ready.admin).body
            #expect(metrics.contains("\nremora_access_log_lines_total 1\n"))
            #expect(metrics.contains("\nremora_access_log_dropped_total 0\n"))
            let said = try RemoraProcess.outcome(of: ["stats", "--admin", "\(logged.ready.admin)"]).output
            #expect(said.contains("\naccess log \(logged.directory.path)/access.log  1 lines written, 0 dropped\n"))
        }
    }

    @Test("However a connection ends, its line says how and why")
    func ends() throws {
        try Logged.with(listener: ", max_connections: 2", upstream: ", connect_attempts: 1", threads: 1) { logged in
            let listener = logged.ready.listener
            func pair() throws -> (client: Peer, server: Peer) {
                try connectedPair(through: listener, to: logged.server)
            }
            let first = try pair()
            first.client.abort()
            #expect(try first.server.ending() == .reset)
            let second = try pair()
            second.server.abort()
            #expect(try second.client.ending() == .reset)
            _ = try logged.entries(2)
            let open = [try pair(), try pair()]
            #expect(try isReset(at: listener))
            _ = try logged.entries(3)
            // Left for the end of the process, whose drain is over at once.
            try logged.end()
            let entries = try logged.entries(5)
            #expect(
                entries.compactMap { $0["end"] as? String } == [
                    "client_abort", "endpoint_abort", "listener_full", "shutdown", "shutdown",
                ])
            #expect(entries[0]["reason"] as? String == "\(SystemError(code: ECONNRESET))")
            #expect(entries[1]["reason"] as? String == "\(SystemError(code: ECONNRESET))")
            #expect(entries[2]["endpoint"] is NSNull && entries[2]["attempts"] as? Int == 0)
            withExtendedLifetime(open) {}
        }
    }

    @Test("An endpoint that refuses, and an idle connection, in a log that is text")
    func refusedAndIdle() throws {
        let log = "{path: DIR/access.log, format: text}"
        try Logged.with(log, listener: ", idle_timeout: 1s", upstream: ", connect_attempts: 1") { logged in
            let idle = try connectedPair(through: logged.ready.listener, to: logged.server)
            #expect(try idle.client.ending() == .reset)
            try Wait.until(logged.lines().count, is: 1)
            #expect(logged.lines()[0].hasSuffix(" end=idle_timeout reason=-"))
        }
        let directory = try TestDirectory()
        let closed = try Server(listens: false)
        let options = ", panic_threshold_percent: 0"
        let file = try directory.write(Logged.config(log, closed, directory, upstream: options))
        try RemoraProcess.with(["run", "--config", file]) { remora in
            let logged = Logged(remora: remora, ready: try remora.ready(), directory: directory, server: closed)
            #expect(try isReset(at: logged.ready.listener))
            try Wait.until(logged.lines().count, is: 1)
            let line = logged.lines()[0]
            #expect(line.hasSuffix(" end=connect_failed reason=\"Connection refused\""))
            #expect(line.contains(" endpoint=\(closed.address) ") && line.contains(" first_byte_seconds=- "))
            // The endpoint is ejected by now, and there is no other.
            try Wait.forAnswer {
                #expect(try isReset(at: logged.ready.listener))
                guard logged.lines().contains(where: { $0.hasSuffix(" end=no_endpoint reason=-") }) else {
                    throw TooLate(description: "\(logged.lines())")
                }
            }
        }
    }

    @Test("Renaming the file and asking for it anew loses no line under load", arguments: [true, false])
    func rotation(bySignal: Bool) throws {
        try Logged.with { logged in
            let service = try Instance("one")
            _ = try logged.directory.write(
                Logged.config("{path: DIR/access.log}", logged.server, logged.directory)
                    .replacing("\(logged.server.address)", with: "\(service.address)"))
            #expect(try logged.reload().ending == .exit(0))
            let listener = logged.ready.listener
            let (isToEnd, hasEnded) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            Thread {
                while isToEnd.wait(timeout: .now()) == .timedOut { _ = request(through: listener) }
                hasEnded.signal()
            }.start()
            defer { isToEnd.signal() }
            var files: [String] = []
            for turn in 0..<8 {
                try Wait.until(logged.lines().isEmpty, is: false)
                let name = "access.log.\(turn)"
                try FileManager.default.moveItem(
                    atPath: "\(logged.directory.path)/access.log", toPath: "\(logged.directory.path)/\(name)")
                files.append(name)
                if bySignal { logged.remora.signal(SIGHUP) } else { #expect(try logged.reload().ending == .exit(0)) }
                try Wait.until(
                    FileManager.default.fileExists(atPath: "\(logged.directory.path)/access.log"), is: true)
            }
            isToEnd.signal()
            #expect(hasEnded.wait(timeout: .now() + .seconds(20)) == .success)
            try logged.end()
            let lines = (files + ["access.log"]).flatMap { logged.lines($0) }
            #expect(lines.count == service.requests && lines.count >= 8)
            #expect(lines.allSatisfy { $0.contains("\"end\":\"clean\"") && $0.hasSuffix("}") })
        }
    }

    @Test("A log comes, changes and goes with the config, and a file that cannot be opened keeps the config out")
    func reload() throws {
        try Logged.with("") { logged in
            #expect(try logged.report() == nil)
            try logged.visit()
            // When it comes
            try logged.write("{path: DIR/access.log}")
            let came = try logged.reload()
            #expect(came.output == "The config is in force.\n  access_log is changed\n")
            try logged.visit()
            try Wait.until(logged.lines().count, is: 1)
            // When another cannot be
            try logged.write("{path: DIR/none/access.log}")
            let refused = try logged.reload()
            #expect(refused.ending == .exit(78))
            #expect(
                (refused.output + refused.log).contains(
                    "access_log: \(logged.directory.path)/none/access.log cannot be opened: the directory"))
            try logged.visit()
            try Wait.until(logged.lines().count, is: 2)
            // When its format is another
            try logged.write("{path: DIR/access.log, format: text}")
            #expect(try logged.reload().ending == .exit(0))
            try logged.visit()
            try Wait.until(logged.lines().count, is: 3)
            #expect(logged.lines()[2].hasSuffix(" end=clean reason=-"))
            // When it goes
            try logged.write("")
            #expect(try logged.reload().ending == .exit(0))
            try logged.visit()
            #expect(try logged.report() == nil)
            try logged.end()
            #expect(logged.lines().count == 3)
        }
    }

    @Test("The file is opened anew though the config beside it is no good")
    func rotationWithBadConfig() throws {
        try Logged.with { logged in
            try logged.visit()
            try Wait.until(logged.lines().count, is: 1)
            _ = try logged.directory.write("listeners: [")
            try FileManager.default.moveItem(
                atPath: "\(logged.directory.path)/access.log", toPath: "\(logged.directory.path)/access.log.1")
            logged.remora.signal(SIGHUP)
            try Wait.until(FileManager.default.fileExists(atPath: "\(logged.directory.path)/access.log"), is: true)
            try logged.visit()
            try Wait.until(logged.lines().count, is: 1)
            #expect(logged.lines("access.log.1").count == 1)
        }
    }

    /// Takes all but the last bit of the 512 blocks of 512 bytes that `ulimit -f 512` leaves a file.
    private static func fillDisk(_ directory: TestDirectory) throws {
        let filler = String(repeating: String(repeating: "x", count: 1_023) + "\n", count: 255)
        _ = try directory.write(filler, as: "access.log")
    }

    @Test("A full disk costs lines, counted and said once, and no connection")
    func fullDisk() throws {
        // To a write it is a disk that is full.
        let script = "ulimit -f 512; exec \"$0\" \"$@\""
        try Logged.with(
            "{path: DIR/access.log}", threads: 1, script: script,
            prepare: Self.fillDisk
        ) { logged in
            for _ in 0..<10 { try logged.visit() }
            // One may be there in part.
            try Wait.until(try logged.counted() >= 9, is: true)
            let report = try #require(try logged.report())
            #expect(report.droppedTotal > 0 && report.writtenTotal < 3)
            #expect(report.fault == "\(SystemError(code: EFBIG))")
            let said = try RemoraProcess.outcome(of: ["stats", "--admin", "\(logged.ready.admin)"]).output
            #expect(said.contains("dropped; it takes none now: \(SystemError(code: EFBIG))\n"))
            // When there is room again
            let file = "\(logged.directory.path)/access.log"
            try #require(unsafe truncate(file, 0) == 0)
            try logged.visit()
            try Wait.until((try logged.report())?.fault, is: nil)
            try logged.end()
            // What was missing of a line comes first, and then the new one, whole.
            #expect(logged.lines().last?.hasPrefix("{\"start\":") == true)
            #expect(logged.lines().last?.hasSuffix("\"end\":\"clean\",\"reason\":null}") == true)
            let log = try logged.remora.log.rest()
            #expect(log.components(separatedBy: "takes no lines").count == 2, "\(log)")
            #expect(log.contains("takes lines again; \(report.droppedTotal) were dropped"), "\(log)")
        }
    }

    @Test("A FIFO that nobody reads holds up no connection, and is not waited for by a process that ends")
    func unreadPipe() throws {
        try Logged.with(
            "{path: DIR/fifo}", threads: 1,
            prepare: { directory in
                try #require(unsafe mkfifo("\(directory.path)/fifo", 0o600) == 0)
            }
        ) { logged in
            // More than a pipe holds
            let begin = Kernel.now()
            for _ in 0..<400 { try logged.visit() }
            let taken = Kernel.now() - begin
            #expect(taken < .seconds(20), "\(taken)")
            try Wait.until(try logged.counted() >= 399, is: true)
            let report = try #require(try logged.report())
            #expect(report.droppedTotal > 0 && report.writtenTotal > 50)
            #expect(report.fault == "nobody reads it")
            let seconds = try logged.remora.processorSeconds()
            #expect(seconds < 5, "it spins")
            try logged.end()
        }
    }

    @Test("A file that cannot be made ends the start with 73, and check tells of it without making one")
    func start() throws {
        let (directory, server) = (try TestDirectory(), try Server())
        let cases: [(log: String, words: String)] = [
            ("{path: DIR/none/a.log}", "the directory DIR/none is not there; make it, or name another file"),
            ("{path: DIR}", "it is a directory; name a file in it"),
        ]
        for (log, words) in cases {
            let file = try directory.write(Logged.config(log, server, directory))
            let words = words.replacing("DIR", with: directory.path)
            let run = try RemoraProcess.outcome(of: ["run", "--config", file])
            #expect(run.ending == .exit(73) && run.output == "" && run.log.contains(words), "\(run)")
            let check = try RemoraProcess.outcome(of: ["check", "--config", file])
            #expect(check.ending == .exit(78) && (check.output + check.log).contains(words), "\(check)")
        }
        let file = try directory.write(Logged.config("{path: DIR/a.log}", server, directory))
        #expect(try RemoraProcess.outcome(of: ["check", "--config", file]).ending == .exit(0))
        #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/a.log"))
    }

    @Test("Standard output is a place for it, beside the ready line")
    func standardOutput() throws {
        try Logged.with("{path: /dev/stdout, format: text}") { logged in
            try logged.visit()
            let line = try logged.remora.output.line()
            #expect(line.contains(" listener=in ") && line.hasSuffix(" end=clean reason=-"))
        }
    }

    @Test(
        "A file that standard error was redirected to holds both logs, and neither goes over the other",
        arguments: ["/dev/stderr", "/proc/self/fd/2", "DIR/both.log", "DIR/link"])
    func redirected(path: String) throws {
        try Logged.with(
            "{path: \(path)}", threads: 1, script: "exec 2>\"${3%/*}/both.log\"; exec \"$0\" \"$@\"",
            prepare: { directory in
                try FileManager.default.createSymbolicLink(
                    atPath: "\(directory.path)/link", withDestinationPath: "/dev/stderr")
            }
        ) { logged in
            func both() -> [String] { logged.lines("both.log") }
            // Both write in turns.
            for turn in 1...3 {
                try logged.visit()
                try Wait.until(both().count { $0.hasSuffix("\"end\":\"clean\",\"reason\":null}") }, is: turn)
                #expect(try logged.reload().ending == .exit(0))
            }
            try logged.end()
            let (lines, own) = (both().filter { $0.hasPrefix("{") }, both().filter { !$0.hasPrefix("{") })
            #expect(lines.count == 3)
            for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
            #expect(own.allSatisfy { $0.wholeMatch(of: /\d{4}-\S+Z (notice|info|warning) .+/) != nil }, "\(own)")
            #expect(own.count { $0.hasSuffix("nothing has changed") } == 3)
            #expect(own.first?.contains(" started") == true && own.last?.hasSuffix("drained") == true, "\(own)")
        }
    }

    @Test("A line that a full disk cut off is completed when the file is opened anew and there is room again")
    func cutOff() throws {
        let script = "ulimit -S -f 512; exec \"$0\" \"$@\""
        try Logged.with(
            "{path: DIR/access.log}", threads: 1, script: script,
            prepare: Self.fillDisk
        ) { logged in
            for _ in 0..<10 { try logged.visit() }
            try Wait.until(try logged.counted(), is: 9)
            let dropped = try #require(try logged.report()).droppedTotal
            // When the file is asked for anew, and then there is room
            #expect(try logged.reload().ending == .exit(0))
            let room = try runProgram(["prlimit", "--pid", "\(logged.remora.id)", "--fsize=unlimited:"])
            try #require(room.status == 0, "\(room.output)")
            try logged.visit()
            try logged.end()
            let lines = logged.lines().filter { !$0.hasPrefix("x") }
            #expect(UInt64(lines.count) == 11 - dropped)
            for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        }
    }

    @Test("Why one file took no lines is nothing that another is told of")
    func outageOfAnother() throws {
        try Logged.with("{path: /dev/full}", threads: 1) { logged in
            try logged.visit()
            try Wait.until((try logged.report())?.fault, is: "\(SystemError(code: ENOSPC))")
            _ = try logged.remora.log.line(containing: "/dev/full takes no lines")
            // When another takes its place, before any line is written to that
            try logged.write("{path: DIR/access.log}")
            #expect(try logged.reload().ending == .exit(0))
            #expect((try logged.report())?.fault == nil)
            #expect(try #require(try logged.report()).droppedTotal == 1)
            try logged.visit()
            try Wait.until(logged.lines().count, is: 1)
            #expect((try logged.report())?.fault == nil)
            // And what happens to the first again is news.
            try logged.write("{path: /dev/full}")
            #expect(try logged.reload().ending == .exit(0))
            try logged.visit()
            _ = try logged.remora.log.line(containing: "/dev/full takes no lines")
            try logged.end()
            let rest = try logged.remora.log.rest()
            #expect(!rest.contains("takes lines again"), "\(rest)")
        }
    }

    // MARK: TLS

    /// What a line says of these keys, in either format.
    private func said(_ line: String, _ format: String, _ keys: [String]) throws -> [String] {
        if format == "json" {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try keys.map { key in
                let value = try #require(object?[key], "\(key) is missing: \(line)")
                return value is NSNull ? "-" : "\(value)"
            }
        }
        return try keys.map { key in
            let rest = try #require(line.split(separator: " \(key)=", maxSplits: 1).dropFirst().first, "\(line)")
            let value = rest.hasPrefix("\"") ? rest.dropFirst().prefix { $0 != "\"" } : rest.prefix { $0 != " " }
            return String(value)
        }
    }

    @Test(
        "A connection whose TLS ends here says whom it asked for and who it was; one that gets no further, why",
        arguments: ["json", "text"])
    func terminated(format: String) throws {
        let (files, instance) = (try TLSFiles(), try Instance("web"))
        defer { instance.end() }
        try files.make("web", by: "ca", names: "DNS:web.edge")
        try files.make("shop", by: "ca", names: "URI:spiffe://edge/shop,DNS:shop.edge")
        try files.make("guest", by: "ca", names: "URI:spiffe://elsewhere/guest")
        let file = try files.directory.write(
            """
            upstreams: [{name: out, endpoints: ["\(instance.address)"]}]
            listeners:
            - name: in
              bind: 127.0.0.1:0
              upstream: out
              tls: {\(files.pair("web")), client_ca: \(files.path("ca.pem")), allow_san: ["spiffe://edge/*"]}
            - {name: open, bind: "127.0.0.1:0", upstream: out, tls: {\(files.pair("web"))}}
            admin: 127.0.0.1:0
            access_log: {path: \(files.path("access.log")), format: \(format)}

            """)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let listeners = try remora.ready().listeners.map(\.address)
            let keys = ["listener", "server_name", "client_identity", "endpoint", "received_bytes", "end", "reason"]
            var seen = 0
            /// What the line says of the connection that was made meanwhile.
            func line(_ visit: () throws -> Void) throws -> [String] {
                try visit()
                seen += 1
                let text = try Wait.forAnswer { () throws -> String in
                    let lines = try String(contentsOfFile: files.path("access.log"), encoding: .utf8)
                        .split(separator: "\n")
                    guard lines.count == seen else { throw TooLate(description: "\(lines)") }
                    return String(lines[seen - 1])
                }
                return try said(text, format, keys)
            }
            let name = ["-servername", "web.edge"]
            for version in ["-tls1_2", "-tls1_3"] {
                let known = try line {
                    let answer = try files.openssl(listeners[0], files.showing("shop") + name + [version])
                    #expect(answer.contains("\r\n\r\nweb"))
                }
                #expect(
                    known == [
                        "in", "web.edge", "URI spiffe://edge/shop", "\(instance.address)", "27", "clean", "-",
                    ])
                let nameless = try line { _ = try files.openssl(listeners[1], ["-noservername", version]) }
                #expect(nameless == ["open", "-", "-", "\(instance.address)", "27", "clean", "-"])
                let unasked = try line { _ = try files.openssl(listeners[0], name + [version]) }
                let none = "TLS failed: peer did not return a certificate"
                #expect(unasked == ["in", "web.edge", "-", "-", "0", "handshake_failed", none])
                let refused = try line {
                    _ = try files.openssl(listeners[0], files.showing("guest") + name + [version])
                }
                let another =
                    "the peer's certificate is refused: none of its names is allowed; it is for URI spiffe://elsewhere/guest"
                #expect(refused == ["in", "web.edge", "-", "-", "0", "handshake_failed", another])
            }
            let plain = try line {
                let client = try Peer(to: listeners[1])
                try client.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
                _ = try client.ending()
            }
            #expect(plain == ["open", "-", "-", "-", "0", "handshake_failed", "TLS failed: http request"])
            let gone = try line { try Peer(to: listeners[1]).close() }
            let ended = "the connection ended within the TLS handshake"
            #expect(gone == ["open", "-", "-", "-", "0", "handshake_failed", ended])
            #expect(instance.requests == 4)
        }
    }

    @Test("A connection whose TLS passes through says whom it asked for", arguments: ["json", "text"])
    func passedThrough(format: String) throws {
        let files = try TLSFiles()
        try files.make("web", by: "ca", names: "DNS:web.edge")
        let endpoint = try TLSEndpoint(files, [TLSEndpoint.Door(certificate: "web")])
        let file = try files.directory.write(
            """
            upstreams: [{name: out, endpoints: ["\(endpoint.addresses[0])"]}]
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: out, sni: [{match: "*.edge", upstream: out}]}]
            admin: 127.0.0.1:0
            access_log: {path: \(files.path("access.log")), format: \(format)}

            """)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let answer = try files.openssl(remora.ready().listener, ["-servername", "web.edge"])
            #expect(answer.contains("\r\n\r\n0 TLSv1.3 new nobody"), "\(answer)")
            let line = try Wait.forAnswer { () throws -> String in
                let text = try String(contentsOfFile: files.path("access.log"), encoding: .utf8)
                guard text.hasSuffix("\n") else { throw TooLate(description: text) }
                return text
            }
            #expect(
                try said(line.trimmingCharacters(in: .newlines), format, ["server_name", "client_identity", "end"])
                    == ["web.edge", "-", "clean"])
        }
    }

    @Test("A sample has about its part of the connections")
    func sample() throws {
        try Logged.with("{path: DIR/access.log, sample: 0.25}") { logged in
            for _ in 0..<200 { try logged.visit() }
            try logged.end()
            // 50, and six standard deviations of a binomial: fewer or more than this comes once in a thousand million.
            #expect((13...87).contains(logged.lines().count))
        }
    }
}
