// A drain that an operator asks for, and may take back: the node stays.
//
//     serving ─► announcing ─► closing ─► finishing ─► drained
//        ▲            │           │           │           │
//        └────────────┴───────────┴─ undrain ─┴───────────┘
//
// The first stages are those of a shutdown, for the same reason: callers hear of it before a door is closed. But only
// the doors before local instances close, as those instances may need others while they finish; nothing is aborted,
// however long it takes; and nobody leaves. A signal then ends the node as ever, without announcing it a second time.

import Vocabulary

/// How long a word about ourselves needs until callers act on it.
struct Announcement {
    /// The word is told by us in some rounds of gossip and by those who heard it in as many more; callers act on it soon
    /// after. In rounds of ours.
    private static let roundsToSpread = 6
    /// A word that is still queued after this is told no sooner for our waiting.
    private static let longest = Duration.seconds(5)

    private let earliest: Instant
    private let latest: Instant

    /// - Parameter round: from one round of gossip to the next.
    init(round: Duration, at now: Instant) {
        earliest = now + round * Self.roundsToSpread
        latest = now + max(Self.longest, round * Self.roundsToSpread)
    }

    /// - Parameter isTelling: whether our last word about ourselves is still being told.
    func isOver(isTelling: Bool, at now: Instant) -> Bool { now >= latest || now >= earliest && !isTelling }

    /// When to ask again though nothing has happened.
    func nextMoment(after now: Instant) -> Instant { now < earliest ? earliest : latest }
}

struct NodeDrain {
    /// What there is to be done now.
    enum Step: Hashable, Sendable {
        case announce
        case closeDoors
    }

    /// What a step depends on, as it is now.
    struct Facts {
        /// Whether our last word about ourselves is still being told.
        var isTelling: Bool
        /// Whether no inbound listener takes anybody in.
        var doorsAreClosed: Bool
        /// On inbound listeners.
        var connections: Int
    }

    private enum Phase {
        case serving
        case announcing(Announcement)
        case closed
    }

    private let round: Duration
    private var phase = Phase.serving

    /// - Parameter round: from one round of gossip to the next.
    init(round: Duration) { self.round = round }

    var hasBegun: Bool { if case .serving = phase { false } else { true } }
    /// Whether whoever was to be told has been.
    var isAnnounced: Bool { if case .closed = phase { true } else { false } }

    /// Does nothing where it has begun.
    /// - Parameter advertises: whether somebody has to be told first.
    mutating func begin(advertises: Bool, at now: Instant) -> Step? {
        guard !hasBegun else { return nil }
        phase = advertises ? .announcing(Announcement(round: round, at: now)) : .closed
        return advertises ? .announce : .closeDoors
    }

    /// Takes it back.
    /// - Returns: whether there was one.
    mutating func undo() -> Bool {
        defer { phase = .serving }
        return hasBegun
    }

    /// What is to be done next, if it is time; to be asked until the answer is nil.
    mutating func proceed(_ facts: Facts, at now: Instant) -> Step? {
        guard case .announcing(let announcement) = phase, announcement.isOver(isTelling: facts.isTelling, at: now)
        else { return nil }
        phase = .closed
        return .closeDoors
    }

    func stage(_ facts: Facts) -> NodeStage {
        switch phase {
        case .serving: .serving
        case .announcing: .announcing
        case .closed:
            !facts.doorsAreClosed
                ? .closingListeners : facts.connections > 0 ? .finishing(connections: facts.connections) : .drained
        }
    }

    /// When ``proceed(_:at:)`` wants to be asked though nothing has happened.
    func nextMoment(after now: Instant) -> Instant? {
        switch phase {
        case .serving, .closed: nil
        case .announcing(let announcement): announcement.nextMoment(after: now)
        }
    }
}
