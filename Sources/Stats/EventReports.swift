// What `GET /events` tells beside members; named and encoded as in `Report.swift`.

/// `event: endpoint`: one came, went, or changed its state.
package struct EndpointEvent: Codable, Hashable, Sendable {
    package var upstream: String
    package var address: String
    package var member: String?
    /// As `GET /upstreams` has it; nil: it is no endpoint any more.
    package var state: String?
    package var reason: String

    package init(upstream: String, address: String, member: String?, state: String?, reason: String) {
        self.upstream = upstream
        self.address = address
        self.member = member
        self.state = state
        self.reason = reason
    }

    /// Writes what is nil as null, like the fields of endpoints.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(upstream, forKey: .upstream)
        try container.encode(address, forKey: .address)
        try container.encode(member, forKey: .member)
        try container.encode(state, forKey: .state)
        try container.encode(reason, forKey: .reason)
    }
}

/// `event: view`: the view of the fleet is not believed any more, or is again.
package struct ViewEvent: Codable, Hashable, Sendable {
    package var lastKnownGood: Bool
    package var reason: String

    package init(lastKnownGood: Bool, reason: String) {
        self.lastKnownGood = lastKnownGood
        self.reason = reason
    }
}

/// One of `GET /stats`' services, and `event: service`.
package struct ServiceReport: Codable, Hashable, Sendable {
    package var name: String
    /// Where the local instance listens.
    package var address: String
    /// What the fleet is told: the value of the tag `svc.NAME`; nil where this node is a member of nothing.
    package var tag: String?
    /// `passing`, `failing` or `draining`.
    package var state: String
    package var reason: String

    package init(name: String, address: String, tag: String?, state: String, reason: String) {
        self.name = name
        self.address = address
        self.tag = tag
        self.state = state
        self.reason = reason
    }

    /// Writes what is nil as null, like the fields of endpoints.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(address, forKey: .address)
        try container.encode(tag, forKey: .tag)
        try container.encode(state, forKey: .state)
        try container.encode(reason, forKey: .reason)
    }
}
