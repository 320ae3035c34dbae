import Testing
import Vocabulary

@testable import Gossip

/// What a member does that did not run for a while, and knows it by its own clock.
@Suite struct StallTests {
    @Test("Whoever slept through a probe accuses nobody for it")
    func stalledProbe() throws {
        var lab = Lab(others: ["a", "b", "c"])
        lab.run(until: lab.member.prober.nextTick)
        let (ping, to) = try #require(lab.take().ping)
        let target = try #require(["a", "b", "c"].first { lab.address(of: $0) == to })
        lab.sleep(for: .seconds(5))
        lab.member.wake(at: lab.now, into: &lab.effects)
        #expect(lab.state(target) == .alive)
        #expect(lab.member.healthScore == 0)
        #expect(lab.take().events.contains { if case .stalled(.milliseconds(4500)) = $0 { true } else { false } })
        // The answer, waiting in the socket's buffer, is nobody's any more
        lab.receive(.ack(Ack(sequence: ping.sequence)), from: target)
        #expect(lab.take().events.isEmpty)
    }

    @Test(
        "A suspect gets back the time that we missed, whichever comes first, a wake or a message",
        arguments: [true, false])
    func stalledSuspicion(wakesFirst: Bool) throws {
        // Given a suspicion with two seconds to go
        var lab = Lab(others: (0..<10).map { "o\($0)" })
        lab.hear(suspect: "o1", 1, from: "o2")
        lab.hear(suspect: "o1", 1, from: "o3")
        lab.hear(suspect: "o1", 1, from: "o4")
        lab.member.prober.nextTick = .distantFuture
        lab.run(for: .seconds(2))
        // When we do not run for a minute, in which it refutes
        lab.sleep(for: .seconds(60))
        if wakesFirst {
            lab.member.wake(at: lab.now, into: &lab.effects)
        }
        #expect(lab.state("o1") == .suspect)
        lab.hear(alive: "o1", 2)
        // Then the refutation is heard
        lab.run(for: .seconds(30))
        #expect(lab.state("o1") == .alive)
    }

    @Test("A suspect with much time left gets all of the stall back, not only the shortest suspicion")
    func longStalledSuspicion() {
        // Given a suspicion that nobody confirms, of 24 s
        var lab = Lab(others: (0..<9).map { "o\($0)" })
        lab.member.prober.nextTick = lab.now + .seconds(1)
        lab.hear(suspect: "o1", 1, from: "o2")
        lab.run(for: .milliseconds(500))
        // When ten seconds are missed
        lab.sleep(for: .seconds(10))
        lab.member.wake(at: lab.now, into: &lab.effects)
        lab.member.prober.nextTick = .distantFuture
        // Then it ends about as much later, and no earlier than that
        guard case .open(let deadline) = lab.member.provenance(of: lab.id("o1"))?.outcome else {
            Issue.record("no suspicion")
            return
        }
        #expect(deadline - lab.now > .seconds(23) && deadline - lab.now < .seconds(24))
    }

    @Test("Half the direct ping's time-out late is late, more is a stall", arguments: [0, 1])
    func tolerance(excess: Int) {
        var lab = Lab(others: ["a", "b"])
        lab.now = lab.member.nextWake + .milliseconds(250) + .nanoseconds(excess)
        lab.member.wake(at: lab.now, into: &lab.effects)
        #expect(lab.take().events.contains { if case .stalled = $0 { true } else { false } } == (excess > 0))
    }

    @Test("One stall is told once, whatever else was due and whatever comes first")
    func stallOnce() {
        var lab = Lab(others: (0..<9).map { "o\($0)" })
        lab.hear(alive: "o3", 2)
        lab.hear(suspect: "o1", 1, from: "o2")
        lab.sleep(for: .seconds(1000))
        // Messages are read first, and only then timers are seen to
        for _ in 0..<3 {
            lab.receive(.ping(Ping(sequence: 1, node: nil)))
            lab.now = lab.now + .milliseconds(1)
            lab.member.wake(at: lab.now, into: &lab.effects)
        }
        let stalls = lab.take().events.filter { if case .stalled = $0 { true } else { false } }
        #expect(stalls.count == 1)
    }

    @Test("What we were asked to relay before a stall is of no use after it")
    func stalledRelay() throws {
        var lab = Lab(others: ["a", "b"])
        let request = IndirectPing(sequence: 7, target: lab.address(of: "b"), node: lab.id("b"), wantsNack: true)
        lab.receive(.indirectPing(request), from: "a")
        let ping = try #require(lab.take().ping)
        lab.sleep(for: .seconds(3))
        lab.member.wake(at: lab.now, into: &lab.effects)
        lab.receive(.ack(Ack(sequence: ping.ping.sequence)), from: "b")
        #expect(!lab.take().messages.contains { ["nack 7", "ack 7"].contains(lab.describe($0)) })
    }

    @Test("After a stall a suspect that stays silent dies all the same, a whole suspicion later")
    func deathAfterStall() {
        var lab = Lab(others: (0..<10).map { "o\($0)" })
        for accuser in ["o2", "o3", "o4"] { lab.hear(suspect: "o1", 1, from: accuser) }
        lab.member.prober.nextTick = .distantFuture
        lab.run(for: .seconds(3))
        lab.sleep(for: .seconds(60))
        lab.member.wake(at: lab.now, into: &lab.effects)
        let shortest = lab.member.shortestSuspicion
        lab.run(for: shortest - .milliseconds(1))
        #expect(lab.state("o1") == .suspect)
        lab.run(for: .milliseconds(2))
        #expect(lab.state("o1") == .dead)
        #expect(lab.take().events.filter { if case .stalled = $0 { true } else { false } }.count == 1)
    }
}
