// YAML text in which some characters have been exchanged for stand-ins, so that Yams reads it as we need.
//
// Two things that Yams does while it composes cannot be switched off: it expands aliases in place (so a file of
// one kilobyte hashes 10⁹ nodes if a bomb stands in a key), and it throws at the first mapping that has a key
// twice, with no place for the second. Both are avoided by exchanging one character for another of the same
// width: every `*`, so that aliases arrive as plain text and are resolved by `TreeReader` within a budget, and
// the first letter of a doubled key, so that composing can go on and the double be reported with all the rest.
// The road not taken is a YAML parser of our own.

/// A text and its stand-ins, which come from a private-use plane that ``firstForbidden(in:)`` keeps free.
struct MaskedText {
    /// Plane 16, whose characters nobody has given a meaning.
    private static let standIns: ClosedRange<UInt32> = 0x10_0000...0x10_FFFD

    /// What is handed to Yams.
    private(set) var text: String
    /// Stands for `*`, the only character that introduces an alias.
    let star: Unicode.Scalar
    /// What each stand-in stands for.
    private var originals: [Unicode.Scalar: Unicode.Scalar] = [:]

    /// - Precondition: ``firstForbidden(in:)`` is nil for `text`.
    init(_ text: String) {
        let star = MaskedText.standIn(0)
        self.star = star
        originals[star] = "*"
        guard text.utf8.contains(UInt8(ascii: "*")) else {
            self.text = text
            return
        }
        let encoded = Array(String(star).utf8)
        var masked: [UInt8] = []
        masked.reserveCapacity(text.utf8.count + 64)
        for byte in text.utf8 {
            if byte == UInt8(ascii: "*") { masked.append(contentsOf: encoded) } else { masked.append(byte) }
        }
        self.text = String(decoding: masked, as: UTF8.self)
    }

    private static func standIn(_ index: Int) -> Unicode.Scalar {
        // Every value of the plane is a scalar: surrogates are elsewhere. The fallback is never taken.
        Unicode.Scalar(standIns.lowerBound + UInt32(index)) ?? "\u{10FFFD}"
    }

    /// How many keys have been masked.
    var maskedKeys: Int { originals.count - 1 }

    /// Makes the key at `place` a different one, of the same width.
    ///
    /// - Parameter key: the key as Yams read it.
    /// - Returns: false, with nothing changed, if the text there is not simply the key (an anchor, an escape).
    mutating func maskKey(_ key: String, at place: Place) -> Bool {
        guard let first = key.unicodeScalars.first, !"\"'\\".unicodeScalars.contains(first) else { return false }
        guard var index = text.index(of: place) else { return false }
        let scalars = text.unicodeScalars
        if scalars[index] == "\"" || scalars[index] == "'" {
            index = scalars.index(after: index)
        }
        guard index < scalars.endIndex, scalars[index] == first else { return false }
        let original = originals[first] ?? first
        let standIn = MaskedText.standIn(originals.count)
        originals[standIn] = original
        text.unicodeScalars.replaceSubrange(index...index, with: CollectionOfOne(standIn))
        return true
    }

    /// Where the text ends, in O(n).
    var end: Place {
        var cursor = LineCursor()
        for scalar in text.unicodeScalars { cursor.pass(scalar) }
        return cursor.place
    }

    /// The character at `place`, as the author wrote it.
    func scalar(at place: Place) -> Unicode.Scalar? {
        text.index(of: place).map { text.unicodeScalars[$0] }.map { originals[$0] ?? $0 }
    }

    /// `text`, a part of what Yams read, as the author wrote it.
    func unmasked(_ text: String) -> String {
        // All stand-ins begin with this byte in UTF-8, and hardly anything else does.
        guard text.utf8.contains(0xF4) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(originals[scalar] ?? scalar) }
        return String(result)
    }
}

// MARK: - Places in a text

extension MaskedText {
    /// The first character that YAML does not allow (§5.1), or that is kept for stand-ins.
    static func firstForbidden(in text: String) -> (scalar: Unicode.Scalar, place: Place)? {
        var cursor = LineCursor()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xFFFD, 0x1_0000...0xF_FFFD: break
            default: return (scalar, cursor.place)
            }
            cursor.pass(scalar)
        }
        return nil
    }
}

/// Counts lines and columns the way libyaml does: CR, LF, CR LF, NEL, LS and PS each end one line.
struct LineCursor {
    private(set) var place = Place.start
    private var afterReturn = false

    mutating func pass(_ scalar: Unicode.Scalar) {
        defer { afterReturn = scalar == "\r" }
        switch scalar.value {
        case 0x0A where afterReturn: break
        case 0x0A, 0x0D, 0x85, 0x2028, 0x2029: place = Place(line: place.line + 1, column: 1)
        default: place.column += 1
        }
    }
}

extension String {
    /// Where the character at `place` is, line feeds excepted, in O(n); nil if the text ends before it.
    fileprivate func index(of place: Place) -> String.Index? {
        var cursor = LineCursor()
        for index in unicodeScalars.indices {
            let scalar = unicodeScalars[index]
            // The LF of a CR LF already has the place of the next line's first character.
            if cursor.place == place, scalar != "\n" { return index }
            cursor.pass(scalar)
        }
        return nil
    }
}
