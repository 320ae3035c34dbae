import Testing
import Vocabulary

@testable import Gossip

/// What the application hears of each change, no more and no less.
@Suite struct EventTests {
    /// Events in words, of those that tell of members.
    private func told(_ lab: inout Lab) -> [String] {
        var words: [String] = []
        for event in lab.take().events {
            switch event {
            case .joined(let member): words.append("joined \(lab.name(member))")
            case .updated(let member): words.append("updated \(lab.name(member))")
            case .suspected(let member): words.append("suspected \(lab.name(member))")
            case .cleared(let member): words.append("cleared \(lab.name(member))")
            case .died(let member): words.append("died \(lab.name(member))")
            case .left(let member): words.append("left \(lab.name(member))")
            case .forgotten(let member): words.append("forgotten \(lab.name(member))")
            case .refuted(let accuser, let incarnation):
                words.append("refuted \(accuser.map(lab.name) ?? "nobody") \(incarnation)")
            case .conflict(let member, let claimed): words.append("conflict \(lab.name(member)) \(claimed.port)")
            default: break
            }
        }
        return words
    }

    private func lab() -> Lab {
        var lab = Lab(others: ["a", "b"])
        lab.member.prober.nextTick = .distantFuture
        return lab
    }

    @Test("A member's life is told change by change")
    func life() {
        var lab = lab()
        let port = lab.address(of: "a").port
        lab.hear(alive: "a", 2)
        #expect(told(&lab) == [], "a higher incarnation alone is no news")
        lab.hear(alive: "a", 3, record: Lab.record(port: port, meta: [1]))
        #expect(told(&lab) == ["updated a"])
        lab.hear(suspect: "a", 3, from: "b")
        #expect(told(&lab) == ["suspected a"])
        lab.hear(suspect: "a", 3, from: "x")
        #expect(told(&lab) == [])
        lab.hear(alive: "a", 4, record: Lab.record(port: port, meta: [2]))
        #expect(told(&lab) == ["cleared a", "updated a"])
        lab.hear(dead: "a", 4, from: "b")
        #expect(told(&lab) == ["died a"])
        lab.hear(dead: "a", 5, from: "b")
        #expect(told(&lab) == [], "it is dead already")
        lab.hear(suspect: "a", 6, from: "b")
        #expect(told(&lab) == ["joined a", "suspected a"], "its return passed us by")
        lab.hear(alive: "a", 7)
        #expect(told(&lab) == ["cleared a", "updated a"])
        lab.hear(dead: "a", 7, from: "a")
        #expect(told(&lab) == ["left a"])
        lab.hear(alive: "a", 8, record: Lab.record(port: port, meta: [3]))
        #expect(told(&lab) == ["joined a"])
    }

    @Test("A refutation is told with the accuser and what was refuted; our own old words are nothing")
    func refutations() {
        var lab = lab()
        lab.hear(suspect: "self", 4, from: "a")
        lab.hear(alive: "self", 5, record: Lab.record(port: 1, meta: [9]))
        lab.hear(alive: "self", 3, record: Lab.record(port: 1, meta: [9]))
        lab.hear(alive: "self", 6)
        #expect(told(&lab) == ["refuted a 4", "refuted nobody 5"])
        lab.hear(alive: "self", 9, record: Lab.record(port: 77))
        #expect(told(&lab) == ["conflict self 77"])
        #expect(lab.incarnation("self") == 6)
    }

    @Test("An old rumour of another address is no conflict")
    func oldRumour() {
        var lab = lab()
        lab.hear(alive: "a", 3)
        lab.hear(alive: "a", 3, record: Lab.record(port: 9))
        lab.hear(alive: "a", 2, record: Lab.record(port: 9))
        #expect(told(&lab) == [])
    }

    @Test("Who is taken off the list is told, and nothing about it is told on")
    func forgotten() {
        var lab = lab()
        lab.hear(dead: "a", 1, from: "b")
        lab.hear(dead: "b", 1, from: "b")
        _ = told(&lab)
        // All others are gone: nobody is told, so the words about them wait
        lab.sleep(for: .seconds(31))
        lab.member.prober.nextTick = lab.now
        lab.run(for: .seconds(3))
        #expect(Set(told(&lab)) == ["forgotten a", "forgotten b"])
        #expect(lab.queued.isEmpty && lab.member.listed == 1)
    }

    @Test("A state is as old as the change into it, not as the last word of it")
    func since() {
        var lab = lab()
        let began = lab.now
        lab.run(for: .seconds(1))
        lab.hear(alive: "a", 2)
        #expect(lab.member.view(of: lab.id("a"))?.since == began)
        lab.hear(suspect: "a", 2, from: "b")
        #expect(lab.member.view(of: lab.id("a"))?.since == lab.now)
        lab.run(for: .seconds(1))
        lab.hear(alive: "a", 3)
        #expect(lab.member.view(of: lab.id("a"))?.since == lab.now)
    }

    @Test("An announcement that says what is known keeps the record that is known: one object for all who know it")
    func sharedRecord() throws {
        var lab = lab()
        let known = try #require(lab.member.view(of: lab.id("a"))?.record)
        lab.hear(alive: "a", 2)
        #expect(lab.member.view(of: lab.id("a"))?.record === known)
    }

    @Test("Every change of our view silences comparisons for a while", arguments: ["update", "refute", "admit"])
    func quiet(change: String) {
        var lab = lab()
        lab.hear(alive: "a", 2, record: Lab.record(port: lab.address(of: "a").port, meta: [7], isRemora: true))
        lab.run(for: .seconds(5))
        _ = lab.take()
        switch change {
        case "update": lab.member.update(Lab.record(port: 1, meta: [1]), at: lab.now, into: &lab.effects)
        case "refute": lab.hear(suspect: "self", 1, from: "b")
        default: lab.hear(alive: "x", 1)
        }
        lab.receive(.viewChecksum(1), from: "a")
        #expect(lab.take().streams.isEmpty)
    }
}
