// The options' durations as whole nanoseconds: `Duration` is 128 bits of attoseconds, and every event compares several.

import Vocabulary

struct Pace: Sendable {
    let probeInterval: Int64
    let probeTimeout: Int64
    let gossipInterval: Int64
    let pushPullInterval: Int64
    let contactInterval: Int64
    let gossipToTheDead: Int64
    let contactsTheDeadFor: Int64
    let reclaimAfter: Int64
    let streamTimeout: Int64

    /// A helper says that its ping failed at this share of the probe timeout. The reference says so at all of it, and its
    /// nacks come too late to count; Lifeguard §IV-A has 80 %.
    var nackAfter: Int64 { probeTimeout / 5 * 4 }

    /// A wake that comes later than this is a stall of our own: half of what a direct ping may take.
    var stallTolerance: Int64 { probeTimeout / 2 }

    init(_ options: GossipOptions) {
        probeInterval = options.probeInterval.wholeNanoseconds
        probeTimeout = options.probeTimeout.wholeNanoseconds
        gossipInterval = options.gossipInterval.wholeNanoseconds
        pushPullInterval = options.pushPullInterval.wholeNanoseconds
        contactInterval = options.contactInterval.wholeNanoseconds
        gossipToTheDead = options.gossipToTheDead.wholeNanoseconds
        contactsTheDeadFor = options.contactsTheDeadFor.wholeNanoseconds
        reclaimAfter = options.reclaimAfter.wholeNanoseconds
        streamTimeout = options.streamTimeout.wholeNanoseconds
    }
}

extension Instant {
    /// Saturates, as `+` does.
    func advanced(by nanoseconds: Int64) -> Instant {
        Instant(nanoseconds: self.nanoseconds.addingSaturating(nanoseconds))
    }

    /// Nanoseconds since an earlier moment; saturates.
    func elapsed(since earlier: Instant) -> Int64 { nanoseconds.subtractingSaturating(earlier.nanoseconds) }

    static let distantPast = Instant(nanoseconds: .min)
    static let distantFuture = Instant(nanoseconds: .max)
}

extension SeededRandom {
    /// A time from 0 to `bound`, exclusive; 0 for a bound of 0.
    mutating func below(_ bound: Int64) -> Int64 {
        bound <= 0 ? 0 : Int64(next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}
