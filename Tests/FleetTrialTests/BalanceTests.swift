// What a comparison of balancers asks for, what it would come to, and how it is read.

import Foundation
import Reactor
import Testing
import Vocabulary

@testable import fleet_trial

@Suite("Plans of requests")
struct RequestPlanTests {
    private let shape = FleetShape(instances: 24, service: .milliseconds(10), slowShare: 0.2)

    private func plan(seed: UInt64, load: Double = 0.7) -> RequestPlan {
        RequestPlan(shape, load: load, warmUp: .seconds(2), measured: .seconds(60), seed: seed)
    }

    @Test("A fifth of 24 at half speed leaves nine tenths of the capacity, and the slow are not side by side")
    func shapes() {
        #expect(shape.slowness.count { $0 == 2 } == 5)
        #expect(abs(shape.capacity - (19 + 2.5) * 100) < 1e-6)
        #expect(zip(shape.slowness, shape.slowness.dropFirst()).allSatisfy { $0 == 1 || $1 == 1 })
    }

    @Test("The same seed gives the same requests, another one others")
    func determinism() {
        #expect(plan(seed: 1).requests == plan(seed: 1).requests)
        #expect(plan(seed: 1).requests != plan(seed: 2).requests)
    }

    @Test("Arrivals and demands have the rate and the exponential spread that were asked for", arguments: [1, 2, 3])
    func moments(seed: UInt64) {
        let requests = plan(seed: seed).requests
        let expected = shape.capacity * 0.7 * 62
        // Five standard deviations of a Poisson count, and of means of so many exponential times.
        #expect(abs(Double(requests.count) - expected) < 5 * expected.squareRoot())
        let gaps = zip(requests, requests.dropFirst()).map { Double($1.offset - $0.offset) }
        for (times, mean) in [(gaps, 1e9 / (shape.capacity * 0.7)), (requests.map { Double($0.demand) }, 1e7)] {
            let count = Double(times.count)
            let found = times.reduce(0, +) / count
            #expect(abs(found / mean - 1) < 5 / count.squareRoot())
            let square = times.reduce(0) { $0 + $1 * $1 } / count
            // E[X²] = 2 m²; its standard deviation is √20 m².
            #expect(abs(square / (mean * mean) - 2) < 5 * (20 / count).squareRoot())
        }
    }

    @Test("What is sent in the warm-up is not measured")
    func warmUp() {
        let plan = plan(seed: 1)
        #expect(plan.requests[plan.firstMeasured - 1].offset < 2_000_000_000)
        #expect(plan.requests[plan.firstMeasured].offset >= 2_000_000_000)
        #expect(RequestPlan.warmUp(service: .milliseconds(10), load: 0.1) == .seconds(1))
        #expect(abs(RequestPlan.warmUp(service: .milliseconds(10), load: 0.81).inSeconds - 3) < 1e-6)
    }
}

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

@Suite("Instances that are queues")
struct InstanceQueueTests {
    @Test("A request is read once it is whole, and only then")
    func requests() {
        for isLast in [false, true] {
            let request = InstanceRequest(demand: 12_345_678, isLast: isLast)
            #expect(InstanceRequest(request.bytes) == request)
            for count in 0..<request.bytes.count { #expect(InstanceRequest(Array(request.bytes.prefix(count))) == nil) }
        }
        for foreign in ["GET /-5 HTTP/1.1\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n", "POST /5 HTTP/1.1\r\n\r\n", "\r\n\r\n"] {
            #expect(InstanceRequest(Array(foreign.utf8)) == nil)
        }
    }

    @Test("An answer is read once it is whole, and what is none is told from one that is not whole")
    func answers() {
        for instance in [0, 7, 23, 199] {
            let bytes = InstanceAnswer.bytes(from: instance, isLast: instance == 7)
            #expect(InstanceAnswer.read(bytes) == .from(instance: instance))
            for count in 0..<bytes.count { #expect(InstanceAnswer.read(Array(bytes.prefix(count))) == .unfinished) }
        }
        #expect(InstanceAnswer.read(Array("HTTP/1.1 503 Service Unavailable\r\n".utf8)) == .foreign)
        #expect(InstanceAnswer.read(Array("HTTP/1.1 200 OK\r\n\r\nhello\n".utf8)) == .foreign)
    }

    /// The least port of this process's own that clients could be given is not used: the kernel chooses none below 32768.
    private static func addresses(_ count: Int) throws -> [SocketAddress] {
        let places = TrialAddresses(process: Int(getpid()))
        return try (0..<count).map { try SocketAddress(parsing: "\(places.host(900 + $0)):9000") }
    }

    @Test("Every request is answered after its own time and that of those before it", arguments: [1, 5])
    func service(requestsPerConnection: Int) async throws {
        // Given four instances, one of them slow, and clients who speak to them without a balancer between
        let addresses = try Self.addresses(4)
        let instances = try InstanceQueues(at: addresses)
        defer { instances.stop() }
        let shape = FleetShape(instances: 4, service: .milliseconds(2), slowShare: 0.25)
        instances.set(slowness: shape.slowness)
        let plan = RequestPlan(shape, load: 0.5, warmUp: .milliseconds(50), measured: .milliseconds(500), seed: 4)
        // When they send what was planned
        let load = OpenLoad(
            requestsPerConnection: requestsPerConnection, patience: .seconds(20), mostConnections: 500)
        let outcome = try await load.send(plan, to: addresses)
        // Then nobody was answered before a queue would have, nothing was lost, and each had its own instance's answer
        var free = [Int64](repeating: 0, count: 4)
        let ideal = plan.requests.map { request in
            free[request.node] =
                max(free[request.node], request.offset)
                + Int64(Double(request.demand) * shape.slowness[request.node])
            return free[request.node] - request.offset
        }
        #expect(outcome.failures == 0 && outcome.unanswered == 0)
        #expect(outcome.latencies.count == plan.requests.count - plan.firstMeasured)
        #expect(outcome.answersAtNode == outcome.answersOfInstance)
        let least = ideal.dropFirst(plan.firstMeasured).reduce(0, +)
        #expect(outcome.latencies.reduce(0, +) >= least)
        #expect(try instances.takeLateness().count == plan.requests.count)
    }

    @Test("A request to nobody is a failure, and one that is not answered counts with what it has waited")
    func failures() async throws {
        let addresses = try Self.addresses(6).suffix(2)
        let listener = try Kernel.bind(addresses[4], sharingPort: false)
        defer { Kernel.close(listener) }
        try Kernel.listen(listener)
        let shape = FleetShape(instances: 2, service: .milliseconds(2), slowShare: 0)
        let plan = RequestPlan(shape, load: 0.1, warmUp: .zero, measured: .milliseconds(300), seed: 4)
        let load = OpenLoad(patience: .milliseconds(50), mostConnections: 500)
        // Nobody accepts at the first, nobody listens at the second.
        let outcome = try await load.send(plan, to: Array(addresses))
        #expect(outcome.unanswered == plan.requests.count { $0.node == 0 } && outcome.unanswered > 0)
        #expect(outcome.failures == plan.requests.count { $0.node == 1 } && outcome.failures > 0)
        #expect(outcome.latencies.allSatisfy { $0 >= 50_000_000 })
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

    @Test("Quantiles are of the times themselves")
    func quantiles() throws {
        let latencies = try #require(Latencies(nanoseconds: (1...1000).shuffled().map { Int64($0) * 1_000_000 }))
        #expect(latencies.count == 1000 && latencies.max == 1 && latencies.p50 == 0.5)
        #expect(latencies.p99 == 0.99 && latencies.p999 == 0.999 && abs(latencies.mean - 0.5005) < 1e-9)
        #expect(Latencies(nanoseconds: []) == nil)
    }
}
