// What is done to whom, and when: from a seed, so that a run can be had again.
//
// Every member may be hit, seeds as well, and again once it has recovered; a sixth at a time, so that what is tested is
// a fleet that loses members and not one that is gone. All are up again by the end.

import Foundation
import Vocabulary

/// One member's misfortune.
struct Disturbance: Equatable, Sendable {
    enum Kind: String, CaseIterable, Codable, Sendable {
        /// Killed, and back before anybody can know.
        case restart
        /// Killed, and back when all should know.
        case crash
        /// Stands still for less than the shortest suspicion.
        case pause
        /// Stands still until all hold it for dead.
        case freeze

        /// Whether the process is killed; else it is stopped and goes on.
        var kills: Bool {
            switch self {
            case .restart, .crash: true
            case .pause, .freeze: false
            }
        }

        /// Whether it is over before a suspicion can become a death.
        var isShort: Bool {
            switch self {
            case .restart, .pause: true
            case .crash, .freeze: false
            }
        }
    }

    let kind: Kind
    let member: Int
    /// Since the schedule's beginning.
    let begin: Duration
    let end: Duration
}

struct ChaosSchedule {
    /// By beginning.
    let disturbances: [Disturbance]

    /// - Parameters:
    ///   - suspicion: the shortest time from a suspicion to a death in this fleet.
    ///   - length: all are up again by then.
    init(members: Int, suspicion: Duration, length: Duration, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var disturbances: [Disturbance] = []
        let most = max(1, members / 6)
        // So long that those who are down at a time come near to the limit.
        let pause = suspicion / Double(2 * most)
        // When each may be hit again.
        var free = [Duration](repeating: .zero, count: members)
        var now = Duration.zero
        while true {
            now += random.between(.zero, pause * 2)
            guard now < length else { break }
            // One draw of each, whatever comes of it.
            let number = Int(random.below(UInt32(members)))
            let kind = Self.kinds[Int(random.below(UInt32(Self.kinds.count)))]
            let lasts =
                kind.isShort
                ? random.between(suspicion * 0.1, suspicion * 0.5) : random.between(suspicion * 1.8, suspicion * 2.8)
            let end = now + lasts
            let down = disturbances.count { $0.end > now }
            guard end < length, down < most, free[number] <= now else { continue }
            free[number] = end + suspicion
            disturbances.append(Disturbance(kind: kind, member: number, begin: now, end: end))
        }
        self.disturbances = disturbances
    }

    /// Each as often as it is to come.
    private static let kinds: [Disturbance.Kind] = [.crash, .crash, .crash, .freeze, .freeze, .restart, .pause, .pause]

    /// The shortest suspicion that turns into a death (memberlist-behaviour §4): multiplier × log₁₀ N × period.
    static func shortestSuspicion(members: Int, profile: FleetOptions.Profile) -> Duration {
        let (multiplier, period) =
            switch profile {
            case .lan: (4.0, Duration.seconds(1))
            case .local: (3.0, Duration.seconds(1))
            case .wan: (6.0, Duration.seconds(5))
            }
        return period * (multiplier * max(1, log10(Double(members))))
    }
}

extension SeededRandom {
    /// Evenly, to a millisecond.
    fileprivate mutating func between(_ low: Duration, _ high: Duration) -> Duration {
        let span = (high - low).wholeNanoseconds / 1_000_000
        return low + .milliseconds(Int(below(UInt32(clamping: max(1, span)))))
    }
}
