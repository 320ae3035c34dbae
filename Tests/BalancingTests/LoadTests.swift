// What the choice of policy does to load over time, in small seeded worlds.

import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("Load over time")
struct LoadTests {
    /// Mitzenmacher 2001, §1.1 (after Azar et al. 1999): n balls in n bins give a highest load of about
    /// ln n / ln ln n with one choice and ln ln n / ln 2 with two: for n = 1000 above 5 and below 4.
    @Test("A thousand connections to a thousand endpoints pile up under random, not under p2c", arguments: Seeds.sample)
    func ballsAndBins(seed: UInt64) {
        func highestLoad(_ policy: BalancePolicy) -> UInt32 {
            let weights = [Int](repeating: 100, count: 1000)
            var fixture = Fixture(weights: weights, balance: policy, seed: seed)
            for _ in 0..<1000 {
                if let picked = fixture.pick() { _ = fixture.cells.place(fixture.endpoints[picked]) }
            }
            return fixture.endpoints.map { fixture.cells.load(of: $0).outstanding }.max() ?? 0
        }
        #expect(highestLoad(.random) >= 5)
        #expect((2...4).contains(highestLoad(.p2c)))
        #expect(highestLoad(.leastRequest) == 1)
        #expect(highestLoad(.roundRobin) == 1)
    }

    /// Five endpoints, the last one ten times slower; connections of 1 to 20 requests come at random times.
    /// - Returns: the slow one's share of the connections.
    static func shareOfSlow(_ policy: BalancePolicy, seed: UInt64) -> Double {
        var fixture = Fixture(weights: [100, 100, 100, 100, 100], balance: policy, seed: seed)
        var world = SeededRandom(seed: seed ^ 0xFFFF)
        // End of each open connection in microseconds, by time: one list is enough for some dozens.
        var open: [(end: Int, endpoint: Int)] = []
        var slow = 0
        let connections = 20_000
        var now = 0
        for _ in 0..<connections {
            now += Int(world.below(1000))
            for ended in open where ended.end <= now {
                fixture.cells.unplace(fixture.endpoints[ended.endpoint], waiting: true)
            }
            open.removeAll { $0.end <= now }
            guard let picked = fixture.pick() else { continue }
            _ = fixture.cells.place(fixture.endpoints[picked])
            let requests = 1 + Int(world.below(20))
            let perRequest = picked == 4 ? 10_000 : 1000
            open.append((now + requests * perRequest, picked))
            if picked == 4 { slow += 1 }
        }
        return Double(slow) / Double(connections)
    }

    @Test("An endpoint ten times slower gets at most a tenth of the connections", arguments: Seeds.sample)
    func slowEndpoint(seed: UInt64) {
        #expect(Self.shareOfSlow(.p2c, seed: seed) <= 0.1)
        #expect(Self.shareOfSlow(.leastRequest, seed: seed) <= 0.1)
        // The control: what looks at no load gives it its fifth.
        #expect((0.18...0.22).contains(Self.shareOfSlow(.roundRobin, seed: seed)))
        #expect((0.18...0.22).contains(Self.shareOfSlow(.random, seed: seed)))
    }
}
