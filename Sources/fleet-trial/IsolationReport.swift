// What isolation and shrinking have shown, as text for people and as JSON for machines.

import Admin

struct IsolationReport: Encodable {
    struct Row: Encodable {
        var trial = ""
        /// From the cut until the last known good view was kept; nil: it never was.
        var keptAfterSeconds: Double?
        /// Members that the observer saw as neither alive nor gone for good, at the worst.
        var lostMembers = 0
        /// While it was cut off, or shrank.
        var sent = 0
        var failed = 0
        /// From the healing until the view was believed again and everybody alive; nil: not in time, or there was none.
        var recoveredAfterSeconds: Double?
        /// After that.
        var sentAfter = 0
        var failedAfter = 0
        /// In what it is not as promised; none: it is.
        var complaints: [String] = []
        /// What an operator was told.
        var words: [String] = []
    }

    let title: String
    var rows: [Row] = []
    var loadAverage = ""

    var isWell: Bool { rows.allSatisfy(\.complaints.isEmpty) }

    var text: String {
        var table = TextTable(
            .left("trial"), .right("view kept after s"), .right("members lost"), .right("sent"), .right("failed"),
            .right("recovered after s"), .right("sent"), .right("failed"), .left("as promised"))
        for row in rows {
            table.add(
                row.trial, Spread.text(row.keptAfterSeconds), "\(row.lostMembers)", "\(row.sent)", "\(row.failed)",
                Spread.text(row.recoveredAfterSeconds), "\(row.sentAfter)", "\(row.failedAfter)",
                row.complaints.isEmpty ? "yes" : "NO")
        }
        var text = "\(title); load \(loadAverage)\n" + table.text
        for row in rows {
            for word in row.words { text += "\(row.trial): \(word)\n" }
            for complaint in row.complaints { text += "\(row.trial): NOT AS PROMISED: \(complaint)\n" }
        }
        return text
    }
}
