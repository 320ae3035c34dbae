// What a run with a roster has shown, as text for people and as JSON for machines.

import Admin
import Vocabulary

struct RosterReport: Encodable {
    struct Phase: Encodable {
        let name: String
        /// Until what it is about was seen by all who send.
        let settledSeconds: Double
        var sent = 0
        var failed = 0
        /// Requests that the stranger has answered.
        var byStranger = 0
        fileprivate let began: Instant
        fileprivate let ended: Instant

        init(name: String, began: Instant, settled: Instant, ended: Instant) {
            self.name = name
            self.began = began
            self.ended = ended
            settledSeconds = (settled - began).inSeconds
        }

        private enum CodingKeys: CodingKey {
            case name, settledSeconds, sent, failed, byStranger
        }
    }

    let title: String
    var phases: [Phase] = []
    var complaints: [String] = []
    /// What an operator was told.
    var words: [String] = []
    var loadAverage = ""

    init(title: String) { self.title = title }

    var isWell: Bool { complaints.isEmpty }

    /// Puts every request down to the phase in which it began, the ones before all phases to the first.
    mutating func count(_ records: [RequestRecord], stranger: String) {
        for record in records {
            guard let index = phases.lastIndex(where: { $0.began <= record.begun }) ?? phases.indices.first else {
                return
            }
            phases[index].sent += 1
            switch record.outcome {
            case .answered(let by): if by == stranger { phases[index].byStranger += 1 }
            case .failed(let why):
                phases[index].failed += 1
                complaints.append("\(phases[index].name): request \(record.id) for s\(record.service) failed: \(why)")
            }
        }
        for phase in phases.dropLast() where phase.byStranger > 0 {
            complaints.append("\(phase.name): the stranger answered \(phase.byStranger) requests")
        }
        if phases.last?.byStranger == 0 { complaints.append("listed, the stranger gets nothing either") }
    }

    var text: String {
        var table = TextTable(
            .left("phase"), .right("seen by all after s"), .right("sent"), .right("failed"), .right("by the stranger"))
        for phase in phases {
            table.add(
                phase.name, phase.settledSeconds.written(2), "\(phase.sent)", "\(phase.failed)", "\(phase.byStranger)")
        }
        var text = "\(title); load \(loadAverage)\n" + table.text
        for word in words { text += word + "\n" }
        for complaint in complaints.prefix(20) { text += "NOT AS PROMISED: \(complaint)\n" }
        return text
    }
}
