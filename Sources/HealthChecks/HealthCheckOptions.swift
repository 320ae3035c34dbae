// What a config file says of one health check, once it has been read: every value here can run.

/// How the local instance of a service is asked whether it is well, and how often it has to agree with itself.
package struct HealthCheckOptions: Hashable, Sendable {
    package enum Probe: Hashable, Sendable {
        /// It accepts a connection.
        case tcp
        /// It answers `GET path` with a status of 200 to 299.
        case http(path: String)
    }

    package var probe: Probe
    /// From the beginning of one check to that of the next.
    package var interval: Duration
    /// How long a check may take; no longer than ``interval``.
    package var timeout: Duration
    /// Failed checks in a row after which a passing service is failing; at least 1.
    package var fall: Int
    /// Passed checks in a row after which a failing service is passing; at least 1.
    package var rise: Int

    package init(
        probe: Probe, interval: Duration = .seconds(2), timeout: Duration = .milliseconds(500), fall: Int = 3,
        rise: Int = 2
    ) {
        self.probe = probe
        self.interval = interval
        self.timeout = timeout
        self.fall = fall
        self.rise = rise
    }
}

extension HealthCheckOptions {
    /// How a service without checks of its own is asked after its instance has refused a connection: often, since
    /// nobody is served meanwhile, and for what was missed, a connection.
    package static let afterRefusal = HealthCheckOptions(
        probe: .tcp, interval: .seconds(1), timeout: .milliseconds(500), fall: 1, rise: 1)
}
