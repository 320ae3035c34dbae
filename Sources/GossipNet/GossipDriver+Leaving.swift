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

extension GossipDriver {
    /// Whether nobody need wait for us any more: we have left, and lingered.
    package var hasLeft: Bool { departure.isOver }

    /// Begins to leave; ``hasLeft`` says when it is done, after ``GossipCore/longestGoodbye`` and ``GossipCore/linger`` at
    /// most. Again, it does nothing.
    package func leave() {
        guard case .staying = departure else { return }
        guard core.fleet.present > 1 else {
            return close()
        }
        departure = .announcing(until: time() + Core.longestGoodbye)
        command { core, now, effects in core.leave(at: now, into: &effects) }
    }

    func proceedLeaving(at now: Instant) {
        switch departure {
        case .announcing(let until) where until <= now || core.hasSaidGoodbye:
            departure = .lingering(until: now + Core.linger)
        case .lingering(let until) where until <= now: close()
        case .staying, .announcing, .lingering, .over: break
        }
    }
}
