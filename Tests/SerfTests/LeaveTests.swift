import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

@Suite("Our own intents")
struct LeaveTests {
    private func intents(_ bytes: [[UInt8]]) throws -> [SerfMessage] { try bytes.map { try SerfMessage($0) } }

    @Test("A leave intent about us is answered with a join intent above it, and not told on")
    func refutation() throws {
        var lab = try Lab(others: ["a", "b"])
        lab.hear(leave: "self", 20)
        #expect(lab.status("self") == .alive)
        #expect(lab.effects.events.contains { if case .refutedLeave(LamportTime(20)) = $0 { true } else { false } })
        let told = try intents(lab.told())
        #expect(told == [.join(SerfJoin(time: LamportTime(21), node: "self"))])
        #expect(lab.time("self") == 21)
        // An echo of the accusation is below our answer.
        lab.hear(leave: "self", 20)
        #expect(lab.told() == [])
    }

    @Test("A leave intent at the time of our own join is answered: who heard it first has no use for that join")
    func refutationAtOurTime() throws {
        var lab = try Lab(others: ["a", "b"])
        lab.hear(leave: "self", 20)
        _ = lab.told()
        // By an agent that had not heard our answer, which bears 21
        lab.hear(leave: "self", 21)
        #expect(try intents(lab.told()) == [.join(SerfJoin(time: LamportTime(22), node: "self"))])
        // Once
        lab.hear(leave: "self", 21)
        #expect(lab.told() == [])
    }

    @Test("A former life's leave, in a peer's state, is answered as well")
    func formerLife() throws {
        var lab = try Lab(others: ["a"])
        let former = SerfState(
            time: LamportTime(30), statuses: [.init(node: "self", time: LamportTime(29))], left: ["self"],
            eventTime: LamportTime(1), queryTime: LamportTime(1))
        _ = try lab.exchange(SerfMessage.state(former).bytes)
        #expect(lab.status("self") == .alive)
        #expect(try intents(lab.told()).last == .join(SerfJoin(time: LamportTime(31), node: "self")))
    }

    @Test("The join intent follows the first push-pull, once, above what the peer has heard")
    func joinIntent() throws {
        var lab = try Lab(others: ["a"])
        #expect(lab.told() == [])
        let state = SerfState(
            time: LamportTime(12), statuses: [], left: [], eventTime: LamportTime(5), queryTime: LamportTime(3))
        _ = try lab.exchange(SerfMessage.state(state).bytes)
        #expect(try intents(lab.told()) == [.join(SerfJoin(time: LamportTime(12), node: "self"))])
        #expect(lab.time("self") == 12)
        #expect(lab.agent.intentTime.value == 13)
        #expect(lab.agent.eventTime.value == 5 && lab.agent.queryTime.value == 3)
        _ = try lab.exchange(SerfMessage.state(state).bytes)
        #expect(lab.told() == [])
    }

    @Test("A join through a seed without Serf is told too")
    func joinThroughSeed() throws {
        var lab = try Lab(others: ["a"])
        lab.agent.join([Lab.address(of: "a")], at: lab.now, into: &lab.effects)
        guard case .open(let stream, _, .pushPull(let request), _, _)? = lab.effects.gossip.streams.first else {
            Issue.record("no stream was opened")
            return
        }
        #expect(request.isJoin && request.userState.first == 2)
        let answer = PushPull(isJoin: true, members: [], userState: [])
        lab.agent.receive(
            .pushPull(answer), on: stream, from: Lab.address(of: "a"), at: lab.now, into: &lab.effects)
        #expect(try intents(lab.told()) == [.join(SerfJoin(time: LamportTime(1), node: "self"))])
    }

    @Test("The intent has 0.8 s to spread, be it told out before")
    func intentSpread() throws {
        var lab = try Lab(others: ["a"])
        lab.agent.leave(at: lab.now, into: &lab.effects)
        // Told on every answer, so that it is told out at once
        for sequence in 0..<20 as Range<UInt32> { lab.receive(.ping(Ping(sequence: sequence, node: nil))) }
        lab.run(for: .milliseconds(799))
        #expect(lab.take().stages == [.announcing])
        lab.run(for: .milliseconds(1))
        #expect(lab.take().stages.first == .departing)
    }

    @Test("A leave is intent, goodbye, lingering, each after the one before has spread")
    func leave() throws {
        var lab = try Lab(others: ["a", "b", "c", "d"])
        lab.hear(join: "self", 40)
        lab.hear(leave: "self", 41)
        _ = lab.told()
        #expect(lab.time("self") == 42)
        lab.agent.leave(at: lab.now, into: &lab.effects)
        #expect(lab.take().stages == [.announcing])
        #expect(lab.status("self") == .leaving)
        var intentsTold = 0
        var goodbyesTold = 0
        var stages: [LeaveStage] = []
        var stageTimes: [Instant] = []
        for _ in 0..<100 {
            lab.run(for: .milliseconds(50))
            let effects = lab.take()
            for bytes in effects.serfMessages {
                // Above our last join: at or below it, agents would ignore it and show us as failed.
                #expect(try SerfMessage(bytes) == .leave(SerfLeave(time: LamportTime(43), node: "self")))
                intentsTold += 1
            }
            for message in effects.gossip.datagrams.flatMap(\.messages) {
                guard case .dead(let goodbye) = message else { continue }
                #expect(goodbye.node == lab.agent.id && goodbye.from == lab.agent.id)
                // λ·⌈log₁₀(5 + 1)⌉ times, before the goodbye.
                #expect(intentsTold == 4)
                goodbyesTold += 1
            }
            for stage in effects.stages {
                if stage == .lingering { #expect(goodbyesTold == 4) }
                stages.append(stage)
                stageTimes.append(lab.now)
            }
        }
        #expect(stages == [.departing, .lingering, .gone])
        #expect(intentsTold == 4 && goodbyesTold == 4)
        #expect(stageTimes[2] - stageTimes[1] == .seconds(1))
        #expect(lab.status("self") == .left)
        #expect(lab.agent.leaveStage == .gone)
    }

    @Test("Pings are answered to the end, and what is said of our leave changes nothing")
    func whileLeaving() throws {
        var lab = try Lab(others: ["a", "b"])
        lab.agent.leave(at: lab.now, into: &lab.effects)
        _ = lab.take()
        lab.hear(join: "self", 90)
        lab.hear(leave: "self", 91)
        #expect(lab.status("self") == .leaving)
        lab.receive(.ping(Ping(sequence: 4, node: lab.id("self"))))
        let isAnswered = lab.take().gossip.datagrams.contains { if case .ack = $0.messages[0] { true } else { false } }
        #expect(isAnswered)
        #expect(throws: AgentRefusal.leaving) {
            try lab.agent.update(tags: SerfTags(), at: lab.now, into: &lab.effects)
        }
        #expect(throws: AgentRefusal.leaving) {
            try lab.agent.emit(event: "deploy", at: lab.now, into: &lab.effects)
        }
    }

    @Test("A stage that does not end is ended after five seconds")
    func stageTimeout() throws {
        var lab = try Lab(others: ["a", "b"]) { $0.gossipInterval = .seconds(100) }
        lab.agent.leave(at: lab.now, into: &lab.effects)
        lab.run(for: .milliseconds(4999))
        #expect(lab.take().stages == [.announcing])
        lab.run(for: .milliseconds(1))
        #expect(lab.take().stages == [.departing])
        lab.run(for: .milliseconds(5999))
        #expect(lab.take().stages == [.lingering])
        lab.run(for: .milliseconds(1))
        #expect(lab.take().stages == [.gone])
    }

    @Test("Who leaves alone only lingers")
    func alone() throws {
        var lab = try Lab()
        lab.agent.leave(at: lab.now, into: &lab.effects)
        #expect(lab.take().stages == [.announcing, .departing, .lingering])
    }

    @Test("An operator declares a failed member left, here and everywhere, but not us")
    func forceLeave() throws {
        var lab = try Lab(others: ["a", "m"])
        lab.hear(join: "m", 6)
        lab.hear(dead: "m")
        _ = lab.told()
        try lab.agent.forceLeave(lab.id("m"), isPrune: false, at: lab.now, into: &lab.effects)
        #expect(lab.status("m") == .left)
        #expect(try intents(lab.told()) == [.leave(SerfLeave(time: LamportTime(7), node: "m"))])
        for name in ["self", "nobody"] {
            #expect(throws: AgentRefusal.unknownMember) {
                try lab.agent.forceLeave(lab.id(name), isPrune: false, at: lab.now, into: &lab.effects)
            }
        }
    }

    @Test("A time that no clock can have come to is not believed, told or exchanged: nobody could answer later")
    func leaps() throws {
        var lab = try Lab(others: ["a", "m"])
        let far: UInt64 = 1 << 41
        lab.hear(leave: "m", far)
        lab.hear(leave: "self", .max - 1)
        lab.hear(event: "x", far)
        let state = SerfState(
            time: LamportTime(far), statuses: [], left: [], eventTime: LamportTime(.max), queryTime: LamportTime(far))
        _ = try lab.exchange(SerfMessage.state(state).bytes)
        #expect(lab.status("m") == .alive)
        for time in [lab.agent.intentTime, lab.agent.eventTime, lab.agent.queryTime] {
            #expect(time.value < 100)
        }
        // What a long-lived fleet may have come to is
        lab.hear(leave: "m", 1 << 39)
        #expect(lab.status("m") == .leaving)
    }

    @Test("An intent at the end of time is not taken: there would be no time left to answer it")
    func endOfTime() throws {
        var lab = try Lab(others: ["a", "m"])
        lab.hear(leave: "m", .max)
        lab.hear(join: "m", .max)
        lab.hear(leave: "self", .max)
        #expect(lab.take().ignored == [.endOfTime, .endOfTime, .endOfTime])
        #expect(lab.status("m") == .alive && lab.status("self") == .alive)
        #expect(lab.agent.intentTime.value == 1)
        #expect(lab.told() == [])
    }
}
