// What the logs of a fleet say of a run: when deaths were noticed, and who was held for dead that was not.

import Rig
import Vocabulary

/// A disturbance as it came to pass.
struct Touch: Equatable, Sendable {
    let kind: Disturbance.Kind
    let member: Int
    let began: Instant
    let ended: Instant
}

/// One member that somebody held for dead though it ran, and nothing had been done to it.
struct FalseDeath: Equatable, Codable {
    let member: String
    let observer: String
    /// Whether the observer itself had been killed or stopped before.
    let observerWasDisturbed: Bool
    let seconds: Double
}

struct ChaosFindings {
    /// How one that was killed or froze for long came to be known as dead.
    struct Detection: Equatable {
        let kind: Disturbance.Kind
        let member: Int
        /// From the event to the first that says so; nil where nobody did in time.
        let first: Duration?
        /// To the last of those who had nothing done to them meanwhile; nil where one of them never said so.
        let last: Duration?
        let observers: Int
        let told: Int
    }

    private(set) var detections: [Detection] = []
    private(set) var falseDeaths: [FalseDeath] = []
    /// Deaths of members that had been up again for longer than a suspicion takes.
    private(set) var lateDeaths = 0
    /// Disturbances too short to be noticed, after which somebody held the member for dead.
    private(set) var shortOnesHeldForDead = 0

    /// - Parameters:
    ///   - names: of the members, by number.
    ///   - sightings: in the order of time.
    ///   - settled: how long after a disturbance a member's death is still a consequence of it.
    init(names: [String], touches: [Touch], sightings: some Sequence<Sighting>, from start: Instant, settled: Duration)
    {
        let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        let deaths = sightings.filter { $0.news == .dead && $0.at >= start }
        let touchesOf = Dictionary(grouping: touches, by: \.member)
        for touch in touches {
            // What comes after its next misfortune is that one's.
            let next = (touchesOf[touch.member] ?? []).map(\.began).filter { $0 > touch.began }.min()
            let until = min(touch.ended + settled, next ?? Instant(nanoseconds: .max))
            let seen = deaths.filter {
                $0.subject == names[touch.member] && $0.at >= touch.began && $0.at < until
            }
            if touch.kind.isShort {
                if !seen.isEmpty { shortOnesHeldForDead += 1 }
                continue
            }
            let observers = names.indices.filter { number in
                number != touch.member
                    && !(touchesOf[number] ?? []).contains {
                        $0.began < touch.ended && $0.ended + settled > touch.began
                    }
            }
            var first: [Int: Instant] = [:]
            for sighting in seen where sighting.at <= touch.ended && first[sighting.observer] == nil {
                first[sighting.observer] = sighting.at
            }
            let told = observers.compactMap { first[$0] }
            detections.append(
                Detection(
                    kind: touch.kind, member: touch.member, first: first.values.min().map { $0 - touch.began },
                    last: told.count == observers.count ? told.max().map { $0 - touch.began } : nil,
                    observers: observers.count, told: told.count))
        }
        for death in deaths {
            guard let number = numbers[death.subject], number != death.observer else { continue }
            let before = (touchesOf[number] ?? []).filter { $0.began <= death.at }
            guard let latest = before.map(\.ended).max() else {
                let isDisturbed = (touchesOf[death.observer] ?? []).contains { $0.began <= death.at }
                falseDeaths.append(
                    FalseDeath(
                        member: death.subject, observer: names[death.observer], observerWasDisturbed: isDisturbed,
                        seconds: (death.at - start).inSeconds))
                continue
            }
            if death.at > latest + settled { lateDeaths += 1 }
        }
    }
}
