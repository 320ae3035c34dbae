// What counts as a name on a roster, and how many there may be, wherever they come from.

import Foundation

package enum RosterNames {
    /// More is a fault of the whole roster: cut short, it would leave out members that belong.
    package static let most = 65_536
    /// In bytes of UTF-8, as of a member of a fleet.
    package static let longest = 128

    /// In bytes, of a file: as many names as there may be, each in a line of its own and quoted.
    package static let longestFile = 16 << 20

    /// Whether a member can bear this name: not empty, of at most ``longest`` bytes, no control characters, no "/"
    /// (which parts keys of etcd from one another), in Unicode's form NFC (two spellings of one text are one `String`, and
    /// two members to gossip).
    package static func isName(_ text: String) -> Bool { fault(in: text) == nil }

    /// Why no member can bear this name, to stand behind it; nil if one can.
    package static func fault(in text: String) -> String? {
        guard (1...longest).contains(text.utf8.count) else {
            return "has \(text.utf8.count) bytes; a member's name has 1 to \(longest)"
        }
        if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "has a control character; remove it" }
        if text.utf8.contains(UInt8(ascii: "/")) { return "has a \"/\", which no member's name has; remove it" }
        guard isComposed(text) else { return "has a letter apart from its accent; write it in Unicode's form NFC" }
        return nil
    }

    private static func isComposed(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 < 0x80 } || text.utf8.elementsEqual(text.precomposedStringWithCanonicalMapping.utf8)
    }

    /// The first few, in order; how many more there are.
    static func few(_ names: Set<String>) -> String {
        let shown = names.sorted().prefix(5)
        let more = names.count - shown.count
        return shown.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }
}
