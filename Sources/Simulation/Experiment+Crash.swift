// When a crash is suspected, detected, and known to all: SWIM's detection time, and what memberlist's suspicion adds.

import Gossip
import Vocabulary

extension Experiments {
    /// Moments of one run, counted from the crash; nil for what did not happen in time.
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
                try detections.append(detection(options, crashed: nodes - crashes..<nodes, in: &world))
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

    private static func detection(
        _ options: ExperimentOptions, crashed: Range<Int>, in world: inout World
    ) throws(Violation) -> Detection {
        // Long enough that probes are under way everywhere.
        try world.run(for: options.gossip.probeInterval * 2)
        let begin = Duration.nanoseconds(world.now.nanoseconds)
        world.strike(.crash(NodeSet(crashed)))
        var watches: [Int] = []
        for node in crashed { watches.append(world.watch(node)) }
        let survivors = 0..<crashed.lowerBound
        let prediction = options.prediction(nodes: world.options.nodes)
        let limit = prediction.suspicionMaximum * 2 + prediction.fullDetection(crashed: crashed.count) * 2
        let complete = try world.run(atMost: limit, step: .milliseconds(100)) { world in
            watches.allSatisfy { !world.watches[$0].gone[survivors].contains(nil) }
        }
        let seen = watches.map { world.watches[$0] }
        return Detection(
            suspicion: seen.compactMap(\.firstSuspicion).min().map { $0 - begin },
            death: seen.compactMap(\.firstDeath).min().map { $0 - begin },
            everywhere: complete == nil ? nil : seen.compactMap(\.lastDeath).max().map { $0 - begin })
    }
}
