import Testing
import Vocabulary

@testable import Gossip

/// Whatever peers say, in whatever order: no trap, no wake that is overdue by itself, no name that stays.
@Suite struct AnyInputTests {
    private let names = ["self", ""] + (0..<8).map { "o\($0)" } + (0..<4).map { "x\($0)" }

    /// Low numbers, where claims meet, and the ends of the range.
    private func number(_ random: inout SeededRandom) -> UInt32 {
        switch random.below(12 as UInt32) {
        case 0: .max
        case 1: .max - 1
        case 2: 0
        default: random.below(6 as UInt32)
        }
    }

    private func message(in lab: Lab, _ random: inout SeededRandom) -> Message {
        func name() -> MemberID { lab.id(names[Int(random.below(UInt32(names.count)))]) }
        let charge = Accusation(node: name(), incarnation: number(&random), from: name())
        switch random.below(9 as UInt32) {
        case 0: return .ping(Ping(sequence: number(&random), node: random.next() % 2 == 0 ? name() : nil))
        case 1:
            return .indirectPing(
                IndirectPing(
                    sequence: number(&random), target: record(&random).address, node: name(),
                    wantsNack: random.next() % 2 == 0))
        case 2: return .ack(Ack(sequence: number(&random)))
        case 3: return .nack(sequence: number(&random))
        case 4, 5:
            return .alive(Announcement(node: name(), incarnation: number(&random), record: record(&random)))
        case 6: return .suspect(charge)
        case 7: return .dead(charge)
        default: return .viewChecksum(random.next())
        }
    }

    private func record(_ random: inout SeededRandom) -> MemberRecord {
        let meta = [UInt8](repeating: 1, count: [0, 9, 2000][Int(random.below(3 as UInt32))])
        let port = [0, 1, 100, 101, 102, 1900][Int(random.below(6 as UInt32))] as UInt16
        return Lab.record(port: port, meta: meta, isRemora: random.next() % 2 == 0)
    }

    @Test("Any messages, views and failures at any pace", arguments: 1...20 as ClosedRange<UInt64>)
    func anything(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var options = GossipOptions.lan
        options.memberLimit = 10
        options.gossipToTheDead = .seconds(5)
        options.contactsTheDeadFor = .seconds(60)
        options.seeds = [Lab.record(port: 7).address]
        var lab = Lab(others: (0..<8).map { "o\($0)" }, seed: seed, options: options)
        for step in 0..<1000 {
            // Given a member that is woken in time
            lab.run(for: .milliseconds(Int64(random.below(700 as UInt32))))
            // When something arrives
            switch random.below(12 as UInt32) {
            case 0:
                let claims = (0..<6).map { _ in
                    MemberClaim(
                        node: lab.id(names[Int(random.below(UInt32(names.count)))]), incarnation: number(&random),
                        state: MemberState.allCases[Int(random.below(4 as UInt32))], record: record(&random))
                }
                _ = try? lab.exchange(claims)
            case 1: lab.member.update(record(&random), at: lab.now, into: &lab.effects)
            case 2:
                lab.member.failSending(
                    to: record(&random).address, isOurs: random.next() % 2 == 0, at: lab.now, into: &lab.effects)
            default: lab.receive(message(in: lab, &random))
            }
            // Then its next wake is not in the past, and it never takes itself for stalled
            #expect(lab.member.nextWake >= lab.now, "step \(step)")
            let events = lab.take().events
            #expect(!events.contains { if case .stalled = $0 { true } else { false } }, "step \(step)")
            if step % 10 == 0 { lab.directory.sweep() }
        }
        // And at last only those are remembered who are listed, told of or missed
        lab.member.gossip.queue.removeAll()
        lab.directory.sweep()
        #expect(lab.directory.count == lab.member.listed + lab.member.exchange.lost.count)
        #expect(lab.member.listed <= 10)
    }
}
