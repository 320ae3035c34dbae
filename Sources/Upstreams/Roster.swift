// Who belongs to the fleet, as an authority outside of it says: membership says only who answers.

/// Names of members, or that nobody has said them yet; where it comes from and how it is kept is the reader's business.
package struct Roster: Hashable, Sendable {
    /// Before any was read: it lists nobody, and is not the same as one that is empty.
    package static let unknown = Roster(names: nil)

    private let names: Set<String>?

    package init(_ names: some Sequence<String>) { self.names = Set(names) }

    private init(names: Set<String>?) { self.names = names }

    package var isKnown: Bool { names != nil }

    /// Byte for byte, as gossip tells members apart: a name spelled with other code points is another member's, though
    /// the two are one `String`.
    package func lists(_ name: String) -> Bool {
        guard let names, let place = names.firstIndex(of: name) else { return false }
        return names[place].utf8.elementsEqual(name.utf8)
    }
}
