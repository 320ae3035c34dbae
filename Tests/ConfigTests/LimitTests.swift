// What a file may cost, and what becomes of one that asks for more.

import Testing

@testable import Config
@testable import Upstreams

@Suite("Limits")
struct LimitTests {
    private func faults(_ text: String) -> [String] {
        do throws(ConfigFaults) {
            _ = try ConfigFile.parse(text, file: "f", hostName: "host")
            return []
        } catch {
            return error.description.split(separator: "\n").map(String.init)
        }
    }

    private static let listener = "listeners: [{name: in, bind: 127.0.0.1:0, upstream: web}]\n"
    private static let upstream = "upstreams: [{name: web, endpoints: [10.0.0.1:80]}]\n"

    private func upstream(endpoints: Int) -> String {
        let lines = (0..<endpoints).map { "  - 10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255):80\n" }.joined()
        return "upstreams:\n- name: web\n  endpoints:\n" + lines + LimitTests.listener
    }

    @Test("An upstream has up to 100,000 endpoints, read in far less than a quadratic number of steps")
    func endpoints() throws {
        let configuration = try ConfigFile.parse(upstream(endpoints: 100_000), file: "f", hostName: "host")
        #expect(configuration.upstreams[0].endpoints.count == 100_000)
        #expect(
            faults(upstream(endpoints: 100_001)) == [
                "f:4:3: error: endpoints has 100001 entries; at most 100000 are allowed"
            ])
    }

    @Test("There are up to 1,024 upstreams and 1,024 listeners")
    func sections() {
        func text(_ count: Int) -> String {
            let upstreams = (0..<count).map { "- {name: u\($0), endpoints: [10.0.0.1:80]}\n" }.joined()
            let listeners = (0..<count).map { "- {name: l\($0), bind: 127.0.0.1:0, upstream: u0}\n" }.joined()
            return "upstreams:\n\(upstreams)listeners:\n\(listeners)"
        }
        #expect(faults(text(1_024)).isEmpty)
        #expect(
            faults(text(1_025)) == [
                "f:2:1: error: upstreams has 1025 entries; at most 1024 are allowed",
                "f:1028:1: error: listeners has 1025 entries; at most 1024 are allowed",
            ])
    }

    @Test("A node has up to 64 tags")
    func tags() {
        func text(_ count: Int) -> String {
            LimitTests.upstream + LimitTests.listener
                + "node: {tags: {\((0..<count).map { "t\($0): a" }.joined(separator: ", "))}}\n"
        }
        #expect(faults(text(64)).isEmpty)
        #expect(faults(text(65)) == ["f:3:14: error: tags has 65 entries; at most 64 are allowed"])
    }

    @Test("A text has up to 16 MiB")
    func size() {
        let config = LimitTests.upstream + LimitTests.listener
        let comment = "#" + String(repeating: "x", count: ConfigFile.mostBytes - config.utf8.count - 1)
        #expect(faults(config + comment).isEmpty)
        #expect(faults(config + comment + "x") == ["f:1:1: error: the file is larger than 16 MiB; a config is smaller"])
    }

    @Test("Aliases that multiply end in a fault, as values and as keys", .timeLimit(.minutes(1)))
    func aliasBomb() {
        var bomb = "a0: &a0 [x, x]\n"
        for level in 1...30 { bomb += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(faults(bomb).contains { $0.contains("aliases add more than 1000000 values up to here") })
        #expect(faults(bomb + "? [*a30]\n: x\n").last?.contains("a key is neither a list") == true)
    }

    @Test("Aliases that nest end in a fault, however long the chain", .timeLimit(.minutes(1)))
    func aliasChain() {
        let chain = "- &a0 [x]\n" + (1...20_000).map { "- &a\($0) [*a\($0 - 1)]\n" }.joined()
        // The top list is level 1, `- [` level 2, and 30 more fit.
        #expect(
            faults(chain).first
                == "f:1:1: error: the config is a list; write a mapping with node, membership, services, upstreams, listeners, admin, access_log or shutdown"
        )
        #expect(
            faults(chain).dropFirst().first
                == "f:31:9: error: nested too deeply; at most 32 levels are allowed")
    }

    @Test("Aliases may add a million values, and no more")
    func aliasBudget() {
        // 9,999 values and their list, so that 100 copies just fit.
        let values = (0..<9_999).map { _ in "x" }.joined(separator: ", ")
        func text(copies: Int) -> String {
            LimitTests.upstream + LimitTests.listener + "fence: &all [\(values)]\nleases:\n"
                + String(repeating: "- *all\n", count: copies)
        }
        let known = [
            "f:3:1: error: unknown key \"fence\" in the config; its keys are node, membership, services, upstreams, listeners, admin, access_log, shutdown",
            "f:4:1: error: leases is not available yet; remove it",
        ]
        #expect(faults(text(copies: 100)) == known)
        #expect(
            faults(text(copies: 101)) == known + [
                "f:105:3: error: aliases add more than 1000000 values up to here; write less by alias"
            ])
    }

    @Test("Nesting beyond what libyaml takes is a fault", arguments: ["[", "{a: ", "- ", "? "])
    func nesting(opener: String) {
        #expect(faults(String(repeating: opener, count: 100_000)).allSatisfy { $0.contains("nested too deeply") })
    }

    @Test("A config nests up to 32 levels")
    func levels() {
        func text(_ count: Int) -> String {
            LimitTests.upstream + LimitTests.listener
                + "leases: \(String(repeating: "[", count: count))\(String(repeating: "]", count: count))\n"
        }
        #expect(faults(text(31)).map { $0.suffix(10) } == [" remove it"])
        #expect(faults(text(32)).last == "f:3:40: error: nested too deeply; at most 32 levels are allowed")
    }

    @Test("A file of keys that all stand twice is read in bounded time", .timeLimit(.minutes(1)))
    func doubledKeys() {
        let doubles = (0..<300).map { "node: {zone: a, zone: b} # \($0)\n" }.joined()
        let faults = faults(LimitTests.upstream + LimitTests.listener + doubles)
        #expect(faults.first?.contains("more than once") == true || faults.count == ConfigFaults.limit + 1)
    }

    @Test(
        "A thousand misspelt upstreams among a thousand long names are found in bounded time", .timeLimit(.minutes(1)))
    func suggestions() {
        let name = String(repeating: "n", count: 59)
        let upstreams = (0..<1_000).map { "- {name: \(name)\($0), endpoints: [10.0.0.1:80]}\n" }.joined()
        let listeners = (0..<1_000).map { "- {name: l\($0), bind: 127.0.0.1:0, upstream: \(name)x\($0)}\n" }.joined()
        let faults = faults("upstreams:\n\(upstreams)listeners:\n\(listeners)")
        #expect(faults.count == ConfigFaults.limit + 1)
        #expect(faults.prefix(100).allSatisfy { $0.contains("did you mean \(name)") })
    }
}
