import Testing
import Vocabulary

@testable import Gossip

@Suite struct MemberTableTests {
    private func table(_ count: Int) -> MemberTable {
        var table = MemberTable()
        for index in 0..<UInt32(count) {
            table.append(
                MemberID(index: index),
                MemberTable.Row(
                    record: Lab.record(port: 1), since: Instant(nanoseconds: 0), incarnation: 1, state: .alive),
                digest: UInt64(index))
        }
        return table
    }

    @Test(
        "A choice is of different members, all that are wanted if they are few, and favours nobody",
        arguments: [(10, 10), (100, 100), (100, 5), (100, 2)])
    func choice(members: Int, wanted: Int) {
        let table = table(members)
        var random = SeededRandom(seed: 7)
        var counts = [Int](repeating: 0, count: members)
        var chosen: [MemberID] = []
        let rounds = 4000
        for _ in 0..<rounds {
            table.choose(3, random: &random, into: &chosen) { id, _ in id.index < wanted }
            #expect(chosen.count == min(3, wanted) && Set(chosen).count == chosen.count)
            for id in chosen { counts[Int(id.index)] += 1 }
        }
        // Each within six deviations of its share
        let share = Double(min(3, wanted) * rounds) / Double(wanted)
        #expect(counts[..<wanted].allSatisfy { abs(Double($0) - share) <= 6 * share.squareRoot() })
        #expect(counts[wanted...].allSatisfy { $0 == 0 })
    }

    @Test("Newcomers come into the order anywhere, so that they are not probed last")
    func insertion() {
        var table = table(100)
        var random = SeededRandom(seed: 7)
        let row = table.row(of: MemberID(index: 0))
        for index in 100..<200 as Range<UInt32> {
            table.insert(MemberID(index: index), row, digest: 0, random: &random)
        }
        let early = table.order.prefix(100).filter { $0.index >= 100 }.count
        #expect((25...75).contains(early))
        #expect(Set(table.order).count == 200 && table.present == 200)
    }

    @Test("Who is taken off the list leaves no count, no place and no row")
    func removal() {
        var table = table(10)
        let whole = table.checksum
        var row = table.row(of: MemberID(index: 3))
        row.state = .dead
        table.update(MemberID(index: 3), row, digest: 3)
        #expect(table.present == 9 && table.dead == 1 && table.checksum != whole)
        let removed = table.remove(where: { id, _ in id.index >= 3 && id.index < 5 }, digest: { UInt64($0.index) })
        #expect(removed.map(\.0.index) == [3, 4])
        #expect(table.present == 8 && table.dead == 0 && table.listed == 8)
        #expect(table[MemberID(index: 3)] == nil && table.order.allSatisfy { $0.index != 3 && $0.index != 4 })
    }
}
