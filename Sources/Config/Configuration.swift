// What a config file says, once it has been read: every value here can run.
//
// Nothing below this module sees YAML, and nothing asks whether a value is valid: text that would make an
// impossible one of these ends as faults instead.

package import Routing
package import Upstreams
package import Vocabulary

/// A whole config: immutable, and consistent in itself (names are unique, each listener's upstream exists).
package struct Configuration: Hashable, Sendable {
    package let node: NodeOptions
    /// Nil: upstreams are static, and this node tells nobody of itself.
    package let membership: MembershipOptions?
    package let upstreams: [UpstreamOptions]
    /// At least one.
    package let listeners: [ListenerOptions]
    package let admin: AdminOptions
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
