// Single messages, from the type byte on (memberlist-wire §5). Names get their numbers last, so that a message that is
// refused for anything else leaves none behind.

import Gossip
import Vocabulary

extension MessageDecoder {
    /// Reads one message that is neither a compound nor compressed.
    mutating func message(_ bytes: Span<UInt8>) throws(WireFault) -> Message {
        guard !bytes.isEmpty else { throw .empty }
        var reader = MessagePackReader(at: 1)
        switch MessageType(rawValue: bytes[0]) {
        case .ping: return .ping(try ping(&reader, in: bytes))
        case .indirectPing: return .indirectPing(try indirectPing(&reader, in: bytes))
        case .ack: return .ack(try ack(&reader, in: bytes))
        case .nack: return .nack(sequence: try nack(&reader, in: bytes))
        case .suspect: return .suspect(try accusation(&reader, in: bytes))
        case .dead: return .dead(try accusation(&reader, in: bytes))
        case .alive: return .alive(try announcement(&reader, in: bytes))
        case .user: return RemoraMessage.message(ofUserBody: bytes.extracting(1...))
        case .compound, .compress, .pushPull, .encrypt, .checksum, .error, .label, nil:
            throw .unexpectedType(bytes[0])
        }
    }

    mutating func ping(_ reader: inout MessagePackReader, in bytes: Span<UInt8>) throws(WireFault) -> Ping {
        var sequence: UInt32 = 0
        var node = 0..<0
        var source = SourceFields()
        var fields = try reader.fields(of: PingKey.self, in: bytes)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .sequence: sequence = try reader.unsigned(in: bytes)
            case .node: node = try reader.text(in: bytes)
            case .sourceAddress: source.address = try reader.shortBytes(in: bytes)
            case .sourcePort: source.port = try reader.unsigned(in: bytes)
            case .sourceNode: source.node = try reader.text(in: bytes)
            }
        }
        let asker = try pingSource(source, in: bytes)
        return Ping(sequence: sequence, node: try optionalName(node, in: bytes), source: asker)
    }

    private mutating func indirectPing(
        _ reader: inout MessagePackReader, in bytes: Span<UInt8>
    ) throws(WireFault) -> IndirectPing {
        var sequence: UInt32 = 0
        var target = ShortBytes()
        var port: UInt16 = 0
        var node = 0..<0
        var wantsNack = false
        var source = SourceFields()
        var fields = try reader.fields(of: IndirectPingKey.self, in: bytes)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .sequence: sequence = try reader.unsigned(in: bytes)
            case .target: target = try reader.shortBytes(in: bytes)
            case .port: port = try reader.unsigned(in: bytes)
            case .node: node = try reader.text(in: bytes)
            case .nack: wantsNack = try reader.boolean(in: bytes)
            case .sourceAddress: source.address = try reader.shortBytes(in: bytes)
            case .sourcePort: source.port = try reader.unsigned(in: bytes)
            case .sourceNode: source.node = try reader.text(in: bytes)
            }
        }
        let address = try PeerAddress(target, port: port)
        let asker = try pingSource(source, in: bytes)
        return IndirectPing(
            sequence: sequence, target: address, node: try name(node, in: bytes), wantsNack: wantsNack, source: asker)
    }

    mutating func ack(_ reader: inout MessagePackReader, in bytes: Span<UInt8>) throws(WireFault) -> Ack {
        var sequence: UInt32 = 0
        // Gives a new buffer where a message still shares the old one.
        MessageDecoder.empty(&payload)
        var fields = try reader.fields(of: AckKey.self, in: bytes)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .sequence: sequence = try reader.unsigned(in: bytes)
            case .payload:
                MessageDecoder.empty(&payload)
                _ = try reader.appendBytes(to: &payload, in: bytes)
            }
        }
        return Ack(sequence: sequence, payload: payload.isEmpty ? [] : payload)
    }

    private func nack(_ reader: inout MessagePackReader, in bytes: Span<UInt8>) throws(WireFault) -> UInt32 {
        var sequence: UInt32 = 0
        var fields = try reader.fields(of: NackKey.self, in: bytes)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .sequence: sequence = try reader.unsigned(in: bytes)
            }
        }
        return sequence
    }

    private func accusation(
        _ reader: inout MessagePackReader, in bytes: Span<UInt8>
    ) throws(WireFault) -> Accusation {
        var incarnation: UInt32 = 0
        var node = 0..<0
        var from = 0..<0
        var fields = try reader.fields(of: AccusationKey.self, in: bytes)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .incarnation: incarnation = try reader.unsigned(in: bytes)
            case .node: node = try reader.text(in: bytes)
            case .from: from = try reader.text(in: bytes)
            }
        }
        let accused = try name(node, in: bytes)
        return Accusation(node: accused, incarnation: incarnation, from: try name(from, in: bytes))
    }

    private mutating func announcement(
        _ reader: inout MessagePackReader, in bytes: Span<UInt8>
    ) throws(WireFault) -> Announcement {
        var incarnation: UInt32 = 0
        var node = 0..<0
        var record = RecordFields()
        MessageDecoder.empty(&meta)
        var fields = try reader.fields(of: AliveKey.self, in: bytes)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .incarnation: incarnation = try reader.unsigned(in: bytes)
            case .node: node = try reader.text(in: bytes)
            case .address: record.address = try reader.shortBytes(in: bytes)
            case .port: record.port = try reader.unsigned(in: bytes)
            case .meta: record.hasMeta = try readMeta(&reader, in: bytes)
            case .versions: record.versions = try reader.shortBytes(in: bytes)
            }
        }
        let (member, said) = try named(node, record, in: bytes)
        return Announcement(node: member, incarnation: incarnation, record: said)
    }
}

// MARK: - What several messages have

/// The fields of a ping that say where its answer is wanted.
struct SourceFields {
    var address = ShortBytes()
    var port: UInt16 = 0
    var node = 0..<0
}

/// The fields of an announcement or a claim that make a record; its meta is in the decoder.
struct RecordFields {
    var address = ShortBytes()
    var port: UInt16 = 0
    var hasMeta = false
    var versions = ShortBytes()
}

extension MessageDecoder {
    /// Takes the meta of the record that is being read; false for nil.
    mutating func readMeta(_ reader: inout MessagePackReader, in bytes: Span<UInt8>) throws(WireFault) -> Bool {
        MessageDecoder.empty(&meta)
        return try reader.appendBytes(to: &meta, in: bytes)
    }

    /// Makes room for the next without giving memory back, unless one was so large that it would stay for nothing.
    static func empty(_ buffer: inout [UInt8]) {
        if buffer.capacity > 4 * MemberRecord.longestMetaTaken {
            buffer = []
        } else {
            buffer.removeAll(keepingCapacity: true)
        }
    }

    /// The member and the record of an announcement or a claim, all of whose fields were read.
    mutating func named(
        _ node: Range<Int>, _ fields: RecordFields, in bytes: Span<UInt8>
    ) throws(WireFault) -> (MemberID, MemberRecord) {
        let address = try PeerAddress(fields.address, port: fields.port)
        let versions = try MemberVersions(fields.versions)
        guard !node.isEmpty else { throw .badName }
        let member = try name(node, in: bytes)
        let said = record(of: member, address: address, hasMeta: fields.hasMeta, versions: versions)
        return (member, said)
    }

    /// The number of a name, which may be empty.
    func name(_ range: Range<Int>, in bytes: Span<UInt8>) throws(WireFault) -> MemberID {
        let text = bytes.extracting(range)
        guard let id = unsafe text.withUnsafeBytes({ unsafe directory.intern(bytes: $0) }) else { throw .badName }
        return id
    }

    private func optionalName(_ range: Range<Int>, in bytes: Span<UInt8>) throws(WireFault) -> MemberID? {
        range.isEmpty ? nil : try name(range, in: bytes)
    }

    /// Where an answer is wanted; nil unless both address and port are there (memberlist-wire §5).
    private func pingSource(_ fields: SourceFields, in bytes: Span<UInt8>) throws(WireFault) -> PingSource? {
        guard fields.address.count > 0 else { return nil }
        let address = try PeerAddress(fields.address, port: fields.port)
        guard fields.port > 0 else { return nil }
        return PingSource(address: address, node: try optionalName(fields.node, in: bytes))
    }
}

extension PeerAddress {
    /// Four bytes, or sixteen of which those that map an IPv4 address are that address.
    init(_ bytes: ShortBytes, port: UInt16) throws(WireFault) {
        func word(at start: Int, bytes count: Int) -> UInt64 {
            (start..<start + count).reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
        }
        switch bytes.count {
        case 4: self.init(SocketAddress.IPv4(bits: UInt32(word(at: 0, bytes: 4))), port: port)
        case 16:
            self.init(SocketAddress.IPv6(high: word(at: 0, bytes: 8), low: word(at: 8, bytes: 8)), port: port)
        default: throw .badAddress(length: bytes.count)
        }
    }
}

extension MemberVersions {
    /// Six numbers, or none at all.
    init(_ bytes: ShortBytes) throws(WireFault) {
        switch bytes.count {
        case 0: self = .absent
        case 6:
            self.init(
                protocolMinimum: bytes[0], protocolMaximum: bytes[1], protocolSpoken: bytes[2],
                delegateMinimum: bytes[3], delegateMaximum: bytes[4], delegateSpoken: bytes[5])
        default: throw .badVersions(length: bytes.count)
        }
    }
}
