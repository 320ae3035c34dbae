// What a core wants done. The driver and the simulator carry it out alike.

package import Vocabulary

/// One packet to be sent.
package struct Datagram: Sendable {
    package var to: PeerAddress
    /// Who is there, where it is known: it may be sent a checksum then (memberlist-wire §8).
    package var recipient: MemberID?
    /// One at least; the first is what the datagram is for, the others ride along.
    package var messages: [Message]

    package init(to: PeerAddress, recipient: MemberID?, messages: [Message]) {
        self.to = to
        self.recipient = recipient
        self.messages = messages
    }
}

/// A stream between two members, as the one that holds this number calls it. Who opens numbers from its core; who
/// accepts, from its driver.
package struct StreamID: Hashable, Sendable {
    package enum Side: Hashable, Sendable { case opened, accepted }
    package let side: Side
    package let number: UInt32

    package init(side: Side, number: UInt32) {
        self.side = side
        self.number = number
    }
}

package enum StreamEffect: Sendable {
    /// Connect, send this, hand over the answer if one `isAwaited`, and close; report a failure until the deadline,
    /// connecting included.
    case open(StreamID, to: PeerAddress, request: StreamMessage, isAnswered: Bool, deadline: Instant)
    /// Send this as the answer and close.
    case answer(StreamID, StreamMessage)
    /// Close without an answer, or give up.
    case close(StreamID)
}

/// Something that the application, the log or a user wants to know.
package enum MembershipEvent: Sendable {
    /// A member is there that was not, or was dead or left.
    case joined(MemberID)
    /// A member that is there bears another record.
    case updated(MemberID)
    case suspected(MemberID)
    /// A suspect is alive after all, by its own word.
    case cleared(MemberID)
    case died(MemberID)
    case left(MemberID)
    /// Its record is no longer kept.
    case forgotten(MemberID)
    /// Somebody accused us, at this incarnation; we said otherwise.
    case refuted(accuser: MemberID?, incarnation: UInt32)
    /// The same name from two addresses; the first stays.
    case conflict(MemberID, claimed: PeerAddress)
    /// Datagrams do not get through to it, streams do.
    case datagramsLost(MemberID)
    /// Our own clock jumped: we were not running for this long, and blame nobody for it.
    case stalled(Duration)
    /// A seed was joined through a push-pull, or was not.
    case seedJoined(PeerAddress)
    case seedFailed(PeerAddress)
    /// Our leave was told often enough.
    case leaveSpread
    /// An application's message.
    case user([UInt8], from: PeerAddress)
    /// An application's part of a push-pull, with whether it was a join.
    case userState([UInt8], isJoin: Bool, from: PeerAddress)
    /// An answer to a direct ping: its round trip and the application's payload.
    case measured(MemberID, roundTrip: Duration, payload: [UInt8])
    /// A whole push-pull was refused: versions that would poison the fleet.
    case refusedExchange(from: PeerAddress?, reason: String)
}

/// A buffer of effects, kept by the caller and emptied after each use, so that a steady state allocates nothing.
package struct Effects: Sendable {
    package var datagrams: [Datagram] = []
    package var streams: [StreamEffect] = []
    package var events: [MembershipEvent] = []

    package init() {}

    package var isEmpty: Bool { datagrams.isEmpty && streams.isEmpty && events.isEmpty }

    package mutating func removeAll() {
        datagrams.removeAll(keepingCapacity: true)
        streams.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
    }
}
