// What a run of chaos has shown, as text for people and as JSON for machines.

import Admin
import Vocabulary

struct ChaosReport: Encodable {
    struct Detected: Encodable {
        let kind: Disturbance.Kind
        let count: Int
        /// Of all that were noticed by anybody.
        let firstSeconds: Spread?
        /// Of those that all who were there the whole time noticed before it was over.
        let lastSeconds: Spread?
        let noticedByAll: Int
        let noticedByNobody: Int
    }

    var remoras = 0
    var agents = 0
    var seed: UInt64 = 0
    /// Of the fleet's start until all views were equal; nil: chaos began before.
    var completeSeconds: Double?
    let disturbances: [String: Int]
    let detected: [Detected]
    /// After the last disturbance was over; nil: not within the limit.
    let convergenceSeconds: Double?
    let complaints: [String]
    let crashes: [String]
    let falseDeaths: [FalseDeath]
    let lateDeaths: Int
    let shortOnesHeldForDead: Int
    /// Datagrams and messages that remoras could not read; nobody sends such.
    let refusedDatagrams: UInt64
    /// Lines about members that remoras left out while members were disturbed: a remora that is started again sees all
    /// others come at once, and writes 50 of them.
    let logLinesMissing: Int
    var loadAverage = ""

    init(
        findings: ChaosFindings, touches: [Touch], complaints: [String], crashes: [String],
        convergenceSeconds: Double?, refused: UInt64, logLinesMissing: Int
    ) {
        disturbances = Dictionary(touches.map { ($0.kind.rawValue, 1) }, uniquingKeysWith: +)
        detected = [Disturbance.Kind.crash, .freeze].map { kind in
            let detections = findings.detections.filter { $0.kind == kind }
            return Detected(
                kind: kind, count: detections.count, firstSeconds: Spread(detections.compactMap(\.first?.inSeconds)),
                lastSeconds: Spread(detections.compactMap(\.last?.inSeconds)),
                noticedByAll: detections.count { $0.told == $0.observers },
                noticedByNobody: detections.count { $0.first == nil })
        }
        self.convergenceSeconds = convergenceSeconds
        self.complaints = complaints
        self.crashes = crashes
        falseDeaths = findings.falseDeaths
        lateDeaths = findings.lateDeaths
        shortOnesHeldForDead = findings.shortOnesHeldForDead
        refusedDatagrams = refused
        self.logLinesMissing = logLinesMissing
    }

    /// Equal views at the end, every process there that should be, and no datagram that a remora could not read.
    var isWell: Bool { complaints.isEmpty && crashes.isEmpty && refusedDatagrams == 0 }

    var text: String {
        var lines = ["\(remoras) remoras and \(agents) agents of Serf, seed \(seed); load \(loadAverage)"]
        lines.append(
            "complete after the start: \(completeSeconds.map { "\($0.written(1)) s" } ?? "not before chaos began")")
        let kinds = Disturbance.Kind.allCases.map { "\(disturbances[$0.rawValue] ?? 0) × \($0.rawValue)" }
        lines.append("disturbed: \(kinds.joined(separator: ", "))")
        var table = TextTable(
            .left("noticed"), .right("count"), .right("first: p50"), .right("max"), .right("last: p50"), .right("max"),
            .right("by all"), .right("by nobody"))
        for row in detected {
            table.add(
                row.kind.rawValue, "\(row.count)", Spread.text(row.firstSeconds?.p50),
                Spread.text(row.firstSeconds?.max),
                Spread.text(row.lastSeconds?.p50), Spread.text(row.lastSeconds?.max), "\(row.noticedByAll)",
                "\(row.noticedByNobody)")
        }
        lines += table.text.split(separator: "\n").map(String.init)
        let whose = Dictionary(grouping: falseDeaths, by: \.member)
        let remoras = falseDeaths.count { $0.observer.hasPrefix("r") }
        lines.append(
            "never disturbed, and held for dead: \(whose.count) members, \(falseDeaths.count) times (\(remoras) by remoras)"
        )
        for death in falseDeaths.prefix(10) {
            lines.append(
                "  \(death.member) by \(death.observer)\(death.observerWasDisturbed ? ", itself disturbed before," : "") "
                    + "at \(death.seconds.written(1)) s")
        }
        lines.append("held for dead long after it was up again: \(lateDeaths) times")
        lines.append("short disturbances after which somebody held the member for dead: \(shortOnesHeldForDead)")
        lines.append("datagrams and messages that remoras refused: \(refusedDatagrams)")
        lines.append("log lines left out: \(logLinesMissing)")
        if let convergenceSeconds {
            lines.append(
                "equal views everywhere \(convergenceSeconds.written(1)) s after the last disturbance was over")
        } else {
            lines.append("views are not equal:")
            lines += complaints.map { "  " + $0 }
        }
        return (lines + crashes).joined(separator: "\n") + "\n"
    }
}
