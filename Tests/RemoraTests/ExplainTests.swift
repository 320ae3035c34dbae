// The questions that operators ask, to real remoras: is it me, does everyone agree, what changed, why there.

import Admin
import Foundation
import Glibc
import Reactor
import Stats
import Testing
import Vocabulary

@testable import Node

@Suite("Questions to a running remora", .serialized)
struct ExplainTests {
    private static let key = "cg8StVXbQJ0gPvMd9o7yrg=="

    private func explained(_ words: String..., by admin: SocketAddress) throws -> String {
        let outcome = try RemoraProcess.outcome(of: ["explain"] + words + ["--admin", "\(admin)"])
        #expect(outcome.ending == .exit(0))
        return outcome.output
    }

    private func agreement(_ admin: SocketAddress) throws -> AgreementReport {
        try #require(try report(from: admin).membership).agreement
    }

    @Test("Members say that all of them see the same fleet, and who has other upstreams in its config")
    func agreement() throws {
        let hosts = [201, 202].map(LoopbackHosts.host)
        let directory = try TestDirectory()
        let config = FleetConfig(name: "b", bind: "\(hosts[1]):7946", join: ["\(hosts[0]):7946"])
        let file = try directory.write(config.text, as: "b.yaml")
        try withMember(FleetConfig(name: "a", bind: "\(hosts[0]):7946")) { _, a in
            let alone = try agreement(a)
            #expect(alone.remoras == 1 && alone.sentence == "No other remora is there to agree with.")
            try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { b in
                let admin = try b.ready().admin
                // Given two with one config
                for seer in [a, admin] {
                    try Wait.until(
                        try agreement(seer).sentence,
                        is: "All 2 remoras have our view of the fleet; all have our upstreams in their configs.")
                    let seen = try agreement(seer)
                    #expect(seen.sameView == 2 && seen.sameConfig == 2 && seen.differing.isEmpty)
                }
                let head = try RemoraProcess.outcome(of: ["members", "--admin", "\(a)"]).output
                #expect(head.hasPrefix("2 alive; view ") && head.contains(" All 2 remoras have our view"))
                // When one of them is told something else
                var other = config
                other.endpoint = "127.0.0.1:2"
                _ = try directory.write(other.text, as: "b.yaml")
                let reload = try RemoraProcess.outcome(of: ["reload", "--admin", "\(admin)"])
                #expect(reload.ending == .exit(0))
                try Wait.until(try agreement(a).otherConfig, is: ["b"])
                #expect(try explained(by: a).contains("other upstreams in their configs have b.\n"))
                let digits = try report(from: a).config?.upstreamsChecksum
                #expect(digits?.count == 8)
                #expect(try report(from: admin).config?.upstreamsChecksum != digits)
                let (_, metrics) = try get("/metrics", from: a)
                #expect(metrics.contains("\nremora_membership_other_config_remoras 1\n"))
                #expect(metrics.contains("\nremora_membership_remoras{view=\"same\"} 2\n"))
            }
        }
    }

    @Test("explain says whether the node itself is well, what is wrong elsewhere, and what changed of late")
    func node() throws {
        let hosts = [203, 204].map(LoopbackHosts.host)
        try withMember(FleetConfig(name: "a", bind: "\(hosts[0]):7946")) { a, admin in
            let well = try explained(by: admin)
            #expect(well.hasPrefix("Node a has run remora \(Version.current) for "))
            #expect(well.contains(" and says: ready.\n") && well.contains("(local health 0)"))
            #expect(well.contains("All 1 endpoints of its upstreams are fit.\n"))
            // When a member dies and comes to be known as dead
            try withMember(FleetConfig(name: "b", bind: "\(hosts[1]):7946", join: ["\(hosts[0]):7946"])) { b, _ in
                try expect(["a": "alive", "b": "alive"], seenBy: admin)
                b.signal(SIGKILL)
                _ = try b.ending()
                try expect(["a": "alive", "b": "dead"], seenBy: admin)
            }
            let said = try explained(by: admin)
            #expect(said.contains("\nMember b is dead for ") && said.contains(" ago  member b is dead: "))
            #expect(said.contains("\nIn the last ten minutes:\n"))
            let ofMember = try explained("member", "b", by: admin)
            #expect(ofMember.contains(" ago  member b is alive") && !ofMember.contains("this node:"))
            // And when it drains
            #expect(try RemoraProcess.outcome(of: ["drain", "--admin", "\(admin)"]).ending == .exit(0))
            try Wait.until(try explained(by: admin).contains("says: drained: no connection is left"), is: true)
            let json = try RemoraProcess.outcome(of: ["explain", "--json", "--admin", "\(admin)"]).output
            #expect(json == (try get("/explain", from: admin).body) || json.contains(#""subject":"node""#))
            a.signal(SIGKILL)
        }
    }

    @Test("explain upstream says what decides, and what each endpoint got")
    func shares() throws {
        let instances = [try Instance("one"), try Instance("two")]
        defer { for instance in instances { instance.end() } }
        try withRemora(TestConfig(endpoints: instances.map(\.address), upstreamOptions: ", balance: round_robin")) {
            remora in
            let ready = try remora.ready()
            let idle = try explained("upstream", "out", by: ready.admin)
            #expect(idle.hasSuffix("No connection has been placed on these endpoints since they came.\n"))
            for _ in 0..<10 { _ = request(through: ready.listener) }
            let said = try explained("upstream", "out", by: ready.admin)
            #expect(
                said.contains("Connections go to endpoints in turn, by weight and whatever their load (round_robin)."))
            for instance in instances {
                #expect(
                    said.contains(
                        "\(instance.address) got 5 of 10 connections (50 %); outstanding there: 0 of this node."))
            }
        }
    }

    @Test("explain wants a name with a subject, and none without")
    func usage() throws {
        for words in [["explain", "member"], ["explain", "upstream", ""], ["explain", "x", "y"]] {
            #expect(try RemoraProcess.outcome(of: words).ending == .exit(64), "\(words)")
        }
    }

    @Test("No secret of the config is in a support bundle, and the process's limits are")
    func support() throws {
        let host = LoopbackHosts.host(205)
        let directory = try TestDirectory()
        let token = "a-token-that-nobody-else-has"
        let tokenFile = try directory.write(token + "\n", as: "token")
        #expect(unsafe chmod(tokenFile, 0o600) == 0)
        var config = FleetConfig(name: "a", bind: "\(host):7946", more: ", keys: [\"\(Self.key)\"]")
        config.node = ", tags: {rack: r7}"
        let text = config.text.replacingOccurrences(
            of: "admin: \"127.0.0.1:0\"", with: "admin: {bind: \"127.0.0.1:0\", token_file: \"\(tokenFile)\"}")
        let file = try directory.write(text)
        try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let admin = try remora.ready().admin
            let outcome = try RemoraProcess.outcome(
                of: ["support", "-", "--admin", "\(admin)", "--token-file", tokenFile])
            #expect(outcome.ending == .exit(0))
            let bundle = try #require(
                try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
            #expect((bundle["missing"] as? [String: String])?.isEmpty == true)
            let answers = try #require(bundle["answers"] as? [String: Any])
            #expect(answers.count == 8)
            let process = try #require((answers["/stats"] as? [String: Any])?["process"] as? [String: Any])
            let limits = try #require(process["limits"] as? [String: Any])
            // Where keys are, no core file is written.
            #expect(limits["core_bytes"] as? Int == 0)
            #expect((limits["kernel"] as? String)?.isEmpty == false && (process["max_fds"] as? Int ?? 0) > 0)
            // The key in all the forms that it has, and the token
            let raw = try #require(Data(base64Encoded: Self.key))
            let hexadecimal = raw.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            for secret in [Self.key, hexadecimal, token] {
                #expect(!outcome.output.lowercased().contains(secret.lowercased()))
            }
            // Its number is there: a bundle without the section would hold no secret either.
            let membership = (answers["/config"] as? [String: Any])?["membership"] as? [String: Any]
            #expect((membership?["keys"] as? [String])?.count == 1)
        }
    }

    private static func rights(of path: String) throws -> mode_t {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { throw SystemError(code: errno) }
        return status.st_mode & ~mode_t(0o7777) == mode_t(S_IFREG) ? status.st_mode & 0o7777 : 0o7777
    }

    @Test("A support bundle is its owner's alone, whatever was there: a file for all, a link, or nothing")
    func supportFile() throws {
        let (server, directory) = (try Server(), try TestDirectory())
        try withRemora(TestConfig(endpoints: [server.address])) { remora in
            let admin = try remora.ready().admin
            func support(_ file: String) throws -> RemoraProcess.Ending {
                try RemoraProcess.outcome(of: ["support", file, "--admin", "\(admin)"]).ending
            }
            let wide = try directory.write("before", as: "wide")
            #expect(unsafe chmod(wide, 0o666) == 0)
            // Who has the old file open does not see the new one.
            let old = try #require(FileHandle(forReadingAtPath: wide))
            let (link, target) = ("\(directory.path)/link", try directory.write("not mine", as: "target"))
            #expect(unsafe symlink(target, link) == 0)
            for file in [wide, link, "\(directory.path)/new"] {
                #expect(try support(file) == .exit(0))
                #expect(try Self.rights(of: file) == 0o600)
                #expect(try String(contentsOfFile: file, encoding: .utf8).contains("\"answers\""))
            }
            #expect(try old.readToEnd() == Data("before".utf8))
            #expect(try String(contentsOfFile: target, encoding: .utf8) == "not mine")
            // Nothing is left beside them, and a directory stays one.
            #expect(try support(directory.path) == .exit(73))
            let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
            #expect(!names.contains { $0.hasPrefix(".remora-") })
        }
    }

    @Test("A support bundle goes into what is no file as it is: a FIFO, and stdout by its name")
    func supportStream() throws {
        let (server, directory) = (try Server(), try TestDirectory())
        try withRemora(TestConfig(endpoints: [server.address])) { remora in
            let admin = try remora.ready().admin
            let fifo = "\(directory.path)/fifo"
            #expect(unsafe mkfifo(fifo, 0o600) == 0)
            let reader = unsafe open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC)
            defer { close(reader) }
            // More than a pipe holds is no answer of a small remora.
            #expect(try RemoraProcess.outcome(of: ["support", fifo, "--admin", "\(admin)"]).ending == .exit(0))
            var byte: UInt8 = 0
            #expect(unsafe read(reader, &byte, 1) == 1 && byte == UInt8(ascii: "{"))
            // A file that stdout was sent to: the name is not replaced, nor the file.
            let file = try directory.write("", as: "out")
            let script = "exec \"$0\" \"$@\" >\(file)"
            let ending = try RemoraProcess.with(
                ["support", "/dev/stdout", "--admin", "\(admin)"], script: script
            ) { try $0.ending() }
            #expect(ending == .exit(0))
            #expect(try String(contentsOfFile: file, encoding: .utf8).hasPrefix("{"))
        }
    }

    @Test("What the process takes and may take is in /metrics as the kernel has it")
    func process() throws {
        let server = try Server()
        try withRemora(TestConfig(endpoints: [server.address])) { remora in
            let admin = try remora.ready().admin
            let process = try #require(try report(from: admin).process)
            let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/fd").count
            // A connection for the question.
            #expect(abs((process.openFds ?? 0) - open) <= 2)
            let limits = try String(contentsOfFile: "/proc/\(process.pid)/limits", encoding: .utf8)
            let files = try #require(limits.firstMatch(of: /Max open files\s+(\d+)/))
            #expect(process.maxFds == Int(files.1))
            let started = try #require(process.startTimeSeconds)
            #expect(abs(Date.now.timeIntervalSince1970 - started) < 60)
            #expect(process.residentMemoryBytes ?? 0 > 1 << 20 && process.threads ?? 0 > 2)
            let (_, metrics) = try get("/metrics", from: admin)
            for name in [
                "open_fds", "max_fds", "resident_memory_bytes", "virtual_memory_bytes", "cpu_seconds_total",
                "start_time_seconds",
            ] { #expect(metrics.contains("\nprocess_\(name) "), "\(name)") }
        }
    }
}

@Suite("What the kernel says of the process")
struct ProcessFiguresTests {
    @Test("A program's name may have blanks and parentheses; what is short or no number is refused")
    func status() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 100 50 0 0 20 0 7 0 12345 1048576 300 18446744073709551615 1"
        let status = ProcessFigures.Status(parsing: "42 (a) b (c)) \(fields)")
        #expect(status?.cpuTicks == 150 && status?.threads == 7 && status?.startTicks == 12345)
        #expect(status?.virtualBytes == 1_048_576 && status?.residentPages == 300)
        for text in ["", "42 (a", "42 (a) S 1 2", "42 (a) \(fields)".replacing("12345", with: "x"), "42 \(fields)"] {
            #expect(ProcessFigures.Status(parsing: text) == nil, "\(text)")
        }
    }

    @Test("Limits of a control group and of those above it are read; max is none")
    func groups() {
        #expect(
            ProcessFigures.unifiedGroup(in: "1:cpu:/x\n0::/system.slice/remora.service\n")
                == "/system.slice/remora.service")
        #expect(ProcessFigures.unifiedGroup(in: "1:cpu:/x\n") == nil)
        #expect(ProcessFigures.ancestors(of: "/a/../b/") == ["/a/b", "/a", ""])
        #expect(ProcessFigures.processors(in: "150000 100000\n") == 1.5)
        for text in ["max 100000\n", "1 0\n", "1\n", ""] { #expect(ProcessFigures.processors(in: text) == nil) }
        #expect(ProcessFigures.bootTime(in: "cpu 1\nbtime 1700000000\n") == 1_700_000_000)
    }

    @Test(
        "When the machine was started is found behind the lines of a thousand processors, and no file is read for ever")
    func bootTime() throws {
        let directory = try TestDirectory()
        let processors = (0..<1_000).map { "cpu\($0) " + String(repeating: " 1234567890", count: 10) + "\n" }.joined()
        let file = try directory.write("\(processors)btime 1700000000\nprocesses 1\n", as: "stat")
        #expect(ProcessFigures.bootTime(at: file) == 1_700_000_000)
        #expect(ProcessFigures.bootTime(at: "/dev/zero") == nil)
        #expect(ProcessFigures.bootTime(at: "\(directory.path)/none") == nil)
        #expect(ProcessFigures.bootTime() != nil)
    }
}
