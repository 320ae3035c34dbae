import Balancing
import Testing
import Upstreams

@Suite("p2c")
struct TwoChoicesTests {
    struct Case: CustomTestStringConvertible {
        /// Weight, outstanding, connections.
        var a: (Int, Int, Int)
        var b: (Int, Int, Int)
        /// Which of the two gets every pick; nil: whichever was drawn first.
        var winner: Int?
        var testDescription: String { "\(a) against \(b)" }
    }

    static let cases = [
        Case(a: (100, 0, 0), b: (100, 0, 0), winner: nil),
        Case(a: (100, 1, 1), b: (100, 0, 0), winner: 1),
        Case(a: (100, 1, 1), b: (100, 2, 2), winner: 0),
        // Outstanding decides before connections.
        Case(a: (100, 1, 9), b: (100, 2, 2), winner: 0),
        Case(a: (100, 1, 9), b: (100, 1, 8), winner: 1),
        Case(a: (100, 3, 7), b: (100, 3, 7), winner: nil),
        // For its weight: 2/100 against 3/200, 4/200, 5/200.
        Case(a: (100, 2, 2), b: (200, 3, 3), winner: 1),
        Case(a: (100, 2, 2), b: (200, 4, 4), winner: nil),
        Case(a: (100, 2, 2), b: (200, 5, 5), winner: 0),
        // Equal outstanding for the weight, then connections for the weight.
        Case(a: (100, 1, 3), b: (200, 2, 5), winner: 1),
        Case(a: (100, 1, 3), b: (200, 2, 6), winner: nil),
        Case(a: (100, 1, 3), b: (200, 2, 7), winner: 0),
        Case(a: (1, 0, 1), b: (10_000, 0, 9_999), winner: 1),
        Case(a: (1, 0, 1), b: (10_000, 0, 10_000), winner: nil),
        Case(a: (1, 0, 1), b: (10_000, 0, 10_001), winner: 0),
    ]

    @Test("The less outstanding for its weight wins, then the fewer connections, then the first draw", arguments: cases)
    func definition(_ table: Case) {
        var fixture = Fixture(weights: [table.a.0, table.b.0], balance: .p2c, seed: 7)
        fixture.load(0, outstanding: table.a.1, connections: table.a.2)
        fixture.load(1, outstanding: table.b.1, connections: table.b.2)
        let shares = fixture.shares(of: 10_000)
        switch table.winner {
        case 0: #expect(shares == [10_000, 0])
        case 1: #expect(shares == [0, 10_000])
        default: #expect(sharesFit(shares, weights: [table.a.0, table.b.0]))
        }
    }

    @Test(
        "With all endpoints idle, shares are the weights",
        arguments: [[1, 1], [100, 100, 100], [1, 2, 3, 4], [10_000, 1, 50, 50], Array(1...40)], Seeds.sample)
    func idleShares(weights: [Int], seed: UInt64) {
        var fixture = Fixture(weights: weights, balance: .p2c, seed: seed)
        #expect(sharesFit(fixture.shares(of: 40_000), weights: weights))
    }

    @Test("The only endpoint gets everything, and none gets nothing")
    func fewEndpoints() {
        var one = Fixture(weights: [5], balance: .p2c, seed: 1)
        one.load(0, outstanding: 100, connections: 100)
        #expect(one.shares(of: 100) == [100])
        var none = Fixture(weights: [], balance: .p2c, seed: 1)
        #expect(none.pick() == nil)
    }

    /// The fault of load balancers that draw with replacement: the two draws coincide, and there is no choice
    /// (envoyproxy/envoy#11004 and #14859: with two endpoints, every fourth pick).
    @Test("The most loaded endpoint is never picked: no pick compares a draw with itself", arguments: Seeds.sample)
    func drawsWithoutReplacement(seed: UInt64) {
        for weights in [[100, 100], [1, 9_999], [9_999, 1], [100, 100, 100], [10_000, 1, 1], [300, 200, 100, 1]] {
            for loaded in weights.indices {
                var fixture = Fixture(weights: weights, balance: .p2c, seed: seed)
                fixture.load(loaded, outstanding: 10_001, connections: 10_001)
                #expect(fixture.shares(of: 5000)[loaded] == 0, "\(weights), loaded \(loaded)")
            }
        }
    }

    @Test("Where one endpoint holds 99.9 % of the weight, the second draw is still by weight among the others")
    func dominated() {
        // The giant is loaded, so the other one of the two draws wins, whichever came first.
        let weights = [10_000, 2, 3, 5]
        var fixture = Fixture(weights: weights, balance: .p2c, seed: 3)
        fixture.load(0, outstanding: 10_001, connections: 10_001)
        let shares = fixture.shares(of: 100_000)
        #expect(shares[0] == 0)
        #expect(sharesFit(Array(shares[1...]), weights: Array(weights[1...])))
    }

    @Test("The chance of each ordered pair is that of two draws without replacement", arguments: Seeds.sample)
    func pairs(seed: UInt64) {
        // With loads in the order of the endpoints, the pick is the lower of the two drawn.
        let weights = [4, 3, 2, 1]
        var fixture = Fixture(weights: weights.map { $0 * 100 }, balance: .p2c, seed: seed)
        for endpoint in weights.indices {
            let load = weights[endpoint] * (endpoint + 1)
            fixture.load(endpoint, outstanding: load, connections: load)
        }
        // P(lower = i) = sum over j > i of w_i w_j / W (1 / (W - w_i) + 1 / (W - w_j))
        let sum = 10.0
        let chances: [Double] = weights.indices.map { i -> Double in
            let a = Double(weights[i])
            return weights[(i + 1)...].map(Double.init).reduce(0) { (total: Double, b: Double) -> Double in
                let second: Double = 1 / (sum - a) + 1 / (sum - b)
                return total + a * b / sum * second
            }
        }
        let picks = 100_000.0
        for (count, chance) in zip(fixture.shares(of: Int(picks)), chances) {
            let deviation = (picks * chance * (1 - chance)).squareRoot()
            #expect(abs(Double(count) - picks * chance) <= 5 * deviation)
        }
    }
}
