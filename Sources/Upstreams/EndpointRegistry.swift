// From the upstreams that a config names to the set that workers read, again and again.
//
// A reload must change nothing for what stayed the same: an upstream keeps its
// place, an endpoint its load cell, and an upstream of which nothing changed its
// very snapshot, so that workers have nothing to rebuild. Cells of endpoints that
// went are given back only once no worker reads a set that names them.
//
// A cell belongs to an endpoint of one upstream. Two upstreams that name the same
// address count apart, as limits and figures are per upstream; sharing one cell
// would show the connections of each under both.

/// There are more endpoints than load cells; nothing was changed.
package struct OutOfLoadCells: Error, Hashable {
    /// How many endpoints there is room for, those that are about to be freed included.
    package let capacity: Int
    /// The upstream whose endpoint found none.
    package let upstream: String

    package init(capacity: Int, upstream: String) {
        self.capacity = capacity
        self.upstream = upstream
    }
}

/// Knows which load cell is whose, and builds every next ``UpstreamSet`` from the last.
///
/// Owned by the control thread.
package struct EndpointRegistry: ~Copyable {
    private struct Key: Hashable {
        var upstream: String
        var identity: EndpointIdentity
    }

    private struct Departed {
        var cell: LoadCells.Index
        /// The first set that does not name the cell.
        var version: UInt64
    }

    private let cells: LoadCells
    private var assigned: [Key: LoadCells.Index] = [:]
    private var departed: [Departed] = []
    private var snapshots: [UpstreamSnapshot] = []
    private var version: UInt64 = 0

    package init(cells: LoadCells) { self.cells = cells }

    /// The next set: each upstream of `upstreams` at the place it had before, new ones behind.
    ///
    /// One that is no longer named stays in its place, without endpoints.
    /// - Precondition: no two of them have the same name.
    /// - Throws: ``OutOfLoadCells``; the registry is as it was.
    package mutating func nextSet(for upstreams: [UpstreamOptions]) throws(OutOfLoadCells) -> UpstreamSet {
        let next = try assignCells(to: upstreams)
        let named = Dictionary(uniqueKeysWithValues: upstreams.map { ($0.name, $0) })
        var places = snapshots.map { last in
            var emptied = last.options
            emptied.source = .fixed([])
            return snapshot(of: named[last.options.name] ?? emptied, after: last, cells: next)
        }
        let placed = Set(snapshots.map(\.options.name))
        for options in upstreams where !placed.contains(options.name) {
            places.append(snapshot(of: options, after: nil, cells: next))
        }
        version += 1
        // Sorted, as a dictionary's order differs in every process.
        let gone = assigned.filter { next[$0.key] == nil }.values.sorted()
        departed += gone.map { Departed(cell: $0, version: version) }
        assigned = next
        snapshots = places
        return UpstreamSet(version: version, upstreams: places)
    }

    /// Gives back the cells that no worker can reach any more.
    /// - Parameter acknowledged: what ``UpstreamPublication/reclaim()`` returned.
    package mutating func reclaim(acknowledged: UInt64) {
        // They are in the order of their versions.
        let waiting = departed.firstIndex { $0.version > acknowledged } ?? departed.count
        for gone in departed[..<waiting] { cells.release(gone.cell) }
        departed.removeFirst(waiting)
    }

    /// A cell for every endpoint named: the one it has, or a new one.
    private func assignCells(to upstreams: [UpstreamOptions]) throws(OutOfLoadCells) -> [Key: LoadCells.Index] {
        var next: [Key: LoadCells.Index] = [:]
        var fresh: [LoadCells.Index] = []
        for upstream in upstreams {
            for endpoint in upstream.endpoints {
                let key = Key(upstream: upstream.name, identity: EndpointIdentity(address: endpoint.address))
                // An address named twice has one cell and the weight of both.
                if next[key] != nil { continue }
                if let kept = assigned[key] {
                    next[key] = kept
                } else if let cell = cells.allocate() {
                    next[key] = cell
                    fresh.append(cell)
                } else {
                    for cell in fresh { cells.release(cell) }
                    throw OutOfLoadCells(capacity: cells.capacity, upstream: upstream.name)
                }
            }
        }
        return next
    }

    private func snapshot(
        of options: UpstreamOptions, after last: UpstreamSnapshot?, cells: [Key: LoadCells.Index]
    ) -> UpstreamSnapshot {
        if let last, last.options == options { return last }
        let endpoints = options.endpoints.map { endpoint in
            let identity = EndpointIdentity(address: endpoint.address)
            guard let cell = cells[Key(upstream: options.name, identity: identity)] else {
                preconditionFailure("every endpoint named was assigned a cell")
            }
            return Endpoint(
                identity: identity, zone: endpoint.zone, weight: endpoint.weight,
                fitness: Fitness(.fit, because: "The config names it, and nothing speaks against it."), cell: cell)
        }
        return UpstreamSnapshot(options: options, endpoints: endpoints, version: (last?.version ?? 0) + 1)
    }
}
