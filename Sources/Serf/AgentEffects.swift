// What an agent wants done, and what it has to say to its user, its log, its keyring.

package import Gossip
package import GossipWire
package import Vocabulary

/// A buffer of effects, kept by the caller and emptied after each use.
package struct AgentEffects: Sendable {
    /// Datagrams and streams, to be carried out as ``Membership``'s; its events are in ``events``, each in its place.
    package var gossip = Effects()
    package var events: [AgentEvent] = []

    package init() {}

    package var isEmpty: Bool { gossip.isEmpty && events.isEmpty }

    package mutating func removeAll() {
        gossip.removeAll()
        events.removeAll(keepingCapacity: true)
    }
}

package enum AgentEvent: Sendable {
    /// What happened below Serf; everything but what is for Serf itself.
    case member(MembershipEvent)
    /// A member's status as agents have it is another.
    case status(MemberID, Standing.Status)
    /// A member is no longer listed here: gone for a day, or pruned.
    case reaped(MemberID)
    /// An operator's event, ours included.
    case event(SerfEvent)
    /// A question that is for us, to be answered with ``SerfAgent/answer(_:with:at:into:)`` or not at all.
    case query(name: String, payload: [UInt8], QueryTicket)
    /// A question about our keys, to be answered with ``SerfAgent/answer(_:keys:at:into:)``, be it that there are none.
    case keyring(KeyringCommand, QueryTicket)
    /// Somebody said that we leave, at this time; we said otherwise.
    case refutedLeave(LamportTime)
    /// How far our own leave is.
    case leave(LeaveStage)
    /// A peer sent what is no message of Serf's, or one that has no business there. Nothing has changed.
    case refused(from: PeerAddress, WireFault)
    /// A message that was understood and not taken.
    case ignored(from: PeerAddress?, IgnoredReason)
}

/// Why a message that is one was not taken.
package enum IgnoredReason: Hashable, Sendable {
    /// A time after which there is none. The reference's clock would begin at zero again.
    case endOfTime
    /// Older than 512 Lamport times, or than what we were told to forget.
    case tooOld
    /// More of one time than are told apart.
    case tooMany
    /// An event above ``AgentOptions/longestEventTaken``.
    case tooLong
    /// A query with too many filters, or with an expression beyond what is understood; not for us.
    case filterNotUnderstood
    /// We were asked to relay to somebody who is no member, or what is no answer to a query.
    case relayRefused
    /// An answer, though nothing was asked.
    case notAsked
}

/// What an operator wants of all keyrings.
package enum KeyringCommand: Hashable, Sendable {
    case list
    case install([UInt8])
    case use([UInt8])
    case remove([UInt8])
}

extension KeyringCommand: CustomStringConvertible {
    /// For a log, where no key belongs.
    package var description: String {
        switch self {
        case .list: "list"
        case .install(let key): "install a key of \(key.count) bytes"
        case .use(let key): "use a key of \(key.count) bytes"
        case .remove(let key): "remove a key of \(key.count) bytes"
        }
    }
}

/// The steps of a leave that is seen as one (serf-layer §4).
package enum LeaveStage: Hashable, Sendable {
    /// The intent is being told; we are still a member.
    case announcing
    /// Gossip's own goodbye is being told; nobody is probed any more.
    case departing
    /// Pings are still answered.
    case lingering
    /// The sockets may be closed.
    case gone
}

/// What is needed to answer one query. To be used once.
package struct QueryTicket: Hashable, Sendable {
    package let time: LamportTime
    package let id: UInt32
    /// Where the answer goes.
    package let source: PeerAddress
    package let sourceNode: String
    package let relayFactor: UInt8
    /// After this nobody waits for the answer.
    package let deadline: Instant
}

/// What our own user asked for and cannot have. Nothing has changed.
package enum AgentRefusal: Error, Hashable, Sendable {
    /// Tags take so many bytes; a member's record has room for ``MemberRecord/longestMeta``.
    case tagsTooLong(Int)
    /// Name and payload of an event take so many bytes, above ``AgentOptions/longestEvent``.
    case eventTooLong(Int)
    /// An answer takes so many bytes, above ``AgentOptions/longestAnswer``.
    case answerTooLong(Int)
    /// The query's deadline has passed.
    case tooLate
    /// There is no such member here, or it cannot be declared gone: it is ourselves.
    case unknownMember
    case leaving
}
