// Who belongs to the fleet, as an authority outside of it says: membership says only who answers.

/// Names of members; where it comes from and how it is kept is the reader's business.
package struct Roster: Hashable, Sendable {
    private let names: Set<String>

    package init(_ names: some Sequence<String>) { self.names = Set(names) }

    package func lists(_ name: String) -> Bool { names.contains(name) }

    package var count: Int { names.count }
}
