// What members tell each other, as values. Bytes are GossipWire's business; how many there would be is `WireSize`'s.

/// A message of a datagram (memberlist-wire §5).
package enum Message: Sendable {
    case ping(Ping)
    case indirectPing(IndirectPing)
    case ack(Ack)
    /// "I could not reach the target of the indirect ping with this sequence number."
    case nack(sequence: UInt32)
    case alive(Announcement)
    case suspect(Accusation)
    /// With `from` equal to `node` it is a leave.
    case dead(Accusation)
    /// The application's; opaque here.
    case user([UInt8])
    /// Remora's own, to remoras only: the sender's ``Membership/viewChecksum``. On the wire a user message.
    case viewChecksum(UInt64)
}

/// Where an answer is wanted, and who asks; peers may leave it out.
package struct PingSource: Hashable, Sendable {
    package var address: PeerAddress
    package var node: MemberID?

    package init(address: PeerAddress, node: MemberID?) {
        self.address = address
        self.node = node
    }
}

package struct Ping: Hashable, Sendable {
    package var sequence: UInt32
    /// Who is believed to be there; nil is answered by anyone.
    package var node: MemberID?
    /// Nil: the answer goes where the datagram came from.
    package var source: PingSource?

    package init(sequence: UInt32, node: MemberID?, source: PingSource? = nil) {
        self.sequence = sequence
        self.node = node
        self.source = source
    }
}

package struct IndirectPing: Hashable, Sendable {
    package var sequence: UInt32
    package var target: PeerAddress
    package var node: MemberID
    package var wantsNack: Bool
    package var source: PingSource?

    package init(sequence: UInt32, target: PeerAddress, node: MemberID, wantsNack: Bool, source: PingSource? = nil) {
        self.sequence = sequence
        self.target = target
        self.node = node
        self.wantsNack = wantsNack
        self.source = source
    }
}

package struct Ack: Hashable, Sendable {
    package var sequence: UInt32
    /// The application's (Serf's coordinate); empty for none.
    package var payload: [UInt8]

    package init(sequence: UInt32, payload: [UInt8] = []) {
        self.sequence = sequence
        self.payload = payload
    }
}

/// "This member is there, and this is what it bears."
package struct Announcement: Sendable {
    package var node: MemberID
    package var incarnation: UInt32
    package var record: MemberRecord

    package init(node: MemberID, incarnation: UInt32, record: MemberRecord) {
        self.node = node
        self.incarnation = incarnation
        self.record = record
    }
}

/// "`from` says that `node` is suspect, or dead, at this incarnation."
package struct Accusation: Hashable, Sendable {
    package var node: MemberID
    package var incarnation: UInt32
    package var from: MemberID

    package init(node: MemberID, incarnation: UInt32, from: MemberID) {
        self.node = node
        self.incarnation = incarnation
        self.from = from
    }
}

// MARK: - Streams

/// A message of a stream (memberlist-wire §11): one request, at most one answer.
package enum StreamMessage: Sendable {
    case pushPull(PushPull)
    case ping(Ping)
    case ack(Ack)
    case user([UInt8])
    /// The acceptor could not read the request.
    case error(String)
}

/// Everything that one member knows, for another to merge.
package struct PushPull: Sendable {
    package var isJoin: Bool
    package var members: [MemberClaim]
    /// The application's; opaque here.
    package var userState: [UInt8]

    package init(isJoin: Bool, members: [MemberClaim], userState: [UInt8]) {
        self.isJoin = isJoin
        self.members = members
        self.userState = userState
    }
}

/// One member as another one sees it.
package struct MemberClaim: Sendable {
    package var node: MemberID
    package var incarnation: UInt32
    package var state: MemberState
    package var record: MemberRecord

    package init(node: MemberID, incarnation: UInt32, state: MemberState, record: MemberRecord) {
        self.node = node
        self.incarnation = incarnation
        self.state = state
        self.record = record
    }
}

/// How a member is seen. The numbers are the wire's, and order by what beats what at equal incarnation.
package enum MemberState: UInt8, Comparable, Sendable, CaseIterable {
    case alive = 0
    case suspect = 1
    case dead = 2
    case left = 3

    package static func < (a: MemberState, b: MemberState) -> Bool { a.rawValue < b.rawValue }

    /// Alive, or suspect and not yet given up.
    package var isPresent: Bool { self <= .suspect }
}
