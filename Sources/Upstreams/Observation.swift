// What workers tell of endpoints: failures one by one, answers as counts.

/// Something a worker saw of an endpoint.
package struct Observation: Hashable, Sendable {
    package enum Kind: CaseIterable, Sendable {
        /// The connect was refused, or there is no such socket.
        case refused
        /// No route leads there, or a router said so.
        case unreachable
        /// The connect got no answer in time.
        case timedOut
        /// The endpoint took the connection and reset it before its first byte.
        case reset
        /// The first byte came on a connection, after failures.
        case answered
    }

    package var cell: LoadCells.Index
    package var kind: Kind
    /// For time-outs and resets: how many of them that worker has seen in a row, this one included, since the
    /// endpoint's last answer.
    package var streak: Int

    package init(cell: LoadCells.Index, kind: Kind, streak: Int = 1) {
        self.cell = cell
        self.kind = kind
        self.streak = streak
    }
}

/// What all workers have counted of an endpoint; only ever compared with an earlier count of the same cell.
package struct EndpointCounts: Hashable, Sendable {
    /// Connections on which the first byte came.
    package var answered: UInt64
    /// Connections that timed out or were reset before.
    package var failed: UInt64

    package init(answered: UInt64, failed: UInt64) {
        self.answered = answered
        self.failed = failed
    }
}
