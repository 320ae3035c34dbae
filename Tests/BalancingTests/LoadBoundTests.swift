import Balancing
import Testing
import Vocabulary

@Suite("LoadBound")
struct LoadBoundTests {
    struct Case {
        var (factor, outstanding, weight, total): (Double, UInt32, UInt32, UInt64)
        var capacity: UInt64
    }

    /// ⌈c (m + 1) w / W⌉ by hand.
    static let cases = [
        Case(factor: 1.25, outstanding: 0, weight: 100, total: 1000, capacity: 1),
        Case(factor: 1.25, outstanding: 7, weight: 100, total: 1000, capacity: 1),
        Case(factor: 1.25, outstanding: 8, weight: 100, total: 1000, capacity: 2),
        Case(factor: 1.25, outstanding: 79, weight: 100, total: 1000, capacity: 10),
        Case(factor: 1.25, outstanding: 80, weight: 100, total: 1000, capacity: 11),
        Case(factor: 1, outstanding: 9, weight: 1, total: 1, capacity: 10),
        Case(factor: 1.25, outstanding: 79, weight: 200, total: 1000, capacity: 20),
        Case(factor: 2, outstanding: 99, weight: 1, total: 10_001, capacity: 1),
        Case(factor: 100, outstanding: .max, weight: 10_000, total: 10_000, capacity: 429_496_729_600),
    ]

    @Test(
        "A capacity is c times the average with the new one counted, rounded up, in exact arithmetic", arguments: cases)
    func capacity(_ table: Case) throws {
        let bound = try #require(LoadBound(factor: table.factor))
        #expect(
            bound.capacity(outstanding: table.outstanding, weight: table.weight, totalWeight: table.total)
                == table.capacity)
    }

    @Test(
        "A factor below 1 would leave no room for all, and is none", arguments: [0, 0.999, 100.1, .nan, -1, .infinity])
    func factors(_ factor: Double) { #expect(LoadBound(factor: factor) == nil) }

    @Test(
        "Mirrokni et al. 2018: on a ring nobody ever carries more than ⌈c (m + 1) / n⌉, and somebody always has room",
        arguments: [1, 1.05, 1.25, 2], Seeds.sample)
    func onARing(factor: Double, seed: UInt64) throws {
        let members = mixedMembers(25, seed: seed)
        let ring = HashRing(members, virtualNodes: 20)
        let bound = try #require(LoadBound(factor: factor))
        let total = members.reduce(0) { $0 + UInt64($1.weight.value) }
        var random = SeededRandom(seed: seed)
        var loads = [UInt32](repeating: 0, count: members.count)
        // Who carries each connection that is open.
        var open: [Int] = []
        for _ in 0..<3000 {
            if random.below(5) < 2, !open.isEmpty {
                loads[open.remove(at: Int(random.below(UInt32(open.count))))] -= 1
                continue
            }
            let (key, outstanding) = (XXH64.hash(UInt64(random.below(40)), 0), UInt32(open.count))
            let picked = ring.member(for: key) { place in
                bound.leavesRoom(
                    on: loads[Int(place)], outstanding: outstanding, weight: members[Int(place)].weight.value,
                    totalWeight: total)
            }
            let member = Int(try #require(picked))
            loads[member] += 1
            open.append(member)
            let share = factor * Double(open.count) * Double(members[member].weight.value) / Double(total)
            #expect(Double(loads[member]) <= share.rounded(.up))
        }
        #expect(open.count > 100)
    }
}
