// What is measured of one program in a fleet of one size.

/// Whom a column is about.
struct Variant: Equatable {
    let title: String
    let program: Member.Program
    /// A remora's `membership.tuning`.
    var tuning = ""
}

struct Measurement: Encodable {
    let variant: String
    let members: Int
    /// From the last member's start until each saw all; nil: not within ``startPatienceSeconds``.
    var startSeconds: Double?
    var startPatienceSeconds = 0
    /// Members seen in all views, of those that were to be seen, when the start was given up or over.
    var startShare = 0.0
    /// At rest, payload that a member sends by UDP; telemetry has nothing to tell, as nobody has services.
    var sentBytesPerSecond = 0.0
    var sentDatagramsPerSecond = 0.0
    /// A member's share of one core at rest.
    var processorPercent = 0.0
    /// Of a member, the median.
    var residentBytes = 0
    var anonymousBytes = 0
    /// From a newcomer's first to its last sighting.
    var joinSpreadSeconds: Spread?
    /// From the start of its process to the last.
    var joinSeconds: Spread?
    var joinsNotSeenByAll = 0
    /// From SIGKILL.
    var firstDeadSeconds: Spread?
    var lastDeadSeconds: Spread?
    var killsNotSeenByAll = 0
    /// Those that ended by themselves.
    var crashes: [String] = []
    var loadAverage = ""
}
