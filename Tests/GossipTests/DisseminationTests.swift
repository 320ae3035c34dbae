import Testing
import Vocabulary

@testable import Gossip

@Suite struct DisseminationTests {
    /// A member that neither probes nor exchanges, only tells.
    private func teller(_ others: [String], options: GossipOptions = .lan) -> Lab {
        var lab = Lab(others: others, options: options)
        lab.member.prober.nextTick = .distantFuture
        lab.member.exchange.nextPushPull = .distantFuture
        lab.member.exchange.nextContact = .distantFuture
        return lab
    }

    @Test("News is told to three members a round, λ·⌈log₁₀(n+1)⌉ times in all, and then no more")
    func rounds() {
        // Given ten members in all, so 4 × 2 transmissions
        var lab = teller((0..<9).map { "o\($0)" })
        lab.hear(alive: "o1", 2)
        var perRound: [Int] = []
        while lab.member.nextWake < .distantFuture {
            lab.run(until: lab.member.nextWake)
            let sent = lab.take().datagrams
            #expect(Set(sent.map(\.to)).count == sent.count)
            #expect(sent.allSatisfy { $0.messages.map(lab.describe) == ["alive o1 inc=2"] && $0.recipient != nil })
            perRound.append(sent.count)
        }
        #expect(perRound == [3, 3, 2])
        #expect(lab.queued.isEmpty)
    }

    @Test("A member with nothing to tell is not woken to tell it")
    func quiet() {
        let lab = teller(["a", "b"])
        #expect(lab.member.nextWake == .distantFuture)
    }

    @Test("Who is alone is not woken to tell what there is nobody to hear")
    func quietAlone() {
        var lab = teller([])
        lab.member.update(Lab.record(port: 1, meta: [1]), at: lab.now, into: &lab.effects)
        #expect(lab.member.nextWake == .distantFuture)
        lab.hear(alive: "x", 1)
        #expect(lab.member.nextWake < .distantFuture)
    }

    @Test("The alive, the suspects and the lately dead are told, neither the left nor the long dead")
    func audience() {
        var lab = teller(["a", "s", "d", "l", "old"])
        lab.hear(dead: "old", 1, from: "a")
        lab.run(for: .seconds(31))
        lab.hear(suspect: "s", 1, from: "a")
        lab.hear(dead: "d", 1, from: "a")
        lab.hear(dead: "l", 1, from: "l")
        lab.member.gossip.queue.removeAll()
        _ = lab.take()
        var told: Set<PeerAddress> = []
        for incarnation in 2..<20 as Range<UInt32> {
            lab.hear(alive: "a", incarnation)
            lab.run(for: .milliseconds(400))
            told.formUnion(lab.take().datagrams.map(\.to))
        }
        #expect(told == Set(["a", "s", "d"].map(lab.address(of:))))
    }

    @Test("News rides on pings, acks and nacks, after what they are for")
    func piggyback() {
        var lab = teller(["a", "b"])
        lab.hear(alive: "b", 2)
        lab.receive(.ping(Ping(sequence: 7, node: nil)), from: "a")
        #expect(lab.take().datagrams.map { $0.messages.map(lab.describe) } == [["ack 7", "alive b inc=2"]])
    }

    @Test("No datagram exceeds the budget, whatever is queued and whatever it is for", arguments: [0, 29, 300])
    func budget(overhead: Int) {
        var options = GossipOptions.lan
        options.packetOverhead = overhead
        var lab = teller((0..<200).map { "member-with-a-long-name-\($0)" }, options: options)
        for index in 0..<200 {
            let record = Lab.record(
                port: UInt16(100 + index), meta: [UInt8](repeating: 7, count: index % 3 == 0 ? 512 : index))
            lab.hear(alive: "member-with-a-long-name-\(index)", 2, record: record)
        }
        lab.member.ackPayload = [UInt8](repeating: 1, count: 100)
        for sequence in 0..<50 { lab.receive(.ping(Ping(sequence: UInt32(sequence), node: nil)), from: "a") }
        lab.run(for: .seconds(10))
        let datagrams = lab.take().datagrams
        #expect(datagrams.count > 100)
        for datagram in datagrams {
            var length = datagram.messages.count == 1 ? 0 : WireSize.compoundOverhead
            for message in datagram.messages {
                length += message.encodedLength(in: lab.directory)
                length += datagram.messages.count == 1 ? 0 : WireSize.partOverhead
            }
            #expect(length + overhead <= options.packetBudget)
            #expect(datagram.messages.count <= WireSize.longestCompound)
        }
    }

    @Test("An announcement longer than a datagram is taken, not told, and keeps nobody awake")
    func tooLong() {
        var lab = teller(["a", "b"])
        lab.hear(suspect: "b", 1, from: "a")
        let record = Lab.record(port: lab.address(of: "b").port, meta: [UInt8](repeating: 1, count: 1400))
        lab.hear(alive: "b", 2, record: record)
        #expect(lab.state("b") == .alive)
        #expect(lab.queued.isEmpty, "what was queued about it is refuted all the same")
        lab.run(for: .seconds(1))
        #expect(lab.take().datagrams.isEmpty && lab.member.nextWake == .distantFuture)
    }

    @Test("An announcement that just fits a datagram is told", arguments: [0, 1])
    func justFits(excess: Int) {
        // Given room for one announcement, or a byte less
        var lab = teller(["a", "b"])
        func announcement(meta count: Int) -> Announcement {
            let record = Lab.record(port: lab.address(of: "b").port, meta: [UInt8](repeating: 1, count: count))
            return Announcement(node: lab.id("b"), incarnation: 2, record: record)
        }
        let rest = Message.alive(announcement(meta: 512)).encodedLength(in: lab.directory) - 512
        let room = 1400 - WireSize.compoundOverhead - WireSize.partOverhead - rest
        // When one arrives that takes it all
        lab.receive(.alive(announcement(meta: room + excess)))
        lab.run(for: .seconds(1))
        // Then it is told if it fits, and does not wait if not
        #expect(lab.take().datagrams.isEmpty == (excess > 0))
        #expect(lab.queued.isEmpty && lab.member.nextWake == .distantFuture)
    }

    @Test("No datagram has more parts than a peer can read, however much room there is")
    func parts() {
        var options = GossipOptions.lan
        options.packetBudget = 60_000
        var lab = teller((0..<300).map { "o\($0)" }, options: options)
        for index in 0..<300 { lab.hear(alive: "o\(index)", 2) }
        lab.receive(.ping(Ping(sequence: 1, node: nil)), from: "o0")
        lab.run(for: .seconds(1))
        let datagrams = lab.take().datagrams
        #expect(datagrams.first?.messages.count == WireSize.longestCompound)
        #expect(datagrams.allSatisfy { $0.messages.count <= WireSize.longestCompound })
    }

    @Test("The checksum that goes with a ping has its room in the budget", arguments: 300..<400)
    func checksumInBudget(budget: Int) {
        var options = GossipOptions.lan
        options.packetBudget = budget
        let names = (0..<12).map { "o\($0)" }
        var lab = Lab(others: names, options: options)
        for name in names {
            lab.hear(alive: name, 2, record: Lab.record(port: lab.address(of: name).port, meta: [7], isRemora: true))
        }
        lab.member.gossip.nextTick = .distantFuture
        lab.run(until: lab.member.prober.nextTick)
        let messages = lab.take().messages
        #expect(messages.prefix(2).map(lab.describe).last == "view" && messages.count > 3)
        let length = messages.reduce(WireSize.compoundOverhead) {
            $0 + $1.encodedLength(in: lab.directory) + WireSize.partOverhead
        }
        #expect(length <= budget)
    }

    @Test("A round that comes late leaves the others where they were")
    func lateRound() {
        var lab = teller(["a", "b"])
        lab.hear(alive: "a", 2)
        let first = lab.member.nextWake
        lab.now = first + .milliseconds(50)
        lab.member.wake(at: lab.now, into: &lab.effects)
        #expect(lab.member.nextWake == first + .milliseconds(200))
    }

    @Test("A change of our own is told one incarnation higher, in place of what was queued about us")
    func update() {
        var lab = teller(["a"])
        for value in 1...3 as ClosedRange<UInt8> {
            lab.member.update(Lab.record(port: 1, meta: [value]), at: lab.now, into: &lab.effects)
        }
        #expect(lab.queued == ["alive self inc=4"])
        #expect(lab.member.view(of: lab.member.id)?.record.meta == [3])
    }

    @Test("A leave is told its full number of times, and then reported, once")
    func leave() {
        var lab = teller((0..<4).map { "o\($0)" })
        lab.member.leave(at: lab.now, into: &lab.effects)
        #expect(lab.state("self") == .left)
        var sent = 0
        var reports = 0
        for _ in 0..<20 {
            lab.run(for: .milliseconds(100))
            let effects = lab.take()
            sent += effects.messages.filter { lab.describe($0) == "dead self inc=1 from=self" }.count
            reports += effects.events.filter { if case .leaveSpread = $0 { true } else { false } }.count
            if reports == 0 { #expect(sent < 4) }
        }
        #expect(sent == 4 && reports == 1)
    }

    @Test("A goodbye is told to those who are there, and not to the lately dead")
    func leaveBesideTheDead() {
        var lab = teller(["a", "d"])
        lab.hear(dead: "d", 1, from: "a")
        lab.member.gossip.queue.removeAll()
        lab.member.leave(at: lab.now, into: &lab.effects)
        lab.run(for: .seconds(2))
        #expect(lab.take().datagrams.map(\.to) == [PeerAddress](repeating: lab.address(of: "a"), count: 4))
    }

    @Test("Who leaves alone is done at once")
    func leaveAlone() {
        var lab = teller([])
        lab.member.leave(at: lab.now, into: &lab.effects)
        #expect(lab.effects.events.contains { if case .leaveSpread = $0 { true } else { false } })
    }

    @Test("Who is leaving answers pings, but refutes nothing, probes nobody and accuses nobody")
    func leaving() {
        var lab = Lab(others: ["a", "b", "c"])
        lab.run(until: lab.member.prober.nextTick)
        lab.hear(suspect: "b", 1, from: "a")
        lab.member.leave(at: lab.now, into: &lab.effects)
        _ = lab.take()
        lab.hear(suspect: "self", 1, from: "a")
        lab.hear(dead: "self", 1, from: "a")
        lab.hear(alive: "self", 1)
        lab.hear(alive: "self", 5)
        lab.receive(.ping(Ping(sequence: 9, node: lab.id("self"))), from: "a")
        #expect(lab.take().messages.map(lab.describe).first == "ack 9")
        lab.run(for: .seconds(60))
        #expect(lab.state("self") == .left && lab.incarnation("self") == 1)
        #expect(lab.take().ping == nil)
        #expect(lab.state("a") == .alive)
        #expect(lab.state("b") == .suspect)
    }

    @Test("What is for the application reaches it with its sender")
    func userMessage() {
        var lab = teller(["a"])
        lab.receive(.user([3, 1, 4]), from: "a")
        guard case .user([3, 1, 4], from: lab.address(of: "a")) = lab.effects.events.first else {
            Issue.record("\(lab.effects.events)")
            return
        }
    }
}
