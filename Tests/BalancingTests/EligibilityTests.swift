import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("Eligibility, under every policy")
struct EligibilityTests {
    @Test(
        "Whatever the state, a pick is eligible, and there is none only where nothing is",
        arguments: BalancePolicy.allCases, Seeds.sample)
    func againstReference(policy: BalancePolicy, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var (nothing, panics, reserves) = (0, 0, 0)
        for _ in 0..<400 {
            let count = 1 + Int(random.below(9))
            let weights = (0..<count).map { _ in random.below(3) == 0 ? 1 + Int(random.below(10_000)) : 100 }
            let states = weights.map { _ -> Fitness.State in
                [.fit, .fit, .suspect, .failing, .draining, .ejected][Int(random.below(6))]
            }
            let threshold = [0, 30, 60][Int(random.below(3))]
            let limits = (connections: 1 + Int(random.below(4)), outstanding: 1 + Int(random.below(3)))
            var fixture = Fixture(
                weights: weights, balance: policy, seed: random.next(),
                maxConnections: random.below(3) == 0 ? nil : limits.connections,
                maxOutstanding: random.below(3) == 0 ? nil : limits.outstanding, panicThresholdPercent: threshold,
                state: { states[$0] })
            var tried = TriedEndpoints()
            for endpoint in weights.indices {
                let outstanding = Int(random.below(4))
                fixture.load(endpoint, outstanding: outstanding, connections: outstanding + Int(random.below(3)))
                if random.below(4) == 0, tried.count < TriedEndpoints.capacity {
                    tried.insert(fixture.endpoints[endpoint])
                }
            }
            let open = weights.indices.filter { endpoint in
                let load = fixture.cells.load(of: fixture.endpoints[endpoint])
                return !tried.contains(fixture.endpoints[endpoint])
                    && Int(load.connections) < fixture.options.maxConnections ?? .max
                    && Int(load.outstanding) < fixture.options.maxOutstanding ?? .max
            }
            let known = states.count { $0 != .draining }
            let fit = states.count { $0 == .fit }
            let isPanic = fit * 100 < threshold * known
            let preferred = open.filter { isPanic ? states[$0] != .draining : states[$0] == .fit }
            let eligible = preferred.isEmpty && !isPanic ? open.filter { states[$0] == .suspect } : preferred
            if eligible.isEmpty { nothing += 1 }
            if isPanic, !eligible.isEmpty { panics += 1 }
            if preferred.isEmpty, !eligible.isEmpty { reserves += 1 }
            for _ in 0..<5 {
                if let picked = fixture.pick(excluding: tried) {
                    #expect(eligible.contains(picked))
                } else {
                    #expect(eligible.isEmpty)
                }
            }
        }
        // The reference itself saw every outcome.
        #expect((1..<400).contains(nothing))
        #expect((1..<400).contains(panics))
        #expect((1..<400).contains(reserves))
    }

    @Test("The one endpoint with room among a thousand is found every time", arguments: BalancePolicy.allCases)
    func needle(policy: BalancePolicy) {
        var weights = [Int](repeating: 10_000, count: 1000)
        weights[617] = 1
        var fixture = Fixture(weights: weights, balance: policy, seed: 1, maxConnections: 1)
        for endpoint in weights.indices where endpoint != 617 { fixture.load(endpoint, connections: 1) }
        for _ in 0..<50 { #expect(fixture.pick() == 617) }
        fixture.load(617, connections: 1)
        for _ in 0..<50 { #expect(fixture.pick() == nil) }
    }

    @Test(
        "Among those with room, shares stay the weights, when most draws are rejected too",
        arguments: [BalancePolicy.p2c, .random, .leastRequest], Seeds.sample)
    func sharesAmongEligible(policy: BalancePolicy, seed: UInt64) {
        let weights = [10_000, 10_000, 10_000, 10_000, 30, 20, 10]
        var fixture = Fixture(weights: weights, balance: policy, seed: seed, maxConnections: 1)
        for endpoint in 0..<4 { fixture.load(endpoint, connections: 1) }
        let shares = fixture.shares(of: 30_000)
        #expect(shares[..<4].allSatisfy { $0 == 0 })
        #expect(sharesFit(Array(shares[4...]), weights: Array(weights[4...])))
    }

    @Test("An unfit endpoint is not picked, and is again once it is fit", arguments: BalancePolicy.allCases)
    func fitness(policy: BalancePolicy) {
        var fixture = Fixture(weights: [1, 1, 1], balance: policy, seed: 1, state: { $0 == 1 ? .failing : .fit })
        #expect(fixture.shares(of: 200).map { $0 > 0 } == [true, false, true])
        fixture.adopt([(0, 1), (1, 1), (2, 1)])
        #expect(fixture.shares(of: 200)[1] > 30)
    }

    @Test("A suspect is picked only where every fit endpoint is full or was tried", arguments: BalancePolicy.allCases)
    func suspects(policy: BalancePolicy) {
        var fixture = Fixture(
            weights: [1, 1, 1, 1], balance: policy, seed: 1, maxConnections: 1, state: { $0 < 2 ? .fit : .suspect })
        #expect(fixture.shares(of: 200)[2...].allSatisfy { $0 == 0 })
        fixture.load(0, connections: 1)
        #expect(fixture.shares(of: 50) == [0, 50, 0, 0])
        var tried = TriedEndpoints()
        tried.insert(fixture.endpoints[1])
        let picked = (0..<200).compactMap { _ in fixture.pick(excluding: tried) }
        #expect(picked.allSatisfy { $0 >= 2 })
        #expect(Set(picked).count == 2)
    }

    @Test("Below the panic threshold every known endpoint has its share, fit or not", arguments: BalancePolicy.allCases)
    func panic(policy: BalancePolicy) {
        let states: [Fitness.State] = [.fit, .suspect, .failing, .ejected, .dead, .draining, .left, .unlisted]
        // One of the four that are known is fit: 25 %.
        var calm = Fixture(
            weights: states.map { _ in 1 }, balance: policy, seed: 3, panicThresholdPercent: 25, state: { states[$0] })
        #expect(calm.shares(of: 100) == [100, 0, 0, 0, 0, 0, 0, 0])
        var panic = Fixture(
            weights: states.map { _ in 1 }, balance: policy, seed: 3, panicThresholdPercent: 26, state: { states[$0] })
        let shares = panic.shares(of: 10_000)
        switch policy {
        case .p2c, .leastRequest, .roundRobin, .random:
            #expect(sharesFit(Array(shares[..<4]), weights: [1, 1, 1, 1]))
        // Of eight members' keys, those of the four who are not known go to the next.
        case .ringHash, .maglev: #expect(shares[..<4].allSatisfy { $0 > 500 })
        }
        #expect(shares[4...].allSatisfy { $0 == 0 })
    }

    @Test("A connection's attempts go to different endpoints until all were tried", arguments: BalancePolicy.allCases)
    func attempts(policy: BalancePolicy) {
        var fixture = Fixture(weights: [10_000, 1, 1, 1, 1, 1, 1, 1], balance: policy, seed: 8)
        var tried = TriedEndpoints()
        var order: Set<Int> = []
        for _ in 0..<8 {
            guard let picked = fixture.pick(excluding: tried) else { break }
            tried.insert(fixture.endpoints[picked])
            order.insert(picked)
        }
        #expect(order.count == 8)
        #expect(fixture.pick(excluding: tried) == nil)
    }

    @Test("What a connection tried stays excluded when the snapshot is replaced meanwhile")
    func triedAcrossAdoption() {
        var fixture = Fixture(weights: [1, 1, 1], balance: .p2c, seed: 8)
        var tried = TriedEndpoints()
        tried.insert(fixture.endpoints[2])
        // Endpoint 2 now stands where endpoint 0 stood.
        fixture.adopt([(2, 1), (1, 1)])
        for _ in 0..<100 { #expect(fixture.pick(excluding: tried) == 1) }
    }

    @Test("There is room for as many attempts as a config may ask for")
    func capacity() {
        #expect(TriedEndpoints.capacity == UpstreamOptions.connectAttemptsRange.upperBound)
    }
}
