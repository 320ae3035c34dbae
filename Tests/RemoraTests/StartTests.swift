// How a remora starts, and how it says that it cannot.

import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

@Suite("Starting")
struct StartTests {
    @Test(
        "Ready is one line on stdout with the addresses as bound, whatever the log level",
        arguments: ["trace", "info", "error"])
    func readyLine(level: String) throws {
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address]), options: ["--log-level", level]) { remora in
            let ready = try remora.ready()
            let port = try #require(ready.listener.port)
            let adminPort = try #require(ready.admin.port)
            #expect(port != 0 && adminPort != 0)
            #expect(ready.text == "ready listeners=in@127.0.0.1:\(port) admin=127.0.0.1:\(adminPort)")
            // It is true when it is read.
            #expect(try get("/ready", from: ready.admin) == (200, "ready\n"))
            #expect(try get("/live", from: ready.admin) == (200, "live\n"))
            _ = try connectedPair(through: ready.listener, to: server)
            remora.signal(SIGTERM)
            #expect(try remora.output.rest() == "")
            #expect(try remora.ending() == .exit(0))
        }
    }

    @Test("The ready line names every listener in the config's order, unix sockets and IPv6 included")
    func severalListeners() throws {
        let (server, directory) = (try Server(), try TestDirectory())
        let file = try directory.write(
            """
            upstreams: [{name: out, endpoints: ["\(server.address)"]}]
            listeners:
              - {name: z, bind: "unix:\(directory.path)/z", upstream: out}
              - {name: a, bind: "[::1]:0", upstream: out}
            admin: {bind: "unix:\(directory.path)/admin"}
            """)
        try RemoraProcess.with(["run", "--config", file]) { remora in
            let ready = try remora.ready()
            let port = try #require(ready.listeners[1].address.port)
            #expect(
                ready.text
                    == "ready listeners=z@unix:\(directory.path)/z,a@[::1]:\(port) admin=unix:\(directory.path)/admin")
            for listener in ready.listeners { _ = try connectedPair(through: listener.address, to: server) }
            remora.signal(SIGTERM)
            #expect(try remora.ending() == .exit(0))
        }
        // It takes its sockets' files with it.
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["remora.yaml"])
    }

    @Test("A config can come from standard input")
    func standardInput() throws {
        let (server, input) = (try Server(), Pipe())
        input.fileHandleForWriting.write(Data(TestConfig(endpoints: [server.address]).text.utf8))
        try input.fileHandleForWriting.close()
        try RemoraProcess.with(["run", "--config", "-"], input: input.fileHandleForReading) { remora in
            _ = try connectedPair(through: try remora.ready().listener, to: server)
        }
    }

    // MARK: Exit codes

    @Test("What asks for nothing that runs ends with 0", arguments: [["--version"], ["--help"], ["schema"]])
    func success(arguments: [String]) throws {
        let outcome = try RemoraProcess.outcome(of: arguments)
        #expect(outcome.ending == .exit(0))
        #expect(!outcome.output.isEmpty)
    }

    @Test("keygen prints keys that membership takes, another one each time", arguments: [16, 24, 32])
    func keygen(bytes: Int) throws {
        let keys = try (0..<2).map { _ in
            let outcome = try RemoraProcess.outcome(of: ["keygen", "--bytes", "\(bytes)"])
            #expect(outcome.ending == .exit(0))
            return outcome.output.trimmingCharacters(in: .newlines)
        }
        #expect(Set(keys).count == 2)
        #expect(keys.allSatisfy { Data(base64Encoded: $0)?.count == bytes })
        let directory = try TestDirectory()
        let config = TestConfig(endpoints: [.ipv4(.loopback, port: 1)]).text
        let file = try directory.write("membership: {bind: 127.0.0.1:0, keys: \(keys)}\n" + config)
        #expect(try RemoraProcess.outcome(of: ["check", "--config", file]).ending == .exit(0))
    }

    @Test(
        "A command line that makes no sense ends with 64 and says how it would",
        arguments: [
            ["run"], ["nonsense"], ["run", "--config", "x", "--threads", "0"],
            ["run", "--config", "x", "--log-level", "loud"], ["stats", "--admin", "nowhere"],
            ["keygen", "--bytes", "17"],
        ])
    func usage(arguments: [String]) throws {
        let outcome = try RemoraProcess.outcome(of: arguments)
        #expect(outcome.ending == .exit(64))
        #expect(outcome.log.contains("Usage: remora"))
    }

    @Test(
        "A config that is missing, unreadable or faulty ends with 78 and names the file", arguments: ["run", "check"])
    func badConfig(command: String) throws {
        let directory = try TestDirectory()
        // A directory cannot be read as a file, whoever asks.
        for file in ["\(directory.path)/missing.yaml", directory.path, try directory.write("listeners: 5\n")] {
            let outcome = try RemoraProcess.outcome(of: [command, "--config", file])
            #expect(outcome.ending == .exit(78))
            #expect(outcome.log.hasPrefix("\(file):1:"))
            #expect(outcome.output == "")
        }
    }

    @Test("Of more faults than anyone reads the first are told, and how many are not", arguments: ["run", "check"])
    func manyFaults(command: String) throws {
        let keys = (1...150).map { "key\($0): 1\n" }.joined()
        let directory = try TestDirectory()
        let file = try directory.write(TestConfig(endpoints: [.ipv4(.loopback, port: 1)]).text + keys)
        let outcome = try RemoraProcess.outcome(of: [command, "--config", file])
        #expect(outcome.ending == .exit(78))
        let lines = outcome.log.split(separator: "\n")
        #expect(lines.count == 101 && lines.last == "\(file): and 50 more")
    }

    @Test("A faulty config on standard input is called by its place too")
    func badStandardInput() throws {
        let input = Pipe()
        input.fileHandleForWriting.write(Data("\nlistenres: []\n".utf8))
        try input.fileHandleForWriting.close()
        let outcome = try RemoraProcess.outcome(of: ["check", "--config", "-"], input: input.fileHandleForReading)
        #expect(outcome.ending == .exit(78))
        #expect(outcome.log.contains("-:2:1: error: "))
    }

    @Test("A token file that is missing ends run with 78")
    func missingToken() throws {
        let directory = try TestDirectory()
        let config = TestConfig(endpoints: [.ipv4(.loopback, port: 1)]).text
        let file = try directory.write(
            config.replacing("\"}\nshutdown", with: "\", token_file: \(directory.path)/token}\nshutdown"))
        let outcome = try RemoraProcess.outcome(of: ["run", "--config", file])
        #expect(outcome.ending == .exit(78))
        #expect(outcome.log.contains("\(directory.path)/token"))
    }

    @Test("A remora that nobody finds ends stats with 69, an unreadable token file with 65")
    func stats() throws {
        let directory = try TestDirectory()
        let address = "unix:\(directory.path)/admin"
        #expect(try RemoraProcess.outcome(of: ["stats", "--admin", address]).ending == .exit(69))
        let outcome = try RemoraProcess.outcome(
            of: ["stats", "--admin", address, "--token-file", "\(directory.path)/token"])
        #expect(outcome.ending == .exit(65))
    }

    @Test("An address that another process has, or whose directory is missing, ends run with 73 and its remedy")
    func cannotBind() throws {
        let (taken, directory) = (try Server(), try TestDirectory())
        let endpoints = [taken.address]
        let missing = "unix:\(directory.path)/none/socket"
        let cases: [(config: TestConfig, said: [String])] = [
            (
                TestConfig(bind: "\(taken.address)", endpoints: endpoints),
                ["listener in", "\(taken.address)", "another"]
            ),
            (TestConfig(admin: "\(taken.address)", endpoints: endpoints), ["admin", "\(taken.address)", "another"]),
            (TestConfig(bind: missing, endpoints: endpoints), ["listener in", missing, "directory does not exist"]),
            (TestConfig(admin: missing, endpoints: endpoints), ["admin", missing]),
        ]
        for (config, said) in cases {
            let outcome = try RemoraProcess.outcome(of: ["run", "--config", try directory.write(config.text)])
            #expect(outcome.ending == .exit(73))
            #expect(outcome.output == "")
            for part in said { #expect(outcome.log.contains(part)) }
        }
    }

    @Test("The second remora on one address ends with 73, and the first goes on", arguments: ["1", "4"])
    func secondRemora(threads: String) throws {
        let (server, directory) = (try Server(), try TestDirectory())
        try withRemora(TestConfig(endpoints: [server.address]), options: ["--threads", threads]) { first in
            let address = try first.ready().listener
            let second = TestConfig(bind: "\(address)", endpoints: [server.address])
            let outcome = try RemoraProcess.outcome(
                of: ["run", "--config", try directory.write(second.text), "--threads", threads])
            #expect(outcome.ending == .exit(73))
            _ = try connectedPair(through: address, to: server)
        }
    }

    @Test("A start that fails at the admin address waits for nothing that has not begun")
    func failedStartIsPrompt() throws {
        let (taken, directory) = (try Server(), try TestDirectory())
        let config = TestConfig(admin: "\(taken.address)", endpoints: [taken.address])
        let file = try directory.write(config.text + "access_log: {path: \(directory.path)/access.log}\n")
        // The best of three: what the machine does beside it is not remora's.
        let times = try (0..<3).map { _ in
            let begin = Kernel.now()
            let outcome = try RemoraProcess.outcome(of: ["run", "--config", file])
            #expect(outcome.ending == .exit(73))
            return Kernel.now() - begin
        }
        let best = try #require(times.min())
        #expect(best < .seconds(1), "\(times)")
    }

    @Test("A start that fails at a later address leaves no socket's file of an earlier one", arguments: [true, false])
    func failedStartCleansUp(atListener: Bool) throws {
        let (taken, directory) = (try Server(), try TestDirectory())
        let free = SocketAddress.ipv4(.loopback, port: 0)
        let file = try directory.write(
            """
            upstreams: [{name: out, endpoints: ["\(taken.address)"]}]
            listeners:
              - {name: first, bind: "unix:\(directory.path)/socket", upstream: out}
              - {name: second, bind: "\(atListener ? taken.address : free)", upstream: out}
            admin: {bind: "\(atListener ? free : taken.address)"}
            """)
        let outcome = try RemoraProcess.outcome(of: ["run", "--config", file])
        #expect(outcome.ending == .exit(73))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["remora.yaml"])
    }

    // MARK: Inherited sockets

    @Test("A listening socket that was handed down is used, whatever its address")
    func socketActivation() throws {
        let (inherited, server) = (try Server(), try Server())
        let script = """
            exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=in; export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES
            exec "$0" "$@"
            """
        // The address in the config is in use: only the inherited socket can serve.
        let config = TestConfig(bind: "\(server.address)", endpoints: [server.address])
        try withRemora(
            config, options: ["--threads", "2"], script: script, input: FileHandle(fileDescriptor: inherited.descriptor)
        ) { remora in
            #expect(try remora.ready().listener == inherited.address)
            _ = try connectedPair(through: inherited.address, to: server)
        }
    }
}
