// `p2c` by what endpoints' own sidecars say of their load.
//
// In a fleet of 250 sidecars each places a 250th of the traffic, and its own counts say next to nothing of an endpoint.
// So answers to probes are compared instead, and answers only with answers: a count of this process beside one of the
// whole fleet is a 250th beside the whole, and the endpoint without a sidecar would always win.
//
// One weighted draw says which kind of endpoint a connection is for. If nobody knows the drawn one's load, it is picked
// as ever, by this process's counts. If its sidecar does, the pool decides, whose answers are weighted draws made in
// advance; so either kind keeps the share that its weights give it.

package import Upstreams
package import Vocabulary

/// Whose counts decided a pick.
package struct LoadBasis: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// The endpoints' own sidecars'.
        case fleet
        /// This process's: the endpoint that was drawn has no sidecar that would say, or there are no two that do where
        /// it stands.
        case unreported
        /// This process's: there was no second one to compare it with.
        case alone
        /// This process's: of two that were drawn, nothing was known that is fresh enough, and nobody answered in time.
        case stale
    }

    package var source: Source
    /// How long ago the fleet's were measured; zero for this process's.
    package var age = Duration.zero

    package static func fleet(age: Duration) -> LoadBasis { LoadBasis(source: .fleet, age: age) }
    package static let unreported = LoadBasis(source: .unreported)
    package static let alone = LoadBasis(source: .alone)
    package static let stale = LoadBasis(source: .stale)
}

/// What comes of a pick by reports.
package enum ReportedPick: Hashable, Sendable {
    case endpoint(record: UInt32, LoadBasis)
    /// Two should be asked first.
    case ask
    /// None is eligible.
    case none
}

extension UpstreamSnapshot {
    /// Fewer answers are no choice.
    fileprivate static let choice = 2

    /// Whether whoever picks from this snapshot compares what endpoints' own sidecars say: what
    /// ``Balancer/comparesReports`` is once it was adopted, for who has no balancer. O(candidates).
    package var comparesReports: Bool {
        guard options.balance == .p2c, options.comparedLoad == .fleet else { return false }
        let tiers = zones.isEmpty ? [0..<preferredCount] : zones.map(\.positions)
        return tiers.contains { positions in
            positions.count { unsafe records[Int(candidates[$0])].reportsLoad } >= Self.choice
        }
    }
}

extension Tier {
    /// Draws for the endpoints to be asked; where so few report that these do not find them, fewer are asked.
    private static let targetDraws = 16

    /// Takes note of who reports, and finds the pool's endpoints in the table adopted last. O(n), where any reports.
    mutating func adoptReports(_ snapshot: UpstreamSnapshot) {
        let usesThem = policy == .p2c && snapshot.options.load == .fleet
        reports = usesThem ? table.candidates.map { unsafe snapshot.records[Int($0.record)].reportsLoad } : []
        reporters = reports.count { $0 }
        guard comparesReports else {
            reports = []
            pool = ProbePool()
            return
        }
        guard pool.count > 0 else { return }
        pool.relocate { cell in table.candidates.firstIndex { $0.cell == cell }.map(UInt32.init) }
    }

    /// Whether there is a choice between endpoints that report.
    var comparesReports: Bool { reporters >= UpstreamSnapshot.choice }

    /// - Parameters:
    ///   - freshness: how old a report may be.
    ///   - mayAsk: whether ``ReportedPick/ask`` is of use now.
    mutating func pickByReports(
        excluding tried: TriedEndpoints, at now: Instant, freshness: Duration, mayAsk: Bool,
        random: inout SeededRandom
    ) -> ReportedPick {
        guard let first = draw(excluding: tried, &random) else { return .none }
        let second = draw(otherThan: first.position, excluding: tried, &random)
        let byOwnCounts = second.map { $0.load.isLess(than: first.load) ? $0 : first } ?? first
        guard reports[first.position] else { return .endpoint(record: byOwnCounts.record, .unreported) }
        guard let second else { return .endpoint(record: first.record, .alone) }
        let oldest = now + (.zero - freshness)
        pool.expire(before: oldest)
        if let record = takeAnswer(ifAtLeast: UpstreamSnapshot.choice, excluding: tried, at: now) { return record }
        if let pick = compareReported(first, second, since: oldest, at: now) { return pick }
        if mayAsk { return .ask }
        // Who has waited in vain for the second answer has one that is better than none.
        if let record = takeAnswer(ifAtLeast: 1, excluding: tried, at: now) { return record }
        return .endpoint(record: byOwnCounts.record, .stale)
    }

    private mutating func takeAnswer(
        ifAtLeast least: Int, excluding tried: TriedEndpoints, at now: Instant
    ) -> ReportedPick? {
        let best = pool.least(ofAtLeast: least) { answer in
            option(at: Int(answer.place), excluding: tried)?.load.weight
        }
        guard let best else { return nil }
        let answer = pool.use(best)
        return .endpoint(
            record: table.candidates[Int(answer.place)].record, .fleet(age: max(.zero, now - answer.measured)))
    }

    /// Two draws by what anybody in this process knows of them, where both are fresh: other workers' answers, gossip.
    private func compareReported(
        _ first: Option, _ second: Option, since oldest: Instant, at now: Instant
    ) -> ReportedPick? {
        let (firstCell, secondCell) = (table.candidates[first.position].cell, table.candidates[second.position].cell)
        guard reports[second.position],
            let firstSaid = cells.reported(of: firstCell), firstSaid.measured >= oldest,
            let secondSaid = cells.reported(of: secondCell), secondSaid.measured >= oldest
        else { return nil }
        let takesSecond = WeighedLoad(load: secondSaid.load, weight: second.load.weight)
            .isLess(than: WeighedLoad(load: firstSaid.load, weight: first.load.weight))
        cells.countOnReport(of: takesSecond ? secondCell : firstCell)
        let measured = takesSecond ? secondSaid.measured : firstSaid.measured
        return .endpoint(
            record: takesSecond ? second.record : first.record, .fleet(age: max(.zero, now - measured)))
    }

    /// Draws endpoints to ask: weighted, distinct, eligible, and all of them report.
    /// - Returns: as many as `wanted`, or fewer where so many do not turn up.
    func drawReporters(
        _ wanted: Int, excluding tried: TriedEndpoints, random: inout SeededRandom
    ) -> ProbeTargets {
        var targets = ProbeTargets()
        guard table.count > 0 else { return targets }
        let wanted = min(wanted, ProbeTargets.most, reporters)
        for _ in 0..<Self.targetDraws where targets.count < wanted {
            let position = table.draw(&random)
            guard reports[position], !targets.contains(place: position),
                let drawn = option(at: position, excluding: tried)
            else { continue }
            targets.append(
                ProbeTargets.Target(
                    place: UInt32(position), record: drawn.record, cell: table.candidates[position].cell))
        }
        return targets
    }
}

// MARK: - For the balancer

extension Balancer {
    /// Whether picks compare what endpoints' own sidecars say: only the preferred tier's, or its zones'; on what is picked
    /// for want of anything better this process's counts will do.
    package var comparesReports: Bool { zones.isEmpty ? preferred.comparesReports : zones.comparesReports }

    /// As ``pick(for:excluding:random:)``, for `p2c` where ``comparesReports`` holds.
    package mutating func pickByReports(
        excluding tried: TriedEndpoints, at now: Instant, freshness: Duration, mayAsk: Bool,
        random: inout SeededRandom
    ) -> ReportedPick {
        var picked: ReportedPick
        if zones.isEmpty {
            picked = preferred.pickByReports(
                excluding: tried, at: now, freshness: freshness, mayAsk: mayAsk, random: &random)
        } else {
            picked = zones.pickByReports(
                excluding: tried, at: now, freshness: freshness, mayAsk: mayAsk, random: &random)
            if picked == .none, let other = preferred.pick(excluding: tried, random: &random) {
                picked = .endpoint(record: other, .alone)
            }
        }
        guard picked == .none else { return picked }
        return pickReserve(for: nil, excluding: tried, random: &random).map { .endpoint(record: $0, .alone) }
            ?? .none
    }

    package func drawReporters(
        _ wanted: Int, excluding tried: TriedEndpoints, random: inout SeededRandom
    ) -> ProbeTargets {
        zones.isEmpty
            ? preferred.drawReporters(wanted, excluding: tried, random: &random)
            : zones.drawReporters(wanted, excluding: tried, random: &random)
    }

    /// Takes in the answer of an endpoint that was drawn since the last adoption.
    package mutating func learn(_ load: EndpointLoad, of target: ProbeTargets.Target, measured: Instant) {
        if zones.isEmpty {
            preferred.pool.insert(load, of: target.cell, at: target.place, measured: measured)
        } else {
            zones.learn(load, of: target, measured: measured)
        }
    }
}

// MARK: - For zones

extension ZoneTiers {
    var comparesReports: Bool {
        for place in unsafe tiers.indices where unsafe tiers[place].comparesReports { return true }
        return false
    }

    /// A pick in a zone that is drawn by its share: answers are compared within a zone, as loads are.
    /// - Precondition: there is a zone.
    mutating func pickByReports(
        excluding tried: TriedEndpoints, at now: Instant, freshness: Duration, mayAsk: Bool,
        random: inout SeededRandom
    ) -> ReportedPick {
        let zone = drawPlace(&random)
        guard unsafe tiers[zone].comparesReports else {
            return changeTier(at: zone) { $0.pick(excluding: tried, random: &random) }.map {
                .endpoint(record: $0, .unreported)
            } ?? .none
        }
        return changeTier(at: zone) {
            $0.pickByReports(excluding: tried, at: now, freshness: freshness, mayAsk: mayAsk, random: &random)
        }
    }

    /// Those of one zone, drawn by its share.
    /// - Precondition: there is a zone.
    func drawReporters(_ wanted: Int, excluding tried: TriedEndpoints, random: inout SeededRandom) -> ProbeTargets {
        let zone = drawPlace(&random)
        guard unsafe tiers[zone].comparesReports else { return ProbeTargets() }
        var targets = unsafe tiers[zone].drawReporters(wanted, excluding: tried, random: &random)
        targets.move(toZone: zone)
        return targets
    }

    mutating func learn(_ load: EndpointLoad, of target: ProbeTargets.Target, measured: Instant) {
        changeTier(at: Int(target.zone)) {
            $0.pool.insert(load, of: target.cell, at: target.place, measured: measured)
        }
    }
}

extension UpstreamBalancers {
    package func comparesReports(_ upstream: Int) -> Bool { balancer(of: upstream) { $0.comparesReports } }

    package mutating func pickByReports(
        from upstream: Int, excluding tried: TriedEndpoints, at now: Instant, freshness: Duration, mayAsk: Bool,
        random: inout SeededRandom
    ) -> ReportedPick {
        changeBalancer(of: upstream) {
            $0.pickByReports(excluding: tried, at: now, freshness: freshness, mayAsk: mayAsk, random: &random)
        }
    }

    package func drawReporters(
        _ wanted: Int, of upstream: Int, excluding tried: TriedEndpoints, random: inout SeededRandom
    ) -> ProbeTargets {
        balancer(of: upstream) { $0.drawReporters(wanted, excluding: tried, random: &random) }
    }

    /// - Precondition: the target was drawn since the last adoption.
    package mutating func learn(
        _ load: EndpointLoad, of target: ProbeTargets.Target, in upstream: Int, measured: Instant
    ) {
        changeBalancer(of: upstream) { $0.learn(load, of: target, measured: measured) }
    }
}
