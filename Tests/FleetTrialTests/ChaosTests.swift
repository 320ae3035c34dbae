// The schedule of a chaos, and what is made of what its members say.

import Testing
import Vocabulary

@testable import Rig
@testable import fleet_trial

@Suite("Chaos")
struct ChaosTests {
    private static let suspicion = Duration.seconds(8)

    private func schedule(seed: UInt64, members: Int = 80) -> [Disturbance] {
        ChaosSchedule(members: members, suspicion: Self.suspicion, length: .seconds(120), seed: seed).disturbances
    }

    @Test("The same seed disturbs the same members at the same times, another seed others")
    func seeded() {
        #expect(schedule(seed: 7) == schedule(seed: 7))
        #expect(schedule(seed: 7) != schedule(seed: 8))
    }

    @Test("A schedule has every kind, ends in time, and hits few at once and nobody twice at once", arguments: 1...20)
    func bounds(seed: UInt64) {
        let disturbances = schedule(seed: seed)
        #expect(Set(disturbances.map(\.kind)) == Set(Disturbance.Kind.allCases))
        #expect(disturbances.allSatisfy { $0.begin < $0.end && $0.end < .seconds(120) })
        #expect(Set(disturbances.map(\.member)).count > 20)
        for disturbance in disturbances {
            let others = disturbances.filter { $0 != disturbance && $0.begin <= disturbance.begin }
            #expect(others.count { $0.end > disturbance.begin } < 13)
            // Recovered by then
            #expect(
                others.allSatisfy {
                    $0.member != disturbance.member || $0.end + Self.suspicion <= disturbance.begin
                })
            let lasts = disturbance.end - disturbance.begin
            #expect(
                disturbance.kind.isShort
                    ? lasts <= Self.suspicion * 0.5 : lasts >= Self.suspicion * 1.8)
        }
    }

    @Test("A small fleet loses one member at a time")
    func small() {
        let disturbances = schedule(seed: 3, members: 4)
        #expect(disturbances.count > 3)
        for (one, next) in zip(disturbances, disturbances.dropFirst()) { #expect(one.end <= next.begin) }
    }

    @Test("The shortest suspicion is the profile's for that many members")
    func suspicionFormula() {
        #expect(ChaosSchedule.shortestSuspicion(members: 100, profile: .lan) == .seconds(8))
        #expect(ChaosSchedule.shortestSuspicion(members: 5, profile: .local) == .seconds(3))
        #expect(ChaosSchedule.shortestSuspicion(members: 1000, profile: .wan) == .seconds(90))
    }

    // MARK: Findings

    private static func at(_ seconds: Int) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    private func findings(_ touches: [Touch], _ deaths: [(observer: Int, subject: String, at: Int)]) -> ChaosFindings {
        ChaosFindings(
            names: ["a", "b", "c", "d"], touches: touches,
            sightings: deaths.map {
                Sighting(observer: $0.observer, subject: $0.subject, news: .dead, at: Self.at($0.at))
            },
            from: Self.at(0), settled: .seconds(20))
    }

    private static let crash = Touch(kind: .crash, member: 0, began: at(100), ended: at(130))

    @Test("A crash is noticed by the first and by the last of those who were there")
    func detection() throws {
        let found = findings([Self.crash], [(2, "a", 110), (1, "a", 111), (3, "a", 113), (3, "a", 120)])
        let detection = try #require(found.detections.first)
        #expect(detection.first == .seconds(10) && detection.last == .seconds(13))
        #expect(detection.observers == 3 && detection.told == 3)
        #expect(found.falseDeaths.isEmpty && found.lateDeaths == 0)
    }

    @Test("Where one of those who were there never says so, there is no last; one that stood still need not")
    func missing() throws {
        let deaths = [(2, "a", 110), (1, "a", 111)]
        #expect(findings([Self.crash], deaths).detections.first?.last == nil)
        let still = Touch(kind: .pause, member: 3, began: Self.at(105), ended: Self.at(107))
        #expect(findings([Self.crash, still], deaths).detections.first?.last == .seconds(11))
        // Nor one that was up again only a moment before
        let before = Touch(kind: .freeze, member: 3, began: Self.at(50), ended: Self.at(90))
        let found = try #require(findings([before, Self.crash], deaths).detections.last)
        #expect(found.last == .seconds(11) && found.observers == 2)
    }

    @Test("Who was never disturbed and is held for dead, is so wrongly, whoever says so")
    func falseDeaths() {
        let found = findings([Self.crash], [(1, "b", 50), (2, "d", 140), (0, "d", 150), (1, "a", 90)])
        // b's own word, in b's own log, is about itself and none.
        #expect(found.falseDeaths.map(\.member) == ["d", "d", "a"])
        #expect(found.falseDeaths.map(\.observerWasDisturbed) == [false, true, false])
        #expect(found.falseDeaths.map(\.seconds) == [140, 150, 90])
    }

    @Test("A death soon after a disturbance is its consequence, a later one is not")
    func late() {
        #expect(findings([Self.crash], [(1, "a", 149)]).lateDeaths == 0)
        #expect(findings([Self.crash], [(1, "a", 151)]).lateDeaths == 1)
    }

    @Test("Somebody held for dead after standing still shortly is counted")
    func short() {
        let pause = Touch(kind: .pause, member: 0, began: Self.at(100), ended: Self.at(103))
        #expect(findings([pause], [(1, "a", 110)]).shortOnesHeldForDead == 1)
        #expect(findings([pause], [(1, "b", 110)]).shortOnesHeldForDead == 0)
        // What follows from its next misfortune does not
        let next = Touch(kind: .crash, member: 0, began: Self.at(105), ended: Self.at(130))
        #expect(findings([pause, next], [(1, "a", 115)]).shortOnesHeldForDead == 0)
    }

    @Test("What was said before the start is of no account")
    func before() {
        let found = ChaosFindings(
            names: ["a", "b"], touches: [],
            sightings: [Sighting(observer: 1, subject: "a", news: .dead, at: Self.at(9))], from: Self.at(10),
            settled: .seconds(1))
        #expect(found.falseDeaths.isEmpty)
    }
}
