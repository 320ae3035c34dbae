// How long a suspect has to refute, and what is remembered of who accused it (SWIM §4.2, Lifeguard §IV-B).

package import Vocabulary

/// Why a member is, or was, suspect or dead: what `explain` tells.
package struct Provenance: Sendable {
    /// The incarnation that was accused.
    package let incarnation: UInt32
    /// Who accused first, then who confirmed, when and on what evidence; empty for a death of which we knew no suspicion.
    package fileprivate(set) var accusations: [Accuser]
    package fileprivate(set) var outcome: Outcome

    package enum Outcome: Hashable, Sendable {
        /// Still suspect; given up at this time unless it refutes.
        case open(deadline: Instant)
        /// It refuted, or left.
        case cleared(Instant)
        /// Declared dead by somebody, ourselves perhaps.
        case died(by: String, Instant)
    }
}

/// The suspicions in progress, and what is remembered of past ones.
struct Suspicions: Sendable {
    /// Looked up, never walked.
    private var live: [MemberID: Suspicion] = [:]
    private var deadlines = DeadlineHeap()
    /// Of the members that are dead, and of the last few that were cleared. Looked up, never walked.
    private var past: [MemberID: Provenance] = [:]
    /// Those in `past` that were cleared, the longest past first.
    private var cleared: [MemberID] = []

    /// How many cleared suspicions are remembered; the longest past goes first.
    static let clearedLimit = 64

    var nextDeadline: Instant? { deadlines.earliest }
    var count: Int { live.count }

    /// About what this takes: dictionaries are at most three quarters full.
    var bytes: Int {
        live.capacity * (MemoryLayout<Suspicion>.stride + MemoryLayout<MemberID>.stride)
            + past.capacity * (MemoryLayout<Provenance>.stride + MemoryLayout<MemberID>.stride)
            + deadlines.count * 32
    }

    mutating func begin(_ suspicion: Suspicion, of member: MemberID) {
        live[member] = suspicion
        deadlines.update(member, to: suspicion.deadline)
    }

    /// Whether the confirmation was new and wanted; the deadline moves if so.
    mutating func confirm(_ member: MemberID, by accuser: String, evidence: Evidence, at now: Instant) -> Bool {
        guard live[member]?.confirm(by: accuser, evidence: evidence, at: now) == true, let suspicion = live[member]
        else { return false }
        // A late confirmation shortens it into the past: due now, and not overdue, which would pass for a stall of ours.
        deadlines.update(member, to: max(suspicion.deadline, now))
        return true
    }

    /// Ends a suspicion, if there is one, and remembers it.
    mutating func end(of member: MemberID, outcome: Provenance.Outcome, incarnation: UInt32) {
        deadlines.remove(member)
        let suspicion = live.removeValue(forKey: member)
        switch outcome {
        case .open: preconditionFailure("an ended suspicion is not open")
        case .cleared:
            guard let suspicion else { return forgetDeath(of: member) }
            past[member] = Provenance(
                incarnation: suspicion.incarnation, accusations: suspicion.accusations, outcome: outcome)
            cleared.removeAll { $0 == member }
            cleared.append(member)
            if cleared.count > Suspicions.clearedLimit { past[cleared.removeFirst()] = nil }
        case .died:
            cleared.removeAll { $0 == member }
            past[member] = Provenance(
                incarnation: suspicion?.incarnation ?? incarnation, accusations: suspicion?.accusations ?? [],
                outcome: outcome)
        }
    }

    /// A member that was dead is back; its death is no longer of interest.
    private mutating func forgetDeath(of member: MemberID) {
        if case .died = past[member]?.outcome { past[member] = nil }
    }

    mutating func forget(_ member: MemberID) {
        deadlines.remove(member)
        live[member] = nil
        past[member] = nil
        cleared.removeAll { $0 == member }
    }

    /// A member whose suspicion's time is up, and the incarnation suspected; nil if there is none (left).
    mutating func popDue(at now: Instant) -> (MemberID, incarnation: UInt32)? {
        while let member = deadlines.popDue(at: now) {
            // The suspicion itself goes when the death is taken.
            if let suspicion = live[member] { return (member, suspicion.incarnation) }
        }
        return nil
    }

    /// Gives a suspect the time that we missed, and at least `floor` from now: its refutation may be lost with what
    /// overflowed while we did not listen.
    mutating func postpone(_ member: MemberID, by stall: Duration, atLeast floor: Duration, at now: Instant) {
        guard let deadline = live[member]?.deadline else { return }
        live[member]?.postpone(by: max(stall, (now + floor) - deadline))
        if let moved = live[member]?.deadline { deadlines.update(member, to: moved) }
    }

    func provenance(of member: MemberID) -> Provenance? {
        if let suspicion = live[member] {
            return Provenance(
                incarnation: suspicion.incarnation, accusations: suspicion.accusations,
                outcome: .open(deadline: suspicion.deadline))
        }
        return past[member]
    }
}

extension Membership {
    /// Who accused a member, who confirmed that, when, on what evidence, and what came of it. Nil where nobody did, or
    /// it is long past (the last 64 refuted suspicions are kept, and every listed death).
    package func provenance(of member: MemberID) -> Provenance? { suspicions.provenance(of: member) }

    private var fleetSize: FleetSize { FleetSize(table.listed) }

    /// The shortest that a suspicion lasts here.
    var shortestSuspicion: Duration {
        fleetSize.shortestSuspicion(multiplier: options.suspicionMultiplier, interval: options.probeInterval)
    }

    mutating func beginSuspicion(
        of member: MemberID, incarnation: UInt32, by accuser: MemberID, evidence: Evidence, at now: Instant
    ) {
        let minimum = shortestSuspicion
        let suspicion = Suspicion(
            of: incarnation, accuser: directory.name(of: accuser), evidence: evidence, at: now,
            confirmationsWanted: fleetSize.confirmationsWanted(multiplier: options.suspicionMultiplier),
            minimum: minimum, maximum: minimum * max(1, options.suspicionMaximumMultiplier))
        suspicions.begin(suspicion, of: member)
    }

    /// - Returns: whether the accuser was new and wanted, and so is worth telling on.
    mutating func confirmSuspicion(of member: MemberID, by accuser: MemberID, evidence: Evidence, at now: Instant)
        -> Bool
    {
        suspicions.confirm(member, by: directory.name(of: accuser), evidence: evidence, at: now)
    }

    mutating func clearSuspicion(of member: MemberID, at now: Instant) {
        suspicions.end(of: member, outcome: .cleared(now), incarnation: 0)
    }

    mutating func recordDeath(of member: MemberID, incarnation: UInt32, by accuser: MemberID, at now: Instant) {
        suspicions.end(
            of: member, outcome: .died(by: directory.name(of: accuser), now), incarnation: incarnation)
    }

    /// Declares dead whose time is up.
    mutating func runSuspicions(at now: Instant, into effects: inout Effects) {
        while let (member, incarnation) = suspicions.popDue(at: now) {
            take(.dead(Accusation(node: member, incarnation: incarnation, from: id)), at: now, into: &effects)
        }
    }
}
