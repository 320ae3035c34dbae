// What a running remora shows of itself. Field names are the admin port's, in snake_case there:
// encode with `JSONEncoder.KeyEncodingStrategy.convertToSnakeCase`.
//
// Times are seconds, sizes bytes; `…Total` only grows, the rest are gauges.

/// `GET /stats`.
package struct StatsReport: Codable, Hashable, Sendable {
    package var node: String
    package var version: String
    package var uptimeSeconds: Double
    package var listeners: [ListenerReport]
    package var upstreams: [UpstreamReport]
    /// Those beside this node.
    package var services: [ServiceReport]
    /// What TLS works with; empty without any.
    package var certificates: [CertificateReport]
    /// Nil where the node is a member of nothing.
    package var membership: MembershipReport?
    /// Nil where there is none, and whoever is a member belongs.
    package var roster: RosterReport?
    /// Nil in what a remora says that is older than this, and so ``config`` and ``process``.
    package var stage: StageReport?
    package var config: ConfigReport?
    package var process: ProcessReport?
    /// Nil where there is none.
    package var accessLog: AccessLogReport?

    package init(
        node: String, version: String, uptimeSeconds: Double, listeners: [ListenerReport], upstreams: [UpstreamReport],
        services: [ServiceReport] = [], certificates: [CertificateReport] = [], membership: MembershipReport? = nil,
        roster: RosterReport? = nil, stage: StageReport? = nil, config: ConfigReport? = nil,
        process: ProcessReport? = nil,
        accessLog: AccessLogReport? = nil
    ) {
        self.node = node
        self.version = version
        self.uptimeSeconds = uptimeSeconds
        self.listeners = listeners
        self.upstreams = upstreams
        self.services = services
        self.certificates = certificates
        self.membership = membership
        self.roster = roster
        self.stage = stage
        self.config = config
        self.process = process
        self.accessLog = accessLog
    }

    /// Writes `membership`, `roster` and `access_log` as null where there is none, like the fields of endpoints.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(node, forKey: .node)
        try container.encode(version, forKey: .version)
        try container.encode(uptimeSeconds, forKey: .uptimeSeconds)
        try container.encode(listeners, forKey: .listeners)
        try container.encode(upstreams, forKey: .upstreams)
        try container.encode(services, forKey: .services)
        try container.encode(certificates, forKey: .certificates)
        try container.encode(membership, forKey: .membership)
        try container.encode(roster, forKey: .roster)
        try container.encode(stage, forKey: .stage)
        try container.encode(config, forKey: .config)
        try container.encode(process, forKey: .process)
        try container.encode(accessLog, forKey: .accessLog)
    }
}

package struct ListenerReport: Codable, Hashable, Sendable {
    package enum State: String, Codable, Sendable {
        case listening
        /// Accepting waits for file descriptors or memory.
        case paused
        /// The local instance refuses connections, so callers are refused here.
        case failing
        case draining
    }

    package var name: String
    package var address: String
    package var upstream: String
    package var state: State
    package var connections: Int = 0
    package var connectionsTotal: UInt64 = 0
    package var refusedTotal: UInt64 = 0
    package var abortedTotal: UInt64 = 0
    package var receivedBytesTotal: UInt64 = 0
    package var sentBytesTotal: UInt64 = 0
    /// Nil where clients' connections are taken as they come.
    package var handshakes: HandshakesReport?

    package init(name: String, address: String, upstream: String, state: State) {
        self.name = name
        self.address = address
        self.upstream = upstream
        self.state = state
    }
}

extension ListenerReport {
    /// Writes `handshakes` as null where there are none.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(address, forKey: .address)
        try container.encode(upstream, forKey: .upstream)
        try container.encode(state, forKey: .state)
        try container.encode(connections, forKey: .connections)
        try container.encode(connectionsTotal, forKey: .connectionsTotal)
        try container.encode(refusedTotal, forKey: .refusedTotal)
        try container.encode(abortedTotal, forKey: .abortedTotal)
        try container.encode(receivedBytesTotal, forKey: .receivedBytesTotal)
        try container.encode(sentBytesTotal, forKey: .sentBytesTotal)
        try container.encode(handshakes, forKey: .handshakes)
    }
}

/// What has come of TLS handshakes with a listener's clients, or with an upstream's endpoints.
package struct HandshakesReport: Codable, Hashable, Sendable {
    /// Those that were gone through to the end.
    package var completedTotal: UInt64
    /// Of ``completedTotal``, those of a session of an earlier connection.
    package var resumedTotal: UInt64
    /// Those that either side refused, or that broke off or took too long.
    package var failedTotal: UInt64

    package init(completedTotal: UInt64, resumedTotal: UInt64, failedTotal: UInt64) {
        self.completedTotal = completedTotal
        self.resumedTotal = resumedTotal
        self.failedTotal = failedTotal
    }
}

package struct UpstreamReport: Codable, Hashable, Sendable {
    package var name: String
    package var balance: String
    package var load: String
    /// 16 hexadecimal digits, equal where keys have the same owners; nil where the policy has no ring or table.
    package var ringChecksum: String?
    package var retriesTotal: UInt64 = 0
    /// Nil while nobody was asked for their load.
    package var probes: ProbesReport?
    /// Nil where endpoints are spoken to plainly.
    package var handshakes: HandshakesReport?
    package var connectSeconds = QuantilesReport()
    package var firstByteSeconds = QuantilesReport()
    package var lifetimeSeconds = QuantilesReport()
    package var endpoints: [EndpointReport]

    package init(name: String, balance: String, load: String, endpoints: [EndpointReport]) {
        self.name = name
        self.balance = balance
        self.load = load
        self.endpoints = endpoints
    }
}

extension UpstreamReport {
    /// Writes `ring_checksum`, `probes` and `handshakes` as null where there are none.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(balance, forKey: .balance)
        try container.encode(load, forKey: .load)
        try container.encode(ringChecksum, forKey: .ringChecksum)
        try container.encode(retriesTotal, forKey: .retriesTotal)
        try container.encode(probes, forKey: .probes)
        try container.encode(handshakes, forKey: .handshakes)
        try container.encode(connectSeconds, forKey: .connectSeconds)
        try container.encode(firstByteSeconds, forKey: .firstByteSeconds)
        try container.encode(lifetimeSeconds, forKey: .lifetimeSeconds)
        try container.encode(endpoints, forKey: .endpoints)
    }
}

/// How an upstream's endpoints were asked for their load, and whose counts its connections were placed by.
package struct ProbesReport: Codable, Hashable, Sendable {
    package var sentTotal: UInt64 = 0
    package var answeredTotal: UInt64 = 0
    /// Answered too late to be of use.
    package var lateTotal: UInt64 = 0
    /// Answered by somebody who could not vouch for it.
    package var refusedTotal: UInt64 = 0
    /// Connections that waited for answers before they were placed.
    package var waitsTotal: UInt64 = 0
    package var fleetPicksTotal: UInt64 = 0
    package var localPicksTotal: UInt64 = 0
    /// Of these, connections for which an endpoint was drawn that tells nobody its load, and those for which there was no
    /// other to compare it with; for the rest nothing was known that is fresh enough.
    package var unreportedPicksTotal: UInt64 = 0
    package var alonePicksTotal: UInt64 = 0
    /// How old the load was that connections were placed by; zero before the first.
    package var meanAgeSeconds: Double = 0

    package init() {}

    /// Reads what an older remora says too, in which the two parts of ``localPicksTotal`` are missing.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        sentTotal = try container.decode(UInt64.self, forKey: .sentTotal)
        answeredTotal = try container.decode(UInt64.self, forKey: .answeredTotal)
        lateTotal = try container.decode(UInt64.self, forKey: .lateTotal)
        refusedTotal = try container.decode(UInt64.self, forKey: .refusedTotal)
        waitsTotal = try container.decode(UInt64.self, forKey: .waitsTotal)
        fleetPicksTotal = try container.decode(UInt64.self, forKey: .fleetPicksTotal)
        localPicksTotal = try container.decode(UInt64.self, forKey: .localPicksTotal)
        unreportedPicksTotal = try container.decodeIfPresent(UInt64.self, forKey: .unreportedPicksTotal) ?? 0
        alonePicksTotal = try container.decodeIfPresent(UInt64.self, forKey: .alonePicksTotal) ?? 0
        meanAgeSeconds = try container.decode(Double.self, forKey: .meanAgeSeconds)
    }
}

/// `GET /upstreams`.
package struct UpstreamsReport: Codable, Hashable, Sendable {
    package var upstreams: [UpstreamReport]

    package init(upstreams: [UpstreamReport]) { self.upstreams = upstreams }
}

package struct EndpointReport: Codable, Hashable, Sendable {
    package var address: String
    package var member: String?
    package var zone: String?
    package var state: String
    package var reason: String
    package var weight: Int
    package var outstanding: Int = 0
    /// As the endpoint's own sidecar counts them, from all clients; nil while it is not known.
    package var fleetOutstanding: Int?
    /// How long answers took of late on the average, as the endpoint's own sidecar measured it, within a sixteenth; nil
    /// while it is not known. No time on the network is in it, so it tells a slow instance from a slow way there.
    package var fleetAnswerSeconds: Double?
    package var connections: Int = 0
    package var connectionsTotal: UInt64 = 0
    package var failuresTotal: UInt64 = 0
    /// Connections closed at rest because their endpoint was given up, or for their age.
    package var drainedTotal: UInt64 = 0
    /// Connections aborted because their endpoint was given up, or because they never rested at twice their age.
    package var resetTotal: UInt64 = 0
    package var receivedBytesTotal: UInt64 = 0
    package var sentBytesTotal: UInt64 = 0

    package init(address: String, member: String?, zone: String?, state: String, reason: String, weight: Int) {
        self.address = address
        self.member = member
        self.zone = zone
        self.state = state
        self.reason = reason
        self.weight = weight
    }
}

extension EndpointReport {
    /// Writes `member`, `zone` and what is the fleet's as null where there is none, instead of leaving them out:
    /// whoever reads the admin port finds every field in every endpoint.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(address, forKey: .address)
        try container.encode(member, forKey: .member)
        try container.encode(zone, forKey: .zone)
        try container.encode(state, forKey: .state)
        try container.encode(reason, forKey: .reason)
        try container.encode(weight, forKey: .weight)
        try container.encode(outstanding, forKey: .outstanding)
        try container.encode(fleetOutstanding, forKey: .fleetOutstanding)
        try container.encode(fleetAnswerSeconds, forKey: .fleetAnswerSeconds)
        try container.encode(connections, forKey: .connections)
        try container.encode(connectionsTotal, forKey: .connectionsTotal)
        try container.encode(failuresTotal, forKey: .failuresTotal)
        try container.encode(drainedTotal, forKey: .drainedTotal)
        try container.encode(resetTotal, forKey: .resetTotal)
        try container.encode(receivedBytesTotal, forKey: .receivedBytesTotal)
        try container.encode(sentBytesTotal, forKey: .sentBytesTotal)
    }
}

/// A distribution's shape; all zero while `count` is.
package struct QuantilesReport: Codable, Hashable, Sendable {
    package var count: UInt64 = 0
    package var p50: Double = 0
    package var p90: Double = 0
    package var p99: Double = 0
    package var p999: Double = 0
    package var max: Double = 0
    /// An estimate of the sum of them all.
    package var sum: Double = 0
    /// How many were shorter than each of ``CoarseBuckets/bounds`` and not than the one before; the rest is last. Whoever
    /// asks twice can subtract, and knows the distribution of the time between.
    package var buckets = [UInt64](repeating: 0, count: CoarseBuckets.count)

    package init() {}
}
