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
    /// Whose point on a ring comes next after the connection's key (Karger 1997).
    case ringHash = "ring_hash"
    /// Whose slot in a table the connection's key falls into (Eisenbud 2016).
    case maglev

    /// Whether it goes by what a connection is known by.
    package var hashes: Bool {
        switch self {
        case .ringHash, .maglev: true
        case .p2c, .leastRequest, .roundRobin, .random: false
        }
    }
}

/// Whose outstanding counts a balancer compares. For static endpoints both mean this process's own.
package enum LoadSource: String, CaseIterable, Sendable {
    case fleet, local
}

/// What policies that hash know a connection by.
package enum HashKey: Hashable, Sendable {
    /// The client's address without its port: the socket's peer, or whom a PROXY header names.
    case sourceIP
    /// The name that the client's TLS asks for.
    case serverName
    /// The host that a PROXY header says the client asked for (version 2's PP2_TYPE_AUTHORITY).
    case proxyAuthority
    /// A field of the connection's first HTTP/1 request head, by its name in lower case.
    case header(String)
    /// A cookie of that head.
    case cookie(String)
    /// The path of that head's target, without its query.
    case path
}

/// How a policy that hashes places connections.
package struct HashOptions: Hashable, Sendable {
    package var key = HashKey.sourceIP
    /// Points on the ring of an endpoint of weight 100.
    package var virtualNodes = 160
    /// How many times the mean an endpoint may carry before its keys go on to the next; nil is without bound.
    package var boundedLoad: Double?

    package init() {}
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

/// Where an upstream's endpoints come from.
package enum EndpointSource: Hashable, Sendable {
    /// The config names them.
    case fixed([StaticEndpoint])
    /// Every member that advertises this service (its tag `svc.NAME`).
    case service(String)
    /// Every member that bears all of these tags, at its own address with this port.
    case members(tags: [String: String], port: UInt16)
}

/// What becomes of the connections on an endpoint whose member is suspect, dead or has left.
///
/// In memory it is one byte: workers keep one per connection's endpoint.
@frozen
@usableFromInline
package enum ConnectionFate: String, CaseIterable, Sendable {
    /// They go on.
    case keep
    /// Each is closed at the first moment in which it does not wait for an answer.
    case drain
    /// They are aborted.
    case reset
}

/// When an endpoint that serves badly is given no connections for a while.
package struct OutlierOptions: Hashable, Sendable {
    /// Time-outs and early resets in a row, without an answer between them.
    package var consecutiveFailures = 5
    /// Of the connections of an ``interval``, in percent.
    package var failurePercent = 10
    package var interval: Duration = .seconds(30)
    /// How long the first ejection lasts; each further one is longer by as much.
    package var ejection: Duration = .seconds(60)
    /// Of an upstream's endpoints, in percent.
    package var maxEjectedPercent = 50

    package init() {}
}

package struct UpstreamOptions: Hashable, Sendable {
    /// How many endpoints one connection may try at most.
    package static let connectAttemptsRange = 1...8

    package var name: String
    package var source: EndpointSource
    package var balance: BalancePolicy
    package var load: LoadSource
    package var connectTimeout: Duration
    /// Within ``connectAttemptsRange``, each on a different endpoint.
    package var connectAttempts: Int
    /// Per endpoint; nil is no limit.
    package var maxConnections: Int?
    /// Per endpoint; nil is no limit.
    package var maxOutstanding: Int?
    package var onSuspect = ConnectionFate.keep
    package var onDead = ConnectionFate.reset
    package var onLeft = ConnectionFate.drain
    package var outlier = OutlierOptions()
    /// How long an endpoint's share grows to its full weight after it came or came back; zero is not at all.
    package var slowStart: Duration = .zero
    /// With fewer fit endpoints than this, in percent of those known, all of them are used again.
    package var panicThresholdPercent = 30
    /// Heeded by the policies that hash.
    package var hash = HashOptions()
    /// Whether connections stay in this node's zone while it can carry them.
    package var zoneAware = true
    /// How long a connection may live before it is closed at an idle moment, a tenth more or less; zero is for ever.
    /// One that has no such moment is aborted when it is twice as old.
    package var maxConnectionAge: Duration = .zero

    package init(
        name: String, source: EndpointSource, balance: BalancePolicy = .p2c, load: LoadSource = .fleet,
        connectTimeout: Duration = .seconds(1), connectAttempts: Int = 3, maxConnections: Int? = nil,
        maxOutstanding: Int? = nil
    ) {
        self.name = name
        self.source = source
        self.balance = balance
        self.load = load
        self.connectTimeout = connectTimeout
        self.connectAttempts = connectAttempts
        self.maxConnections = maxConnections
        self.maxOutstanding = maxOutstanding
    }

    /// An upstream whose endpoints the config names.
    package init(
        name: String, endpoints: [StaticEndpoint], balance: BalancePolicy = .p2c, load: LoadSource = .fleet,
        connectTimeout: Duration = .seconds(1), connectAttempts: Int = 3, maxConnections: Int? = nil,
        maxOutstanding: Int? = nil
    ) {
        self.init(
            name: name, source: .fixed(endpoints), balance: balance, load: load, connectTimeout: connectTimeout,
            connectAttempts: connectAttempts, maxConnections: maxConnections, maxOutstanding: maxOutstanding)
    }

    /// What connections have to be known by for an endpoint to be chosen; nil where the policy asks for nothing.
    package var neededKey: HashKey? { balance.hashes ? hash.key : nil }

    /// The endpoints that the config names; none where they come from the fleet.
    package var endpoints: [StaticEndpoint] {
        switch source {
        case .fixed(let endpoints): endpoints
        case .service, .members: []
        }
    }

    /// Whose counts are compared: nobody but this process knows those of endpoints that the config names.
    package var comparedLoad: LoadSource {
        switch source {
        case .fixed: .local
        case .service, .members: load
        }
    }
}
