// Who gets how many connections, seen from outside.
//
// Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001): the
// less loaded of two draws. What a slow endpoint has outstanding keeps others away.

import Glibc
import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Shares")
    struct ShareTests {
        /// Serves requests of 8 bytes, each in about `time`.
        private static func server(taking time: Duration) throws -> Service {
            let microseconds = UInt32(time.wholeNanoseconds / 1000)
            return try Service { wire in
                while try wire.receive(exactly: 8).count == 8 {
                    // The work that makes an endpoint fast or slow
                    usleep(microseconds)
                    try wire.send("answered")
                }
            }
        }

        /// Connections that the slow one of five endpoints gets, of 500.
        private func slowShare(_ policy: BalancePolicy, seed: UInt64) throws -> Double {
            let slow = try Self.server(taking: .milliseconds(20))
            let fast = try (0..<4).map { _ in try Self.server(taking: .milliseconds(2)) }
            let services = [slow] + fast
            let remora = try Sidecar(to: services.map(\.address)) {
                $0.upstream.balance = policy
                $0.seed = seed
            }
            // Connections of 1 to 20 requests, opened one every 4 ms, whatever has become of those before
            var random = SeededRandom(seed: seed)
            let (began, address) = (ContinuousClock.now, remora.address)
            let clients = (0..<500).map { number in
                let requests = 1 + random.below(20)
                while ContinuousClock.now < began + .milliseconds(4 * number) { usleep(100) }
                return Background {
                    let wire = try Wire.connect(to: address)
                    for _ in 0..<requests {
                        try wire.send("question")
                        guard try wire.receive(exactly: 8).count == 8 else { throw WireError.reset }
                    }
                }
            }
            for client in clients { try client.value() }
            #expect(remora.settles())
            #expect(services.map(\.connections).reduce(0, +) == 500)
            return Double(slow.connections) / 500
        }

        @Test(
            "With p2c, an endpoint that is ten times slower gets at most a tenth of the connections", arguments: [1, 2])
        func slowEndpoint(seed: UInt64) throws {
            #expect(try slowShare(.p2c, seed: seed) <= 0.10)
        }

        @Test("With round_robin, it gets its fifth, fast or slow")
        func slowEndpointInTurn() throws {
            #expect((0.18...0.22).contains(try slowShare(.roundRobin, seed: 1)))
        }

        @Test(
            "Idle endpoints get connections by their weights, within four standard deviations",
            arguments: [BalancePolicy.p2c, .random], [1, 2, 3])
        func weightedDraws(policy: BalancePolicy, seed: UInt64) throws {
            let weights = [100, 200, 500]
            let services = try weights.map { _ in try Service.echo() }
            let remora = try Sidecar(to: []) {
                $0.upstream.balance = policy
                $0.upstream.endpoints = zip(services, weights).map {
                    StaticEndpoint(address: $0.address, weight: Weight($1))
                }
                $0.seed = seed
            }
            let connections = 1000
            for _ in 0..<connections {
                let client = try remora.connect()
                try client.send("x")
                try client.endStream()
                _ = try client.receiveToEnd()
                // Idle again before the next
                #expect(eventually { remora.plane.connections == 0 })
            }
            for (endpoint, weight) in zip(remora.endpoints, weights) {
                let share = Double(weight) / 800
                let deviation = (Double(connections) * share * (1 - share)).squareRoot()
                #expect(abs(Double(endpoint.connectionsTotal) - Double(connections) * share) <= 4 * deviation)
            }
        }

        @Test("With round_robin, weights are kept to exactly")
        func weightedTurns() throws {
            let weights = [100, 200, 500]
            let services = try weights.map { _ in try Service.echo() }
            let remora = try Sidecar(to: []) {
                $0.upstream.balance = .roundRobin
                $0.upstream.endpoints = zip(services, weights).map {
                    StaticEndpoint(address: $0.address, weight: Weight($1))
                }
            }
            for _ in 0..<800 {
                let client = try remora.connect()
                try client.send("x")
                #expect(try client.receive(exactly: 1).count == 1)
            }
            #expect(remora.endpoints.map(\.connectionsTotal) == [100, 200, 500])
        }

        @Test("With least_request, the endpoint with nothing outstanding is taken")
        func leastRequest() throws {
            let endpoints = try (0..<3).map { _ in try ManualEndpoint() }
            let remora = try Sidecar(to: endpoints.map(\.address)) { $0.upstream.balance = .leastRequest }
            // Three that wait are on three endpoints
            let clients = try (0..<3).map { _ in try remora.connect() }
            #expect(eventually { remora.endpoints.map(\.connections) == [1, 1, 1] })
            // The one that has answered gets the next
            let servers = try endpoints.map { try $0.accept() }
            try servers[1].send("answer")
            #expect(eventually { remora.endpoints[1].outstanding == 0 })
            let next = try remora.connect()
            #expect(eventually { remora.endpoints.map(\.connections) == [1, 2, 1] })
            withExtendedLifetime((clients, next)) {}
        }
    }
}
