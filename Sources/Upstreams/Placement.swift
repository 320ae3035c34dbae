// How a connection counts in its endpoint's load cell, from its placement to its end.
//
// Limits hold exactly however many workers place at once: each adds first and
// looks at what the addition gave. Of several that race for the last place, one
// sees a number within the limit, the others take their count back. Reading
// before adding, as a pick must, would let every worker through.

public import Synchronization

/// How much one endpoint may carry. `UInt32.max` is no limit.
@frozen
@usableFromInline
package struct PlacementLimits: Hashable, Sendable {
    @usableFromInline package var connections: UInt32
    @usableFromInline package var outstanding: UInt32

    @inlinable
    package static var none: PlacementLimits { PlacementLimits(connections: .max, outstanding: .max) }

    @inlinable
    package init(connections: UInt32, outstanding: UInt32) {
        self.connections = connections
        self.outstanding = outstanding
    }

    package init(_ options: UpstreamOptions) {
        connections = options.maxConnections.map(UInt32.init(clamping:)) ?? .max
        outstanding = options.maxOutstanding.map(UInt32.init(clamping:)) ?? .max
    }

    /// Whether an endpoint that carries `load` has room for one more connection.
    @inlinable
    package func leaveRoom(on load: EndpointLoad) -> Bool {
        load.connections < connections && load.outstanding < outstanding
    }
}

extension LoadCells {
    /// Counts one more connection, which waits for an answer from this moment on.
    ///
    /// While it loses a race, the gauges may read one above a limit for an instant; no connection is behind that.
    /// - Returns: false, with nothing counted, where either limit is reached.
    @inlinable
    package func place(_ index: Index, within limits: PlacementLimits = .none) -> Bool {
        let one = Self.oneConnection | Self.oneOutstanding
        let before = gauges(of: index) { $0.wrappingAdd(one, ordering: .relaxed).oldValue }
        let load = EndpointLoad(
            outstanding: UInt32(truncatingIfNeeded: before), connections: UInt32(truncatingIfNeeded: before &>> 32))
        if limits.leaveRoom(on: load) { return true }
        unplace(index, waiting: true)
        return false
    }

    /// Counts a connection away that ``place(_:within:)`` counted.
    /// - Parameter waiting: whether it still waited for an answer: ``AnswerWait/isWaiting``.
    @inlinable
    package func unplace(_ index: Index, waiting: Bool) {
        let one = waiting ? Self.oneConnection | Self.oneOutstanding : Self.oneConnection
        // Releasing, for whoever reuses the cell.
        gauges(of: index) { _ = $0.wrappingSubtract(one, ordering: .releasing) }
    }

    /// Counts what an event changed about a placed connection.
    @inlinable
    package func count(_ change: AnswerWait.Change, in index: Index) {
        switch change {
        case .none: break
        case .starts: gauges(of: index) { _ = $0.wrappingAdd(Self.oneOutstanding, ordering: .relaxed) }
        case .stops: gauges(of: index) { _ = $0.wrappingSubtract(Self.oneOutstanding, ordering: .relaxed) }
        }
    }
}
