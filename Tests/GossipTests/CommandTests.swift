import Testing
import Vocabulary

@testable import Gossip

@Suite struct CommandTests {
    @Test("Members that start together begin to probe, exchange and contact at moments of their own")
    func phases() {
        var probes: Set<Int64> = []
        for seed in 1...20 as ClosedRange<UInt64> {
            let lab = Lab(others: ["a"], seed: seed)
            let delays = [
                lab.member.prober.nextTick, lab.member.exchange.nextPushPull, lab.member.exchange.nextContact,
            ].map { $0 - lab.now }
            #expect(delays[0] >= .zero && delays[0] < .seconds(1))
            #expect(delays[1] >= .seconds(30) && delays[1] < .seconds(60))
            #expect(delays[2] >= .seconds(15) && delays[2] < .seconds(45))
            probes.insert(delays[0].wholeNanoseconds)
        }
        #expect(probes.count == 20)
    }

    @Test("Before it starts a member is silent, and closes what is opened to it")
    func notStarted() {
        let directory = Directory()
        var member = Membership(
            name: directory.intern("self"), record: Lab.record(port: 1), options: .lan, directory: directory,
            random: SeededRandom(seed: 1))
        var effects = Effects()
        let now = Instant(nanoseconds: 5)
        let peer = Lab.record(port: 2).address
        member.receive(.ping(Ping(sequence: 1, node: nil)), from: peer, at: now, into: &effects)
        member.wake(at: now, into: &effects)
        #expect(effects.isEmpty && member.nextWake == .distantFuture)
        let stream = StreamID(side: .accepted, number: 3)
        member.receive(.ping(Ping(sequence: 1, node: nil)), on: stream, from: peer, at: now, into: &effects)
        guard case .close(stream) = effects.streams.first, effects.streams.count == 1 else {
            Issue.record("\(effects.streams)")
            return
        }
    }

    @Test("What is preloaded of ourselves is passed over: we are listed once")
    func preloadedSelf() {
        let directory = Directory()
        let name = directory.intern("self")
        var member = Membership(
            name: name, record: Lab.record(port: 1), options: .lan, directory: directory, random: SeededRandom(seed: 1))
        member.preload(
            [MemberClaim(node: name, incarnation: 9, state: .dead, record: Lab.record(port: 7))],
            at: Instant(nanoseconds: 5))
        #expect(member.listed == 1 && member.present == 1 && member.incarnation == 1)
    }

    @Test("Our own state is as old as our start, whatever else we bear since")
    func since() {
        var lab = Lab(others: ["a"])
        let start = lab.now
        #expect(lab.member.view(of: lab.member.id)?.since == start)
        lab.run(for: .seconds(3))
        lab.member.update(Lab.record(port: 1, meta: [1]), at: lab.now, into: &lab.effects)
        #expect(lab.member.view(of: lab.member.id)?.since == start)
    }

    @Test("At the highest incarnation a change of our own goes no higher")
    func lastUpdate() {
        // Given somebody who drove us to the end of all incarnations
        var lab = Lab(others: ["a"])
        lab.hear(suspect: "self", .max - 1, from: "a")
        #expect(lab.incarnation("self") == .max)
        // When the application changes our record
        lab.member.update(Lab.record(port: 1, meta: [1]), at: lab.now, into: &lab.effects)
        // Then we bear it, and live
        #expect(lab.incarnation("self") == .max)
        #expect(lab.member.view(of: lab.member.id)?.record.meta == [1])
    }

    @Test("Who has left changes nothing any more")
    func updateAfterLeave() {
        var lab = Lab(others: ["a"])
        lab.member.leave(at: lab.now, into: &lab.effects)
        lab.member.update(Lab.record(port: 1, meta: [1]), at: lab.now, into: &lab.effects)
        #expect(lab.state("self") == .left && lab.incarnation("self") == 1)
        #expect(lab.queued == ["dead self inc=1 from=self"])
    }

    @Test("Who leaves drops its probe, and the stream of it")
    func leaveWhileProbing() throws {
        var lab = Lab(others: ["a", "b"])
        lab.run(until: lab.member.prober.nextTick + .milliseconds(600))
        let stream = try #require(lab.take().openedStreams.first?.stream)
        lab.member.leave(at: lab.now, into: &lab.effects)
        #expect(lab.member.prober.probe == nil)
        #expect(lab.take().streams.contains { if case .close(stream) = $0 { true } else { false } })
    }

    @Test("Who leaves accuses nobody on the word of a view that it merges")
    func mergeWhileLeaving() throws {
        var lab = Lab(others: ["a", "b"])
        lab.member.leave(at: lab.now, into: &lab.effects)
        _ = try lab.exchange([lab.claim("b", .dead, 1), lab.claim("x", .alive, 1)], from: "a")
        #expect(lab.state("b") == .alive && lab.state("x") == .alive)
    }

    @Test("Who is leaving begins no exchange because views differ")
    func comparisonWhileLeaving() {
        var lab = Lab(others: ["a"])
        lab.hear(alive: "a", 2, record: Lab.record(port: lab.address(of: "a").port, meta: [7], isRemora: true))
        lab.member.leave(at: lab.now, into: &lab.effects)
        lab.run(for: .seconds(5))
        _ = lab.take()
        lab.receive(.viewChecksum(1), from: "a")
        #expect(lab.take().streams.isEmpty)
    }
}
