// Zones as a balancer heeds them; how much goes where is Upstreams' arithmetic, with tests of its own.

import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("Zones, under every policy that draws or scans")
struct ZonePickTests {
    static let policies: [BalancePolicy] = [.p2c, .leastRequest, .roundRobin, .random]

    /// Endpoints of equal weight in the zones that `zones` names one by one.
    static func fixture(
        _ zones: [String], callers: [String: Int], balance: BalancePolicy, seed: UInt64, maxConnections: Int? = nil,
        panicThresholdPercent: Int = 0, state: @escaping (Int) -> Fitness.State = { _ in .fit }
    ) -> Fixture {
        let weights = [Int](repeating: 100, count: zones.count)
        var fixture = Fixture(
            weights: weights, balance: balance, seed: seed, maxConnections: maxConnections,
            panicThresholdPercent: panicThresholdPercent)
        fixture.adopt(
            zones.indices.map { ($0, 100) }, zones: ZoneView(own: "a", callers: callers), zone: { zones[$0] },
            state: state)
        return fixture
    }

    /// How many of these picks each zone got.
    static func shares(_ fixture: inout Fixture, _ zones: [String], of picks: Int) -> [String: Int] {
        let counts = fixture.shares(of: picks)
        return zones.indices.reduce(into: [:]) { $0[zones[$1], default: 0] += counts[$1] }
    }

    @Test("All stays at home while home can carry it", arguments: policies)
    func home(policy: BalancePolicy) {
        let zones = ["b", "a", "b", "a", "c", "a"]
        var fixture = Self.fixture(zones, callers: ["a": 1, "b": 1, "c": 1], balance: policy, seed: 1)
        // However busy this node itself makes it
        for endpoint in [1, 3, 5] { fixture.load(endpoint, outstanding: 50, connections: 50) }
        let shares = fixture.shares(of: 3000)
        #expect(shares[0] + shares[2] + shares[4] == 0)
        #expect(shares[1] > 900 && shares[3] > 900 && shares[5] > 900)
    }

    @Test(
        "What home cannot carry goes to the zones with room, in proportion to it, however loads look from here",
        arguments: policies, Seeds.sample)
    func spill(policy: BalancePolicy, seed: UInt64) {
        // Of 20 endpoints 2, 12 and 6; of 10 callers 4, 4 and 2: room for 0.2 in b and 0.1 in c.
        let zones = (0..<20).map { $0 < 2 ? "a" : $0 < 14 ? "b" : "c" }
        var fixture = Self.fixture(zones, callers: ["a": 4, "b": 4, "c": 2], balance: policy, seed: seed)
        fixture.load(0, outstanding: 9, connections: 9)
        fixture.load(1, outstanding: 9, connections: 9)
        let shares = Self.shares(&fixture, zones, of: 40_000)
        #expect(sharesFit(["a", "b", "c"].map { shares[$0] ?? 0 }, weights: [25, 50, 25]))
    }

    @Test("Within a zone, shares are the weights", arguments: policies)
    func withinZone(policy: BalancePolicy) {
        let weights = [100, 300, 200, 500, 100]
        let zones = ["a", "a", "b", "b", "b"]
        var fixture = Fixture(weights: weights, balance: policy, seed: 5)
        fixture.adopt(
            weights.enumerated().map { ($0, $1) }, zones: ZoneView(own: "a", callers: ["a": 2, "b": 1]),
            zone: { zones[$0] })
        // E_a = 1/3, C_a = 2/3: half of it stays.
        let shares = fixture.shares(of: 40_000)
        #expect(sharesFit(shares, weights: [1000, 3000, 1000, 2500, 500]))
    }

    @Test("Where home has nobody with room, others serve, and home again once it has", arguments: policies)
    func full(policy: BalancePolicy) {
        let zones = ["a", "a", "b", "b"]
        var fixture = Self.fixture(
            zones, callers: ["a": 1, "b": 1], balance: policy, seed: 1, maxConnections: 1)
        fixture.load(0, connections: 1)
        #expect(fixture.shares(of: 100) == [0, 100, 0, 0])
        fixture.load(1, connections: 1)
        let shares = fixture.shares(of: 1000)
        #expect(shares[2] > 400 && shares[3] > 400)
        fixture.cells.unplace(fixture.endpoints[0], waiting: false)
        #expect(fixture.shares(of: 100) == [100, 0, 0, 0])
    }

    @Test("A zone that empties leaves its connections to the others, suspects come last", arguments: policies)
    func empties(policy: BalancePolicy) {
        let zones = ["a", "a", "b", "c", "c"]
        let states: [Fitness.State] = [.failing, .suspect, .fit, .fit, .fit]
        var fixture = Self.fixture(
            zones, callers: ["a": 1, "b": 1, "c": 1], balance: policy, seed: 1, maxConnections: 1,
            state: { states[$0] })
        // c has room for 2/3 − 1/3, b for none beside its own callers.
        let shares = fixture.shares(of: 1000)
        #expect(shares[0] + shares[1] + shares[2] == 0 && shares[3] > 400)
        for endpoint in 2..<5 { fixture.load(endpoint, connections: 1) }
        #expect(fixture.shares(of: 100) == [0, 100, 0, 0, 0])
    }

    @Test("In panic zones are passed over", arguments: policies)
    func panic(policy: BalancePolicy) {
        let zones = ["a", "a", "b", "b"]
        var fixture = Self.fixture(
            zones, callers: ["a": 1, "b": 1], balance: policy, seed: 1, panicThresholdPercent: 100,
            state: { $0 == 3 ? .failing : .fit })
        #expect(sharesFit(fixture.shares(of: 20_000), weights: [1, 1, 1, 1]))
    }

    @Test("A round goes on when the zones' shares change, and when zones begin to matter")
    func roundGoesOn() {
        let zones = ["a", "a", "a", "a", "b"]
        let members = zones.indices.map { (endpoint: $0, weight: 100) }
        var fixture = Fixture(weights: [100, 100, 100, 100, 100], balance: .roundRobin, seed: 1)
        var counts = [0, 0, 0, 0, 0]
        for turn in 0..<400 {
            fixture.adopt(
                members, zones: ZoneView(own: "a", callers: ["a": 1 + turn % 2, "b": 100]), zone: { zones[$0] })
            if let picked = fixture.pick() { counts[picked] += 1 }
        }
        // Whoever started over at each of 400 snapshots would be drawn, not take turns.
        #expect(counts == [100, 100, 100, 100, 0])
    }

    @Test("However many zones there are, each gets its share", arguments: [2, 3, 7, 40])
    func manyZones(count: Int) {
        let zones = (0..<count).map { $0 == 0 ? "a" : "z\($0)" }
        var fixture = Self.fixture(zones, callers: ["a": 1], balance: .random, seed: UInt64(count))
        // The only caller spreads over all: nobody's zone is carried by others.
        #expect(sharesFit(fixture.shares(of: 40_000), weights: [Int](repeating: 1, count: count)))
    }
}
