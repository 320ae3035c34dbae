// What a driver needs of the core that it drives.
//
// `Membership` has it. So may what speaks Serf on top of a membership, and take its place here: its effects hold those of
// gossip and events of its own, and its leave has stages of its own. Protocols, since the driver is the same for both and
// asks nothing else of them; each driver is compiled for the one that it has.

package import Gossip
package import Vocabulary

/// A core of gossip: messages, answers, time and commands in; work out. What each does is ``Gossip/Membership``'s to say.
package protocol GossipCore {
    associatedtype Work: CoreWork

    var id: MemberID { get }
    var nextWake: Instant { get }
    /// Who is in the fleet.
    var fleet: Membership { get }

    mutating func start(at now: Instant, into effects: inout Work)
    mutating func join(_ seeds: [PeerAddress], at now: Instant, into effects: inout Work)
    mutating func leave(at now: Instant, into effects: inout Work)
    mutating func wake(at now: Instant, into effects: inout Work)
    mutating func receive(_ message: Message, from sender: PeerAddress, at now: Instant, into effects: inout Work)
    mutating func receive(
        _ message: StreamMessage, on stream: StreamID, from peer: PeerAddress, at now: Instant,
        into effects: inout Work)
    mutating func fail(_ stream: StreamID, at now: Instant, into effects: inout Work)
    mutating func failSending(to address: PeerAddress, isOurs: Bool, at now: Instant, into effects: inout Work)

    /// Whether all that is to be told of our leave has been told.
    var hasSaidGoodbye: Bool { get }
    /// How long that may take; then the driver goes on as if it had been.
    static var longestGoodbye: Duration { get }
    /// How long pings are answered after it; zero for a core that sees to that itself.
    static var linger: Duration { get }
}

/// A buffer of what a core wants done and has to say.
package protocol CoreWork {
    associatedtype Event: CoreEvent

    init()
    /// Datagrams and streams.
    var gossip: Effects { get }
    /// What its owner wants to hear.
    var told: [Event] { get }
    var isEmpty: Bool { get }
    mutating func removeAll()
}

package protocol CoreEvent {
    /// Whether a member is another, or another way, than before.
    var changesMembers: Bool { get }
}

// MARK: - Membership is one

extension Membership: GossipCore {
    package var fleet: Membership { self }
    package static var longestGoodbye: Duration { .seconds(5) }
    /// Who finds us gone before the leave has reached it would suspect us.
    package static var linger: Duration { .seconds(1) }
}

extension Effects: CoreWork {
    package var gossip: Effects { self }
    package var told: [MembershipEvent] { events }
}

extension MembershipEvent: CoreEvent {
    package var changesMembers: Bool {
        switch self {
        case .joined, .updated, .suspected, .cleared, .died, .left, .forgotten, .refuted: true
        case .conflict, .datagramsLost, .stalled, .seedJoined, .seedFailed, .leaveSpread, .user, .userState, .measured,
            .refusedExchange:
            false
        }
    }
}
