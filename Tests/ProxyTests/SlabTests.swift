// Indices and the memory behind them, against the plainest model of each.

import Testing
import Vocabulary

@testable import Proxy

@Suite("Slab")
struct SlabTests {
    @Test("An index belongs to one taker at a time, and the one freed last is the next", arguments: 0..<UInt64(50))
    func indexPool(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let capacity = 1 + Int(random.below(40))
        var pool = IndexPool(capacity: capacity)
        var taken: [UInt32] = []
        var freed: [UInt32] = []
        var highest: UInt32 = 0
        for _ in 0..<500 {
            if random.below(5) < 3 {
                let index = pool.take()
                if let last = freed.popLast() {
                    #expect(index == last)
                } else {
                    #expect((index == nil) == (taken.count == capacity))
                }
                guard let index else { continue }
                #expect(!taken.contains(index) && index < capacity)
                taken.append(index)
                highest = max(highest, index + 1)
            } else if !taken.isEmpty {
                let index = taken.remove(at: Int(random.below(UInt32(taken.count))))
                pool.giveBack(index)
                freed.append(index)
            }
            #expect(pool.taken == taken.count)
            #expect(pool.highWater == highest)
        }
    }

    @Test(
        "Of what freed indices keep, the longest free gives up first, once, and never more than is needed",
        arguments: 0..<UInt64(50))
    func keeping(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let most = Int(random.below(6))
        var pool = IndexPool(capacity: 30)
        var taken: [UInt32] = []
        // The model: freed indices in order, and whether each keeps something.
        var freed: [(index: UInt32, keeps: Bool)] = []
        for _ in 0..<500 {
            if random.below(2) == 0 {
                guard let index = pool.take() else { continue }
                freed.removeAll { $0.index == index }
                taken.append(index)
            } else if !taken.isEmpty {
                let index = taken.remove(at: Int(random.below(UInt32(taken.count))))
                let loser = pool.giveBack(index, keeping: most)
                freed.append((index, true))
                let expected = freed.filter(\.keeps).count > most ? freed.firstIndex(where: \.keeps) : nil
                #expect(loser == expected.map { freed[$0].index })
                if let expected { freed[expected].keeps = false }
            }
        }
    }

    @Test("An element is fresh zeroes, keeps what is written, and reads as zeroes again once discarded")
    func reservation() {
        let pages = Reservation<InlineArray<4096, UInt8>>(capacity: 64)
        for index in UInt32(0)..<64 {
            let byte = pages[index][17]
            #expect(byte == 0)
        }
        for index in UInt32(0)..<64 { pages[index][17] = UInt8(index + 1) }
        pages.discard(5)
        for index in UInt32(0)..<64 {
            let byte = pages[index][17]
            #expect(byte == (index == 5 ? 0 : UInt8(index + 1)))
        }
    }

    @Test("A reservation of nothing has room for one element")
    func emptyReservation() {
        let none = Reservation<UInt64>(capacity: 0)
        #expect(none.capacity == 1)
        none[0] = 7
        let stored = none[0]
        #expect(stored == 7)
    }

    @Test("A pool of nothing gives nothing")
    func emptyPool() {
        var pool = IndexPool(capacity: 0)
        #expect(pool.take() == nil)
    }
}
