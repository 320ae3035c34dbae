// Rings: the same everywhere, and no key moves that need not.

import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("HashRing")
struct HashRingTests {
    // MARK: The same everywhere

    /// Computed by another program, in another language, from the reference library's hashes: a ring that changes
    /// between releases would send a fleet's keys to two owners while it is upgraded.
    @Test("Golden owners and checksums: a ring is the same in every process, on every machine, in every release")
    func golden() {
        let ring = HashRing(goldenMembers, virtualNodes: 4)
        let owners = (1...24).map { key in ring.member(for: XXH64.hash("10.0.0.\(key)")) { _ in true } ?? 99 }
        #expect(owners == [1, 0, 3, 1, 1, 0, 1, 1, 3, 0, 2, 1, 6, 1, 3, 6, 4, 0, 0, 0, 3, 0, 0, 0])
        #expect(ring.checksum == 0x6C9F_CFC3_8620_21A2)
        #expect(HashRing(equalMembers(250), virtualNodes: 160).checksum == 0xF4E4_30F8_6418_4006)
    }

    @Test("The order in which members were learnt decides nothing", arguments: Seeds.sample)
    func order(seed: UInt64) {
        let members = mixedMembers(60, seed: seed)
        let ring = HashRing(members, virtualNodes: 40)
        let owners = ring.owners(keys(500), in: members)
        for shuffle in 1...5 {
            let others = members.shuffled(seed: seed ^ UInt64(shuffle))
            let other = HashRing(others, virtualNodes: 40)
            #expect(other.checksum == ring.checksum)
            #expect(other.owners(keys(500), in: others) == owners)
        }
    }

    @Test("The checksum tells rings apart that differ by a name, a weight, or their virtual nodes")
    func checksum() {
        let ring = HashRing(goldenMembers, virtualNodes: 40)
        var renamed = goldenMembers
        renamed[2].name = "edge-007"
        var reweighed = goldenMembers
        // One more, too little for a point of its own: the ring is as it was, and who asks is told that weights differ.
        reweighed[0].weight = Weight(101)
        let others = [
            HashRing(renamed, virtualNodes: 40), HashRing(reweighed, virtualNodes: 40),
            HashRing(goldenMembers, virtualNodes: 41), HashRing(goldenMembers.dropLast(), virtualNodes: 40),
            HashRing([], virtualNodes: 40),
        ]
        #expect(Set(others.map(\.checksum) + [ring.checksum]).count == 6)
    }

    // MARK: Least movement

    @Test(
        "Karger et al. 1997 §4, monotone: exactly the keys of who goes move, none between survivors",
        arguments: Seeds.sample)
    func removal(seed: UInt64) {
        let members = mixedMembers(40, seed: seed)
        let before = HashRing(members, virtualNodes: 100).owners(keys(4000), in: members)
        for gone in members.names.prefix(8) {
            let survivors = members.without(gone)
            let after = HashRing(survivors, virtualNodes: 100).owners(keys(4000), in: survivors)
            for (old, new) in zip(before, after) { #expect(old == gone ? new != gone : new == old) }
        }
    }

    @Test(
        "A weight that changes moves keys to or from that member alone", arguments: [(100, 150), (100, 10), (400, 1)])
    func weights(change: (Int, Int)) {
        var members = equalMembers(30)
        members[7].weight = Weight(change.0)
        let before = HashRing(members, virtualNodes: 100).owners(keys(4000), in: members)
        members[7].weight = Weight(change.1)
        let after = HashRing(members, virtualNodes: 100).owners(keys(4000), in: members)
        let moved = zip(before, after).filter { $0 != $1 }
        #expect(!moved.isEmpty)
        #expect(moved.allSatisfy { (change.1 > change.0 ? $1 : $0) == "node-7" })
    }

    /// Envoy shares a ring of a fixed size among its hosts: each then has fewer points whenever one joins, and keys move
    /// between those that stay (istio/istio#41814).
    @Test("Who joins takes keys from all, and nobody from another", arguments: [2, 3, 1100])
    func joining(count: Int) {
        let members = equalMembers(count)
        let before = HashRing(members, virtualNodes: 40).owners(keys(20_000), in: members)
        let grown = members + [HashedMember(name: "newcomer")]
        let after = HashRing(grown, virtualNodes: 40).owners(keys(20_000), in: grown)
        let moved = zip(before, after).filter { $0 != $1 }
        #expect(!moved.isEmpty && moved.allSatisfy { $1 == "newcomer" })
    }

    @Test("An updated ring is the ring that would be built anew", arguments: Seeds.sample)
    func update(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var members = mixedMembers(50, seed: seed)
        var ring = HashRing(members, virtualNodes: 30)
        for step in 0..<40 {
            switch random.below(5) {
            case 0: members.append(HashedMember(name: "late-\(step)", weight: Weight(1 + Int(random.below(300)))))
            case 1 where !members.isEmpty: members.remove(at: Int(random.below(UInt32(members.count))))
            case 2 where !members.isEmpty:
                members[Int(random.below(UInt32(members.count)))].weight = Weight(1 + Int(random.below(300)))
            case 3: members.shuffle(using: &random)
            default: members.removeAll { _ in random.below(3) == 0 }
            }
            ring = ring.updated(to: members)
            let anew = HashRing(members, virtualNodes: 30)
            #expect(ring.checksum == anew.checksum && ring.pointCount == anew.pointCount)
            #expect(ring.owners(keys(200), in: members) == anew.owners(keys(200), in: members))
        }
    }

    // MARK: Evenness

    /// Envoy's ring has 1,024 points unless told otherwise, so that with more hosts than that each has one, and its shares
    /// vary by as much as they amount to (envoyproxy/envoy#496, envoyproxy/data-plane-api#277).
    @Test(
        "A ring of 2,000 is as even as its virtual nodes promise, not coarse for the fleet", arguments: [1, 100])
    func fleet(weight: Int) {
        let ring = HashRing(equalMembers(2000, weight: weight), virtualNodes: 160)
        // √((N−1)/(NV+1)) for 160 virtual nodes is 7.9 %; weights alike in the whole fleet make it no coarser.
        #expect(variation(of: ring.shares(of: 2000)) < 0.085)
    }

    @Test("Shares follow the weights")
    func shares() {
        let members = goldenMembers.filter { $0.weight.value >= 50 }
        let shares = HashRing(members, virtualNodes: 2000).shares(of: members.count)
        let total = members.reduce(0) { $0 + Double($1.weight.value) }
        for (share, member) in zip(shares, members) {
            // Five standard deviations of so many points: 11 % for weight 100.
            let expected = Double(member.weight.value) / total
            #expect(abs(share / expected - 1) < 5 / (20 * Double(member.weight.value)).squareRoot())
        }
        #expect(abs(shares.reduce(0, +) - 1) < 1e-9)
        #expect(HashRing(equalMembers(1), virtualNodes: 1).shares(of: 1) == [1])
    }

    @Test("A ring stays within its limit, whatever the weights")
    func limit() {
        let ring = HashRing(equalMembers(800, weight: 10_000), virtualNodes: 160)
        #expect((HashRing.pointLimit / 2 - 800...HashRing.pointLimit).contains(ring.pointCount))
        // In a fleet of usual weights one of 10,000 has its hundredfold, and the others keep their points.
        let mixed = equalMembers(20) + [HashedMember(name: "giant", weight: Weight(10_000))]
        #expect(HashRing(mixed, virtualNodes: 160).pointCount == 20 * 160 + 16_000)
    }

    @Test("A name given twice is one member with both weights, at its first place")
    func twice() {
        let twice = equalMembers(3) + [HashedMember(name: "node-1", weight: Weight(50))]
        var once = equalMembers(3)
        once[1].weight = Weight(150)
        #expect(HashRing(twice, virtualNodes: 40).checksum == HashRing(once, virtualNodes: 40).checksum)
        #expect(HashRing(twice, virtualNodes: 40).shares(of: 4) == HashRing(once, virtualNodes: 40).shares(of: 3) + [0])
    }

    // MARK: Unfit members

    @Test("Skipping an unfit member gives its keys to whom they would belong without it", arguments: Seeds.sample)
    func skipping(seed: UInt64) {
        let members = mixedMembers(30, seed: seed)
        let ring = HashRing(members, virtualNodes: 60)
        let unfit = Set(members.names.prefix(5))
        let fit = members.filter { !unfit.contains($0.name) }
        let skipped = ring.owners(keys(3000), in: members) { !unfit.contains($0) }
        #expect(skipped == HashRing(fit, virtualNodes: 60).owners(keys(3000), in: fit))
    }

    @Test(
        "Whatever share is fit, one is found wherever one is, and who recovers takes keys from nobody but for itself",
        arguments: [0, 1, 2, 5, 50, 199])
    func scarce(fitCount: Int) {
        let members = equalMembers(200)
        let ring = HashRing(members, virtualNodes: 20)
        let fit = Set(members.names.prefix(fitCount))
        let before = ring.owners(keys(2000), in: members) { fit.contains($0) }
        #expect(before.allSatisfy { fitCount == 0 ? $0 == "" : fit.contains($0) })
        let after = ring.owners(keys(2000), in: members) { fit.contains($0) || $0 == "node-199" }
        for (old, new) in zip(before, after) { #expect(new == old || new == "node-199") }
        // The few that are left share the keys of the others about alike.
        let counts = fitCount < 10 ? fit.map { name in before.count { $0 == name } } : []
        #expect(counts.allSatisfy { Double($0) > 0.5 * 2000 / Double(fitCount) })
    }

    @Test("An empty ring has no owner for anything")
    func empty() {
        let ring = HashRing([], virtualNodes: 160)
        #expect(ring.member(for: 1) { _ in true } == nil)
        #expect(ring.updated(to: equalMembers(2)).checksum == HashRing(equalMembers(2), virtualNodes: 160).checksum)
        #expect(ring.updated(to: []).member(for: .max) { _ in true } == nil)
    }

    @Test("Keys before the first point and after the last belong to the first: the circle is closed")
    func wrap() {
        let members = equalMembers(5)
        let ring = HashRing(members, virtualNodes: 3)
        #expect(ring.owners([0], in: members) == ring.owners([.max], in: members))
    }
}
