// What an endpoint's own sidecar says of its load, from all its callers, as this process heard it last.
//
// It lies on the cache line that a pick reads anyway. Whoever learns something writes it (a worker from the answer to a
// probe, the control thread from gossip), and the later measurement stays: with the time in the high bits of one word
// that is the larger number, one atomic maximum. Two words, one for the time, could be seen half written.

internal import Synchronization
package import Vocabulary

/// A load, and when it was measured by this process's clock.
package struct ReportedLoad: Hashable, Sendable {
    /// At most 2²¹ − 1 outstanding.
    package var load: EndpointLoad
    /// Rounded down to ``LoadCells/reportGrain``: never younger than the truth.
    package var measured: Instant

    package init(load: EndpointLoad, measured: Instant) {
        self.load = load
        self.measured = measured
    }
}

extension LoadCells {
    /// About a millisecond: 43 bits of it are three centuries.
    package static let reportGrain = Duration.nanoseconds(1 << grainBits)
    private static let grainBits: Int64 = 20
    private static let countBits: UInt64 = 21
    private static let mostOutstanding: UInt64 = 1 << countBits - 1

    /// Takes in what is said of an endpoint, unless something later is known.
    package func report(_ said: ReportedLoad, of index: Index) {
        let time = UInt64(max(0, said.measured.nanoseconds >> LoadCells.grainBits))
        let word = time << LoadCells.countBits | min(UInt64(said.load.outstanding), LoadCells.mostOutstanding)
        withCell(index) { cell in
            guard cell.reported.max(word, ordering: .relaxed).newValue == word else { return }
            cell.reportedConnections.store(said.load.connections, ordering: .relaxed)
        }
    }

    /// What was said last; nil where nothing was.
    package func reported(of index: Index) -> ReportedLoad? {
        withCell(index) { cell in
            let word = cell.reported.load(ordering: .relaxed)
            guard word > 0 else { return nil }
            return ReportedLoad(
                load: EndpointLoad(
                    outstanding: UInt32(truncatingIfNeeded: word & LoadCells.mostOutstanding),
                    connections: cell.reportedConnections.load(ordering: .relaxed)),
                measured: Instant(nanoseconds: Int64(word >> LoadCells.countBits) << LoadCells.grainBits))
        }
    }

    /// Counts a connection that was placed because of what was said, so that not all of a moment go to one place.
    package func countOnReport(of index: Index) {
        withCell(index) { cell in
            let word = cell.reported.load(ordering: .relaxed)
            // A count that is full would run over into the time.
            guard word > 0, word & LoadCells.mostOutstanding < LoadCells.mostOutstanding else { return }
            // Somebody may have said something newer meanwhile, and knows better.
            _ = cell.reported.compareExchange(expected: word, desired: word + 1, ordering: .relaxed)
        }
    }

    func forgetReport(of index: Index) {
        withCell(index) { cell in
            cell.reported.store(0, ordering: .relaxed)
            cell.reportedConnections.store(0, ordering: .relaxed)
        }
    }

    private func withCell<Result>(_ index: Index, _ body: (borrowing Cell) -> Result) -> Result {
        precondition(index < capacity, "no such cell")
        let cell = unsafe base.advanced(by: Int(index) * Self.stride).assumingMemoryBound(to: Cell.self)
        return unsafe body(cell.pointee)
    }
}
