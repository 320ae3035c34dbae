// A world's options as lines of `key value`, for the header of a log.
//
// The options of a core go by a table of key paths: one that is missing here would be lost in every replay, so a test
// counts them.

package import Gossip
import Vocabulary

extension WorldOptions {
    /// Key and value of every option, the scenario's steps included, in a fixed order.
    package var lines: [String] {
        var lines = [
            "seed \(seed)", "nodes \(nodes)", "start \(start.text)",
            "seeds \(seeds.map { "\($0)" }.joined(separator: ","))",
            "loss \(loss)", "duplication \(duplication)", "latency \(latency.text)",
            "clock_drift \(clockDrift)", "socket_buffer \(socketBuffer)", "are_remoras \(areRemoras)",
            "meta_length \(metaLength)", "carriage \(carriage.rawValue)", "checks \(checks.rawValue)",
            "forbids \(forbids.rawValue)",
        ]
        for (key, path) in GossipOptions.durations { lines.append("\(key) \(options[keyPath: path].simulationText)") }
        for (key, path) in GossipOptions.counts { lines.append("\(key) \(options[keyPath: path])") }
        for (key, path) in GossipOptions.switches { lines.append("\(key) \(options[keyPath: path])") }
        return lines + scenario.steps.map { "scenario \($0.text)" }
    }

    /// Takes one of ``lines``.
    /// - Returns: false, and nothing changed, where the key is unknown or the value is none of its.
    package mutating func take(line: Substring) -> Bool {
        guard let space = line.firstIndex(of: " ") else { return false }
        let key = String(line[..<space])
        let value = line[line.index(after: space)...]
        if let path = GossipOptions.durations.first(where: { $0.0 == key })?.1 {
            guard let value = Duration(simulationText: value) else { return false }
            options[keyPath: path] = value
            return true
        }
        if let path = GossipOptions.counts.first(where: { $0.0 == key })?.1 {
            guard let value = Int(value) else { return false }
            options[keyPath: path] = value
            return true
        }
        if let path = GossipOptions.switches.first(where: { $0.0 == key })?.1 {
            guard let value = Bool(String(value)) else { return false }
            options[keyPath: path] = value
            return true
        }
        return takeOwn(key: key, value: value)
    }

    private mutating func takeOwn(key: String, value: Substring) -> Bool {
        switch key {
        case "seed": return set(\.seed, to: UInt64(value))
        case "nodes": return set(\.nodes, to: Int(value))
        case "start": return set(\.start, to: Start(parsing: value))
        case "seeds":
            let numbers = value.split(separator: ",").map { Int($0) }
            return set(\.seeds, to: numbers.contains(nil) ? nil : numbers.compactMap { $0 })
        case "loss": return set(\.loss, to: Double(value))
        case "duplication": return set(\.duplication, to: Double(value))
        case "latency": return set(\.latency, to: Latency(parsing: value))
        case "clock_drift": return set(\.clockDrift, to: Int(value))
        case "socket_buffer": return set(\.socketBuffer, to: Int(value))
        case "are_remoras": return set(\.areRemoras, to: Bool(String(value)))
        case "meta_length": return set(\.metaLength, to: Int(value))
        case "carriage": return set(\.carriage, to: Carriage(rawValue: String(value)))
        case "checks": return set(\.checks, to: Checks(rawValue: String(value)))
        case "forbids": return set(\.forbids, to: Forbidden(rawValue: String(value)))
        case "scenario":
            guard let step = Scenario.Step(parsing: value) else { return false }
            scenario.steps.append(step)
            return true
        default: return false
        }
    }

    private mutating func set<Value>(_ path: WritableKeyPath<WorldOptions, Value>, to value: Value?) -> Bool {
        guard let value else { return false }
        self[keyPath: path] = value
        return true
    }
}

extension WorldOptions.Start {
    var text: String {
        switch self {
        case .warm: "warm"
        case .cold(let within): "cold:\(within.simulationText)"
        case .none: "none"
        }
    }

    init?(parsing text: Substring) {
        switch text {
        case "warm": self = .warm
        case "none": self = .none
        default:
            guard text.hasPrefix("cold:"), let within = Duration(simulationText: text.dropFirst(5)) else { return nil }
            self = .cold(within: within)
        }
    }
}

extension GossipOptions {
    package typealias Path<Value> = WritableKeyPath<GossipOptions, Value> & Sendable

    /// Every duration by its name in the header; the configuration's names where it has one.
    package static let durations: [(String, Path<Duration>)] = [
        ("probe_interval", \.probeInterval), ("probe_timeout", \.probeTimeout), ("gossip_interval", \.gossipInterval),
        ("gossip_to_the_dead", \.gossipToTheDead), ("push_pull_interval", \.pushPullInterval),
        ("stream_timeout", \.streamTimeout), ("reclaim_after", \.reclaimAfter),
        ("contact_interval", \.contactInterval), ("contacts_the_dead_for", \.contactsTheDeadFor),
    ]

    package static let counts: [(String, Path<Int>)] = [
        ("indirect_checks", \.indirectChecks), ("suspicion_multiplier", \.suspicionMultiplier),
        ("suspicion_maximum_multiplier", \.suspicionMaximumMultiplier), ("awareness_maximum", \.awarenessMaximum),
        ("retransmit_multiplier", \.retransmitMultiplier), ("gossip_nodes", \.gossipNodes),
        ("packet_budget", \.packetBudget), ("packet_overhead", \.packetOverhead), ("member_limit", \.memberLimit),
    ]

    /// Wide enough for every experiment, narrow enough that nothing overflows or runs for ever without time passing.
    /// - Throws: the first option out of its range.
    func validate() throws(WorldFault) {
        for (name, path) in GossipOptions.durations {
            let value = self[keyPath: path]
            let isInterval = name.hasSuffix("interval") || name.hasSuffix("timeout")
            guard value >= (isInterval ? .milliseconds(1) : .zero), value <= .seconds(10 * 366 * 86_400) else {
                throw .option(name)
            }
        }
        // The second half of a probe is what its interval leaves.
        guard probeTimeout <= probeInterval else { throw .option("probe_timeout") }
        for (name, path) in GossipOptions.counts {
            let range =
                switch path {
                case \.packetBudget: 256...65_507
                case \.packetOverhead: 0...min(128, packetBudget - 128)
                case \.memberLimit: 1...Int(Int32.max)
                case \.awarenessMaximum, \.suspicionMultiplier, \.suspicionMaximumMultiplier, \.retransmitMultiplier:
                    1...1_000
                default: 0...1_000
                }
            guard range.contains(self[keyPath: path]) else { throw .option(name) }
        }
    }

    package static let switches: [(String, Path<Bool>)] = [
        ("uses_stream_ping", \.usesStreamPing), ("tells_suspects", \.tellsSuspects),
        ("compares_views", \.comparesViews),
    ]
}
