// Where a listener's connections go by the server name that their TLS asks for, with upstreams by their places.

import Routing

struct NameRoutes: Sendable {
    private let routes: [(match: ServerNamePattern, upstream: UInt32)]
    /// The places of all upstreams that something is routed to.
    let upstreams: Set<UInt32>

    /// Nil for a listener that does not route by name.
    /// - Parameter place: of an upstream by its name.
    init?(_ options: ListenerOptions, place: (String) -> UInt32) {
        guard !options.serverNames.isEmpty else { return nil }
        routes = options.serverNames.map { ($0.match, place($0.upstream)) }
        upstreams = Set(routes.map(\.upstream))
    }

    /// Of the first route for this name; nil where there is none. O(routes).
    func upstream(for serverName: String) -> UInt32? { routes.first { $0.match.matches(serverName) }?.upstream }
}
