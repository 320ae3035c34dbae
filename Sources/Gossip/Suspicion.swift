// A suspicion: how long it lasts, and on whose word it rests.
//
// It starts long and shrinks as members that did not hear of it from each other confirm it (Lifeguard §IV-B). A member
// whose own network is broken suspects everybody and is confirmed by nobody; it waits long and has time to hear
// that it was wrong.
//
// Who accuses is kept as a name, not as a `MemberID`: this is told to operators long after the accuser may have been
// forgotten, and its number given to another.

import func Glibc.floor
import func Glibc.log
package import Vocabulary

/// What an accusation rests on.
package enum Evidence: Hashable, Sendable {
    /// We probed it ourselves, and nothing came: not directly, not through `indirectAsked` others, of whom
    /// `nacksReceived` said that they got nothing either, and not by stream if one was tried.
    case probe(indirectAsked: Int, nacksReceived: Int, streamTried: Bool)
    /// We were told, in a datagram.
    case gossip
    /// A peer's view, got in a push-pull, said suspect or dead.
    case pushPull(via: PeerAddress?)
}

/// Who accused a member, or confirmed that, when, and on what evidence.
package struct Accuser: Hashable, Sendable {
    package let name: String
    package let evidence: Evidence
    /// When we learnt of it.
    package let time: Instant

    package init(name: String, evidence: Evidence, time: Instant) {
        self.name = name
        self.evidence = evidence
        self.time = time
    }
}

/// The doubt whether one member is alive, until it refutes or `deadline` passes.
package struct Suspicion: Sendable {
    /// The incarnation that is suspected; stays as it was when the suspicion began.
    package let incarnation: UInt32
    /// When to give up on the member. Confirmations move it towards the start, at once into the past if need be.
    package private(set) var deadline: Instant

    private let starter: Accuser
    private var confirmers: [Accuser] = []
    private let confirmationsWanted: Int
    /// Of the suspicion's length, not of what is left of it.
    private let minimum: Duration
    private let maximum: Duration
    /// From when the length counts: the beginning, later by what was postponed.
    private var start: Instant

    /// Begins a suspicion that lasts `maximum`, or `minimum` where no confirmations are wanted.
    /// - Precondition: `minimum` is at most `maximum` and neither is negative, nor is `k`.
    package init(
        of incarnation: UInt32, accuser: String, evidence: Evidence, at now: Instant, confirmationsWanted k: Int,
        minimum: Duration, maximum: Duration
    ) {
        precondition(k >= 0, "confirmations are counted from 0")
        precondition(.zero <= minimum && minimum <= maximum, "a suspicion shrinks from its maximum to its minimum")
        self.incarnation = incarnation
        self.starter = Accuser(name: accuser, evidence: evidence, time: now)
        self.confirmationsWanted = k
        self.minimum = minimum
        self.maximum = maximum
        self.start = now
        self.deadline = now + (k == 0 ? minimum : maximum)
    }

    /// Counts one more accuser.
    /// - Returns: whether it is new and was wanted; otherwise nothing has changed. Only a new one is worth telling on.
    package mutating func confirm(by name: String, evidence: Evidence = .gossip, at now: Instant) -> Bool {
        guard confirmers.count < confirmationsWanted, !isAccused(by: name) else { return false }
        confirmers.append(Accuser(name: name, evidence: evidence, time: now))
        deadline = start + length
        return true
    }

    /// Moves the deadline by a time in which we did not run, and so could not have heard a refutation.
    /// - Precondition: `stall` is not negative.
    package mutating func postpone(by stall: Duration) {
        precondition(stall >= .zero, "time was lost, not won")
        start = start + stall
        deadline = deadline + stall
    }

    /// Who accused first, then who confirmed, in the order of arrival: one more than were wanted at most.
    package var accusations: [Accuser] { [starter] + confirmers }

    /// How many members confirmed the first accusation.
    package var confirmations: Int { confirmers.count }

    /// How long the suspicion lasts in all after `confirmations`, in whole milliseconds once there is one
    /// (memberlist-behaviour §7).
    private var length: Duration {
        guard confirmationsWanted > 0 else { return minimum }
        guard !confirmers.isEmpty else { return maximum }
        let fraction = log(Double(confirmers.count) + 1) / log(Double(confirmationsWanted) + 1)
        let seconds = maximum.inSeconds - fraction * (maximum.inSeconds - minimum.inSeconds)
        return max(minimum, .milliseconds(Int64(floor(1000 * seconds))))
    }

    /// Names are equal where their bytes are, as everywhere; strings would be equal where their characters are.
    private func isAccused(by name: String) -> Bool {
        starter.name.utf8.elementsEqual(name.utf8)
            || confirmers.contains { $0.name.utf8.elementsEqual(name.utf8) }
    }
}
