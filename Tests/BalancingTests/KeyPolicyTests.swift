// Picks by key, through a balancer: rings and tables themselves have tests of their own.

import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("ring_hash and maglev")
struct KeyPolicyTests {
    static let policies: [BalancePolicy] = [.ringHash, .maglev]
    static let weights = [100, 100, 50, 200, 100, 1, 130]

    static func keys(_ count: Int, seed: UInt64 = 0xFEED) -> [UInt64] {
        (0..<count).map { XXH64.hash(UInt64($0), seed) }
    }

    @Test("A key's endpoint is the table's, at every pick and on every worker", arguments: policies, Seeds.sample)
    func owners(policy: BalancePolicy, seed: UInt64) {
        var fixture = Fixture(weights: Self.weights, balance: policy, seed: seed)
        var other = Fixture(weights: Self.weights, balance: policy, seed: seed &+ 1)
        var seen: Set<Int> = []
        for key in Self.keys(2000, seed: seed) {
            guard let picked = fixture.pick(for: key) else {
                Issue.record("all are eligible")
                return
            }
            #expect(picked == fixture.owner(of: key))
            #expect(other.pick(for: key) == picked)
            fixture.load(picked, outstanding: 1, connections: 1)
            seen.insert(picked)
        }
        // One of them has a weight of 1 among 681.
        #expect(seen.count >= Self.weights.count - 1)
    }

    @Test("Who is unfit, full or was tried is passed over, and nobody else's keys move", arguments: policies)
    func passedOver(policy: BalancePolicy) {
        let isFit: (Int) -> Bool = { $0 != 1 && $0 != 3 && $0 != 4 }
        var fixture = Fixture(
            weights: Self.weights, balance: policy, seed: 1, maxConnections: 1, state: { $0 == 1 ? .failing : .fit })
        fixture.load(3, connections: 1)
        var tried = TriedEndpoints()
        tried.insert(fixture.endpoints[4])
        for key in Self.keys(2000) {
            #expect(fixture.pick(for: key, excluding: tried) == fixture.owner(of: key, where: isFit))
        }
    }

    @Test("A suspect owns keys only where no fit endpoint is eligible", arguments: policies)
    func reserve(policy: BalancePolicy) {
        var fixture = Fixture(
            weights: Self.weights, balance: policy, seed: 1, maxConnections: 1, state: { $0 < 3 ? .fit : .suspect })
        for key in Self.keys(500) { #expect(fixture.pick(for: key) == fixture.owner(of: key) { $0 < 3 }) }
        for endpoint in 0..<3 { fixture.load(endpoint, connections: 1) }
        for key in Self.keys(500) { #expect(fixture.pick(for: key) == fixture.owner(of: key) { $0 >= 3 }) }
    }

    @Test("A connection without a key is placed by p2c", arguments: policies, Seeds.sample)
    func withoutKey(policy: BalancePolicy, seed: UInt64) {
        var fixture = Fixture(weights: [100, 200, 500], balance: policy, seed: seed)
        var shares = [0, 0, 0]
        for _ in 0..<30_000 { if let picked = fixture.pick(for: nil) { shares[picked] += 1 } }
        #expect(sharesFit(shares, weights: [100, 200, 500]))
        // Of two draws from three the most loaded is never the better one.
        fixture.load(2, outstanding: 100, connections: 100)
        for _ in 0..<1000 { #expect(fixture.pick(for: nil) != 2) }
    }

    @Test("Before the first table is built, keys are placed by p2c, and nobody is left without", arguments: policies)
    func withoutTable(policy: BalancePolicy) {
        var fixture = Fixture(weights: [], balance: policy, seed: 1)
        var late = Fixture(weights: [100, 100, 100], balance: .p2c, seed: 1)
        #expect(fixture.pick(for: 1) == nil)
        #expect(late.pick(for: 1) != nil)
    }

    @Test(
        "Until the next table is built, a newcomer owns no key and one that is gone is passed over", arguments: policies
    )
    func olderTable(policy: BalancePolicy) {
        var fixture = Fixture(weights: Array(repeating: 100, count: 6), balance: policy, seed: 1)
        fixture.adopt((0..<5).map { ($0, 100) })
        // Endpoint 5 comes, 0 goes, and the others stand elsewhere.
        let next = [5, 4, 3, 2, 1].map { (endpoint: $0, weight: 100) }
        fixture.adopt(next, rebuilds: false)
        for key in Self.keys(1000) { #expect(fixture.pick(for: key) == fixture.owner(of: key) { $0 != 0 }) }
        // Only where nobody on it is left does the newcomer serve
        fixture.adopt(next, rebuilds: false, state: { $0 == 5 ? .fit : .failing })
        for key in Self.keys(100) { #expect(fixture.pick(for: key) == 5) }
        // And with the next table it has its keys, of which most come from others
        let before = Self.keys(1000).map { key in fixture.owner(of: key) { $0 != 0 } }
        fixture.adopt(next)
        let after = Self.keys(1000).map { fixture.pick(for: $0) }
        let moved = zip(before, after).filter { $0 != $1 }
        #expect(after.count { $0 == 5 } > 50)
        if policy == .ringHash { #expect(moved.allSatisfy { $0.1 == 5 }) }
        #expect(moved.count < 500)
    }

    @Test("Zones change nothing: the key decides", arguments: policies)
    func zones(policy: BalancePolicy) {
        var fixture = Fixture(weights: Self.weights, balance: policy, seed: 1)
        let members = Self.weights.enumerated().map { (endpoint: $0, weight: $1) }
        fixture.adopt(members, zones: ZoneView(own: "a"), zone: { $0 < 2 ? "a" : "b" })
        for key in Self.keys(1000) { #expect(fixture.pick(for: key) == fixture.owner(of: key)) }
    }
}

@Suite("Bounded load")
struct BoundedLoadTests {
    /// Places connections of a few keys, ends others, and holds every placement to the bound.
    ///
    /// - Parameter memory: by how many picks a worker's sum may be behind.
    /// - Returns: how many went elsewhere than to their keys' owner.
    private static func drive(
        _ policy: BalancePolicy, endpoints: Int, factor: Double, picks: Int, memory: Int, seed: UInt64
    ) throws -> Int {
        var random = SeededRandom(seed: seed)
        let weights = (0..<endpoints).map { _ in [50, 100, 100, 300][Int(random.below(4))] }
        let total = UInt64(weights.reduce(0, +))
        let bound = try #require(LoadBound(factor: factor))
        var fixture = Fixture(weights: weights, balance: policy, seed: seed, boundedLoad: factor)
        var placed: [Int] = []
        var sums: [Int] = []
        var elsewhere = 0
        for turn in 0..<picks {
            sums.append(placed.count)
            let key = XXH64.hash(UInt64(random.below(8)), seed)
            let found = fixture.pick(for: key)
            let picked = try #require(found)
            if picked != fixture.owner(of: key) { elsewhere += 1 }
            fixture.load(picked, outstanding: 1, connections: 1)
            placed.append(picked)
            let carried = UInt64(fixture.cells.load(of: fixture.endpoints[picked]).outstanding)
            let known = sums.suffix(memory).max() ?? 0
            #expect(
                carried
                    <= bound.capacity(
                        outstanding: UInt32(known), weight: UInt32(weights[picked]), totalWeight: total))
            // It grows, then shrinks, and so on.
            let ends = turn / 200 % 2 == 0 ? random.below(2) : 1 + random.below(2)
            for _ in 0..<min(Int(ends), placed.count) {
                let ended = placed.remove(at: Int(random.below(UInt32(placed.count))))
                fixture.cells.unplace(fixture.endpoints[ended], waiting: true)
            }
        }
        return elsewhere
    }

    @Test(
        "Mirrokni et al. 2018: nobody carries more than ⌈c (m + 1) w / W⌉, whatever comes and ends",
        arguments: KeyPolicyTests.policies, [1, 1.25, 2])
    func bound(policy: BalancePolicy, factor: Double) throws {
        for seed in Seeds.sample {
            let elsewhere = try Self.drive(policy, endpoints: 24, factor: factor, picks: 1200, memory: 1, seed: seed)
            // Eight keys for 24 endpoints: most of them have to go elsewhere.
            #expect(elsewhere > 300)
        }
    }

    @Test(
        "Among many endpoints the bound is that of a moment among the last 64 picks", arguments: KeyPolicyTests.policies
    )
    func bigFleet(policy: BalancePolicy) throws {
        let elsewhere = try Self.drive(policy, endpoints: 500, factor: 1.25, picks: 1200, memory: 64, seed: 1)
        #expect(elsewhere > 300)
    }

    @Test("What others place is in the sum as well", arguments: KeyPolicyTests.policies)
    func otherWorkers(policy: BalancePolicy) throws {
        var fixture = Fixture(weights: [Int](repeating: 100, count: 10), balance: policy, seed: 1, boundedLoad: 1.25)
        let key = XXH64.hash(1, 1)
        let found = fixture.owner(of: key)
        let owner = try #require(found)
        for endpoint in 0..<10 { fixture.load(endpoint, outstanding: endpoint == owner ? 12 : 10, connections: 12) }
        // ⌈1.25 × 103 / 10⌉ = 13
        #expect(fixture.pick(for: key) == owner)
        fixture.load(owner, outstanding: 1, connections: 1)
        #expect(fixture.pick(for: key) != owner)
        // Without their load it would be ⌈1.25 × 14 / 10⌉ = 2.
        for endpoint in 0..<10 where endpoint != owner {
            for _ in 0..<10 { fixture.cells.unplace(fixture.endpoints[endpoint], waiting: true) }
        }
        for _ in 0..<11 { fixture.cells.unplace(fixture.endpoints[owner], waiting: true) }
        #expect(fixture.pick(for: key) != owner)
    }

    @Test("What the unfit carry does not loosen it", arguments: KeyPolicyTests.policies)
    func unfit(policy: BalancePolicy) throws {
        var fixture = Fixture(
            weights: [Int](repeating: 100, count: 10), balance: policy, seed: 1, boundedLoad: 1.25,
            state: { $0 == 0 ? .failing : .fit })
        fixture.load(0, outstanding: 1000, connections: 1000)
        let key = XXH64.hash(1, 1)
        var counts: [Int: Int] = [:]
        for _ in 0..<90 {
            let found = fixture.pick(for: key)
            let picked = try #require(found)
            fixture.load(picked, outstanding: 1, connections: 1)
            counts[picked, default: 0] += 1
        }
        // ⌈1.25 × 90 / 9⌉
        #expect(counts.values.allSatisfy { $0 <= 13 } && counts.count >= 7)
    }

    @Test("Where the others cannot be had, the bound is that of those who can", arguments: KeyPolicyTests.policies)
    func scarce(policy: BalancePolicy) throws {
        var fixture = Fixture(
            weights: [Int](repeating: 100, count: 6), balance: policy, seed: 1, maxConnections: 1000, boundedLoad: 1)
        // Four are full of connections that do not wait, two are left
        for endpoint in 0..<4 { fixture.load(endpoint, connections: 1000) }
        var counts = [0, 0, 0, 0, 0, 0]
        for _ in 0..<100 {
            let found = fixture.pick(for: XXH64.hash(1, 1))
            let picked = try #require(found)
            fixture.load(picked, outstanding: 1, connections: 1)
            counts[picked] += 1
        }
        #expect(counts == [0, 0, 0, 0, 50, 50])
    }

    @Test("Without a bound a popular key stays with its owner")
    func unbounded() {
        var fixture = Fixture(weights: [100, 100, 100], balance: .ringHash, seed: 1)
        let owner = fixture.owner(of: 7)
        for _ in 0..<100 {
            #expect(fixture.pick(for: 7) == owner)
            if let owner { fixture.load(owner, outstanding: 1, connections: 1) }
        }
    }
}
