package import Vocabulary

/// One member of a fleet (stub of the interface; the core is being written).
package struct Membership: Sendable {
    package init(
        name: MemberID, record: MemberRecord, options: GossipOptions, directory: Directory, random: SeededRandom
    ) {
        fatalError()
    }

    /// Knows these from the start, as though it had merged them long ago; the simulator's warm start.
    package mutating func preload(_ claims: [MemberClaim], at now: Instant) { fatalError() }

    /// Begins to probe, gossip and exchange. Before it nothing is sent.
    package mutating func start(at now: Instant, into effects: inout Effects) { fatalError() }

    /// Takes one message of a datagram.
    package mutating func receive(
        _ message: Message, from sender: PeerAddress, at now: Instant, into effects: inout Effects
    ) { fatalError() }

    /// Takes a request of an accepted stream, or the answer on one that we opened. `peer` is the stream's other end.
    package mutating func receive(
        _ message: StreamMessage, on stream: StreamID, from peer: PeerAddress, at now: Instant,
        into effects: inout Effects
    ) { fatalError() }

    /// A stream that we opened came to nothing: refused, timed out, or ended without the answer.
    package mutating func fail(_ stream: StreamID, at now: Instant, into effects: inout Effects) { fatalError() }

    /// When ``wake(at:into:)`` wants to be called; changes with every call of a mutating method.
    package var nextWake: Instant { fatalError() }

    /// Does what is due. Being called early does nothing; being called late is a stall of our own, and noticed.
    package mutating func wake(at now: Instant, into effects: inout Effects) { fatalError() }

    /// Push-pulls with each of these at once.
    package mutating func join(_ seeds: [PeerAddress], at now: Instant, into effects: inout Effects) { fatalError() }

    /// Says goodbye; `leaveSpread` follows. Pings are answered still.
    package mutating func leave(at now: Instant, into effects: inout Effects) { fatalError() }

    /// Bears another meta from now on, one incarnation higher.
    package mutating func update(_ record: MemberRecord, at now: Instant, into effects: inout Effects) { fatalError() }

    /// A member as seen from here.
    package struct View: Sendable {
        package var id: MemberID
        package var state: MemberState
        package var incarnation: UInt32
        package var record: MemberRecord
        /// When it came into this state.
        package var since: Instant
    }

    package var id: MemberID { fatalError() }
    package var incarnation: UInt32 { fatalError() }
    /// Nil for a name that is not listed.
    package func view(of id: MemberID) -> View? { fatalError() }
    /// Calls with every listed member, ourselves included, in no order that means anything.
    package func forEachMember(_ body: (View) -> Void) { fatalError() }
    /// Listed members, ourselves included, whatever their state; `n` of every formula.
    package var listed: Int { fatalError() }
    /// Members alive or suspect, ourselves included.
    package var present: Int { fatalError() }
    /// Equal where the same members are present at the same incarnations.
    package var viewChecksum: UInt64 { fatalError() }
    /// Lifeguard's local health: 0 is well.
    package var health: Int { fatalError() }
    /// Bytes of memory for what is known of others (tables, queues, suspicions), shared records apart.
    package var stateBytes: Int { fatalError() }
}
