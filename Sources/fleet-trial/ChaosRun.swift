// A fleet, and what a schedule does to it.

import Reactor
import Stats
import Vocabulary

struct ChaosRun {
    let fleet: Fleet
    let schedule: ChaosSchedule
    /// What is told on the way.
    let say: (String) -> Void
    private var touches: [Touch] = []
    /// Of remoras that were killed, as they were shortly before.
    private var refused: UInt64 = 0
    /// Lines that were left out while all saw each other come, which is many lines at once.
    private var missingAtStart = 0

    init(fleet: Fleet, schedule: ChaosSchedule, say: @escaping (String) -> Void) {
        self.fleet = fleet
        self.schedule = schedule
        self.say = say
    }

    /// Starts everybody, and waits a while for equal views; chaos does not need them.
    mutating func start(within limit: Duration) async throws -> Duration? {
        let began = Kernel.now()
        for member in fleet.members { try fleet.start(member) }
        let complaints = try await fleet.disagreements(within: limit)
        missingAtStart = fleet.logs.missing
        return complaints.isEmpty ? Kernel.now() - began : nil
    }

    /// Does what the schedule says, to its end.
    mutating func disturb() async throws {
        enum Step { case begin, end }
        var steps = schedule.disturbances.enumerated().flatMap { index, disturbance in
            [(disturbance.begin, Step.begin, index), (disturbance.end, Step.end, index)]
        }
        // Stable where two fall together: the order of the schedule.
        steps.sort { ($0.0, $0.2) < ($1.0, $1.2) }
        let clock = ContinuousClock()
        let start = clock.now
        var began: [Int: Instant] = [:]
        for (moment, step, index) in steps {
            try await Task.sleep(until: start + moment, clock: clock)
            let disturbance = schedule.disturbances[index]
            let member = fleet.members[disturbance.member]
            switch step {
            case .begin:
                if disturbance.kind.kills { await countRefusals(of: member) }
                began[index] = Kernel.now()
                if disturbance.kind.kills { fleet.kill(member) } else { fleet.stop(member) }
                say("\(moment.seconds(1)) s: \(disturbance.kind.rawValue) of \(member.name)")
            case .end:
                if disturbance.kind.kills { try fleet.start(member) } else { fleet.resume(member) }
                guard let began = began[index] else { continue }
                touches.append(
                    Touch(kind: disturbance.kind, member: disturbance.member, began: began, ended: Kernel.now()))
            }
        }
    }

    private mutating func countRefusals(of member: Member) async {
        guard member.program == .remora, let counters = await fleet.counters(of: member) else { return }
        refused += counters.refusedDatagramsTotal + counters.refusedMessagesTotal
    }

    /// Waits until all views are equal.
    /// - Parameter settled: after this a disturbance has no consequences.
    mutating func end(within limit: Duration, from start: Instant, settled: Duration) async throws -> ChaosReport {
        let before = Kernel.now()
        let complaints = try await fleet.disagreements(within: limit)
        let convergence = Kernel.now() - before
        for member in fleet.members { await countRefusals(of: member) }
        let names = fleet.members.map(\.name)
        let findings = ChaosFindings(
            names: names, touches: touches, sightings: fleet.logs.sightings(), from: start, settled: settled)
        return ChaosReport(
            findings: findings, touches: touches, complaints: complaints, crashes: fleet.crashes(),
            convergenceSeconds: complaints.isEmpty ? convergence.inSeconds : nil, refused: refused,
            logLinesMissing: fleet.logs.missing - missingAtStart)
    }
}
