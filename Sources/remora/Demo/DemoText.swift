// What the demo says: sentences and small tables out of what was seen, as values.

import Admin
import Rig
import Vocabulary

enum DemoText {
    /// Two digits or more, and a unit.
    static func time(_ seconds: Double) -> String {
        seconds < 9.9995 ? "\(Int((seconds * 1000).rounded())) ms" : "\(tenths(seconds)) s"
    }

    static func time(_ duration: Duration) -> String {
        duration < .seconds(1) ? time(duration.inSeconds) : "\(tenths(duration.inSeconds)) s"
    }

    /// With one decimal.
    static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    /// Both subjects side by side, of the last `length`.
    static func table(_ comparison: DemoComparison, of length: Duration) -> [String] {
        var table = TextTable(
            .left("last \(tenths(length.inSeconds)) s"), .right("answered"), .right("failed"), .right("waiting"),
            .right("mean"), .right("p50"), .right("p99"))
        for subject in DemoSubject.allCases {
            let figures = comparison[subject]
            let latencies = Latencies(nanoseconds: figures.latencies)
            table.add(
                subject.title, "\(figures.latencies.count)", "\(figures.failed)", "\(figures.waiting)",
                time(latencies?.mean), time(latencies?.p50), time(latencies?.p99))
        }
        return table.lines()
    }

    /// All acts, with what each cost.
    static func summary(_ acts: [(act: DemoAct, comparison: DemoComparison)]) -> [String] {
        var table = TextTable(
            .left("p50 / p99"), .right("fleet load"), .right("failed"), .right("round robin"), .right("failed"))
        for (act, comparison) in acts {
            table.add(
                act.title, quantiles(comparison.fleet), "\(comparison.fleet.failed)", quantiles(comparison.turns),
                "\(comparison.turns.failed)")
        }
        return table.lines()
    }

    /// In one line, p50 before p99.
    static func line(_ comparison: DemoComparison) -> String {
        let parts = DemoSubject.allCases.map { "\($0.title) \(quantiles(comparison[$0]))" }
        let failed = comparison.fleet.failed + comparison.turns.failed
        return parts.joined(separator: ", ") + "; \(failed) failed"
    }

    private static func quantiles(_ figures: DemoFigures) -> String {
        let latencies = Latencies(nanoseconds: figures.latencies)
        return "\(time(latencies?.p50)) / \(time(latencies?.p99))"
    }

    private static func time(_ seconds: Double?) -> String { seconds.map { time($0) } ?? "-" }

    /// In what an act was not as promised; none: it was.
    static func complaints(_ act: DemoAct, _ comparison: DemoComparison) -> [String] {
        var complaints: [String] = []
        for subject in DemoSubject.allCases {
            let figures = comparison[subject]
            if figures.latencies.isEmpty {
                complaints.append("\(act.title): no request to \(subject.upstream) was answered")
            }
            // What was under way at the one that was killed is lost, and nothing else.
            if act != .killed, figures.failed > 0 {
                complaints.append(
                    "\(act.title): \(count(figures.failed, "request")) to \(subject.upstream) failed: "
                        + figures.examples.joined(separator: "; "))
            }
        }
        if act == .slow, let fleet = Latencies(nanoseconds: comparison.fleet.latencies),
            let turns = Latencies(nanoseconds: comparison.turns.latencies), fleet.p99 >= turns.p99
        {
            complaints.append(
                "\(act.title): the p99 of fleet load is \(time(fleet.p99)), that of round robin \(time(turns.p99))")
        }
        return complaints
    }

    /// Lines of at most `width`, broken at blanks.
    static func wrapped(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
