// What one node's monotonic clock shows while the world's time passes.
//
// A core sees only its own clock, so nothing it does may depend on two clocks agreeing. Arithmetic is in whole
// nanoseconds: a factor as a `Double` would lose them after a few weeks of virtual time, and with them the replay.

package import Vocabulary

/// A clock that started at some other moment than the world and runs a little fast or slow.
package struct NodeClock: Hashable, Sendable {
    /// What it shows at the world's zero, in nanoseconds.
    package let offset: Int64
    /// How much it gains, in billionths of the time that passes; negative where it loses.
    package let partsPerBillion: Int64

    /// - Precondition: the rate is within ±10 %.
    package init(offset: Int64 = 0, partsPerBillion: Int64 = 0) {
        precondition(abs(partsPerBillion) <= 100_000_000, "a clock that wrong is broken")
        self.offset = offset
        self.partsPerBillion = partsPerBillion
    }

    private static let second: Int64 = 1_000_000_000

    /// What it shows at a moment of the world's time; never goes back.
    package func reading(at world: Int64) -> Instant {
        Instant(nanoseconds: offset + world + drift(after: world))
    }

    /// A moment of the world's time, the first or a few nanoseconds later, at which this is reached; the end of time
    /// for a moment that nobody will see.
    package func world(at local: Instant) -> Int64 {
        guard local.nanoseconds < .max / 2 else { return .max }
        let elapsed = local.nanoseconds - offset
        guard partsPerBillion != 0 else { return elapsed }
        var guess = elapsed - drift(after: elapsed)
        // Each step leaves of the error what the clock is wrong by: a tenth at most.
        var error: Int64
        repeat {
            error = local.nanoseconds - reading(at: guess).nanoseconds
            guess += error
        } while abs(error) > 1
        while reading(at: guess) < local { guess += 1 }
        return guess
    }

    private func drift(after world: Int64) -> Int64 {
        guard partsPerBillion != 0 else { return 0 }
        let (seconds, rest) = world.quotientAndRemainder(dividingBy: NodeClock.second)
        return seconds * partsPerBillion + rest * partsPerBillion / NodeClock.second
    }
}
