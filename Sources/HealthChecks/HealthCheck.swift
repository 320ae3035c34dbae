// When one service's instance is asked, and what its answers make of it.
//
//                    first result, either way              fall × failed in a row
//     unknown ──────────────────────────────► passing ◄──────────────────────────► failing
//                                                        rise × passed in a row
//
// A service starts as neither. The two answers of the field are each wrong for a sidecar: who starts as passing (HAProxy)
// sends the fleet to an instance that is still starting, and who starts as failing until `rise` checks have passed (Consul)
// keeps a healthy instance out of a fleet for `rise` intervals after every restart of its sidecar. So the first result
// decides alone, and it comes at once.
//
// Results that say nothing of the instance (no descriptor was left to ask with) change nothing: neither streak grows.

package import Vocabulary

/// What one check has found.
package enum CheckResult: Hashable, Sendable {
    case passed
    /// Why not, as a sentence without a full stop: `GET /healthz answered 503`.
    case failed(String)
    /// It could not be carried out, for a reason of this process.
    case inconclusive
}

/// One service's health: a value that is told the time and the results.
package struct HealthCheck: Sendable {
    package enum State: Hashable, Sendable {
        /// No check has ended yet: not to be advertised as passing.
        case unknown
        case passing
        /// Why, in the words of the latest failed check.
        case failing(String)

        package var isPassing: Bool { self == .passing }
    }

    /// The first check begins within this, or a tenth of a shorter interval, so that not all are made at once.
    static let firstWithin = Duration.milliseconds(100)
    /// How soon an instance that has just refused a connection is asked: a restart takes longer, a full queue does not.
    static let pauseAfterRefusal = Duration.milliseconds(100)

    package let options: HealthCheckOptions
    package private(set) var state: State
    /// When the next check begins.
    package private(set) var due: Instant
    /// Results in a row that contradict ``state``.
    private var contradictions = 0

    /// - Parameter state: `unknown`, or what is known of it without a check.
    package init(
        _ options: HealthCheckOptions, from state: State = .unknown, at now: Instant, random: inout SeededRandom
    ) {
        self.options = options
        self.state = state
        let most = min(HealthCheck.firstWithin, options.interval / 10).wholeNanoseconds
        due = now + .nanoseconds(Int64.random(in: 0...max(0, most), using: &random))
    }

    /// A check begins; the next one is due an interval later.
    /// - Returns: when it has taken too long.
    package mutating func begin(at now: Instant) -> Instant {
        due = now + options.interval
        return now + options.timeout
    }

    /// - Returns: whether the service has begun to pass or to fail.
    package mutating func finish(_ result: CheckResult) -> Bool {
        let next: State
        switch result {
        case .inconclusive: return false
        case .passed: next = .passing
        case .failed(let reason): next = .failing(reason)
        }
        switch (state, next) {
        case (.passing, .passing):
            contradictions = 0
            return false
        case (.failing, .failing):
            // The latest reason is the one to act upon.
            state = next
            contradictions = 0
            return false
        case (.unknown, _):
            return become(next)
        case (.passing, _), (.failing, _):
            contradictions += 1
            let needed = next.isPassing ? options.rise : options.fall
            return contradictions >= needed ? become(next) : false
        }
    }

    /// Somebody has seen for certain that it does not serve, a refused connection say: no streak need agree.
    ///
    /// The next check comes soon, and what a running one says is out of date.
    /// - Returns: whether the service has begun to fail.
    package mutating func fail(because reason: String, at now: Instant) -> Bool {
        hasten(to: now + min(HealthCheck.pauseAfterRefusal, options.interval))
        guard case .failing = state else { return become(.failing(reason)) }
        state = .failing(reason)
        contradictions = 0
        return false
    }

    /// The next check begins at this moment, unless it is due before.
    package mutating func hasten(to moment: Instant) { due = min(due, moment) }

    private mutating func become(_ next: State) -> Bool {
        state = next
        contradictions = 0
        return true
    }
}
