// What strangers send: no membership changes, nothing grows, nobody is kept waiting.

import Gossip
import GossipWire
import Reactor
import Testing
import Vocabulary

@testable import GossipNet

@Suite("Strangers", .serialized)
struct HostilityTests {
    /// Faults leave this much of a driver as it was.
    private struct Shape: Equatable {
        var members: [String]
        var names: Int

        init(_ node: Node) {
            members = node.names
            names = node.driver.directory.count
        }
    }

    private static let key = [UInt8](repeating: 7, count: 32)

    @Test("Random datagrams change nothing, and each is counted", arguments: [nil, key] as [[UInt8]?])
    func garbage(key: [UInt8]?) throws {
        let fleet = try LoopbackFleet(["a", "b"], key: key)
        try fleet.run(until: { fleet.allSeeAll })
        let before = fleet.nodes.map(Shape.init)
        let target = fleet.nodes[0]
        let received = target.driver.counters.receivedDatagrams
        var random = SeededRandom(seed: 4)
        let stranger = try Stranger()
        for round in 0..<40 {
            for _ in 0..<50 {
                var bytes = (0..<random.below(UInt32(200))).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                // Half of them begin like something that is spoken here.
                if !bytes.isEmpty, round % 2 == 0 { bytes[0] = UInt8(random.below(UInt32(14))) }
                stranger.send(bytes, to: target.address)
            }
            fleet.turn()
        }
        fleet.run(for: .milliseconds(300))
        #expect(fleet.nodes.map(Shape.init) == before)
        #expect(target.driver.counters.receivedDatagrams >= received + 2000)
        #expect(target.driver.counters.refusedDatagrams + target.driver.counters.refusedMessages >= 1500)
        try fleet.run(until: { fleet.allSeeAll })
    }

    @Test(
        "A member's own packets, cut short anywhere or played again, change nothing",
        arguments: [nil, key] as [[UInt8]?])
    func truncated(key: [UInt8]?) throws {
        let fleet = try LoopbackFleet(["a", "b"], key: key)
        try fleet.run(until: { fleet.allSeeAll })
        let (a, b) = (fleet.nodes[0], fleet.nodes[1])
        let own = try #require(b.driver.core.fleet.view(of: b.driver.core.id))
        var codec = b.driver.codec
        try codec.write(
            [
                .ping(Ping(sequence: 1, node: b.driver.directory.intern("somebody else"))),
                .alive(Announcement(node: own.id, incarnation: own.incarnation, record: own.record)),
            ], withChecksum: true)
        let before = Shape(a)
        let stranger = try Stranger()
        for length in 0...codec.packet.count {
            stranger.send(Array(codec.packet.prefix(length)), to: a.address)
            fleet.turn()
        }
        fleet.run(for: .milliseconds(200))
        #expect(Shape(a) == before)
        try fleet.run(until: { fleet.allSeeAll })
    }

    @Test("A turn reads a bounded number of datagrams, and the next goes on")
    func boundedTurn() throws {
        let fleet = try LoopbackFleet(["a"])
        let driver = fleet.nodes[0].driver
        let stranger = try Stranger()
        // Given a core that is not due for a while
        try fleet.run(until: { driver.core.nextWake > Kernel.now() + .milliseconds(100) })
        for _ in 0..<150 { stranger.send([0xFF], to: driver.address) }
        let before = driver.counters.receivedDatagrams
        driver.turn()
        #expect(driver.counters.receivedDatagrams - before == 128)
        driver.turn()
        #expect(driver.counters.receivedDatagrams - before == 150)
    }

    @Test("A flood is read at a bounded rate, and a signal of the loop's is never far")
    func flood() throws {
        let fleet = try LoopbackFleet(["a"])
        let driver = fleet.nodes[0].driver
        let stranger = try Stranger()
        let (began, before) = (Kernel.now(), driver.counters.receivedDatagrams)
        var longest = Duration.zero
        while Kernel.now() - began < .seconds(2) {
            for _ in 0..<64 { stranger.send([0xFF, 1, 2, 3], to: driver.address) }
            let start = Kernel.now()
            driver.turn()
            longest = max(longest, Kernel.now() - start)
        }
        let took = Kernel.now() - began
        let read = driver.counters.receivedDatagrams - before
        let allowed = Double(DatagramBudget.burst) + took.inSeconds * Double(DatagramBudget.perSecond)
        #expect(Double(read) <= allowed)
        #expect(driver.counters.refused == read)
        #expect(longest < .seconds(1))
        #expect(fleet.nodes[0].names == ["a"])
    }

    @Test("Once its budget is spent a driver sleeps for a moment, and then reads what the kernel kept")
    func spent() throws {
        let fleet = try LoopbackFleet(["a"])
        let driver = fleet.nodes[0].driver
        let stranger = try Stranger()
        try fleet.run(until: { driver.core.nextWake > Kernel.now() + .milliseconds(100) })
        _ = driver.budget.grant(upTo: .max, at: Kernel.now() + .milliseconds(5))
        for _ in 0..<10 { stranger.send([0xFF], to: driver.address) }
        let before = driver.counters.receivedDatagrams
        driver.turn()
        #expect(driver.counters.receivedDatagrams == before)
        #expect(driver.counters.pausesOfReading == 1)
        // Nothing to do for its poller, which the socket alone would make readable for ever
        #expect(driver.poller.wait(milliseconds: 0) == 0)
        #expect(driver.nextWake <= Kernel.now() + DatagramBudget.pause)
        try fleet.run(until: { driver.counters.receivedDatagrams == before + 10 })
    }

    @Test("A budget grants its rate over time, its burst at once, and takes back what found nothing")
    func budget() {
        let start = Instant(nanoseconds: 0)
        var budget = DatagramBudget(at: start)
        #expect(budget.grant(upTo: 5_000, at: start) == 2_048)
        #expect(budget.grant(upTo: 1, at: start) == 0)
        // 20 a millisecond
        #expect(budget.grant(upTo: 5_000, at: start + .milliseconds(10)) == 200)
        budget.giveBack(150)
        #expect(budget.grant(upTo: 5_000, at: start + .milliseconds(10)) == 150)
        // Asked ever so often, it grants no less
        var granted = 0
        for step in 1...100_000 {
            granted += budget.grant(upTo: 10, at: start + .milliseconds(10) + .microseconds(step * 7))
        }
        #expect((13_990...14_000).contains(granted))
        // And never more than the burst, however long nothing came
        #expect(budget.grant(upTo: 9_999, at: start + .seconds(100)) == 2_048)
    }

    // MARK: Streams

    @Test("Streams that say nothing end by their deadline, never number more than 128, and keep nobody out")
    func halfOpen() throws {
        var fleet = try LoopbackFleet([])
        let target = try Node("a", at: LoopbackFleet.spare, streamTimeout: .milliseconds(700))
        fleet.nodes = [target]
        var strangers: [Stranger] = []
        for _ in 0..<300 {
            strangers.append(try Stranger(connectedTo: target.address))
            if strangers.count % 10 == 0 { target.driver.turn() }
        }
        try fleet.run(until: { target.driver.counters.acceptedStreams == 300 })
        #expect(target.driver.streams.count == StreamLimits.accepted)
        // A newcomer is let in all the same.
        let newcomer = try fleet.add("b")
        try fleet.run(until: { newcomer.names == ["a", "b"] })
        try fleet.run(until: { target.driver.streams.isEmpty })
        #expect(target.driver.counters.failedStreams >= 300)
        // All of them see the end.
        #expect(strangers.allSatisfy { [.end, .reset].contains($0.receive()) })
    }

    @Test(
        "A stream that is no message is closed, changes nothing and holds no memory",
        arguments: [
            [0xFF, 1, 2, 3], [0xF4, 0], [9, 0x81, 0xA3], Array(repeating: 6, count: 300),
            [6, 0x83, 0xA4, 0x4A, 0x6F, 0x69, 0x6E, 0xC4],
        ] as [[UInt8]])
    func garbageStream(bytes: [UInt8]) throws {
        let fleet = try LoopbackFleet(["a", "b"])
        try fleet.run(until: { fleet.allSeeAll })
        let target = fleet.nodes[0]
        let before = Shape(target)
        let stranger = try Stranger(connectedTo: target.address)
        stranger.send(bytes)
        var ending = Stranger.Reading.nothingYet
        try fleet.run(until: {
            ending = stranger.receive()
            return ending != .nothingYet
        })
        #expect(Shape(target) == before)
        try fleet.run(until: { target.driver.streams.isEmpty })
    }

    @Test("Who is sealed to a member without keys, or not sealed to one with keys, is told so on the stream")
    func toldWhy() throws {
        for (mine, theirs) in [(nil, Self.key), (Self.key, nil)] as [([UInt8]?, [UInt8]?)] {
            var fleet = try LoopbackFleet(["a"], key: mine)
            let other = try Node("x", at: SocketAddress.IPv4(bits: 127 << 24 | 11), key: theirs)
            let request = try other.driver.codec.bytes(of: .ping(Ping(sequence: 1, node: nil)), by: .dialler)
            let stranger = try Stranger(connectedTo: fleet.nodes[0].address)
            stranger.send(request)
            var answer = Stranger.Reading.nothingYet
            try fleet.run(until: {
                answer = stranger.receive()
                return answer != .nothingYet
            })
            guard case .bytes(let bytes) = answer else {
                Issue.record("no answer: \(answer)")
                continue
            }
            // Read with the layers of the one that wrote it.
            var reader = StreamReader(from: .acceptor)
            #expect(try reader.receive(bytes.span, through: fleet.nodes[0].driver.codec.layers))
            var codec = fleet.nodes[0].driver.codec
            guard case .error(let text) = try codec.read(stream: try #require(reader.message)) else {
                Issue.record("no error")
                continue
            }
            #expect(!text.isEmpty)
            fleet.nodes = []
        }
    }

    @Test("What all accepted streams hold together is bounded, whatever their heads claim")
    func heldBytes() throws {
        let fleet = try LoopbackFleet(["a"], key: Self.key)
        let driver = fleet.nodes[0].driver
        // A frame that says that it is 20 MiB long, of which 17 come.
        let head: [UInt8] = [10, 0x01, 0x40, 0, 0]
        let piece = [UInt8](repeating: 1, count: 1 << 20)
        var strangers: [Stranger] = []
        for _ in 0..<5 {
            let stranger = try Stranger(connectedTo: driver.address)
            strangers.append(stranger)
            stranger.send(head)
            try fleet.run(until: { driver.counters.acceptedStreams == strangers.count })
            // The head alone costs nothing.
            let held = driver.streams.reduce(0) { $0 + $1.held }
            var sent = 0
            try fleet.run(until: {
                sent += stranger.send(Array(piece.prefix(min(piece.count, 17 << 20 - sent))))
                let now = driver.streams.reduce(0) { $0 + $1.held }
                #expect(now <= StreamLimits.heldBytes + 1 << 16)
                return sent >= 17 << 20 || now < held
            })
            fleet.run(for: .milliseconds(50))
            #expect(driver.streams.reduce(0) { $0 + $1.held } <= StreamLimits.heldBytes)
        }
        #expect(driver.streams.count < 5)
        #expect(fleet.nodes[0].names == ["a"])
    }
}
