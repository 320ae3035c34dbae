// What a comparison of balancers has shown, as text for people and as JSON for machines.

import Admin
import Rig
import Vocabulary

struct BalanceReport: Encodable {
    /// One subject at one load in one round.
    struct Cell: Encodable {
        let latency: Latencies?
        let unanswered: Int
        let failures: Int
        let examples: [String]
        /// Nodes and instances that had no part in it.
        let unusedNodes: Int
        let unusedInstances: Int
        /// By which clients and instances were late, whichever were more so: the machine's own share in a latency.
        let latenessP99Seconds: Double
        let processorsUsedPercent: Double?

        init(_ outcome: LoadOutcome, instanceLateness: [Int64], processorsUsedPercent: Double?) {
            latency = Latencies(nanoseconds: outcome.latencies)
            unanswered = outcome.unanswered
            failures = outcome.failures
            examples = outcome.examples
            unusedNodes = outcome.answersAtNode.count { $0 == 0 }
            unusedInstances = outcome.answersOfInstance.count { $0 == 0 }
            latenessP99Seconds = max(
                Latencies(nanoseconds: outcome.lateness)?.p99 ?? 0, Latencies(nanoseconds: instanceLateness)?.p99 ?? 0)
            self.processorsUsedPercent = processorsUsedPercent
        }

        var words: String {
            guard let latency else { return "no answers" }
            let used = processorsUsedPercent.map { "\($0.written(0)) %" } ?? "-"
            return
                "\(latency.count) requests, mean \(latency.mean.milliseconds) ms, p99 \(latency.p99.milliseconds) ms, "
                + "\(failures) failed; processors \(used) used, late by \(latenessP99Seconds.milliseconds) ms (p99)"
        }
    }

    /// All rounds of one subject, or of one model, at one load.
    struct Row: Encodable {
        /// As ``BalanceSubject/rawValue``, `model-` and a policy, or `theory-` and one.
        let name: String
        let title: String
        let load: Double
        let slowShare: Double
        fileprivate(set) var rounds: [Latencies] = []
        fileprivate(set) var cells: [Cell] = []

        var mean: Spread? { Spread(rounds.map(\.mean)) }
        var p99: Spread? { Spread(rounds.map(\.p99)) }
        var p999: Spread? { Spread(rounds.map(\.p999)) }

        private enum Key: String, CodingKey {
            case name, load, slowShare, rounds, cells, meanSeconds, p99Seconds, p999Seconds
        }

        func encode(to encoder: any Encoder) throws {
            var row = encoder.container(keyedBy: Key.self)
            try row.encode(name, forKey: .name)
            try row.encode(load, forKey: .load)
            try row.encode(slowShare, forKey: .slowShare)
            try row.encode(rounds, forKey: .rounds)
            try row.encode(cells, forKey: .cells)
            try row.encode(mean, forKey: .meanSeconds)
            try row.encode(p99, forKey: .p99Seconds)
            try row.encode(p999, forKey: .p999Seconds)
        }
    }

    /// The most that the mean of `load: fleet` may be of that of `round_robin`, at any load of a half or more.
    ///
    /// Two true choices make it 0.69 at a load of 0.5, 0.54 at 0.8 and 0.44 at 0.9, for 24 nodes. Of the requests of
    /// `--short`, no one of 2,000 seeds makes it more than 0.6: what is above 0.85 is no chance.
    static let mostShareOfRoundRobin = 0.85

    private(set) var rows: [Row] = []
    let nodes: Int
    let serviceSeconds: Double
    let measuredSeconds: Double
    let requestsPerConnection: Int
    let seed: UInt64
    let subjects: [BalanceSubject]
    let loads: [Double]
    let slowShares: [Double]
    var versions: [String] = []
    /// What all remoras together use of one processor while nobody sends anything.
    var idlePercent: Double?
    var loadAverage = ""

    init(_ options: BalanceOptions) {
        nodes = options.nodes
        serviceSeconds = options.service.inSeconds
        measuredSeconds = options.measured.inSeconds
        requestsPerConnection = options.requestsPerConnection
        seed = options.seed
        subjects = options.subjects
        loads = options.loads
        slowShares = options.slowShares
    }

    mutating func add(_ cell: Cell, of subject: BalanceSubject, load: Double, slowShare: Double) {
        change(subject.rawValue, subject.title, load, slowShare) { row in
            row.cells.append(cell)
            if let latency = cell.latency { row.rounds.append(latency) }
        }
    }

    mutating func add(_ policy: ModelPolicy, load: Double, slowShare: Double, _ times: [Int64]) {
        change("model-\(policy)", policy.title, load, slowShare) { row in
            if let latency = Latencies(nanoseconds: times) { row.rounds.append(latency) }
        }
    }

    private mutating func change(
        _ name: String, _ title: String, _ load: Double, _ slowShare: Double, _ body: (inout Row) -> Void
    ) {
        let place = rows.firstIndex { $0.name == name && $0.load == load && $0.slowShare == slowShare }
        if let place { return body(&rows[place]) }
        var row = Row(name: name, title: title, load: load, slowShare: slowShare)
        body(&row)
        rows.append(row)
    }

    private func row(_ name: String, _ load: Double, _ slowShare: Double) -> Row? {
        rows.first { $0.name == name && $0.load == load && $0.slowShare == slowShare }
    }

    // MARK: What was to be shown

    /// In what it is not as promised; none: it is.
    var complaints: [String] {
        var complaints: [String] = []
        for row in rows {
            let place = "\(row.title) at load \(row.load), \(row.slowShare.percent) slow"
            for cell in row.cells {
                if cell.failures > 0 {
                    complaints.append(
                        "\(place): \(cell.failures) requests failed: \(cell.examples.joined(separator: "; "))")
                }
                if cell.unusedNodes + cell.unusedInstances > 0 {
                    complaints.append(
                        "\(place): \(cell.unusedNodes) nodes and \(cell.unusedInstances) instances had no part in it")
                }
                if cell.latency == nil { complaints.append("\(place): no request was answered") }
            }
        }
        for slowShare in slowShares {
            for load in loads where load >= 0.5 {
                guard let fleet = row(BalanceSubject.fleet.rawValue, load, slowShare)?.mean?.p50,
                    let turns = row(BalanceSubject.roundRobin.rawValue, load, slowShare)?.mean?.p50
                else { continue }
                if fleet > turns * Self.mostShareOfRoundRobin {
                    complaints.append(
                        "at load \(load), \(slowShare.percent) slow, the mean of load: fleet is \(fleet.milliseconds) ms, "
                            + "that of round_robin \(turns.milliseconds) ms; at most "
                            + "\(Self.mostShareOfRoundRobin) of it is promised")
                }
            }
        }
        return complaints
    }

    // MARK: Text

    var text: String {
        let connections = requestsPerConnection == 1 ? "a connection each" : "\(requestsPerConnection) a connection"
        var text =
            "\(nodes) nodes, \(nodes) instances, exponential service of \((serviceSeconds).milliseconds) ms, open-loop "
            + "Poisson clients, \(connections), \(measuredSeconds.written(0)) s a round, seed \(seed)\n"
            + versions.map { $0 + "\n" }.joined()
            + "median of the rounds (spread: (max − min) / median); times from the planned start; load \(loadAverage)\n"
            + (idlePercent.map { "\(nodes) remoras without clients: \($0.written(1)) % of a processor\n" } ?? "")
        for slowShare in slowShares {
            let speed = slowShare > 0 ? "\(slowShare.percent) of the instances at half speed" : "all instances alike"
            for load in loads { text += "\n" + table(load, slowShare, "load \(load), \(speed)") }
        }
        return text + complaints.map { "\n" + $0 }.joined() + (complaints.isEmpty ? "" : "\n")
    }

    private func table(_ load: Double, _ slowShare: Double, _ title: String) -> String {
        var table = TextTable(
            .left(title), .right("mean ms"), .right("spread"), .right("× service"), .right("p99 ms"), .right("spread"),
            .right("p99.9 ms"), .right("spread"), .right("requests"), .right("failed"), .right("unanswered"),
            .right("CPU used"), .right("late p99 ms"))
        for subject in subjects {
            guard let row = row(subject.rawValue, load, slowShare) else { continue }
            let used = Spread(row.cells.compactMap(\.processorsUsedPercent))
            table.add(
                row.title, Self.milliseconds(row.mean), Self.percent(row.mean), times(row.mean?.p50),
                Self.milliseconds(row.p99), Self.percent(row.p99), Self.milliseconds(row.p999), Self.percent(row.p999),
                "\(row.rounds.reduce(0) { $0 + $1.count })", "\(row.cells.reduce(0) { $0 + $1.failures })",
                "\(row.cells.reduce(0) { $0 + $1.unanswered })", used.map { "\($0.p50.written(0)) %" } ?? "-",
                Spread(row.cells.map(\.latenessP99Seconds))?.p50.milliseconds ?? "-")
        }
        for policy in ModelPolicy.allCases {
            guard let row = row("model-\(policy)", load, slowShare) else { continue }
            table.add(
                row.title, Self.milliseconds(row.mean), Self.percent(row.mean), times(row.mean?.p50),
                Self.milliseconds(row.p99), Self.percent(row.p99), Self.milliseconds(row.p999), Self.percent(row.p999),
                "", "", "", "", "")
        }
        for (title, mean) in theory(load, slowShare) {
            let seconds = mean * serviceSeconds
            table.add("theory: \(title)", seconds.milliseconds, "", times(seconds), "", "", "", "", "", "", "", "", "")
        }
        return table.text
    }

    /// Mean times in service times; none are known for instances of different speeds.
    private func theory(_ load: Double, _ slowShare: Double) -> [(String, Double)] {
        guard slowShare == 0 else { return [] }
        return [
            ("random, 1/(1 − λ)", QueueTheory.alone(load: load)),
            ("two true choices, endless fleet", QueueTheory.twoChoices(load: load)),
            ("one queue for all", QueueTheory.shared(load: load, servers: nodes)),
        ]
    }

    private func times(_ seconds: Double?) -> String { seconds.map { ($0 / serviceSeconds).written(2) } ?? "-" }
    private static func milliseconds(_ spread: Spread?) -> String { spread?.p50.milliseconds ?? "-" }
    private static func percent(_ spread: Spread?) -> String {
        spread.map { "\((100 * ($0.max - $0.min) / $0.p50).written(0)) %" } ?? "-"
    }
}

extension ModelPolicy {
    fileprivate var title: String {
        switch self {
        case .random: "computed: random"
        case .roundRobin: "computed: each node in turn"
        case .twoChoices: "computed: two true choices"
        case .shortest: "computed: the least busy of all"
        }
    }
}

extension Double {
    /// Seconds as milliseconds.
    fileprivate var milliseconds: String { (self * 1000).written(self < 0.01 ? 2 : 1) }
    /// A share of 1.
    var percent: String { "\((self * 100).written(0)) %" }
}
