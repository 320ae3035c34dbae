// The layers of one datagram.
//
//     [244 | length | label] [version | nonce | … | tag] [12 | checksum] message
//
// Taking off hands the message to a closure, where it lies: in the datagram or in the buffer of what was opened. Nothing
// is copied and nothing outlives the call.

extension Layers {
    /// Bytes in front of what a checksum guards.
    private static var checksumHead: Int { 5 }

    /// Hands a datagram's message, or compound of messages, to `body`: one byte at least, of which the first is a type
    /// that is no layer of packets.
    ///
    /// A datagram of no bytes is refused like any other; it deserves no log line.
    package mutating func unwrap<Result>(
        _ datagram: Span<UInt8>, _ body: (Span<UInt8>) -> Result
    ) throws(LayerFault) -> Result {
        guard datagram.count > 0 else { throw .empty }
        let label = options.label
        guard let labelEnd = try label.acceptedHeader(of: datagram, options.labelCheck) else { throw .badLabel }
        let content = datagram.extracting(labelEnd...)
        guard let keyring else { return body(content.extracting(try Self.messageStart(in: content)...)) }
        opened.removeAll(keepingCapacity: true)
        do throws(LayerFault) {
            try keyring.open(content, associated: label.bytes.span, into: &opened)
        } catch {
            guard !options.verifiesIncoming else { throw error }
            return body(content.extracting(try Self.messageStart(in: content)...))
        }
        return body(opened.span.extracting(try Self.messageStart(in: opened.span)...))
    }

    /// Appends a datagram that holds this message or compound.
    /// - Parameter withChecksum: whether the recipient is known to understand one: its protocol goes up to 5.
    /// - Precondition: there is a message; peers crash over a checksum of nothing (memberlist-wire §14).
    /// - Throws: `sealingFailed`, with `output` as it was.
    package mutating func wrap(
        _ message: Span<UInt8>, withChecksum: Bool, into output: inout [UInt8]
    ) throws(LayerFault) {
        precondition(message.count > 0, "a datagram without a message")
        var isSmaller = false
        if options.compresses {
            compress(message)
            isSmaller = Compression.length(holding: compressed) < message.count
        }
        let start = output.count
        options.label.appendHeader(to: &output)
        guard let keyring = sealingKeyring else {
            return appendContent(message, isCompressed: isSmaller, withChecksum, to: &output)
        }
        let label = options.label
        do throws(LayerFault) {
            try keyring.seal(options.sealVersion, associated: label.bytes.span, into: &output) { output in
                appendContent(message, isCompressed: isSmaller, withChecksum, to: &output)
            }
        } catch {
            output.removeLast(output.count - start)
            throw error
        }
    }

    /// What is sealed, or sent as it is.
    private func appendContent(
        _ message: Span<UInt8>, isCompressed: Bool, _ withChecksum: Bool, to output: inout [UInt8]
    ) {
        let start = output.count
        if withChecksum {
            output.append(MessageType.checksum.rawValue)
            output.append(bigEndian: UInt32(0))
        }
        if isCompressed {
            Compression.append(compressed, to: &output)
        } else {
            unsafe message.withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
        }
        guard withChecksum else { return }
        let checksum = CRC32.checksum(of: output.span.extracting((start + Self.checksumHead)...))
        for place in 0..<4 { output[start + 1 + place] = UInt8(truncatingIfNeeded: checksum >> UInt32(24 - 8 * place)) }
    }

    /// Where the message is: behind the checksum, if there is one, which has to be right.
    private static func messageStart(in content: Span<UInt8>) throws(LayerFault) -> Int {
        guard content.count > 0 else { throw .empty }
        guard content[0] == MessageType.checksum.rawValue else {
            try content.refuseLayer()
            return 0
        }
        guard content.count >= checksumHead else { throw .checksumTooShort }
        let found = content.bigEndian32(at: 1)
        let message = content.extracting(checksumHead...)
        let computed = CRC32.checksum(of: message)
        guard found == computed else { throw .wrongChecksum(found: found, computed: computed) }
        try message.refuseLayer()
        return checksumHead
    }
}

extension Span<UInt8> {
    /// - Precondition: four bytes are there.
    func bigEndian32(at start: Int) -> UInt32 {
        (start..<start + 4).reduce(0) { $0 << 8 | UInt32(self[$1]) }
    }

    /// Refuses what does not begin with a message's type: layers are taken off once.
    func refuseLayer() throws(LayerFault) {
        guard count > 0 else { throw .empty }
        switch MessageType(rawValue: self[0]) {
        case .encrypt, .checksum, .label: throw .misplaced(self[0])
        case .ping, .indirectPing, .ack, .suspect, .alive, .dead, .pushPull, .compound, .user, .compress, .nack,
            .error, nil:
            return
        }
    }
}
