import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

@Suite("Bytes from anybody")
struct GarbageTests {
    /// One of each kind that gossip may bear, with something to find in each field.
    static let messages: [SerfMessage] = [
        .leave(SerfLeave(time: LamportTime(9), node: "a", isPrune: true)),
        .join(SerfJoin(time: LamportTime(9), node: "a")),
        .event(SerfEvent(time: LamportTime(9), name: "x", payload: [7, 8], coalesces: true)),
        .query(
            SerfQuery(
                time: LamportTime(9), id: 1, source: Lab.address(of: "a"), sourceNode: "a",
                filters: [
                    [1, 0x82, 0xA4] + Array("Expr".utf8) + [0xA1, 0x2E, 0xA3] + Array("Tag".utf8) + [0xA1, 0x72]
                ],
                flags: .wantsAck, relayFactor: 2, timeout: .seconds(1), name: "_serf_use-key", payload: [7, 0x80])),
        .response(SerfResponse(time: LamportTime(9), id: 1, from: "a", isAck: true)),
        .relay(
            SerfRelay(
                destination: Lab.address(of: "a"), destinationName: "a",
                message: SerfMessage.response(
                    SerfResponse(time: LamportTime(9), id: 1, from: "a", isAck: true)
                ).bytes)),
    ]

    @Test("Changed bytes end nothing, and nothing grows beyond its bound", arguments: seeds)
    func changed(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var lab = try Lab(others: ["a", "b", "c"], tags: ["r": "x"], seed: seed)
        let state = SerfState(
            time: LamportTime(9), statuses: [.init(node: "a", time: LamportTime(8))], left: ["a"],
            eventTime: LamportTime(5), events: [.init(time: LamportTime(3), events: [.init(name: "e", payload: [1])])],
            queryTime: LamportTime(5))
        var datagrams = 0
        for _ in 0..<6000 {
            let isState = random.below(8) == 0
            var bytes =
                isState
                ? SerfMessage.state(state).bytes : Self.messages[Int(random.below(UInt32(Self.messages.count)))].bytes
            for _ in 0...random.below(4) {
                let place = Int(random.below(UInt32(bytes.count)))
                switch random.below(4) {
                case 0: bytes.remove(at: place)
                case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                default: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                }
                if bytes.isEmpty { break }
            }
            if isState { _ = try lab.exchange(bytes) } else { lab.hear(bytes) }
            if random.below(20) == 0 { lab.run(for: .milliseconds(100)) }
            // One datagram makes few: an ack or an answer, and relays.
            let sent = lab.take().sentAlone.count
            #expect(sent <= 2 * (1 + AgentOptions.mostRelays))
            datagrams += sent
        }
        #expect(datagrams > 0)
        #expect(lab.agent.listed == 4)
        #expect(lab.agent.intents.count <= IntentBuffer.limit)
        #expect(lab.status("self") == .alive)
        // Gossip's own view is its own.
        #expect(["a", "b", "c"].allSatisfy { lab.agent.gossip.view(of: lab.id($0))?.state == .alive })
    }

    @Test("The same seed and the same inputs have the same outcome", arguments: seeds)
    func deterministic(seed: UInt64) throws {
        func outcome() throws -> [[UInt8]] {
            var lab = try Lab(others: (0..<30).map { "n\($0)" }, seed: seed)
            for (index, message) in Self.messages.enumerated() { lab.hear(message, from: "n\(index)") }
            _ = try lab.exchange([2, 0x80])
            lab.run(for: .seconds(3))
            return lab.take().serfMessages
        }
        #expect(try outcome() == outcome())
    }
}
