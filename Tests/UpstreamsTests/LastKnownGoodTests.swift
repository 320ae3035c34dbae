import Testing
import Upstreams
import Vocabulary

@Suite("Whether a collapsing view is believed")
struct LastKnownGoodTests {
    /// A view, and virtual time in which its wake-ups come.
    struct Lab {
        var view = LastKnownGood()
        var now = Instant(nanoseconds: 0)
        /// Every change from believed to kept and back, with its second.
        var turns: [Int] = []

        init(_ members: Int) {
            for number in 0..<members { see(number, .alive) }
            run(for: .seconds(60))
        }

        mutating func see(_ number: Int, _ state: FleetMember.State) {
            note { $0.see("m\(number)", state, at: $1) }
        }

        mutating func note(_ change: (inout LastKnownGood, Instant) -> Void) {
            let before = view.inForce != nil
            change(&view, now)
            if (view.inForce != nil) != before { turns.append(Int(now.nanoseconds / 1_000_000_000) - 60) }
        }

        /// Lets time pass as in a node that is answered by somebody every second.
        mutating func hearOthers(for duration: Duration) {
            let end = now + duration
            while now < end {
                note { $0.hear(nobodySince: $1, at: $1) }
                run(for: min(end - now, .seconds(1)))
            }
        }

        mutating func run(for duration: Duration) {
            let end = now + duration
            while let wake = view.nextWake, wake <= end {
                now = max(now, wake)
                note { $0.wake(at: $1) }
            }
            now = end
        }
    }

    @Test("Nobody heard for five seconds is isolation, before the detector has accused anyone")
    func silence() {
        var lab = Lab(11)
        lab.note { $0.hear(nobodySince: $1, at: $1) }
        lab.run(for: .milliseconds(4900))
        #expect(lab.view.inForce == nil)
        lab.run(for: .milliseconds(200))
        #expect(
            lab.view.inForce?.why
                == "The last known good view of the fleet is kept: nobody in the fleet has been heard for 5 s, "
                + "which is taken for our own isolation.")
        // Whoever is accused from then on is kept, however late, and as long as it lasts
        for number in 0..<11 {
            lab.run(for: .seconds(9))
            lab.see(number, .suspect)
            lab.see(number, .dead)
            #expect(lab.view.keeps("m\(number)"))
        }
        // When one is heard again, it takes half of them and some calm
        lab.note { $0.hear(nobodySince: $1, at: $1) }
        for number in 0..<5 { lab.see(number, .alive) }
        lab.run(for: .seconds(4))
        #expect(lab.view.nextWake != nil)
        lab.note { $0.hear(nobodySince: $1, at: $1) }
        lab.see(5, .alive)
        for _ in 0..<4 {
            lab.run(for: .milliseconds(2400))
            lab.note { $0.hear(nobodySince: $1, at: $1) }
            #expect(lab.view.inForce != nil)
        }
        lab.run(for: .milliseconds(500))
        #expect(lab.view.inForce == nil)
        #expect(!lab.view.keeps("m9"))
    }

    @Test("A process that stood still itself takes nobody's silence for isolation")
    func ownStall() {
        var lab = Lab(11)
        lab.note { $0.hear(nobodySince: $1, at: $1) }
        let wake = lab.view.nextWake
        // Stopped for a minute, and woken late
        lab.now = lab.now + .seconds(60)
        lab.note { $0.wake(at: $1) }
        #expect(lab.view.inForce == nil)
        #expect(wake.map { $0 < lab.now } == true)
        // Having been told late, too
        lab.note { $0.hear(nobodySince: $1 + .seconds(-50), at: $1) }
        #expect(lab.view.inForce == nil)
        // But a silence that goes on is one
        lab.run(for: .milliseconds(4900))
        #expect(lab.view.inForce == nil)
        lab.run(for: .milliseconds(100))
        #expect(lab.view.inForce != nil)
    }

    @Test("A stall that ends about when the silence would be one is a stall as well", arguments: [3, 4, 5, 6])
    func shortStall(seconds: Int) {
        var lab = Lab(11)
        lab.hearOthers(for: .seconds(10))
        let last = lab.now + .seconds(-1)
        // Half a second after it was heard last: stopped, and the first to be called is who says so.
        lab.now = last + .milliseconds(500)
        lab.note { $0.hear(nobodySince: last, at: $1) }
        lab.now = lab.now + .seconds(seconds)
        lab.note { $0.hear(nobodySince: last, at: $1) }
        lab.note { $0.wake(at: $1) }
        #expect(lab.view.inForce == nil)
        for _ in 0..<4 {
            lab.run(for: .seconds(1))
            lab.note { $0.hear(nobodySince: last, at: $1) }
        }
        #expect(lab.view.inForce == nil)
        lab.run(for: .seconds(1))
        #expect(lab.view.inForce != nil)
    }

    @Test("One that is cut off from 11 others believes none of their deaths, though its detector slows down")
    func cutOff() {
        var lab = Lab(11)
        // Lifeguard: each probe that fails makes the next one later, up to nine seconds.
        for number in 0..<11 {
            lab.run(for: .seconds(min(number + 1, 9)))
            lab.see(number, .suspect)
        }
        // The sixth is suspected in second 21.
        #expect(lab.turns == [21])
        #expect(
            lab.view.inForce?.why
                == "The last known good view of the fleet is kept: 6 of 11 other members vanished within 30 s, "
                + "which is taken for our own isolation.")
        for number in 0..<11 {
            lab.see(number, .dead)
            #expect(lab.view.keeps("m\(number)"))
        }
        lab.run(for: .seconds(600))
        #expect(lab.turns == [21])
        for number in 0..<11 { lab.see(number, .alive) }
        lab.run(for: .seconds(60))
        #expect(lab.turns.count == 2)
    }

    @Test("Half of 250 that die within 16 s are kept, fewer are believed", arguments: [124, 125])
    func large(dead: Int) {
        var lab = Lab(249)
        for number in 0..<dead {
            lab.run(for: .milliseconds(16_000 / dead))
            lab.see(number, .suspect)
            lab.see(number, .dead)
        }
        #expect((lab.view.inForce != nil) == (dead == 125))
    }

    @Test(
        "A fleet that shrinks from 20 to 2 step by step is followed, by death and by leaving", arguments: [true, false])
    func shrinking(dying: Bool) {
        var lab = Lab(19)
        var left = 19
        while left > 1 {
            let step = max(1, left / 4)
            for number in (left - step)..<left {
                if dying { lab.see(number, .suspect) }
                lab.see(number, dying ? .dead : .left)
            }
            left -= step
            // Those who leave may do so all in one moment.
            if dying { lab.run(for: .seconds(31)) }
        }
        #expect(lab.turns.isEmpty)
    }

    @Test("One of two, or the only other one, may well be dead")
    func small() {
        for members in [1, 2] {
            var lab = Lab(members)
            lab.see(0, .suspect)
            lab.see(0, .dead)
            #expect(lab.view.inForce == nil)
        }
        var only = Lab(1)
        only.note { $0.hear(nobodySince: $1, at: $1) }
        only.run(for: .seconds(60))
        #expect(only.view.inForce == nil)
        var both = Lab(2)
        both.see(0, .suspect)
        both.see(1, .suspect)
        #expect(both.view.inForce != nil)
    }

    @Test("It ends when half of those that vanished have left or are forgotten, some calm later")
    func goneForGood() {
        var lab = Lab(10)
        for number in 0..<6 { lab.see(number, .dead) }
        #expect(lab.turns == [0])
        lab.see(0, .left)
        lab.note { $0.forget("m1", at: $1) }
        lab.run(for: .seconds(100))
        #expect(lab.turns == [0])
        lab.see(2, .left)
        lab.run(for: .seconds(100))
        #expect(lab.turns == [0, 110])
        // And it is not the same collapse again when one more dies.
        lab.see(6, .dead)
        #expect(lab.turns == [0, 110])
    }

    @Test("Where others are heard for five minutes on end, those that vanished are believed dead")
    func massDeath() {
        var lab = Lab(3)
        lab.hearOthers(for: .seconds(10))
        lab.see(0, .dead)
        lab.see(1, .dead)
        #expect(lab.view.inForce != nil)
        lab.hearOthers(for: .seconds(290))
        // A break in between: it takes five minutes from its end.
        lab.run(for: .seconds(6))
        lab.hearOthers(for: .seconds(299))
        #expect(lab.view.keeps("m0"))
        lab.hearOthers(for: .seconds(2))
        #expect(lab.view.inForce == nil)
        #expect(lab.turns.count == 2)
        // The one that is left is judged by itself again.
        lab.see(2, .dead)
        #expect(!lab.view.keeps("m2"))
    }

    @Test("Where nobody is left to be heard, no time makes the deaths believed")
    func nobodyLeft() {
        var lab = Lab(5)
        lab.hearOthers(for: .seconds(10))
        for number in 0..<5 { lab.see(number, .dead) }
        lab.hearOthers(for: .seconds(3))
        lab.run(for: .seconds(3600))
        #expect(lab.view.keeps("m0"))
    }

    @Test(
        "Who vanishes a window after the collapse is doubted only if nobody is heard by then", arguments: [true, false])
    func later(heard: Bool) {
        var lab = Lab(12)
        lab.hearOthers(for: .seconds(10))
        for number in 0..<6 { lab.see(number, .dead) }
        lab.hearOthers(for: .seconds(29))
        lab.see(6, .dead)
        #expect(lab.view.keeps("m6"))
        lab.hearOthers(for: .seconds(60))
        lab.see(7, .dead)
        #expect(!lab.view.keeps("m7"))
        if heard { return }
        // The last of the sound it had heard: what vanished right before the silence belongs to it.
        lab.run(for: .seconds(6))
        #expect(lab.view.keeps("m7"))
        lab.run(for: .seconds(60))
        lab.see(8, .dead)
        #expect(lab.view.keeps("m8"))
        // All are back, and so the counts agree.
        lab.hearOthers(for: .seconds(2))
        for number in [0, 1, 6, 7, 8] { lab.see(number, .alive) }
        lab.hearOthers(for: .seconds(12))
        #expect(lab.view.inForce == nil)
    }

    @Test("A link that flaps faster than the calm lasts makes it begin once and end once")
    func flapping() {
        var lab = Lab(11)
        for _ in 0..<50 {
            for number in 0..<11 { lab.see(number, .suspect) }
            lab.run(for: .seconds(4))
            for number in 0..<11 { lab.see(number, .alive) }
            lab.run(for: .seconds(4))
        }
        #expect(lab.turns == [0])
        lab.run(for: .seconds(60))
        #expect(lab.turns == [0, 406])
        #expect(lab.view.nextWake == nil)
    }

    @Test("A single member that flaps is never a collapse, and members learned of dead did not vanish")
    func noCollapse() {
        var lab = Lab(5)
        for _ in 0..<100 {
            lab.see(0, .suspect)
            lab.see(0, .dead)
            lab.see(0, .alive)
        }
        lab.see(0, .dead)
        for number in 100..<200 { lab.see(number, .dead) }
        #expect(lab.turns.isEmpty)
    }

    @Test("Whatever is seen, its counts are those of a plain reckoning", arguments: Seeds.sample)
    func againstReference(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var lab = Lab(0)
        // By member: whether present, and when it vanished last from having been present.
        var present: Set<Int> = []
        var vanished: [Int: Instant] = [:]
        var wasInForce = false
        var begins = 0
        for _ in 0..<20_000 {
            lab.run(for: .milliseconds(Int(random.below(4000))))
            let number = Int(random.below(12))
            let isDown = random.below(3) > 0
            let inForceBefore = lab.view.inForce != nil
            // Those of the last collapse are not counted for another.
            if wasInForce, !inForceBefore { vanished = [:] }
            switch (isDown, random.below(10)) {
            case (true, 0):
                lab.see(number, .left)
                present.remove(number)
                vanished[number] = nil
            case (true, _):
                lab.see(number, random.below(2) == 0 ? .suspect : .dead)
                if present.remove(number) != nil { vanished[number] = lab.now }
            case (false, _):
                lab.see(number, .alive)
                present.insert(number)
                vanished[number] = nil
            }
            if !inForceBefore {
                let recent = vanished.values.count { lab.now - $0 < .seconds(30) }
                let expected = recent >= 2 && recent >= present.count
                #expect((lab.view.inForce != nil) == expected)
                if expected { begins += 1 }
            }
            wasInForce = lab.view.inForce != nil
        }
        #expect(begins > 10)
    }
}

@Suite("The last known good view of upstreams")
struct KeptUpstreamsTests {
    /// Twelve members of whom `m00` is this node; all others die at once.
    static func collapsed(_ adjust: (inout UpstreamOptions) -> Void = { _ in }) throws -> FleetLab {
        var lab = try FleetLab(node: "m00", adjust)
        lab.populate(12)
        lab.run(for: .seconds(60))
        _ = lab.discovery.takeNews()
        for number in 1..<12 { lab.see(FleetLab.name(number), .suspect, accusation: "m00 accused it.") }
        for number in 1..<12 { lab.see(FleetLab.name(number), .dead, accusation: "m00 accused it.") }
        lab.publish()
        return lab
    }

    @Test("The dead stay in use and keep their connections, and it is said")
    func kept() throws {
        var lab = try Self.collapsed { $0.onSuspect = .reset }
        let set = lab.discovery.current
        #expect(set.lastKnownGood == lab.discovery.lastKnownGood)
        let inForce = try #require(set.lastKnownGood)
        #expect(set.upstreams[0].knownCount == 12)
        #expect(set.upstreams[0].isPanicking)
        #expect(lab.tiers().preferred.count == 12)
        #expect(set.upstreams[0].endpoints.allSatisfy { $0.fate == .keep })
        #expect(
            lab.endpoint("m05")?.fitness
                == Fitness(
                    .dead,
                    because: "Member m05 is dead: m00 accused it. The last known good view keeps it."))
        #expect(lab.discovery.takeNews().news.contains(.lastKnownGoodBegan(inForce)))
    }

    @Test("One whose connect fails from here as well is dead by two witnesses", arguments: Observation.Kind.allCases)
    func twoWitnesses(kind: Observation.Kind) throws {
        var lab = try Self.collapsed()
        lab.observe(kind, of: "m05")
        lab.publish()
        lab.run(for: .seconds(5))
        switch kind {
        case .refused, .unreachable, .timedOut:
            #expect(lab.endpoint("m05")?.fate == .reset)
            #expect(
                lab.endpoint("m05")?.fitness.reason
                    == "Member m05 is dead: m00 accused it. A connect from here failed as well.")
            #expect(!lab.tiers().preferred.contains("m05"))
            #expect(lab.upstream().knownCount == 11)
            // Its member's return is proof of the contrary.
            lab.see("m05")
            lab.publish()
            lab.see("m05", .dead)
            lab.publish()
            #expect(lab.endpoint("m05")?.isKept == true)
        case .reset, .answered: #expect(lab.endpoint("m05")?.isKept == true)
        }
    }

    @Test("What gets no answer while nobody is heard is no witness, before or after; a refusal always is")
    func ownLink() throws {
        var lab = try FleetLab(node: "m00")
        lab.populate(12)
        lab.run(for: .seconds(60))
        // Our link fails; a connect is the first to tell, then the detector, and then the silence.
        lab.discovery.hear(nobodySince: lab.now, at: lab.now)
        lab.see("m03", .suspect)
        lab.observe(.timedOut, of: "m03")
        lab.run(for: .seconds(6))
        #expect(lab.discovery.lastKnownGood != nil)
        for number in 1..<12 { lab.see(FleetLab.name(number), .dead, accusation: "m00 accused it.") }
        lab.publish()
        lab.observe(.timedOut, of: "m04")
        lab.observe(.unreachable, of: "m05")
        lab.observe(.refused, of: "m06")
        lab.publish()
        let dropped = lab.upstream().endpoints.filter { $0.fitness.state == .dead && !$0.isKept }
        #expect(dropped.map(\.identity.member) == ["m06"])
        // One is heard again: from now on it is a witness once more.
        lab.discovery.hear(nobodySince: lab.now, at: lab.now)
        lab.observe(.timedOut, of: "m07")
        lab.publish()
        #expect(lab.endpoint("m07")?.fate == .reset)
    }

    @Test("Once most are back the view is believed again, and those still dead are dropped")
    func recovery() throws {
        var lab = try Self.collapsed()
        let since = try #require(lab.discovery.lastKnownGood?.since)
        for number in 1..<7 { lab.see(FleetLab.name(number)) }
        lab.publish()
        #expect(lab.endpoint("m09")?.fate == .keep)
        lab.run(for: .seconds(11))
        #expect(lab.discovery.current.lastKnownGood == nil)
        #expect(lab.endpoint("m09")?.fate == .reset)
        #expect(lab.endpoint("m09")?.fitness.reason == "Member m09 is dead: m00 accused it.")
        #expect(lab.tiers().preferred == (0..<7).map(FleetLab.name))
        #expect(lab.discovery.takeNews().news.contains(.lastKnownGoodEnded(since: since)))
    }

    @Test("Half of the fleet truly dies: it is dropped in the end, and a member that dies later at once")
    func massDeath() throws {
        var lab = try FleetLab(node: "m00")
        func hear(_ lab: inout FleetLab, for seconds: Int) {
            for _ in 0..<seconds {
                lab.discovery.hear(nobodySince: lab.now, at: lab.now)
                lab.run(for: .seconds(1))
            }
        }
        lab.populate(12)
        hear(&lab, for: 60)
        for number in 6..<12 { lab.see(FleetLab.name(number), .dead) }
        hear(&lab, for: 100)
        #expect(lab.endpoint("m09")?.isKept == true)
        lab.see("m05", .dead)
        hear(&lab, for: 1)
        #expect(lab.endpoint("m05")?.fate == .reset)
        hear(&lab, for: 201)
        #expect(lab.discovery.current.lastKnownGood == nil)
        #expect(lab.endpoint("m09")?.fate == .reset)
        hear(&lab, for: 3600)
        lab.see("m04", .dead)
        hear(&lab, for: 1)
        #expect(lab.endpoint("m04")?.fate == .reset)
        #expect(lab.tiers().preferred == (0..<4).map(FleetLab.name))
    }

    @Test("Members that truly die one after the other are dropped one after the other")
    func trueShrinking() throws {
        var lab = try FleetLab(node: "m00")
        lab.populate(12)
        for number in (1..<12).reversed() {
            lab.run(for: .seconds(31))
            lab.see(FleetLab.name(number), .dead)
            lab.publish()
            #expect(lab.endpoint(FleetLab.name(number))?.fate == .reset)
            #expect(lab.tiers().preferred == (0..<number).map(FleetLab.name))
        }
    }

    @Test("However much else there is to tell, that it begins and ends is told")
    func newsAreTold() throws {
        var lab = try FleetLab(node: "m00")
        lab.populate(1100)
        for number in 1..<1100 { lab.see(FleetLab.name(number), .dead) }
        lab.publish()
        let kept = lab.discovery.lastKnownGood
        let inForce = try #require(kept)
        for number in 1..<1100 { lab.see(FleetLab.name(number)) }
        lab.run(for: .seconds(11))
        let (news, leftOut) = lab.discovery.takeNews()
        #expect(news.suffix(2) == [.lastKnownGoodBegan(inForce), .lastKnownGoodEnded(since: inForce.since)])
        #expect(news.count == 1026)
        #expect(leftOut > 0)
    }

    @Test("Silence alone puts it in force, for the next set to say so")
    func silence() throws {
        var lab = try FleetLab(node: "m00")
        lab.populate(4)
        lab.discovery.hear(nobodySince: lab.now, at: lab.now)
        lab.run(for: .seconds(6))
        #expect(lab.discovery.current.lastKnownGood != nil)
        #expect(lab.tiers().preferred.count == 4)
    }
}
