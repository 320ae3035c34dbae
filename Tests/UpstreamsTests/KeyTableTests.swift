// When discovery orders a ring or table, of whom, and what it does with it. What a table is made of is not its business.

import Testing
import Upstreams
import Vocabulary

/// A table that only knows of whom it was ordered.
private final class NamedTable: KeyTable {
    let roll: KeyRoll
    let checksum: UInt64 = 0
    init(_ roll: KeyRoll) { self.roll = roll }
}

@Suite("Rings and tables, ordered and taken in")
struct KeyTableTests {
    private static func lab(_ policy: BalancePolicy = .ringHash) throws -> FleetLab {
        try FleetLab { $0.balance = policy }
    }

    private static func names(_ snapshot: UpstreamSnapshot) -> [String]? {
        (snapshot.keys?.table as? NamedTable)?.roll.members.map(\.name).sorted()
    }

    /// Whose endpoint stands for each member of the table.
    private static func holders(_ snapshot: UpstreamSnapshot) -> [String: String?] {
        guard let keys = snapshot.keys, let table = keys.table as? NamedTable else { return [:] }
        return Dictionary(
            uniqueKeysWithValues: zip(table.roll.members, keys.records).map { member, record in
                (
                    member.name,
                    record == KeyOwners.nobody ? nil : snapshot.endpoints[Int(record)].identity.keyName
                )
            })
    }

    /// Builds what is ordered, and publishes it.
    @discardableResult
    private static func build(_ lab: inout FleetLab) -> [TableOrder] {
        let orders = lab.discovery.takeTableOrders()
        for order in orders { lab.discovery.install(NamedTable(order.roll), of: order) }
        if !orders.isEmpty { _ = lab.discovery.nextSet(at: lab.now) }
        return orders
    }

    @Test("A table is ordered once for each change of the members, and shared by all snapshots until the next")
    func once() throws {
        var lab = try Self.lab()
        lab.populate(3)
        // The first was ordered of nobody, before anybody was known
        #expect(Self.build(&lab).map(\.roll.members.count) == [0])
        #expect(Self.build(&lab).map(\.roll.members.count) == [3])
        #expect(Self.names(lab.upstream()) == ["m00", "m01", "m02"])
        let table = try #require(lab.upstream().keys?.table)
        // Nothing of this changes who shares the keys
        lab.observe(.refused, of: "m00")
        lab.see("m01", .suspect)
        lab.see("m02", tags: ["svc.a": ":80;health=draining;zone=elsewhere"])
        lab.publish()
        #expect(lab.upstream().endpoints.map(\.fitness.state) == [.ejected, .suspect, .draining])
        lab.discovery.list(Roster(["m01", "m02"]), at: lab.now)
        lab.publish()
        #expect(lab.endpoint("m00")?.fitness.state == .unlisted)
        #expect(lab.discovery.takeTableOrders().isEmpty)
        #expect(lab.upstream().keys?.table === table)
        #expect(Self.holders(lab.upstream()) == ["m00": "m00", "m01": "m01", "m02": "m02"])
        // And this does
        lab.see("m02", tags: ["svc.a": ":80;weight=50"])
        lab.publish()
        let orders = Self.build(&lab)
        #expect(orders.first?.roll.members.map(\.weight.value) == [100, 100, 50])
        #expect(orders.first?.base === table)
        #expect(orders.count == 1)
    }

    @Test("The dead and those who left have no keys, as who joins later never hears of them")
    func gone() throws {
        var lab = try Self.lab()
        lab.populate(9)
        Self.build(&lab)
        Self.build(&lab)
        lab.see("m01", .dead)
        lab.see("m02", .left)
        lab.publish()
        // Passed over at once, off the table when the next is there
        #expect(Self.names(lab.upstream())?.count == 9)
        let left = [0, 3, 4, 5, 6, 7, 8].map(FleetLab.name)
        #expect(lab.tiers().preferred == left)
        Self.build(&lab)
        #expect(Self.names(lab.upstream()) == left)
        // Who is back before a table was built without it is missed by nobody
        lab.see("m03", .dead)
        lab.see("m03", .alive, incarnation: 2)
        lab.publish()
        #expect(Self.build(&lab).isEmpty)
    }

    @Test("In what is taken for our own isolation, everybody keeps their keys")
    func isolation() throws {
        var lab = try FleetLab(node: "self") { $0.balance = .maglev }
        lab.populate(6)
        Self.build(&lab)
        Self.build(&lab)
        for number in 0..<6 { lab.see(FleetLab.name(number), .dead) }
        lab.publish()
        #expect(lab.discovery.lastKnownGood != nil)
        #expect(Self.build(&lab).isEmpty)
        #expect(Self.names(lab.upstream())?.count == 6)
    }

    @Test("Members stand where they stand, whoever comes and goes before the next table is there")
    func olderTable() throws {
        var lab = try Self.lab()
        lab.populate(4)
        Self.build(&lab)
        Self.build(&lab)
        lab.see("m005")
        lab.discovery.forget("m02", at: lab.now)
        // A member that went and came back is the same one
        lab.discovery.forget("m03", at: lab.now)
        lab.see("m03")
        lab.publish()
        #expect(Self.holders(lab.upstream()) == ["m00": "m00", "m01": "m01", "m02": nil, "m03": "m03"])
        Self.build(&lab)
        #expect(
            Self.holders(lab.upstream()) == ["m00": "m00", "m005": "m005", "m01": "m01", "m03": "m03"])
    }

    @Test("One is built at a time: what changes meanwhile is the next order, and a table is published at once")
    func oneAtATime() throws {
        var lab = try Self.lab()
        lab.populate(2)
        Self.build(&lab)
        let first = lab.discovery.takeTableOrders()
        #expect(first.count == 1)
        lab.see("m07")
        lab.publish()
        #expect(lab.discovery.takeTableOrders().isEmpty)
        let version = lab.discovery.current.version
        lab.discovery.install(NamedTable(first[0].roll), of: first[0])
        let wake = lab.discovery.nextWake
        #expect(try #require(wake) <= lab.now)
        #expect(lab.discovery.nextSet(at: lab.now)?.version == version + 1)
        #expect(Self.names(lab.upstream()) == ["m00", "m01"])
        #expect(Self.build(&lab).first?.roll.members.map(\.name) == ["m00", "m01", "m07"])
    }

    @Test("A config that wants another kind gets it, and what was ordered for the one before is nobody's")
    func reconfigured() throws {
        var lab = try Self.lab()
        lab.populate(2)
        Self.build(&lab)
        let late = lab.discovery.takeTableOrders()
        var options = lab.upstream().options
        options.balance = .maglev
        _ = try lab.discovery.configure([options], at: lab.now)
        lab.discovery.install(NamedTable(late[0].roll), of: late[0])
        lab.publish()
        #expect(Self.build(&lab).map(\.roll.form) == [.maglev])
        #expect((lab.upstream().keys?.table as? NamedTable)?.roll.form == .maglev)
        // With a policy that hashes nothing there is none
        let order = try { () -> TableOrder in
            lab.see("m09")
            lab.publish()
            return try #require(lab.discovery.takeTableOrders().first)
        }()
        options.balance = .p2c
        _ = try lab.discovery.configure([options], at: lab.now)
        lab.discovery.install(NamedTable(order.roll), of: order)
        lab.publish()
        #expect(lab.upstream().keys == nil)
        #expect(lab.discovery.takeTableOrders().isEmpty)
    }

    @Test("Two nodes that learn of the same members in different orders order the same", arguments: Seeds.sample)
    func order(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var one = try Self.lab()
        var other = try Self.lab()
        let numbers = Array(0..<20)
        for number in numbers { one.see(FleetLab.name(number)) }
        for number in numbers.shuffled(using: &random) {
            other.see(FleetLab.name(number))
            if random.below(3) == 0 { other.publish() }
        }
        one.publish()
        other.publish()
        for _ in 0..<3 {
            Self.build(&one)
            Self.build(&other)
        }
        #expect(Self.names(one.upstream())?.count == 20)
        #expect(Self.names(one.upstream()) == Self.names(other.upstream()))
    }

    @Test("Endpoints that the config names have their tables before anybody waits for them, by their addresses")
    func fixed() throws {
        let endpoints = (1...3).map { StaticEndpoint(address: .ipv4(.loopback, port: $0)) }
        var lab = try FleetLab([UpstreamOptions(name: "a", endpoints: endpoints, balance: .maglev)])
        let set = lab.discovery.completeTables(at: lab.now) { NamedTable($0.roll) }
        #expect(Self.names(set.upstreams[0]) == ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"])
        #expect(set === lab.discovery.current)
        // With nothing to build it is the set that there is
        #expect(lab.discovery.completeTables(at: lab.now) { NamedTable($0.roll) } === set)
    }
}
