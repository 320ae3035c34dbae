// The label in front of everything, in clear, that keeps fleets apart (memberlist-wire §10).
//
//     244 | length (1..255) | label …
//
// With encryption the label is part of what each tag vouches for, also where its header is left out: in a stream's
// answer.

/// What a fleet calls itself on the wire: up to 255 bytes, none by default.
package struct Label: Hashable, Sendable {
    package let bytes: [UInt8]

    package static let none = Label(bytes: [])
    package static let longest = 255

    /// Nil for a text of more than ``longest`` bytes.
    package init?(_ text: String) {
        guard text.utf8.count <= Label.longest else { return nil }
        bytes = Array(text.utf8)
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Bytes that the header takes: none for no label.
    package var headerLength: Int { bytes.isEmpty ? 0 : 2 + bytes.count }

    /// Appends the header: nothing for no label.
    func appendHeader(to output: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        output.append(MessageType.label.rawValue)
        output.append(UInt8(bytes.count))
        output.append(contentsOf: bytes)
    }
}

/// Which labels are let in.
package enum LabelCheck: Sendable {
    /// Ours, where we have one; none, where we have none.
    case own
    /// None, as though it had been ours: something in front of us has looked at labels and removed them.
    case skipped
}

extension Label {
    /// Whether bytes begin with a label's header, and where it ends.
    private enum Header {
        case absent
        case present(length: Int)
        case cutShort
    }

    private static func header(of bytes: Span<UInt8>) throws(LayerFault) -> Header {
        guard bytes.count > 0 else { return .cutShort }
        guard bytes[0] == MessageType.label.rawValue else { return .absent }
        guard bytes.count > 1 else { return .cutShort }
        guard bytes[1] > 0 else { throw .badLabel }
        return bytes.count < 2 + Int(bytes[1]) ? .cutShort : .present(length: 2 + Int(bytes[1]))
    }

    /// How many bytes of a beginning are the header of a label that is let in; nil where more are needed to tell.
    ///
    /// Whether one label follows another is not looked at.
    func acceptedHeader(of bytes: Span<UInt8>, _ check: LabelCheck) throws(LayerFault) -> Int? {
        switch (try Label.header(of: bytes), check) {
        case (.cutShort, _):
            return nil
        case (.absent, .own):
            guard self.bytes.isEmpty else { throw .noLabel }
            return 0
        case (.absent, .skipped):
            return 0
        case (.present(let length), .own):
            guard length == headerLength else { throw .otherLabel }
            for offset in 2..<length where bytes[offset] != self.bytes[offset - 2] { throw .otherLabel }
            return length
        case (.present, .skipped):
            throw .unexpectedLabel
        }
    }
}
