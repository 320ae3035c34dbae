// When a crash is suspected, detected, and known to all: SWIM's detection time, and what memberlist's suspicion adds.

import Gossip
import Vocabulary

extension Experiments {
    /// Moments of one wave of crashes, counted from the crash; nil for what did not happen in time.
    private struct Detection {
        var suspicion: Duration?
        var death: Duration?
        var everywhere: Duration?
    }

    static func crash(
        _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        let prediction = options.prediction(nodes: nodes)
        let crashes = min(options.crashes, nodes - 1)
        var detections: [Detection] = []
        for seed in options.seeds(of: .crash, nodes: nodes) {
            try inWorld(options, nodes: nodes, seed: seed, into: &report) { world throws(Violation) in
                try detections += self.detections(options, crashes: crashes, in: &world)
            }
        }
        let suspicions = detections.compactMap { $0.suspicion?.inSeconds }
        let interval = options.gossip.probeInterval.inSeconds
        // The verdict comes one interval after the start of the probe, where the prober is well.
        report.add(
            .firstProbe, of: .crash, nodes: nodes, suspicions.map { $0 / interval - 1 },
            predicted: prediction.periodsToFirstProbe(crashed: crashes),
            note: "1/(1 − e^−q) where all probe in step, SWIM §3.1; 1/q with even phases")
        report.add(
            .firstSuspicion, of: .crash, nodes: nodes, suspicions,
            predicted: prediction.firstSuspicion(crashed: crashes).inSeconds, note: "and one period for the verdict")
        report.add(
            .firstDetection, of: .crash, nodes: nodes, detections.compactMap { $0.death?.inSeconds },
            predicted: prediction.firstDetection(crashed: crashes).inSeconds,
            note: "and the shortest suspicion, \(prediction.suspicionMinimum.inSeconds.written(significant: 4)) s")
        report.add(
            .fullDetection, of: .crash, nodes: nodes, detections.compactMap { $0.everywhere?.inSeconds },
            predicted: prediction.fullDetection(crashed: crashes).inSeconds, note: "and 2 ln N / β rounds")
    }

    /// Waves of crashes in one world. A large fleet is dear to start and hardly notices a few more, so it has several; all
    /// waves together take 2 % of it at most, or it has one.
    static func waves(of crashes: Int, nodes: Int) -> Int { min(max(nodes / (50 * crashes), 1), 20) }

    private static func detections(
        _ options: ExperimentOptions, crashes: Int, in world: inout World
    ) throws(Violation) -> [Detection] {
        let nodes = world.options.nodes
        let waves = waves(of: crashes, nodes: nodes)
        let interval = options.gossip.probeInterval
        // Long enough that probes are under way everywhere.
        try world.run(for: interval * 2)
        var moments: [(began: Duration, watches: [Int])] = []
        for wave in 0..<waves {
            // Apart, so that the first probes of one wave are mostly over when the next comes.
            if wave > 0 { try world.run(for: interval * 5) }
            let crashed = nodes - (wave + 1) * crashes..<nodes - wave * crashes
            let began = Duration.nanoseconds(world.now.nanoseconds)
            world.strike(.crash(NodeSet(crashed)))
            var watches: [Int] = []
            for node in crashed { watches.append(world.watch(node)) }
            moments.append((began, watches))
        }
        let survivors = 0..<nodes - waves * crashes
        let prediction = options.prediction(nodes: nodes)
        let limit = prediction.suspicionMaximum * 2 + prediction.fullDetection(crashed: crashes) * 2
        _ = try world.run(atMost: limit, step: .milliseconds(100)) { world in
            world.watches.allSatisfy { !$0.gone[survivors].contains(nil) }
        }
        return moments.map { began, watches in
            let seen = watches.map { world.watches[$0] }
            let isComplete = seen.allSatisfy { !$0.gone[survivors].contains(nil) }
            return Detection(
                suspicion: seen.compactMap(\.firstSuspicion).min().map { $0 - began },
                death: seen.compactMap(\.firstDeath).min().map { $0 - began },
                everywhere: isComplete ? seen.compactMap(\.lastDeath).max().map { $0 - began } : nil)
        }
    }
}
