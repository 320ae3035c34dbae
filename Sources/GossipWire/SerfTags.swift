// The tags that a Serf member bears in its record's meta (serf-layer §2).
//
// Kept in the order of their names: the reference writes its maps in random order, which a run that is to be the same
// every time cannot.

/// A member's tags, sorted by the bytes of their names, each name once.
package struct SerfTags: Hashable, Sendable {
    /// A name and what it stands for; the empty value is a value.
    package struct Tag: Hashable, Sendable {
        package let name: String
        package let value: String
    }

    package private(set) var tags: [Tag] = []

    /// What a meta that bears tags begins with.
    private static let magic: UInt8 = 0xFF

    package init() {}

    /// Nil where the meta says that it bears tags and does not. One that says nothing of the kind is the value of the
    /// tag `role`, as agents see it.
    package init?(meta: [UInt8]) {
        self.init()
        guard meta.first == SerfTags.magic else {
            self[SerfTags.role] = meta.span.repairedText
            return
        }
        var reader = MessagePackReader(at: 1)
        do throws(WireFault) {
            try read(&reader, in: meta.span)
        } catch {
            return nil
        }
    }

    /// The map alone, as a member's description in a conflict has it.
    init(_ reader: inout MessagePackReader, in bytes: Span<UInt8>) throws(WireFault) {
        self.init()
        try read(&reader, in: bytes)
    }

    private mutating func read(_ reader: inout MessagePackReader, in bytes: Span<UInt8>) throws(WireFault) {
        switch try reader.head(in: bytes) {
        case .absent: break
        case .map(let count):
            for _ in 0..<count {
                let name = bytes.extracting(try reader.text(in: bytes)).repairedText
                self[name] = bytes.extracting(try reader.text(in: bytes)).repairedText
            }
        case .boolean, .unsigned, .negative, .double, .raw, .extended, .array: throw .wrongKind
        }
    }

    /// The value of a tag; nil where there is none, which is not the empty value.
    package subscript(name: String) -> String? {
        get {
            let (place, isThere) = place(of: name)
            return isThere ? tags[place].value : nil
        }
        set {
            let (place, isThere) = place(of: name)
            switch (newValue, isThere) {
            case (let value?, true): tags[place] = Tag(name: name, value: value)
            case (let value?, false): tags.insert(Tag(name: name, value: value), at: place)
            case (nil, true): tags.remove(at: place)
            case (nil, false): break
            }
        }
    }

    /// Where a name is or would be. By bytes, as peers compare: to strings, two spellings of one accent are equal.
    private func place(of name: String) -> (Int, isThere: Bool) {
        var low = 0
        var high = tags.count
        while low < high {
            let middle = (low + high) / 2
            if tags[middle].name.utf8.lexicographicallyPrecedes(name.utf8) { low = middle + 1 } else { high = middle }
        }
        return (low, low < tags.count && tags[low].name.utf8.elementsEqual(name.utf8))
    }

    /// The meta that bears these tags; without tags, the one that says so.
    package var meta: [UInt8] {
        var bytes = [SerfTags.magic]
        append(to: &bytes)
        return bytes
    }

    /// The map alone.
    func append(to bytes: inout [UInt8]) {
        bytes.append(map: tags.count)
        for tag in tags {
            bytes.append(text: tag.name)
            bytes.append(text: tag.value)
        }
    }

    private static let role = "role"

    /// Whether a meta bears a tag of this name, without reading the rest into memory.
    static func names(_ name: StaticString, in meta: [UInt8]) -> Bool {
        guard meta.first == magic else { return false }
        let bytes = meta.span
        var reader = MessagePackReader(at: 1)
        do throws(WireFault) {
            guard case .map(let count) = try reader.head(in: bytes) else { return false }
            var isThere = false
            // To the end: a map that breaks off behind the name is no map.
            for _ in 0..<count {
                let found = try reader.text(in: bytes)
                try reader.skip(in: bytes)
                isThere = isThere || bytes.extracting(found).spells(name)
            }
            return isThere
        } catch {
            return false
        }
    }
}
