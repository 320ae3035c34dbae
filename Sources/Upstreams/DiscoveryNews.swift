// What discovery has to tell people, beside what it publishes to workers: for the log and the admin port's events.

package import Vocabulary

/// An endpoint that came, went, or changed its state.
package struct EndpointChange: Hashable, Sendable {
    package var upstream: String
    package var endpoint: EndpointIdentity
    /// Nil: it came.
    package var from: Fitness.State?
    /// Nil: it went.
    package var to: Fitness.State?
    /// A sentence: of the new state, or why it went.
    package var reason: String

    package init(
        upstream: String, endpoint: EndpointIdentity, from: Fitness.State?, to: Fitness.State?, reason: String
    ) {
        self.upstream = upstream
        self.endpoint = endpoint
        self.from = from
        self.to = to
        self.reason = reason
    }
}

/// One thing that discovery tells.
package enum DiscoveryNews: Hashable, Sendable {
    case endpoint(EndpointChange)
    /// A member's tag for a service that an upstream takes cannot be read; it has no endpoint there. `why` is a sentence.
    case unreadableTag(member: String, tag: String, why: String)
    /// There are more endpoints than load cells; this one is left out until others have gone.
    case noRoom(upstream: String, endpoint: EndpointIdentity)
    /// From now on the view of the fleet is not believed.
    case lastKnownGoodBegan(LastKnownGood.InForce)
    /// The view of the fleet is believed again.
    case lastKnownGoodEnded(since: Instant)
}

/// News in the order in which they came, until somebody takes them.
struct NewsDesk {
    /// A mass start says more than anybody reads; what is beyond is counted. Only that the view is believed or not is
    /// always taken: everything else has to be read by it, and it is at most one change per turn and input.
    static let capacity = 1024

    private var news: [DiscoveryNews] = []
    private var leftOut = 0

    mutating func add(_ item: DiscoveryNews) {
        switch item {
        case .lastKnownGoodBegan, .lastKnownGoodEnded: news.append(item)
        case .endpoint, .unreadableTag, .noRoom:
            if news.count < Self.capacity { news.append(item) } else { leftOut += 1 }
        }
    }

    mutating func take() -> (news: [DiscoveryNews], leftOut: Int) {
        defer { (news, leftOut) = ([], 0) }
        return (news, leftOut)
    }
}
