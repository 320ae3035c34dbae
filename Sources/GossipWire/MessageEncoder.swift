// From messages to bytes, as the reference writes them: keys in bytewise order, absent byte strings as nil.
//
// Appends to a buffer that the caller uses again; nothing else is allocated.

package import Gossip

/// Writes the messages of one process, whose names are in its directory.
package enum MessageEncoder {
    /// Appends a datagram's content: the message, or a compound of them.
    /// - Precondition: one to ``WireSize/longestCompound`` messages, each shorter than 64 KiB where there are several.
    package static func append(_ messages: [Message], to bytes: inout [UInt8], directory: Directory) {
        precondition(!messages.isEmpty && messages.count <= WireSize.longestCompound, "no compound of so many parts")
        if messages.count == 1 { return append(messages[0], to: &bytes, directory: directory) }
        bytes.append(MessageType.compound.rawValue)
        bytes.append(UInt8(messages.count))
        var length = bytes.count
        for _ in messages { bytes.append(bigEndian: UInt16(0)) }
        for message in messages {
            let start = bytes.count
            append(message, to: &bytes, directory: directory)
            let part = bytes.count - start
            precondition(part <= Int(UInt16.max), "a part of a compound is too long")
            bytes[length] = UInt8(part >> 8)
            bytes[length + 1] = UInt8(part & 0xFF)
            length += 2
        }
    }

    /// Appends one message, from its type byte on.
    package static func append(_ message: Message, to bytes: inout [UInt8], directory: Directory) {
        switch message {
        case .ping(let ping):
            append(ping, to: &bytes, directory: directory)
        case .indirectPing(let ping):
            append(ping, to: &bytes, directory: directory)
        case .ack(let ack):
            append(ack, to: &bytes)
        case .nack(let sequence):
            bytes.append(MessageType.nack.rawValue)
            bytes.append(map: 1)
            bytes.append(key: "SeqNo")
            bytes.append(unsigned: sequence)
        case .suspect(let accusation):
            bytes.append(MessageType.suspect.rawValue)
            append(accusation, to: &bytes, directory: directory)
        case .dead(let accusation):
            bytes.append(MessageType.dead.rawValue)
            append(accusation, to: &bytes, directory: directory)
        case .alive(let announcement):
            append(announcement, to: &bytes, directory: directory)
        case .user(let body):
            bytes.append(MessageType.user.rawValue)
            bytes.append(contentsOf: body)
        case .viewChecksum(let checksum):
            bytes.append(MessageType.user.rawValue)
            RemoraMessage.append(viewChecksum: checksum, to: &bytes)
        }
    }

    static func append(_ ping: Ping, to bytes: inout [UInt8], directory: Directory) {
        bytes.append(MessageType.ping.rawValue)
        bytes.append(map: 2 + sourceFields(ping.source, directory: directory))
        bytes.append(key: "Node")
        if let node = ping.node { bytes.append(text: directory.name(of: node)) } else { bytes.append(text: "") }
        bytes.append(key: "SeqNo")
        bytes.append(unsigned: ping.sequence)
        append(ping.source, to: &bytes, directory: directory)
    }

    private static func append(_ ping: IndirectPing, to bytes: inout [UInt8], directory: Directory) {
        bytes.append(MessageType.indirectPing.rawValue)
        bytes.append(map: 5 + sourceFields(ping.source, directory: directory))
        bytes.append(key: "Nack")
        bytes.append(boolean: ping.wantsNack)
        bytes.append(key: "Node")
        bytes.append(text: directory.name(of: ping.node))
        bytes.append(key: "Port")
        bytes.append(unsigned: ping.target.port)
        bytes.append(key: "SeqNo")
        bytes.append(unsigned: ping.sequence)
        append(ping.source, to: &bytes, directory: directory)
        bytes.append(key: "Target")
        bytes.append(rawOf: ping.target)
    }

    static func append(_ ack: Ack, to bytes: inout [UInt8]) {
        bytes.append(MessageType.ack.rawValue)
        bytes.append(map: 2)
        bytes.append(key: "Payload")
        bytes.append(rawOrNil: ack.payload)
        bytes.append(key: "SeqNo")
        bytes.append(unsigned: ack.sequence)
    }

    private static func append(_ accusation: Accusation, to bytes: inout [UInt8], directory: Directory) {
        bytes.append(map: 3)
        bytes.append(key: "From")
        bytes.append(text: directory.name(of: accusation.from))
        bytes.append(key: "Incarnation")
        bytes.append(unsigned: accusation.incarnation)
        bytes.append(key: "Node")
        bytes.append(text: directory.name(of: accusation.node))
    }

    private static func append(_ announcement: Announcement, to bytes: inout [UInt8], directory: Directory) {
        bytes.append(MessageType.alive.rawValue)
        bytes.append(map: 6)
        bytes.append(key: "Addr")
        bytes.append(rawOf: announcement.record.address)
        bytes.append(key: "Incarnation")
        bytes.append(unsigned: announcement.incarnation)
        bytes.append(key: "Meta")
        bytes.append(metaOf: announcement.record)
        bytes.append(key: "Node")
        bytes.append(text: directory.name(of: announcement.node))
        bytes.append(key: "Port")
        bytes.append(unsigned: announcement.record.address.port)
        bytes.append(key: "Vsn")
        bytes.append(versions: announcement.record.versions)
    }

    /// How many fields there are of a ping's source: each is left out where it is zero or empty.
    private static func sourceFields(_ source: PingSource?, directory: Directory) -> Int {
        guard let source else { return 0 }
        return 1 + (isNamed(source, directory: directory) ? 1 : 0) + (source.address.port > 0 ? 1 : 0)
    }

    private static func append(_ source: PingSource?, to bytes: inout [UInt8], directory: Directory) {
        guard let source else { return }
        bytes.append(key: "SourceAddr")
        bytes.append(rawOf: source.address)
        if let node = source.node, isNamed(source, directory: directory) {
            bytes.append(key: "SourceNode")
            bytes.append(text: directory.name(of: node))
        }
        if source.address.port > 0 {
            bytes.append(key: "SourcePort")
            bytes.append(unsigned: source.address.port)
        }
    }

    private static func isNamed(_ source: PingSource, directory: Directory) -> Bool {
        source.node.map { directory.length(of: $0) > 0 } ?? false
    }
}

// MARK: - Fields of several messages

extension [UInt8] {
    /// An address without its port: four bytes for IPv4, or the reference takes it for another one.
    mutating func append(rawOf address: PeerAddress) {
        if address.isIPv4 {
            append(0xA4)
            append(bigEndian: UInt32(truncatingIfNeeded: address.low))
        } else {
            append(0xB0)
            append(bigEndian: address.high)
            append(bigEndian: address.low)
        }
    }

    mutating func append(metaOf record: MemberRecord) {
        if record.hasMeta { append(raw: record.meta) } else { appendNil() }
    }

    /// Six bytes or nil, never anything between: old releases crash on that (memberlist-wire §14).
    mutating func append(versions: MemberVersions) {
        guard versions != .absent else { return appendNil() }
        append(0xA6)
        append(versions.protocolMinimum)
        append(versions.protocolMaximum)
        append(versions.protocolSpoken)
        append(versions.delegateMinimum)
        append(versions.delegateMaximum)
        append(versions.delegateSpoken)
    }
}
