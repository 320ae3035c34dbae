// What goes wrong in a world, and when: written by people, carried in the header of every log.
//
// Its own line-oriented text rather than Codable: a scenario is typed into a shell, read in a failing test's output and
// compared in reviews, and JSON is good for none of these.

import Vocabulary

/// Nodes of a world by number: `0-124,130`.
package struct NodeSet: Hashable, Sendable, ExpressibleByArrayLiteral {
    /// In the order given; none is empty.
    package let ranges: [Range<Int>]

    package init(_ ranges: [Range<Int>]) { self.ranges = ranges.filter { !$0.isEmpty } }
    package init(_ range: Range<Int>) { self.init([range]) }
    package init(_ node: Int) { self.init(node..<node + 1) }
    package init(arrayLiteral nodes: Int...) { self.init(nodes.map { $0..<$0 + 1 }) }

    package var isEmpty: Bool { ranges.isEmpty }
    package var count: Int { ranges.reduce(0) { $0 + $1.count } }
    /// One above the highest number; 0 for none.
    package var bound: Int { ranges.map(\.upperBound).max() ?? 0 }
    package func contains(_ node: Int) -> Bool { ranges.contains { $0.contains(node) } }
    package var nodes: [Int] { ranges.flatMap { Array($0) } }

    /// Numbers and ranges, commas between. Nil for anything else.
    package init?(parsing text: some StringProtocol) {
        var ranges: [Range<Int>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], first >= 0, first <= last,
                last < Event.nodeLimit
            else { return nil }
            ranges.append(first..<last + 1)
        }
        self.init(ranges)
    }

    package var text: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound - 1)" }
            .joined(separator: ",")
    }
}

/// One thing that goes wrong, or right again.
package enum Fault: Hashable, Sendable {
    /// What a cut holds back.
    package enum Scope: Hashable, Sendable { case datagrams, everything }

    /// The process is gone; its port refuses.
    case crash(NodeSet)
    /// The same name and address again, everything else forgotten; joins through the seeds. Of a node that runs: a crash
    /// first.
    case restart(NodeSet)
    /// Says goodbye; the process goes on.
    case leave(NodeSet)
    /// Bears another meta, the same in no two updates.
    case update(NodeSet)
    /// Stopped like by SIGSTOP: what comes in waits in the socket's buffer. Without a length until `resume`.
    case pause(NodeSet, Duration?)
    case resume(NodeSet)
    /// Nothing passes from these to those; the other direction is not touched.
    case cut(from: NodeSet, to: NodeSet, Scope)
    /// Nothing passes between the groups; nodes in none are together in a group of their own. Replaces a partition.
    case partition([NodeSet])
    /// Takes all cuts and the partition away.
    case heal
    /// The probability from now on that a datagram is lost.
    case loss(Double)
    /// The probability from now on that a datagram comes twice.
    case duplication(Double)
    case latency(Latency)

    /// The nodes it names.
    package var nodes: [NodeSet] {
        switch self {
        case .crash(let set), .restart(let set), .leave(let set), .update(let set), .pause(let set, _),
            .resume(let set):
            [set]
        case .cut(let from, let to, _): [from, to]
        case .partition(let groups): groups
        case .heal, .loss, .duplication, .latency: []
        }
    }
}

/// Faults with their times, from the start of the world on.
package struct Scenario: Hashable, Sendable {
    package struct Step: Hashable, Sendable {
        package var after: Duration
        package var fault: Fault

        package init(after: Duration, _ fault: Fault) {
            self.after = after
            self.fault = fault
        }
    }

    package var steps: [Step]

    package init(_ steps: [Step] = []) { self.steps = steps }
}

// MARK: - As text

/// A line that is no step of a scenario; the user's mistake.
package struct ScenarioFault: Error, Hashable, CustomStringConvertible {
    /// From 1 on.
    package let line: Int
    package let text: String

    package var description: String {
        "line \(line): error: \"\(text.prefix(80))\" is no step; write a time and a fault: \(Fault.forms)"
    }
}

extension Scenario {
    /// One step per line, a time and a fault: `10s crash 3`. Empty lines and what follows `#` are skipped.
    package init(parsing text: String) throws(ScenarioFault) {
        steps = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = line.prefix { $0 != "#" }
            if content.allSatisfy(\.isWhitespace) { continue }
            guard let step = Step(parsing: content) else {
                throw ScenarioFault(line: index + 1, text: String(line))
            }
            steps.append(step)
        }
    }

    /// What ``init(parsing:)`` reads.
    package var text: String { steps.map { $0.text + "\n" }.joined() }
}

extension Scenario.Step {
    package init?(parsing text: some StringProtocol) {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let first = words.first, let after = Duration(simulationText: first),
            let fault = Fault(words: words.dropFirst().map { String($0) })
        else { return nil }
        self.init(after: after, fault)
    }

    package var text: String { "\(after.simulationText) \(fault.text)" }
}

extension Fault {
    /// Every form, for messages.
    package static let forms =
        "crash N, restart N, leave N, update N, pause N [TIME], resume N, cut N > N [datagrams], partition N | N, heal, "
        + "loss P, duplication P, latency SHAPE:…; N is like 0-124,130"

    /// A fault without its time, as in a scenario.
    package init?(parsing text: some StringProtocol) {
        self.init(words: text.split(whereSeparator: \.isWhitespace).map { String($0) })
    }

    fileprivate init?(words: [String]) {
        guard let verb = words.first else { return nil }
        let rest = words.dropFirst()
        let set = rest.first.flatMap { NodeSet(parsing: $0) }
        let fault: Fault?
        switch (verb, rest.count) {
        case ("heal", 0): fault = .heal
        case ("crash", 1): fault = set.map { .crash($0) }
        case ("restart", 1): fault = set.map { .restart($0) }
        case ("leave", 1): fault = set.map { .leave($0) }
        case ("update", 1): fault = set.map { .update($0) }
        case ("pause", 1): fault = set.map { .pause($0, nil) }
        case ("pause", 2): fault = Duration(simulationText: words[2]).flatMap { time in set.map { .pause($0, time) } }
        case ("resume", 1): fault = set.map { .resume($0) }
        case ("loss", 1): fault = Fault.probability(words[1]).map { .loss($0) }
        case ("duplication", 1): fault = Fault.probability(words[1]).map { .duplication($0) }
        case ("latency", 1): fault = Latency(parsing: words[1]).map { .latency($0) }
        case ("cut", 3), ("cut", 4):
            guard words[2] == ">", let set, let to = NodeSet(parsing: words[3]) else { return nil }
            if words.count == 5, words[4] != "datagrams" { return nil }
            fault = .cut(from: set, to: to, words.count == 5 ? .datagrams : .everything)
        case ("partition", 1...): fault = Fault.partition(words: rest)
        default: fault = nil
        }
        guard let fault else { return nil }
        self = fault
    }

    private static func partition(words: ArraySlice<String>) -> Fault? {
        let groups = words.joined().split(separator: "|", omittingEmptySubsequences: false)
        let sets = groups.compactMap { NodeSet(parsing: $0) }
        return sets.count == groups.count ? .partition(sets) : nil
    }

    private static func probability(_ text: String) -> Double? {
        Double(text).flatMap { (0...1).contains($0) ? $0 : nil }
    }

    package var text: String {
        switch self {
        case .crash(let set): "crash \(set.text)"
        case .restart(let set): "restart \(set.text)"
        case .leave(let set): "leave \(set.text)"
        case .update(let set): "update \(set.text)"
        case .pause(let set, let time): "pause \(set.text)" + (time.map { " " + $0.simulationText } ?? "")
        case .resume(let set): "resume \(set.text)"
        case .cut(let from, let to, let scope):
            "cut \(from.text) > \(to.text)" + (scope == .datagrams ? " datagrams" : "")
        case .partition(let groups): "partition " + groups.map(\.text).joined(separator: " | ")
        case .heal: "heal"
        case .loss(let probability): "loss \(probability)"
        case .duplication(let probability): "duplication \(probability)"
        case .latency(let latency): "latency \(latency.text)"
        }
    }
}
