import Proxy
import Testing
import Vocabulary

@testable import Node

@Suite("The stages of a node's end")
struct ShutdownStagesTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private let round = Duration.milliseconds(200)

    private func shutdown(drain: Duration = .seconds(30)) -> Shutdown { Shutdown(drainPeriod: drain, round: round) }

    private func facts(
        telling: Bool = false, _ connections: DrainStage = .serving, left: Bool = false
    ) -> Shutdown.Facts {
        Shutdown.Facts(isTelling: telling, connections: connections, hasLeft: left)
    }

    @Test("Without services the doors are closed at once, and the fleet is left when the last connection has ended")
    func noServices() {
        var shutdown = shutdown()
        #expect(shutdown.begin(advertises: false, at: start) == .closeListeners)
        #expect(shutdown.stage(facts(.closingListeners)) == .closingListeners)
        #expect(shutdown.proceed(facts(.finishing(connections: 1)), at: start) == nil)
        #expect(shutdown.stage(facts(.finishing(connections: 1))) == .finishing(connections: 1))
        #expect(shutdown.proceed(facts(.done), at: start) == .leave)
        #expect(shutdown.stage(facts(.done)) == .leaving)
        #expect(shutdown.proceed(facts(.done), at: start) == nil)
        #expect(shutdown.stage(facts(.done, left: true)) == .over)
    }

    @Test("With services the doors stay open until the word has been told and had time to spread")
    func announcing() {
        var shutdown = shutdown()
        #expect(shutdown.begin(advertises: true, at: start) == .announce)
        #expect(shutdown.stage(facts()) == .announcing)
        // Told, but not yet told on
        let spread = start + round * 6
        #expect(shutdown.nextMoment(after: start) == spread)
        #expect(shutdown.proceed(facts(), at: spread + .nanoseconds(-1)) == nil)
        // Time has passed, but it is still being told
        #expect(shutdown.proceed(facts(telling: true), at: spread) == nil)
        #expect(shutdown.nextMoment(after: spread) == start + .seconds(5))
        #expect(shutdown.proceed(facts(), at: spread) == .closeListeners)
        #expect(shutdown.nextMoment(after: spread) == spread + .seconds(30))
    }

    @Test("A word that nobody takes holds up the end for five seconds, or six rounds where they are long")
    func announcingInVain() {
        var shutdown = shutdown()
        _ = shutdown.begin(advertises: true, at: start)
        #expect(shutdown.proceed(facts(telling: true), at: start + .milliseconds(4999)) == nil)
        #expect(shutdown.proceed(facts(telling: true), at: start + .seconds(5)) == .closeListeners)
        var slow = Shutdown(drainPeriod: .zero, round: .seconds(2))
        _ = slow.begin(advertises: true, at: start)
        #expect(slow.proceed(facts(telling: true), at: start + .seconds(11)) == nil)
        #expect(slow.proceed(facts(telling: true), at: start + .seconds(12)) == .closeListeners)
    }

    @Test("When the drain period is over what is left is aborted, once, and the fleet is left")
    func cutShort() {
        var shutdown = shutdown(drain: .seconds(1))
        _ = shutdown.begin(advertises: false, at: start)
        let end = start + .seconds(1)
        #expect(shutdown.proceed(facts(.finishing(connections: 2)), at: end + .nanoseconds(-1)) == nil)
        #expect(shutdown.proceed(facts(.finishing(connections: 2)), at: end) == .abortConnections)
        #expect(shutdown.proceed(facts(.finishing(connections: 2)), at: end) == nil)
        #expect(shutdown.proceed(facts(.done), at: end) == .leave)
    }
}
