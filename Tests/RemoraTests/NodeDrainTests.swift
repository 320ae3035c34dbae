import Testing
import Vocabulary

@testable import Node

@Suite("A drain that can be taken back")
struct NodeDrainTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private let round = Duration.milliseconds(200)

    private func facts(telling: Bool = false, closed: Bool = true, _ connections: Int = 0) -> NodeDrain.Facts {
        NodeDrain.Facts(isTelling: telling, doorsAreClosed: closed, connections: connections)
    }

    @Test("The fleet hears of it before a door closes, and each stage is told")
    func stages() {
        var drain = NodeDrain(round: round)
        #expect(drain.stage(facts()) == .serving && !drain.hasBegun)
        #expect(drain.begin(advertises: true, at: start) == .announce)
        #expect(drain.begin(advertises: true, at: start) == nil)
        #expect(drain.stage(facts(closed: false)) == .announcing && !drain.isAnnounced)
        let spread = start + round * 6
        #expect(drain.nextMoment(after: start) == spread)
        #expect(drain.proceed(facts(), at: spread + .nanoseconds(-1)) == nil)
        #expect(drain.proceed(facts(telling: true), at: spread) == nil)
        #expect(drain.proceed(facts(), at: spread) == .closeDoors)
        #expect(drain.isAnnounced && drain.nextMoment(after: spread) == nil)
        #expect(drain.stage(facts(closed: false, 2)) == .closingListeners)
        #expect(drain.stage(facts(2)) == .finishing(connections: 2))
        #expect(drain.stage(facts()) == .drained)
        #expect(drain.proceed(facts(), at: spread) == nil)
    }

    @Test("Where nobody has to be told the doors close at once")
    func alone() {
        var drain = NodeDrain(round: round)
        #expect(drain.begin(advertises: false, at: start) == .closeDoors)
        #expect(drain.isAnnounced)
    }

    @Test("It can be taken back at any stage, and begun again", arguments: [false, true])
    func undo(isAnnounced: Bool) {
        var drain = NodeDrain(round: round)
        let wasDraining = drain.undo()
        #expect(!wasDraining)
        _ = drain.begin(advertises: true, at: start)
        if isAnnounced { _ = drain.proceed(facts(), at: start + .seconds(5)) }
        let isTakenBack = drain.undo()
        #expect(isTakenBack)
        #expect(drain.stage(facts(closed: false, 3)) == .serving)
        #expect(drain.proceed(facts(), at: start + .seconds(60)) == nil)
        #expect(drain.begin(advertises: true, at: start) == .announce)
    }
}
