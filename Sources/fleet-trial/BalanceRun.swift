// Subjects in turn, each with the same requests, round after round.
//
// The order is turned by one with every round, so that nobody is always the one after the busiest. What a subject is
// given in a round is the same for all of them: seed, round and load make the plan.

import Reactor
import Rig
import Vocabulary

struct BalanceOptions: Sendable {
    var nodes = 24
    var service = Duration.milliseconds(10)
    var loads = [0.5, 0.7, 0.9]
    /// Shares of instances at half speed; a table for each.
    var slowShares = [0, 0.2]
    var subjects = BalanceSubject.allCases
    var rounds = 3
    var measured = Duration.seconds(30)
    var requestsPerConnection = 1
    var seed: UInt64 = 1

    /// How long all of it takes at the least: without the fleet's start.
    var length: Duration {
        let turn = loads.reduce(Duration.zero) { $0 + RequestPlan.warmUp(service: service, load: $1) + measured }
        return turn * (subjects.count * rounds * slowShares.count)
    }
}

struct BalanceRun {
    let options: BalanceOptions
    let fleet: BalanceFleet
    let say: (String) -> Void

    func play() async throws -> BalanceReport {
        var report = BalanceReport(options)
        if options.subjects.contains(where: { $0.program == .remora }) {
            report.idlePercent = try await idlePercent(for: .seconds(2))
        }
        for round in 0..<options.rounds {
            for (table, slowShare) in options.slowShares.enumerated() {
                let shape = FleetShape(instances: options.nodes, service: options.service, slowShare: slowShare)
                fleet.instances.set(slowness: shape.slowness)
                for (place, load) in options.loads.enumerated() {
                    let plan = plan(shape, load: load, round: round, table: table, place: place)
                    for policy in ModelPolicy.allCases {
                        let times = QueueModel.timesInSystem(of: plan, shape, policy, seed: options.seed)
                        report.add(policy, load: load, slowShare: slowShare, times)
                    }
                    for turn in options.subjects.indices {
                        let subject = options.subjects[(turn + round) % options.subjects.count]
                        let cell = try await play(plan, subject)
                        report.add(cell, of: subject, load: load, slowShare: slowShare)
                        say(
                            "round \(round + 1), \(slowShare.percent) slow, load \(load): \(subject.title): \(cell.words)"
                        )
                    }
                }
            }
        }
        return report
    }

    /// What all remoras together need of one processor while nobody sends anything.
    private func idlePercent(for time: Duration) async throws -> Double {
        let (began, before) = (Kernel.now(), fleet.remoraSeconds)
        try await Task.sleep(for: time)
        return 100 * (fleet.remoraSeconds - before) / (Kernel.now() - began).inSeconds
    }

    private func plan(_ shape: FleetShape, load: Double, round: Int, table: Int, place: Int) -> RequestPlan {
        var seeds = SeededRandom(seed: options.seed)
        for _ in 0..<(round * 10_000 + table * 100 + place) { _ = seeds.next() }
        return RequestPlan(
            shape, load: load, warmUp: RequestPlan.warmUp(service: options.service, load: load),
            measured: options.measured, seed: seeds.next())
    }

    private func play(_ plan: RequestPlan, _ subject: BalanceSubject) async throws -> BalanceReport.Cell {
        let listeners = try fleet.nodes.map { try fleet.listener(of: subject, at: $0) }
        // Half of the descriptors are the instances'.
        let load = OpenLoad(
            requestsPerConnection: options.requestsPerConnection, patience: plan.length,
            mostConnections: Kernel.raiseDescriptorLimit() / 2 - 200)
        _ = try fleet.instances.takeLateness()
        let before = ProcessorTime()
        async let outcome = load.send(plan, to: listeners)
        // Of the time in which requests are sent: after it the last answers are waited for.
        try await Task.sleep(for: plan.length)
        let used = before.flatMap { before in ProcessorTime().map { $0.usedPercent(since: before) } }
        let answered = try await outcome
        try fleet.check()
        return BalanceReport.Cell(
            answered, instanceLateness: try fleet.instances.takeLateness(), processorsUsedPercent: used)
    }
}
