// The layers around memberlist's messages (memberlist-wire §2): what a member wraps each message in, and takes off.
//
//     a packet:  label | sealing | checksum | message, perhaps compressed
//     a stream:  label | frame and sealing  | message, perhaps compressed
//
// One value holds what both need: options, keys, and buffers that are used again, so that packets allocate nothing.
// Taking off compression is the message decoder's business, since a compound may hold compressed messages.

/// Which layers a member puts on, and which it insists on.
package struct LayerOptions: Sendable {
    package var label = Label.none
    package var labelCheck = LabelCheck.own
    /// Whether packets that get smaller by it, and all streams, are compressed.
    package var compresses = true
    /// How we seal; both versions are opened. The padded one is for fleets that speak protocol 1.
    package var sealVersion = SealVersion.plain
    /// With keys: whether what is not sealed is refused. Off while a live fleet turns to encryption.
    package var verifiesIncoming = true
    /// With keys: whether we seal what we send. Off while a live fleet turns to encryption.
    package var sealsOutgoing = true

    package init() {}
}

/// Puts layers on and takes them off, for all peers of one member. For one thread at a time.
package struct Layers<Cipher: PacketCipher> {
    package let options: LayerOptions
    /// Nil: nothing is sealed, and what is sealed is refused.
    package var keyring: Keyring<Cipher>?
    /// The text of the last packet that was opened.
    var opened: [UInt8] = []
    /// The last message that was compressed, as LZW alone.
    var compressed: [UInt8] = []

    package init(options: LayerOptions, keyring: Keyring<Cipher>?) {
        self.options = options
        self.keyring = keyring
    }

    /// What label and sealing take of each packet, at most: to be left free by whoever fills packets. A checksum's five
    /// bytes are not counted, as nobody does (memberlist-wire §13).
    package var packetOverhead: Int {
        options.label.headerLength + (sealingKeyring == nil ? 0 : options.sealVersion.largestOverhead)
    }

    /// Nil where what we send is not sealed.
    var sealingKeyring: Keyring<Cipher>? { options.sealsOutgoing ? keyring : nil }
}

// MARK: - Compression

/// A message of type 9, which holds another one: {Algo: 0, Buf: LZW} (memberlist-wire §7).
enum Compression {
    /// Type, map, both keys and the algorithm.
    private static let fixedLength = 12

    static func length(holding compressed: [UInt8]) -> Int {
        let head = compressed.count <= 31 ? 1 : compressed.count <= 0xFFFF ? 3 : 5
        return fixedLength + head + compressed.count
    }

    static func append(_ compressed: [UInt8], to output: inout [UInt8]) {
        output.append(MessageType.compress.rawValue)
        output.append(map: 2)
        output.append(key: "Algo")
        output.append(0)
        output.append(key: "Buf")
        output.append(raw: compressed)
    }
}

extension Layers {
    /// Leaves the message in `compressed`.
    /// - Precondition: it is not empty; peers crash over nothing compressed (memberlist-wire §14).
    mutating func compress(_ message: Span<UInt8>) {
        precondition(message.count > 0, "nothing is never compressed")
        compressed.removeAll(keepingCapacity: true)
        unsafe message.withUnsafeBytes { unsafe LZW.compress($0, into: &compressed) }
    }
}
