// What passes, how late, and how often.

import Testing
import Vocabulary

@testable import Simulation

@Suite("The network does as told")
struct NetworkTests {
    private func network(loss: Double = 0, duplication: Double = 0, latency: Latency = .fixed(.zero)) -> Network {
        Network(nodes: 6, loss: loss, duplication: duplication, latency: latency, random: SeededRandom(seed: 1))
    }

    @Test("Loss and duplication come as often as their probability says", arguments: [0, 0.01, 0.3, 1])
    func probabilities(probability: Double) {
        var lossy = network(loss: probability)
        var doubling = network(duplication: probability)
        let trials = 100_000
        let lost = (0..<trials).count { _ in lossy.copies(from: 0, to: 1) == 0 }
        let doubled = (0..<trials).count { _ in doubling.copies(from: 0, to: 1) == 2 }
        // Four standard deviations, and none at the ends.
        let slack = 4 * (Double(trials) * probability * (1 - probability)).squareRoot()
        #expect(abs(Double(lost) - Double(trials) * probability) <= slack)
        #expect(abs(Double(doubled) - Double(trials) * probability) <= slack)
    }

    @Test("A cut holds in its direction, for its nodes and its scope, until healed")
    func cuts() {
        var network = network()
        network.cut(from: [0, 1], to: [2], .everything)
        network.cut(from: [3], to: [4], .datagrams)
        #expect(!network.passes(from: 0, to: 2, isDatagram: true))
        #expect(!network.passes(from: 1, to: 2, isDatagram: false))
        #expect(network.passes(from: 2, to: 0, isDatagram: true))
        #expect(network.passes(from: 0, to: 1, isDatagram: true))
        #expect(!network.passes(from: 3, to: 4, isDatagram: true))
        #expect(network.passes(from: 3, to: 4, isDatagram: false))
        #expect(network.copies(from: 0, to: 2) == 0)
        network.heal()
        #expect(network.isWhole && network.copies(from: 0, to: 2) == 1)
    }

    @Test("A partition keeps its groups apart, and the rest together in one of its own")
    func partition() {
        var network = network()
        network.partition([NodeSet(0..<2), NodeSet(2..<4)])
        for from in 0..<6 {
            for to in 0..<6 {
                #expect(network.passes(from: from, to: to, isDatagram: false) == (from / 2 == to / 2))
            }
        }
    }

    @Test(
        "Delays keep their bounds and their middle",
        arguments: [
            (Latency.fixed(.milliseconds(3)), 3.0, 3.0, 3.0),
            (.uniform(.milliseconds(1), .milliseconds(5)), 1, 3, 5),
            (.exponential(minimum: .milliseconds(1), mean: .milliseconds(4), cap: .milliseconds(100)), 1, 5, 100),
            (.logNormal(median: .milliseconds(5), sigma: 0.5, cap: .milliseconds(100)), 0, 5 * 1.1331, 100),
        ])
    func delays(latency: Latency, least: Double, mean: Double, most: Double) {
        var network = network(latency: latency)
        let delays = (0..<50_000).map { _ in Double(network.delay()) / 1e6 }
        #expect(delays.allSatisfy { $0 >= least && $0 <= most })
        #expect(abs(delays.reduce(0, +) / 50_000 - mean) <= mean / 50)
    }
}

@Suite("Scenarios as text")
struct ScenarioTests {
    static let every = """
        1s crash 3
        1500ms restart 3,5-7
        2s leave 1
        2s update 0-9
        3s pause 4 250us
        3s pause 5
        4s resume 5
        1m cut 0 > 1
        1m cut 0-3,7 > 1 datagrams
        2m partition 0-124 | 125-248,249
        1h heal
        0s loss 0.05
        7ns duplication 1.0
        5s latency fixed:1ms
        5s latency uniform:200us,1ms
        5s latency exponential:1ms,4ms,100ms
        5s latency lognormal:5ms,0.5,100ms

        """

    @Test("Every fault reads back as it was written")
    func roundTrip() throws {
        let scenario = try Scenario(parsing: ScenarioTests.every)
        #expect(scenario.text == ScenarioTests.every)
        #expect(try Scenario(parsing: scenario.text) == scenario)
        #expect(scenario.steps.count == 17)
        #expect(scenario.steps[9].fault == .partition([NodeSet(0..<125), NodeSet([125..<249, 249..<250])]))
    }

    @Test("Comments and empty lines are nothing")
    func comments() throws {
        let scenario = try Scenario(parsing: "# begin\n\n  10s crash 3 # the third\n")
        #expect(scenario.steps == [Scenario.Step(after: .seconds(10), .crash([3]))])
    }

    @Test(
        "What is no step is refused with its line",
        arguments: [
            "crash 3", "10 crash 3", "-1s crash 3", "1s", "1s crash", "1s crash x", "1s crash 3-1", "1s crash 1,,2",
            "1s crash 16777216", "1s pause 3 soon", "1s cut 0 1", "1s cut 0 > 1 streams", "1s cut 0 > 1 datagrams now",
            "1s loss 2", "1s loss -0.1", "1s loss nan", "1s latency uniform:2ms,1ms", "1s latency fixed:2h",
            "1s heal all",
            "1s latency exponential:1ms,4ms", "1s latency lognormal:5ms,99,100ms", "1s partition 0 |", "1s explode 3",
            "99999999999h crash 3", "1s latency",
        ])
    func refused(line: String) {
        #expect(throws: ScenarioFault(line: 2, text: line)) { try Scenario(parsing: "1s heal\n" + line) }
    }
}
