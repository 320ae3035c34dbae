// How many lines an interval may have about things that change by the hundred at once.
//
// Unlike `RateLimiter`, which is for many events of one kind: here each line says something of its own, so the first
// are written and the rest is one number.

import Logging
import Vocabulary

/// Writes lines while an interval has room, and then says how many more there were. A value but for its logger; time is
/// handed in.
struct LineBudget {
    /// Lines that an interval may have.
    static let linesAtOnce = 50
    static let interval = Duration.seconds(5)

    private let logger: Logger
    /// What the line says after the number of those left out.
    private let remedy: String
    private var lines = 0
    private var leftOut = 0
    private var intervalEnds = Instant(nanoseconds: .min)

    /// - Parameter remedy: follows the number of lines that were left out, as in "more changes of members; …".
    init(logger: Logger, leavingOut remedy: String) {
        self.logger = logger
        self.remedy = remedy
    }

    mutating func write(_ line: String, _ level: Logger.Level, at now: Instant) {
        beginInterval(at: now)
        guard lines < Self.linesAtOnce else {
            leftOut += 1
            return
        }
        lines += 1
        logger.log(level: level, "\(line)")
    }

    /// Says what an interval that is over left out; to be called now and then.
    /// - Parameter unheard: lines that never came this far.
    mutating func endTurn(leftOut unheard: Int = 0, at now: Instant) {
        leftOut += unheard
        beginInterval(at: now)
    }

    private mutating func beginInterval(at now: Instant) {
        guard now >= intervalEnds else { return }
        if leftOut > 0 { logger.notice("\(leftOut) \(remedy)") }
        (lines, leftOut) = (0, 0)
        intervalEnds = now + Self.interval
    }
}
