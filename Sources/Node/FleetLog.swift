// What happens in the fleet, as log lines.
//
// A change of a member is a line. What strangers can bring about (refused bytes, conflicts) is limited, and told as a
// number.

import Gossip
import GossipNet
import Logging
import Serf
import Vocabulary

struct FleetLog {
    /// What others can bring about as often as they like.
    private enum Topic: Hashable {
        case conflict
        case exchange
        case refutation
        case serf
    }

    private let logger: Logger
    private let isEncrypted: Bool
    private var limiter = RateLimiter<Topic>()
    private var seedLimiter = RateLimiter<PeerAddress>()
    private var refusedBefore: UInt64 = 0
    private var refusalsAgain = Instant(nanoseconds: .min)
    /// The death of many is not many lines.
    private var members: LineBudget

    init(logger: Logger, isEncrypted: Bool) {
        self.logger = logger
        self.isEncrypted = isEncrypted
        members = LineBudget(
            logger: logger, leavingOut: "more changes of members; remora members shows what is so now")
    }

    /// - Parameter reason: who accused the member that the event is about, as a sentence.
    mutating func write(_ event: AgentEvent, names: Directory, because reason: String? = nil, at now: Instant) {
        switch event {
        case .member(let event): write(event, names: names, because: reason, at: now)
        case .event(let event): logger.debug("event \(event.name) with \(event.payload.count) bytes")
        case .query(let name, let payload, _): logger.debug("query \(name) with \(payload.count) bytes; not answered")
        case .refutedLeave:
            guard limiter.admits(.refutation, at: now) else { return }
            logger.info("somebody declared that this node leaves; it said otherwise")
        case .leave(.announcing): logger.notice("telling the fleet that this node leaves")
        case .refused(let peer, let fault):
            guard limiter.admits(.serf, at: now) else { return }
            logger.warning("a message for Serf from \(peer) was refused: \(fault)")
        // What changes a member is told by its other event; keys are told by their keeper.
        case .status, .reaped, .keyring, .leave, .ignored: break
        }
    }

    mutating func write(_ event: MembershipEvent, names: Directory, because reason: String? = nil, at now: Instant) {
        let why = reason.map { ": \($0)" } ?? ""
        switch event {
        case .joined(let id): members.write("member \(names.name(of: id)) is there", .info, at: now)
        case .updated(let id):
            members.write("member \(names.name(of: id)) bears other tags or versions", .info, at: now)
        case .suspected(let id): members.write("member \(names.name(of: id)) is suspect\(why)", .info, at: now)
        case .cleared(let id): members.write("member \(names.name(of: id)) is alive after all\(why)", .info, at: now)
        case .died(let id): members.write("member \(names.name(of: id)) is dead\(why)", .warning, at: now)
        case .left(let id): members.write("member \(names.name(of: id)) has left", .info, at: now)
        case .forgotten(let id): logger.debug("member \(names.name(of: id)) is no longer listed")
        case .refuted(let accuser, let incarnation):
            guard limiter.admits(.refutation, at: now) else { return }
            let who = accuser.map { names.name(of: $0) } ?? "somebody"
            logger.info("\(who) accused this node, which answers with incarnation \(incarnation)")
        case .conflict(let id, let claimed):
            guard limiter.admits(.conflict, at: now) else { return }
            logger.error(
                "two members are called \(names.name(of: id)): another one is at \(claimed); give one of them another node.name"
            )
        case .datagramsLost(let id):
            members.write(
                "member \(names.name(of: id)) is reached by TCP and not by UDP; let both through", .warning, at: now)
        case .stalled(let time):
            logger.warning("this process did not run for \(time.inSeconds) s; nobody is blamed for that time")
        case .seedJoined(let seed): logger.notice("joined the fleet through \(seed)")
        case .seedFailed(let seed):
            guard seedLimiter.admits(seed, at: now) else { return }
            logger.warning("\(seed) did not let this node join; it will be asked again")
        case .refusedExchange(let peer, let reason):
            guard limiter.admits(.exchange, at: now) else { return }
            logger.warning("an exchange with \(peer.map { "\($0)" } ?? "a peer") was refused: \(reason)")
        case .leaveSpread: logger.notice("the fleet has been told that this node leaves")
        case .user, .userState, .measured: break
        }
    }

    /// Says that bytes were refused, and how many times, and what was left out; to be called now and then.
    mutating func writeRefusals(_ counters: GossipCounters, last: GossipRefusal?, at now: Instant) {
        _ = seedLimiter.due(at: now)
        for (topic, leftOut) in limiter.due(at: now) {
            switch topic {
            case .conflict: logger.error("members with one name were heard of \(leftOut) more times since")
            case .exchange: logger.warning("exchanges were refused \(leftOut) more times since")
            case .refutation: logger.info("this node was accused \(leftOut) more times since")
            case .serf: logger.warning("messages for Serf were refused \(leftOut) more times since")
            }
        }
        members.endTurn(at: now)
        guard let last, counters.refused > refusedBefore, now >= refusalsAgain else { return }
        refusalsAgain = now + RateLimiter<Topic>.interval
        let count = counters.refused - refusedBefore
        refusedBefore = counters.refused
        let remedy =
            last.fault.isOfKeysOrLabels
            ? "; \(isEncrypted ? "membership.keys" : "membership.keys (this node has none)") or membership.label differ there"
            : ""
        let messages = count == 1 ? "1 message" : "\(count) messages"
        logger.warning("refused \(messages) of gossip, the last from \(last.sender): \(last.fault)\(remedy)")
    }
}
