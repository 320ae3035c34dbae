import Glibc
import Testing
import Upstreams
import Vocabulary

@Suite("Load cells")
struct LoadCellsTests {
    @Test("A placement counts a connection that waits; its end counts it away", arguments: [true, false])
    func placement(waiting: Bool) throws {
        let cells = LoadCells(capacity: 1)
        let cell = try #require(cells.allocate())
        #expect(cells.place(cell))
        #expect(cells.load(of: cell) == EndpointLoad(outstanding: 1, connections: 1))
        if !waiting {
            cells.count(.stops, in: cell)
            #expect(cells.load(of: cell) == EndpointLoad(outstanding: 0, connections: 1))
            cells.count(.starts, in: cell)
            cells.count(.none, in: cell)
            #expect(cells.load(of: cell) == EndpointLoad(outstanding: 1, connections: 1))
            cells.count(.stops, in: cell)
        }
        cells.unplace(cell, waiting: waiting)
        #expect(cells.load(of: cell) == EndpointLoad(outstanding: 0, connections: 0))
    }

    @Test("A placement beyond either limit is refused and counts nothing")
    func limits() throws {
        let cells = LoadCells(capacity: 1)
        let cell = try #require(cells.allocate())
        let two = PlacementLimits(connections: 2, outstanding: .max)
        let one = PlacementLimits(connections: .max, outstanding: 1)
        #expect(cells.place(cell, within: one))
        #expect(!cells.place(cell, within: one))
        #expect(cells.load(of: cell) == EndpointLoad(outstanding: 1, connections: 1))
        cells.count(.stops, in: cell)
        // A connection that rests leaves room for one that waits.
        #expect(cells.place(cell, within: one))
        #expect(!cells.place(cell, within: two))
        #expect(cells.load(of: cell) == EndpointLoad(outstanding: 1, connections: 2))
    }

    @Test("No limit in the config is no limit on a cell, and a huge one is clamped")
    func limitsOfOptions() {
        var options = UpstreamOptions(name: "u", endpoints: [])
        #expect(PlacementLimits(options) == .none)
        options.maxConnections = 7
        options.maxOutstanding = .max
        #expect(PlacementLimits(options) == PlacementLimits(connections: 7, outstanding: .max))
    }

    @Test("Four threads that hammer one endpoint never hold more places than its limit")
    func limitUnderConcurrency() throws {
        let cells = LoadCells(capacity: 1)
        let cell = try #require(cells.allocate())
        let limits = PlacementLimits(connections: 3, outstanding: 2)
        let held = Gauge()
        let refused = Threads.run(4) { _ in
            var refused = 0
            var placed = 0
            while placed < 5000 {
                guard cells.place(cell, within: limits) else {
                    refused += 1
                    sched_yield()
                    continue
                }
                // Entered after the place was won and left before it is given up: never more than are held.
                held.enter()
                placed += 1
                held.leave()
                cells.unplace(cell, waiting: true)
            }
            return refused
        }
        #expect(held.most <= 2)
        #expect(refused.count == 4)
        #expect(cells.load(of: cell) == EndpointLoad(outstanding: 0, connections: 0))
    }

    @Test("Threads that only place never take more places than there are")
    func limitIsReached() throws {
        for limit in [1, 2, 3, 500] as [UInt32] {
            let cells = LoadCells(capacity: 1)
            let cell = try #require(cells.allocate())
            let limits = PlacementLimits(connections: limit, outstanding: .max)
            let placed = Threads.run(4) { _ in
                (0..<1000).count { _ in cells.place(cell, within: limits) }
            }
            // A loser's passing count may cost another the last place, so fewer are possible; more are not.
            let total = placed.reduce(0, +)
            #expect(total <= limit)
            #expect(total > 0)
            #expect(cells.load(of: cell).connections == UInt32(total))
            // Alone, the rest is there to be had.
            while cells.place(cell, within: limits) {}
            #expect(cells.load(of: cell).connections == limit)
        }
    }

    @Test("A cell given back is given out again only after its last connection")
    func reuse() throws {
        let cells = LoadCells(capacity: 2)
        let (first, second) = (try #require(cells.allocate()), try #require(cells.allocate()))
        #expect(first != second)
        #expect(cells.place(first))
        cells.release(first)
        #expect(cells.allocate() == nil)
        cells.count(.stops, in: first)
        #expect(cells.allocate() == nil)
        cells.unplace(first, waiting: false)
        #expect(cells.allocate() == first)
        #expect(cells.allocate() == nil)
    }

    @Test("Whatever comes and goes, no cell is given out twice or while it counts", arguments: [1, 2, 3] as [UInt64])
    func churn(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let cells = LoadCells(capacity: 64)
        var owned: Set<LoadCells.Index> = []
        var busy: [LoadCells.Index: Int] = [:]
        for _ in 0..<20_000 {
            switch random.below(4) {
            case 0:
                // `min`: a set's order differs in every process.
                guard let cell = owned.min() else { continue }
                owned.remove(cell)
                cells.release(cell)
            case 1:
                guard let cell = owned.max(), cells.place(cell) else { continue }
                busy[cell, default: 0] += 1
            case 2:
                guard let cell = busy.keys.min(), let count = busy[cell] else { continue }
                cells.unplace(cell, waiting: true)
                busy[cell] = count == 1 ? nil : count - 1
            default:
                let cell = cells.allocate()
                guard let cell else {
                    #expect(Set(busy.keys).union(owned).count == 64)
                    continue
                }
                #expect(!owned.contains(cell))
                #expect(busy[cell] == nil)
                owned.insert(cell)
            }
        }
    }

    @Test("A hundred thousand busy cells given back do not slow the next requests down")
    func churnIsNotQuadratic() throws {
        let cells = LoadCells()
        let busy = (0..<100_000).compactMap { _ in cells.allocate() }
        for cell in busy {
            #expect(cells.place(cell))
            cells.release(cell)
        }
        // Searched one by one, these would look at ten thousand million cells: minutes, where this takes milliseconds.
        let fresh = Set((0..<100_000).compactMap { _ in cells.allocate() })
        #expect(fresh.count == 100_000)
        #expect(fresh.isDisjoint(with: busy))
    }
}
