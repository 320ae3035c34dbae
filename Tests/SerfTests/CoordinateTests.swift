import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

@Suite("An agent's coordinate")
struct CoordinateTests {
    @Test("Acks bear our coordinate, which moves with each answered ping")
    func acks() throws {
        var lab = try Lab(others: ["a"]) { $0.probeInterval = .seconds(1) }
        lab.hear(alive: "a", 9)
        func ownPayload() throws -> [UInt8] {
            _ = lab.take()
            lab.receive(.ping(Ping(sequence: 1, node: nil)))
            guard case .ack(let ack)? = lab.take().gossip.datagrams.first?.messages.first else { throw Lab.NoAnswer() }
            return ack.payload
        }
        func probe(payload: [UInt8]) throws {
            _ = lab.take()
            for _ in 0..<500 {
                lab.run(for: .milliseconds(10))
                for case .ping(let ping) in lab.take().gossip.datagrams.flatMap(\.messages) where ping.node != nil {
                    lab.run(for: .milliseconds(40))
                    lab.receive(.ack(Ack(sequence: ping.sequence, payload: payload)))
                    return
                }
            }
            throw Lab.NoAnswer()
        }
        let first = try ownPayload()
        #expect(try SerfCoordinate.read(payload: first) == .initial)
        try probe(payload: [])
        #expect(try ownPayload() == first)
        try probe(payload: [2, 0x80])
        #expect(lab.take().refused == [.badCoordinate])
        #expect(try ownPayload() == first)
        var coordinate = SerfCoordinate.initial
        coordinate.vector[0] = 0.02
        var payload: [UInt8] = []
        coordinate.append(to: &payload)
        try probe(payload: payload)
        let second = try ownPayload()
        #expect(try SerfCoordinate.read(payload: second) == lab.agent.coordinate)
        #expect(second != first)
    }

    @Test("Who wants no coordinate sends none")
    func without() throws {
        var options = AgentOptions()
        options.hasCoordinate = false
        var lab = try Lab(others: ["a"], options: options)
        lab.receive(.ping(Ping(sequence: 1, node: nil)))
        guard case .ack(let ack)? = lab.take().gossip.datagrams.first?.messages.first else { throw Lab.NoAnswer() }
        #expect(ack.payload.isEmpty)
    }
}
