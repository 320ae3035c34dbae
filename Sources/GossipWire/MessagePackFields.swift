// A message's fields, in whatever form and order they come.
//
// The reference writes a message as a map from names to values, and reads one that is an array of the values in the
// order in which its source declares them. So a message's keys are an enum in that order, and a loop over the fields is
// the same for both forms:
//
//     var fields = try reader.fields(of: NackKey.self, in: bytes)
//     while let key = try fields.next(&reader, in: bytes) {
//         switch key {
//         case .sequence: sequence = try reader.unsigned(in: bytes)
//         }
//     }

/// The keys of one message. Raw values count from zero in the order of declaration in the reference.
protocol MessageKey: RawRepresentable<UInt8>, Sendable {
    /// What the keys are on the wire, by raw value.
    static var names: [StaticString] { get }
}

/// What is left to be read of a message's fields.
struct MessageFields<Key: MessageKey> {
    private var left: Int
    private let isMap: Bool
    /// Of the next value of an array.
    private var index: UInt8 = 0

    fileprivate init(left: Int, isMap: Bool) {
        self.left = left
        self.isMap = isMap
    }

    /// Moves the reader to the next value whose field is known, over others; nil at the end of the message.
    mutating func next(_ reader: inout MessagePackReader, in bytes: Span<UInt8>) throws(WireFault) -> Key? {
        while left > 0 {
            left -= 1
            if let key = isMap ? try named(&reader, in: bytes) : counted() { return key }
            try reader.skip(in: bytes)
        }
        return nil
    }

    private func named(_ reader: inout MessagePackReader, in bytes: Span<UInt8>) throws(WireFault) -> Key? {
        let name = try reader.text(in: bytes)
        let names = Key.names
        for candidate in names.indices where bytes.extracting(name).spells(names[candidate]) {
            return Key(rawValue: UInt8(candidate))
        }
        return nil
    }

    private mutating func counted() -> Key? {
        // An array longer than any message stops counting, and is skipped from there.
        guard index < UInt8.max else { return nil }
        index += 1
        return Key(rawValue: index - 1)
    }
}

extension MessagePackReader {
    /// Begins a message; one that is nil has no fields.
    mutating func fields<Key>(
        of keys: Key.Type, in bytes: Span<UInt8>
    ) throws(WireFault) -> MessageFields<Key> {
        switch try head(in: bytes) {
        case .absent: return MessageFields(left: 0, isMap: true)
        case .map(let count): return MessageFields(left: count, isMap: true)
        case .array(let count): return MessageFields(left: count, isMap: false)
        case .boolean, .unsigned, .negative, .double, .raw, .extended: throw .wrongKind
        }
    }
}

extension Span<UInt8> {
    /// Whether these are the bytes of a text.
    func spells(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { expected in
            for offset in expected.indices where unsafe self[offset] != expected[offset] { return false }
            return true
        }
    }
}
