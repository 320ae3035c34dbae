// Messages of streams, read and written whole (memberlist-wire §11).
//
// A push-pull has no length in front: its end is known when it has been walked over, which ``StreamScanner`` does as
// the bytes come. What is decoded here is all there, or refused.

package import Gossip

/// What a stream's message may hold at most (memberlist-wire §11.1).
package enum StreamLimit {
    /// Of the application's bytes, in a push-pull or a user message.
    package static let userBytes = 20 << 20
    /// Members of a push-pull.
    package static let members = 1 << 20
}

extension MessageDecoder {
    /// Reads a stream's message, which may be compressed once; bytes behind it are not looked at.
    package mutating func decodeStream(_ bytes: Span<UInt8>) throws(WireFault) -> StreamMessage {
        guard !bytes.isEmpty else { throw .empty }
        guard MessageType(rawValue: bytes[0]) == .compress else { return try streamMessage(bytes) }
        var expanded: [UInt8] = []
        try expandCompressed(bytes.extracting(1...), upTo: StreamScanner.longest, into: &expanded)
        return try streamMessage(expanded.span)
    }

    private mutating func streamMessage(_ bytes: Span<UInt8>) throws(WireFault) -> StreamMessage {
        var reader = MessagePackReader(at: 1)
        switch MessageType(rawValue: bytes[0]) {
        case .pushPull: return .pushPull(try pushPull(&reader, in: bytes))
        case .ping: return .ping(try ping(&reader, in: bytes))
        case .ack: return .ack(try ack(&reader, in: bytes))
        case .user:
            let length = try reader.userLength(in: bytes)
            return .user(try bytes.copy(length, at: reader.position))
        case .error: return .error(try errorText(&reader, in: bytes))
        case .indirectPing, .suspect, .alive, .dead, .compound, .compress, .encrypt, .nack, .checksum, .label, nil:
            throw .unexpectedType(bytes[0])
        }
    }

    private mutating func pushPull(
        _ reader: inout MessagePackReader, in bytes: Span<UInt8>
    ) throws(WireFault) -> PushPull {
        let header = try reader.pushPullHeader(in: bytes)
        var members: [MemberClaim] = []
        // A member's least bytes: so nothing is reserved for members that are not there.
        members.reserveCapacity(min(header.members, (bytes.count - reader.position) / 32))
        for _ in 0..<header.members { members.append(try claim(&reader, in: bytes)) }
        let userState = try bytes.copy(header.userState, at: reader.position)
        return PushPull(isJoin: header.isJoin, members: members, userState: userState)
    }

    private mutating func claim(
        _ reader: inout MessagePackReader, in bytes: Span<UInt8>
    ) throws(WireFault) -> MemberClaim {
        var node = 0..<0
        var incarnation: UInt32 = 0
        var state: UInt8 = 0
        var record = RecordFields()
        meta.removeAll(keepingCapacity: true)
        var fields = try reader.fields(of: ClaimKey.self, in: bytes)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .name: node = try reader.text(in: bytes)
            case .address: record.address = try reader.shortBytes(in: bytes)
            case .port: record.port = try reader.unsigned(in: bytes)
            case .meta: record.hasMeta = try readMeta(&reader, in: bytes)
            case .incarnation: incarnation = try reader.unsigned(in: bytes)
            case .state: state = try reader.unsigned(in: bytes)
            case .versions: record.versions = try reader.shortBytes(in: bytes)
            }
        }
        guard let state = MemberState(rawValue: state) else { throw .outOfRange }
        let (member, said) = try named(node, record, in: bytes)
        return MemberClaim(node: member, incarnation: incarnation, state: state, record: said)
    }

    private func errorText(_ reader: inout MessagePackReader, in bytes: Span<UInt8>) throws(WireFault) -> String {
        var text = 0..<0
        var fields = try reader.fields(of: ErrorKey.self, in: bytes)
        while let key = try fields.next(&reader, in: bytes) {
            switch key {
            case .text: text = try reader.text(in: bytes)
            }
        }
        return bytes.extracting(text).repairedText
    }
}

// MARK: - Headers, which tell where a message ends

struct PushPullHeader {
    var members = 0
    var userState = 0
    var isJoin = false
}

extension MessagePackReader {
    mutating func pushPullHeader(in bytes: Span<UInt8>) throws(WireFault) -> PushPullHeader {
        var header = PushPullHeader()
        var fields = try fields(of: PushPullKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .nodes: header.members = try count(upTo: StreamLimit.members, in: bytes)
            case .userStateLength: header.userState = try count(upTo: StreamLimit.userBytes, in: bytes)
            case .join: header.isJoin = try boolean(in: bytes)
            }
        }
        return header
    }

    /// The header of a user message: how many bytes follow it.
    mutating func userLength(in bytes: Span<UInt8>) throws(WireFault) -> Int {
        var length = 0
        var fields = try fields(of: UserStreamKey.self, in: bytes)
        while let key = try fields.next(&self, in: bytes) {
            switch key {
            case .length: length = try count(upTo: StreamLimit.userBytes, in: bytes)
            }
        }
        return length
    }
}

extension Span<UInt8> {
    /// So many bytes from here on.
    func copy(_ count: Int, at start: Int) throws(WireFault) -> [UInt8] {
        guard count <= self.count - start else { throw .cutShort }
        return unsafe extracting(start..<start + count).withUnsafeBufferPointer { unsafe [UInt8]($0) }
    }

    /// The text, with what is not UTF-8 replaced: for people to read.
    var repairedText: String {
        unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
