// What each node sends, in bytes as encoded.

package import Gossip

/// What the bytes of a message are for.
package enum TrafficKind: Int, Hashable, Sendable, CaseIterable {
    case ping, indirectPing, ack, nack, alive, suspect, dead, user, viewChecksum
    /// What packs several messages into a datagram.
    case framing
    case pushPull, streamPing, streamOther

    static let count = TrafficKind.allCases.count

    package init(_ message: Message) {
        switch message {
        case .ping: self = .ping
        case .indirectPing: self = .indirectPing
        case .ack: self = .ack
        case .nack: self = .nack
        case .alive: self = .alive
        case .suspect: self = .suspect
        case .dead: self = .dead
        case .user: self = .user
        case .viewChecksum: self = .viewChecksum
        }
    }

    package init(_ message: StreamMessage) {
        switch message {
        case .pushPull: self = .pushPull
        case .ping, .ack: self = .streamPing
        case .user, .error: self = .streamOther
        }
    }
}

/// Counts of what was sent, of one node or of several; IP, UDP and TCP headers, sealing and checksums are not in it.
package struct Traffic: Hashable, Sendable {
    package var datagrams: UInt64 = 0
    package var datagramBytes: UInt64 = 0
    /// Opened by the node.
    package var streams: UInt64 = 0
    /// Requests and answers that it wrote.
    package var streamBytes: UInt64 = 0

    package init() {}

    package var bytes: UInt64 { datagramBytes + streamBytes }

    package static func + (a: Traffic, b: Traffic) -> Traffic {
        var sum = a
        sum.datagrams += b.datagrams
        sum.datagramBytes += b.datagramBytes
        sum.streams += b.streams
        sum.streamBytes += b.streamBytes
        return sum
    }

    /// What was sent since an earlier count of the same nodes.
    package static func - (a: Traffic, b: Traffic) -> Traffic {
        var difference = a
        difference.datagrams -= b.datagrams
        difference.datagramBytes -= b.datagramBytes
        difference.streams -= b.streams
        difference.streamBytes -= b.streamBytes
        return difference
    }
}

/// The counts of all nodes of a world.
struct TrafficTable {
    private(set) var totals: [Traffic]
    /// Bytes by node and kind.
    private var kinds: [UInt64]

    init(nodes: Int) {
        totals = [Traffic](repeating: Traffic(), count: nodes)
        kinds = [UInt64](repeating: 0, count: nodes * TrafficKind.count)
    }

    func bytes(of kind: TrafficKind, from node: Int) -> UInt64 {
        kinds[node * TrafficKind.count + kind.rawValue]
    }

    /// The length of a datagram with these messages.
    static func length(of messages: [Message], in directory: Directory) -> Int {
        messages.reduce(framing(of: messages)) { $0 + $1.encodedLength(in: directory) }
    }

    /// A message stands alone; a compound has a type byte, a count and two bytes of length for each part
    /// (memberlist-wire §6).
    private static func framing(of messages: [Message]) -> Int { messages.count > 1 ? 2 + 2 * messages.count : 0 }

    /// Counts a datagram and tells its length.
    mutating func count(_ messages: [Message], from node: Int, in directory: Directory) -> Int {
        var length = TrafficTable.framing(of: messages)
        kinds[node * TrafficKind.count + TrafficKind.framing.rawValue] += UInt64(length)
        for message in messages {
            let bytes = message.encodedLength(in: directory)
            kinds[node * TrafficKind.count + TrafficKind(message).rawValue] += UInt64(bytes)
            length += bytes
        }
        totals[node].datagrams += 1
        totals[node].datagramBytes += UInt64(length)
        return length
    }

    mutating func count(_ message: StreamMessage, opens: Bool, from node: Int, in directory: Directory) {
        let length = UInt64(message.encodedLength(in: directory))
        kinds[node * TrafficKind.count + TrafficKind(message).rawValue] += length
        totals[node].streamBytes += length
        if opens { totals[node].streams += 1 }
    }
}
