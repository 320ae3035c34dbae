// The layers of one direction of a stream.
//
//     [244 | length | label] [10 | length 4 | version | nonce | … | tag] message
//
// Only who dials writes the label's header; the answer goes without, though its tag vouches for the label as well
// (memberlist-wire §10). A message is compressed even where that makes it longer, as the reference does.

/// Who writes, on a stream: one request and at most one answer.
package enum StreamSide: Sendable {
    case dialler, acceptor
}

/// A frame's first five bytes.
enum StreamFrame {
    static let headLength = 5

    /// What a tag vouches for besides the text: head and label.
    static func associated(length: Int, _ label: Label) -> [UInt8] {
        var bytes: [UInt8] = [MessageType.encrypt.rawValue]
        bytes.append(bigEndian: UInt32(length))
        return bytes + label.bytes
    }
}

extension Layers {
    /// Appends everything that this side of a stream sends.
    /// - Precondition: there is a message.
    /// - Throws: `frameTooLong` beyond ``StreamReader/longestFrame``, which peers refuse, and `sealingFailed`; with
    ///   `output` as it was.
    package mutating func wrap(
        _ message: Span<UInt8>, by side: StreamSide, into output: inout [UInt8]
    ) throws(LayerFault) {
        precondition(message.count > 0, "a stream without a message")
        var length = message.count
        if options.compresses {
            compress(message)
            length = Compression.length(holding: compressed)
        }
        // A push-pull of a large fleet, compressed, is not kept for the next packet.
        defer { if compressed.capacity > 1 << 20 { compressed = [] } }
        let start = output.count
        if side == .dialler { options.label.appendHeader(to: &output) }
        guard let keyring = sealingKeyring else { return appendContent(message, to: &output) }
        length += options.sealVersion.overhead(of: length)
        do throws(LayerFault) {
            guard length <= StreamReader.longestFrame else { throw .frameTooLong(length: length) }
            let associated = StreamFrame.associated(length: length, options.label)
            output.append(contentsOf: associated.prefix(StreamFrame.headLength))
            try keyring.seal(options.sealVersion, associated: associated.span, into: &output) { output in
                appendContent(message, to: &output)
            }
        } catch {
            output.removeLast(output.count - start)
            throw error
        }
    }

    private func appendContent(_ message: Span<UInt8>, to output: inout [UInt8]) {
        if options.compresses {
            Compression.append(compressed, to: &output)
        } else {
            unsafe message.withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
        }
    }
}
