// Who gets how many connections, seen from outside.
//
// Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001): the
// less loaded of two draws. What a slow endpoint has outstanding keeps others away.

import Testing
import Upstreams
import Vocabulary

@testable import Proxy

extension DataPlaneBehaviour {
    @Suite("Shares")
    struct ShareTests {
        /// A connection through remora that has requests left to make.
        private struct Visit {
            let client: Wire
            let server: Wire
            let endpoint: Int
            var requests: UInt32
            /// The turn at which its request was made.
            var asked: Int
        }

        /// The share of 500 connections that the first of five endpoints gets, which takes ten turns for an answer
        /// where the others take one.
        ///
        /// Time is counted in turns, in each of which a connection of 1 to 20 requests is opened and every answer
        /// that is due is given: how fast this machine is at the moment changes nothing.
        private func slowShare(_ policy: BalancePolicy, seed: UInt64) throws -> Double {
            let endpoints = try (0..<5).map { _ in try ManualEndpoint() }
            let remora = try Sidecar(to: endpoints.map(\.address)) {
                $0.upstream.balance = policy
                $0.seed = seed
            }
            var random = SeededRandom(seed: seed)
            var visits: [Visit] = []
            for turn in 0..<500 {
                for index in visits.indices where turn - visits[index].asked >= (visits[index].endpoint == 0 ? 10 : 1) {
                    try serve(&visits[index], turn)
                }
                visits.removeAll { $0.requests == 0 }
                let client = try remora.connect()
                try client.send("question")
                #expect(eventually { endpoints.contains { $0.hasCaller } })
                guard let called = endpoints.firstIndex(where: \.hasCaller) else { break }
                let server = try endpoints[called].accept()
                visits.append(
                    Visit(
                        client: client, server: server, endpoint: called, requests: 1 + random.below(20), asked: turn))
            }
            let slow = remora.endpoints[0].connectionsTotal
            #expect(remora.listener.connectionsTotal == 500)
            return Double(slow) / 500
        }

        private func serve(_ visit: inout Visit, _ turn: Int) throws {
            #expect(try visit.server.receiveText(exactly: 8) == "question")
            try visit.server.send("answered")
            #expect(try visit.client.receiveText(exactly: 8) == "answered")
            visit.requests -= 1
            visit.asked = turn
            if visit.requests > 0 {
                try visit.client.send("question")
            } else {
                try visit.client.endStream()
                #expect(try visit.server.receiveToEnd() == [])
                visit.server.close()
                #expect(try visit.client.receiveToEnd() == [])
            }
        }

        @Test(
            "With p2c, an endpoint that is ten times slower gets at most a tenth of the connections",
            arguments: [1, 2, 3])
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
                $0.upstream.source = .fixed(
                    zip(services, weights).map { StaticEndpoint(address: $0.address, weight: Weight($1)) })
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
                $0.upstream.source = .fixed(
                    zip(services, weights).map { StaticEndpoint(address: $0.address, weight: Weight($1)) })
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

        /// The fault of balancers that count a connection once it is established: whoever swallows connects looks idle,
        /// and is given more of them.
        @Test(
            "An endpoint that swallows connects gets one of twenty connections",
            arguments: [BalancePolicy.p2c, .leastRequest], [1, 2, 3])
        func pendingConnects(policy: BalancePolicy, seed: UInt64) throws {
            let hole = try BlackHole()
            let service = try Service.echo()
            let remora = try Sidecar(to: [hole.address, service.address]) {
                $0.upstream.balance = policy
                $0.upstream.connectTimeout = .seconds(60)
                $0.seed = seed
            }
            var clients: [Wire] = []
            for number in 1...20 {
                let client = try remora.connect()
                try client.send("x")
                #expect(eventually { remora.endpoints.reduce(0) { $0 + $1.connections } == number })
                #expect(eventually { remora.endpoints[1].outstanding == 0 })
                clients.append(client)
            }
            #expect(remora.endpoints[0].connections <= 1)
            withExtendedLifetime(clients) {}
        }
    }
}
