import Testing
import Upstreams
import Vocabulary

@testable import Balancing

@Suite("Probe pool")
struct ProbePoolTests {
    private func moment(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    private func load(_ outstanding: UInt32, _ connections: UInt32 = 0) -> EndpointLoad {
        EndpointLoad(outstanding: outstanding, connections: connections)
    }

    private func pool(_ loads: [UInt32]) -> ProbePool {
        var pool = ProbePool()
        for (number, outstanding) in loads.enumerated() {
            pool.insert(load(outstanding), of: UInt32(number), at: UInt32(number), measured: moment(Int64(number)))
        }
        return pool
    }

    private func take(
        _ pool: inout ProbePool, ofAtLeast choice: Int = 2, weight: (ProbePool.Answer) -> UInt32? = { _ in 1 }
    ) -> UInt32? {
        pool.least(ofAtLeast: choice, weight: weight).map { pool.use($0).cell }
    }

    @Test("The least loaded answer is used, and each use counts as one more there")
    func uses() {
        var pool = pool([5, 1, 4])
        #expect(take(&pool) == 1)
        // It counts two by now, which is still the least; used twice, it is gone.
        #expect(take(&pool) == 1)
        #expect(pool.count == 2)
        #expect(take(&pool) == 2)
        // 5 beside 4 + 1, of which the one has a connection more as well.
        #expect(take(&pool) == 0)
        #expect(take(&pool) == 2)
        #expect(pool.count == 1)
        #expect(take(&pool) == nil)
        #expect(take(&pool, ofAtLeast: 1) == 0)
    }

    @Test("Of equals the youngest is used")
    func equals() {
        var pool = pool([3, 3, 3])
        #expect(take(&pool) == 2)
        #expect(take(&pool) == 1)
        #expect(take(&pool) == 0)
    }

    @Test("Loads are compared for their weights, then connections")
    func weights() {
        var pool = pool([4, 3])
        #expect(take(&pool) { $0.cell == 0 ? 2 : 1 } == 0)
        var tied = ProbePool()
        tied.insert(load(2, 9), of: 7, at: 0, measured: moment(5))
        tied.insert(load(2, 8), of: 8, at: 1, measured: moment(1))
        #expect(take(&tied) == 8)
    }

    @Test("Who cannot be had is no choice, and does not make one")
    func eligibility() {
        var pool = pool([0, 3, 2])
        #expect(take(&pool) { $0.cell == 0 ? nil : 1 } == 2)
        #expect(take(&pool) { $0.cell == 1 ? 1 : nil } == nil)
    }

    @Test("A younger answer takes the place of an older one of the same endpoint; else the oldest makes room")
    func replacement() {
        var pool = pool([1, 2, 3, 4])
        pool.insert(load(9), of: 0, at: 0, measured: moment(9))
        #expect(pool.count == 4)
        #expect(take(&pool) == 1)
        pool.insert(load(0), of: 10, at: 10, measured: moment(10))
        // The one of endpoint 1 was the oldest.
        #expect(pool.count == 4)
        #expect(take(&pool) == 10)
        #expect(take(&pool) == 10)
        #expect(take(&pool) == 2)
    }

    @Test("What is too old is not used, and what is as old as may be is")
    func ages() {
        var pool = pool([0, 1, 2])
        pool.expire(before: moment(1))
        #expect(pool.count == 2)
        #expect(take(&pool) == 1)
        pool.expire(before: moment(3))
        #expect(pool.count == 0)
    }

    @Test("After another snapshot its endpoints are found anew by their cells, and who is gone is gone")
    func relocation() throws {
        var pool = pool([3, 2, 1])
        pool.relocate { $0 == 2 ? nil : $0 + 100 }
        #expect(pool.count == 2)
        let least = try #require(pool.least(ofAtLeast: 2) { _ in 1 })
        #expect(pool.use(least).place == 101)
    }

    @Test("Whatever happens, it holds no endpoint twice and no more than its capacity", arguments: Seeds.sample)
    func anything(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var shape = ProbePool.Shape()
        shape.capacity = 1 + Int(random.below(UInt32(ProbePool.mostAnswers)))
        shape.uses = 1 + Int(random.below(3))
        var pool = ProbePool(shape)
        var now: Int64 = 0
        for _ in 0..<4000 {
            now += Int64(random.below(3))
            switch random.below(8) {
            case 0: pool.expire(before: moment(now - 20))
            case 1: pool.relocate { cell in random.below(10) == 0 ? nil : cell }
            case 2, 3: _ = take(&pool) { _ in random.below(4) == 0 ? nil : 1 + random.below(9) }
            default:
                let cell = random.below(24)
                pool.insert(load(random.below(50)), of: cell, at: cell, measured: moment(now))
            }
            var cells: [UInt32] = []
            _ = pool.least(ofAtLeast: 1) { answer in
                cells.append(answer.cell)
                return 1
            }
            #expect(cells.count == pool.count && Set(cells).count == cells.count && cells.count <= shape.capacity)
        }
    }
}

@Suite("Freshness")
struct FreshnessTests {
    @Test("Before anything is measured a mean is assumed; then it is measured")
    func first() {
        var freshness = Freshness()
        #expect(freshness.limit == .milliseconds(20))
        freshness.look(answers: 0, nanoseconds: 0)
        #expect(freshness.limit == .milliseconds(20))
        freshness.look(answers: 4, nanoseconds: 20_000_000)
        #expect(freshness.period == .milliseconds(5) && freshness.limit == .milliseconds(10))
    }

    @Test("It follows what is measured, by as much as there is of it")
    func following() {
        var freshness = Freshness()
        freshness.look(answers: 100, nanoseconds: 100_000_000)
        // As many answers as its inertia: half way from 1 ms to 3.
        freshness.look(answers: 132, nanoseconds: 100_000_000 + 32 * 3_000_000)
        #expect(freshness.period == .milliseconds(2))
        freshness.look(answers: 1_000_132, nanoseconds: 196_000_000 + 1_000_000 * 8_000_000)
        #expect(freshness.period > .microseconds(7_990) && freshness.period <= .milliseconds(8))
    }

    @Test("Neither a service without measure nor one that answers at once carries it beyond reason")
    func reason() {
        var freshness = Freshness()
        freshness.look(answers: 10, nanoseconds: 10)
        #expect(freshness.period == .microseconds(500))
        freshness = Freshness()
        freshness.look(answers: 1, nanoseconds: .max)
        #expect(freshness.period == .seconds(30))
    }
}
