// Rings and tables: how even they are, and whose keys move.

import Balancing
import Upstreams
import Vocabulary

extension BalancingExperiments {
    /// Members whose names no other run has.
    private static func members(_ count: Int, seed: UInt64) -> [HashedMember] {
        (0..<count).map { HashedMember(name: "edge-\(seed)-\($0)") }
    }

    /// Karger et al. 1997: shares by the number of virtual nodes, and what moves when a member goes; Mirrokni et al.
    /// 2018: bounds.
    static func ring(_ options: BalancingOptions, into report: inout BalancingReport) {
        let count = 100
        var points: [(x: Double, y: Double)] = []
        for virtualNodes in [1, 2, 4, 8, 16, 32, 64, 128, 160, 256, 512, 1024] {
            let variations = seeds(options, .ring, runs: 20).map { seed in
                let ring = HashRing(members(count, seed: seed), virtualNodes: virtualNodes)
                return variation(of: ring.shares(of: count))
            }
            points.append((Double(virtualNodes), variations.reduce(0, +) / Double(variations.count)))
            report.add(
                .spread, of: .ring, [.members(count), .virtualNodes(virtualNodes)], variations,
                predicted: RingModel.spread(members: count, virtualNodes: virtualNodes), note: "√((N−1)/(NV+1))")
        }
        report.plots.append(
            Plot(
                "Shares on a ring of \(count)", x: Plot.Axis("virtual nodes", scale: .logarithmic),
                y: Plot.Axis("coefficient of variation"),
                series: [
                    Plot.Series("measured", form: .marks, points: points),
                    Plot.Series(
                        "√((N−1)/(NV+1))", form: .line,
                        points: points.map { ($0.x, RingModel.spread(members: count, virtualNodes: Int($0.x))) }),
                ]))
        movement(options, count, into: &report)
        bounds(options, count, into: &report)
    }

    private static func movement(_ options: BalancingOptions, _ count: Int, into report: inout BalancingReport) {
        let keys = 100_000
        var (moved, survivors, owned): ([Double], [Double], [Double]) = ([], [], [])
        for seed in seeds(options, .ring, runs: 10) {
            let all = members(count, seed: seed)
            let (before, after) = (
                HashRing(all, virtualNodes: 160), HashRing(Array(all.dropLast()), virtualNodes: 160)
            )
            let last = UInt32(count - 1)
            var (movedKeys, movedOfSurvivors) = (0, 0)
            for number in 0..<keys {
                let key = XXH64.hash(seed, UInt64(number))
                let (old, new) = (before.member(for: key) { _ in true }, after.member(for: key) { _ in true })
                if old == new { continue }
                movedKeys += 1
                if old != last { movedOfSurvivors += 1 }
            }
            moved.append(Double(movedKeys) / Double(keys))
            survivors.append(Double(movedOfSurvivors) / Double(keys))
            owned.append(before.shares(of: count)[count - 1])
        }
        let conditions: [Finding.Condition] = [.members(count), .virtualNodes(160)]
        report.add(
            .movedKeys, of: .ring, conditions, moved, predicted: owned.reduce(0, +) / Double(max(owned.count, 1)),
            note: "its own part of the circle, Karger et al. 1997")
        report.add(
            .movedBetweenSurvivors, of: .ring, conditions, survivors, predicted: 0, note: "monotone: none, exactly")
    }

    /// Connections of popular keys come and go on a ring with bounded load.
    private static func bounds(_ options: BalancingOptions, _ count: Int, into report: inout BalancingReport) {
        for factor in [1.05, 1.25, 1.5, 2] {
            guard let bound = LoadBound(factor: factor) else { continue }
            var (greatest, displaced): ([Double], [Double]) = ([], [])
            for seed in seeds(options, .ring, runs: 5) {
                let outcome = boundedLoad(bound, members: members(count, seed: seed), seed: seed)
                greatest.append(outcome.greatest)
                displaced.append(outcome.displaced)
            }
            let conditions: [Finding.Condition] = [.members(count), .virtualNodes(160), .boundedLoad(factor)]
            report.add(
                .loadOverBound, of: .ring, conditions, greatest, predicted: 1,
                note: "bound: ⌈c (m+1) / n⌉, Mirrokni et al. 2018")
            report.add(.displacedKeys, of: .ring, conditions, displaced)
        }
    }

    /// The greatest load at any moment as a share of what bounds it, and the share of connections elsewhere than on
    /// their key's owner.
    static func boundedLoad(
        _ bound: LoadBound, members: [HashedMember], seed: UInt64
    ) -> (greatest: Double, displaced: Double) {
        let ring = HashRing(members, virtualNodes: 160)
        let total = members.reduce(0) { $0 + UInt64($1.weight.value) }
        var random = SeededRandom(seed: seed)
        var loads = [UInt32](repeating: 0, count: members.count)
        var open: [Int] = []
        var (greatest, displaced, placed) = (0.0, 0, 0)
        for step in 0..<50_000 {
            // Twenty connections a member, then one goes for each that comes.
            if open.count > 20 * members.count || step > 40_000, !open.isEmpty {
                let place = Int(random.below(UInt32(open.count)))
                loads[open[place]] -= 1
                open.swapAt(place, open.count - 1)
                open.removeLast()
                continue
            }
            // A thousand keys, the first ones more popular.
            let key = XXH64.hash(seed, UInt64(random.below(1 + random.below(1000))))
            let outstanding = UInt32(open.count)
            let picked = ring.member(for: key) { place in
                bound.leavesRoom(
                    on: loads[Int(place)], outstanding: outstanding, weight: members[Int(place)].weight.value,
                    totalWeight: total)
            }
            guard let picked else { return (.infinity, 1) }
            placed += 1
            if picked != ring.member(for: key, where: { _ in true }) { displaced += 1 }
            loads[Int(picked)] += 1
            open.append(Int(picked))
            let capacity = bound.capacity(
                outstanding: outstanding, weight: members[Int(picked)].weight.value, totalWeight: total)
            greatest = max(greatest, Double(loads[Int(picked)]) / Double(capacity))
        }
        return (greatest, Double(displaced) / Double(max(placed, 1)))
    }

    static func variation(of shares: [Double]) -> Double {
        let mean = shares.reduce(0, +) / Double(shares.count)
        let squares = shares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (squares / Double(shares.count)).squareRoot() / mean
    }
}

// MARK: - Maglev

extension BalancingExperiments {
    /// As its paper measures it (Eisenbud et al. 2016, §5.3): 1,000 backends in tables of 65,537 and 655,373; the
    /// greatest share beside a ring's of as many points, and the entries that change although their owner did not go.
    static func maglev(_ options: BalancingOptions, into report: inout BalancingReport) {
        let count = 1000
        for size in [65_537, 655_373] {
            let seeds = seeds(options, .maglev, runs: size > 100_000 ? 2 : 5)
            var (table, ring): ([Double], [Double]) = ([], [])
            var changed: [Int: [Double]] = [:]
            let failures = [1, 10, 50]
            for seed in seeds {
                let all = members(count, seed: seed)
                let before = MaglevTable(all, size: size)
                let slots = slotCounts(of: before, members: count)
                table.append(Double(slots.max() ?? 0) * Double(count) / Double(size))
                let shares = HashRing(all, virtualNodes: size / count).shares(of: count)
                ring.append((shares.max() ?? 0) * Double(count))
                for gone in failures {
                    let after = MaglevTable(Array(all.dropLast(gone)), size: size)
                    let moved = (0..<size).count { slot in
                        before.owner(ofSlot: slot) < count - gone
                            && before.owner(ofSlot: slot) != after.owner(ofSlot: slot)
                    }
                    changed[gone, default: []].append(Double(moved) / Double(size))
                }
            }
            let conditions: [Finding.Condition] = [.members(count), .slots(size)]
            let most = (Double(size) / Double(count)).rounded(.up) * Double(count) / Double(size)
            report.add(
                .greatestShare, of: .maglev, conditions + [.policy("maglev")], table, predicted: most,
                note: "one slot more than the least, §3.4")
            report.add(
                .greatestShare, of: .maglev, conditions + [.policy("ring_hash")], ring,
                note: "a ring with as many points")
            for gone in failures {
                report.add(
                    .movedBetweenSurvivors, of: .maglev, conditions + [.failures(gone)], changed[gone] ?? [],
                    note: "entries of survivors that change, §5.3; a ring: none")
            }
        }
    }
}
