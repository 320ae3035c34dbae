// What happens to endpoints, as log lines; bounded, since one node that falls may be the endpoint of a hundred upstreams.

import Logging
import Upstreams
import Vocabulary

struct EndpointLog {
    /// Lines about endpoints that an interval may have.
    private static let linesAtOnce = 50
    static let interval = Duration.seconds(5)
    static let believedAgain = "The view of the fleet is believed again."

    private let logger: Logger
    private var lines = 0
    private var leftOut = 0
    private var intervalEnds = Instant(nanoseconds: .min)

    init(logger: Logger) { self.logger = logger }

    mutating func write(_ news: DiscoveryNews, at now: Instant) {
        switch news {
        case .endpoint(let change): writeLine(change.level, change.line, at: now)
        case .unreadableTag(let member, _, let why):
            writeLine(.warning, "member \(member) is passed over: \(why)", at: now)
        case .noRoom(let upstream, let endpoint):
            writeLine(
                .error, "upstream \(upstream): there is no room for one more endpoint; \(endpoint.words) is left out",
                at: now)
        // Never left out: it is what everything else has to be read by.
        case .lastKnownGoodBegan(let inForce): logger.error("\(inForce.why)")
        case .lastKnownGoodEnded(let since):
            logger.notice("\(Self.believedAgain) It was not for \((now - since).inWords).")
        }
    }

    /// - Parameter unheard: news that discovery itself had no room for.
    mutating func endTurn(leftOut unheard: Int, at now: Instant) {
        leftOut += unheard
        beginInterval(at: now)
    }

    private mutating func writeLine(_ level: Logger.Level, _ line: String, at now: Instant) {
        beginInterval(at: now)
        guard lines < Self.linesAtOnce else {
            leftOut += 1
            return
        }
        lines += 1
        logger.log(level: level, "\(line)")
    }

    private mutating func beginInterval(at now: Instant) {
        guard now >= intervalEnds else { return }
        if leftOut > 0 {
            logger.notice("\(leftOut) more changes of endpoints; remora upstreams shows what is so now")
        }
        (lines, leftOut) = (0, 0)
        intervalEnds = now + Self.interval
    }
}

extension EndpointChange {
    fileprivate var line: String {
        guard let to else { return "upstream \(upstream): \(endpoint.words) is no endpoint any more: \(reason)" }
        return "upstream \(upstream): \(endpoint.words) is \(to.rawValue): \(reason)"
    }

    /// That one is lost, by whatever, is worth a look; that one goes as it should, is not.
    fileprivate var level: Logger.Level {
        switch to {
        case .failing, .ejected, .dead, .unlisted: .warning
        case .fit, .suspect, .draining, .full, .left, nil: .info
        }
    }
}

extension EndpointIdentity {
    fileprivate var words: String { member.map { "\(address) of \($0)" } ?? "\(address)" }
}
