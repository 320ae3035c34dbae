// Who is listed: what gossip's events make of a member's standing, and when it is forgotten (serf-layer §4).

import Gossip
import GossipWire
import Vocabulary

extension SerfAgent {
    /// Gossip sees a member that it did not see.
    mutating func takeAppearance(of member: MemberID, at now: Instant, into effects: inout AgentEffects) {
        guard let record = membership.view(of: member)?.record else { return }
        var row: MemberList.Row
        if let known = list[member] {
            row = known
            row.record = record
            row.standing.appear()
        } else {
            makeRoom(into: &effects)
            row = MemberList.Row(standing: Standing(), record: record)
            if let intent = intents.removeIntent(of: directory.name(of: member), now: now) {
                row.standing = Standing(intent.isLeave ? .leaving : .alive, at: intent.time)
            }
        }
        row.departed = nil
        row.saidGoodbye = false
        row.isPruned = false
        list.update(member, row)
        membership.audience = list.count
        effects.events.append(.status(member, row.standing.status))
    }

    /// A member that is there bears another record.
    mutating func takeUpdate(of member: MemberID) {
        guard var row = list[member], let record = membership.view(of: member)?.record else { return }
        row.record = record
        list.update(member, row)
    }

    /// Gossip sees a member no more.
    /// - Parameter isOwnWord: whether it left, as gossip has it. Agents do not ask.
    mutating func takeDisappearance(
        of member: MemberID, byItsWord isOwnWord: Bool, at now: Instant, into effects: inout AgentEffects
    ) {
        guard var row = list[member] else { return }
        let before = row.standing.status
        row.standing.disappear()
        row.departed = row.departed ?? now
        row.saidGoodbye = row.saidGoodbye || isOwnWord || row.standing.status == .left
        vivaldi.forget(member.index)
        change(member, to: row, from: before, into: &effects)
    }

    /// Stores a member's row and says what became of its status; one that left and is to be pruned goes at once.
    mutating func change(
        _ member: MemberID, to row: MemberList.Row, from before: Standing.Status, into effects: inout AgentEffects
    ) {
        list.update(member, row)
        if row.standing.status != before { effects.events.append(.status(member, row.standing.status)) }
        if row.isPruned, row.standing.status == .left, member != id {
            erase([member], into: &effects)
        } else if let departed = row.departed, member != id {
            nextReap = min(nextReap, departed + options.keepsDepartedFor)
        }
    }

    // MARK: Forgetting

    /// Takes off the list who has been gone for a day.
    mutating func reap(at now: Instant, into effects: inout AgentEffects) {
        guard nextReap <= now else { return }
        let (own, kept) = (id, options.keepsDepartedFor)
        let due = list.order.filter { member in
            guard member != own, let departed = list[member]?.departed else { return false }
            return departed + kept <= now
        }
        erase(due, into: &effects)
        let first = list.firstReaping(after: kept, besides: own) ?? Instant(nanoseconds: .max)
        // Many members that went one after the other go together: each time costs a look at all of them.
        nextReap = max(first, now + AgentOptions.reapInterval)
        if first.nanoseconds == .max { nextReap = first }
    }

    private mutating func erase(_ members: [MemberID], into effects: inout AgentEffects) {
        guard !members.isEmpty else { return }
        // The name is released with the row: its last reader first.
        for member in members { effects.events.append(.reaped(member)) }
        let due = Set(members)
        list.remove { member, _ in due.contains(member) }
        membership.audience = list.count
    }

    /// Where names come and go without end, those that went first are forgotten before their day is over.
    private mutating func makeRoom(into effects: inout AgentEffects) {
        guard list.count >= 2 * memberLimit else { return }
        let own = id
        let departed = list.order.compactMap { member in
            member == own ? nil : list[member]?.departed.map { (member: member, since: $0) }
        }
        let oldest = departed.sorted { ($0.since, $0.member.index) < ($1.since, $1.member.index) }
        erase(oldest.prefix(max(1, memberLimit / 16)).map(\.member), into: &effects)
    }
}
