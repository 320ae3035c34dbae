// The endpoints that one connection has tried in vain, so that its next attempt goes elsewhere.

public import Upstreams

/// Up to eight load cells, inline: no heap, and nothing to free.
///
/// By cell, not by place in a snapshot, so that it stays right when the snapshot is replaced between two attempts.
@frozen
@usableFromInline
package struct TriedEndpoints: Sendable {
    /// As many as ``UpstreamOptions/connectAttemptsRange`` allows attempts.
    package static let capacity = 8

    private var cells = InlineArray<8, LoadCells.Index>(repeating: 0)
    @usableFromInline package private(set) var count = 0

    package init() {}

    /// One comparison for a connection's first attempt, which is nearly every one.
    @inlinable
    package func contains(_ cell: LoadCells.Index) -> Bool { count != 0 && search(for: cell) }

    /// - Precondition: fewer than ``capacity`` are in it.
    package mutating func insert(_ cell: LoadCells.Index) {
        precondition(count < Self.capacity, "a connection makes at most eight attempts")
        cells[count] = cell
        count += 1
    }

    @usableFromInline
    func search(for cell: LoadCells.Index) -> Bool {
        for place in 0..<count where cells[place] == cell { return true }
        return false
    }
}
