// Why bytes got no further than the layers around a message, for logs and counters.

/// What a peer did wrong with label, sealing or checksum, or what we could not do. No message was seen.
package enum LayerFault: Error, Hashable, Sendable {
    /// There are no bytes: an empty datagram, or nothing within a layer.
    case empty
    /// A layer where none may be, by its type byte: a checksum in a checksum, a second label, a stream's frame in a
    /// datagram.
    case misplaced(UInt8)

    /// A label without bytes, or one that ends with the datagram.
    case badLabel
    /// Another fleet's label.
    case otherLabel
    /// No label where ours was expected.
    case noLabel
    /// A label where whoever handed the bytes over should have removed it.
    case unexpectedLabel

    /// Not sealed, though we have keys and verify what comes.
    case notSealed
    /// Sealed, though we have no key.
    case noKey
    /// The first byte of what should be sealed names no version; most likely it is not sealed at all.
    case unknownSeal(version: UInt8)
    /// Shorter than any sealed text.
    case sealTooShort(length: Int)
    /// None of our keys opens it: another key, another label, or damage. "Key mismatch?" as the reference asks.
    case noKeyOpens
    /// Opened, but not padded as version 0 is: most likely the version byte was changed, which nothing vouches for.
    case badPadding

    /// A checksum that is cut short.
    case checksumTooShort
    case wrongChecksum(found: UInt32, computed: UInt32)

    /// A stream's frame says that it is longer than ``StreamReader/longestFrame``.
    case frameTooLong(length: Int)
    /// A stream ended within its message, with this many bytes there.
    case cutShort(length: Int)
    /// A stream's message that is neither sealed nor a message.
    case notMessage(WireFault)

    /// Ours: OpenSSL had no entropy, or failed. Nothing was written.
    case sealingFailed
}

extension LayerFault {
    /// Whether who accepted the stream says so in an error message before it closes, as the reference does where it
    /// cannot get at the message (memberlist-wire §11.4); a compression that does not expand is answered too.
    package var isAnswered: Bool {
        switch self {
        case .notSealed, .noKey, .unknownSeal, .sealTooShort, .noKeyOpens, .badPadding, .frameTooLong: true
        case .empty, .misplaced, .badLabel, .otherLabel, .noLabel, .unexpectedLabel, .checksumTooShort, .wrongChecksum,
            .cutShort, .notMessage, .sealingFailed:
            false
        }
    }
}

extension LayerFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "no bytes"
        case .misplaced(let type): "a layer of type \(type) where none may be"
        case .badLabel: "a label that is empty or cut short"
        case .otherLabel: "another label than ours"
        case .noLabel: "no label where ours was expected"
        case .unexpectedLabel: "a label where it should have been removed before"
        case .notSealed: "not encrypted, and we insist on it"
        case .noKey: "encrypted, and we have no key"
        case .unknownSeal(let version): "not encrypted in a known way: first byte \(version)"
        case .sealTooShort(let length): "\(length) bytes, too few to be encrypted"
        case .noKeyOpens: "none of our keys opens it: key mismatch?"
        case .badPadding: "decrypted, but not padded as its version is"
        case .checksumTooShort: "a checksum cut short"
        case .wrongChecksum(let found, let computed): "checksum \(found) where \(computed) is right"
        case .frameTooLong(let length): "an encrypted stream of \(length) bytes, beyond the limit"
        case .cutShort(let length): "the stream ended after \(length) bytes, within its message"
        case .notMessage(let fault): "\(fault)"
        case .sealingFailed: "OpenSSL could not encrypt"
        }
    }
}
