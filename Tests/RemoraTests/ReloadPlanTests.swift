import Config
import Testing
import Vocabulary

@testable import Node
@testable import Proxy

@Suite("What a reload does")
struct ReloadPlanTests {
    private static func config(_ text: String) throws -> Configuration {
        try ConfigFile.parse(text, file: "edge.yaml", hostName: "host")
    }

    /// Of the listeners of a config, numbered in its order, at ports of their own where they asked for any.
    private static func open(_ config: Configuration) -> [OpenListener] {
        config.listeners.enumerated().map { number, options in
            let isAny = options.bind.port == 0
            return OpenListener(
                number: number, options: options,
                address: isAny ? options.bind.with(port: 40_000 + UInt16(number)) : options.bind)
        }
    }

    private static func plan(from old: String, to new: String, start: String? = nil) throws -> ReloadPlan {
        let (old, new) = (try config(old), try config(new))
        return ReloadPlan(from: old, start: try start.map(config) ?? old, open: open(old), to: new)
    }

    private static func text(
        _ listeners: [String], upstreams: String = "{name: out, endpoints: [127.0.0.1:1]}", more: String = ""
    ) -> String {
        "\(more)\nupstreams: [\(upstreams)]\nlisteners:\n" + listeners.map { "  - \($0)\n" }.joined()
    }

    /// Which open listener each of the file's becomes; nil is a new one.
    private static func numbers(_ plan: ReloadPlan) -> [Int?] {
        plan.doors.map {
            switch $0 {
            case .stays(let number, _): number
            case .opens: nil
            }
        }
    }

    @Test(
        "A listener keeps its socket by its name and address, else by its address",
        arguments: [
            // As they were, in another order
            (["a 1", "b 2"], ["b 2", "a 1"], [1, 0]),
            // Renamed
            (["a 1"], ["z 1"], [0]),
            // Two that change places: the sockets stay, and so does whoever is connected
            (["a 1", "b 2"], ["a 2", "b 1"], [1, 0]),
            // Another address is another listener
            (["a 1"], ["a 2"], [nil]),
            // Added, and taken away
            (["a 1", "b 2"], ["b 2", "c 3"], [1, nil]),
            // Any port is the same port only under the same name
            (["a 0", "b 0"], ["a 0", "c 0"], [0, nil]),
            // The port that the kernel chose, written down
            (["a 0"], ["a 40000"], [0]),
        ] as [([String], [String], [Int?])])
    func sockets(before: [String], after: [String], expected: [Int?]) throws {
        func listeners(_ list: [String]) -> [String] {
            list.map { item in
                let words = item.split(separator: " ")
                return "{name: \(words[0]), bind: \"127.0.0.1:\(words[1])\", upstream: out}"
            }
        }
        let plan = try Self.plan(from: Self.text(listeners(before)), to: Self.text(listeners(after)))
        #expect(Self.numbers(plan) == expected)
        #expect(plan.needsRestart == [])
    }

    @Test("What has changed is said, and what is as it was is not")
    func changes() throws {
        let old = Self.text(
            ["{name: a, bind: 127.0.0.1:1, upstream: out}", "{name: b, bind: 127.0.0.1:2, upstream: out}"],
            upstreams: "{name: out, endpoints: [127.0.0.1:9]}, {name: gone, endpoints: [127.0.0.1:9]}")
        let new = Self.text(
            [
                "{name: a, bind: 127.0.0.1:1, upstream: out, idle_timeout: 5s}",
                "{name: c, bind: 127.0.0.1:3, upstream: x}",
            ],
            upstreams:
                "{name: out, endpoints: [127.0.0.1:9], connect_timeout: 2s}, {name: x, endpoints: [127.0.0.1:9]}",
            more: "shutdown: {drain: 5s}")
        #expect(
            try Self.plan(from: old, to: new).changes == [
                "listener a is changed", "listener c opens at 127.0.0.1:3", "listener b at 127.0.0.1:2 closes",
                "upstream out is changed", "upstream x is new", "upstream gone is gone", "shutdown.drain is changed",
            ])
        #expect(try Self.plan(from: old, to: old).changes == [])
    }

    @Test("What this process cannot change about itself is named, until the file says again what it was started with")
    func restart() throws {
        let listener = ["{name: a, bind: 127.0.0.1:1, upstream: out}"]
        func fleet(_ name: String, _ zone: String, _ membership: String, _ admin: String) -> String {
            Self.text(
                listener,
                more: "node: {name: \(name), zone: \(zone)}\nmembership: {bind: \(membership)}\nadmin: {bind: \(admin)}"
            )
        }
        let start = fleet("one", "east", "127.0.0.1:7946, join: [127.0.0.2:7946]", "127.0.0.1:9901")
        let other = fleet(
            "two", "west", "127.0.0.1:7947, join: [127.0.0.3:7946], label: x, profile: wan", "127.0.0.1:9902")
        #expect(
            try Self.plan(from: start, to: other).needsRestart == [
                "node.name", "node.zone", "membership.bind", "membership.join",
                "membership.profile, tuning or reclaim_after", "membership.label", "admin.bind",
            ])
        #expect(try Self.plan(from: other, to: start, start: start).needsRestart == [])
        #expect(try Self.plan(from: start, to: Self.text(listener)).needsRestart.contains("membership"))
    }
}
