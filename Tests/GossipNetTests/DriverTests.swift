// Members on real sockets: finding each other, losing each other, parting.

import Gossip
import GossipWire
import Reactor
import Testing
import Vocabulary

@testable import GossipNet

@Suite("Members on real sockets", .serialized)
struct DriverTests {
    @Test("Members that join through one find all others", arguments: [2, 5])
    func join(count: Int) throws {
        let fleet = try LoopbackFleet((1...count).map { "m\($0)" })
        try fleet.run(until: { fleet.allSeeAll })
        for node in fleet.nodes.dropFirst() {
            #expect(node.heard { if case .seedJoined = $0 { true } else { false } } == 1)
        }
        #expect(fleet.nodes.allSatisfy { $0.driver.counters.refused == 0 })
    }

    @Test("A seed that is not there yet is asked again until it is")
    func lateSeed() throws {
        var fleet = try LoopbackFleet(["first"])
        // Given a member whose seed's port is closed
        let address = fleet.nodes[0].address
        fleet.kill("first")
        let late = try Node("late", at: .loopback, seeds: [address])
        fleet.nodes = [late]
        try fleet.run(until: { late.heard { if case .seedFailed = $0 { true } else { false } } > 0 })
        #expect(late.driver.counters.failedStreams > 0)
        // Then it goes on asking, with nothing told to it
        let before = late.driver.counters.openedStreams
        try fleet.run(until: { late.driver.counters.openedStreams >= before + 2 })
    }

    @Test("A member whose process is gone is dead to the others, and its death is told once")
    func killed() throws {
        var fleet = try LoopbackFleet(["a", "b", "c", "d"])
        try fleet.run(until: { fleet.allSeeAll })
        fleet.kill("d")
        try fleet.run(until: { fleet.nodes.allSatisfy { $0.state(of: "d") == .dead } })
        for node in fleet.nodes {
            #expect(node.heard { if case .died = $0 { true } else { false } } == 1)
        }
    }

    @Test("A member that leaves is left to the others, lingers to answer, and is done in time")
    func leave() throws {
        let fleet = try LoopbackFleet(["a", "b", "c"])
        try fleet.run(until: { fleet.allSeeAll })
        let leaver = fleet.nodes[1].driver
        let began = Kernel.now()
        leaver.leave()
        #expect(!leaver.hasLeft)
        try fleet.run(until: { leaver.hasLeft })
        let took = Kernel.now() - began
        #expect(took >= Membership.linger)
        #expect(took < Membership.longestGoodbye + Membership.linger + .seconds(1))
        for node in [fleet.nodes[0], fleet.nodes[2]] {
            #expect(node.state(of: "b") == .left)
            #expect(node.heard { if case .left = $0 { true } else { false } } == 1)
            #expect(node.heard { if case .suspected = $0 { true } else { false } } == 0)
        }
    }

    @Test("A leave is told once, beside members that are dead as well")
    func leaveAmongTheDead() throws {
        var fleet = try LoopbackFleet(["a", "b", "c"])
        try fleet.run(until: { fleet.allSeeAll })
        fleet.kill("c")
        try fleet.run(until: { fleet.nodes.allSatisfy { $0.state(of: "c") == .dead } })
        let (stayer, leaver) = (fleet.nodes[0], fleet.nodes[1].driver)
        leaver.leave()
        try fleet.run(until: { leaver.hasLeft })
        #expect(stayer.state(of: "b") == .left)
        #expect(stayer.heard { if case .left = $0 { true } else { false } } == 1)
    }

    @Test("Who has left wants nothing any more, and its port is free, whatever still comes")
    func closed() throws {
        var fleet = try LoopbackFleet(["a", "b"])
        try fleet.run(until: { fleet.allSeeAll })
        let leaver = fleet.nodes[0]
        leaver.driver.leave()
        try fleet.run(until: { leaver.driver.hasLeft })
        let stranger = try Stranger()
        stranger.send([1, 2, 3], to: leaver.address)
        #expect(throws: SystemError.connectionRefused) { _ = try Stranger(connectedTo: leaver.address) }
        let outer = try Poller(capacity: 1)
        try outer.addLevel(of: leaver.driver.descriptor, token: 1).get()
        #expect(outer.wait(milliseconds: 0) == 0)
        #expect(leaver.driver.nextWake == Instant(nanoseconds: .max))
        let received = leaver.driver.counters
        leaver.driver.command { core, now, effects in core.join([fleet.nodes[1].address], at: now, into: &effects) }
        leaver.driver.turn()
        #expect(leaver.driver.counters == received)
        _ = try GossipSockets(binding: leaver.address.socketAddress)
        fleet.nodes = []
    }

    @Test("Who is alone leaves at once")
    func leaveAlone() throws {
        let fleet = try LoopbackFleet(["a"])
        fleet.nodes[0].driver.leave()
        #expect(fleet.nodes[0].driver.hasLeft)
    }

    @Test("A fleet that does not listen is not waited for beyond the longest announcement and the linger")
    func leaveUnheard() throws {
        var fleet = try LoopbackFleet(["a", "b"])
        try fleet.run(until: { fleet.allSeeAll })
        fleet.kill("b")
        let (driver, began) = (fleet.nodes[0].driver, Kernel.now())
        driver.leave()
        try fleet.run(until: { driver.hasLeft })
        #expect(Kernel.now() - began < Membership.longestGoodbye + Membership.linger + .seconds(1))
    }

    // MARK: Keys and labels

    @Test("A fleet with a key and a label finds itself", arguments: [16, 24, 32], ["", "edge"])
    func sealed(length: Int, label: String) throws {
        let key = (0..<length).map { UInt8($0) }
        let fleet = try LoopbackFleet(["a", "b", "c"], key: key, label: label)
        try fleet.run(until: { fleet.allSeeAll })
        #expect(fleet.nodes.allSatisfy { $0.driver.counters.refused == 0 })
    }

    @Test(
        "Who has another key or label, or none, stays outside, and both sides know why",
        arguments: [
            (key: nil, label: "edge"), (key: [UInt8](repeating: 2, count: 16), label: "edge"),
            (key: [UInt8](repeating: 1, count: 16), label: ""), (key: [UInt8](repeating: 1, count: 16), label: "core"),
        ] as [(key: [UInt8]?, label: String)])
    func outsiders(key: [UInt8]?, label: String) throws {
        var fleet = try LoopbackFleet(["a", "b"], key: [UInt8](repeating: 1, count: 16), label: "edge")
        try fleet.run(until: { fleet.allSeeAll })
        let stranger = try fleet.add("x", key: key, label: label)
        try fleet.run(until: { stranger.heard { if case .seedFailed = $0 { true } else { false } } > 0 })
        fleet.run(for: .milliseconds(500))
        #expect(stranger.names == ["x"])
        #expect(fleet.nodes[0].names == ["a", "b"] && fleet.nodes[1].names == ["a", "b"])
        #expect(fleet.nodes[0].driver.counters.refusedStreams > 0)
        let refusal = try #require(fleet.nodes[0].driver.lastRefusal)
        #expect(refusal.fault.isOfKeysOrLabels, "\(refusal.fault)")
    }

    // MARK: Sockets

    @Test("With port 0 both sockets have the same port, and a port that is taken is named")
    func ports() throws {
        let first = try GossipSockets(binding: .ipv4(LoopbackFleet.spare, port: 0))
        #expect(Kernel.localAddress(of: first.datagrams) == Kernel.localAddress(of: first.listener))
        #expect(first.address.port != 0)
        let taken = first.address.socketAddress
        let error = #expect(throws: GossipBindError.self) { _ = try GossipSockets(binding: taken) }
        #expect(error?.cause == .addressInUse)
        #expect("\(try #require(error))".contains("\(taken)"))
    }

    @Test("A port that only UDP has taken is refused as well, and the TCP one is given back")
    func takenByDatagrams() throws {
        let taken = try Kernel.bindDatagrams(.ipv4(LoopbackFleet.spare, port: 0), receiveBuffer: 1 << 16)
        let address = try #require(Kernel.localAddress(of: taken))
        let error = #expect(throws: GossipBindError.self) { _ = try GossipSockets(binding: address) }
        #expect("\(try #require(error))".contains("UDP"))
        Kernel.close(taken)
        _ = try GossipSockets(binding: address)
    }

    @Test("An address that this machine lacks is said to be so")
    func foreignAddress() {
        let error = #expect(throws: GossipBindError.self) {
            _ = try GossipSockets(binding: .ipv4(SocketAddress.IPv4(bits: 0xC000_0201), port: 0))
        }
        #expect(error?.cause == .addressNotAvailable)
    }
}
