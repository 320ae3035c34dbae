import Testing
import Vocabulary

@testable import Gossip

@Suite("What an application tells through us")
struct LaneTests {
    private func bodies(_ effects: Effects) -> [[UInt8]] {
        effects.messages.compactMap { if case .user(let body) = $0 { body } else { nil } }
    }

    @Test("Each message is told as often as one of ours, counted by the application's members")
    func transmissions() {
        for (audience, times) in [(nil, 4), (9, 4), (10, 8), (100, 12)] as [(Int?, Int)] {
            var lab = Lab(others: ["a", "b", "c", "d"])
            lab.member.audience = audience
            lab.member.tell([1], in: .third, at: lab.now)
            lab.member.tell([2], in: .first, at: lab.now)
            lab.run(for: .seconds(3))
            let told = bodies(lab.take())
            #expect(told.filter { $0 == [1] }.count == times)
            #expect(told.filter { $0 == [2] }.count == times)
        }
    }

    @Test("Lanes are told from in their order, after what is ours")
    func order() {
        var lab = Lab(others: ["a", "b"])
        for lane in [Lane.third, .first, .second] { lab.member.tell([UInt8(lane.rawValue)], in: lane, at: lab.now) }
        lab.hear(alive: "b", 2)
        lab.receive(.ping(Ping(sequence: 7, node: nil)), from: "a")
        let datagram = lab.take().datagrams[0]
        #expect(datagram.messages.map(lab.describe) == ["ack 7", "alive b inc=2", "user 1", "user 1", "user 1"])
        #expect(bodies(Effects(of: datagram)) == [[0], [1], [2]])
    }

    @Test("Our own word replaces the former one in its lane, and can be waited for")
    func own() {
        var lab = Lab(others: ["a", "b"])
        lab.member.tell([1], in: .first, replacingOwn: true, at: lab.now)
        lab.member.tell([9], in: .first, at: lab.now)
        lab.member.tell([2], in: .first, replacingOwn: true, at: lab.now)
        #expect(lab.member.queued(in: .first) == 2)
        #expect(lab.member.isTellingOwn(in: .first) && !lab.member.isTellingOwn(in: .second))
        lab.run(for: .seconds(3))
        #expect(!lab.member.isTellingOwn(in: .first))
        #expect(Set(bodies(lab.take())) == [[2], [9]])
    }

    @Test("What fits into no datagram is not told, and wakes nobody")
    func tooLong() {
        var lab = Lab(others: ["a", "b"])
        let longest = lab.member.options.packetBudget - WireSize.compoundOverhead - WireSize.partOverhead - 1
        let isTold = lab.member.tell([UInt8](repeating: 0, count: longest + 1), in: .first, at: lab.now)
        #expect(!isTold)
        #expect(lab.member.gossip.nextTick == nil)
        let fits = lab.member.tell([UInt8](repeating: 0, count: longest), in: .first, at: lab.now)
        #expect(fits)
        lab.run(for: .seconds(3))
        #expect(bodies(lab.take()).count == 4)
        #expect(lab.member.gossip.nextTick == nil)
    }
}

extension Effects {
    init(of datagram: Datagram) {
        self.init()
        datagrams = [datagram]
    }
}
