// Whether to believe a view of the fleet from which most members vanish at once.
//
// One node that loses its network sees all others die; so does the last one of a fleet that dies. The first is by far
// the likelier, and there to believe it costs everything: connections that work are reset, and no endpoint is left. So
// a collapse is taken for our own isolation, and what vanished in it is kept until shown otherwise.
//
// There are two ways to see one. Gossip hears nobody any more: quick, and what it says does not depend on how fast the
// detector works. Or members vanish faster than fleets shrink: at least as many within the window as are left. The
// window is 30 s, as a detector spreads the deaths of one moment: 250 at once are told within 16 s, and a node cut off
// from 11 others suspects them one probe at a time, each later than the one before as its own health score slows it (1 +
// 2 + … s, up to 9): half of them within 21 s. A fleet that is taken down in steps of less than half per window is
// followed.
//
//     believed ──silence, or as many vanished within the window as are left──► in force
//         ▲                                                                      │
//         ├── half of the vanished back or gone for good, and so for `calm` ◄────┤
//         └── others heard, without a break, for `patience` ◄────────────────────┘
//
// `calm` is what keeps a flapping link from toggling it. A member that left or was forgotten is gone for good: nobody
// leaves through a cut. A death is no such evidence; it is what is doubted. But not for ever: where members that are
// present are heard all the time, the others' absence is theirs. So half of a fleet may die at once, and is dropped
// `patience` later; and who dies while it is in force, and others are heard, is doubted only as part of the collapse,
// which is over a window after it began.

package import Vocabulary

/// Watches the view of one node; a value without a clock.
package struct LastKnownGood: Sendable {
    package struct Options: Hashable, Sendable {
        /// Within which vanishing counts as "at once".
        package var window: Duration = .seconds(30)
        /// How long nobody must have been heard. Even a fleet with nothing to say is probed about once a second.
        package var silence: Duration = .seconds(5)
        /// How long the end of a collapse must have held.
        package var calm: Duration = .seconds(10)
        /// How long others must have been heard, on end, for the deaths to be believed. Well above what a detector and
        /// the healing of a network need.
        package var patience: Duration = .seconds(300)

        package init() {}
    }

    /// Of fewer, each may well be dead.
    package static let leastVanished = 2
    /// A wake that comes this much too late says that this process stood still, and so heard nobody.
    private static let stall: Duration = .seconds(1)
    /// So does this much between two turns of a loop that turns once a second.
    private static let longestTurn: Duration = .seconds(2)

    /// That it is in force, and what an operator is told.
    package struct InForce: Hashable, Sendable {
        package var since: Instant
        /// A sentence.
        package var why: String

        package init(since: Instant, why: String) {
            self.since = since
            self.why = why
        }
    }

    private enum Presence {
        case present
        /// - Parameter recently: when, as long as it is counted in ``recentCount``.
        case vanished(recently: Instant?)

        var isRecent: Bool {
            switch self {
            case .present: false
            case .vanished(let recently): recently != nil
            }
        }
    }

    package private(set) var inForce: InForce?

    private let options: Options
    /// Members that were present once and are not gone for good. Looked up, never walked.
    private var presences: [String: Presence] = [:]
    private var presentCount = 0
    /// Who vanished within the window, the oldest first; some have come back since.
    private var recent: [(name: String, at: Instant)] = []
    private var recentCount = 0

    /// Who vanished, at the beginning or since; of the last time, while none is in force.
    private var collapsed: Set<String> = []
    /// How many of them are still neither back nor gone for good.
    private var missing = 0
    private var calmSince: Instant?
    /// Since when, while in force, there were members present and somebody was heard.
    private var heardSince: Instant?

    private var nobodySince: Instant?
    private var silenceDeadline: Instant?
    /// When ``hear(nobodySince:at:)`` was last called.
    private var toldAt: Instant?

    package init(_ options: Options = Options()) { self.options = options }

    package var nextWake: Instant? {
        let calm = calmSince.map { $0 + options.calm }
        let patience = heardSince.map { $0 + options.patience }
        return [calm, patience, silenceDeadline].compactMap { $0 }.min()
    }

    /// Whether nobody has been heard for so long that the fault may well be ours.
    package var isSilent: Bool { nobodySince != nil && silenceDeadline == nil }

    /// Not the opposite: it may be that nobody is to be heard.
    private var isHeard: Bool { silenceDeadline != nil }

    /// Whether a member that is suspect or dead is to be kept.
    package func keeps(_ name: String) -> Bool { inForce != nil && collapsed.contains(name) }

    /// Whose fitness changes by its beginning and its end, sorted.
    package var concerned: [String] { collapsed.sorted() }
}

// MARK: - What is seen

extension LastKnownGood {
    /// Takes note of a member's state; not to be told of this node itself, which always sees itself.
    package mutating func see(_ name: String, _ state: FleetMember.State, at now: Instant) {
        expire(at: now)
        switch state {
        case .alive:
            depart(name)
            presences[name] = .present
            presentCount += 1
        case .suspect, .dead:
            // One that is learned of when it is gone already did not vanish from here.
            if case .present = presences[name] { vanish(name, at: now) }
        case .left: depart(name)
        }
        decide(at: now)
    }

    /// The member is known no more.
    package mutating func forget(_ name: String, at now: Instant) {
        expire(at: now)
        depart(name)
        decide(at: now)
    }

    /// Says when anybody of the fleet was heard last; nil: there is nobody to be heard.
    ///
    /// To be called at every turn, once a second or oftener: a longer break says that this process stood still, and
    /// then silence is reckoned anew from now, as what was sent meanwhile is still to be read. For the same reason it
    /// never decides at once.
    package mutating func hear(nobodySince since: Instant?, at now: Instant) {
        let hasStalled = toldAt.map { now - $0 > Self.longestTurn } ?? false
        toldAt = now
        if hasStalled, isHeard {
            silenceDeadline = now + options.silence
            if heardSince != nil { heardSince = now }
        }
        guard since != nobodySince else { return }
        nobodySince = since
        let earliest = now + (hasStalled ? options.silence : Self.stall)
        silenceDeadline = since.map { max($0 + options.silence, earliest) }
        expire(at: now)
        decide(at: now)
    }

    package mutating func wake(at now: Instant) {
        expire(at: now)
        if let deadline = silenceDeadline, deadline <= now {
            if now - deadline > Self.stall {
                // We stood still ourselves; what was sent meanwhile is still to be read.
                silenceDeadline = now + options.silence
            } else {
                fallSilent(at: now)
            }
        }
        decide(at: now)
    }

    private mutating func vanish(_ name: String, at now: Instant) {
        presences[name] = .vanished(recently: now)
        presentCount -= 1
        recent.append((name, now))
        recentCount += 1
        // Into it, or back into it.
        if let inForce, !isHeard || now - inForce.since < options.window || collapsed.contains(name) {
            collapsed.insert(name)
            missing += 1
        }
    }

    private mutating func depart(_ name: String) {
        switch presences.removeValue(forKey: name) {
        case .present: presentCount -= 1
        case .vanished(let recently):
            if recently != nil { recentCount -= 1 }
            if inForce != nil, collapsed.contains(name) { missing -= 1 }
        case nil: break
        }
    }
}

// MARK: - What follows

extension LastKnownGood {
    private mutating func fallSilent(at now: Instant) {
        silenceDeadline = nil
        guard inForce == nil else {
            // Whoever vanished just before was the first to show it.
            for (name, _) in recent where presences[name]?.isRecent == true && collapsed.insert(name).inserted {
                missing += 1
            }
            return
        }
        guard presentCount + recentCount >= Self.leastVanished else { return }
        begin(
            at: now,
            because: "nobody in the fleet has been heard for \(sentence(options.silence))")
    }

    private mutating func decide(at now: Instant) {
        guard inForce != nil else {
            if recentCount >= Self.leastVanished, recentCount >= presentCount {
                begin(
                    at: now,
                    because: "\(recentCount) of \(recentCount + presentCount) other members vanished within "
                        + sentence(options.window))
            }
            return
        }
        heardSince = isHeard && presentCount > 0 ? heardSince ?? now : nil
        if let heardSince, now - heardSince >= options.patience { return end() }
        guard !isSilent, missing * 2 <= collapsed.count else {
            calmSince = nil
            return
        }
        let since = calmSince ?? now
        calmSince = since
        if now - since >= options.calm { end() }
    }

    private mutating func begin(at now: Instant, because what: String) {
        inForce = InForce(
            since: now,
            why: "The last known good view of the fleet is kept: \(what), which is taken for our own isolation.")
        collapsed = []
        for (name, _) in recent where presences[name]?.isRecent == true { collapsed.insert(name) }
        missing = collapsed.count
        (calmSince, heardSince) = (nil, nil)
    }

    private mutating func end() {
        inForce = nil
        (calmSince, heardSince) = (nil, nil)
        // They have been judged: the next collapse needs its own.
        forgetRecent(recent.count)
    }

    private mutating func expire(at now: Instant) {
        forgetRecent(recent.firstIndex { now - $0.at < options.window } ?? recent.count)
    }

    private mutating func forgetRecent(_ count: Int) {
        for (name, at) in recent[..<count] {
            // It may have come back since, and vanished anew.
            if case .vanished(recently: at) = presences[name] {
                presences[name] = .vanished(recently: nil)
                recentCount -= 1
            }
        }
        recent.removeFirst(count)
    }
}
