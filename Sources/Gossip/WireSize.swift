// How many bytes a message takes on the wire, without writing it.
//
// The core fills datagrams up to a budget and the simulator counts traffic; neither writes bytes. So the lengths are
// sums: of keys, which are constants here, and of values. GossipWire's tests hold every answer against what it writes.

/// What messages take together, and the lengths of the parts that they are made of (memberlist-wire §4 and §6).
package enum WireSize {
    /// What a compound takes before its first part. A lone message needs no compound.
    package static let compoundOverhead = 2
    /// What each part of a compound takes beside its own bytes.
    package static let partOverhead = 2
    /// As many parts as every release in the field splits rightly; a receiver accepts 255.
    package static let longestCompound = 127

    /// What precedes a message's fields: its type and the map's header, one byte each.
    static let head = 2

    /// A map's key and an unsigned value.
    static func field(_ key: Key, _ value: Int) -> Int { key.rawValue + unsigned(value) }

    /// A map's key and a raw of this many bytes.
    static func field(_ key: Key, raw count: Int) -> Int { key.rawValue + raw(count) }

    /// A map's key and a nil, a boolean or a number below 128.
    static func byte(_ key: Key) -> Int { key.rawValue + 1 }

    private static func unsigned(_ value: Int) -> Int {
        switch value {
        case ..<0x80: 1
        case ..<0x100: 2
        case ..<0x1_0000: 3
        case ..<0x1_0000_0000: 5
        default: 9
        }
    }

    private static func raw(_ count: Int) -> Int {
        switch count {
        case ..<32: 1 + count
        case ..<0x1_0000: 3 + count
        default: 5 + count
        }
    }

    /// A key by its length on the wire, header included; keys of equal length share a case.
    enum Key: Int {
        /// `Vsn`
        case vsn = 4
        /// `Addr`, `From`, `Join`, `Meta`, `Nack`, `Name`, `Node`, `Port`
        case ofFour = 5
        /// `Error`, `Nodes`, `SeqNo`, `State`
        case ofFive = 6
        /// `Target`
        case target = 7
        /// `Payload`
        case payload = 8
        /// `SourceAddr`, `SourceNode`, `SourcePort`, `UserMsgLen`
        case ofTen = 11
        /// `Incarnation`
        case incarnation = 12
        /// `UserStateLen`
        case userStateLength = 13
    }
}

// MARK: - Messages of datagrams

extension Message {
    /// The bytes of this message alone, its type byte included: no compound, no compression, no checksum, no sealing.
    package func encodedLength(in directory: Directory) -> Int {
        switch self {
        case .ping(let ping):
            ping.encodedLength(in: directory)
        case .indirectPing(let ping):
            WireSize.head + WireSize.byte(.ofFour) + WireSize.field(.ofFour, raw: directory.length(of: ping.node))
                + WireSize.field(.ofFour, Int(ping.target.port)) + WireSize.field(.ofFive, Int(ping.sequence))
                + WireSize.field(.target, raw: ping.target.encodedLength)
                + (ping.source?.encodedLength(in: directory) ?? 0)
        case .ack(let ack):
            ack.encodedLength
        case .nack(let sequence):
            WireSize.head + WireSize.field(.ofFive, Int(sequence))
        case .alive(let announcement):
            WireSize.head + WireSize.field(.ofFour, raw: directory.length(of: announcement.node))
                + WireSize.field(.incarnation, Int(announcement.incarnation)) + announcement.record.encodedLength
        case .suspect(let accusation), .dead(let accusation):
            WireSize.head + WireSize.field(.ofFour, raw: directory.length(of: accusation.from))
                + WireSize.field(.incarnation, Int(accusation.incarnation))
                + WireSize.field(.ofFour, raw: directory.length(of: accusation.node))
        case .user(let body):
            1 + body.count
        case .viewChecksum:
            // The type, what marks it as remora's, and the checksum.
            1 + 3 + 8
        }
    }
}

extension Ping {
    fileprivate func encodedLength(in directory: Directory) -> Int {
        let name = node.map { directory.length(of: $0) } ?? 0
        return WireSize.head + WireSize.field(.ofFour, raw: name) + WireSize.field(.ofFive, Int(sequence))
            + (source?.encodedLength(in: directory) ?? 0)
    }
}

extension Ack {
    fileprivate var encodedLength: Int {
        WireSize.head + WireSize.field(.ofFive, Int(sequence))
            + (payload.isEmpty ? WireSize.byte(.payload) : WireSize.field(.payload, raw: payload.count))
    }
}

extension PingSource {
    /// Three fields; an empty name and the port zero are left out.
    fileprivate func encodedLength(in directory: Directory) -> Int {
        let name = node.map { directory.length(of: $0) } ?? 0
        return WireSize.field(.ofTen, raw: address.encodedLength)
            + (name > 0 ? WireSize.field(.ofTen, raw: name) : 0)
            + (address.port > 0 ? WireSize.field(.ofTen, Int(address.port)) : 0)
    }
}

extension PeerAddress {
    /// Of the address without its port, as a raw's content.
    fileprivate var encodedLength: Int { isIPv4 ? 4 : 16 }
}

extension MemberRecord {
    /// Of the four fields that a record makes in an announcement or a claim.
    fileprivate var encodedLength: Int {
        WireSize.field(.ofFour, raw: address.encodedLength)
            + (hasMeta ? WireSize.field(.ofFour, raw: meta.count) : WireSize.byte(.ofFour))
            + WireSize.field(.ofFour, Int(address.port))
            + (versions == .absent ? WireSize.byte(.vsn) : WireSize.field(.vsn, raw: 6))
    }
}

// MARK: - Messages of streams

extension StreamMessage {
    /// The bytes of this message on a stream that is neither compressed nor sealed nor labelled.
    /// - Complexity: O(members) for a push-pull.
    package func encodedLength(in directory: Directory) -> Int {
        switch self {
        case .pushPull(let exchange):
            exchange.encodedLength(in: directory)
        case .ping(let ping):
            ping.encodedLength(in: directory)
        case .ack(let ack):
            ack.encodedLength
        case .user(let body):
            WireSize.head + WireSize.field(.ofTen, body.count) + body.count
        case .error(let text):
            WireSize.head + WireSize.field(.ofFive, raw: text.utf8.count)
        }
    }
}

extension PushPull {
    fileprivate func encodedLength(in directory: Directory) -> Int {
        var length =
            WireSize.head + WireSize.byte(.ofFour) + WireSize.field(.ofFive, members.count)
            + WireSize.field(.userStateLength, userState.count) + userState.count
        for claim in members {
            // One byte for the map's header: claims have no type.
            length +=
                1 + WireSize.field(.ofFour, raw: directory.length(of: claim.node))
                + WireSize.field(.incarnation, Int(claim.incarnation)) + WireSize.byte(.ofFive)
                + claim.record.encodedLength
        }
        return length
    }
}
