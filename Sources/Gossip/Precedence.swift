// Which of two claims about one member holds.
//
// A claim is an incarnation and a state. The incarnation is a Lamport clock that only the member itself advances (SWIM
// §4.2), so the higher one always wins; within one incarnation the graver state wins, because only the member can take a
// charge back, by a new incarnation:
//
//     known \ claim   lower   equal: alive   suspect     dead      left     higher
//     alive           stale   stale          ACCEPT      ACCEPT    ACCEPT   ACCEPT
//     suspect         stale   stale          repeated    ACCEPT    ACCEPT   ACCEPT
//     dead            stale   stale          stale       repeated  ACCEPT   ACCEPT
//     left            stale   stale          stale       stale     repeated ACCEPT
//     unknown         a newcomer if alive at 1 or above, else stale
//
// That is an order of (incarnation, state), and accepting takes the larger, so any number of claims about members at one
// address end in the same state in whatever order, however often each arrives.
//
// The reference departs from the order in three places, where its result depends on which claim came first; we follow the
// order instead:
// - it keeps a dead or left member at its incarnation when a higher suspicion or death arrives;
// - it leaves a suspicion at its incarnation when a higher suspicion arrives;
// - it takes no leave after a death of the same incarnation.
//
// Outside this table: a member that comes back from another address (``Membership``, reclaim).

/// An incarnation and a state, as claimed or as known.
package struct Claim: Comparable, Hashable, Sendable {
    package var incarnation: UInt32
    package var state: MemberState

    package init(incarnation: UInt32, state: MemberState) {
        self.incarnation = incarnation
        self.state = state
    }

    package static func < (a: Claim, b: Claim) -> Bool {
        (a.incarnation, a.state) < (b.incarnation, b.state)
    }
}

/// What becomes of a claim beside what is known; the table above.
package enum Precedence: Sendable {
    case accept
    /// Says what is known already; a second accuser of a suspect counts as a confirmation.
    case repeated
    case stale

    package init(of claim: Claim, over known: Claim) {
        self = claim > known ? .accept : claim == known && claim.state != .alive ? .repeated : .stale
    }
}
