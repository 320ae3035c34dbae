// What the admin port asks of the rest of the process.
//
// Closures, not a protocol: each answers one question, and a test answers it in one line.

package import Stats

/// What an operator can have a running remora do.
package enum AdminCommand: String, CaseIterable, Sendable {
    case drain, undrain, reload
}

package struct AdminSource: Sendable {
    /// Everything there is to show. Called on a thread of its own, one call at a time; it may take long.
    package var stats: @Sendable () -> StatsReport
    /// The members of the fleet, by name; none where this node is a member of nothing. Called like `stats`.
    package var members: @Sendable () -> [MemberReport]
    /// Why a member, an upstream, or the node itself (whatever the name) is as it is; nil where none has that name, and
    /// without ``ExplanationReport/changes``. Called like `stats`.
    package var explain: @Sendable (ExplanationReport.Subject, String) -> ExplanationReport?
    /// The config as it was understood, defaults included and secrets left out: JSON, with its line end. Called like
    /// `stats`.
    package var configuration: @Sendable () -> String
    /// The levels of the log, by name, and how to have the log at one from now on; false for a name that is none.
    /// Called on the shared thread pool: must not block.
    package var logLevels: [String]
    package var setLogLevel: @Sendable (String) -> Bool
    /// What changes.
    package var events: EventHub
    /// Whether this node should be sent traffic, and one line why. Called on the shared thread pool: must not block.
    package var readiness: @Sendable () -> (ready: Bool, line: String)
    /// Whether this process works at all, and one line why. Called on the shared thread pool: must not block.
    package var liveness: @Sendable () -> (live: Bool, line: String)
    /// Does what was asked, and returns once it is done.
    package var command: @Sendable (AdminCommand) async -> CommandReport

    package init(
        stats: @escaping @Sendable () -> StatsReport,
        members: @escaping @Sendable () -> [MemberReport] = { [] },
        explain: @escaping @Sendable (ExplanationReport.Subject, String) -> ExplanationReport? = { _, _ in nil },
        configuration: @escaping @Sendable () -> String = { "{}\n" },
        logLevels: [String] = [],
        setLogLevel: @escaping @Sendable (String) -> Bool = { _ in false },
        events: EventHub = EventHub(),
        readiness: @escaping @Sendable () -> (ready: Bool, line: String),
        liveness: @escaping @Sendable () -> (live: Bool, line: String),
        command: @escaping @Sendable (AdminCommand) async -> CommandReport = { _ in
            CommandReport(.unavailable, "Nothing runs here that could do that.")
        }
    ) {
        self.stats = stats
        self.members = members
        self.explain = explain
        self.configuration = configuration
        self.logLevels = logLevels
        self.setLogLevel = setLogLevel
        self.events = events
        self.readiness = readiness
        self.liveness = liveness
        self.command = command
    }
}

/// What the admin port spends on its clients at most.
package struct AdminLimits: Hashable, Sendable {
    /// Connections at once; one more makes the one that has been without progress for longest give way.
    package var connections = 64
    /// Descriptors at the end of the process's limit that are left free as far as it lies with this port:
    /// among them, every new connection makes another one give way.
    package var sparedDescriptors = 16
    /// Bytes of a request's first line and header fields; more is answered 431.
    package var headBytes = 16 << 10
    /// Bytes of a request's body; more is answered 413.
    package var bodyBytes = 64 << 10
    /// How long a connection may wait for a request's first byte; then it is closed.
    package var idle: Duration = .seconds(60)
    /// How long a request may take from its first byte to its last; then it is answered 408.
    package var request: Duration = .seconds(10)
    /// How long a client may take to read the next piece of an answer, 64 KiB; then it is closed.
    package var write: Duration = .seconds(10)

    package static let standard = AdminLimits()

    package init() {}
}
