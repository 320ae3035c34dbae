// What clients are planned to send, and what their times come to.

import Testing
import Vocabulary

@testable import Rig

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

@Suite("Latencies")
struct LatencyTests {
    @Test("Quantiles are of the times themselves")
    func quantiles() throws {
        let latencies = try #require(Latencies(nanoseconds: (1...1000).shuffled().map { Int64($0) * 1_000_000 }))
        #expect(latencies.count == 1000 && latencies.max == 1 && latencies.p50 == 0.5)
        #expect(latencies.p99 == 0.99 && latencies.p999 == 0.999 && abs(latencies.mean - 0.5005) < 1e-9)
        #expect(Latencies(nanoseconds: []) == nil)
    }
}
