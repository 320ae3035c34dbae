// Noticing that we ourselves did not run: stopped, swapped out, starved.
//
// Whoever slept through the answers must not blame those who gave them. A wake that comes much later than it was asked for
// shows it, on our own clock, before anything else is looked at. Not taken: health alone (Lifeguard), which needs a false
// accusation first.

import Vocabulary

extension Membership {
    /// Hears what time it is; to be called first by everything that is told the time.
    mutating func tick(to now: Instant, into effects: inout Effects) {
        guard isRunning else { return clock = max(clock, now) }
        precondition(now >= clock, "a monotonic clock does not go back")
        let lateness = now.elapsed(since: nextWake)
        clock = now
        if lateness > pace.stallTolerance { resume(after: lateness, at: now, into: &effects) }
    }

    /// Drops what was waited for meanwhile, gives every suspect its time back, and makes what is overdue due now: it was
    /// late once.
    private mutating func resume(after lateness: Int64, at now: Instant, into effects: inout Effects) {
        let stall = Duration.nanoseconds(lateness)
        abandonProbe(into: &effects)
        relays.removeAll()
        let floor = shortestSuspicion
        for member in table.order where table.state(of: member) == .suspect {
            suspicions.postpone(member, by: stall, atLeast: floor, at: now)
        }
        prober.nextTick = max(prober.nextTick, now)
        exchange.nextPushPull = max(exchange.nextPushPull, now)
        exchange.nextContact = max(exchange.nextContact, now)
        gossip.nextTick = gossip.nextTick.map { max($0, now) }
        effects.events.append(.stalled(stall))
    }
}
