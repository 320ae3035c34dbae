// How crashes are found: SWIM §3.1, §4.2 and §4.3, Lifeguard §IV.

import Gossip
import Testing
import Vocabulary

@testable import Simulation

@Suite("Detection, as claimed")
struct DetectionClaimTests {
    private func crashes(_ nodes: [Int], runs: Int) -> ExperimentOptions {
        var options = ExperimentOptions(nodes: nodes, seed: FleetSeeds.base)
        (options.experiments, options.runs) = ([.crash], runs)
        return options
    }

    @Test("SWIM §3.1: the first failed probe comes within e/(e − 1) periods on average, whatever the size")
    func constantDetection() throws {
        let options = crashes([8, 32, 100], runs: 25)
        let report = try Experiments.run(options)
        for finding in report.findings(.firstProbe) {
            let sample = try #require(finding.sample)
            let waves = Experiments.waves(of: 1, nodes: try #require(finding.nodes))
            #expect(sample.count == 25 * waves, "\(FleetSeeds.replay(options))")
            #expect(sample.mean <= 1.582 + 3 * sample.standardError, "\(FleetSeeds.replay(options))")
            // Phases are spread evenly: 1/q periods on average, and as much from run to run.
            let even = Double(try #require(finding.nodes)) / Double(try #require(finding.nodes) - 1)
            #expect(abs(sample.mean - even) < 4 / Double(sample.count).squareRoot(), "\(FleetSeeds.replay(options))")
        }
    }

    @Test("SWIM §3.1 and Lifeguard §IV-B: every member knows of a crash soon after the shortest suspicion")
    func completeness() throws {
        let options = crashes([32, 128], runs: 10)
        let report = try Experiments.run(options)
        for finding in report.findings(.fullDetection) {
            let prediction = options.prediction(nodes: try #require(finding.nodes))
            let sample = try #require(finding.sample)
            let waves = Experiments.waves(of: 1, nodes: try #require(finding.nodes))
            #expect(sample.count == 10 * waves, "a crash stayed unknown: \(FleetSeeds.replay(options))")
            #expect(sample.least > prediction.suspicionMinimum.inSeconds, "\(FleetSeeds.replay(options))")
            #expect(
                sample.most < prediction.fullDetection().inSeconds + 15 * options.gossip.probeInterval.inSeconds,
                "\(FleetSeeds.replay(options))")
        }
    }

    @Test(
        "SWIM §4.2: who is silent for less than the suspicion refutes it, and all clear it",
        arguments: FleetSeeds.first(5))
    func recovery(seed: UInt64) throws {
        var world = try World(WorldOptions(nodes: 20, seed: seed, checks: .full))
        try world.run(for: .seconds(2))
        let watch = world.watch(7)
        world.pause(7)
        let suspicion = try world.run(atMost: .seconds(60), step: .milliseconds(10)) {
            $0.watches[watch].firstSuspicion != nil
        }
        #expect(suspicion != nil, "seed \(seed)")
        // The shortest suspicion of 20 members is 5.2 s; the refutation needs part of it to reach all.
        try world.run(for: .seconds(3))
        world.resume(node: 7)
        try world.run(for: .seconds(20))
        #expect(!world.facts.contains { $0.kind == .died }, "seed \(seed)")
        #expect(world.facts.contains { $0.kind == .refuted && $0.subject == 7 }, "seed \(seed)")
        #expect((world.view(of: 7, from: 7)?.incarnation ?? 0) > 1, "seed \(seed)")
        try world.requireAgreement()
    }

    @Test(
        "SWIM §4.3: while nothing changes a member probes each other one within 2N − 1 periods", arguments: [2, 3, 10])
    func roundRobin(nodes: Int) throws {
        var world = try World(WorldOptions(nodes: nodes, seed: FleetSeeds.base, latency: .fixed(.milliseconds(1))))
        let probes = ProbeRecord(nodes: nodes)
        world.sabotage = { node, _, effects in probes.note(effects, of: node) }
        // Steps of a tenth of a period, so that each probe is counted in its own.
        for _ in 0..<1000 {
            try world.run(for: .milliseconds(100))
            probes.tenth += 1
        }
        #expect(probes.longestGap > 0)
        #expect(probes.longestGap <= (2 * nodes - 1) * 10, "REMORA_SEED=\(FleetSeeds.base)")
        // And no faster than one a period.
        #expect(probes.count <= nodes * 101)
    }

    /// Who pinged whom, and when last.
    private final class ProbeRecord {
        var tenth = 0
        private(set) var longestGap = 0
        private(set) var count = 0
        private var last: [[Int]]

        init(nodes: Int) { last = Array(repeating: Array(repeating: 0, count: nodes), count: nodes) }

        func note(_ effects: Effects, of node: Int) {
            for case .ping(let ping) in effects.datagrams.compactMap(\.messages.first) {
                guard let target = ping.node.map({ Int($0.index) }) else { continue }
                count += 1
                longestGap = max(longestGap, tenth - last[node][target])
                last[node][target] = tenth
            }
        }
    }

    @Test(
        "Several waves of crashes in one world take 2 % of it at most, or there is one",
        arguments: [(8, 1, 1), (100, 1, 2), (1000, 1, 20), (10_000, 1, 20), (250, 5, 1), (250, 249, 1)])
    func waves(nodes: Int, crashes: Int, waves: Int) {
        #expect(Experiments.waves(of: crashes, nodes: nodes) == waves)
    }

    // MARK: Bad links

    @Test(
        "SWIM §3.1: one helper is enough to see past a link that is cut one way", arguments: [3, 4, 5],
        FleetSeeds.first(2))
    func oneWayCut(nodes: Int, seed: UInt64) throws {
        var options = WorldOptions(nodes: nodes, seed: seed, checks: .full)
        options.options.usesStreamPing = false
        var world = try World(options)
        world.cut(from: [0], to: [1])
        try world.run(for: .seconds(60))
        #expect(world.bytes(of: .indirectPing, from: 0) > 0, "n0 never needed help: seed \(seed)")
        #expect(!world.facts.contains { $0.kind == .suspected }, "seed \(seed)")
        #expect(world.hasConverged)
    }

    @Test("Without a helper and without streams a cut one way is a death", arguments: FleetSeeds.first(2))
    func noHelper(seed: UInt64) throws {
        var world = try World(WorldOptions(nodes: 2, seed: seed, checks: .full))
        world.cut(from: [0], to: [1])
        try world.run(for: .seconds(60))
        #expect(world.facts.contains { $0.kind == .died && $0.observer == 0 && $0.subject == 1 }, "seed \(seed)")
    }

    @Test("A member that streams reach and datagrams do not is kept, with a warning", arguments: FleetSeeds.first(2))
    func streamFallback(seed: UInt64) throws {
        var world = try World(WorldOptions(nodes: 8, seed: seed, checks: .full))
        world.cut(from: NodeSet([0..<3, 4..<8]), to: [3], .datagrams)
        try world.run(for: .seconds(60))
        #expect(world.facts.contains { $0.kind == .datagramsLost && $0.subject == 3 }, "seed \(seed)")
        #expect(world.nodes(seeing: 3, as: .alive, .suspect) == 7, "seed \(seed)")
        #expect(!world.facts.contains { $0.kind == .died && $0.subject == 3 }, "seed \(seed)")
    }

    @Test(
        "Lifeguard §IV-B: who is cut off condemns nobody before the longest suspicion", arguments: FleetSeeds.first(2))
    func isolated(seed: UInt64) throws {
        var world = try World(WorldOptions(nodes: 10, seed: seed))
        try world.run(for: .seconds(2))
        world.partition([0..<1, 1..<10])
        let cut = world.now
        let prediction = Prediction(nodes: 10, options: .lan, loss: 0)
        try world.run(for: prediction.suspicionMaximum * 3)
        let verdicts = world.facts.filter { $0.kind == .died }.map { (observer: $0.observer, after: $0.time) }
        let own = try #require(verdicts.filter { $0.observer == 0 }.map(\.after).min())
        let others = try #require(verdicts.filter { $0.observer != 0 }.map(\.after).min())
        let begin = Duration.nanoseconds(cut.nanoseconds)
        #expect(own - begin >= prediction.suspicionMaximum, "seed \(seed)")
        #expect(others - begin < prediction.suspicionMinimum + .seconds(8), "seed \(seed)")
    }
}
