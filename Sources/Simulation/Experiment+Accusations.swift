// Who is accused though it is well: by lost datagrams, and by members that are too slow to hear the answers.

import Gossip
import Vocabulary

extension Experiments {
    /// Losses at which accusations are counted where none was asked for.
    private static let losses = [0, 0.01, 0.05, 0.1]
    /// What this many members do in an hour says something of rare things.
    private static let nodeHours = 250.0

    // MARK: Loss

    static func falsePositives(
        _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        for loss in options.loss > 0 ? [options.loss] : losses {
            for usesStreamPing in [true, false] {
                var options = options
                options.loss = loss
                options.gossip.usesStreamPing = usesStreamPing
                try accusations(options, nodes: nodes, into: &report)
            }
        }
    }

    private static func accusations(
        _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        let duration = options.duration ?? .seconds(nodeHours / Double(nodes) * 3600)
        let hours = duration.inSeconds / 3600 * Double(nodes)
        var (suspicions, deaths): ([Double], [Double]) = ([], [])
        for seed in options.seeds(of: .falsePositives, nodes: nodes) {
            var tally = AccusationTally(of: 0..<nodes)
            try inWorld(options, nodes: nodes, seed: seed, into: &report) { world throws(Violation) in
                try tally.follow(&world, for: duration)
            }
            suspicions.append(Double(tally.refutations) / hours)
            deaths.append(Double(tally.deaths) / hours)
        }
        let conditions: [Finding.Condition] = [.loss(options.loss), .streamPing(options.gossip.usesStreamPing)]
        report.add(
            .falseSuspicions, of: .falsePositives, nodes: nodes, suspicions,
            predicted: options.prediction(nodes: nodes).falseSuspicionsPerNodeHour,
            note: options.gossip.usesStreamPing ? "streams lose nothing" : "(1 − (1−p)²) (1 − (1−p)⁴)ᵏ of all probes",
            conditions: conditions)
        report.add(
            .falseDeaths, of: .falsePositives, nodes: nodes, deaths, predicted: 0, note: "refuted in time, SWIM §4.2",
            conditions: conditions)
    }

    // MARK: Slow members

    /// Counts healthy members that are declared dead while others are too slow, again and again for 1 to 32 s, to
    /// hear anything in time, with Lifeguard and without (Lifeguard's headline: about 50 times fewer).
    ///
    /// Slow is: sends, and hears nothing. Members that stop altogether would show less, as a core that notices that it
    /// stood still blames nobody for it.
    static func slow(
        _ options: ExperimentOptions, nodes: Int, into report: inout ExperimentReport
    ) throws(Violation) {
        let healthy = 0..<nodes - max(nodes / 10, 1)
        let duration = options.duration ?? .seconds(600)
        // Where it is off already, there is nothing to compare with.
        let isOff = options.gossip.awarenessMaximum <= 1
        for hasLifeguard in isOff ? [false] : [true, false] {
            var options = options
            if !hasLifeguard { options.gossip = options.gossip.withoutLifeguard }
            var counts: [Double] = []
            for seed in options.seeds(of: .slow, nodes: nodes) {
                let spells = spells(of: healthy.upperBound..<nodes, for: duration, seed: seed)
                var tally = AccusationTally(of: healthy)
                try inWorld(options, nodes: nodes, seed: seed, scenario: spells, into: &report) {
                    world throws(Violation) in
                    try tally.follow(&world, for: duration)
                }
                counts.append(Double(tally.deaths))
            }
            report.add(
                .healthyDeaths, of: .slow, nodes: nodes, counts,
                note:
                    "in \(duration.inSeconds.written()) s; \(nodes - healthy.count) others hear nothing for 1 to 32 s "
                    + "at a time",
                conditions: [.lifeguard(hasLifeguard)])
        }
    }

    /// Spells of 1 to 32 s in which the slow hear nothing, with as much time between them.
    private static func spells(of slow: Range<Int>, for duration: Duration, seed: UInt64) -> Scenario {
        var random = SeededRandom(seed: seed)
        var steps: [Scenario.Step] = []
        var time = Duration.zero
        let all = NodeSet(0..<slow.upperBound)
        while true {
            time += .milliseconds(Int.random(in: 1000...32_000, using: &random))
            let length = Duration.milliseconds(Int.random(in: 1000...32_000, using: &random))
            guard time + length < duration else { return Scenario(steps) }
            steps.append(Scenario.Step(after: time, .cut(from: all, to: NodeSet(slow), .everything)))
            steps.append(Scenario.Step(after: time + length, .heal))
            time += length
        }
    }
}

/// Counts accusations of members that are well, each once, however many of them believe it. What the others believe does
/// not count: Lifeguard's measure is what healthy members do to each other (its FP−).
struct AccusationTally {
    private let healthy: Range<Int>
    /// Suspicions that the accused heard of. It refutes each once; a suspicion itself shows in every view.
    private(set) var refutations = 0
    /// From the first view of a death until somebody sees the member back.
    private(set) var deaths = 0
    private var dead: Set<Int> = []

    init(of healthy: Range<Int>) { self.healthy = healthy }

    /// Runs the world, and takes its facts away as they come: an hour has more of them than a world keeps.
    mutating func follow(_ world: inout World, for duration: Duration) throws(Violation) {
        let end = world.now + duration
        while world.now < end {
            try world.run(until: min(world.now + .seconds(10), end))
            for fact in world.takeFacts() { count(fact) }
        }
    }

    mutating func count(_ fact: Fact) {
        guard healthy.contains(fact.subject), healthy.contains(fact.observer) else { return }
        switch fact.kind {
        case .refuted: refutations += 1
        case .died: if dead.insert(fact.subject).inserted { deaths += 1 }
        case .joined: dead.remove(fact.subject)
        default: break
        }
    }
}
