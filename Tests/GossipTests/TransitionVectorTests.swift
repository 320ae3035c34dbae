import Testing
import Vocabulary

@testable import Gossip

/// `Tests/Vectors/transitions.json`: what the reference's real state machine did, row by row.
@Suite struct TransitionVectorTests {
    struct Row: Decodable, Hashable, CustomTestStringConvertible {
        var about: String
        var state: String
        var inc: UInt32
        var msg: String
        var msg_inc: UInt32
        var timer_before: Bool
        var state_after: String
        var inc_after: UInt32
        var addr_changed: Bool
        var meta_after: String
        var rebroadcast: [String]?
        var timer_after: Bool
        var health_after: Int

        /// What happens to whom.
        var key: String { "\(about) \(state): \(msg) \(msg_inc)" + (timer_before ? " (timed)" : "") }
        var testDescription: String { key }
    }

    private struct File: Decodable { var rows: [Row] }

    static let rows = (try? VectorFile.load("transitions.json", as: File.self).rows) ?? []

    /// Where we differ on purpose (`Precedence`): the result no longer depends on which claim came first. Each with what
    /// we do instead: state, incarnation, what is told on, whether a suspicion runs.
    static let deviations: [String: (state: String, inc: UInt32, told: [String], timer: Bool)] = [
        // A higher incarnation always raises ours.
        "peer suspect: suspect 6 (timed)": ("suspect", 6, ["suspect b inc=6 from=o0"], true),
        "peer suspect: suspect-2nd-source 6 (timed)": ("suspect", 6, ["suspect b inc=6 from=o1"], true),
        "peer dead: suspect 6": ("suspect", 6, ["suspect b inc=6 from=o0"], true),
        "peer dead: dead 6": ("dead", 6, ["dead b inc=6 from=o1"], false),
        "peer dead: leave 6": ("left", 6, ["dead b inc=6 from=b"], false),
        "peer left: suspect 6": ("suspect", 6, ["suspect b inc=6 from=o0"], true),
        "peer left: dead 6": ("dead", 6, ["dead b inc=6 from=o1"], false),
        "peer left: leave 6": ("left", 6, ["dead b inc=6 from=b"], false),
        // A leave beats a death of the same incarnation.
        "peer dead: leave 5": ("left", 5, ["dead b inc=5 from=b"], false),
    ]

    @Test("All 93 rows are here, and every deviation is one of them")
    func completeness() {
        #expect(Self.rows.count == 93)
        #expect(Set(Self.rows.map(\.key)).isSuperset(of: Self.deviations.keys))
        #expect(
            Self.deviations.allSatisfy { key, ours in
                Self.rows.contains { $0.key == key && ($0.state_after, $0.inc_after) != (ours.state, ours.inc) }
            })
    }

    @Test("A claim changes what the reference's rows say it changes", arguments: rows)
    func row(_ row: Row) {
        // Given b, or ourselves, in a state at incarnation 5 among eight others
        var lab = Lab(others: (0..<8).map { "o\($0)" })
        let subject = row.about == "self" ? "self" : "b"
        let record = Lab.record(port: subject == "self" ? 1 : lab.address(of: "b").port)
        if subject == "self" {
            for _ in 1..<row.inc { lab.member.update(record, at: lab.now, into: &lab.effects) }
        } else {
            lab.hear(alive: "b", row.inc, record: record)
            switch row.state {
            case "suspect": lab.hear(suspect: "b", row.inc, from: "o0")
            case "dead": lab.hear(dead: "b", row.inc, from: "o0")
            case "left": lab.hear(dead: "b", row.inc, from: "b")
            default: break
            }
        }
        lab.member.gossip.queue.removeAll()
        _ = lab.take()
        // When the message arrives
        switch row.msg {
        case "alive": lab.hear(alive: subject, row.msg_inc, record: record)
        case "alive-newmeta":
            lab.hear(alive: subject, row.msg_inc, record: Lab.record(port: record.address.port, meta: [0x6D]))
        case "alive-otheraddr": lab.hear(alive: subject, row.msg_inc, record: Lab.record(port: 9999))
        case "suspect": lab.hear(suspect: subject, row.msg_inc, from: "o0")
        case "suspect-2nd-source": lab.hear(suspect: subject, row.msg_inc, from: "o1")
        case "dead": lab.hear(dead: subject, row.msg_inc, from: "o1")
        case "leave": lab.hear(dead: subject, row.msg_inc, from: subject)
        default: Issue.record("a message of a kind unknown here: \(row.msg)")
        }
        // Then
        let ours = Self.deviations[row.key]
        let view = lab.member.view(of: lab.id(subject))
        #expect(view.map { "\($0.state)" } == ours?.state ?? row.state_after)
        #expect(view?.incarnation == ours?.inc ?? row.inc_after)
        #expect(lab.queued == ours?.told ?? row.rebroadcast ?? [])
        #expect((lab.member.suspicions.count > 0) == (ours?.timer ?? row.timer_after))
        #expect(lab.member.healthScore == row.health_after)
        #expect((view?.record.address != record.address) == row.addr_changed)
        #expect(view.map { String(decoding: $0.record.meta, as: UTF8.self) } == row.meta_after)
    }
}
