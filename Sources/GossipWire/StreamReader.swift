// From the pieces of a stream to one message.
//
// A frame says how long it is, and nothing is opened before all of it is there, since one tag vouches for all. Without
// a frame the message itself has to be walked over. So the reader knows at each step how many bytes the next step
// wants, and until they are there a piece costs no more than its copy.

/// Finds and takes off the layers of what the other side of a stream sends, in whatever pieces it comes.
///
/// Memory grows with what has come, never with what a head merely claims: up to ``longestFrame`` and one piece more,
/// twice while it is opened, or up to ``StreamScanner/longest`` and one piece more where nothing is sealed.
package struct StreamReader: Sendable {
    /// From version to tag (memberlist-wire §9).
    package static let longestFrame = 20 << 20

    private enum Stage {
        /// The label's header, if this side writes one.
        case label
        /// The first byte behind the label tells whether there is a frame.
        case type(at: Int)
        case frame(at: Int)
        case plain(at: Int, StreamScanner)
        /// Where the message is.
        case whole(Range<Int>)
        case failed(LayerFault)
    }

    private var stage: Stage
    /// What has come; after opening, the text.
    private var bytes: [UInt8] = []
    /// Below so many bytes there is nothing to look at.
    private var wanted = 1

    /// - Parameter side: who writes what is read here.
    package init(from side: StreamSide) {
        switch side {
        case .dialler: stage = .label
        case .acceptor: stage = .type(at: 0)
        }
    }

    /// The message, perhaps compressed, once it is whole. Bytes behind it are not part of it.
    package var message: ArraySlice<UInt8>? {
        guard case .whole(let range) = stage else { return nil }
        return bytes[range]
    }

    /// Takes the next bytes; none change anything once the message is whole.
    /// - Returns: whether the message is whole.
    /// - Throws: what is wrong with it, and the same again for every later call.
    /// - Complexity: all calls together: O(length of the message).
    package mutating func receive<Cipher>(
        _ piece: Span<UInt8>, through layers: Layers<Cipher>
    ) throws(LayerFault) -> Bool {
        switch stage {
        case .whole: return true
        case .failed(let fault): throw fault
        case .label, .type, .frame, .plain: break
        }
        unsafe piece.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        do throws(LayerFault) {
            while bytes.count >= wanted {
                try advance(layers)
                if case .whole = stage { return true }
            }
            return false
        } catch {
            stage = .failed(error)
            bytes = []
            throw error
        }
    }

    /// The other side sends nothing more.
    /// - Throws: `cutShort` where the message is not whole: of length 0 where nothing came at all, which deserves no
    ///   log line; or what was wrong before.
    package func finish() throws(LayerFault) {
        switch stage {
        case .whole: return
        case .failed(let fault): throw fault
        case .label, .type, .frame, .plain: throw .cutShort(length: bytes.count)
        }
    }

    /// One step, with as many bytes as were wanted; says how many the next one wants.
    private mutating func advance<Cipher>(_ layers: Layers<Cipher>) throws(LayerFault) {
        switch stage {
        case .label:
            let label = layers.options.label
            guard let end = try label.acceptedHeader(of: bytes.span, layers.options.labelCheck) else {
                wanted = bytes.count + 1
                return
            }
            stage = .type(at: end)
            wanted = end + 1
        case .type(let start):
            if bytes[start] == MessageType.encrypt.rawValue {
                guard layers.keyring != nil else { throw .noKey }
                stage = .frame(at: start)
                wanted = start + StreamFrame.headLength
            } else {
                guard layers.keyring == nil || !layers.options.verifiesIncoming else { throw .notSealed }
                stage = .plain(at: start, StreamScanner())
            }
        case .frame(let start):
            let length = Int(bytes.span.bigEndian32(at: start + 1))
            guard length <= StreamReader.longestFrame else { throw .frameTooLong(length: length) }
            wanted = start + StreamFrame.headLength + length
            guard bytes.count >= wanted else { return }
            try open(start + StreamFrame.headLength..<wanted, through: layers)
        case .plain(let start, var scanner):
            switch scanner.scan(bytes.span.extracting(start...)) {
            case .partial(let length):
                stage = .plain(at: start, scanner)
                wanted = start + length
            case .whole(let length):
                stage = .whole(start..<start + length)
            case .malformed(let fault):
                throw .notMessage(fault)
            }
        case .whole, .failed:
            return
        }
    }

    private mutating func open<Cipher>(_ sealed: Range<Int>, through layers: Layers<Cipher>) throws(LayerFault) {
        guard let keyring = layers.keyring else { throw .noKey }
        let associated = StreamFrame.associated(length: sealed.count, layers.options.label)
        var text: [UInt8] = []
        try keyring.open(bytes.span.extracting(sealed), associated: associated.span, into: &text)
        try text.span.refuseLayer()
        bytes = text
        stage = .whole(0..<bytes.count)
    }
}
