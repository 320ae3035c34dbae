// The Serf agent as the core that the driver drives: to agents we are one of them, and to the driver it is gossip with
// events and a goodbye of its own.

import Gossip
import GossipNet
import Serf
import Vocabulary

extension SerfAgent: GossipCore {
    var fleet: Membership { gossip }
    var hasSaidGoodbye: Bool { leaveStage == .gone }
    /// The intent, gossip's goodbye and the time for last pings, each with its own bound.
    static var longestGoodbye: Duration { .seconds(12) }
    /// The agent's last stage is that already.
    static var linger: Duration { .zero }
}

extension AgentEffects: CoreWork {
    var told: [AgentEvent] { events }
}

extension AgentEvent: CoreEvent {
    var changesMembers: Bool {
        switch self {
        case .member(let event): event.changesMembers
        case .status, .reaped: true
        case .event, .query, .keyring, .refutedLeave, .leave, .refused, .ignored: false
        }
    }
}
