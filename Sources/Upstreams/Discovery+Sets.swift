// What workers get: the next set, the upstreams of another config, and load cells given out and taken back.

package import Vocabulary

extension Discovery {
    /// The next set, if anything changed and the last one is long enough ago: see ``nextWake``.
    package mutating func nextSet(at now: Instant) -> UpstreamSet? {
        guard let publication = nextPublication, now >= publication else { return nil }
        return buildSet(at: now)
    }

    private mutating func buildSet(at now: Instant) -> UpstreamSet {
        for place in upstreams.indices where upstreams[place].isChanged {
            let upstream = upstreams[place]
            var endpoints: [Endpoint] = []
            endpoints.reserveCapacity(upstream.endpoints.count)
            for endpoint in upstream.endpoints {
                guard let published = endpoint.published else { preconditionFailure("every endpoint was judged") }
                endpoints.append(published)
            }
            orderTable(for: place, endpoints)
            upstreams[place].snapshot = UpstreamSnapshot(
                options: upstream.options, endpoints: endpoints, version: upstream.snapshot.version + 1,
                keys: upstreams[place].keys.owners(upstream.endpoints), zones: zoneView)
            upstreams[place].isChanged = false
        }
        let version = current.version + 1
        departed += leaving.map { ($0, version) }
        leaving = []
        isChanged = false
        hasNewTable = false
        publishedAt = now
        current = UpstreamSet(version: version, upstreams: upstreams.map(\.snapshot), lastKnownGood: lastKnownGood)
        return current
    }

    /// Gives back the cells that no worker can reach any more, to endpoints that found none too.
    /// - Parameter acknowledged: what ``UpstreamPublication/reclaim()`` returned.
    package mutating func reclaim(acknowledged: UInt64, at now: Instant) {
        // They are in the order of their versions.
        let waiting = departed.firstIndex { $0.version > acknowledged } ?? departed.count
        guard waiting > 0 else { return }
        for gone in departed[..<waiting] { cells.release(gone.cell) }
        departed.removeFirst(waiting)
        guard isShortOfCells else { return }
        isShortOfCells = false
        for name in members.keys.sorted() {
            for place in upstreams.indices where members[name]?.endpoints[place] == nil {
                derive(from: name, for: place, at: now)
            }
        }
    }
}

// MARK: - Rings and tables

extension Discovery {
    /// The rings and tables that are to be built, each at most once at a time; ``install(_:of:)`` takes them back.
    package mutating func takeTableOrders() -> [TableOrder] {
        defer { orders = [] }
        return orders
    }

    /// Takes in a table that was ordered; it is in the next set, which is due at once.
    ///
    /// One that nobody waits for any more is passed over: another config may have come meanwhile.
    package mutating func install(_ table: any KeyTable, of order: TableOrder) {
        let place = order.upstream
        let form = upstreams[place].options.keyForm
        guard upstreams[place].keys.install(table, of: order.roll, for: form) else { return }
        for endpoint in upstreams[place].endpoints {
            endpoint.keyPlace = upstreams[place].keys.place(of: endpoint.identity.keyName)
        }
        upstreams[place].isChanged = true
        isChanged = true
        hasNewTable = true
    }

    /// Builds what is ordered on this thread, before anybody waits for it.
    /// - Returns: the set with all tables.
    package mutating func completeTables(at now: Instant, _ build: (TableOrder) -> any KeyTable) -> UpstreamSet {
        for order in takeTableOrders() { install(build(order), of: order) }
        return hasNewTable ? buildSet(at: now) : current
    }

    private mutating func orderTable(for place: Int, _ endpoints: [Endpoint]) {
        guard let form = upstreams[place].options.keyForm else {
            upstreams[place].keys = KeyLedger()
            return
        }
        let base = upstreams[place].keys.table
        let roll = upstreams[place].keys.order(form) {
            endpoints.filter(\.isPresent).map { HashedMember(name: $0.identity.keyName, weight: $0.weight) }
        }
        if let roll { orders.append(TableOrder(upstream: place, roll: roll, base: base)) }
    }
}

// MARK: - Another config

extension Discovery {
    /// Takes the upstreams of another config: each at the place it had before, new ones behind.
    ///
    /// One that is no longer named stays in its place, without endpoints.
    /// - Precondition: no two of them have the same name.
    /// - Returns: the next set, at once, as somebody waits for it.
    /// - Throws: nothing was changed.
    package mutating func configure(
        _ options: [UpstreamOptions], at now: Instant
    ) throws(OutOfLoadCells) -> UpstreamSet {
        let named = Set(options.map(\.name))
        precondition(named.count == options.count, "every upstream has a name of its own")
        var fresh = try reserveCells(for: options)[...]
        for options in options {
            if let place = place(of: options.name) {
                if upstreams[place].options != options { reconfigure(place, to: options, &fresh, at: now) }
            } else {
                var empty = options
                empty.source = .fixed([])
                upstreams.append(
                    Upstream(options: empty, snapshot: UpstreamSnapshot(options: empty, endpoints: [])))
                reconfigure(upstreams.count - 1, to: options, &fresh, at: now)
            }
        }
        for place in upstreams.indices where !named.contains(upstreams[place].options.name) {
            var emptied = upstreams[place].options
            emptied.source = .fixed([])
            if upstreams[place].options != emptied { reconfigure(place, to: emptied, &fresh, at: now) }
        }
        return buildSet(at: now)
    }

    private func place(of name: String) -> Int? { upstreams.firstIndex { $0.options.name == name } }

    private mutating func reconfigure(
        _ place: Int, to options: UpstreamOptions, _ fresh: inout ArraySlice<LoadCells.Index>, at now: Instant
    ) {
        upstreams[place].options = options
        upstreams[place].keys.isStale = true
        upstreams[place].isChanged = true
        switch options.source {
        case .fixed:
            for name in upstreams[place].endpoints.compactMap(\.identity.member) {
                withdraw(name, from: place, because: "The config takes no endpoints from the fleet here any more.")
            }
        case .service, .members: break
        }
        keepNamed(options.mergedEndpoints, in: place, &fresh)
        for name in members.keys.sorted() { derive(from: name, for: place, at: now) }
        // What became of a member's connections may have changed for those that offer the same.
        for endpoint in upstreams[place].endpoints { refresh(endpoint, at: now) }
    }

    /// Brings the endpoints that the config names in line with it, and leaves those of members.
    private mutating func keepNamed(
        _ named: [StaticEndpoint], in place: Int, _ fresh: inout ArraySlice<LoadCells.Index>
    ) {
        let ofMembers = upstreams[place].endpoints.filter { $0.identity.member != nil }
        var before: [SocketAddress: TrackedEndpoint] = [:]
        for endpoint in upstreams[place].endpoints where endpoint.identity.member == nil {
            before[endpoint.identity.address] = endpoint
        }
        let next = named.map { named in
            if let endpoint = before[named.address] {
                endpoint.weight = named.weight
                endpoint.zone = named.zone
                return endpoint
            }
            guard let cell = fresh.popFirst() else {
                preconditionFailure("a cell was reserved for every endpoint that is new")
            }
            let endpoint = TrackedEndpoint(
                identity: EndpointIdentity(address: named.address), upstream: place, cell: cell, weight: named.weight,
                zone: named.zone)
            endpoint.keyPlace = upstreams[place].keys.place(of: endpoint.identity.keyName)
            endpointsByCell[cell] = endpoint
            return endpoint
        }
        let staying = Set(named.map(\.address))
        for endpoint in upstreams[place].endpoints
        where endpoint.identity.member == nil && !staying.contains(endpoint.identity.address) {
            retire(endpoint, because: "The config names it no more.")
        }
        upstreams[place].endpoints = ofMembers + next
    }

    /// A cell for every endpoint that `options` name and that has none; all or none.
    private func reserveCells(for options: [UpstreamOptions]) throws(OutOfLoadCells) -> [LoadCells.Index] {
        var fresh: [LoadCells.Index] = []
        for options in options {
            let tracked = place(of: options.name).map { upstreams[$0].endpoints } ?? []
            let known = Set(tracked.map(\.identity))
            for endpoint in options.mergedEndpoints where !known.contains(EndpointIdentity(address: endpoint.address)) {
                guard let cell = cells.allocate() else {
                    for cell in fresh { cells.release(cell) }
                    throw OutOfLoadCells(capacity: cells.capacity, upstream: options.name)
                }
                fresh.append(cell)
            }
        }
        return fresh
    }
}

extension UpstreamOptions {
    /// The endpoints that the config names, an address named twice once, with the weight of both as far as one may go.
    var mergedEndpoints: [StaticEndpoint] {
        var merged: [StaticEndpoint] = []
        var positions: [SocketAddress: Int] = [:]
        for endpoint in endpoints {
            if let position = positions[endpoint.address] {
                let sum = merged[position].weight.value + endpoint.weight.value
                merged[position].weight = Weight(min(Int(sum), Weight.range.upperBound))
            } else {
                positions[endpoint.address] = merged.count
                merged.append(endpoint)
            }
        }
        return merged
    }
}
