// What a comparison of balancers asks for, what it would come to, and how it is read.

import Testing
import Vocabulary

@testable import Rig
@testable import fleet_trial

@Suite("Model queues and formulas")
struct QueueModelTests {
    private func mean(_ policy: ModelPolicy, load: Double, instances: Int = 24, seed: UInt64) -> Double {
        let shape = FleetShape(instances: instances, service: .milliseconds(10), slowShare: 0)
        // So many seconds that it is 240,000 requests at full load.
        let measured = Duration.seconds(2400 / instances)
        let plan = RequestPlan(shape, load: load, warmUp: .seconds(3), measured: measured, seed: seed)
        let times = QueueModel.timesInSystem(of: plan, shape, policy, seed: seed)
        return (Latencies(nanoseconds: times)?.mean ?? 0) / 0.01
    }

    @Test("Formulas give the values of their papers")
    func formulas() {
        #expect(abs(QueueTheory.alone(load: 0.9) - 10) < 1e-9)
        #expect(abs(QueueTheory.twoChoices(load: 0.9) - 2.614) < 0.001)
        #expect(abs(QueueTheory.twoChoices(load: 0.5) - 1.266) < 0.001)
        // Erlang C: one server is M/M/1, two at load ρ take 1/(1 − ρ²).
        #expect(abs(QueueTheory.shared(load: 0.8, servers: 1) - 5) < 1e-9)
        #expect(abs(QueueTheory.shared(load: 0.8, servers: 2) - 1 / (1 - 0.64)) < 1e-9)
    }

    @Test("Random choice is M/M/1, and two true choices among many are the supermarket model", arguments: [0.5, 0.7])
    func agreement(load: Double) {
        #expect(abs(mean(.random, load: load, seed: 5) / QueueTheory.alone(load: load) - 1) < 0.05)
        let many = mean(.twoChoices, load: load, instances: 200, seed: 5)
        #expect(abs(many / QueueTheory.twoChoices(load: load) - 1) < 0.03)
    }

    @Test("More knowledge is never worse, and one queue for all is a bound")
    func order() {
        let means = ModelPolicy.allCases.map { mean($0, load: 0.8, seed: 3) }
        #expect(means == means.sorted(by: >))
        #expect(means[3] > QueueTheory.shared(load: 0.8, servers: 24))
    }

    @Test("Requests of an instance are served in their order, one at a time")
    func lindley() {
        let shape = FleetShape(instances: 1, service: .milliseconds(10), slowShare: 1)
        let plan = RequestPlan(shape, load: 0.5, warmUp: .zero, measured: .seconds(5), seed: 1)
        let times = QueueModel.timesInSystem(of: plan, shape, .twoChoices, seed: 1)
        var free: Int64 = 0
        for (request, time) in zip(plan.requests, times) {
            free = max(free, request.offset) + 2 * request.demand
            #expect(time == free - request.offset)
        }
    }

    @Test("In a short run the bound on fleet load against round-robin holds by far more than chance")
    func certainty() {
        let options = BalanceOptions.short(seed: 1)
        let shape = FleetShape(instances: options.nodes, service: options.service, slowShare: 0)
        var worst = 0.0
        for seed: UInt64 in 1...40 {
            let plan = RequestPlan(
                shape, load: options.loads[0],
                warmUp: RequestPlan.warmUp(service: options.service, load: options.loads[0]),
                measured: options.measured, seed: seed)
            func mean(_ policy: ModelPolicy) -> Double {
                Latencies(nanoseconds: QueueModel.timesInSystem(of: plan, shape, policy, seed: seed))?.mean ?? 0
            }
            worst = max(worst, mean(.twoChoices) / mean(.roundRobin))
        }
        #expect(worst < BalanceReport.mostShareOfRoundRobin - 0.2)
    }
}

@Suite("Comparisons of balancers")
struct BalanceReportTests {
    private func cell(_ milliseconds: Int64, failures: Int = 0, idle: Bool = false) -> BalanceReport.Cell {
        var outcome = LoadOutcome(answersOfInstance: [1, 1], answersAtNode: [1, idle ? 0 : 1])
        outcome.latencies = (1...1000).map { _ in milliseconds * 1_000_000 }
        outcome.failures = failures
        return BalanceReport.Cell(outcome, instanceLateness: [], processorsUsedPercent: 20)
    }

    private func complaints(fleet: BalanceReport.Cell, turns: BalanceReport.Cell) -> [String] {
        var report = BalanceReport(BalanceOptions.short(seed: 1))
        report.add(fleet, of: .fleet, load: 0.8, slowShare: 0)
        report.add(turns, of: .roundRobin, load: 0.8, slowShare: 0)
        return report.complaints
    }

    @Test("Fleet load that is hardly better than round-robin, a failure and an idle node are complained of")
    func complaints() {
        #expect(complaints(fleet: cell(17), turns: cell(20)).isEmpty)
        #expect(complaints(fleet: cell(18), turns: cell(20)).count == 1)
        #expect(complaints(fleet: cell(10, failures: 1), turns: cell(20)).count == 1)
        #expect(complaints(fleet: cell(10, idle: true), turns: cell(20)).count == 1)
    }

    @Test("A row is the median of its rounds, with their spread")
    func rounds() throws {
        var report = BalanceReport(BalanceOptions.short(seed: 1))
        for time: Int64 in [10, 30, 20] { report.add(cell(time), of: .fleet, load: 0.8, slowShare: 0) }
        let mean = try #require(report.rows.first?.mean)
        #expect(abs(mean.p50 - 0.02) < 1e-9 && abs(mean.max - mean.min - 0.02) < 1e-9)
        #expect(report.text.contains("remora, load: fleet"))
        let line = try #require(report.text.split(separator: "\n").first { $0.hasPrefix("remora, load: fleet") })
        #expect(line.contains("20.0") && line.contains("100 %") && line.contains("3000"))
    }
}
