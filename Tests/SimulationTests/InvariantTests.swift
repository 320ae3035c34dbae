// Each invariant is seen to fire on a core that is broken on purpose, and none on one that is not.

import Gossip
import Testing
import Vocabulary

@testable import Simulation

@Suite("Invariants fire on broken cores")
struct InvariantTests {
    private static func world(nodes: Int = 3, forbids: WorldOptions.Forbidden = .nothing) throws -> World {
        var options = WorldOptions(nodes: nodes, seed: 1, checks: .full, isRecorded: true)
        options.carriage = .wire
        options.forbids = forbids
        return try World(options)
    }

    /// Breaks node 0 in a way that this invariant is there for.
    private static func provoke(_ invariant: Invariant) throws {
        var world = try world(forbids: forbids(invariant))
        switch invariant {
        case .ownIncarnationFalls:
            let old = world.core(of: 0)
            world.update(0)
            try put(old, intoNode0Of: &world)
        case .seesItselfGone:
            try put(world.population.core(of: 1, life: 9), intoNode0Of: &world)
        case .viewedIncarnationFalls:
            let old = world.core(of: 0)
            world.update(1)
            try world.run(for: .seconds(10))
            try put(old, intoNode0Of: &world)
        case .viewedStateGoesBack:
            let old = world.core(of: 0)
            world.crash(1)
            _ = try world.run(atMost: .seconds(60), step: .seconds(1)) { $0.view(of: 1, from: 0)?.state == .dead }
            try put(old, intoNode0Of: &world)
        case .stillDue:
            let old = world.core(of: 0)
            world.sabotage = { node, core, _ in if node == 0 { core = old } }
            try world.run(for: .seconds(10))
        case .speaksUnasked:
            world.monitor.wakeEarly = { $0.wake(at: $0.nextWake, into: &$2) }
            try world.run(for: .seconds(60))
        case .imaginesStall:
            world.sabotage = { node, _, effects in if node == 0 { effects.events.append(.stalled(.seconds(1))) } }
            try world.run(for: .seconds(10))
        case .viewsDiffer:
            world.sabotage = { _, _, effects in effects.removeAll() }
            world.update(0)
            try world.run(for: .seconds(10))
            try world.requireAgreement()
        case .falseSuspicion, .falseDeath:
            world.sabotage = { _, _, effects in silence(&effects) }
            try world.run(for: .seconds(200))
        case .sentTooOften, .datagramTooLong, .datagramEmpty, .sentToItself, .sentToNobody, .streamMisused,
            .bytesDiffer:
            let wrong = corruption(invariant, in: world)
            world.sabotage = { node, _, effects in if node == 0 { wrong(&effects) } }
            try world.run(for: .seconds(60))
        }
    }

    private static func forbids(_ invariant: Invariant) -> WorldOptions.Forbidden {
        switch invariant {
        case .falseSuspicion: .falseSuspicions
        case .falseDeath: .falseDeaths
        default: .nothing
        }
    }

    /// Puts another core in the place of node 0's, and has the whole view compared.
    private static func put(_ core: Membership, intoNode0Of world: inout World) throws {
        world.sabotage = { node, place, effects in
            guard node == 0 else { return }
            place = core
            effects.removeAll()
        }
        world.join(0)
        try world.run(for: .milliseconds(1))
    }

    /// Takes every word of a member's life out of what is sent: acks, and what it says of itself.
    private static func silence(_ effects: inout Effects) {
        for index in effects.datagrams.indices {
            effects.datagrams[index].messages.removeAll { message in
                switch message {
                case .ack, .alive, .nack: true
                default: false
                }
            }
        }
        effects.datagrams.removeAll { $0.messages.isEmpty }
        effects.streams.removeAll()
    }

    /// One wrong effect, put in after every input.
    private static func corruption(_ invariant: Invariant, in world: World) -> (inout Effects) -> Void {
        func send(to node: Int, _ messages: [Message]) -> (inout Effects) -> Void {
            { $0.datagrams.append(Datagram(to: Population.address(of: node), recipient: nil, messages: messages)) }
        }
        switch invariant {
        case .sentTooOften:
            let record = world.population.records[2]
            return send(
                to: 1, [.alive(Announcement(node: Population.id(of: 2), incarnation: 1, record: record))])
        case .datagramTooLong: return send(to: 1, [.user([UInt8](repeating: 0, count: 1401))])
        case .datagramEmpty: return send(to: 1, [])
        case .sentToItself: return send(to: 0, [.nack(sequence: 1)])
        case .sentToNobody: return send(to: 3, [.nack(sequence: 1)])
        case .bytesDiffer:
            // As the application's, what remoras say of their views: it is read as such.
            return send(to: 1, [.user([0xE7, 1, 1, 0, 0, 0, 0, 0, 0, 0, 9])])
        default:
            return { $0.streams.append(.answer(StreamID(side: .accepted, number: 99), .error("nobody asked"))) }
        }
    }

    @Test("Each one fires for what it is there for", arguments: Invariant.allCases)
    func fires(invariant: Invariant) throws {
        let violation = #expect(throws: Violation.self) { try InvariantTests.provoke(invariant) }
        #expect(violation?.invariant == invariant, "\(violation.map(\.description) ?? "")")
        #expect(violation?.seed == 1)
        #expect(violation?.line != nil)
        #expect(violation?.description.contains("replay: remora simulate membership --replay") == true)
    }

    @Test(
        "None fires on cores that are not broken, whatever happens to them, and all is well after",
        arguments: Seeds.sample)
    func silent(seed: UInt64) throws {
        let latency = Latency.logNormal(median: .milliseconds(20), sigma: 1, cap: .seconds(1))
        var options = WorldOptions(nodes: 40, seed: seed, loss: 0.1, latency: latency, checks: .full)
        options.isRecorded = true
        options.duplication = 0.1
        options.clockDrift = 500
        options.areRemoras = seed.isMultiple(of: 2)
        options.seeds = [0, 1]
        options.scenario = try Scenario(
            parsing: """
                2s crash 5-9
                3s pause 10-14 20s
                5s cut 15-19 > 20-30
                10s update 0-39
                12s restart 5-9
                15s leave 22
                20s partition 0-19 | 20-39
                80s heal
                81s pause 35 1s
                90s restart 22
                100s cut 0-39 > 3 datagrams
                130s heal
                131s loss 0.0
                """)
        var world = try World(options)
        try world.leavingLog { world in
            try world.run(for: .seconds(131))
            _ = try world.run(atMost: .seconds(120), step: .seconds(1)) { $0.hasConverged }
            try world.requireAgreement()
        }
        var replay = Replay(of: world.log)
        try replay.run()
    }

    @Test(
        "A message may be sent as often as the formula says, and no more",
        arguments: [(9, 4), (10, 8), (99, 8), (100, 12)])
    func transmissions(nodes: Int, bound: Int) throws {
        var world = try InvariantTests.world(nodes: nodes)
        try world.run(for: .milliseconds(1))
        let announcement = Announcement(
            node: Population.id(of: 2), incarnation: 9, record: world.population.records[2])
        let datagram = Datagram(to: Population.address(of: 1), recipient: nil, messages: [.alive(announcement)])
        let breaches = (0...bound).map { _ in
            world.monitor.examine(datagram, length: 60, from: 0, life: 1, to: 1)?.invariant
        }
        #expect(breaches == Array(repeating: nil, count: bound) + [.sentTooOften])
        // To the member itself it may always be sent, and anew in another life.
        let toItself = (0..<99).map { _ in world.monitor.examine(datagram, length: 60, from: 0, life: 1, to: 2) }
        let anew = world.monitor.examine(datagram, length: 60, from: 0, life: 2, to: 1)
        #expect(toItself.allSatisfy { $0 == nil } && anew == nil)
    }

    @Test("After a violation a world stands still")
    func standsStill() throws {
        var world = try InvariantTests.world()
        world.sabotage = InvariantTests.emptyDatagrams
        #expect(throws: Violation.self) { try world.run(for: .seconds(10)) }
        let time = world.now
        #expect(throws: Violation.self) { try world.run(for: .seconds(10)) }
        #expect(world.now == time)
    }

    private static func emptyDatagrams(_ node: Int, _ core: inout Membership, _ effects: inout Effects) {
        effects.datagrams.append(Datagram(to: Population.address(of: 1), recipient: nil, messages: []))
    }
}
