// Who means to stay and who to go (serf-layer §4), and what we say when somebody says it of us.

package import Gossip
import GossipWire
package import Vocabulary

extension SerfAgent {
    /// - Parameter isReported: by a peer's state, as one that has taken effect there.
    /// - Returns: whether it is news, to be told on.
    mutating func takeLeave(
        _ leave: SerfLeave, isReported: Bool = false, from sender: PeerAddress?, at now: Instant,
        into effects: inout AgentEffects
    ) -> Bool {
        guard leave.node.utf8.count <= MemberRecord.longestName else { return false }
        guard clock.believes(leave.time) else {
            effects.events.append(.ignored(from: sender, .endOfTime))
            return false
        }
        clock.witness(leave.time)
        guard let member = list.find(leave.node), var row = list[member] else {
            return intents.take(isLeave: true, of: leave.node, at: leave.time, now: now)
        }
        if member == id, leaving == nil {
            // At our own time too, unlike the reference: who heard the leave before our join of that time drops the join.
            if leave.time >= row.standing.time { refute(leave, at: now, into: &effects) }
            return false
        }
        let before = row.standing.status
        guard isReported ? row.standing.takeReportedLeave(at: leave.time) : row.standing.takeLeave(at: leave.time)
        else { return false }
        if row.standing.status == .left { row.saidGoodbye = true }
        // The reference waits six seconds and erases the member even if it came back meanwhile; here it has to be gone.
        row.isPruned = row.isPruned || leave.isPrune
        change(member, to: row, from: before, into: &effects)
        return true
    }

    /// - Returns: whether it is news, to be told on.
    mutating func takeJoin(
        _ join: SerfJoin, from sender: PeerAddress?, at now: Instant, into effects: inout AgentEffects
    ) -> Bool {
        guard join.node.utf8.count <= MemberRecord.longestName else { return false }
        guard clock.believes(join.time) else {
            effects.events.append(.ignored(from: sender, .endOfTime))
            return false
        }
        clock.witness(join.time)
        guard let member = list.find(join.node), var row = list[member] else {
            return intents.take(isLeave: false, of: join.node, at: join.time, now: now)
        }
        let before = row.standing.status
        // What we once said of ourselves raises our time, but we are leaving when we say so.
        if member == id, leaving != nil { return false }
        guard row.standing.takeJoin(at: join.time) else { return false }
        if row.standing.status == .alive { row.isPruned = false }
        change(member, to: row, from: before, into: &effects)
        return true
    }

    /// Tells the fleet that we are here to stay, at a time above all that we have heard.
    mutating func announceJoin(at now: Instant) {
        guard var row = list[id] else { return }
        let time = clock.stamp()
        _ = row.standing.takeJoin(at: time)
        list.update(id, row)
        tell(.join(SerfJoin(time: time, node: name)), in: .intents, replacingOwn: true, at: now)
    }

    mutating func announceJoinIfOwed(at now: Instant, into effects: inout AgentEffects) {
        guard owesJoin, leaving == nil else { return }
        owesJoin = false
        announceJoin(at: now)
    }

    /// Unlike the accusation, the answer is told: who heard of the leave before us hears that it is none.
    private mutating func refute(_ leave: SerfLeave, at now: Instant, into effects: inout AgentEffects) {
        announceJoin(at: now)
        effects.events.append(.refutedLeave(leave.time))
    }

    /// Declares, for an operator, that a member means to go: one that failed has left then, everywhere; one that is
    /// there says otherwise.
    /// - Parameter isPrune: whether it is to be forgotten as soon as it is gone.
    /// - Throws: `unknownMember`, for ourselves too.
    package mutating func forceLeave(
        _ member: MemberID, isPrune: Bool, at now: Instant, into effects: inout AgentEffects
    ) throws(AgentRefusal) {
        guard member != id, list[member] != nil else { throw .unknownMember }
        let leave = SerfLeave(time: clock.stamp(), node: directory.name(of: member), isPrune: isPrune)
        _ = takeLeave(leave, from: nil, at: now, into: &effects)
        tell(.leave(leave), in: .intents, at: now)
    }
}
