// When all views are what they should be: after a split, after it is healed, after a mass start.

import Gossip
import Vocabulary

extension Experiments {
    // MARK: Splits

    static func partition(
        _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        let prediction = options.prediction(nodes: nodes)
        let sides = options.sides(of: nodes)
        var (splits, heals): ([Double], [Double]) = ([], [])
        for seed in options.seeds(of: .partition, nodes: nodes) {
            let (split, heal) = try inWorld(options, nodes: nodes, seed: seed, into: &report) {
                world throws(Violation) in
                try splitAndHeal(options, sides: sides, in: &world)
            }
            if let split { splits.append(split.inSeconds) }
            if let heal { heals.append(heal.inSeconds) }
        }
        let shape = sides.map { "\($0)" }.joined(separator: "+")
        report.add(
            .split, of: .partition, nodes: nodes, splits, predicted: splitBound(options, nodes: nodes).inSeconds,
            note: "\(shape); bound: the round-robin's worst case, stretched by health, and the longest suspicion")
        report.add(
            .heal, of: .partition, nodes: nodes, heals, predicted: prediction.healBound.inSeconds,
            note: "bound: 1.5 contact intervals on the push-pull's scale, three spreads")
    }

    /// Until all of the other side were probed, by members whose probes take as long as they may, were suspected as
    /// long as can be, and the last verdict has spread.
    private static func splitBound(_ options: ExperimentOptions, nodes: Int) -> Duration {
        let prediction = options.prediction(nodes: nodes)
        return options.gossip.probeInterval * (prediction.worstPeriodsBetweenProbes * options.gossip.awarenessMaximum)
            + prediction.suspicionMaximum + prediction.convergence
    }

    private static func splitAndHeal(
        _ options: ExperimentOptions, sides: [Int], in world: inout World
    ) throws(Violation) -> (split: Duration?, heal: Duration?) {
        let nodes = world.options.nodes
        var groups: [Range<Int>] = []
        for side in sides {
            let first = groups.last?.upperBound ?? 0
            groups.append(first..<first + side)
        }
        try world.run(for: options.gossip.probeInterval * 2)
        world.partition(groups)
        let split = try world.run(atMost: splitBound(options, nodes: nodes), step: .milliseconds(200)) { world in
            groups.allSatisfy { world.disagreement(among: Array($0)) == nil }
        }
        // Longer than every timer that is left: the dead are forgotten, and two push-pulls are over.
        let prediction = options.prediction(nodes: nodes)
        try world.run(
            for: prediction.suspicionMaximum + options.gossip.gossipToTheDead + prediction.pushPullInterval * 2)
        world.heal()
        let heal = try world.run(atMost: prediction.healBound * 4, step: .milliseconds(100)) { $0.hasConverged }
        return (split, heal)
    }

    // MARK: Mass start

    /// What a mass start may take at most, after the last member began.
    private static let startBound = Duration.seconds(15)

    static func start(
        _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        let within = Duration.seconds(1)
        var times: [Double] = []
        for seed in options.seeds(of: .start, nodes: nodes) {
            let time = try inWorld(options, nodes: nodes, seed: seed, start: .cold(within: within), into: &report) {
                world throws(Violation) in
                try world.run(for: within)
                return try world.run(atMost: startBound * 20, step: .milliseconds(100)) { world in
                    world.residents.count == nodes && world.hasConverged
                }
            }
            if let time { times.append(time.inSeconds) }
        }
        report.add(
            .start, of: .start, nodes: nodes, times, predicted: startBound.inSeconds,
            note: "bound; all begin within \(within.inSeconds.written()) s, through one seed")
    }
}
