import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("MaglevTable")
struct MaglevTableTests {
    /// Computed by another program, in another language, from the reference library's hashes.
    @Test("Golden slots and checksums: a table is the same in every process, on every machine, in every release")
    func golden() {
        let table = MaglevTable(goldenMembers, size: 31)
        #expect(
            (0..<31).map { table.owner(ofSlot: $0) } == [
                4, 6, 3, 6, 1, 1, 0, 4, 1, 6, 4, 1, 3, 3, 4, 3, 2, 3, 1, 6, 2, 0, 6, 5, 0, 3, 0, 6, 3, 3, 3,
            ])
        #expect(table.checksum == 0x4FBA_B376_D5C1_16DF)
        #expect(MaglevTable(equalMembers(250)).checksum == 0x0639_A66B_78B7_CF91)
    }

    @Test("The order in which members were learnt decides nothing", arguments: Seeds.sample)
    func order(seed: UInt64) {
        let members = mixedMembers(40, seed: seed)
        let table = MaglevTable(members, size: 4099)
        let others = members.shuffled(seed: seed)
        let other = MaglevTable(others, size: 4099)
        #expect(table.checksum == other.checksum)
        #expect(table.owners(keys(500), in: members) == other.owners(keys(500), in: others))
        #expect(MaglevTable(members.without(members[0].name), size: 4099).checksum != table.checksum)
    }

    @Test(
        "Eisenbud et al. 2016 §3.4: equal members own equally many slots, but for one", arguments: [1, 2, 7, 100, 655])
    func even(count: Int) {
        let table = MaglevTable(equalMembers(count))
        #expect(table.size == 65_537)
        let slots = table.slotCounts(of: count)
        #expect((slots.max() ?? 0) - (slots.min() ?? 0) <= 1)
    }

    @Test("Slots follow the weights to within one, and the lightest owns one", arguments: Seeds.sample)
    func weights(seed: UInt64) {
        let members =
            mixedMembers(90, seed: seed) + [
                HashedMember(name: "light", weight: Weight(1)), HashedMember(name: "heavy", weight: Weight(10_000)),
            ]
        let table = MaglevTable(members, size: 65_537)
        let total = members.reduce(0) { $0 + Double($1.weight.value) }
        for (slots, member) in zip(table.slotCounts(of: members.count), members) {
            let share = 65_537 * Double(member.weight.value) / total
            #expect(abs(Double(slots) - share) <= 1, "\(member)")
            #expect(slots >= 1)
        }
    }

    @Test("There are a hundred slots for each of up to 6,553 members, in one of two sizes")
    func sizes() {
        #expect(MaglevTable(equalMembers(656)).size == 655_373)
        #expect(MaglevTable([]).size == 0)
        #expect(MaglevTable([]).member(for: 1) { _ in true } == nil)
    }

    /// §5.3 counts the entries of survivors that change; with 65,537 slots and 1,000 members one failure changes fewer
    /// than 2 % of all.
    @Test("When a member goes, few slots move between survivors")
    func disruption() {
        let members = equalMembers(100)
        let table = MaglevTable(members, size: 65_537)
        let after = MaglevTable(members.without("node-99"), size: 65_537)
        let moved = (0..<65_537).count { slot in
            table.owner(ofSlot: slot) != 99 && table.owner(ofSlot: slot) != after.owner(ofSlot: slot)
        }
        #expect((1..<1300).contains(moved))
    }

    @Test("An unfit member's keys go to others, about alike, and nobody else's move")
    func skipping() {
        let members = equalMembers(20)
        let table = MaglevTable(members)
        let before = table.owners(keys(20_000), in: members)
        let after = table.owners(keys(20_000), in: members) { $0 != "node-3" }
        var taken: [String: Int] = [:]
        for (old, new) in zip(before, after) {
            if old == "node-3" { taken[new, default: 0] += 1 } else { #expect(new == old) }
        }
        #expect(taken.count == 19 && taken["node-3"] == nil)
        // 53 each; five standard deviations.
        #expect(taken.values.allSatisfy { (16...90).contains($0) })
    }

    @Test("The only fit member of many is found, and none where none is", arguments: [1, 2, 3, 500])
    func scarce(count: Int) {
        let members = equalMembers(count)
        let table = MaglevTable(members)
        #expect(Set(table.owners(keys(50), in: members) { $0 == "node-0" }) == ["node-0"])
        #expect(Set(table.owners(keys(50), in: members) { _ in false }) == [""])
    }
}

extension MaglevTable {
    /// By place in the list that was given.
    fileprivate func slotCounts(of given: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: given)
        for slot in 0..<size { counts[Int(owner(ofSlot: slot))] += 1 }
        return counts
    }
}
