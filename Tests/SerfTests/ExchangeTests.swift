import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

@Suite("Serf's part of a push-pull")
struct ExchangeTests {
    private func state(
        _ time: UInt64 = 1, _ statuses: [String: UInt64] = [:], left: [String] = [], eventTime: UInt64 = 1,
        events: [UInt64: [String]] = [:]
    ) -> [UInt8] {
        SerfMessage.state(
            SerfState(
                time: LamportTime(time),
                statuses: statuses.sorted { $0.key < $1.key }.map { .init(node: $0.key, time: LamportTime($0.value)) },
                left: left, eventTime: LamportTime(eventTime),
                events: events.sorted { $0.key < $1.key }.map { group in
                    .init(time: LamportTime(group.key), events: group.value.map { .init(name: $0, payload: []) })
                },
                queryTime: LamportTime(1))
        ).bytes
    }

    @Test("Left members are leaves and the others joins, at their times")
    func intents() throws {
        var lab = try Lab(others: ["a", "f", "l", "t", "old"])
        lab.hear(dead: "f")
        lab.hear(leave: "t", 5)
        lab.hear(leave: "old", 9)
        _ = lab.told()
        _ = try lab.exchange(state(8, ["f": 7, "t": 6, "old": 9, "l": 7], left: ["f", "l"]))
        #expect(lab.status("f") == .left && lab.time("f") == 7)
        #expect(lab.status("l") == .leaving)
        #expect(lab.status("t") == .alive && lab.time("t") == 6)
        #expect(lab.status("old") == .leaving)
        // Nothing of it is told on but our own join intent.
        #expect(lab.told().count == 1)
    }

    @Test("A leave under way is not told as a time: who takes that for a join's would not hear the leave any more")
    func leaveUnderWay() throws {
        var lab = try Lab(others: ["a", "l"])
        lab.hear(leave: "l", 5)
        #expect(lab.status("l") == .leaving)
        #expect(try !lab.exchange([]).statuses.contains { $0.node == "l" })
    }

    @Test("Whom a peer has as left at the very time that we took for a join's, has left")
    func leaveAtOurTime() throws {
        // Given agents that told of a leave under way as of a time
        var lab = try Lab(others: ["a", "l", "m"])
        for name in ["l", "m"] {
            _ = try lab.exchange(state(8, [name: 7]))
            lab.hear(leave: name, 7)
            #expect(lab.status(name) == .alive)
        }
        lab.hear(dead: "m")
        // When they tell of it as done
        _ = try lab.exchange(state(8, ["l": 7, "m": 7], left: ["l", "m"]))
        // Then it is so here, at the same time
        #expect(lab.status("l") == .leaving && lab.status("m") == .left)
        #expect(lab.time("l") == 7 && lab.time("m") == 7)
    }

    @Test("A state beyond its limit is refused unread")
    func longState() throws {
        var lab = try Lab(others: ["a"])
        _ = try lab.exchange(state(8) + [UInt8](repeating: 0, count: SerfAgent.longestUserState))
        #expect(lab.agent.intentTime == LamportTime(1))
    }

    @Test("A leave that comes back from those whom we told it does not climb")
    func noClimb() throws {
        var lab = try Lab(others: ["a", "l"])
        lab.hear(leave: "l", 5)
        lab.hear(dead: "l")
        for _ in 0..<5 {
            let answer = try lab.exchange(state(8, ["l": 5], left: ["l"]))
            #expect(answer.statuses.contains(.init(node: "l", time: LamportTime(5))))
            #expect(answer.left == ["l"])
        }
    }

    @Test("We tell of others what we were told, of those we were told nothing of, nothing")
    func answer() throws {
        var lab = try Lab(others: ["a", "told", "silent"])
        lab.hear(join: "told", 4)
        lab.hear(event: "deploy", 3, payload: [1])
        let answer = try lab.exchange([])
        #expect(Set(answer.statuses.map(\.node)) == ["self", "told"])
        #expect(answer.left == [])
        #expect(answer.time.value == 5 && answer.eventTime.value == 4 && answer.queryTime.value == 1)
        #expect(answer.events == [.init(time: LamportTime(3), events: [.init(name: "deploy", payload: [1])])])
    }

    @Test("The answer to a push-pull knows what the push-pull said")
    func answerAfterMerge() throws {
        var lab = try Lab(others: ["a"])
        let answer = try lab.exchange(state(30, eventTime: 20))
        #expect(answer.eventTime.value == 20)
        // Our own join intent has taken time 30.
        #expect(answer.time.value == 31)
        #expect(answer.statuses == [.init(node: "self", time: LamportTime(30))])
    }

    @Test("Events of before our join are not taken, unless they are wanted", arguments: [false, true])
    func oldEvents(areWanted: Bool) throws {
        var options = AgentOptions()
        options.takesOldEvents = areWanted
        var lab = try Lab(others: ["a"], options: options)
        _ = try lab.exchange(state(9, eventTime: 5, events: [3: ["x"], 4: ["y", "z"]]), isJoin: true)
        #expect(lab.effects.userEvents.map(\.name) == (areWanted ? ["x", "y", "z"] : []))
        _ = lab.take()
        lab.hear(event: "late", 4)
        lab.hear(event: "new", 5)
        #expect(lab.effects.userEvents.map(\.name) == (areWanted ? ["late", "new"] : ["new"]))
    }

    @Test("Events that gossip lost come with a later push-pull, once, and are not told on")
    func lostEvents() throws {
        var lab = try Lab(others: ["a"])
        _ = try lab.exchange(state(9, eventTime: 5), isJoin: true)
        _ = lab.told()
        lab.hear(event: "heard", 6)
        _ = lab.told()
        for _ in 0..<2 { _ = try lab.exchange(state(9, eventTime: 8, events: [6: ["heard"], 7: ["lost"]])) }
        #expect(lab.effects.userEvents.map(\.name) == ["lost"])
        #expect(lab.told() == [])
    }

    @Test("A newcomer's join does not make old what we have still to hear")
    func newcomer() throws {
        var lab = try Lab(others: ["a"])
        _ = try lab.exchange(state(9), isJoin: true)
        _ = try lab.exchange(state(9, eventTime: 50), isJoin: true, from: "new")
        lab.hear(event: "slow", 49)
        #expect(lab.effects.userEvents.map(\.name) == ["slow"])
    }

    @Test("A state that cannot be read changes nothing of Serf's, and its members are merged all the same")
    func malformed() throws {
        var lab = try Lab(others: ["a"])
        let whole = state(30, ["a": 7], eventTime: 9, events: [3: ["x"]])
        var refused = 0
        for length in 1..<whole.count {
            let stream = StreamID(side: .accepted, number: UInt32(1000 + length))
            let name = "m\(length)"
            let claim = MemberClaim(node: lab.id(name), incarnation: 1, state: .alive, record: Lab.record(name))
            let request = PushPull(isJoin: true, members: [claim], userState: Array(whole[..<length]))
            lab.agent.receive(
                .pushPull(request), on: stream, from: Lab.address(of: "a"), at: lab.now, into: &lab.effects)
            refused += lab.take().refused.count
            #expect(lab.status(name) == .alive)
        }
        #expect(refused == whole.count - 1)
        for bytes in [[0x02, 0xC1], [0x09], [0xFF], SerfMessage.join(SerfJoin(time: LamportTime(9), node: "a")).bytes] {
            _ = try lab.exchange(bytes)
            #expect(lab.take().refused.count == 1)
        }
        #expect(lab.agent.intentTime.value == 1 && lab.agent.eventTime.value == 1)
        #expect(lab.time("a") == 0)
    }
}
