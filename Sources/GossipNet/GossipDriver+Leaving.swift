// Going away: say so, wait until it is told often enough, stay a moment to answer, be gone.

import Vocabulary

/// How far a member is on its way out.
enum Departure {
    case staying
    /// Until at most this moment.
    case announcing(until: Instant)
    case lingering(until: Instant)
    case over

    var isOver: Bool {
        switch self {
        case .over: true
        case .staying, .announcing, .lingering: false
        }
    }

    var nextStep: Instant? {
        switch self {
        case .staying, .over: nil
        case .announcing(let until), .lingering(let until): until
        }
    }
}

/// How long a departure takes.
package enum DepartureTimes {
    /// For our leave to be told often enough; a fleet that does not listen is not waited for.
    package static let longestAnnouncement = Duration.seconds(5)
    /// For pings that are under way and answers to them: who finds us gone before the leave has reached it suspects us.
    package static let linger = Duration.seconds(1)
}

extension GossipDriver {
    /// Whether nobody need wait for us any more: we have left, and lingered.
    package var hasLeft: Bool { departure.isOver }

    /// Begins to leave; ``hasLeft`` says when it is done, after 6 s at most. Again, it does nothing.
    package func leave() {
        guard case .staying = departure else { return }
        guard core.present > 1 else {
            departure = .over
            return
        }
        departure = .announcing(until: time() + DepartureTimes.longestAnnouncement)
        command { core, now, effects in core.leave(at: now, into: &effects) }
    }

    func lingerAfterLeaving(at now: Instant) {
        guard case .announcing = departure else { return }
        departure = .lingering(until: now + DepartureTimes.linger)
    }

    func proceedLeaving(at now: Instant) {
        switch departure {
        case .announcing(let until) where until <= now: lingerAfterLeaving(at: now)
        case .lingering(let until) where until <= now:
            departure = .over
            streams.removeAll()
        case .staying, .announcing, .lingering, .over: break
        }
    }
}
