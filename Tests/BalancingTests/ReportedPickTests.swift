import Testing
import Upstreams
import Vocabulary

@testable import Balancing

/// One worker's balancer over endpoints of which some report their load.
private struct Reports: ~Copyable {
    let cells = LoadCells(capacity: 64)
    var balancer: Balancer
    var random: SeededRandom
    var now = Instant(nanoseconds: 5_000_000_000)
    let freshness = Duration.milliseconds(20)
    private var endpoints: [Endpoint] = []
    /// What was adopted last.
    private(set) var snapshot: UpstreamSnapshot?

    /// - Parameter reporting: which endpoints' sidecars know their load.
    init(
        weights: [Int], reporting: Set<Int>, load: LoadSource = .fleet, balance: BalancePolicy = .p2c,
        maxConnections: Int? = nil, seed: UInt64 = 1, state: (Int) -> Fitness.State = { _ in .fit }
    ) {
        balancer = Balancer(cells: cells)
        random = SeededRandom(seed: seed)
        endpoints = weights.enumerated().map { number, weight in
            let address = SocketAddress.ipv4(.init(bits: 0x0A00_0000 + UInt32(number)), port: 80)
            return Endpoint(
                identity: EndpointIdentity(member: "m\(number)", address: address), weight: Weight(weight),
                fitness: Fitness(state(number), because: "The test says so."), cell: cells.allocate() ?? 0,
                probe: reporting.contains(number) ? address.with(port: 7000) : nil)
        }
        var options = UpstreamOptions(
            name: "u", source: .service("s"), balance: balance, load: load)
        options.maxConnections = maxConnections
        options.panicThresholdPercent = 0
        adopt(endpoints.indices.map { $0 }, options)
    }

    mutating func adopt(_ numbers: [Int], _ options: UpstreamOptions? = nil) {
        let options = options ?? UpstreamOptions(name: "u", source: .service("s"))
        let snapshot = UpstreamSnapshot(options: options, endpoints: numbers.map { endpoints[$0] })
        balancer.adopt(snapshot, random: &random)
        self.snapshot = snapshot
    }

    var comparesReports: Bool { balancer.comparesReports }

    func cell(_ endpoint: Int) -> LoadCells.Index { endpoints[endpoint].cell }

    mutating func answer(_ endpoint: Int, outstanding: UInt32) {
        balancer.learn(
            EndpointLoad(outstanding: outstanding, connections: outstanding),
            of: ProbeTargets.Target(place: UInt32(endpoint), record: UInt32(endpoint), cell: cell(endpoint)),
            measured: now)
    }

    mutating func pick(mayAsk: Bool = false, excluding tried: TriedEndpoints = TriedEndpoints()) -> ReportedPick {
        balancer.pickByReports(
            excluding: tried, at: now, freshness: freshness, mayAsk: mayAsk, random: &random)
    }
}

extension ReportedPick {
    fileprivate var record: Int? {
        switch self {
        case .endpoint(let record, _): Int(record)
        case .ask, .none: nil
        }
    }

    fileprivate var isByFleet: Bool {
        switch self {
        case .endpoint(_, let basis): basis.source == .fleet
        case .ask, .none: false
        }
    }
}

@Suite("Picks by reported load")
struct ReportedPickTests {
    @Test("Reports are compared by p2c under fleet load, where two endpoints make them")
    func whenCompared() {
        func compares(
            reporting: Set<Int> = [0, 1, 2], load: LoadSource = .fleet, balance: BalancePolicy = .p2c,
            state: (Int) -> Fitness.State = { _ in .fit }
        ) -> Bool {
            let reports = Reports(
                weights: [1, 1, 1], reporting: reporting, load: load, balance: balance, state: state)
            // Who explains picks has the snapshot alone.
            #expect(reports.snapshot?.comparesReports == reports.comparesReports)
            return reports.comparesReports
        }
        #expect(compares())
        #expect(!compares(load: .local))
        #expect(!compares(balance: .roundRobin))
        #expect(!compares(balance: .leastRequest))
        #expect(!compares(reporting: [2]))
        #expect(!compares { $0 == 0 ? .fit : .suspect })
    }

    @Test("What the endpoints' sidecars say decides, whatever this process's own counts are")
    func fleetBeforeLocal() {
        var reports = Reports(weights: [1, 1, 1], reporting: [0, 1, 2])
        // Ours are all on 2, and everybody else's on 0 and 1.
        for _ in 0..<5 { _ = reports.cells.place(reports.cell(2)) }
        reports.answer(0, outstanding: 40)
        reports.answer(1, outstanding: 30)
        reports.answer(2, outstanding: 5)
        let pick = reports.pick()
        #expect(pick == .endpoint(record: 2, .fleet(age: .zero)))
        // Two uses, and it has to be asked again.
        #expect(reports.pick().record == 2)
        #expect(reports.pick().record == 1)
    }

    @Test("With fewer than two fresh answers it wants to ask, and decides by own counts where it may not")
    func asking() {
        var reports = Reports(weights: [1, 1], reporting: [0, 1])
        #expect(reports.pick(mayAsk: true) == .ask)
        _ = reports.cells.place(reports.cell(0))
        for _ in 0..<8 { #expect(reports.pick() == .endpoint(record: 1, .stale)) }
        // One answer is better than none for who has waited, and no choice for who has not.
        reports.answer(0, outstanding: 3)
        #expect(reports.pick(mayAsk: true) == .ask)
        #expect(reports.pick() == .endpoint(record: 0, .fleet(age: .zero)))
    }

    @Test("Answers that are too old are not used")
    func stale() {
        var reports = Reports(weights: [1, 1, 1], reporting: [0, 1, 2])
        reports.answer(0, outstanding: 1)
        reports.answer(1, outstanding: 2)
        reports.now = reports.now + reports.freshness
        #expect(reports.pick() == .endpoint(record: 0, .fleet(age: reports.freshness)))
        reports.now = reports.now + .nanoseconds(1)
        #expect(reports.pick(mayAsk: true) == .ask)
        #expect(!reports.pick().isByFleet)
    }

    @Test("A kind of endpoint keeps the share of its weights, however the loads of both look", arguments: Seeds.sample)
    func shares(seed: UInt64) {
        // A third of the weight has no sidecar.
        var reports = Reports(weights: [2, 1, 1, 2], reporting: [0, 1, 2], seed: seed)
        var plain = 0
        let picks = 30_000
        for _ in 0..<picks {
            for endpoint in 0..<3 { reports.answer(endpoint, outstanding: 500) }
            let pick = reports.pick()
            if !pick.isByFleet { plain += 1 }
        }
        // Its first draw decides: 2 of 6.
        let expected = Double(picks) / 3
        #expect(abs(Double(plain) - expected) < 5 * (expected * 2 / 3).squareRoot())
    }

    @Test("Nobody is taken by an answer who was tried, or is full")
    func eligibility() {
        var reports = Reports(weights: [1, 1, 1, 1], reporting: [0, 1, 2, 3], maxConnections: 1)
        for endpoint in 0..<4 { reports.answer(endpoint, outstanding: UInt32(endpoint)) }
        _ = reports.cells.place(reports.cell(0))
        var tried = TriedEndpoints()
        tried.insert(reports.cell(1))
        #expect(reports.pick(excluding: tried).record == 2)
        // With one left there is nothing to ask for.
        tried.insert(reports.cell(2))
        #expect(reports.pick(mayAsk: true, excluding: tried) == .endpoint(record: 3, .alone))
        tried.insert(reports.cell(3))
        #expect(reports.pick(mayAsk: true, excluding: tried) == .none)
    }

    @Test("What others in this process heard is as good, while it is fresh, and counts each who goes by it")
    func shared() {
        var reports = Reports(weights: [1, 1], reporting: [0, 1])
        func say(_ outstanding: UInt32, _ endpoint: Int, at moment: Instant) {
            reports.cells.report(
                ReportedLoad(load: EndpointLoad(outstanding: outstanding, connections: 0), measured: moment),
                of: reports.cell(endpoint))
        }
        say(4, 0, at: reports.now)
        #expect(reports.pick(mayAsk: true) == .ask)
        say(7, 1, at: reports.now)
        // Each who goes to 0 is counted there: 4, 5 and 6 are less than 7.
        for _ in 0..<3 { #expect(reports.pick(mayAsk: true).record == 0) }
        #expect(reports.cells.reported(of: reports.cell(0))?.load.outstanding == 7)
        reports.now = reports.now + reports.freshness + LoadCells.reportGrain
        #expect(reports.pick(mayAsk: true) == .ask)
    }

    @Test("Endpoints to ask are distinct, report, and are drawn by weight", arguments: Seeds.sample)
    func targets(seed: UInt64) {
        var reports = Reports(weights: [4, 1, 1, 1, 1], reporting: [0, 1, 2, 3], seed: seed)
        var firsts = [Int](repeating: 0, count: 4)
        for _ in 0..<20_000 {
            let targets = reports.balancer.drawReporters(3, excluding: TriedEndpoints(), random: &reports.random)
            #expect(targets.count <= 3)
            let places = (0..<targets.count).map { Int(targets[$0].place) }
            #expect(Set(places).count == places.count && !places.contains(4))
            if let first = places.first { firsts[first] += 1 }
        }
        #expect(sharesFit(firsts, weights: [4, 1, 1, 1]))
    }

    @Test("Answers survive another snapshot in which their endpoints stand elsewhere, and go with those that went")
    func adoption() {
        var reports = Reports(weights: [1, 1, 1, 1], reporting: [0, 1, 2, 3])
        for endpoint in 0..<4 { reports.answer(endpoint, outstanding: UInt32(endpoint)) }
        reports.adopt([3, 2, 1])
        // Endpoint 1 is the third now.
        #expect(reports.pick() == .endpoint(record: 2, .fleet(age: .zero)))
        reports.adopt([2, 3])
        #expect(reports.pick().record == 0)
    }

    @Test("Suspects are picked by own counts, and only where no preferred endpoint is left")
    func reserve() {
        var reports = Reports(weights: [1, 1, 1], reporting: [0, 1, 2]) { $0 == 2 ? .suspect : .fit }
        var tried = TriedEndpoints()
        tried.insert(reports.cell(0))
        tried.insert(reports.cell(1))
        #expect(reports.pick(mayAsk: true, excluding: tried) == .endpoint(record: 2, .alone))
    }
}
