import Gossip
import Testing

@testable import Simulation

struct PredictionTests {
    private func fleet(_ nodes: Int, _ options: GossipOptions = .lan, loss: Double = 0) -> Prediction {
        Prediction(nodes: nodes, options: options, loss: loss)
    }

    // MARK: Detection

    @Test("SWIM §3.1: the first failed probe comes after e/(e − 1) periods, whatever the size")
    func firstProbe() {
        #expect(abs(fleet(100_000).periodsToFirstProbe() - 1.58198) < 0.0001)
        for nodes in [250, 1000, 10_000] {
            #expect(abs(fleet(nodes).periodsToFirstProbe() - 1.582) < 0.005)
        }
        // Two of four crash at once, and two probe: 1 / (1 − e^−1) again.
        #expect(abs(fleet(4).periodsToFirstProbe(crashed: 2) - 1.58198) < 0.0001)
        #expect(fleet(2).periodsToFirstProbe(crashed: 2) == .infinity)
    }

    @Test("Of several crashes the first is found sooner and the last later than one alone")
    func severalCrashes() {
        #expect(fleet(250).firstSuspicion(crashed: 5) < fleet(250).firstSuspicion())
        // 1/2 + 1/3 periods of 247 members that probe out of 250.
        let difference = fleet(250).fullDetection(crashed: 3) - fleet(250).fullDetection()
        #expect(abs(difference.inSeconds - (1.0 / 2 + 1.0 / 3) * 250 / 247) < 1e-6)
    }

    @Test("A suspicion lasts as long as the reference says", arguments: [(5, 4.0), (50, 6.792), (250, 9.588)])
    func suspicion(nodes: Int, seconds: Double) {
        #expect(abs(fleet(nodes).suspicionMinimum.inSeconds - seconds) < 1e-9)
        #expect(abs(fleet(nodes).suspicionMaximum.inSeconds - 6 * seconds) < 1e-9)
    }

    @Test("Real agents at 250 were between first detection and full detection, within a second")
    func detection() {
        // memberlist-behaviour §12: to first "failed" 10.7 to 12.8 s, to the last 11.2 to 13.2 s.
        let fleet = fleet(250)
        #expect((10.7...12.8).contains(fleet.firstDetection().inSeconds))
        #expect((11.2...13.2).contains(fleet.fullDetection().inSeconds))
        #expect(fleet.firstSuspicion() < fleet.firstDetection())
    }

    @Test("SWIM §4.3: nobody waits longer than 2N − 1 periods for a probe")
    func roundRobin() {
        #expect(fleet(250).worstPeriodsBetweenProbes == 499)
    }

    // MARK: Accusing the living

    @Test("A probe fails when its direct way and all three indirect ways do")
    func failedProbe() {
        var options = GossipOptions.lan
        options.usesStreamPing = false
        // 1 − 0.9² = 0.19; 1 − 0.9⁴ = 0.3439.
        #expect(abs(fleet(250, options, loss: 0.1).failedProbeProbability - 0.19 * 0.3439 * 0.3439 * 0.3439) < 1e-12)
        // Two members have no helper, three have one.
        #expect(abs(fleet(2, options, loss: 0.1).failedProbeProbability - 0.19) < 1e-12)
        #expect(abs(fleet(3, options, loss: 0.1).failedProbeProbability - 0.19 * 0.3439) < 1e-12)
        let hourly = fleet(250, options, loss: 0.1).falseSuspicionsPerNodeHour
        #expect(abs(hourly - 27.82) < 0.01)
        #expect(fleet(250, options).failedProbeProbability == 0)
        #expect(fleet(1, options, loss: 1).falseSuspicionsPerNodeHour == 0)
    }

    @Test("Streams lose nothing, so with stream pings nobody is accused wrongly")
    func streamPing() {
        #expect(fleet(250, loss: 0.1).failedProbeProbability == 0)
    }

    // MARK: Dissemination

    @Test("SWIM §4.1: the informed grow from one to all along the logistic curve")
    func logistic() {
        let fleet = fleet(250)
        #expect(abs(fleet.contactRate - 3.4) < 1e-12)
        #expect(abs(fleet.aware(afterRounds: 0) - 1) < 1e-9)
        // One e-fold of a small epidemic: 250 / (1 + 249 / e).
        #expect(abs(fleet.aware(afterRounds: 1 / 3.4) - 2.6998) < 0.001)
        #expect(fleet.aware(afterRounds: 10) > 249.99)
        #expect(abs(self.fleet(250, loss: 0.5).contactRate - 1.7) < 1e-12)
        #expect(abs(self.fleet(2).contactRate - 1.4) < 1e-12)
    }

    @Test("The time until all know grows with the logarithm of the size")
    func roundsToAll() throws {
        // Two members: one contact, at a rate of β.
        #expect(abs(fleet(2).roundsToAll - 1 / 1.4) < 1e-12)
        let sizes = [250, 1000, 4000, 10_000].map { (nodes: $0, value: fleet($0).roundsToAll) }
        let fit = try #require(GrowthFit(.logarithmic, measured: sizes))
        #expect(abs(fit.perFold - 2 / 3.4) < 0.005 && fit.worstResidual < 0.003)
        #expect(fleet(1).roundsToAll == 0)
    }

    @Test("A piece of news is sent as often as the reference sends it", arguments: [(9, 4), (10, 8), (250, 12)])
    func transmissions(nodes: Int, limit: Int) {
        #expect(fleet(nodes).transmissionLimit == limit)
    }

    @Test("SWIM §4.1: λ ln N transmissions leave N^−(2λ−2) members uninformed")
    func uninformed() {
        // 12 transmissions are λ = 2.1733 times ln 250.
        #expect(abs(fleet(250).uninformed / 2.359e-6 - 1) < 0.01)
        #expect(abs(fleet(250).missed / 0.001536 - 1) < 0.01)
        #expect(fleet(250, loss: 1).missed == 249)
    }

    // MARK: Anti-entropy and load

    @Test(
        "Push-pulls become rarer as a fleet grows",
        arguments: [(32, 30), (33, 60), (64, 60), (65, 90), (250, 120), (257, 150)])
    func pushPull(nodes: Int, seconds: Int) {
        #expect(fleet(nodes).pushPullInterval == .seconds(seconds))
    }

    @Test("SWIM §3.1: a quiet member sends its ping and the ack that it owes, whatever the size")
    func load() {
        for nodes in [2, 250, 10_000] { #expect(fleet(nodes).datagramsPerPeriod == 2) }
        #expect(fleet(1).datagramsPerPeriod == 0)
        // A half is lost: 1 ping, 1/2 ack, and in 3/4 of all cases three requests with 1/2 · (1 + 1/2 + 1) answers.
        #expect(abs(fleet(250, loss: 0.5).datagramsPerPeriod - (1.5 + 0.75 * 3 * 2.25)) < 1e-12)
    }

    @Test("A fleet heals within a few contacts with its dead, and sooner where they are more frequent")
    func heal() {
        var eager = GossipOptions.lan
        eager.contactInterval = .seconds(10)
        // Four times 30 s at 250 members, and half of that again.
        #expect(fleet(250).healBound > .seconds(180) && fleet(250).healBound < .seconds(190))
        #expect(fleet(250).healBound - fleet(250, eager).healBound == .seconds(120))
    }
}
