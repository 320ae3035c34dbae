// What a world does to its nodes, seen from outside.

import Gossip
import Testing
import Vocabulary

@testable import Simulation

@Suite("A world does to its nodes what it is told")
struct WorldTests {
    @Test("Equal options and commands give equal worlds, others do not", arguments: Seeds.sample)
    func determinism(seed: UInt64) throws {
        let a = try EventLogTests.busyWorld(seed: seed)
        let b = try EventLogTests.busyWorld(seed: seed)
        let c = try EventLogTests.busyWorld(seed: seed + 1)
        #expect(a.log.entries == b.log.entries)
        #expect(a.facts == b.facts)
        #expect(a.totalTraffic == b.totalTraffic)
        #expect(a.log.entries != c.log.entries)
    }

    @Test("Through bytes or as values, the same happens", arguments: Seeds.sample)
    func wire(seed: UInt64) throws {
        let values = try EventLogTests.busyWorld(seed: seed)
        let bytes = try EventLogTests.busyWorld(seed: seed, .wire)
        #expect(values.log.entries == bytes.log.entries)
        #expect(values.totalTraffic == bytes.totalTraffic)
    }

    @Test("A copy of a world goes its own way")
    func copies() throws {
        var world = try World(WorldOptions(nodes: 5, seed: 1))
        try world.run(for: .seconds(5))
        var other = world
        other.crash(1)
        try other.run(for: .seconds(20))
        try world.run(for: .seconds(20))
        #expect(other.nodes(seeing: 1, as: .dead) == 4)
        #expect(world.nodes(seeing: 1, as: .alive) == 4)
    }

    @Test("A warm world has converged, and stays so undisturbed")
    func warm() throws {
        var options = WorldOptions(nodes: 20, seed: 3, checks: .full)
        options.forbids = .falseSuspicions
        var world = try World(options)
        #expect(world.hasConverged)
        try world.run(for: .seconds(30))
        try world.requireAgreement()
        #expect(world.checksumsAgree(among: world.residents))
    }

    @Test("A cold world converges through its seed", arguments: Seeds.sample)
    func cold(seed: UInt64) throws {
        var world = try World(WorldOptions(nodes: 10, seed: seed, start: .cold(within: .seconds(2)), checks: .full))
        #expect(world.residents.isEmpty)
        let time = try world.run(atMost: .seconds(60), step: .seconds(1)) {
            $0.residents.count == 10 && $0.hasConverged
        }
        #expect(time != nil)
    }

    @Test("A watch tells when each node learned of a change, and of a death")
    func watches() throws {
        var world = try World(WorldOptions(nodes: 8, seed: 2))
        try world.run(for: .seconds(1))
        let change = world.watch(3, incarnation: 2)
        #expect(world.watches[change].informed(by: .seconds(1)) == 0)
        world.update(3)
        try world.run(for: .seconds(40))
        #expect(world.watches[change].informed(by: .seconds(41)) == 8)
        #expect(world.awareNodes(of: 3, incarnation: 2) == 8)
        let last = try #require(world.watches[change].lastInformed)
        #expect(world.watches[change].informed(by: last - .nanoseconds(1)) < 8)
        let death = world.watch(3)
        world.crash(3)
        try world.run(for: .seconds(60))
        let first = try #require(world.watches[death].firstDeath)
        #expect(try #require(world.watches[death].firstSuspicion) <= first)
        #expect(try #require(world.watches[death].lastDeath) >= first)
        #expect(world.watches[death].gone[3] == nil)
        #expect(world.falsePositives(.died) == 0)
    }

    @Test("What a node sends is counted by kind, and the kinds add up")
    func traffic() throws {
        var world = try World(WorldOptions(nodes: 8, seed: 2))
        world.update(1)
        try world.run(for: .seconds(100))
        for node in 0..<8 {
            let sum = TrafficKind.allCases.reduce(0) { $0 + world.bytes(of: $1, from: node) }
            #expect(sum == world.traffic(of: node).bytes)
            #expect(world.bytes(of: .ping, from: node) > 0)
        }
        #expect(world.totalBytes(of: .alive) > 0)
        let before = world.totalTraffic
        try world.run(for: .seconds(1))
        #expect((world.totalTraffic - before).datagrams >= 8)
    }

    @Test("A paused node hears what its socket holds once it goes on, and no more")
    func pause() throws {
        var options = WorldOptions(nodes: 2, seed: 1, isRecorded: true)
        options.socketBuffer = 3
        var world = try World(options)
        try world.run(for: .seconds(2))
        let before = world.log.entries.count
        world.pause(1, for: .seconds(6))
        // n0 goes on alone: whatever it does, at most three of its datagrams wait.
        world.sabotage = { node, _, effects in
            guard node == 0 else { return }
            effects.datagrams.append(
                Datagram(to: Population.address(of: 1), recipient: nil, messages: [.nack(sequence: 9)]))
        }
        try world.run(for: .milliseconds(5990))
        #expect(!world.log.entries[before...].contains { $0.node == 1 && $0.kind != .fault })
        #expect(world.isPaused(1) && world.isRunning(1))
        try world.run(for: .milliseconds(10))
        let inputs = world.log.entries[before...].filter { $0.node == 1 && $0.kind != .fault }
        #expect(inputs.filter { $0.kind == .datagram }.count == 3)
        #expect(inputs.last?.kind == .wake, "what is due is seen to after what was waiting")
    }

    @Test("The end of an earlier pause does not end a later one")
    func laterPause() throws {
        var world = try World(WorldOptions(nodes: 2, seed: 1))
        world.pause(1, for: .seconds(2))
        world.resume(node: 1)
        world.pause(1, for: .seconds(5))
        try world.run(for: .seconds(3))
        #expect(world.isPaused(1))
        try world.run(for: .seconds(3))
        #expect(!world.isPaused(1))
    }

    @Test("Nothing of a crashed node stays under way for ever")
    func crash() throws {
        var world = try World(WorldOptions(nodes: 4, seed: 1))
        try world.run(for: .seconds(1))
        world.pause(2)
        world.join(1, through: 2)
        world.join(2, through: 1)
        try world.run(for: .seconds(2))
        world.crash(2)
        world.crash(0)
        world.crash(1)
        world.crash(3)
        try world.run(for: .seconds(60))
        #expect(world.datagrams.count == 0)
        #expect(world.streams.count == 0)
        #expect(world.queue.count == 0)
    }
}

@Suite("Streams of a world")
struct WorldStreamTests {
    /// Two nodes that know nobody; n1 is to join through n0.
    private func pair(_ prepare: (inout World) -> Void = { _ in }) throws -> World {
        var options = WorldOptions(nodes: 2, seed: 1, latency: .fixed(.milliseconds(10)), start: .none, checks: .full)
        options.isRecorded = true
        var world = try World(options)
        world.start(0)
        prepare(&world)
        world.start(1)
        return world
    }

    /// The first input of this kind at n1, in milliseconds after the start.
    private func time(of kind: EventLog.Kind, in world: World) -> Int64? {
        world.log.entries.first { $0.node == 1 && $0.kind == kind }.map { $0.world / 1_000_000 }
    }

    @Test("An answer takes two round trips: one to connect, one for request and answer")
    func answered() throws {
        var world = try pair()
        try world.run(for: .seconds(1))
        #expect(time(of: .answer, in: world) == 40)
        #expect(world.log.entries.first { $0.node == 0 && $0.kind == .request }?.world == 30_000_000)
        #expect(world.view(of: 1, from: 0)?.state == .alive && world.view(of: 0, from: 1)?.state == .alive)
    }

    @Test("A node that is down refuses after a round trip")
    func refused() throws {
        var world = try pair { $0.crash(0) }
        try world.run(for: .seconds(1))
        #expect(time(of: .fail, in: world) == 20)
    }

    @Test("A cut in either direction is noticed at the deadline only", arguments: [true, false])
    func cut(isThere: Bool) throws {
        var world = try pair { $0.cut(from: isThere ? [1] : [0], to: isThere ? [0] : [1]) }
        try world.run(for: .seconds(20))
        #expect(time(of: .fail, in: world) == 10_000)
    }

    @Test("A cut that comes in between loses what is not yet under way", arguments: [5, 15, 25])
    func cutBetween(milliseconds: Int) throws {
        var world = try pair()
        try world.run(for: .milliseconds(milliseconds))
        world.cut(from: [0, 1], to: [0, 1])
        try world.run(for: .seconds(20))
        #expect(time(of: .fail, in: world) == 10_000)
    }

    @Test("Streams pass where only datagrams are cut")
    func datagramsOnly() throws {
        var world = try pair { $0.cut(from: [0, 1], to: [0, 1], .datagrams) }
        try world.run(for: .seconds(1))
        #expect(time(of: .answer, in: world) == 40)
        #expect(!world.log.entries.contains { $0.kind == .datagram })
    }

    @Test("A paused acceptor answers once it goes on, or the deadline comes first", arguments: [5, 15])
    func paused(seconds: Int) throws {
        var world = try pair { $0.pause(0, for: .seconds(seconds)) }
        try world.run(for: .seconds(20))
        if seconds == 5 {
            #expect(time(of: .answer, in: world) == 5_010)
        } else {
            #expect(time(of: .fail, in: world) == 10_000)
        }
        #expect(world.log.entries.contains { $0.node == 0 && $0.kind == .request })
    }

    @Test("An acceptor that crashes meanwhile is noticed at once, restarted or not", arguments: [true, false])
    func crashed(isRestarted: Bool) throws {
        var world = try pair()
        try world.run(for: .milliseconds(25))
        world.crash(0)
        if isRestarted { world.restart(0) }
        try world.run(for: .seconds(1))
        #expect(time(of: .fail, in: world) == 40)
    }

    @Test("An opener that crashed hears nothing in its next life")
    func reborn() throws {
        var world = try pair()
        try world.run(for: .milliseconds(25))
        world.crash(1)
        try world.run(for: .seconds(20))
        #expect(time(of: .answer, in: world) == nil && time(of: .fail, in: world) == nil)
        #expect(world.streams.count == 0)
    }
}
