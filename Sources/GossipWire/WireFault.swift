// Why bytes were not taken. One enum for datagrams and streams: whoever counts or logs refusals asks in one place.

/// What a peer did wrong with the bytes of a message. What came before the fault in a datagram was still delivered.
package enum WireFault: Error, Hashable, Sendable {
    /// There are no bytes: an empty datagram, or nothing within a checksum or a compression.
    case empty
    /// A type that is unknown, or does not belong here: a push-pull in a datagram, gossip on a stream.
    case unexpectedType(UInt8)
    /// The bytes end within a value.
    case cutShort
    /// A byte that begins no MessagePack value.
    case notMessagePack(UInt8)
    /// A value of another kind than its field has: a string for a number, anything but a map or an array for a message.
    case wrongKind
    /// A number that its field cannot hold, or that exceeds a limit: a negative count, a state that is none.
    case outOfRange
    /// A name that is not UTF-8, or is empty where somebody has to be meant.
    case badName
    /// An address of this many bytes; 4 and 16 are right.
    case badAddress(length: Int)
    /// Version numbers of this many bytes; 6 are right, none are tolerated (memberlist-wire §5).
    case badVersions(length: Int)
    /// A coordinate that is not of eight finite dimensions, or another application's payload.
    case badCoordinate
    /// A compound without its table of lengths.
    case noPartTable
    /// A part of a compound without bytes.
    case emptyPart
    /// So many parts of a compound lie beyond its end.
    case partsLost(Int)
    /// Another algorithm of compression than LZW.
    case unknownAlgorithm(UInt8)
    /// Compressed bytes that do not expand, or expand beyond the limit.
    case badCompression
    /// More than ``MessageDecoder/deepestNesting`` compounds and compressions around each other.
    case nestedTooDeep
    /// A stream's message beyond ``StreamScanner/longest``.
    case tooLong
    /// More messages, or more that want an answer, than one datagram has to have.
    case tooMany
}

extension WireFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "no bytes"
        case .unexpectedType(let type): "a message of type \(type), which does not belong here"
        case .cutShort: "the bytes end within a value"
        case .notMessagePack(let byte): "a byte that begins no value: \(byte)"
        case .wrongKind: "a value of another kind than its field"
        case .outOfRange: "a number out of its field's range"
        case .badName: "a name that is empty or not UTF-8"
        case .badAddress(let length): "an address of \(length) bytes"
        case .badVersions(let length): "version numbers of \(length) bytes"
        case .badCoordinate: "a coordinate that is not eight finite dimensions"
        case .noPartTable: "a compound without its table of lengths"
        case .emptyPart: "an empty part in a compound"
        case .partsLost(let count): "a compound that ends before its last \(count) parts do"
        case .unknownAlgorithm(let algorithm): "compression with the unknown algorithm \(algorithm)"
        case .badCompression: "compressed bytes that do not expand within the limit"
        case .nestedTooDeep: "too many compounds and compressions within each other"
        case .tooLong: "a stream's message beyond the limit"
        case .tooMany: "more messages than one datagram may bear"
        }
    }
}
