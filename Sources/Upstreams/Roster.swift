// Who belongs to the fleet, as an authority outside of it says: membership says only who answers.

/// Names of members; where it comes from and how it is kept is the reader's business.
package struct Roster: Hashable, Sendable {
    private let names: Set<String>

    package init(_ names: some Sequence<String>) { self.names = Set(names) }

    /// Byte for byte, as gossip tells members apart: a name spelled with other code points is another member's, though
    /// the two are one `String`.
    package func lists(_ name: String) -> Bool {
        guard let place = names.firstIndex(of: name) else { return false }
        return names[place].utf8.elementsEqual(name.utf8)
    }

    package var count: Int { names.count }
}
