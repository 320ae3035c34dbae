// Serf's limits and times; those that the fleet has to share are no options, but constants (serf-layer).

package struct AgentOptions: Sendable {
    /// What the fleet speaks, 2 to 5: `-protocol` of its agents. Another one is refused by them.
    package var protocolVersion: UInt8 = 5
    /// Members that failed or left are listed so long.
    package var keepsDepartedFor: Duration = .seconds(24 * 3600)
    /// Whether events of before our join are taken.
    package var takesOldEvents = false
    /// Whether we move in the space of round trips, and say where we are.
    package var hasCoordinate = true
    /// Of an event of ours, name and payload, in bytes.
    package var longestEvent = 512
    /// Of an answer to a query, encoded, in bytes.
    package var longestAnswer = 1024
    /// How long each stage of the leave may take at most.
    package var leaveTimeout: Duration = .seconds(5)
    /// How long the intent has to spread at least, those who heard it telling it on (serf-layer §4): who hears gossip's
    /// goodbye first shows us as failed.
    package var intentSpread: Duration = .milliseconds(800)
    /// How long pings are answered after the leave was told.
    package var linger: Duration = .seconds(1)

    package init() {}

    /// Of an event of others, name and payload; the reference's hard limit.
    package static let longestEventTaken = 9216
    /// The events of the last 512 Lamport times weigh no more than this, names, payloads and 64 for each, in bytes;
    /// then the oldest go.
    package static let eventMemory = 1 << 20
    /// The queries of the last 512 times that are told apart.
    package static let queryMemory = 16_384
    /// A query's filters beyond this are not looked at: it is not for us.
    package static let mostFilters = 16
    /// Others through which an answer goes as well, at most.
    package static let mostRelays = 16
    /// Departed members are looked through this often at most.
    static let reapInterval: Duration = .seconds(15)
}
