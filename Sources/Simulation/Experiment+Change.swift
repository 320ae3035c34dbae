// How a change of one member's own state reaches all others: SWIM's infection, at memberlist's pace.

import Gossip
import Vocabulary

extension Experiments {
    /// What one run saw.
    private struct Spread {
        /// Members that know, the changed one included, at the change and after each whole gossip interval since.
        var aware: [Double]
        /// Until all knew; nil where that took more than everybody's next push-pull.
        var convergence: Duration?
        var bytesPerNodeRound: Double
    }

    static func change(
        _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        let prediction = options.prediction(nodes: nodes)
        let interval = options.gossip.gossipInterval
        // Until all should have told it as often as they do; beyond the fifth round in any case.
        let retelling = Double(prediction.transmissionLimit) / Double(max(options.gossip.gossipNodes, 1))
        let rounds = max(6, Int((prediction.roundsToAll + retelling).rounded(.up)))
        var spreads: [Spread] = []
        var announcement = 0
        for seed in options.seeds(of: .change, nodes: nodes) {
            try inWorld(options, nodes: nodes, seed: seed, into: &report) { world throws(Violation) in
                try spreads.append(spread(options, rounds: rounds, in: &world))
                announcement = announcementLength(in: world)
            }
        }
        let aware = (0...rounds).map { round in spreads.map { $0.aware[round] } }
        // Rounds in which nobody is left to tell add nothing to the table.
        let last = aware.firstIndex { $0.allSatisfy { $0 == Double(nodes) } } ?? rounds
        for round in 0...last {
            report.add(
                .awareNodes, of: .change, nodes: nodes, aware[round],
                predicted: prediction.aware(afterRounds: Double(round)), note: round == 0 ? "logistic, SWIM §4.1" : "",
                conditions: [.round(round)])
        }
        let times = spreads.compactMap { $0.convergence?.inSeconds }
        report.add(
            .convergence, of: .change, nodes: nodes, times, predicted: prediction.convergence.inSeconds,
            note: "2 ln N / β rounds")
        report.add(
            .convergenceRounds, of: .change, nodes: nodes, times.map { $0 / interval.inSeconds },
            predicted: prediction.roundsToAll, note: "O(log N), SWIM §4.1")
        let early = Double(times.count { $0 <= interval.inSeconds * 5 }) / Double(spreads.count)
        report.add(.completeEarly, of: .change, nodes: nodes, [early], note: "at 20 members: 97 % wanted")
        report.add(
            .completeAfterExchange, of: .change, nodes: nodes, [Double(times.count) / Double(spreads.count)],
            predicted: 1, note: "gossip alone misses \(prediction.missed.written()) members on average")
        let told = Double(prediction.transmissionLimit * announcement) / Double(rounds)
        report.add(
            .spreadBytes, of: .change, nodes: nodes, spreads.map(\.bytesPerNodeRound),
            predicted: told + idleBytesPerPeriod(nodes: nodes, after: .zero, prediction)
                * (interval / options.gossip.probeInterval),
            note: "in the first \(rounds) rounds, probes included: each tells it \(prediction.transmissionLimit) times")
        report.plots.append(plot(of: aware[...last], interval: interval, prediction))
    }

    private static func spread(
        _ options: ExperimentOptions, rounds: Int, in world: inout World
    ) throws(Violation) -> Spread {
        // Until everybody has told of itself: a start is a change too.
        let telling = options.gossip.gossipInterval * options.prediction(nodes: world.options.nodes).transmissionLimit
        try world.run(for: options.gossip.probeInterval + telling / max(options.gossip.gossipNodes, 1))
        let sent = world.totalTraffic.datagramBytes
        world.update(0)
        let begin = world.now
        let watch = world.watch(0)
        let interval = options.gossip.gossipInterval
        try world.run(until: begin + interval * rounds)
        let bytes = Double(world.totalTraffic.datagramBytes - sent)
        // Everybody's next push-pull begins within two of its intervals.
        let limit = options.prediction(nodes: world.options.nodes).pushPullInterval * 2
        _ = try world.run(atMost: limit, step: interval) { !$0.watches[watch].informed.contains(nil) }
        let seen = world.watches[watch]
        let isComplete = !seen.informed.contains(nil)
        return Spread(
            aware: (0...rounds).map { Double(seen.informed(by: seen.began + interval * $0)) },
            convergence: isComplete ? seen.lastInformed.map { $0 - seen.began } : nil,
            bytesPerNodeRound: bytes / Double(world.options.nodes * rounds))
    }

    /// Bytes of the message that tells of a member.
    private static func announcementLength(in world: World) -> Int {
        guard let view = world.view(of: 0, from: 0) else { return 0 }
        let message = Message.alive(
            Announcement(node: view.id, incarnation: view.incarnation, record: view.record))
        return message.encodedLength(in: world.directory)
    }

    private static func plot(
        of aware: ArraySlice<[Double]>, interval: Duration, _ prediction: Prediction
    ) -> Plot {
        let last = aware.count - 1
        let measured = aware.enumerated().map { round, values in
            (x: Double(round), y: values.reduce(0, +) / Double(values.count))
        }
        let curve = (0...last * 10).map { tenth in
            (x: Double(tenth) / 10, y: prediction.aware(afterRounds: Double(tenth) / 10))
        }
        return Plot(
            "A change reaches \(prediction.nodes) members",
            x: Plot.Axis("gossip rounds of \(interval.inSeconds.written()) s"), y: Plot.Axis("members that know"),
            series: [
                Plot.Series("measured, mean of \(aware.first?.count ?? 0)", form: .marks, points: measured),
                Plot.Series("logistic", form: .line, points: curve),
            ])
    }
}
