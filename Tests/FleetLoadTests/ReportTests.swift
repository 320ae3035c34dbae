import GossipWire
import Testing
import Upstreams
import Vocabulary

@testable import FleetLoad

@Suite("Reports of load")
struct ReportTests {
    /// What a core ended with, of each of the first nodes.
    private struct Outcome: Hashable {
        let version: LoadVersion?
        let known: LoadReports.Known?
    }

    private func core(of nodes: Int) -> LoadReports {
        var core = LoadReports(of: name(0), options: TelemetryOptions())
        for node in 0..<nodes { core.update(member(node), at: start) }
        return core
    }

    private func outcome(_ core: LoadReports, at now: Instant) -> [Outcome] {
        (0..<10).map {
            Outcome(version: core.version(of: name($0), at: now), known: core.load(of: "web", on: name($0), at: now))
        }
    }

    @Test("Reports in any order, and each as often as it likes, end alike", arguments: Seeds.sample)
    func anyOrder(seed: UInt64) {
        // Given reports of four members, some of one version with other loads or other ages
        var random = SeededRandom(seed: seed)
        let bodies = (0..<60).map { _ in
            told(
                1 + Int(random.below(4)), incarnation: random.below(3), number: UInt64(random.below(4)),
                age: .milliseconds(Int(random.below(50)) * 10), [busy(random.below(3), random.below(2))])
        }
        var first = core(of: 5)
        for body in bodies { first.hear(body, at: start) }
        #expect(outcome(first, at: start).contains { ($0.version?.incarnation ?? 0) == 2 })
        // When they come in other orders, and some again
        for _ in 0..<50 {
            var again = core(of: 5)
            let more = bodies.filter { _ in random.below(2) == 0 }
            for body in (bodies + more).shuffled(using: &random) { again.hear(body, at: start) }
            // Then the same is known, of the same age
            #expect(outcome(again, at: start) == outcome(first, at: start))
        }
    }

    @Test("The later version wins, incarnation first; of one version the larger load, and the greater age")
    func precedence() {
        var core = core(of: 3)
        func known() -> (LoadVersion?, UInt32?, Duration?) {
            let known = core.load(of: "web", on: "n1", at: start)
            return (core.version(of: "n1", at: start), known?.load.outstanding, known?.age)
        }
        core.hear(told(1, incarnation: 2, number: 7, age: .milliseconds(40), [busy(5)]), at: start)
        #expect(known() == (LoadVersion(incarnation: 2, number: 7), 5, .milliseconds(40)))
        core.hear(told(1, incarnation: 1, number: 900, [busy(1)]), at: start)
        core.hear(told(1, incarnation: 2, number: 6, [busy(2)]), at: start)
        core.hear(told(1, incarnation: 2, number: 7, [busy(4)]), at: start)
        #expect(known() == (LoadVersion(incarnation: 2, number: 7), 5, .milliseconds(40)))
        core.hear(told(1, incarnation: 2, number: 7, age: .milliseconds(90), [busy(5)]), at: start)
        #expect(known() == (LoadVersion(incarnation: 2, number: 7), 5, .milliseconds(90)))
        core.hear(told(1, incarnation: 2, number: 7, age: .milliseconds(10), [busy(6)]), at: start)
        #expect(known() == (LoadVersion(incarnation: 2, number: 7), 6, .milliseconds(10)))
        // A restarted member counts from 1 again, in a later incarnation.
        core.hear(told(1, incarnation: 3, number: 1, [busy(0)]), at: start)
        #expect(known() == (LoadVersion(incarnation: 3, number: 1), 0, .zero))
    }

    @Test("An age is what the report said and what it was held for; nobody tells or keeps what is older than 5 minutes")
    func ages() {
        var core = core(of: 3)
        core.hear(told(1, number: 1, age: .milliseconds(250), [busy(1)]), at: start)
        #expect(core.load(of: "web", on: "n1", at: start + .seconds(2))?.age == .milliseconds(2250))
        let last = start + .seconds(300) + .milliseconds(-250)
        #expect(core.load(of: "web", on: "n1", at: last)?.age == .seconds(300))
        let later = last + .nanoseconds(1)
        #expect(core.load(of: "web", on: "n1", at: later) == nil && core.version(of: "n1", at: later) == nil)
        #expect(core.summary(at: later).held == 0)
        // What comes then is taken, whatever was held before.
        core.hear(told(1, incarnation: 0, number: 9, [busy(3)]), at: later)
        #expect(core.load(of: "web", on: "n1", at: later)?.load == busy(3))
    }

    @Test("Only members are known, with one report each; what dies or leaves is forgotten with its report")
    func members() {
        var core = core(of: 3)
        var random = SeededRandom(seed: 4)
        for _ in 0..<5000 {
            var body: [UInt8] = []
            let stranger = LoadReport(
                subject: LoadSubject(digest: UInt32(truncatingIfNeeded: random.next())),
                version: LoadVersion(incarnation: 1, number: 1),
                age: ReportAge(.zero) ?? { preconditionFailure("zero is an age") }(), services: [busy(1)])
            LoadMessage.reports([stranger]).append(to: &body)
            core.hear(body, at: start)
        }
        #expect(core.counters.unknownReports == 5000 && core.counters.news == 0 && core.peers.count == 3)
        for state in [FleetMember.State.dead, .left] {
            core.update(member(1), at: start)
            core.hear(told(1, number: 5, [busy(1)]), at: start)
            #expect(core.load(of: "web", on: "n1", at: start) != nil)
            core.update(member(1, state: .suspect), at: start)
            #expect(core.load(of: "web", on: "n1", at: start) != nil)
            core.update(member(1, state: state), at: start)
            core.hear(told(1, number: 6, [busy(1)]), at: start)
            #expect(core.load(of: "web", on: "n1", at: start) == nil)
            // It comes back, and begins anew.
            core.update(member(1), at: start)
            core.hear(told(1, number: 1, [busy(8)]), at: start)
            #expect(core.load(of: "web", on: "n1", at: start)?.load == busy(8))
        }
        // Places are used again, however many come and go.
        for node in 3..<400 {
            core.update(member(node), at: start)
            core.remove(name(node))
        }
        #expect(core.peers.count == 4 && core.ring.count == 3)
    }

    @Test("Loads are those of the services by name, whatever their number; another list is not understood")
    func services() {
        var core = core(of: 2)
        core.update(member(1, services: ["web", "api", "db"]), at: start)
        let list = ["api", "db", "web"]
        core.hear(told(1, services: list, number: 1, [busy(1), busy(2), busy(3)]), at: start)
        #expect(list.map { core.load(of: $0, on: "n1", at: start)?.load.outstanding } == [1, 2, 3])
        #expect(core.load(of: "other", on: "n1", at: start) == nil)
        var all: [String: UInt32] = [:]
        core.forEachLoad(at: start) { all["\($0) \($1)"] = $2.load.outstanding }
        #expect(all == ["n1 api": 1, "n1 db": 2, "n1 web": 3])
        // The list that it had before, and the right list with too few loads.
        core.hear(told(1, services: ["web"], number: 2, [busy(9)]), at: start)
        core.hear(told(1, services: list, number: 2, [busy(9)]), at: start)
        #expect(core.counters.unknownReports == 2 && core.version(of: "n1", at: start)?.number == 1)
        // With other services its numbers would be about others.
        core.update(member(1, services: ["api", "web"]), at: start)
        #expect(core.load(of: "web", on: "n1", at: start) == nil)
        core.hear(told(1, services: ["api", "web"], number: 3, [busy(7), busy(8)]), at: start)
        #expect(core.load(of: "web", on: "n1", at: start)?.load == busy(8))
    }

    @Test("Of two members with one digest no report is taken, until one of them goes")
    func ambiguous() {
        // Found by trying 83,367 names.
        let (a, b) = ("n23677", "n83367")
        #expect(LoadSubject(member: a, services: ["web"]) == LoadSubject(member: b, services: ["web"]))
        var core = core(of: 1)
        for (index, name) in [a, b].enumerated() { core.update(member(name, at: index + 1), at: start) }
        core.hear(told(23677, number: 1, [busy(1)]), at: start)
        #expect(core.version(of: a, at: start) == nil && core.version(of: b, at: start) == nil)
        core.remove(a)
        core.hear(told(83367, number: 1, [busy(1)]), at: start)
        #expect(core.load(of: "web", on: b, at: start)?.load == busy(1))
    }

    @Test("Garbage changes nothing but a count", arguments: Seeds.sample)
    func garbage(seed: UInt64) {
        var core = core(of: 3)
        core.hear(told(1, number: 3, [busy(2)]), at: start)
        let before = outcome(core, at: start)
        var random = SeededRandom(seed: seed)
        let whole = told(1, number: 4, [busy(9)])
        for length in 0..<whole.count { core.hear(Array(whole[..<length]), at: start) }
        for _ in 0..<2000 {
            var bytes: [UInt8] = [0xE7, 1, 2 + UInt8(random.below(2))]
            bytes += (0..<random.below(1400)).map { _ in UInt8(random.below(256)) }
            core.hear(bytes, at: start)
        }
        #expect(outcome(core, at: start) == before)
        #expect(core.counters.refusedMessages >= whole.count && core.owed.isEmpty)
    }

    @Test("Our own load is told by its services' names; those without one are idle, and strangers' are left out")
    func own() {
        var lab = Lab([member(0, services: ["b", "a"]), member(1)])
        lab.load = { node, _ in ["a": busy(3), "stranger": busy(9)] }
        lab.run(for: .seconds(1))
        #expect(lab.cores[1].load(of: "a", on: "n0", at: lab.now)?.load == busy(3))
        #expect(lab.cores[1].load(of: "b", on: "n0", at: lab.now)?.load == .idle)
        #expect(lab.cores[0].load(of: "a", on: "n0", at: lab.now)?.load == busy(3))
        let summary = lab.cores[0].summary(at: lab.now)
        #expect(summary.held == 1 && summary.expected == 1 && summary.oldest < .milliseconds(300))
    }

    @Test("The summary's ages are of the nearest rank")
    func summary() {
        var core = core(of: 201)
        #expect(
            core.summary(at: start)
                == {
                    var none = LoadReports.Summary(); none.expected = 200; return none
                }())
        for node in 1...200 { core.hear(told(node, number: 1, age: .milliseconds(node * 10), [busy(1)]), at: start) }
        let summary = core.summary(at: start)
        #expect(summary.held == 200 && summary.expected == 200)
        #expect(summary.ageP50 == .seconds(1) && summary.ageP99 == .milliseconds(1980) && summary.oldest == .seconds(2))
    }
}
