// What a driver needs of the core that it drives.
//
// `Membership` has it. So has what speaks Serf on top of it, and takes its place here. A protocol, since the driver is
// the same for both and asks nothing else of them; each driver is compiled for the one that it has.

package import Gossip
package import Vocabulary

/// A core of gossip: messages, answers, time and commands in; effects out. What each does is ``Gossip/Membership``'s to
/// say.
package protocol GossipCore {
    var id: MemberID { get }
    var nextWake: Instant { get }

    mutating func start(at now: Instant, into effects: inout Effects)
    mutating func join(_ seeds: [PeerAddress], at now: Instant, into effects: inout Effects)
    mutating func leave(at now: Instant, into effects: inout Effects)
    mutating func wake(at now: Instant, into effects: inout Effects)
    mutating func receive(_ message: Message, from sender: PeerAddress, at now: Instant, into effects: inout Effects)
    mutating func receive(
        _ message: StreamMessage, on stream: StreamID, from peer: PeerAddress, at now: Instant,
        into effects: inout Effects)
    mutating func fail(_ stream: StreamID, at now: Instant, into effects: inout Effects)
    mutating func failSending(to address: PeerAddress, isOurs: Bool, at now: Instant, into effects: inout Effects)

    func view(of id: MemberID) -> Membership.View?
    func forEachMember(_ body: (Membership.View) -> Void)
    /// Members alive or suspect, ourselves included.
    var present: Int { get }
    var listed: Int { get }
    var healthScore: Int { get }
    var queued: Int { get }
    var viewChecksum: UInt64 { get }
}

extension Membership: GossipCore {}
