// How a node goes: it says so, lets the word spread, closes its doors, lets connections end, leaves the fleet.
//
//     serving ─► announcing ─► closing ─► finishing ─► leaving ─► over
//
// The order is what makes a drain lose nothing: callers' sidecars hear `health=draining` before a door is closed, and the
// member is there for as long as somebody's connection is. A node that advertises nothing has nothing to say first, one
// without a fleet nothing to leave. Pure, so that each stage's ends can be tested without a fleet and without waiting.

import Proxy
import Vocabulary

/// Where a node is on its way out.
enum NodeStage: Hashable, Sendable {
    case serving
    /// The fleet is being told that the services here drain.
    case announcing
    /// Some worker still accepts.
    case closingListeners
    /// Nobody is accepted; this many connections are left.
    case finishing(connections: Int)
    /// No connection is left of those that a drain concerns; the node stays. See ``NodeDrain``.
    case drained
    case leaving
    case over
}

struct Shutdown {
    /// What there is to be done now.
    enum Step: Hashable, Sendable {
        case announce
        case closeListeners
        /// The drain period is over: what is left is aborted.
        case abortConnections
        case leave
    }

    /// What a step depends on, as it is now.
    struct Facts {
        /// Whether our last word about ourselves is still being told.
        var isTelling: Bool
        var connections: DrainStage
        var hasLeft: Bool
    }

    private enum Phase {
        case serving
        case announcing(Announcement)
        case draining(until: Instant)
        case leaving
    }

    /// How long connections may finish by themselves; what is set after the drain has begun is for nobody.
    var drainPeriod: Duration
    private let round: Duration
    private var phase = Phase.serving

    /// - Parameter round: from one round of gossip to the next.
    init(drainPeriod: Duration, round: Duration) {
        self.drainPeriod = drainPeriod
        self.round = round
    }

    var hasBegun: Bool { if case .serving = phase { false } else { true } }

    /// - Parameter advertises: whether somebody has to be told first.
    mutating func begin(advertises: Bool, at now: Instant) -> Step {
        guard advertises else {
            phase = .draining(until: now + drainPeriod)
            return .closeListeners
        }
        phase = .announcing(Announcement(round: round, at: now))
        return .announce
    }

    /// What is to be done next, if it is time; to be asked until the answer is nil.
    mutating func proceed(_ facts: Facts, at now: Instant) -> Step? {
        switch phase {
        case .serving, .leaving: return nil
        case .announcing(let announcement):
            guard announcement.isOver(isTelling: facts.isTelling, at: now) else { return nil }
            phase = .draining(until: now + drainPeriod)
            return .closeListeners
        case .draining(let until):
            if facts.connections == .done {
                phase = .leaving
                return .leave
            }
            guard now >= until else { return nil }
            phase = .draining(until: Instant(nanoseconds: .max))
            return .abortConnections
        }
    }

    func stage(_ facts: Facts) -> NodeStage {
        switch phase {
        case .serving: .serving
        case .announcing: .announcing
        case .leaving: facts.hasLeft ? .over : .leaving
        case .draining:
            switch facts.connections {
            case .serving, .closingListeners: .closingListeners
            case .finishing(let left): .finishing(connections: left)
            case .done: .leaving
            }
        }
    }

    /// When ``proceed(_:at:)`` wants to be asked though nothing has happened.
    func nextMoment(after now: Instant) -> Instant? {
        switch phase {
        case .serving, .leaving: nil
        case .announcing(let announcement): announcement.nextMoment(after: now)
        case .draining(let until): until
        }
    }
}
