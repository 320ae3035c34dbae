import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

@Suite("Operators' events")
struct EventTests {
    @Test("An event reaches our user once, and is told on byte for byte")
    func once() throws {
        var lab = try Lab(others: ["a", "b"])
        // As another codec may write it: fields in another order, one that we do not know, wide numbers.
        var bytes: [UInt8] = [3, 0x85]
        for (key, value) in [
            ("Name", [0xA1, 0x78]), ("LTime", [0xCF, 0, 0, 0, 0, 0, 0, 0, 9]), ("?", [0xC0]),
            ("Payload", [0xC4, 1, 7]),
            ("CC", [0xC3]),
        ] as [(String, [UInt8])] {
            bytes += [0xA0 | UInt8(key.utf8.count)]
            bytes += Array(key.utf8) + value
        }
        lab.hear(bytes)
        lab.hear(bytes, from: "b")
        let expected = SerfEvent(time: LamportTime(9), name: "x", payload: [7], coalesces: true)
        #expect(lab.effects.userEvents == [expected])
        #expect(lab.told() == [bytes])
        #expect(lab.agent.eventTime.value == 10)
    }

    @Test("Two events of one time are two if name or payload differ")
    func sameTime() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(event: "x", 4)
        lab.hear(event: "y", 4)
        lab.hear(event: "x", 4, payload: [1])
        lab.hear(event: "x", 4)
        #expect(lab.effects.userEvents.count == 3)
        #expect(lab.told().count == 3)
    }

    @Test("Older than 512 times is too old, and not told on")
    func tooOld() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(event: "new", 1000)
        lab.hear(event: "old", 488)
        lab.hear(event: "within", 489)
        #expect(lab.effects.userEvents.map(\.name) == ["new", "within"])
        #expect(lab.take().ignored == [.tooOld])
        #expect(lab.told().count == 2)
    }

    @Test("Our own event bears the clock's time, reaches our user, and is no news when it comes back")
    func own() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(event: "theirs", 6)
        _ = lab.told()
        try lab.agent.emit(event: "deploy", payload: [1, 2], coalesces: false, at: lab.now, into: &lab.effects)
        let event = SerfEvent(time: LamportTime(7), name: "deploy", payload: [1, 2], coalesces: false)
        #expect(lab.effects.userEvents == [event])
        let told = lab.told()
        #expect(told == [SerfMessage.event(event).bytes])
        lab.hear(told[0])
        #expect(lab.effects.userEvents == [])
        #expect(lab.told() == [])
        #expect(lab.agent.eventTime.value == 8)
    }

    @Test("Name and payload of ours take 512 bytes at most")
    func limit() throws {
        var lab = try Lab(others: ["a"])
        let payload = [UInt8](repeating: 0, count: 506)
        #expect(throws: AgentRefusal.eventTooLong(513)) {
            try lab.agent.emit(event: "deploys", payload: payload, at: lab.now, into: &lab.effects)
        }
        #expect(lab.agent.eventTime.value == 1)
        try lab.agent.emit(event: "deploy", payload: payload, at: lab.now, into: &lab.effects)
        #expect(lab.told().count == 1)
    }

    @Test("Others' events are taken up to 9216 bytes, but told on only where they fit into a datagram")
    func othersLimit() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(event: "big", 2, payload: [UInt8](repeating: 0, count: 9213))
        lab.hear(event: "bigger", 3, payload: [UInt8](repeating: 0, count: 9213))
        #expect(lab.effects.userEvents.map(\.name) == ["big"])
        #expect(lab.take().ignored == [.tooLong])
        #expect(lab.told() == [])
        // Nothing waits for room that there will never be.
        #expect(lab.agent.gossip.queued(in: .events) == 0)
    }

    @Test("The memory of events is bounded in bytes, whoever fills it")
    func memory() throws {
        var lab = try Lab(others: ["a"])
        for index in 0..<600 as Range<UInt64> {
            lab.hear(event: "e\(index)", 1 + index, payload: [UInt8](repeating: 0, count: 9000))
            _ = lab.take()
        }
        let kept = lab.agent.events.groups.flatMap(\.items).reduce(0) { $0 + $1.weight }
        #expect(kept <= AgentOptions.eventMemory && kept > AgentOptions.eventMemory / 2)
        // What was dropped is no news again.
        lab.hear(event: "e300", 301, payload: [UInt8](repeating: 0, count: 9000))
        #expect(lab.take().userEvents == [])
    }

    @Test("No more than 4096 messages of a kind wait")
    func queue() throws {
        var lab = try Lab(others: ["a"]) { $0.gossipInterval = .seconds(1_000_000) }
        for index in 0..<5000 as Range<UInt64> {
            lab.hear(event: "e\(index)", 1 + index / 100)
            _ = lab.take()
        }
        #expect(lab.agent.gossip.queued(in: .events) <= 4096)
        #expect(lab.agent.gossip.queued(in: .events) > 3000)
    }

    @Test("Where room is scarce intents go first, then queries, then events; gossip's own before all")
    func priorities() throws {
        var lab = try Lab(others: ["a", "b", "m"]) { $0.packetBudget = 200 }
        lab.hear(event: "e", 2, payload: [UInt8](repeating: 1, count: 120))
        let query = SerfQuery(
            time: LamportTime(2), id: 1, source: Lab.address(of: "a"), sourceNode: "a", timeout: .seconds(1), name: "q")
        lab.hear(.query(query))
        lab.hear(leave: "m", 2)
        lab.receive(.suspect(Accusation(node: lab.id("m"), incarnation: 1, from: lab.id("b"))))
        _ = lab.take()
        lab.run(for: .milliseconds(200))
        var kinds: [UInt8?] = []
        for message in lab.take().gossip.datagrams.prefix(1).flatMap(\.messages) {
            if case .user(let bytes) = message { kinds.append(bytes[0]) } else { kinds.append(nil) }
        }
        #expect(kinds.prefix(2) == [nil, 0])
        let all = lab.told().map { $0[0] }
        #expect(Set(all) == [0, 3, 4])
    }

    @Test("What is no message of Serf's, or has no business in gossip, is refused and told to nobody")
    func malformed() throws {
        var lab = try Lab(others: ["a", "m"])
        let event = SerfEvent(time: LamportTime(9), name: "x", payload: [7], coalesces: true)
        let whole = [
            SerfMessage.event(event).bytes, SerfMessage.leave(SerfLeave(time: LamportTime(9), node: "m")).bytes,
            SerfMessage.join(SerfJoin(time: LamportTime(9), node: "m")).bytes,
            SerfMessage.query(
                SerfQuery(
                    time: LamportTime(9), id: 1, source: Lab.address(of: "a"), sourceNode: "a", timeout: .seconds(1),
                    name: "q")
            ).bytes,
        ]
        for bytes in whole {
            for length in 1..<bytes.count {
                lab.hear(Array(bytes[..<length]))
                #expect(lab.take().refused.count == 1)
            }
        }
        for misplaced in [2, 6, 7, 8] as [UInt8] {
            lab.hear([misplaced, 0xC0])
            #expect(lab.take().refused == [.unexpectedType(misplaced)])
        }
        #expect(lab.agent.intentTime.value == 1 && lab.agent.eventTime.value == 1 && lab.agent.queryTime.value == 1)
        #expect(lab.status("m") == .alive)
        #expect(lab.told() == [])
    }

    @Test("Messages of other applications are passed up as they are")
    func others() throws {
        var lab = try Lab(others: ["a"])
        for bytes in [[], [10], [0xE7, 1, 9]] as [[UInt8]] {
            lab.hear(bytes)
            let passed = lab.take().events.contains { event in
                if case .member(.user(bytes, from: Lab.address(of: "a"))) = event { true } else { false }
            }
            #expect(passed)
        }
        #expect(lab.told() == [])
    }
}
