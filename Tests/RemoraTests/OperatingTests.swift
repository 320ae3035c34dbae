// The subcommands that talk to a running remora.

import Admin
import Foundation
import Glibc
import Reactor
import Stats
import Testing
import Vocabulary

@Suite("Commands for a running remora")
struct OperatingTests {
    private static func outcome(
        _ command: String..., at admin: SocketAddress
    ) throws -> (ending: RemoraProcess.Ending, output: String, log: String) {
        try RemoraProcess.outcome(of: command + ["--admin", "\(admin)"])
    }

    /// A port that nobody listens on while this lives.
    private static func silentPort() throws -> Server { try Server(listens: false) }

    @Test(
        "Where nobody answers every command says how to start a remora or to name it, and ends with 69",
        arguments: [
            "members", "upstreams", "stats", "top", "drain", "undrain", "reload", "support x", "explain",
            "explain member x", "explain upstream x",
        ])
    func nobody(command: String) throws {
        let port = try Self.silentPort()
        let words = command.split(separator: " ").map(String.init)
        let outcome = try RemoraProcess.outcome(of: words + ["--admin", "\(port.address)"])
        #expect(outcome.ending == .exit(69))
        #expect(outcome.log.hasPrefix("error: no remora answers at \(port.address): Connection refused\n"))
        #expect(outcome.log.contains("remora run --config FILE") && outcome.log.contains("--admin ADDRESS"))
    }

    @Test("wait returns once an upstream has a fit endpoint, and names what is missing when its time is over")
    func wait() throws {
        let (server, gone, directory) = (try Server(), try Self.silentPort(), try TestDirectory())
        let file = try directory.write(
            """
            upstreams:
              - {name: good, endpoints: ["\(server.address)"]}
              - {name: bad, endpoints: ["\(gone.address)"]}
            listeners: [{name: in, bind: "127.0.0.1:0", upstream: bad}]
            admin: "127.0.0.1:0"
            """)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let ready = try remora.ready()
            let admin = ready.admin
            #expect(request(through: ready.listener) == nil)
            #expect(try Self.outcome("wait", "--upstream", "good", at: admin).ending == .exit(0))
            let late = try Self.outcome(
                "wait", "--upstream", "good", "--upstream", "bad", "--upstream", "none", "--timeout", "300ms", at: admin
            )
            #expect(late.ending == .exit(75))
            #expect(
                late.log == """
                    error: not so within 300 ms:
                      upstream bad has no fit endpoint: 1 ejected
                      there is no upstream none

                    """)
            let json = try Self.outcome("wait", "--upstream", "none", "--timeout", "0ms", "--json", at: admin)
            #expect(json.ending == .exit(75))
            #expect(json.output.hasPrefix("{\"missing\":[\"there is no upstream none\"],\"waited_seconds\":"))
        }
    }

    @Test("wait may be started before the remora, and waits until its node has joined")
    func waitFromTheStart() throws {
        let hosts = [197, 198].map(LoopbackHosts.host)
        let (server, directory) = (try Server(), try TestDirectory())
        let port = try Self.silentPort()
        let admin = port.address
        func config(_ name: String, _ host: String, join: [String], admin: String) -> String {
            FleetConfig(name: name, bind: "\(host):7946", join: join, endpoint: "\(server.address)").text
                .replacingOccurrences(of: "admin: \"127.0.0.1:0\"", with: "admin: \"\(admin)\"")
        }
        let joining = try directory.write(
            config("late", hosts[1], join: ["\(hosts[0]):7946"], admin: "\(admin)"), as: "late.yaml")
        let seed = try directory.write(config("seed", hosts[0], join: [], admin: "127.0.0.1:0"), as: "seed.yaml")
        try RemoraProcess.with(["wait", "--upstream", "out", "--timeout", "20s", "--admin", "\(admin)"]) { waiting in
            withExtendedLifetime(port) {}
            try RemoraProcess.with(["run", "--config", joining, "--threads", "1"]) { late in
                _ = try late.ready()
                // Its seed is not there yet
                let alone = try Self.outcome("wait", "--timeout", "300ms", at: admin)
                #expect(alone.ending == .exit(75))
                #expect(alone.log.hasSuffix("  it has not joined its fleet: no seed has answered yet\n"))
                try RemoraProcess.with(["run", "--config", seed, "--threads", "1"]) { _ in
                    let ending = try waiting.ending()
                    #expect(ending == .exit(0))
                }
            }
        }
    }

    @Test("members does without its first line where the figures are not to be had, and complains of nothing")
    func membersWithoutFigures() throws {
        let server = try Server()
        try RemoraProcess.with(["members", "--admin", "\(server.address)"]) { command in
            for (path, status, body) in [
                ("/members", "200 OK", #"{"members":[]}"#), ("/stats", "503 Service Unavailable", "busy"),
            ] {
                let client = try server.accept()
                #expect(try client.receive(until: "\r\n\r\n").hasPrefix("GET \(path) "))
                try client.send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
            #expect(try command.ending() == .exit(0))
            #expect(try command.output.rest().hasPrefix("no members"))
            #expect(try command.log.rest() == "")
        }
    }

    @Test("top prints one frame where stdout is no terminal, with rates, within 80 by 24")
    func top() throws {
        let instance = try Instance("web")
        defer { instance.end() }
        try withRemora(TestConfig(endpoints: [instance.address])) { remora in
            let ready = try remora.ready()
            for _ in 0..<5 { #expect(request(through: ready.listener) == "web") }
            let outcome = try Self.outcome("top", "--interval", "200ms", at: ready.admin)
            #expect(outcome.ending == .exit(0))
            let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count <= 25 && lines.allSatisfy { $0.count <= 80 })
            #expect(lines.contains { $0.hasPrefix("LISTENER  STATE") })
            #expect(lines.contains { $0.hasPrefix("in        listening     0      0") })
            #expect(lines.contains { $0.hasPrefix("out       1/1") })
            #expect(!outcome.output.contains("\u{1B}"))
        }
    }

    @Test("On a terminal top takes the screen, follows its size, ends with q, and gives it back")
    func topOnTerminal() throws {
        let instance = try Instance("web")
        defer { instance.end() }
        try withRemora(TestConfig(endpoints: [instance.address])) { remora in
            let admin = try remora.ready().admin
            let terminal = try PseudoTerminal(columns: 60, rows: 12)
            let process = try terminal.start(["top", "--interval", "100ms", "--admin", "\(admin)"])
            defer { process.end() }
            let first = try terminal.read(until: "\u{1B}[J")
            #expect(first.hasPrefix("\u{1B}[?1049h\u{1B}[?25l\u{1B}[H"))
            #expect(first.contains("\u{1B}[32m  listening\u{1B}[0m"))
            #expect(first.split(separator: "\r\n", omittingEmptySubsequences: false).count <= 12)
            terminal.type("q")
            #expect(try terminal.read(until: "\u{1B}[?1049l").hasSuffix("\u{1B}[?25h\u{1B}[?1049l"))
            #expect(try process.ending() == 0)
        }
    }

    @Test("Tables are coloured on a terminal alone, and not where NO_COLOR is set", arguments: [false, true])
    func colours(isUnwanted: Bool) throws {
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address])) { remora in
            let admin = try remora.ready().admin
            let piped = try Self.outcome("upstreams", at: admin)
            #expect(!piped.output.contains("\u{1B}"))
            let terminal = try PseudoTerminal(columns: 200, rows: 24)
            let process = try terminal.start(
                ["upstreams", "--admin", "\(admin)"], environment: isUnwanted ? ["NO_COLOR": "1"] : [:])
            defer { process.end() }
            let text = try terminal.read(until: "against it.")
            #expect(text.contains("\u{1B}[32m  fit") == !isUnwanted)
            #expect(try process.ending() == 0)
        }
    }

    @Test("support writes one JSON object that its owner alone can read, and names what is missing")
    func support() throws {
        let (server, directory) = (try Server(), try TestDirectory())
        try withRemora(TestConfig(endpoints: [server.address])) { remora in
            let admin = try remora.ready().admin
            let file = "\(directory.path)/bundle.json"
            let outcome = try Self.outcome("support", file, at: admin)
            #expect(outcome.ending == .exit(0) && outcome.output == "")
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            let data = try Data(contentsOf: URL(fileURLWithPath: file))
            let bundle = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            let answers = try #require(bundle["answers"] as? [String: Any])
            #expect((answers["/stats"] as? [String: Any])?["node"] != nil)
            #expect(answers["/ready"] as? String == "ready\n")
            let missing = try #require(bundle["missing"] as? [String: String])
            #expect(Set(answers.keys).isDisjoint(with: missing.keys) && answers.count + missing.count == 8)
        }
    }

    @Test("Completions come for each shell, with the subcommands in them", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) throws {
        let outcome = try RemoraProcess.outcome(of: ["--generate-completion-script", shell])
        #expect(outcome.ending == .exit(0) && outcome.log == "")
        for word in ["reload", "undrain", "explain", "top"] { #expect(outcome.output.contains(word)) }
    }
}
