// A bound by what endpoints' own sidecars say that they carry.

import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("Bounded load by the fleet's counts")
struct FleetBoundTests {
    private static let now = Instant(nanoseconds: 100_000_000_000)
    /// Moments are kept in grains of a millisecond, cut.
    private static let since = now + (.zero - LoadCells.reportGrain)
    private static let key = XXH64.hash(1, 1)

    private func fixture(_ policy: BalancePolicy) -> Fixture {
        Fixture(weights: [Int](repeating: 100, count: 10), balance: policy, seed: 1, boundedLoad: 1.25)
    }

    @Test(
        "A key goes on where others keep its owner busy, though this node has sent it nothing",
        arguments: KeyPolicyTests.policies)
    func others(policy: BalancePolicy) throws {
        var fixture = fixture(policy)
        let found = fixture.owner(of: Self.key)
        let owner = try #require(found)
        // ⌈1.25 × 102 / 10⌉ = 13
        for endpoint in 0..<10 {
            fixture.report(endpoint, outstanding: endpoint == owner ? 12 : 10, measured: Self.now)
        }
        #expect(fixture.pick(for: Self.key, since: Self.since) == owner)
        // That one was counted at once, so the next would be the 14th.
        #expect(fixture.pick(for: Self.key, since: Self.since) != owner)
        // By this node's counts alone, nobody carries anything.
        #expect(fixture.pick(for: Self.key) == owner)
    }

    @Test(
        "Where one of them has said nothing of late, this node's counts are the only bound",
        arguments: KeyPolicyTests.policies)
    func silence(policy: BalancePolicy) throws {
        var fixture = fixture(policy)
        let found = fixture.owner(of: Self.key)
        let owner = try #require(found)
        let silent = (owner + 1) % 10
        for endpoint in 0..<10 where endpoint != silent {
            fixture.report(endpoint, outstanding: endpoint == owner ? 90 : 1, measured: Self.now)
        }
        #expect(fixture.pick(for: Self.key, since: Self.since) == owner)
        fixture.report(silent, outstanding: 1, measured: Self.now + .seconds(-1))
        #expect(fixture.pick(for: Self.key, since: Self.since) == owner)
        #expect(fixture.pick(for: Self.key, since: Self.now + .seconds(-2)) != owner)
        // And a bound by this node's counts holds beside the other.
        for endpoint in 0..<10 { fixture.report(endpoint, outstanding: 1, measured: Self.now + .seconds(1)) }
        fixture.load(owner, outstanding: 3, connections: 3)
        #expect(fixture.pick(for: Self.key, since: Self.since) != owner)
    }

    @Test("Where the fleet's counts leave room nowhere that this node's do, its own decide")
    func nowhere() throws {
        var fixture = Fixture(weights: [100, 100], balance: .ringHash, seed: 1, boundedLoad: 1)
        let found = fixture.owner(of: Self.key)
        let owner = try #require(found)
        // This node is over its bound on the one, and the fleet on the other.
        fixture.load(owner, outstanding: 3, connections: 3)
        fixture.report(owner, outstanding: 0, measured: Self.now)
        fixture.report(1 - owner, outstanding: 50, measured: Self.now)
        #expect(fixture.pick(for: Self.key, since: Self.since) == 1 - owner)
    }

    /// Requests of popular keys, at 24 single servers, from 24 callers that each know their own; in mean services.
    ///
    /// - Parameter age: mean age of what the servers say, in mean services; nil: nothing is said.
    private static func meanTime(_ age: Double?, seed: UInt64) -> Double {
        let (servers, load) = (24, 0.7)
        var random = SeededRandom(seed: seed)
        func uniform() -> Double { (Double(random.below(1 << 30)) + 0.5) / Double(1 << 30) }
        var callers = Callers(count: 24, servers: servers)
        var (free, queue) = ([Double](repeating: 0, count: servers), [Int](repeating: 0, count: servers))
        var busy: [(end: Double, caller: Int, server: Int)] = []
        var nextWord = (0..<servers).map { _ in uniform() * 2 * (age ?? 0) }
        var (now, sum, counted) = (0.0, 0.0, 0)
        for job in 0..<6_000 {
            now -= Self.logarithm(uniform()) / (Double(servers) * load)
            for place in busy.indices.reversed() where busy[place].end <= now {
                let done = busy.remove(at: place)
                queue[done.server] -= 1
                callers.end(done.caller, done.server)
            }
            let instant = Instant(nanoseconds: Int64(now * 1e9) + 1_000_000_000)
            if let age {
                for server in 0..<servers where nextWord[server] <= now {
                    nextWord[server] = now + 2 * age
                    callers.tell(server, queue[server], at: instant)
                }
            }
            // A thousand keys, the first ones more popular.
            let key = XXH64.hash(7, UInt64(random.below(1 + random.below(1000))))
            let caller = Int(random.below(24))
            let server = callers.place(caller, key, since: age.map { instant + .seconds(-2 * $0 - 0.01) })
            let begin = max(now, free[server])
            free[server] = begin - Self.logarithm(uniform())
            queue[server] += 1
            busy.append((free[server], caller, server))
            if job > 1_000 { (sum, counted) = (sum + free[server] - now, counted + 1) }
        }
        return sum / Double(counted)
    }

    /// Of a number between 0 and 1; by the series of artanh, to six digits and more.
    private static func logarithm(_ value: Double) -> Double {
        var (mantissa, result) = (value, 0.0)
        while mantissa < 0.5 { (mantissa, result) = (mantissa * 2, result - 0.693_147_180_559_945) }
        let x = (mantissa - 1) / (mantissa + 1)
        var (power, sum) = (x, 0.0)
        for divisor in stride(from: 1.0, through: 15, by: 2) { (sum, power) = (sum + power / divisor, power * x * x) }
        return result + 2 * sum
    }

    @Test("Known two services late, the fleet's counts make waits shorter than own counts do")
    func worth() {
        let seeds: [UInt64] = [1, 2]
        let own = seeds.map { Self.meanTime(nil, seed: $0) }.reduce(0, +) / Double(seeds.count)
        let fresh = seeds.map { Self.meanTime(0.25, seed: $0) }.reduce(0, +) / Double(seeds.count)
        let late = seeds.map { Self.meanTime(2, seed: $0) }.reduce(0, +) / Double(seeds.count)
        print(
            "bounded load 1.25, 24 callers, load 0.7: own counts \(own), fleet's \(fresh) at 0.25, \(late) at 2 services"
        )
        #expect(fresh < late && late < 0.8 * own)
    }
}

/// One balancer for each caller, with counts of its own.
///
/// `@safe`: the memory is this value's alone.
@safe
private struct Callers: ~Copyable {
    private var fixtures: UnsafeMutableBufferPointer<Fixture>

    init(count: Int, servers: Int) {
        unsafe fixtures = .allocate(capacity: count)
        for place in 0..<count {
            unsafe fixtures.initializeElement(
                at: place,
                to: Fixture(
                    weights: [Int](repeating: 100, count: servers), balance: .ringHash, seed: UInt64(place),
                    boundedLoad: 1.25))
        }
    }

    deinit {
        unsafe fixtures.deinitialize()
        unsafe fixtures.deallocate()
    }

    /// All callers hear it.
    mutating func tell(_ server: Int, _ outstanding: Int, at now: Instant) {
        for place in unsafe fixtures.indices {
            unsafe fixtures[place].report(server, outstanding: outstanding, measured: now)
        }
    }

    mutating func place(_ caller: Int, _ key: UInt64, since: Instant?) -> Int {
        let picked = unsafe fixtures[caller].pick(for: key, since: since) ?? 0
        unsafe fixtures[caller].load(picked, outstanding: 1, connections: 1)
        return picked
    }

    mutating func end(_ caller: Int, _ server: Int) {
        unsafe fixtures[caller].cells.unplace(fixtures[caller].endpoints[server], waiting: true)
    }
}
