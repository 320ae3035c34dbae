import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("round_robin")
struct RoundRobinTests {
    static let weightings = [
        [1], [1, 1], [100, 100, 100], [1, 2, 3], [5, 1, 1], [10, 10, 1, 1, 1], [7, 3, 7, 2], [1000, 1, 2],
        [1, 1, 1, 1, 1, 1, 1, 50],
    ]

    @Test(
        "Each gets exactly its weight over every period, from wherever it starts", arguments: weightings, Seeds.sample)
    func exactShares(weights: [Int], seed: UInt64) {
        var fixture = Fixture(weights: weights, balance: .roundRobin, seed: seed)
        let period = weights.reduce(0, +)
        _ = fixture.shares(of: Int(seed % 17))
        for _ in 0..<5 { #expect(fixture.shares(of: period) == weights) }
    }

    @Test("Weights with a common divisor have the shorter period")
    func commonDivisor() {
        var fixture = Fixture(weights: [300, 100, 200], balance: .roundRobin, seed: 9)
        for _ in 0..<5 { #expect(fixture.shares(of: 6) == [3, 1, 2]) }
    }

    @Test("Turns are smooth: no endpoint is ever far from its share", arguments: weightings, Seeds.sample)
    func smooth(weights: [Int], seed: UInt64) {
        var fixture = Fixture(weights: weights, balance: .roundRobin, seed: seed)
        let sum = Double(weights.reduce(0, +))
        // One pick for the ring's own phase, one for where in the ring it stands, and what the other rings' phases do.
        let rings = Double(Set(weights).count)
        var counts = weights.map { _ in 0 }
        for turn in 1...(2 * weights.reduce(0, +)) {
            guard let picked = fixture.pick() else { break }
            counts[picked] += 1
            for (count, weight) in zip(counts, weights) {
                let share = Double(turn) * Double(weight) / sum
                #expect(abs(Double(count) - share) <= 2 + rings * Double(weight) / sum, "turn \(turn) of \(weights)")
            }
        }
    }

    @Test("A light endpoint's turn never waits for a burst of a heavy one's")
    func noBurst() {
        // Four equal light ones between a heavy one's turns: never two light ones in a row at half the weight.
        var fixture = Fixture(weights: [4, 1, 1, 1, 1], balance: .roundRobin, seed: 1)
        var last: Bool?
        for _ in 0..<80 {
            let heavy = fixture.pick() == 0
            #expect(heavy != last)
            last = heavy
        }
    }

    @Test("Workers with different seeds do not march in step")
    func phases() {
        let firsts = (0..<64).map { seed -> Int? in
            var fixture = Fixture(weights: [1, 1, 1, 1], balance: .roundRobin, seed: UInt64(seed))
            return fixture.pick()
        }
        for endpoint in 0..<4 { #expect(firsts.count { $0 == endpoint } >= 4) }
    }

    @Test("Those passed over leave their turns to all the others alike")
    func passedOver() {
        var fixture = Fixture(weights: [1, 1, 1, 1], balance: .roundRobin, seed: 2, maxConnections: 1)
        fixture.load(1, connections: 1)
        #expect(fixture.shares(of: 300) == [100, 0, 100, 100])
    }

    @Test("Adopting the same endpoints again changes nobody's turn", arguments: weightings, Seeds.sample)
    func adoptionOfTheSame(weights: [Int], seed: UInt64) {
        let members = weights.enumerated().map { (endpoint: $0, weight: $1) }
        var fixture = Fixture(weights: weights, balance: .roundRobin, seed: seed)
        // Over a period each still gets its weight; a phase that is rounded may swap two neighbours at its end.
        for _ in 0..<3 {
            var shares = weights.map { _ in 0 }
            for _ in 0..<weights.reduce(0, +) {
                fixture.adopt(members)
                if let picked = fixture.pick() { shares[picked] += 1 }
            }
            for (share, weight) in zip(shares, weights) { #expect(abs(share - weight) <= 1) }
        }
    }

    @Test("Nobody starves while others come and go before every single pick", arguments: Seeds.sample)
    func adoptionDoesNotStarve(seed: UInt64) {
        // Endpoints 0...9 stay; 10...19 come and go, in any order, with any weight.
        var random = SeededRandom(seed: seed)
        var fixture = Fixture(weights: [Int](repeating: 100, count: 20), balance: .roundRobin, seed: seed)
        var waited = [Int](repeating: 0, count: 10)
        var longest = 0
        for _ in 0..<20_000 {
            var members = (0..<10).map { (endpoint: $0, weight: 100) }
            for passing in 10..<20 where random.below(2) == 0 {
                members.append((endpoint: passing, weight: random.below(4) == 0 ? 50 : 100))
            }
            members.shuffle(using: &random)
            fixture.adopt(members)
            let picked = fixture.pick()
            for staying in 0..<10 {
                waited[staying] = staying == picked ? 0 : waited[staying] + 1
                longest = max(longest, waited[staying])
            }
        }
        // A full round is 20 picks; weights of 50 make a second ring.
        #expect(longest <= 40)
    }

    @Test("An endpoint whose weight changes at every pick still gets its turns", arguments: Seeds.sample)
    func changingWeights(seed: UInt64) {
        var fixture = Fixture(weights: [10, 10, 10, 10], balance: .roundRobin, seed: seed)
        var picks = [0, 0, 0, 0]
        for step in 0..<4000 {
            fixture.adopt([(0, 10), (1, 10), (2, 10), (3, 9 + step % 3)])
            if let picked = fixture.pick() { picks[picked] += 1 }
        }
        for count in picks { #expect((800...1200).contains(count), "\(picks)") }
    }

    @Test("A newcomer waits for those who waited before it, then takes its share")
    func newcomer() {
        var fixture = Fixture(weights: [1, 1, 1, 1], balance: .roundRobin, seed: 4)
        fixture.adopt([(0, 1), (1, 1), (2, 1)])
        _ = fixture.pick()
        fixture.adopt([(3, 1), (0, 1), (1, 1), (2, 1)])
        let round = (0..<4).compactMap { _ in fixture.pick() }
        #expect(round.last == 3)
        #expect(round.sorted() == [0, 1, 2, 3])
    }
}
