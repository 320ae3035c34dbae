// What a world shows: views, facts, watches, traffic.

package import Gossip
package import Vocabulary

extension World {
    /// How one node sees a member; nil where it is not listed. Of a node that does not run: how it saw it last.
    package func view(of member: Int, from node: Int) -> Membership.View? {
        nodes[node].inhabitant.core.view(of: Population.id(of: member))
    }

    /// What one node holds of a member; nil where it is not listed. Cheaper than ``view(of:from:)``.
    package func claim(about member: Int, from node: Int) -> Claim? {
        nodes[node].inhabitant.core.claim(about: Population.id(of: member))
    }

    /// A copy of the core of a node.
    package func core(of node: Int) -> Membership { nodes[node].inhabitant.core }
    /// Whether its process is there, paused or not.
    package func isRunning(_ node: Int) -> Bool { nodes[node].isRunning }
    package func isPaused(_ node: Int) -> Bool { nodes[node].isPaused }
    package func hasLeft(_ node: Int) -> Bool { nodes[node].hasLeft }
    /// What the node's own clock shows.
    package func reading(of node: Int) -> Instant { nodes[node].clock.reading(at: time) }
    package var directory: Directory { population.directory }

    /// Nodes that run and have not left.
    package var residents: [Int] { nodes.indices.filter { nodes[$0].isRunning && !nodes[$0].hasLeft } }

    /// How many residents, the member included, know it at this incarnation or a higher one.
    package func awareNodes(of member: Int, incarnation: UInt32) -> Int {
        residents.count { (claim(about: member, from: $0)?.incarnation ?? 0) >= incarnation }
    }

    /// How many residents other than the member see it in one of these states.
    package func nodes(seeing member: Int, as states: MemberState...) -> Int {
        residents.count { $0 != member && (claim(about: member, from: $0).map { states.contains($0.state) } ?? false) }
    }
}

// MARK: - Agreement

extension World {
    /// Whether all these see the same members present, by their checksums.
    package func checksumsAgree(among group: [Int]) -> Bool {
        guard let first = group.first else { return true }
        let checksum = nodes[first].inhabitant.core.viewChecksum
        return group.allSatisfy { nodes[$0].inhabitant.core.viewChecksum == checksum }
    }

    /// Where a view of the group differs from the truth that exactly the group is there, alive, and each member at the
    /// incarnation that it has itself.
    /// - Complexity: O(group²), ends at the first difference.
    package func disagreement(among group: [Int]) -> (node: Int, detail: String)? {
        var isThere = [Bool](repeating: false, count: nodes.count)
        for node in group { isThere[node] = true }
        for node in group {
            for member in nodes.indices {
                let claim = claim(about: member, from: node)
                guard isThere[member] else {
                    if let claim, claim.state.isPresent {
                        return (node, "n\(member), which is not there, is seen \(claim.state)")
                    }
                    continue
                }
                guard let claim else { return (node, "n\(member) is not listed") }
                let incarnation = nodes[member].inhabitant.core.incarnation
                if claim.state != .alive || claim.incarnation != incarnation {
                    return (
                        node, "n\(member), alive at \(incarnation), is seen \(claim.state) at \(claim.incarnation)"
                    )
                }
            }
        }
        return nil
    }

    /// Whether every resident sees exactly the residents.
    package var hasConverged: Bool { disagreement(among: residents) == nil }

    /// - Throws: ``Invariant/viewsDiffer`` where a resident does not see exactly the residents.
    package mutating func requireAgreement() throws(Violation) {
        if let (node, detail) = disagreement(among: residents) { report(.viewsDiffer, node, detail) }
        if let violation { throw violation }
    }
}

// MARK: - Facts

/// Something that a core reported, with what was true then.
package struct Fact: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case joined, suspected, cleared, died, left, forgotten, refuted, conflict, datagramsLost, stalled
        case seedJoined, seedFailed, leaveSpread, refusedExchange
    }

    /// Of the world.
    package let time: Duration
    package let observer: Int
    /// Whom it is about; the observer itself where it is about nobody else.
    package let subject: Int
    package let kind: Kind
    /// The subject ran at that time and was not paused.
    package let wasAwake: Bool
    /// The subject had been crashed, paused, cut off or gone before, and nothing was forgiven since.
    package let wasDisturbed: Bool

    /// A suspicion or a death of somebody to whom nothing ever happened.
    package var isFalse: Bool { (kind == .suspected || kind == .died) && wasAwake && !wasDisturbed }
}

extension World {
    /// Suspicions and deaths of members to whom nothing had happened, observers counted one by one.
    package func falsePositives(_ kind: Fact.Kind) -> Int { facts.count { $0.kind == kind && $0.isFalse } }

    mutating func take(events: [MembershipEvent], of node: Int) {
        for event in events {
            guard let kind = Fact.Kind(event) else { continue }
            let subject = event.subject.map { Int($0.index) } ?? node
            guard subject < nodes.count else { continue }
            let fact = Fact(
                time: .nanoseconds(time), observer: node, subject: subject, kind: kind,
                wasAwake: nodes[subject].isAwake && !nodes[subject].hasLeft, wasDisturbed: nodes[subject].wasDisturbed)
            if facts.count < WorldOptions.factLimit { facts.append(fact) } else { factsNotKept += 1 }
            guard fact.isFalse, options.forbids != .nothing else { continue }
            if kind == .died {
                report(.falseDeath, node, "n\(subject) was never disturbed")
            } else if options.forbids == .falseSuspicions {
                report(.falseSuspicion, node, "n\(subject) was never disturbed")
            }
        }
    }
}

extension Fact.Kind {
    /// Nil for what concerns the application only.
    init?(_ event: MembershipEvent) {
        switch event {
        case .joined: self = .joined
        case .suspected: self = .suspected
        case .cleared: self = .cleared
        case .died: self = .died
        case .left: self = .left
        case .forgotten: self = .forgotten
        case .refuted: self = .refuted
        case .conflict: self = .conflict
        case .datagramsLost: self = .datagramsLost
        case .stalled: self = .stalled
        case .seedJoined: self = .seedJoined
        case .seedFailed: self = .seedFailed
        case .leaveSpread: self = .leaveSpread
        case .refusedExchange: self = .refusedExchange
        case .updated, .user, .userState, .measured: return nil
        }
    }
}

// MARK: - Watches

/// When each node came to see one member otherwise, from the moment at which it was asked for.
package struct Watch: Sendable {
    package let member: Int
    package let incarnation: UInt32
    /// The world's time at which it began.
    package let began: Duration
    /// By node: when it first had the member at the incarnation or a higher one, suspected it, saw it dead or left, and
    /// saw it alive at the incarnation; nil for not yet. Times are the world's.
    package private(set) var informed: [Duration?]
    package private(set) var suspected: [Duration?]
    package private(set) var gone: [Duration?]
    package private(set) var alive: [Duration?]

    init(member: Int, incarnation: UInt32, nodes: Int, at time: Int64) {
        self.member = member
        self.incarnation = incarnation
        began = .nanoseconds(time)
        informed = [Duration?](repeating: nil, count: nodes)
        (suspected, gone, alive) = (informed, informed, informed)
    }

    /// Of all nodes but the member itself.
    package var firstSuspicion: Duration? { others(suspected).min() }
    package var firstDeath: Duration? { others(gone).min() }
    package var lastDeath: Duration? { others(gone).max() }
    package var lastInformed: Duration? { others(informed).max() }

    /// How many nodes, the member included, knew at a moment of the world's time.
    package func informed(by time: Duration) -> Int { informed.count { $0.map { $0 <= time } ?? false } }

    private func others(_ times: [Duration?]) -> [Duration] {
        times.indices.compactMap { $0 == member ? nil : times[$0] }
    }

    mutating func look(from node: Int, _ core: inout Membership, at time: Int64) {
        guard let claim = core.claim(about: Population.id(of: member)) else { return }
        let now = Duration.nanoseconds(time)
        if claim.incarnation >= incarnation, informed[node] == nil { informed[node] = now }
        switch claim.state {
        case .alive: if claim.incarnation >= incarnation, alive[node] == nil { alive[node] = now }
        case .suspect: if suspected[node] == nil { suspected[node] = now }
        case .dead, .left: if gone[node] == nil { gone[node] = now }
        }
    }
}

extension World {
    /// Begins to watch a member; what is so already counts as of now.
    /// - Parameter incarnation: from which on a node counts as informed; the member's present one for nil.
    /// - Returns: an index of ``watches``.
    package mutating func watch(_ member: Int, incarnation: UInt32? = nil) -> Int {
        let incarnation = incarnation ?? nodes[member].inhabitant.core.incarnation
        var watch = Watch(member: member, incarnation: incarnation, nodes: nodes.count, at: time)
        for node in residents { watch.look(from: node, &nodes[node].inhabitant.core, at: time) }
        watches.append(watch)
        return watches.count - 1
    }
}

// MARK: - Traffic

extension World {
    /// What a node has sent since the start, restarts included.
    package func traffic(of node: Int) -> Traffic { trafficTable.totals[node] }
    package var totalTraffic: Traffic { trafficTable.totals.reduce(Traffic(), +) }
    /// Bytes that a node has sent of one kind.
    package func bytes(of kind: TrafficKind, from node: Int) -> UInt64 { trafficTable.bytes(of: kind, from: node) }

    package func totalBytes(of kind: TrafficKind) -> UInt64 {
        nodes.indices.reduce(0) { $0 + trafficTable.bytes(of: kind, from: $1) }
    }
}
