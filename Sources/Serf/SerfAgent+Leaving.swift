// Our own leave. Agents show it as one only if the intent reaches them before gossip's goodbye does, so that each stage
// waits until the one before has spread (serf-layer §4).

import Gossip
import GossipWire
package import Vocabulary

extension SerfAgent {
    /// Leaves for good; ``AgentEvent/leave(_:)`` tells of each stage, the last being that the sockets may be closed.
    package mutating func leave(at now: Instant, into effects: inout AgentEffects) {
        guard leaving == nil, var row = list[id] else { return }
        let before = row.standing.status
        // Above our last join, which the clock has counted: at or below it the leave would be lost.
        let time = clock.stamp()
        _ = row.standing.takeLeave(at: time)
        enter(.announcing, until: now + options.leaveTimeout, into: &effects)
        change(id, to: row, from: before, into: &effects)
        if membership.present > 1 {
            intentSpreads = now + options.intentSpread
            tell(.leave(SerfLeave(time: time, node: name)), in: .intents, replacingOwn: true, at: now)
        }
        digest(&effects, since: effects.gossip.streams.count, at: now)
    }

    /// Goes on to the next stage, if it is time.
    mutating func proceedLeaving(at now: Instant, into effects: inout AgentEffects) {
        guard let leaving else { return }
        switch leaving.stage {
        case .announcing:
            let isSpread = now >= intentSpreads && !membership.isTellingOwn(in: .intents)
            guard now >= leaving.deadline || isSpread else { return }
            enter(.departing, until: now + options.leaveTimeout, into: &effects)
            membership.leave(at: now, into: &effects.gossip)
        case .departing:
            if now >= leaving.deadline { linger(at: now, into: &effects) }
        case .lingering:
            if now >= leaving.deadline { enter(.gone, until: now, into: &effects) }
        case .gone: break
        }
    }

    /// Gossip's goodbye was told, or is not told in time.
    mutating func linger(at now: Instant, into effects: inout AgentEffects) {
        guard leaving?.stage == .departing else { return }
        enter(.lingering, until: now + options.linger, into: &effects)
    }

    private mutating func enter(_ stage: LeaveStage, until deadline: Instant, into effects: inout AgentEffects) {
        leaving = (stage, deadline)
        effects.events.append(.leave(stage))
    }
}
