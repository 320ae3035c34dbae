// `remora simulate membership` as a user runs it.

import Foundation
import FoundationXML
import Testing

@testable import remora

@Suite("simulate membership", .serialized)
struct SimulateTests {
    private static let command = ["simulate", "membership"]
    /// A fleet that takes milliseconds.
    private static let small = command + ["--nodes", "8", "--runs", "2", "--duration", "5s"]

    private func outcome(_ arguments: [String]) throws -> (ending: RemoraProcess.Ending, output: String, log: String) {
        try RemoraProcess.outcome(of: arguments)
    }

    @Test(
        "The same seed prints the same bytes, as a table and as JSON, and another seed others",
        arguments: [[], ["--json"]])
    func determinism(format: [String]) throws {
        let first = try outcome(Self.small + format + ["--seed", "7"])
        let second = try outcome(Self.small + format + ["--seed", "7"])
        let other = try outcome(Self.small + format + ["--seed", "8"])
        #expect(first.ending == .exit(0) && first.log == "")
        #expect(first.output == second.output && !first.output.isEmpty)
        #expect(first.output != other.output)
    }

    @Test("JSON is one object with the seed, the parameters and a row for every figure, with what was predicted")
    func json() throws {
        let arguments =
            Self.small + ["--json", "--seed", "18446744073709551615", "--loss", "5%", "--gossip-nodes", "2"]
        let outcome = try outcome(arguments)
        #expect(outcome.ending == .exit(0))
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        #expect(Set(object.keys) == ["seed", "parameters", "rows"])
        #expect((object["seed"] as? NSNumber)?.uint64Value == .max)
        let parameters = try #require(object["parameters"] as? [String: Any])
        #expect(parameters["nodes"] as? [Int] == [8])
        #expect(parameters["loss"] as? Double == 0.05)
        #expect(parameters["gossip_nodes"] as? Int == 2)
        #expect(parameters["duration_seconds"] as? Double == 5)
        let rows = try #require(object["rows"] as? [[String: Any]])
        for name in [
            "aware_nodes", "convergence_seconds", "first_detection_seconds", "full_detection_seconds",
            "datagrams_per_node_second", "state_bytes_per_known_member",
        ] {
            let row = try #require(rows.first { $0[name] != nil }, "no row has \(name)")
            #expect(row[name] is NSNumber)
            for key in ["experiment", "nodes", "predicted", "samples", "p50", "p99", "max", "standard_error", "note"] {
                #expect(row[key] != nil, "\(name) lacks \(key)")
            }
        }
    }

    @Test("Several sizes have growth laws fitted, and charts of them are well-formed XML")
    func growth() throws {
        let directory = try TestDirectory()
        let file = "\(directory.path)/charts.svg"
        let outcome = try outcome(Self.small + ["--nodes", "4,8,16", "--json", "--svg", file])
        #expect(outcome.ending == .exit(0))
        #expect(outcome.output.contains("\"growth_per_e_fold\"") && outcome.output.contains("\"law\": \"logarithmic\""))
        let document = try XMLDocument(contentsOf: URL(fileURLWithPath: file))
        #expect(document.rootElement()?.name == "svg")
        let texts = try document.nodes(forXPath: "//*[local-name()='text']").compactMap(\.stringValue)
        #expect(texts.contains("A change reaches 16 members") && texts.contains("members that know"))
    }

    @Test("A recorded run replays, and a log that was changed, cut short or is none ends with 65")
    func replay() throws {
        let directory = try TestDirectory()
        let file = "\(directory.path)/world.log"
        let recording = try outcome(
            Self.command + ["--nodes", "5", "--experiment", "crash", "--runs", "1", "--seed", "3", "--record", file])
        #expect(recording.ending == .exit(0))
        let again = try outcome(Self.command + ["--replay", file])
        #expect(again.ending == .exit(0))
        #expect(again.output.contains("as recorded"))

        let text = try String(contentsOfFile: file, encoding: .utf8)
        let others = ["nothing\n", String(text.dropLast(20)), text.replacing("\nseed 3\n", with: "\nseed 4\n")]
        for other in others {
            let changed = try directory.write(other)
            let outcome = try outcome(Self.command + ["--replay", changed])
            #expect(outcome.ending == .exit(65))
            #expect(outcome.output == "" && outcome.log.contains("\(changed): line "))
        }
        #expect(try outcome(Self.command + ["--replay", "\(directory.path)/none"]).ending == .exit(65))
    }

    @Test("A file that cannot be written ends with 73 before anything is run", arguments: ["--svg", "--record"])
    func cannotCreate(option: String) throws {
        let directory = try TestDirectory()
        let arguments = ["--nodes", "4", "--experiment", "load", "--runs", "1", option, "\(directory.path)/none/file"]
        let outcome = try outcome(Self.command + arguments)
        #expect(outcome.ending == .exit(73))
        #expect(outcome.output == "" && outcome.log.contains("\(directory.path)/none/file"))
    }

    @Test(
        "Parameters that no fleet can have end with 64 and say what would be right",
        arguments: [
            ["--nodes", "1"], ["--nodes", "250,"], ["--loss", "101%"], ["--loss", "2"], ["--latency", "5"],
            ["--latency", "2ms..1ms"], ["--duration", "10"], ["--duration", "0s"], ["--runs", "0"],
            ["--experiment", "nonsense"], ["--partition", "7"], ["--partition", "7+3", "--nodes", "11"],
            ["--nodes", "4", "--fail", "4"], ["--fail", "0"], ["--probe-timeout", "1s"], ["--lifeguard", "maybe"],
            ["--record", "file"], ["--record", "file", "--runs", "1"], ["--gossip-interval", "0ms"],
        ])
    func usage(arguments: [String]) throws {
        let outcome = try outcome(Self.command + arguments)
        #expect(outcome.ending == .exit(64))
        #expect(outcome.output == "" && outcome.log.contains("Error: "))
    }

    @Test("Loss, latency and sides are read in every form that the help names")
    func forms() throws {
        #expect(ShareArgument(argument: "5%")?.share == 0.05)
        #expect(ShareArgument(argument: "0.05")?.share == 0.05)
        #expect(ShareArgument(argument: "-1%") == nil && ShareArgument(argument: "nan") == nil)
        #expect(LatencyArgument(argument: "1ms")?.latency.text == "fixed:1ms")
        #expect(LatencyArgument(argument: "0.5ms..2ms")?.latency.text == "uniform:500us,2ms")
        #expect(LatencyArgument(argument: "lognormal:5ms,0.5,100ms")?.latency.text == "lognormal:5ms,0.5,100ms")
        #expect(LatencyArgument(argument: "1ms..2ms..3ms") == nil && LatencyArgument(argument: "2h") == nil)
        #expect(TimeArgument(argument: "1.5s")?.duration == .milliseconds(1500))
        #expect(TimeArgument(argument: "9999h") == nil && TimeArgument(argument: ".") == nil)
        #expect(SidesArgument(argument: "7+3")?.sides == [7, 3])
        #expect(SizesArgument(argument: "1000,250,250")?.sizes == [250, 1000])
    }

    @Test("What shows a failure again keeps the tuning, and chooses the world anew")
    func withoutWorld() {
        let given =
            "remora simulate membership --nodes 250,1000 --loss 5% --seed=7 --runs 9 --json --svg a.svg --fail 2"
        let kept = SimulateMembershipCommand.withoutWorld(given.split(separator: " ").map(String.init))
        #expect(kept.joined(separator: " ") == "remora simulate membership --loss 5% --json --fail 2")
    }

    @Test("A table that does not fit on a full disk is no success")
    func fullDisk() throws {
        let arguments = ["simulate", "membership", "--nodes", "5", "--experiment", "load", "--duration", "10s"]
        try RemoraProcess.with(arguments, script: "exec \"$0\" \"$@\" >/dev/full") { remora in
            let line = try remora.log.line(containing: "standard output")
            #expect(line.contains("No space left"))
            #expect(try remora.ending() == .exit(73))
        }
    }
}
