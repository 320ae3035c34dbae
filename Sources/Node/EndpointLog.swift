// What happens to endpoints, as log lines; bounded, since one node that falls may be the endpoint of a hundred upstreams.

import Logging
import Upstreams
import Vocabulary

struct EndpointLog {
    static let believedAgain = "The view of the fleet is believed again."

    private let logger: Logger
    private var budget: LineBudget

    init(logger: Logger) {
        self.logger = logger
        budget = LineBudget(
            logger: logger, leavingOut: "more changes of endpoints; remora upstreams shows what is so now")
    }

    mutating func write(_ news: DiscoveryNews, at now: Instant) {
        switch news {
        case .endpoint(let change): budget.write(change.line, change.level, at: now)
        case .unreadableTag(let member, _, let why):
            budget.write("member \(member) is passed over: \(why)", .warning, at: now)
        case .noRoom(let upstream, let endpoint):
            budget.write(
                "upstream \(upstream): there is no room for one more endpoint; \(endpoint.words) is left out", .error,
                at: now)
        // Never left out: it is what everything else has to be read by.
        case .lastKnownGoodBegan(let inForce): logger.error("\(inForce.why)")
        case .lastKnownGoodEnded(let since):
            logger.notice("\(Self.believedAgain) It was not for \((now - since).inWords).")
        }
    }

    /// - Parameter unheard: news that discovery itself had no room for.
    mutating func endTurn(leftOut unheard: Int, at now: Instant) {
        budget.endTurn(leftOut: unheard, at: now)
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
