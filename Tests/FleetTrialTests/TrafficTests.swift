// To whom a failed request is put down.

import Testing
import Vocabulary

@testable import Rig
@testable import fleet_trial

@Suite("Requests lost in traffic")
struct TrafficTests {
    private static func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

    private func lost(
        _ id: Int = 1, from begun: Double, to ended: Double = 15, kept: Bool = false
    ) -> RequestRecord {
        RequestRecord(
            id: id, service: 0, isOnKeptConnection: kept, begun: Self.at(begun), ended: Self.at(ended),
            outcome: .failed("closed"))
    }

    private func answered(by node: String, from begun: Double) -> RequestRecord {
        RequestRecord(
            id: 9, service: 0, isOnKeptConnection: false, begun: Self.at(begun), ended: Self.at(begun + 0.5),
            outcome: .answered(by: node))
    }

    /// Of `a`, from the tenth second to the twentieth.
    private func misfortune(_ kind: TrafficFindings.Deafness? = nil) -> TrafficFindings.Misfortune {
        var misfortune = TrafficFindings.Misfortune(victims: ["a"], began: Self.at(10), done: Self.at(10.1))
        misfortune.deafness = kind.map { ($0, Self.at(12)) }
        misfortune.undone = Self.at(20)
        return misfortune
    }

    private func findings(
        _ records: [RequestRecord], _ journals: [String: Set<Int>] = [:], _ kind: TrafficFindings.Deafness? = nil
    ) -> TrafficFindings { TrafficFindings(records, journals: journals, of: misfortune(kind)) }

    @Test("What the victim wrote down and did not answer was in flight there")
    func written() {
        let findings = findings([lost(from: 9), lost(from: 11)], ["a": [1], "b": []])
        #expect(findings.inFlight == 2 && findings.other == 0)
    }

    @Test("What somebody else wrote down is not excused, whenever it began", arguments: [9.0, 10.05, 11])
    func elsewhere(begun: Double) {
        let findings = findings([lost(from: begun)], ["a": [], "b": [1]], .node)
        #expect(findings.other == 1 && findings.inFlight == 0 && findings.examples.count == 1)
    }

    @Test("What was over before it began has nothing to do with it")
    func before() {
        #expect(findings([lost(from: 8, to: 9)], ["a": [1]]).other == 1)
        #expect(findings([lost(from: 8, to: 9)]).other == 1)
    }

    @Test("What nobody wrote down was in flight if it began before it was done, and is not excused later")
    func unwritten() {
        #expect(findings([lost(from: 10.05)]).inFlight == 1)
        #expect(findings([lost(from: 10.2)]).other == 1)
    }

    @Test("A sidecar without its instance accepts and loses until its door is closed")
    func sidecar() {
        let findings = findings([lost(1, from: 10.05), lost(2, from: 11), lost(3, from: 12.1)], [:], .sidecar)
        #expect(findings.inFlight == 1 && findings.accepted == 1 && findings.other == 1)
    }

    @Test("A node that stands still loses new connections too, one that is cut off only those that were there")
    func deaf() {
        let (new, kept) = (lost(from: 11), lost(from: 11, kept: true))
        let still = findings([new, kept], [:], .node)
        #expect(still.inFlight == 2 && still.unheard == 2)
        #expect(findings([new], [:], .connections).other == 1)
        let cut = findings([kept], [:], .connections)
        #expect(cut.inFlight == 1 && cut.unheard == 1 && cut.other == 0)
    }

    @Test("Traffic is gone after the last request that went there, and back with the first answer to a later one")
    func times() {
        let findings = findings([
            answered(by: "a", from: 9), answered(by: "a", from: 11), answered(by: "b", from: 13),
            answered(by: "a", from: 21), answered(by: "a", from: 22),
        ])
        #expect(findings.answered == 5 && findings.sent == 5)
        #expect(findings.goneAfter == .seconds(1))
        #expect(findings.backAfter == .milliseconds(1500))
    }
}
