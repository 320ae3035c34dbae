// What a claim about somebody changes (memberlist-behaviour §6).
//
// `Precedence` decides between claims about others; a claim about ourselves is never taken but answered, by an incarnation
// above it, unless we are leaving.

import Vocabulary

extension Membership {
    // MARK: Alive

    /// Somebody is there, by its own word passed on.
    mutating func take(_ heard: Announcement, at now: Instant, into effects: inout Effects) {
        var announcement = heard
        announcement.record = withPort(heard.record)
        if announcement.node == id { return takeOwn(announcement, at: now, into: &effects) }
        let record = announcement.record
        guard record.versions.arePlausible, announcement.incarnation > 0, directory.isName(announcement.node),
            record.meta.count <= MemberRecord.longestMetaTaken
        else { return }
        guard let known = table[announcement.node], let knownRecord = known.record else {
            return admit(announcement, at: now, into: &effects)
        }
        let claim = Claim(incarnation: announcement.incarnation, state: .alive)
        var isReclaimed = false
        if record.address != knownRecord.address {
            isReclaimed = mayReclaim(known, at: now)
            guard isReclaimed else {
                // Only what would have been taken is a conflict; an old rumour of an old address is not.
                if claim > known.claim {
                    effects.events.append(.conflict(announcement.node, claimed: record.address))
                }
                return
            }
        }
        // A name that is free again begins anew, be its incarnation what it may.
        guard isReclaimed || claim > known.claim else { return }
        clearSuspicion(of: announcement.node, at: now)
        let isBack = !known.state.isPresent
        let bearsNews = !record.says(knownRecord)
        set(
            announcement.node,
            MemberTable.Row(
                record: bearsNews ? record : knownRecord, since: known.state == .alive ? known.since : now,
                incarnation: announcement.incarnation, state: .alive),
            at: now)
        queue(.alive(announcement), about: announcement.node, at: now)
        if isBack {
            effects.events.append(.joined(announcement.node))
        } else {
            if known.state == .suspect { effects.events.append(.cleared(announcement.node)) }
            if bearsNews { effects.events.append(.updated(announcement.node)) }
        }
    }

    /// An announcement without a port means the one that everybody is bound to (memberlist-wire §5).
    private func withPort(_ record: MemberRecord) -> MemberRecord {
        guard record.address.port == 0, let own = table.row(of: id).record else { return record }
        var address = record.address
        address.port = own.address.port
        return MemberRecord(
            address: address, meta: record.hasMeta ? record.meta : nil, versions: record.versions,
            isRemora: record.isRemora)
    }

    private mutating func admit(_ announcement: Announcement, at now: Instant, into effects: inout Effects) {
        guard table.listed < options.memberLimit else { return }
        directory.hold(announcement.node)
        exchange.forgetLost(announcement.node, in: directory)
        let row = MemberTable.Row(
            record: announcement.record, since: now, incarnation: announcement.incarnation, state: .alive)
        table.insert(announcement.node, row, digest: directory.digest(of: announcement.node), random: &random)
        noteChange(at: now)
        queue(.alive(announcement), about: announcement.node, at: now)
        effects.events.append(.joined(announcement.node))
    }

    /// Whether a name may come back from another address: after a leave at once, after a death when the operator says so.
    private func mayReclaim(_ known: MemberTable.Row, at now: Instant) -> Bool {
        switch known.state {
        case .alive, .suspect: false
        case .left: true
        case .dead: pace.reclaimAfter > 0 && now.elapsed(since: known.since) > pace.reclaimAfter
        }
    }

    // MARK: Suspect

    /// Somebody says that a member may be dead.
    mutating func suspect(
        _ accusation: Accusation, evidence: Evidence, at now: Instant, into effects: inout Effects
    ) {
        let claim = Claim(incarnation: accusation.incarnation, state: .suspect)
        if accusation.node == id { return refute(claim, by: accusation.from, at: now, into: &effects) }
        guard directory.isName(accusation.from), let known = table[accusation.node] else { return }
        switch Precedence(of: claim, over: known.claim) {
        case .stale: return
        case .repeated:
            // Not about the accused, but about the time it has left.
            guard confirmSuspicion(of: accusation.node, by: accusation.from, evidence: evidence, at: now) else {
                return
            }
            queue(.suspect(accusation), about: accusation.node, at: now)
        case .accept:
            set(
                accusation.node,
                MemberTable.Row(
                    record: known.record, since: now, incarnation: accusation.incarnation, state: .suspect), at: now)
            beginSuspicion(
                of: accusation.node, incarnation: accusation.incarnation, by: accusation.from, evidence: evidence,
                at: now)
            queue(.suspect(accusation), about: accusation.node, at: now)
            // Its announcement at this incarnation passed us by: it had been there again.
            if !known.state.isPresent { effects.events.append(.joined(accusation.node)) }
            effects.events.append(.suspected(accusation.node))
        }
    }

    // MARK: Dead and left

    /// Takes a `dead` message: a death that somebody declares, or a leave.
    mutating func take(_ message: Message, at now: Instant, into effects: inout Effects) {
        guard case .dead(let accusation) = message else { preconditionFailure("only the dead are taken here") }
        let isLeave = accusation.from == accusation.node
        let claim = Claim(incarnation: accusation.incarnation, state: isLeave ? .left : .dead)
        if accusation.node == id, !isLeaving { return refute(claim, by: accusation.from, at: now, into: &effects) }
        guard directory.isName(accusation.from), let known = table[accusation.node], claim > known.claim else { return }
        let wasPresent = known.state.isPresent
        if isLeave {
            clearSuspicion(of: accusation.node, at: now)
        } else {
            recordDeath(of: accusation.node, incarnation: accusation.incarnation, by: accusation.from, at: now)
        }
        set(
            accusation.node,
            MemberTable.Row(
                record: known.record, since: now, incarnation: accusation.incarnation, state: claim.state), at: now)
        queue(message, about: accusation.node, at: now)
        if isLeave {
            effects.events.append(.left(accusation.node))
        } else if wasPresent {
            effects.events.append(.died(accusation.node))
        }
    }

    // MARK: About ourselves

    private mutating func takeOwn(_ announcement: Announcement, at now: Instant, into effects: inout Effects) {
        let row = table.row(of: id)
        guard !isLeaving, let record = row.record else { return }
        guard announcement.record.address == record.address else {
            return effects.events.append(.conflict(id, claimed: announcement.record.address))
        }
        // Our own words come back all the time. Words we never said are a former life's, or forged.
        guard announcement.incarnation >= row.incarnation else { return }
        if announcement.incarnation == row.incarnation, announcement.record.says(record) { return }
        refute(
            Claim(incarnation: announcement.incarnation, state: .alive), by: nil, at: now, into: &effects)
    }

    /// Says that we are alive, above the incarnation of a charge; what is below ours is past and needs no answer.
    ///
    /// Who has to refute is not as well as it thought (Lifeguard §IV-A). At the highest incarnation of all there is no
    /// answer left: the charge stands, and only another name helps.
    private mutating func refute(_ claim: Claim, by accuser: MemberID?, at now: Instant, into effects: inout Effects) {
        var row = table.row(of: id)
        guard !isLeaving, claim.incarnation >= row.incarnation, claim.incarnation < .max else { return }
        row.incarnation = claim.incarnation + 1
        table.update(id, row, digest: directory.digest(of: id))
        noteChange(at: now)
        health.change(by: 1)
        announceOurselves(at: now)
        effects.events.append(.refuted(accuser: accuser, incarnation: claim.incarnation))
    }

    /// Tells an accuser that what it tells us is past.
    ///
    /// A charge below our incarnation has been refuted, but its author, who tells it to our face (Lifeguard §IV-C), must
    /// have missed that, and nobody tells it again: it would declare us dead in the end. The reference ignores it. Only
    /// the author is answered, at the address where it is a member: what others pass on is no news to them.
    mutating func correct(_ accusation: Accusation, from sender: PeerAddress, into effects: inout Effects) {
        let row = table.row(of: id)
        guard accusation.node == id, accusation.incarnation < row.incarnation, !isLeaving, let record = row.record,
            table[accusation.from]?.record?.address == sender
        else { return }
        let answer = Announcement(node: id, incarnation: row.incarnation, record: record)
        effects.datagrams.append(Datagram(to: sender, recipient: accusation.from, messages: [.alive(answer)]))
    }

    /// Queues what we say of ourselves. It replaces what is queued about us, our accusers' words included.
    mutating func announceOurselves(at now: Instant) {
        let row = table.row(of: id)
        guard let record = row.record else { return }
        let announcement = Announcement(node: id, incarnation: row.incarnation, record: record)
        queue(.alive(announcement), about: id, at: now)
    }

    // MARK: Storing

    private mutating func set(_ member: MemberID, _ row: MemberTable.Row, at now: Instant) {
        table.update(member, row, digest: directory.digest(of: member))
        noteChange(at: now)
    }

    /// Views are compared once they have been quiet for a while, and soon.
    mutating func noteChange(at now: Instant) {
        exchange.lastChange = now
        exchange.comparisonPause = 0
    }
}

extension MemberVersions {
    /// Whether the range of protocols is one; the reference looks at nothing else in an announcement. One without any
    /// numbers is refused too: it would make every push-pull of the fleet fail (memberlist-wire §12).
    var arePlausible: Bool {
        protocolMinimum > 0 && protocolMaximum > 0 && protocolMinimum <= protocolMaximum
    }
}

extension Directory {
    /// Whether a member may be called so: no message about one with a longer name would fit into a datagram.
    func isName(_ id: MemberID) -> Bool { (1...MemberRecord.longestName).contains(length(of: id)) }
}
