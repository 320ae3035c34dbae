// What a config file says of one upstream, once it has been read: every value here can run.

package import Vocabulary

/// How an upstream's endpoint is chosen for a connection.
package enum BalancePolicy: String, CaseIterable, Sendable {
    /// The less loaded of two distinct weighted draws (Mitzenmacher 2001).
    case p2c
    /// The endpoint with the fewest outstanding requests for its weight, of all.
    case leastRequest = "least_request"
    /// Each in turn, in proportion to its weight.
    case roundRobin = "round_robin"
    /// One weighted draw.
    case random
}

/// Whose outstanding counts a balancer compares. For static endpoints both mean this process's own.
package enum LoadSource: String, CaseIterable, Sendable {
    case fleet, local
}

/// One endpoint as a config file names it.
package struct StaticEndpoint: Hashable, Sendable {
    package var address: SocketAddress
    package var weight: Weight
    package var zone: String?

    package init(address: SocketAddress, weight: Weight = .standard, zone: String? = nil) {
        self.address = address
        self.weight = weight
        self.zone = zone
    }
}

package struct UpstreamOptions: Hashable, Sendable {
    /// How many endpoints one connection may try at most.
    package static let connectAttemptsRange = 1...8

    package var name: String
    package var endpoints: [StaticEndpoint]
    package var balance: BalancePolicy
    package var load: LoadSource
    package var connectTimeout: Duration
    /// Within ``connectAttemptsRange``, each on a different endpoint.
    package var connectAttempts: Int
    /// Per endpoint; nil is no limit.
    package var maxConnections: Int?
    /// Per endpoint; nil is no limit.
    package var maxOutstanding: Int?

    package init(
        name: String, endpoints: [StaticEndpoint], balance: BalancePolicy = .p2c, load: LoadSource = .fleet,
        connectTimeout: Duration = .seconds(1), connectAttempts: Int = 3, maxConnections: Int? = nil,
        maxOutstanding: Int? = nil
    ) {
        self.name = name
        self.endpoints = endpoints
        self.balance = balance
        self.load = load
        self.connectTimeout = connectTimeout
        self.connectAttempts = connectAttempts
        self.maxConnections = maxConnections
        self.maxOutstanding = maxOutstanding
    }
}
