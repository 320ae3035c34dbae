// Where a stream's message ends, found while its bytes come.
//
// A push-pull is a header, so many objects, and so many raw bytes; nothing says how long the objects are. Decoding from
// the start after every read would take quadratic time, which a peer that sends single bytes would be glad of. So the
// scanner remembers how far it has walked, and decoding happens once, at the end.

/// What is known of a message from the bytes that are there.
package enum StreamExtent: Hashable, Sendable {
    /// It is not all there: it has so many bytes at least.
    case partial(atLeast: Int)
    /// It is there, and this long; bytes behind it are another's.
    case whole(Int)
    /// It will not be a message.
    case malformed(WireFault)
}

/// Finds the end of one message of a stream that is neither sealed nor labelled.
package struct StreamScanner: Sendable {
    /// A message's bytes at most, compressed or not.
    package static let longest = 40 << 20

    /// What comes next.
    private enum Stage {
        case type
        /// The map behind the type; what it says of the rest depends on the type.
        case header(MessageType)
        case members(left: Int, userState: Int)
        /// The end is known.
        case tail(end: Int)
        case failed(WireFault)
    }

    private var stage = Stage.type
    private var reader = MessagePackReader()
    /// Over the object that is coming.
    private var walk = MessagePackWalk()

    package init() {}

    /// Goes on where the last call ended, with the bytes of that call and those that came since. The type byte is the
    /// first.
    /// - Complexity: all calls for one message together: O(its length).
    package mutating func scan(_ bytes: Span<UInt8>) -> StreamExtent {
        do throws(WireFault) {
            return try advance(in: bytes)
        } catch .cutShort {
            guard bytes.count < StreamScanner.longest else { return fail(.tooLong) }
            return .partial(atLeast: bytes.count + 1)
        } catch {
            return fail(error)
        }
    }

    private mutating func fail(_ fault: WireFault) -> StreamExtent {
        stage = .failed(fault)
        return .malformed(fault)
    }

    private mutating func advance(in bytes: Span<UInt8>) throws(WireFault) -> StreamExtent {
        while true {
            switch stage {
            case .type:
                guard !bytes.isEmpty else { throw .cutShort }
                stage = .header(try StreamScanner.type(bytes[0]))
                reader = MessagePackReader(at: 1)
            case .header(let type):
                try walk.advance(&reader, in: bytes, bound: StreamScanner.longest)
                walk = MessagePackWalk()
                stage = try stage(behindHeaderOf: type, in: bytes)
            case .members(0, let userState):
                stage = .tail(end: reader.position + userState)
            case .members(let left, let userState):
                try walk.advance(&reader, in: bytes, bound: StreamScanner.longest)
                walk = MessagePackWalk()
                stage = .members(left: left - 1, userState: userState)
            case .tail(let end):
                guard end <= StreamScanner.longest else { throw .tooLong }
                return bytes.count < end ? .partial(atLeast: end) : .whole(end)
            case .failed(let fault):
                throw fault
            }
        }
    }

    private static func type(_ byte: UInt8) throws(WireFault) -> MessageType {
        guard let type = MessageType(rawValue: byte) else { throw .unexpectedType(byte) }
        switch type {
        case .ping, .ack, .pushPull, .user, .compress, .error: return type
        case .indirectPing, .suspect, .alive, .dead, .compound, .encrypt, .nack, .checksum, .label:
            throw .unexpectedType(byte)
        }
    }

    /// Reads the header that was walked over, so that it is all there.
    private func stage(behindHeaderOf type: MessageType, in bytes: Span<UInt8>) throws(WireFault) -> Stage {
        var header = MessagePackReader(at: 1)
        switch type {
        case .pushPull:
            let counts = try header.pushPullHeader(in: bytes)
            return .members(left: counts.members, userState: counts.userState)
        case .user:
            return .tail(end: reader.position + (try header.userLength(in: bytes)))
        case .ping, .ack, .compress, .error, .indirectPing, .suspect, .alive, .dead, .compound, .encrypt, .nack,
            .checksum, .label:
            return .tail(end: reader.position)
        }
    }
}
