import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("random and least_request")
struct PolicyTests {
    @Test(
        "random shares are the weights, whatever the load",
        arguments: [[1, 1], [3, 3, 3], [1, 2, 3, 4], [10_000, 1, 50, 50], Array(1...40)], Seeds.sample)
    func randomShares(weights: [Int], seed: UInt64) {
        var fixture = Fixture(weights: weights, balance: .random, seed: seed)
        fixture.load(0, outstanding: 50, connections: 50)
        #expect(sharesFit(fixture.shares(of: 40_000), weights: weights))
    }

    @Test("A weighted draw is uniform over equal weights, for every number of endpoints", arguments: 1...33)
    func uniform(count: Int) {
        let weights = [Int](repeating: 100, count: count)
        var fixture = Fixture(weights: weights, balance: .random, seed: UInt64(count))
        #expect(sharesFit(fixture.shares(of: 20_000), weights: weights))
    }

    @Test("least_request picks the least loaded of all for its weight", arguments: Seeds.sample)
    func leastLoaded(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let weights = (0..<7).map { _ in 1 + Int(random.below(5)) }
            var fixture = Fixture(weights: weights, balance: .leastRequest, seed: random.next())
            let loads = weights.map { _ -> (outstanding: Int, connections: Int) in
                let outstanding = Int(random.below(6))
                return (outstanding, outstanding + Int(random.below(4)))
            }
            for (endpoint, load) in loads.enumerated() {
                fixture.load(endpoint, outstanding: load.outstanding, connections: load.connections)
            }
            // 60 is a multiple of every weight, so these are exact.
            let keys = zip(weights, loads).map { weight, load in
                load.outstanding * 60 / weight * 1000 + load.connections * 60 / weight
            }
            guard let picked = fixture.pick() else {
                Issue.record("all are eligible")
                continue
            }
            #expect(keys[picked] == keys.min())
        }
    }

    @Test(
        "least_request shares idle endpoints by weight", arguments: [[1, 1, 1], [1, 2, 3, 4], [9_999, 1]], Seeds.sample)
    func leastRequestShares(weights: [Int], seed: UInt64) {
        var fixture = Fixture(weights: weights, balance: .leastRequest, seed: seed)
        #expect(sharesFit(fixture.shares(of: 50_000), weights: weights))
    }

    /// A scan that starts at a random place and takes the first of the equals favours those behind a gap
    /// (envoyproxy/envoy#31507).
    @Test("Equals share alike wherever they stand among the others")
    func tiesBehindAGap() {
        var fixture = Fixture(weights: [1, 1, 1, 1, 1, 1], balance: .leastRequest, seed: 5)
        for endpoint in [0, 1, 2, 4] { fixture.load(endpoint, outstanding: 1, connections: 1) }
        let shares = fixture.shares(of: 20_000)
        #expect(shares[0] + shares[1] + shares[2] + shares[4] == 0)
        #expect(sharesFit([shares[3], shares[5]], weights: [1, 1]))
    }
}
