import Testing
import Vocabulary

@testable import Node

@Suite("What /ready and /live answer")
struct ControlDeskTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    @Test("Only a node that serves is ready; the others say what keeps them")
    func readiness() throws {
        let desk = try ControlDesk(at: start)
        #expect(desk.readiness == (false, "starting"))
        let answers: [(NodeStage, Bool, String)] = [
            (.serving, true, "ready"),
            (.announcing, false, "draining: the fleet is being told"),
            (.closingListeners, false, "draining: listeners are being closed"),
            (.finishing(connections: 2), false, "draining: 2 connections left"),
            (.finishing(connections: 1), false, "draining: 1 connection left"),
            (.leaving, false, "drained: leaving the fleet"),
            (.over, false, "drained"),
        ]
        for (stage, ready, line) in answers {
            desk.show(stage, at: start)
            #expect(desk.readiness == (ready, line))
        }
    }

    @Test("A node lives as long as its control thread turns, from the moment it is made")
    func liveness() throws {
        let desk = try ControlDesk(at: start)
        #expect(desk.liveness(at: start + .seconds(9)) == (true, "live"))
        let late = start + ControlDesk.longestSilence
        #expect(desk.liveness(at: late) == (false, "the control thread has not turned for 10 s"))
        desk.show(.finishing(connections: 1), at: late)
        #expect(desk.liveness(at: late) == (true, "live"))
    }
}
