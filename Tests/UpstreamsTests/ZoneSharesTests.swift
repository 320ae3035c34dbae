import Testing
import Upstreams
import Vocabulary

@Suite("How much stays in a zone")
struct ZoneSharesTests {
    struct Case: CustomTestStringConvertible {
        var callers: [String: Int]?
        var weights: [(zone: String?, weight: UInt64)]
        /// Of a node in zone `a`.
        var shares: [ZoneShare]
        var testDescription: String { "\(weights) called from \(callers.map { "\($0)" } ?? "anywhere")" }
    }

    static func share(_ zone: String?, _ share: Double) -> ZoneShare { ZoneShare(zone: zone, share: share) }

    static let cases = [
        // Alike everywhere: nothing crosses a border.
        Case(callers: ["a": 5, "b": 5], weights: [("a", 300), ("b", 300)], shares: [share("a", 1)]),
        // More room at home than callers: all stays.
        Case(callers: ["a": 1, "b": 3], weights: [("a", 300), ("b", 300)], shares: [share("a", 1)]),
        // E_a = 1/4, C_a = 1/2: half stays.
        Case(callers: ["a": 2, "b": 2], weights: [("a", 1), ("b", 3)], shares: [share("a", 0.5), share("b", 0.5)]),
        // c is as full as home is; b has all the room.
        Case(
            callers: ["a": 4, "b": 2, "c": 4], weights: [("b", 60), ("a", 20), ("c", 20)],
            shares: [share("a", 0.5), share("b", 0.5)]),
        // 0.3 of room in b, 0.1 in c: three to one.
        Case(
            callers: ["a": 8, "b": 1, "c": 1], weights: [("a", 4), ("b", 4), ("c", 2)],
            shares: [share("a", 0.5), share("b", 0.375), share("c", 0.125)]),
        // Nobody serves at home.
        Case(callers: ["a": 1, "b": 1], weights: [("b", 1), ("c", 1)], shares: [share("c", 1)]),
        // Endpoints of no zone are a zone without callers.
        Case(callers: ["a": 1], weights: [("a", 1), (nil, 3)], shares: [share("a", 0.25), share(nil, 0.75)]),
        // The only caller is nobody's neighbour: every endpoint alike.
        Case(
            callers: [:], weights: [("a", 1), ("b", 2), ("c", 1)],
            shares: [share("a", 0.25), share("b", 0.5), share("c", 0.25)]),
        // Not known: alike in each zone, so that one endpoint of ten does not get all.
        Case(callers: nil, weights: [("a", 1), ("b", 9)], shares: [share("a", 0.2), share("b", 0.8)]),
        Case(callers: nil, weights: [("a", 5), ("b", 5)], shares: [share("a", 1)]),
        Case(callers: nil, weights: [("b", 5), ("c", 5)], shares: [share("b", 0.5), share("c", 0.5)]),
        Case(callers: ["a": 1], weights: [], shares: []),
    ]

    @Test("A zone keeps what it can carry of its callers, and the rest goes where there is room", arguments: cases)
    func table(_ table: Case) {
        let shares = ZoneView(own: "a", callers: table.callers).shares(of: table.weights)
        #expect(shares.map(\.zone) == table.shares.map(\.zone))
        for (share, wanted) in zip(shares, table.shares) { #expect(abs(share.share - wanted.share) < 1e-12) }
    }

    @Test(
        "If all send alike, every endpoint is given its weight's part, and no small zone is overrun",
        arguments: Seeds.sample)
    func evenLoad(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<300 {
            let zones = (0...Int(random.below(6))).map { "z\($0)" }
            let callers = Dictionary(uniqueKeysWithValues: zones.map { ($0, Int(random.below(20))) })
                .filter { $0.value > 0 }
            var weights: [(zone: String?, weight: UInt64)] = zones.map { ($0, 1 + UInt64(random.below(500))) }
            if random.below(2) == 0 { weights.append((nil, 100)) }
            if weights.count > 1, random.below(3) == 0 { weights.removeFirst() }
            let total = Double(weights.reduce(0) { $0 + $1.weight })
            var load: [String?: Double] = [:]
            for (zone, count) in callers {
                let shares = ZoneView(own: zone, callers: callers).shares(of: weights)
                #expect(abs(shares.reduce(0) { $0 + $1.share } - 1) < 1e-9)
                for share in shares { load[share.zone, default: 0] += share.share * Double(count) }
            }
            let all = Double(callers.values.reduce(0, +))
            if all == 0 { continue }
            for (zone, weight) in weights {
                #expect(abs((load[zone] ?? 0) / all - Double(weight) / total) < 1e-9)
            }
        }
    }
}

@Suite("Zones of a fleet")
struct FleetZoneTests {
    private static func lab(zone: String?, _ adjust: (inout UpstreamOptions) -> Void = { _ in }) throws -> FleetLab {
        var options = UpstreamOptions(name: "a", source: .service("a"))
        adjust(&options)
        var lab = try FleetLab([options], node: "m00", zone: zone)
        // Six that serve, two of them in the zone of the four that call and of this node; the others call nobody.
        for number in 0..<6 {
            lab.see(
                FleetLab.name(number),
                tags: number == 0
                    ? ["svc.a": ":80", "zone": "here", "remora": "1:0"]
                    : ["svc.a": ":80", "zone": number == 1 ? "here" : "there"])
        }
        for number in 10..<13 { lab.see(FleetLab.name(number), tags: ["zone": "here", "remora": "1:0"]) }
        lab.publish()
        return lab
    }

    private static func shares(_ lab: borrowing FleetLab) -> [String: Double] {
        Dictionary(
            uniqueKeysWithValues: lab.upstream().zones.map { ($0.zone ?? "", ($0.share * 1000).rounded() / 1000) })
    }

    @Test("Callers are the remoras that are alive or suspect; each that comes, goes or moves changes what stays")
    func callers() throws {
        var lab = try Self.lab(zone: "here")
        #expect(Self.shares(lab) == ["here": 0.333, "there": 0.667])
        // The candidates of a zone stand together, this node's own first where it serves.
        let snapshot = lab.upstream()
        for zone in snapshot.zones {
            let members = unsafe snapshot.candidates[zone.positions].map { snapshot.endpoints[Int($0)].zone }
            #expect(members.allSatisfy { $0 == zone.zone } && members.count == (zone.zone == "here" ? 2 : 4))
        }
        for number in 20..<24 { lab.see(FleetLab.name(number), tags: ["zone": "there", "remora": "1:0"]) }
        lab.publish()
        #expect(Self.shares(lab) == ["here": 0.667, "there": 0.333])
        lab.see("m10", .suspect, tags: ["zone": "here", "remora": "1:0"])
        lab.publish()
        #expect(Self.shares(lab) == ["here": 0.667, "there": 0.333])
        lab.see("m10", .dead, tags: ["zone": "here", "remora": "1:0"])
        lab.discovery.forget("m11", at: lab.now)
        lab.publish()
        #expect(Self.shares(lab) == ["here": 1])
        lab.see("m20", tags: ["zone": "here", "remora": "1:0"])
        // Plain agents and those of no zone call nobody that counts
        lab.see("m30", tags: ["zone": "here"])
        lab.see("m31", tags: ["remora": "1:0"])
        lab.publish()
        #expect(Self.shares(lab) == ["here": 0.667, "there": 0.333])
    }

    @Test("What is unfit at home is missing there")
    func fitness() throws {
        var lab = try Self.lab(zone: "here")
        lab.see("m01", tags: ["svc.a": ":80;health=failing", "zone": "here"])
        lab.publish()
        #expect(Self.shares(lab) == ["here": 0.2, "there": 0.8])
        lab.see("m00", tags: ["svc.a": ":80;health=failing", "zone": "here", "remora": "1:0"])
        lab.publish()
        // All are of one zone now.
        #expect(Self.shares(lab) == [:])
        #expect(lab.tiers().preferred == ["m02", "m03", "m04", "m05"])
    }

    @Test("Without a zone of its own, switched off, or under a policy that hashes, a node passes over zones")
    func passedOver() throws {
        #expect(Self.shares(try Self.lab(zone: nil)) == [:])
        #expect(Self.shares(try Self.lab(zone: "here") { $0.zoneAware = false }) == [:])
        for policy in [BalancePolicy.ringHash, .maglev] {
            #expect(Self.shares(try Self.lab(zone: "here") { $0.balance = policy }) == [:])
        }
        var lab = try Self.lab(zone: "here") { $0.panicThresholdPercent = 50 }
        for number in 2..<6 { lab.see(FleetLab.name(number), tags: ["svc.a": ":80;health=failing", "zone": "there"]) }
        lab.publish()
        #expect(lab.upstream().isPanicking)
        #expect(Self.shares(lab) == [:])
    }

    @Test("An upstream for which zones do not matter keeps its snapshot when callers change")
    func unchanged() throws {
        var lab = try Self.lab(zone: "here") { $0.zoneAware = false }
        let before = lab.upstream()
        lab.see("m40", tags: ["zone": "here", "remora": "1:0"])
        lab.publish()
        #expect(lab.upstream() === before)
    }

    @Test("Static endpoints have the zones that the config names, and callers are taken to stand in all alike")
    func fixed() throws {
        let endpoints = (0..<10).map { number in
            StaticEndpoint(address: .ipv4(.loopback, port: 9000 + UInt16(number)), zone: number == 0 ? "here" : "there")
        }
        let lab = try FleetLab([UpstreamOptions(name: "a", endpoints: endpoints)], zone: "here")
        #expect(Self.shares(lab) == ["here": 0.2, "there": 0.8])
    }
}
