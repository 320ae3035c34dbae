// What a run of traffic has shown, as text for people and as JSON for machines.

import Admin
import Vocabulary

struct TrafficReport: Encodable {
    struct Row: Encodable {
        let scenario: String
        let victims: [String]
        var sent = 0
        var answered = 0
        var lostInFlight = 0
        var lostAccepted = 0
        var failedOtherwise = 0
        var goneAfterSeconds: Double?
        var backAfterSeconds: Double?
        var slowestSeconds: Double?
        /// In what it is not as promised; none: it is.
        var complaints: [String] = []
        /// It could not be tried here.
        var isOmitted = false

        init(scenario: String, victims: [String]) {
            self.scenario = scenario
            self.victims = victims
        }

        init(scenario: String, victims: [String], _ findings: TrafficFindings) {
            self.init(scenario: scenario, victims: victims)
            sent = findings.sent
            answered = findings.answered
            lostInFlight = findings.inFlight
            lostAccepted = findings.accepted
            failedOtherwise = findings.other
            goneAfterSeconds = findings.goneAfter?.inSeconds
            backAfterSeconds = findings.backAfter?.inSeconds
            slowestSeconds = findings.slowest.inSeconds
        }
    }

    /// What was run, in a line.
    let title: String
    var rows: [Row] = []
    var crashes: [String] = []
    var loadAverage = ""

    var isWell: Bool { crashes.isEmpty && rows.allSatisfy(\.complaints.isEmpty) }

    var text: String {
        var table = TextTable(
            .left("scenario"), .left("of"), .right("sent"), .right("lost in flight"), .right("lost accepted"),
            .right("failed otherwise"), .right("gone after s"), .right("back after s"), .right("slowest s"),
            .left("as promised"))
        for row in rows {
            guard !row.isOmitted else {
                table.add(row.scenario, "", "", "", "", "", "", "", "", "not allowed here")
                continue
            }
            table.add(
                row.scenario, row.victims.joined(separator: " "), "\(row.sent)", "\(row.lostInFlight)",
                "\(row.lostAccepted)", "\(row.failedOtherwise)", Spread.text(row.goneAfterSeconds),
                Spread.text(row.backAfterSeconds), Spread.text(row.slowestSeconds),
                row.complaints.isEmpty ? "yes" : "NO")
        }
        var text = "\(title); load \(loadAverage)\n" + table.text
        for row in rows {
            for complaint in row.complaints { text += "\(row.scenario): \(complaint)\n" }
        }
        for crash in crashes { text += crash + "\n" }
        return text
    }
}
