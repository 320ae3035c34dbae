// Serf's clocks (Lamport 1978; serf-layer §3): a member has three, for intents, events and queries, which know
// nothing of each other.

package import GossipWire

/// A clock that counts causes: what is stamped after something was heard is stamped later.
package struct LamportClock: Hashable, Sendable {
    /// What the next message of ours is stamped with.
    package private(set) var time = LamportTime(1)

    package init() {}

    /// Hears of a time; what is stamped from now on is later.
    ///
    /// After the greatest time of all there is none: the clock stays there. The reference's starts at zero again.
    package mutating func witness(_ heard: LamportTime) {
        guard heard >= time, believes(heard) else { return }
        time = heard.next
    }

    /// Whether a clock that started with the fleet can have come so far. One that is believed at the end of time would leave
    /// nobody a later one, and a forged leave there could not be refuted by anybody.
    package func believes(_ heard: LamportTime) -> Bool {
        heard.value < .max && (heard <= time || heard.value - time.value <= LamportClock.longestLeap)
    }

    /// A million messages a second for two weeks, unheard.
    private static let longestLeap: UInt64 = 1 << 40

    /// The time of a message of ours, later than all that was heard and stamped before.
    package mutating func stamp() -> LamportTime {
        let stamped = time
        time = time.next
        return stamped
    }

    /// Hears of a peer's clock, which shows the time that it has *not* used yet; zero says nothing.
    package mutating func witness(clockShowing shown: LamportTime) {
        guard shown.value > 0 else { return }
        witness(LamportTime(shown.value - 1))
    }
}

extension LamportTime {
    /// Saturates.
    var next: LamportTime { LamportTime(value == .max ? .max : value + 1) }
}
