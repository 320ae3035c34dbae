// From members, roster, health and what workers see to the set of endpoints that workers read, again and again.
//
//     FleetMember ─┐
//     Roster ──────┤             ┌─► UpstreamSet, at most one in 100 ms
//     Observation ─┼─► Discovery ┼─► DiscoveryNews
//     options ─────┤             └─► nextWake
//     time ────────┘
//
// A pure core on the control thread. Each input is looked at once: it touches the endpoints it concerns, each of which
// is judged anew by all that is known of it, and only what came out different is marked for the next set. So the same
// facts give the same set whatever their order, and a change costs nothing to the upstreams that it does not concern:
// they keep their very snapshot, and workers have nothing to rebuild.
//
// Changes are published at once while it is quiet, and gathered for 100 ms while it is not: an endpoint that refuses
// connects is out within a loop turn, and a fleet that starts or falls costs ten sets a second, not thousands.
//
// An upstream keeps its place for as long as the process lives, and an endpoint its load cell for as long as anything
// names it. A cell goes back only once no worker reads a set that names it. It belongs to an endpoint of one upstream:
// two upstreams that take the same service count apart, as limits and figures are per upstream.

package import Vocabulary

/// There are more endpoints than load cells; nothing was changed.
package struct OutOfLoadCells: Error, Hashable {
    /// How many endpoints there is room for, those that are about to be freed included.
    package let capacity: Int
    /// The upstream whose endpoint found none.
    package let upstream: String

    package init(capacity: Int, upstream: String) {
        self.capacity = capacity
        self.upstream = upstream
    }
}

/// Knows every endpoint of every upstream, and whether it is fit.
///
/// Owned by the control thread.
package struct Discovery: ~Copyable {
    /// The least time between two sets.
    package static let publicationInterval: Duration = .milliseconds(100)

    struct Upstream {
        var options: UpstreamOptions
        /// By their members' names, of which each has one at most; those that the config names, in its order.
        var endpoints: [TrackedEndpoint] = []
        var snapshot: UpstreamSnapshot
        /// Whether `snapshot` is not the last word any more.
        var isChanged = false
        var fitCount = 0
        /// Those of which ``OutlierOptions/maxEjectedPercent`` is a part.
        var servingCount = 0
        /// Of these, the ones ejected for soft failures.
        var softlyEjected = 0
        /// Since when there was always a fit one.
        var fitSince: Instant?
        /// Who shares its keys, where its policy hashes.
        var keys = KeyLedger()

        /// Whether one more may be ejected for soft failures: always one of two or more.
        var hasRoomForEjection: Bool {
            let least = servingCount >= 2 ? 1 : 0
            return softlyEjected < max(least, servingCount * options.outlier.maxEjectedPercent / 100)
        }
    }

    struct Member {
        var seen: FleetMember
        /// By the upstream's place.
        var endpoints: [Int: TrackedEndpoint] = [:]
        /// Tags that could not be read, as they were told.
        var unreadable: [String: String] = [:]
    }

    let cells: LoadCells
    /// This node's own name: it always sees itself.
    private let node: String?
    /// The zone this node stands in.
    private let zone: String?
    /// How many remoras stand in each zone, this node among them.
    private var callers: [String: Int] = [:]
    var upstreams: [Upstream] = []
    /// Looked up; walked by sorted names only.
    var members: [String: Member] = [:]
    var endpointsByCell: [LoadCells.Index: TrackedEndpoint] = [:]
    private var roster: Roster?
    private var view: LastKnownGood
    var wakes = WakeQueue()
    var desk = NewsDesk()

    /// The set built last.
    package internal(set) var current = UpstreamSet(version: 0, upstreams: [])
    var isChanged = false
    /// Whether a table came that is in no set yet.
    var hasNewTable = false
    var publishedAt: Instant
    /// Tables that nobody has been told to build yet.
    var orders: [TableOrder] = []
    /// Cells of endpoints that went since the last set, and of those before, with the first set that lacks them.
    var leaving: [LoadCells.Index] = []
    var departed: [(cell: LoadCells.Index, version: UInt64)] = []
    /// Whether an endpoint was left out for want of a cell.
    var isShortOfCells = false

    /// Its ``current`` set has every upstream at the place it has in `upstreams`, with the endpoints the config names.
    /// - Parameters:
    ///   - node: this node's name among the members; nil if it is none.
    ///   - zone: where it stands.
    ///   - isolation: when a collapsing view is not believed.
    /// - Precondition: no two upstreams have the same name.
    package init(
        upstreams: [UpstreamOptions], cells: LoadCells, node: String? = nil, zone: String? = nil,
        isolation: LastKnownGood.Options = LastKnownGood.Options(), at now: Instant
    ) throws(OutOfLoadCells) {
        self.cells = cells
        self.node = node
        self.zone = zone
        view = LastKnownGood(isolation)
        publishedAt = now
        _ = try configure(upstreams, at: now)
    }

    /// When ``wake(at:reading:)`` or ``nextSet(at:)`` has something to do; a moment that has passed means now.
    package var nextWake: Instant? {
        [nextPublication, wakes.earliest, view.nextWake].compactMap { $0 }.min()
    }

    /// When the next set is due; nil where nothing has changed. A table has been waited for long enough, and is ordered
    /// no oftener than sets are published.
    var nextPublication: Instant? {
        guard isChanged else { return nil }
        return hasNewTable ? publishedAt : publishedAt + Self.publicationInterval
    }

    /// Nil: what gossip says of the fleet is believed.
    package var lastKnownGood: LastKnownGood.InForce? { view.inForce }

    /// What there is to tell since the last call, and how much more there was than is kept.
    package mutating func takeNews() -> (news: [DiscoveryNews], leftOut: Int) { desk.take() }
}

// MARK: - Inputs

extension Discovery {
    /// Takes in what gossip knows of a member, new or changed.
    package mutating func update(_ member: FleetMember, at now: Instant) {
        let before = members[member.name]
        var seen = member
        // A goodbye carries no tags; what was served is what goes.
        if let before, member.tags.isEmpty, member.state == .dead || member.state == .left {
            seen.tags = before.seen.tags
        }
        if before?.seen == seen { return }
        members[member.name, default: Member(seen: seen)].seen = seen
        count(seen.callingZone, insteadOf: before?.seen.callingZone)
        if let before, Self.isBack(seen, after: before.seen) { liftEjections(of: member.name) }
        if member.name != node { follow(at: now) { $0.see(member.name, member.state, at: now) } }
        for place in upstreams.indices { derive(from: member.name, for: place, at: now) }
    }

    /// Gossip knows the member no more.
    package mutating func forget(_ name: String, at now: Instant) {
        guard members[name] != nil else { return }
        count(nil, insteadOf: members[name]?.seen.callingZone)
        if name != node { follow(at: now) { $0.forget(name, at: now) } }
        for place in upstreams.indices {
            withdraw(name, from: place, because: "Member \(name) is known no more.")
        }
        members[name] = nil
    }

    /// Takes in who belongs to the fleet; nil: whoever is a member. ``Roster/unknown``: nobody, yet.
    package mutating func list(_ roster: Roster?, at now: Instant) {
        guard roster != self.roster else { return }
        self.roster = roster
        for name in members.keys.sorted() { refreshEndpoints(of: name, at: now) }
    }

    /// Takes in what a worker saw of an endpoint. One that is gone meanwhile is passed over.
    /// - Parameter reading: what all workers have counted in a cell; asked only of endpoints that fail.
    package mutating func observe(
        _ observation: Observation, at now: Instant, reading: (LoadCells.Index) -> EndpointCounts
    ) {
        guard let endpoint = endpointsByCell[observation.cell] else { return }
        switch observation.kind {
        case .refused: if isVanished(endpoint.identity.member) { endpoint.condemnation = .refused }
        case .unreachable, .timedOut:
            // While nobody is heard that is what every connect comes to.
            if endpoint.condemnation == nil, !view.isSilent, isVanished(endpoint.identity.member) {
                endpoint.condemnation = .unanswered
            }
        case .answered: endpoint.condemnation = nil
        case .reset: break
        }
        attend(endpoint, at: now) { watch, options, hasRoom in
            watch.observe(
                observation.kind, streak: observation.streak, at: now, options: options, hasRoom: hasRoom,
                counts: { reading(observation.cell) })
        }
    }

    /// Says when anybody of the fleet was heard last, nil where nobody is to be heard: see ``LastKnownGood``.
    package mutating func hear(nobodySince since: Instant?, at now: Instant) {
        follow(at: now) { $0.hear(nobodySince: since, at: now) }
    }

    /// Does what time brings: ends ejections and intervals, lets shares grow.
    package mutating func wake(at now: Instant, reading: (LoadCells.Index) -> EndpointCounts) {
        follow(at: now) { $0.wake(at: now) }
        while let endpoint = wakes.due(at: now) {
            attend(endpoint, at: now) { watch, options, hasRoom in
                watch.wake(at: now, options: options, hasRoom: hasRoom, counts: { reading(endpoint.cell) })
            }
        }
    }

    /// Lets the view of the fleet take something in, and judges anew whom its belief concerns.
    private mutating func follow(at now: Instant, _ change: (inout LastKnownGood) -> Void) {
        let (before, wasSilent) = (view.inForce, view.isSilent)
        change(&view)
        let fellSilent = view.isSilent && !wasSilent
        if fellSilent { acquitUnanswered(at: now) }
        if view.inForce != before {
            if let inForce = view.inForce {
                desk.add(.lastKnownGoodBegan(inForce))
            } else if let before {
                desk.add(.lastKnownGoodEnded(since: before.since))
            }
            isChanged = true
        } else if !fellSilent {
            return
        }
        for name in view.concerned { refreshEndpoints(of: name, at: now) }
    }

    /// Whether it is another process than the one that was ejected.
    ///
    /// A higher incarnation does not say so: any change of a tag and any suspicion refuted raises it, and a process that
    /// restarts before it is missed begins where it left off.
    private static func isBack(_ member: FleetMember, after before: FleetMember) -> Bool {
        guard member.state == .alive else { return false }
        switch before.state {
        case .dead, .left: return true
        case .alive, .suspect: return false
        }
    }

    private mutating func liftEjections(of name: String) {
        for place in upstreams.indices {
            guard let endpoint = members[name]?.endpoints[place] else { continue }
            lift(endpoint)
        }
    }

    /// Keeps the count of callers; what follows from it is the next set's.
    private mutating func count(_ zone: String?, insteadOf before: String?) {
        guard zone != before else { return }
        if let zone { callers[zone, default: 0] += 1 }
        if let before { callers[before] = callers[before].flatMap { $0 > 1 ? $0 - 1 : nil } }
        for place in upstreams.indices where upstreams[place].snapshot.heedsZones {
            upstreams[place].isChanged = true
            isChanged = true
        }
    }

    /// Nil where this node says no zone.
    var zoneView: ZoneView? { zone.map { ZoneView(own: $0, callers: node == nil ? nil : callers) } }

    private func isVanished(_ name: String?) -> Bool {
        guard let name, let member = members[name] else { return false }
        switch member.seen.state {
        case .suspect, .dead: return true
        case .alive, .left: return false
        }
    }

    /// Nil for one that the config names.
    func standing(of endpoint: TrackedEndpoint) -> Standing? {
        guard let name = endpoint.identity.member, let member = members[name]?.seen else { return nil }
        return Standing(
            name: name, state: member.state, accusation: member.accusation, isListed: roster?.lists(name) ?? true,
            isRosterKnown: roster?.isKnown ?? true,
            isDoubted: view.keeps(name))
    }
}
