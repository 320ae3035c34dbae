// `remora simulate balancing` as a user runs it.

import Foundation
import FoundationXML
import Testing

@Suite("simulate balancing", .serialized)
struct SimulateBalancingTests {
    private static let command = ["simulate", "balancing"]
    /// Worlds that take milliseconds.
    private static let small =
        command + ["--experiment", "supermarket", "--endpoints", "20", "--jobs", "400", "--lambda", "0.5,0.9"]

    @Test(
        "The same seed prints the same bytes, as a table and as JSON, and another seed others",
        arguments: [[], ["--json"]])
    func determinism(format: [String]) throws {
        let first = try RemoraProcess.outcome(of: Self.small + format + ["--seed", "7"])
        let second = try RemoraProcess.outcome(of: Self.small + format + ["--seed", "7"])
        let other = try RemoraProcess.outcome(of: Self.small + format + ["--seed", "8"])
        #expect(first.ending == .exit(0) && first.log == "")
        #expect(first.output == second.output && !first.output.isEmpty)
        #expect(first.output != other.output)
    }

    @Test("JSON is one object with the seed, the parameters and a row for every figure, with what was predicted")
    func json() throws {
        let outcome = try RemoraProcess.outcome(of: Self.small + ["--json", "--seed", "18446744073709551615"])
        #expect(outcome.ending == .exit(0))
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        #expect(Set(object.keys) == ["seed", "parameters", "rows"])
        #expect((object["seed"] as? NSNumber)?.uint64Value == .max)
        let parameters = try #require(object["parameters"] as? [String: Any])
        #expect(parameters["experiments"] as? String == "supermarket")
        #expect(parameters["lambda"] as? [Double] == [0.5, 0.9])
        #expect(parameters["endpoints"] as? Int == 20 && parameters["jobs"] as? Int == 400)
        let rows = try #require(object["rows"] as? [[String: Any]])
        let means = rows.filter { $0["mean_time_in_system"] != nil }
        #expect(means.count == 6)
        let row = try #require(means.first { $0["lambda"] as? Double == 0.9 && $0["choices"] as? Int == 2 })
        #expect(row["endpoints"] as? Int == 20 && row["experiment"] as? String == "supermarket")
        #expect(abs((row["predicted"] as? Double ?? 0) - 2.614) < 0.001)
        #expect(rows.contains { $0["tail_share"] != nil && $0["queue_length"] as? Int == 1 })
        for key in ["samples", "min", "max", "standard_error", "note"] {
            #expect(row[key] != nil, "a row lacks \(key)")
        }
    }

    @Test("Charts are well-formed XML, and a file that cannot be written ends with 73 before anything is measured")
    func charts() throws {
        let directory = try TestDirectory()
        let file = "\(directory.path)/charts.svg"
        #expect(try RemoraProcess.outcome(of: Self.small + ["--svg", file]).ending == .exit(0))
        let document = try XMLDocument(contentsOf: URL(fileURLWithPath: file))
        let texts = try document.nodes(forXPath: "//*[local-name()='text']").compactMap(\.stringValue)
        #expect(texts.contains("Time in system by choices") && texts.contains("d = 2, predicted"))
        let refused = try RemoraProcess.outcome(of: Self.small + ["--svg", "\(directory.path)/none/charts.svg"])
        #expect(refused.ending == .exit(73) && refused.output == "")
    }

    @Test(
        "What no world can have is refused with what would be right",
        arguments: [
            (["--lambda", "1"], "--lambda"), (["--lambda", "0.5,x"], "--lambda"), (["--endpoints", "3"], "4 to 16384"),
            (["--endpoints", "16385"], "4 to 16384"), (["--jobs", "0"], "--jobs 0"), (["--runs", "0"], "--runs 0"),
            (["--experiment", "supermarkt"], "supermarket"),
        ])
    func refusals(arguments: [String], complaint: String) throws {
        let outcome = try RemoraProcess.outcome(of: Self.command + arguments)
        #expect(outcome.ending == .exit(64) && outcome.log.contains(complaint))
    }
}
