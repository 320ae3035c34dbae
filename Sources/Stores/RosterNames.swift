// What counts as a name on a roster, and how many there may be, wherever they come from.

package enum RosterNames {
    /// More is a fault of the whole roster: cut short, it would leave out members that belong.
    package static let most = 65_536
    /// In bytes of UTF-8, as of a member of a fleet.
    package static let longest = 128

    /// Whether a member can bear this name: not empty, of at most ``longest`` bytes, no control characters, no "/"
    /// (which parts keys of etcd from one another).
    package static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= longest
            && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") }
    }

    /// The first few, in order; how many more there are.
    static func few(_ names: Set<String>) -> String {
        let shown = names.sorted().prefix(5)
        let more = names.count - shown.count
        return shown.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }
}
