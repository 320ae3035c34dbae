// What a config file says, once it has been read: every value here can run.
//
// Nothing below this module sees YAML, and nothing asks whether a value is valid: text that would make an
// impossible one of these ends as faults instead.

package import AccessLog
package import HealthChecks
package import Routing
package import TLS
package import Upstreams
package import Vocabulary

/// A whole config: immutable, and consistent in itself (names are unique, each listener's upstream or service exists).
package struct Configuration: Hashable, Sendable {
    package let node: NodeOptions
    /// Nil: upstreams are static, and this node tells nobody of itself.
    package let membership: MembershipOptions?
    package let services: [ServiceOptions]
    package let upstreams: [UpstreamOptions]
    /// At least one.
    package let listeners: [ListenerOptions]
    package let tls: TLSOptions
    package let admin: AdminOptions
    /// Nil: connections leave no lines.
    package let accessLog: AccessLogOptions?
    package let shutdown: ShutdownOptions
}

/// The machine this remora stands on, as it calls itself.
package struct NodeOptions: Hashable, Sendable {
    package let name: String
    package let zone: String?
    package let tags: [String: String]
    /// Nil: nothing is kept across restarts.
    package let stateDirectory: String?
}

/// What runs beside this remora and is advertised to the fleet.
package struct ServiceOptions: Hashable, Sendable {
    /// Fit for the tag `svc.NAME`.
    package let name: String
    /// Where the local instance listens; a path only if an inbound listener stands before it.
    package let address: SocketAddress
    /// Of IP; nil: see ``Configuration/advertised(boundTo:)``.
    package let advertise: SocketAddress?
    package let weight: Weight
    /// Nil: it counts as passing.
    package let health: HealthCheckOptions?

    package init(
        name: String, address: SocketAddress, advertise: SocketAddress? = nil, weight: Weight = .standard,
        health: HealthCheckOptions? = nil
    ) {
        self.name = name
        self.address = address
        self.advertise = advertise
        self.weight = weight
        self.health = health
    }
}

/// Where the admin port listens.
package struct AdminOptions: Hashable, Sendable {
    /// Reachable from this machine alone, unless there is a ``tokenFile``.
    package let bind: SocketAddress
    package let tokenFile: String?
}

/// How a running remora ends.
package struct ShutdownOptions: Hashable, Sendable {
    /// How long connections may finish by themselves before they are closed; zero is at once.
    package let drain: Duration
}
