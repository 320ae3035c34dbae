// A worker's view of all upstreams: the set it has adopted, and a balancer for each.

import Balancing
import Upstreams
import Vocabulary

/// An endpoint that a connection has been placed on: counted there, to be connected to.
@safe
struct ChosenEndpoint {
    var cell: LoadCells.Index
    var family: Int32
    /// Valid until the worker adopts the next set.
    var address: UnsafeRawBufferPointer
    var isLocal: Bool
}

/// What an upstream's options say of each connection to it, but for connecting.
private struct ConnectionTerms {
    let key: HashKey?
    let isPeekedFor: Bool
    let maxAge: Duration

    init(_ options: UpstreamOptions) {
        key = options.neededKey
        isPeekedFor = key.map { $0.peek != .nothing } ?? false
        maxAge = options.maxConnectionAge
    }
}

/// What came of a placement by reports.
enum ReportedPlacement {
    case placed(ChosenEndpoint, LoadBasis)
    /// Two endpoints should be asked first.
    case ask
    /// None is eligible.
    case none
}

struct UpstreamDesk: ~Copyable {
    /// How often the place an endpoint had may be taken by another worker between pick and placement.
    private static let races = 8

    private let cells: LoadCells
    private var reader: UpstreamReader
    private var balancers: UpstreamBalancers
    private var terms: [ConnectionTerms] = []
    /// Of the set that places connections now.
    private(set) var version: UInt64 = 0

    init(cells: LoadCells, reader: consuming UpstreamReader) {
        self.cells = cells
        self.reader = reader
        balancers = UpstreamBalancers(cells: cells)
    }

    /// Takes the newest set, if it is a new one.
    mutating func adoptLatest(random: inout SeededRandom) {
        // The reader is exclusive while its closure runs; the balancers are moved past it for that time.
        _ = reader.adopt {
            balancers.adopt($0, random: &random)
            version = $0.version
            terms = $0.upstreams.map { ConnectionTerms($0.options) }
        }
    }

    /// What connections to an upstream are known by; nil where nobody asks.
    func neededKey(of upstream: Int) -> HashKey? { terms[upstream].key }

    /// Whether something that its endpoints are chosen by has to be looked at in a connection's bytes.
    func isPeekedFor(_ upstream: Int) -> Bool { terms[upstream].isPeekedFor }

    /// Zero is for ever.
    func maxConnectionAge(of upstream: Int) -> Duration { terms[upstream].maxAge }

    func connectTimeout(of upstream: Int) -> Duration { unsafe balancers.view(of: upstream).connectTimeout }
    func connectAttempts(of upstream: Int) -> Int { unsafe balancers.view(of: upstream).connectAttempts }

    /// Whether connections to an upstream go by what its endpoints' own sidecars say.
    func comparesReports(_ upstream: Int) -> Bool { balancers.comparesReports(upstream) }

    /// As ``place(_:for:excluding:random:)``, by what endpoints' own sidecars say where that is known.
    mutating func placeByReports(
        _ upstream: Int, excluding tried: TriedEndpoints, at now: Instant, freshness: Duration, mayAsk: Bool,
        random: inout SeededRandom
    ) -> ReportedPlacement {
        for _ in 0..<Self.races {
            let pick = balancers.pickByReports(
                from: upstream, excluding: tried, at: now, freshness: freshness, mayAsk: mayAsk, random: &random)
            switch pick {
            case .none: return .none
            case .ask: return .ask
            case .endpoint(let picked, let basis):
                if let placed = place(on: picked, of: upstream) { return .placed(placed, basis) }
            }
        }
        return .none
    }

    /// Endpoints to ask for their load.
    func drawReporters(
        _ wanted: Int, of upstream: Int, excluding tried: TriedEndpoints = TriedEndpoints(),
        random: inout SeededRandom
    ) -> ProbeTargets {
        balancers.drawReporters(wanted, of: upstream, excluding: tried, random: &random)
    }

    /// What an upstream's service is called in a question.
    func service(of upstream: Int) -> ServiceDigest { unsafe balancers.view(of: upstream).service }

    /// Where an endpoint is asked; valid until the worker adopts the next set.
    func probeAddress(of target: ProbeTargets.Target, in upstream: Int) -> UnsafeRawBufferPointer {
        let view = unsafe balancers.view(of: upstream)
        return unsafe view.probeAddress(of: view.records[Int(target.record)])
    }

    /// - Precondition: the target was drawn from this ``version``.
    mutating func learn(_ load: EndpointLoad, of target: ProbeTargets.Target, in upstream: Int, measured: Instant) {
        balancers.learn(load, of: target, in: upstream, measured: measured)
    }

    /// Chooses an endpoint and counts the connection there, waiting; nil where none is eligible.
    /// - Parameter since: what endpoints' sidecars measured before is not used for bounds; nil: nothing of theirs is.
    mutating func place(
        _ upstream: Int, for key: UInt64?, excluding tried: TriedEndpoints, since: Instant? = nil,
        random: inout SeededRandom
    ) -> ChosenEndpoint? {
        for _ in 0..<Self.races {
            guard
                let picked = balancers.pick(
                    from: upstream, for: key, excluding: tried, since: since, random: &random)
            else { return nil }
            if let placed = place(on: picked, of: upstream) { return placed }
        }
        return nil
    }

    /// - Returns: nil where another worker has filled it meanwhile.
    @inline(__always)
    private func place(on picked: UInt32, of upstream: Int) -> ChosenEndpoint? {
        let view = unsafe balancers.view(of: upstream)
        let record = unsafe view.records[Int(picked)]
        guard unsafe cells.place(record.cell, within: view.limits) else { return nil }
        let address = unsafe view.address(of: record)
        return unsafe ChosenEndpoint(
            cell: record.cell, family: Int32(address.loadUnaligned(as: UInt16.self)), address: address,
            isLocal: record.isLocal)
    }
}
