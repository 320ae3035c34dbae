import Testing
import Vocabulary

@testable import Gossip

@Suite struct ProbingTests {
    /// A member that has just sent its first ping; the ping, and to whom.
    private func probing(
        _ others: [String], options: GossipOptions = .lan, seed: UInt64 = 1
    ) throws -> (lab: Lab, ping: Ping, target: String) {
        var lab = Lab(others: others, seed: seed, options: options)
        lab.run(until: lab.member.prober.nextTick)
        let sent = try #require(lab.take().ping)
        let target = try #require(others.first { lab.address(of: $0) == sent.to })
        return (lab, sent.ping, target)
    }

    @Test("A probe that is answered in time asks nobody else and accuses nobody")
    func answered() throws {
        var (lab, ping, target) = try probing(["a", "b", "c", "d"])
        lab.now = lab.now + .milliseconds(3)
        lab.receive(.ack(Ack(sequence: ping.sequence, payload: [9])), from: target)
        guard case .measured(lab.id(target), roundTrip: .milliseconds(3), payload: [9]) = lab.take().events.last else {
            Issue.record("the round trip was not measured")
            return
        }
        lab.run(for: .milliseconds(900))
        #expect(lab.take().indirectPings.isEmpty)
        #expect(lab.state(target) == .alive)
    }

    @Test("Contact is an answer of any kind, and nothing that only comes in")
    func contact() throws {
        // Given a member whose first ping is out, that has never heard an answer
        var (lab, ping, target) = try probing(["a", "b", "c", "d"])
        #expect(lab.member.lastContact == nil)
        // When others speak, nobody is known to hear us
        lab.hear(alive: "a", 7)
        lab.hear(suspect: "b", 1, from: "c")
        lab.receive(.ping(Ping(sequence: 5, node: nil)), from: "d")
        lab.receive(.ack(Ack(sequence: ping.sequence &+ 1)), from: target)
        lab.receive(.nack(sequence: ping.sequence))
        #expect(lab.member.lastContact == nil)
        // When a helper says that it got no answer either, that one does
        lab.run(for: .milliseconds(500))
        lab.receive(.nack(sequence: ping.sequence))
        #expect(lab.member.lastContact == lab.now)
        // When more nacks come than helpers were asked, the rest is somebody's noise
        for _ in 0..<2 { lab.receive(.nack(sequence: ping.sequence)) }
        let last = lab.now
        lab.now = lab.now + .milliseconds(1)
        lab.receive(.nack(sequence: ping.sequence))
        #expect(lab.member.lastContact == last)
        // When the target answers after all
        lab.receive(.ack(Ack(sequence: ping.sequence)), from: target)
        #expect(lab.member.lastContact == lab.now)
        // And when somebody exchanges views with us
        lab.run(for: .milliseconds(100))
        _ = try lab.exchange([], from: "a")
        #expect(lab.member.lastContact == lab.now)
    }

    @Test("K others are asked after the time-out, fewer where there are fewer", arguments: [0, 1, 2, 3, 7])
    func helpers(others: Int) throws {
        // Given a target and some others
        let names = (0...others).map { "o\($0)" }
        var (lab, ping, target) = try probing(names)
        // When the target stays silent
        lab.run(for: .milliseconds(500))
        // Then up to three different ones are asked, neither us nor the target, and a stream is tried
        let effects = lab.take()
        let asked = effects.indirectPings
        #expect(asked.count == min(3, others))
        #expect(Set(asked.map(\.to)).count == asked.count)
        #expect(asked.allSatisfy { $0.to != lab.address(of: target) && $0.to != lab.address(of: "self") })
        #expect(asked.allSatisfy { $0.request.sequence == ping.sequence && $0.request.wantsNack })
        #expect(asked.allSatisfy { $0.request.target == lab.address(of: target) })
        #expect(effects.openedStreams.count == 1)
        #expect(effects.openedStreams.first?.to == lab.address(of: target))
        #expect(effects.openedStreams.first?.deadline == lab.now + .milliseconds(500))
        // And at the end of the interval it is suspected
        lab.run(for: .milliseconds(500))
        #expect(lab.state(target) == .suspect)
    }

    @Test("Suspects are not asked for help, and at the verdict the stream is given up")
    func helpersAreAlive() throws {
        var (lab, _, target) = try probing(["a", "b", "c"])
        let others = ["a", "b", "c"].filter { $0 != target }
        lab.hear(suspect: others[0], 1, from: "x")
        lab.run(for: .milliseconds(500))
        let effects = lab.take()
        #expect(effects.indirectPings.map(\.to) == [lab.address(of: others[1])])
        let stream = try #require(effects.openedStreams.first?.stream)
        // The verdict comes before the stream's own end does.
        lab.now = lab.member.prober.probe?.end ?? lab.now
        lab.member.wake(at: lab.now, into: &lab.effects)
        #expect(lab.state(target) == .suspect)
        #expect(lab.take().streams.contains { if case .close(stream) = $0 { true } else { false } })
        #expect(lab.member.exchange.openStreams == 0)
    }

    @Test("One answer that somebody relays clears the target (SWIM §4.1)")
    func relayed() throws {
        var (lab, ping, target) = try probing(["a", "b", "c"])
        lab.run(for: .milliseconds(600))
        let stream = try #require(lab.take().openedStreams.first?.stream)
        lab.receive(.ack(Ack(sequence: ping.sequence)), from: "a")
        // The stream is of no interest any more, and the way round is no round trip to measure
        let effects = lab.take()
        guard case .close(stream) = effects.streams.first, effects.events.isEmpty else {
            Issue.record("\(effects.streams) \(effects.events)")
            return
        }
        lab.run(for: .milliseconds(390))
        #expect(lab.state(target) == .alive)
        #expect(lab.member.healthScore == 0)
    }

    @Test("Nacks show that we are heard: only the missing ones cost health", arguments: 0...3)
    func nacks(received: Int) throws {
        var (lab, ping, target) = try probing(["a", "b", "c", "d"])
        lab.run(for: .milliseconds(900))
        for _ in 0..<received { lab.receive(.nack(sequence: ping.sequence), from: "a") }
        lab.receive(.nack(sequence: ping.sequence &+ 100), from: "a")
        lab.run(for: .milliseconds(100))
        #expect(lab.state(target) == .suspect)
        #expect(lab.member.healthScore == 3 - received)
        let why = try #require(lab.member.provenance(of: lab.id(target)))
        #expect(why.accusations.map(\.name) == ["self"])
        #expect(
            why.accusations.map(\.evidence)
                == [.probe(indirectAsked: 3, nacksReceived: received, streamTried: true)])
    }

    @Test("More nacks than were asked for count no more than that")
    func surplusNacks() throws {
        var (lab, ping, _) = try probing(["a", "b", "c", "d"])
        lab.run(for: .milliseconds(900))
        lab.member.health.change(by: 2)
        for _ in 0..<50 { lab.receive(.nack(sequence: ping.sequence), from: "a") }
        lab.run(for: .milliseconds(100))
        #expect(lab.member.healthScore == 2, "a failed probe is no cure")
    }

    @Test("With nobody to ask, a failed probe costs one point of health")
    func noNacksExpected() throws {
        var (lab, _, target) = try probing(["a"])
        lab.run(for: .seconds(1))
        #expect(lab.state(target) == .suspect)
        #expect(lab.member.healthScore == 1)
    }

    @Test("A stream that gets through where datagrams do not keeps the target alive, and is told")
    func streamFallback() throws {
        var (lab, ping, target) = try probing(["a", "b"])
        lab.run(for: .milliseconds(600))
        let stream = try #require(lab.take().openedStreams.first?.stream)
        lab.member.receive(
            .ack(Ack(sequence: ping.sequence)), on: stream, from: lab.address(of: target), at: lab.now,
            into: &lab.effects)
        lab.run(for: .milliseconds(400))
        #expect(lab.state(target) == .alive)
        #expect(lab.take().events.contains { if case .datagramsLost(lab.id(target)) = $0 { true } else { false } })
    }

    @Test("A time-out as long as the interval leaves no time for a stream, and none is opened")
    func noTimeForStream() throws {
        var options = GossipOptions.lan
        options.probeTimeout = .seconds(3)
        var (lab, _, target) = try probing(["a", "b"], options: options)
        lab.run(for: .seconds(1))
        #expect(lab.take().openedStreams.isEmpty)
        #expect(lab.state(target) == .suspect)
    }

    @Test("A probe that a stream saved is a good one: it gives health back")
    func streamFallbackHeals() throws {
        var (lab, ping, target) = try probing(["a", "b"])
        lab.run(for: .milliseconds(600))
        lab.member.health.change(by: 1)
        let stream = try #require(lab.take().openedStreams.first?.stream)
        lab.member.receive(
            .ack(Ack(sequence: ping.sequence)), on: stream, from: lab.address(of: target), at: lab.now,
            into: &lab.effects)
        lab.run(for: .milliseconds(400))
        #expect(lab.member.healthScore == 0)
    }

    @Test("An answer on the stream to another ping proves nothing")
    func wrongStreamAnswer() throws {
        var (lab, ping, target) = try probing(["a", "b"])
        lab.run(for: .milliseconds(600))
        let stream = try #require(lab.take().openedStreams.first?.stream)
        lab.member.receive(
            .ack(Ack(sequence: ping.sequence &+ 1)), on: stream, from: lab.address(of: target), at: lab.now,
            into: &lab.effects)
        lab.run(for: .milliseconds(400))
        #expect(lab.state(target) == .suspect)
    }

    @Test("Ill health stretches the probe, not the direct ping's time-out (Lifeguard §IV-A)")
    func stretched() throws {
        var (lab, _, target) = try probing(["a", "b", "c", "d"])
        lab.member.health.change(by: 2)
        // The probe under way keeps its times; the next takes three intervals.
        lab.run(for: .milliseconds(999))
        #expect(lab.state(target) == .alive)
        lab.run(for: .milliseconds(1))
        #expect(lab.state(target) == .suspect)
        lab = Lab(others: ["a", "b"], seed: 1)
        lab.member.health.change(by: 2)
        lab.run(until: lab.member.prober.nextTick)
        let next = try #require(lab.take().ping)
        let second = try #require(["a", "b"].first { lab.address(of: $0) == next.to })
        lab.run(for: .milliseconds(500))
        #expect(!lab.take().indirectPings.isEmpty)
        lab.run(for: .milliseconds(2499))
        #expect(lab.state(second) == .alive)
        lab.run(for: .milliseconds(1))
        #expect(lab.state(second) == .suspect)
    }

    @Test("A suspect is told of the charge with its ping (Lifeguard §IV-C)", arguments: [true, false])
    func buddy(tells: Bool) throws {
        var options = GossipOptions.lan
        options.tellsSuspects = tells
        var lab = Lab(others: ["a"], options: options)
        lab.hear(suspect: "a", 1, from: "b")
        lab.member.gossip.queue.removeAll()
        _ = lab.take()
        lab.run(until: lab.member.prober.nextTick)
        let datagram = try #require(lab.take().datagrams.first)
        #expect(datagram.messages.map(lab.describe) == (tells ? ["ping a", "suspect a inc=1 from=self"] : ["ping a"]))
        #expect(datagram.recipient == (tells ? lab.id("a") : nil))
    }

    @Test("The accusation is of the incarnation that was probed: who refuted meanwhile stays cleared")
    func incarnationOfTheProbe() throws {
        var (lab, _, target) = try probing(["a", "b"])
        lab.hear(alive: target, 2)
        lab.run(for: .seconds(1))
        #expect(lab.state(target) == .alive && lab.incarnation(target) == 2)
    }

    @Test("Every present member is probed once in each pass, never the dead, the left or ourselves (SWIM §4.3)")
    func passes() throws {
        var lab = Lab(others: (0..<10).map { "o\($0)" })
        lab.hear(dead: "o0", 1, from: "o1")
        lab.hear(dead: "o1", 1, from: "o1")
        lab.hear(suspect: "o2", 1, from: "o3")
        var probed: [String] = []
        for _ in 0..<24 {
            lab.run(until: lab.member.prober.nextTick)
            for datagram in lab.take().datagrams {
                guard case .ping(let ping) = datagram.messages[0], let node = ping.node else { continue }
                probed.append(lab.name(node))
                lab.receive(.ack(Ack(sequence: ping.sequence)), from: lab.name(node))
            }
        }
        // The list starts at its beginning, so the first pass is whole.
        let expected = Set((2..<10).map { "o\($0)" })
        #expect(probed.count == 24)
        for pass in stride(from: 0, to: 24, by: 8) { #expect(Set(probed[pass..<pass + 8]) == expected) }
        #expect(Set([0, 8, 16].map { Array(probed[$0..<$0 + 8]) }).count == 3, "each pass in an order of its own")
    }

    @Test(
        "Wakes that come a little late cost no turn: the silent are probed one after another", arguments: Seeds.sample)
    func lateWakes(seed: UInt64) {
        var options = GossipOptions.lan
        options.awarenessMaximum = 1
        var random = SeededRandom(seed: seed)
        var lab = Lab(others: (0..<20).map { "o\($0)" }, seed: seed, options: options)
        let end = lab.now + .seconds(15)
        var probes = 0
        while lab.now < end {
            lab.now = lab.member.nextWake + .microseconds(Int64(random.below(5000 as UInt32)))
            lab.member.wake(at: lab.now, into: &lab.effects)
            probes += lab.take().datagrams.filter { if case .ping = $0.messages[0] { true } else { false } }.count
        }
        #expect(probes >= 14)
    }

    @Test("A fleet of one probes nobody and stays calm")
    func alone() {
        var lab = Lab()
        lab.run(for: .seconds(300))
        #expect(lab.effects.isEmpty)
        #expect(lab.member.healthScore == 0)
    }

    @Test(
        "A ping that our own kernel refused ends the probe without a verdict; one refused for the target's sake is a time-out"
    )
    func sendFailures() throws {
        var (lab, _, target) = try probing(["a", "b", "c"])
        lab.member.failSending(to: lab.address(of: target), isOurs: true, at: lab.now, into: &lab.effects)
        lab.run(for: .milliseconds(999))
        #expect(lab.take().indirectPings.isEmpty)
        #expect(lab.state(target) == .alive && lab.member.healthScore == 0)
        (lab, _, target) = try probing(["a", "b", "c"])
        lab.member.failSending(to: Lab.record(port: 9).address, isOurs: false, at: lab.now, into: &lab.effects)
        #expect(lab.take().indirectPings.isEmpty)
        lab.member.failSending(to: lab.address(of: target), isOurs: false, at: lab.now, into: &lab.effects)
        #expect(lab.take().indirectPings.count == 2)
        // Asked once, not again when the time-out comes
        lab.member.failSending(to: lab.address(of: target), isOurs: false, at: lab.now, into: &lab.effects)
        lab.run(for: .milliseconds(600))
        #expect(lab.take().indirectPings.isEmpty)
    }

    // MARK: Answering

    @Test("A ping for us is answered where it came from, or where it asks; a ping for another is not")
    func answers() throws {
        var lab = Lab(others: ["a", "b"])
        lab.member.ackPayload = [1, 2]
        lab.receive(.ping(Ping(sequence: 7, node: lab.id("self"))), from: "a")
        lab.receive(.ping(Ping(sequence: 8, node: nil)), from: "a")
        let elsewhere = PingSource(address: lab.address(of: "b"), node: nil)
        lab.receive(.ping(Ping(sequence: 9, node: lab.id("self"), source: elsewhere)), from: "a")
        lab.receive(.ping(Ping(sequence: 10, node: lab.id("b"))), from: "a")
        let sent = lab.take().datagrams
        #expect(sent.map { $0.messages.map(lab.describe) } == [["ack 7"], ["ack 8"], ["ack 9"]])
        #expect(sent.map(\.to) == ["a", "a", "b"].map(lab.address(of:)))
        guard case .ack(let ack) = sent[0].messages[0] else { return }
        #expect(ack.payload == [1, 2])
    }

    @Test("Asked to ping, it passes the answer on under the requester's number, without payload")
    func relaysAcks() throws {
        var lab = Lab(others: ["a", "b"])
        let request = IndirectPing(sequence: 77, target: lab.address(of: "b"), node: lab.id("b"), wantsNack: true)
        lab.receive(.indirectPing(request), from: "a")
        let ping = try #require(lab.take().ping)
        #expect(ping.to == lab.address(of: "b"))
        lab.run(for: .milliseconds(100))
        lab.receive(.ack(Ack(sequence: ping.ping.sequence, payload: [1])), from: "b")
        let answer = try #require(lab.take().datagrams.first { $0.to == lab.address(of: "a") })
        guard case .ack(let ack) = answer.messages[0] else {
            Issue.record("no answer")
            return
        }
        #expect(ack == Ack(sequence: 77))
        // And once is enough
        lab.receive(.ack(Ack(sequence: ping.ping.sequence)), from: "b")
        #expect(!lab.take().datagrams.contains { $0.to == lab.address(of: "a") })
    }

    @Test("A request without the target's port means ours; one with a source is answered there")
    func relayAddresses() throws {
        var lab = Lab(others: ["a", "b"])
        var target = lab.address(of: "b")
        target.port = 0
        let source = PingSource(address: lab.address(of: "b"), node: nil)
        let request = IndirectPing(sequence: 7, target: target, node: lab.id("b"), wantsNack: false, source: source)
        lab.receive(.indirectPing(request), from: "a")
        let ping = try #require(lab.take().ping)
        #expect(ping.to.port == lab.address(of: "self").port)
        lab.receive(.ack(Ack(sequence: ping.ping.sequence)), from: "b")
        #expect(lab.take().datagrams.map(\.to) == [lab.address(of: "b")])
    }

    @Test("Without an answer it says so at 80 % of the time-out if that is wanted, and still relays a late one")
    func relaysNacks() throws {
        for wantsNack in [true, false] {
            var lab = Lab(others: ["a", "b"])
            lab.member.prober.nextTick = .distantFuture
            let request = IndirectPing(
                sequence: 77, target: lab.address(of: "b"), node: lab.id("b"), wantsNack: wantsNack)
            lab.receive(.indirectPing(request), from: "a")
            let ping = try #require(lab.take().ping)
            lab.run(for: .milliseconds(399))
            #expect(lab.take().datagrams.isEmpty)
            lab.run(for: .milliseconds(1))
            #expect(lab.take().messages.map(lab.describe) == (wantsNack ? ["nack 77"] : []))
            lab.run(for: .milliseconds(50))
            lab.receive(.ack(Ack(sequence: ping.ping.sequence)), from: "b")
            #expect(lab.take().messages.map(lab.describe) == ["ack 77"])
        }
    }

    @Test("An answer after the time-out is of no use, and is not passed on")
    func lateRelay() throws {
        var lab = Lab(others: ["a", "b"])
        lab.member.prober.nextTick = .distantFuture
        let request = IndirectPing(sequence: 77, target: lab.address(of: "b"), node: lab.id("b"), wantsNack: false)
        lab.receive(.indirectPing(request), from: "a")
        let ping = try #require(lab.take().ping)
        lab.run(for: .milliseconds(500))
        lab.receive(.ack(Ack(sequence: ping.ping.sequence)), from: "b")
        #expect(lab.take().datagrams.isEmpty)
    }

    @Test("Relays are bounded")
    func relayLimit() {
        var lab = Lab(others: ["a", "b"])
        for sequence in 0..<2000 {
            let request = IndirectPing(
                sequence: UInt32(sequence), target: lab.address(of: "b"), node: lab.id("b"), wantsNack: true)
            lab.receive(.indirectPing(request), from: "a")
        }
        #expect(lab.take().datagrams.count == Relays.limit)
    }
}
