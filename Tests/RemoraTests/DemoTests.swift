// `remora demo` as a user runs it: the whole story, its end by every signal, and two of them at once.

import Foundation
import Glibc
import Testing
import Vocabulary

@Suite("demo", .serialized)
struct DemoTests {
    /// Ids of those that a process has started and not waited for.
    private static func children(of parent: Int32) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { id in
            fields(of: id).map { $0.count > 1 && $0[1] == "\(parent)" } ?? false
        }
    }

    /// From the third field of proc(5) on, the state; nil of a process that is gone.
    private static func fields(of process: Int32) -> [Substring]? {
        let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return stat?.split(separator: ")").last?.split(separator: " ")
    }

    /// Whether it does nothing any more: who has to reap an orphan is not ours to say.
    private static func isGone(_ process: Int32) -> Bool { fields(of: process).map { $0[0] == "Z" } ?? true }

    private static let acts = [
        "1. All is well.", "2. n5's instances become slow", "is fit: nothing there fails", "3. n5 is killed",
        "it is fit to none of n1, n2 and n3", "n5 is dead to all five", "4. n5 starts again",
        "it is fit to n1, n2 and n3",
        "5. n6 is drained", "After", "drained: no connection is left", "Back into use", "it is fit to n1, n2 and n3",
        "6. That was it.", "all well", "n5 slow", "n5 killed", "n5 back", "n6 drained",
        "All that was started has ended.",
    ]

    @Test("Two at once tell the whole story each, in its order, with a dashboard of their own, and leave nobody behind")
    func story() throws {
        try RemoraProcess.with(["demo", "--seconds", "20"]) { first in
            try RemoraProcess.with(["demo", "--seconds", "20"]) { second in
                var dashboards: Set<Substring> = []
                for demo in [first, second] {
                    // What is read is cut into lines of a terminal that nobody has.
                    let dashboard = try demo.output.line(containing: "Dashboard: ")
                    dashboards.insert(try #require(dashboard.split(separator: " ").last))
                }
                #expect(dashboards.count == 2)
                for address in dashboards {
                    let host = address.dropFirst("http://".count).dropLast()
                    #expect(try get("/ready", from: try SocketAddress(parsing: String(host))).status == 200)
                }
                let children = try [first, second].flatMap { try Self.children(of: $0.id) }
                #expect(children.count == 12)
                for demo in [first, second] {
                    let text = try demo.output.rest().split(separator: /\s+/).joined(separator: " ")
                    var rest = text[...]
                    for act in Self.acts {
                        let place = try #require(rest.firstRange(of: act), "no \"\(act)\" in its place in: \(text)")
                        rest = rest[place.upperBound...]
                    }
                    #expect(try demo.log.rest() == "")
                    #expect(try demo.ending() == .exit(0))
                }
                #expect(children.allSatisfy(Self.isGone))
            }
        }
    }

    /// Waits until a demo has started all that it starts, which takes no longer than that.
    private static func allChildren(of demo: RemoraProcess) throws -> [Int32] {
        try Wait.until(try children(of: demo.id).count, is: 6)
        return try children(of: demo.id)
    }

    @Test(
        "A signal ends all that it has started, at any time, and its exit code is 0",
        arguments: [(SIGINT, true), (SIGTERM, false), (SIGHUP, false)])
    func signals(number: Int32, inTheStory: Bool) throws {
        try RemoraProcess.with(["demo"]) { demo in
            if inTheStory { try demo.output.line(containing: "1. All is well.") }
            let children = try Self.allChildren(of: demo)
            #expect(!children.contains(where: Self.isGone))
            demo.signal(number)
            #expect(try demo.ending() == .exit(0))
            #expect(children.allSatisfy(Self.isGone))
            #expect(try demo.output.rest().hasSuffix("All that was started has ended.\n"))
        }
    }

    @Test("Where the demo is killed, all that it has started dies with it")
    func killed() throws {
        try RemoraProcess.with(["demo"]) { demo in
            let children = try Self.allChildren(of: demo)
            demo.signal(SIGKILL)
            #expect(try demo.ending() == .signal(SIGKILL))
            try Wait.until(children.filter { !Self.isGone($0) }, is: [])
        }
    }

    @Test("A remora that ends unasked ends the demo with 70, and with its last words")
    func unasked() throws {
        try RemoraProcess.with(["demo"]) { demo in
            try demo.output.line(containing: "1. All is well.")
            let children = try Self.children(of: demo.id)
            kill(try #require(children.first), SIGTERM)
            #expect(try demo.ending() == .exit(70))
            let words = try demo.log.rest()
            #expect(words.hasPrefix("error: n") && words.contains(" ended by itself, with 0; its last lines:\n  "))
            #expect(words.contains("drain"))
            #expect(children.allSatisfy(Self.isGone))
        }
    }

    @Test("A demo that cannot listen names the address and the reason, and ends with 73", arguments: [3, 12])
    func noPlace(descriptors: Int) throws {
        // Descriptors that are free: for none, and for some of the instances.
        let script = "ulimit -n \(descriptors + 8) && exec \"$0\" \"$@\""
        try RemoraProcess.with(["demo"], script: script) { demo in
            #expect(try demo.ending() == .exit(73))
            let words = try demo.log.rest()
            #expect(words.contains(" can listen at 127.") && words.hasSuffix(": Too many open files\n"), "\(words)")
        }
    }

    @Test("A time that the story does not fit into is refused", arguments: ["19", "0", "-1"])
    func tooShort(seconds: String) throws {
        let outcome = try RemoraProcess.outcome(of: ["demo", "--seconds=\(seconds)"])
        #expect(outcome.ending == .exit(64) && outcome.log.contains("write 20 or more"))
    }
}
