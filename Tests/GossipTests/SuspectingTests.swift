import Testing
import Vocabulary

@testable import Gossip

@Suite struct SuspectingTests {
    /// Ten members in all: the shortest suspicion is 4 s, the longest 24 s, two confirmations bring the one to the other.
    private func suspecting() -> Lab {
        var lab = Lab(others: (0..<9).map { "o\($0)" })
        lab.member.prober.nextTick = .distantFuture
        lab.hear(suspect: "o1", 1, from: "o2")
        return lab
    }

    @Test(
        "A suspicion nobody confirms lasts its longest, a confirmed one its shortest",
        arguments: [(0, 24_000), (1, 11_381), (2, 4000), (5, 4000)])
    func confirmations(count: Int, milliseconds: Int) {
        var lab = suspecting()
        for index in 0..<count { lab.hear(suspect: "o1", 1, from: "o\(3 + index)") }
        lab.run(for: .milliseconds(milliseconds - 1))
        #expect(lab.state("o1") == .suspect)
        lab.run(for: .milliseconds(2))
        #expect(lab.state("o1") == .dead)
        // And we tell it as our own verdict
        #expect(lab.queued.contains("dead o1 inc=1 from=self"))
    }

    @Test("The same accuser twice confirms nothing; a confirmation that was wanted is told on, another is not")
    func repeatedAccuser() {
        var lab = suspecting()
        lab.member.gossip.queue.removeAll()
        lab.hear(suspect: "o1", 1, from: "o2")
        #expect(lab.queued.isEmpty)
        lab.hear(suspect: "o1", 1, from: "o3")
        #expect(lab.queued == ["suspect o1 inc=1 from=o3"])
        lab.hear(suspect: "o1", 1, from: "o4")
        lab.member.gossip.queue.removeAll()
        lab.hear(suspect: "o1", 1, from: "o5")
        #expect(lab.queued.isEmpty)
    }

    @Test("Confirmations that come after the shortened time end it at once, and are no stall of ours")
    func lateConfirmations() {
        // Given a suspicion of 24 s, of which 15 are over
        var lab = suspecting()
        lab.run(for: .seconds(15))
        #expect(lab.state("o1") == .suspect)
        // When it is confirmed twice, which makes it one of 4 s
        for accuser in ["o3", "o4"] { lab.hear(suspect: "o1", 1, from: accuser) }
        // Then it is due now
        #expect(lab.member.nextWake == lab.now)
        lab.member.wake(at: lab.now, into: &lab.effects)
        #expect(lab.state("o1") == .dead)
        #expect(!lab.take().events.contains { if case .stalled = $0 { true } else { false } })
    }

    @Test("A refutation in time clears the suspicion, and the death never comes")
    func refuted() {
        var lab = suspecting()
        lab.run(for: .seconds(3))
        lab.hear(alive: "o1", 2)
        lab.run(for: .seconds(100))
        #expect(lab.state("o1") == .alive)
        #expect(lab.take().events.filter { if case .cleared = $0 { true } else { false } }.count == 1)
    }

    @Test("It is remembered who accused, who confirmed, when, on what evidence, and what came of it")
    func provenance() throws {
        var lab = suspecting()
        let began = lab.now
        lab.run(for: .seconds(1))
        lab.hear(suspect: "o1", 1, from: "o3")
        var why = try #require(lab.member.provenance(of: lab.id("o1")))
        #expect(why.accusations.map(\.name) == ["o2", "o3"])
        #expect(why.accusations.map(\.time) == [began, lab.now])
        #expect(why.accusations.map(\.evidence) == [.gossip, .gossip])
        #expect(why.outcome == .open(deadline: began + .milliseconds(11_381)))
        // A death by another's word keeps them
        lab.run(for: .seconds(1))
        lab.hear(dead: "o1", 1, from: "o5")
        why = try #require(lab.member.provenance(of: lab.id("o1")))
        #expect(why.accusations.map(\.name) == ["o2", "o3"])
        #expect(why.outcome == .died(by: "o5", lab.now))
        // And is forgotten when the member is back
        lab.hear(alive: "o1", 2)
        #expect(lab.member.provenance(of: lab.id("o1")) == nil)
    }

    @Test("A death that nobody suspected is remembered with who declared it")
    func suddenDeath() throws {
        var lab = suspecting()
        lab.hear(dead: "o6", 1, from: "o5")
        let why = try #require(lab.member.provenance(of: lab.id("o6")))
        #expect(why.accusations.isEmpty)
        #expect(why.outcome == .died(by: "o5", lab.now))
    }

    @Test("Refuted suspicions are remembered, the last 64 of them")
    func clearedLimit() {
        let names = (0..<100).map { "o\($0)" }
        var lab = Lab(others: names)
        lab.member.prober.nextTick = .distantFuture
        for name in names {
            lab.hear(suspect: name, 1, from: "x")
            lab.hear(alive: name, 2)
        }
        let remembered = names.filter { lab.member.provenance(of: lab.id($0)) != nil }
        #expect(remembered == Array(names.suffix(64)))
    }

    @Test("A member suspected and cleared again and again is remembered once, and a death of it stays")
    func clearedTwice() {
        let names = (0..<70).map { "o\($0)" }
        var lab = Lab(others: names)
        lab.member.prober.nextTick = .distantFuture
        func suspectAndClear(_ name: String, _ incarnation: UInt32) {
            lab.hear(suspect: name, incarnation, from: "x")
            lab.hear(alive: name, incarnation + 1)
        }
        for incarnation in 1..<60 as Range<UInt32> { suspectAndClear("o0", incarnation) }
        for name in names[1..<60] { suspectAndClear(name, 1) }
        #expect(names[0..<60].allSatisfy { lab.member.provenance(of: lab.id($0)) != nil })
        // A death takes it out of those that give way
        lab.hear(dead: "o0", 60, from: "x")
        for name in names[60...] { suspectAndClear(name, 1) }
        for name in names[1..<60] { suspectAndClear(name, 2) }
        #expect(lab.member.provenance(of: lab.id("o0"))?.outcome == .died(by: "x", lab.now))
    }

    @Test("A suspicion whose longest is set below its shortest lasts its shortest")
    func maximumBelowMinimum() {
        var options = GossipOptions.lan
        options.suspicionMaximumMultiplier = 0
        var lab = Lab(others: (0..<9).map { "o\($0)" }, options: options)
        lab.hear(suspect: "o1", 1, from: "o2")
        #expect(lab.member.provenance(of: lab.id("o1"))?.outcome == .open(deadline: lab.now + .seconds(4)))
    }

    @Test("A member that is taken off the list leaves no memory of its case")
    func forgotten() {
        var lab = suspecting()
        lab.hear(dead: "o1", 1, from: "o3")
        lab.member.prober.nextTick = lab.now
        lab.run(for: .seconds(200))
        #expect(lab.state("o1") == nil)
        #expect(lab.member.provenance(of: lab.id("o1")) == nil)
    }

    @Test("A suspicion of a higher incarnation begins anew, accuser, time and all")
    func higherSuspicion() throws {
        var lab = suspecting()
        lab.hear(suspect: "o1", 1, from: "o3")
        lab.run(for: .seconds(2))
        lab.hear(suspect: "o1", 5, from: "o7")
        let why = try #require(lab.member.provenance(of: lab.id("o1")))
        #expect(why.incarnation == 5)
        #expect(why.accusations.map(\.name) == ["o7"])
        #expect(why.outcome == .open(deadline: lab.now + .seconds(24)))
    }
}
