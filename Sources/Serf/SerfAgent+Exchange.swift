// What Serf adds to a push-pull (serf-layer §5): clocks, who last meant what, and the events of late.

import Gossip
import GossipWire
import Vocabulary

extension SerfAgent {
    /// Room for 512 of the usual events and the times of 65,536 members; of smaller elements there are millions in it.
    static let longestUserState = 4 << 20

    /// Our own. Of others we tell what we were told: a status time made up here would outvote theirs.
    func userState() -> [UInt8] {
        var state = SerfState(
            time: clock.time, statuses: [], left: [], eventTime: eventClock.time, queryTime: queryClock.time)
        for member in list.order {
            // Of a leave that is under way its time would be taken for a join's, and the leave itself for old.
            guard let row = list[member], member == id || row.standing.time.value > 0,
                row.standing.status != .leaving
            else { continue }
            let name = directory.name(of: member)
            state.statuses.append(SerfState.Status(node: name, time: row.standing.time))
            if row.standing.status == .left { state.left.append(name) }
        }
        state.events = events.groups.map { SerfState.Events(time: $0.time, events: $0.items.map(\.event)) }
        var bytes: [UInt8] = []
        SerfMessage.state(state).append(to: &bytes)
        return bytes
    }

    /// Takes a peer's. Nothing of it is told on: whoever is to know it exchanges too.
    mutating func take(
        userState bytes: [UInt8], isJoin: Bool, from sender: PeerAddress, at now: Instant,
        into effects: inout AgentEffects
    ) {
        let state: SerfState
        do throws(WireFault) {
            guard bytes.count <= SerfAgent.longestUserState else { throw .tooLong }
            guard case .state(let read) = try SerfMessage(reading: bytes.span) else {
                throw .unexpectedType(bytes.first ?? 0)
            }
            state = read
        } catch {
            return effects.events.append(.refused(from: sender, error))
        }
        clock.witness(clockShowing: state.time)
        eventClock.witness(clockShowing: state.eventTime)
        queryClock.witness(clockShowing: state.queryTime)
        takeIntents(of: state, from: sender, at: now, into: &effects)
        // Those of before our join, but only of our own: a newcomer's clock says nothing about what we have seen.
        if isJoin, owesJoin, !options.takesOldEvents, eventClock.believes(state.eventTime) {
            events.raiseMinimum(to: state.eventTime)
        }
        for group in state.events {
            for event in group.events {
                let whole = SerfEvent(time: group.time, name: event.name, payload: event.payload, coalesces: false)
                _ = takeEvent(whole, from: nil, into: &effects)
            }
        }
        announceJoinIfOwed(at: now, into: &effects)
    }

    /// Leaves first: a join that was heard before would be in their way.
    private mutating func takeIntents(
        of state: SerfState, from sender: PeerAddress, at now: Instant, into effects: inout AgentEffects
    ) {
        // By bytes, as all names of peers are compared.
        let left = Set(state.left.map { Array($0.utf8) })
        for status in state.statuses where left.contains(Array(status.node.utf8)) {
            _ = takeLeave(
                SerfLeave(time: status.time, node: status.node), isReported: true, from: sender, at: now,
                into: &effects)
        }
        for status in state.statuses where !left.contains(Array(status.node.utf8)) {
            _ = takeJoin(SerfJoin(time: status.time, node: status.node), from: sender, at: now, into: &effects)
        }
    }
}
