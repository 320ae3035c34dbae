import Testing
import Upstreams
import Vocabulary

@Suite("Discovery, from members to endpoints")
struct DiscoveryFitnessTests {
    @Test("A member that advertises the service is an endpoint at its own address, with the tag's weight and zone")
    func service() throws {
        var lab = try FleetLab()
        lab.see("plain")
        lab.see("full", tags: ["svc.a": "10.9.9.9:81;weight=250;zone=north;load=1", "zone": "south"])
        lab.see("zoned", tags: ["svc.a": ":82", "zone": "south"])
        lab.see("other", tags: ["svc.b": ":80"])
        let endpoints = lab.publish().upstreams[0].endpoints
        #expect(endpoints.map(\.identity.member) == ["full", "plain", "zoned"])
        #expect(endpoints[0].identity.address.description == "10.9.9.9:81")
        #expect(endpoints[1].identity.address == FleetLab.address("plain").with(port: 80))
        #expect(endpoints.map(\.weight.value) == [250, 100, 100])
        #expect(endpoints.map(\.zone) == ["north", nil, "south"])
        #expect(endpoints.allSatisfy { $0.fitness.state == .fit })
        #expect(endpoints[1].fitness.reason == "Member plain is alive, and nothing speaks against it.")
    }

    @Test("Any member that bears all the tags is an endpoint, remora or not")
    func members() throws {
        let source = EndpointSource.members(tags: ["role": "web", "dc": "x"], port: 8080)
        var lab = try FleetLab([UpstreamOptions(name: "u", source: source)])
        lab.see("both", tags: ["role": "web", "dc": "x", "zone": "z", "more": "1"])
        lab.see("one", tags: ["role": "web"])
        lab.see("wrong", tags: ["role": "web", "dc": "y"])
        let endpoints = lab.publish().upstreams[0].endpoints
        #expect(endpoints.map(\.identity.member) == ["both"])
        #expect(endpoints[0].identity.address == FleetLab.address("both").with(port: 8080))
        #expect(endpoints[0].zone == "z")
        // When it takes a tag off
        lab.see("both", tags: ["role": "web"], incarnation: 2)
        #expect(lab.publish().upstreams[0].endpoints.isEmpty)
    }

    @Test("Two members that advertise one address are two endpoints, each with its own cell")
    func sameAddress() throws {
        var lab = try FleetLab()
        lab.see("x", tags: ["svc.a": "10.0.0.1:80"])
        lab.see("y", tags: ["svc.a": "10.0.0.1:80"])
        let endpoints = lab.publish().upstreams[0].endpoints
        #expect(endpoints.map(\.identity.member) == ["x", "y"])
        #expect(endpoints[0].cell != endpoints[1].cell)
    }

    @Test("A tag that cannot be read is told once, and makes no endpoint")
    func unreadable() throws {
        var lab = try FleetLab()
        lab.see("m", tags: ["svc.a": ":80;weight=heavy"])
        lab.see("m", tags: ["svc.a": ":80;weight=heavy", "x": "1"])
        lab.publish()
        #expect(lab.endpoint("m") == nil)
        #expect(
            lab.discovery.takeNews().news == [
                .unreadableTag(
                    member: "m", tag: "svc.a", why: "The tag svc.a says weight=heavy, which means nothing.")
            ])
        lab.see("m", tags: ["svc.a": ":80"])
        #expect(lab.state("m") == .fit)
        // An endpoint whose tag becomes unreadable goes.
        lab.see("m", tags: ["svc.a": "?"])
        #expect(lab.state("m") == nil)
    }

    struct Case: CustomTestStringConvertible {
        var state: FleetMember.State
        var health = ""
        var listed = true
        var refuses = false
        var expected: Fitness.State
        var reason: String
        var testDescription: String { "\(state) \(health) listed: \(listed) refuses: \(refuses)" }
    }

    static let cases = [
        Case(state: .alive, expected: .fit, reason: "Member m is alive, and nothing speaks against it."),
        Case(state: .suspect, expected: .suspect, reason: "Member m is suspect: n accused it."),
        Case(
            state: .suspect, refuses: true, expected: .ejected,
            reason: "It refused a connect, and it is left alone for 1 s."),
        Case(
            state: .alive, refuses: true, expected: .ejected,
            reason: "It refused a connect, and it is left alone for 1 s."),
        Case(
            state: .suspect, health: ";health=failing", refuses: true, expected: .failing,
            reason: "Its sidecar says that its instance does not serve (tag health=failing)."),
        Case(
            state: .alive, health: ";health=draining", refuses: true, expected: .draining,
            reason: "Its sidecar takes no new connections (tag health=draining)."),
        Case(
            state: .dead, health: ";health=draining", expected: .dead, reason: "Member m is dead: n accused it."),
        Case(
            state: .left, health: ";health=failing", refuses: true, expected: .left,
            reason: "Member m has left the fleet."),
        Case(state: .left, listed: false, expected: .unlisted, reason: "The roster does not list m."),
        Case(state: .alive, listed: false, expected: .unlisted, reason: "The roster does not list m."),
    ]

    @Test(
        "The worst of what is said of an endpoint is its state, and that witness's sentence its reason",
        arguments: cases)
    func worstWins(_ table: Case) throws {
        var lab = try FleetLab()
        lab.populate(5)
        lab.see("m", tags: ["svc.a": ":80" + table.health])
        lab.publish()
        if table.refuses { lab.observe(.refused, of: "m") }
        lab.see(
            "m", table.state, tags: ["svc.a": ":80" + table.health],
            accusation: table.state == .suspect || table.state == .dead ? "n accused it." : nil)
        if !table.listed { lab.discovery.list(Roster((0..<5).map(FleetLab.name)), at: lab.now) }
        #expect(lab.state("m") == table.expected)
        #expect(lab.endpoint("m")?.fitness.reason == table.reason)
        let tiers = lab.tiers()
        #expect(tiers.preferred.contains("m") == (table.expected == .fit))
        #expect(tiers.reserve.contains("m") == (table.expected == .suspect))
    }

    @Test("The upstream's options say what becomes of connections", arguments: ConnectionFate.allCases)
    func fates(fate: ConnectionFate) throws {
        func fates(_ adjust: (inout UpstreamOptions) -> Void) throws -> [ConnectionFate?] {
            var lab = try FleetLab(adjust)
            lab.populate(9)
            return [FleetMember.State.alive, .suspect, .dead, .left].map { state in
                lab.see("m00", state)
                lab.publish()
                return lab.endpoint("m00")?.fate
            }
        }
        #expect(try fates { $0.onSuspect = fate } == [.keep, fate, .reset, .drain])
        #expect(try fates { $0.onDead = fate } == [.keep, .keep, fate, .drain])
        #expect(try fates { $0.onLeft = fate } == [.keep, .keep, .reset, fate])
    }

    @Test("A fate's cause is the member's state or the roster, and nothing that is seen from here")
    func causes() throws {
        var lab = try FleetLab { $0.onSuspect = .reset }
        lab.populate(5)
        func cause() -> FateCause? { lab.endpoint("m00")?.cause }
        lab.see("m00", .suspect)
        #expect(lab.state("m00") == .suspect)
        #expect(cause() == .suspect)
        lab.observe(.refused, of: "m00")
        #expect(lab.state("m00") == .ejected)
        #expect(cause() == .suspect)
        for (state, expected) in [(FleetMember.State.dead, FateCause.dead), (.left, .left), (.alive, .none)] {
            lab.see("m00", state)
            lab.publish()
            #expect(cause() == expected)
        }
        lab.discovery.list(Roster(["m01"]), at: lab.now)
        lab.publish()
        #expect(cause() == .unlisted)
        // What ends nothing has no cause.
        var keeping = try FleetLab()
        keeping.populate(5)
        keeping.see("m00", .suspect)
        keeping.publish()
        #expect(keeping.endpoint("m00")?.cause == FateCause.none)
    }

    @Test("Off the roster is like having left, and back on it is fit again; without a roster all are listed")
    func roster() throws {
        var lab = try FleetLab()
        lab.populate(3)
        lab.discovery.list(Roster(["m00", "m02"]), at: lab.now)
        #expect(lab.state("m01") == .unlisted)
        #expect(lab.endpoint("m01")?.fate == .drain)
        #expect(lab.tiers().preferred == ["m00", "m02"])
        // An unlisted one is used in no panic either.
        lab.see("m00", .suspect)
        lab.see("m02", .suspect)
        lab.publish()
        #expect(lab.upstream().isPanicking)
        #expect(lab.tiers().preferred == ["m00", "m02"])
        lab.discovery.list(nil, at: lab.now)
        #expect(lab.state("m01") == .fit)
    }

    @Test("Before a roster was read nobody is listed, and the reason does not blame the roster")
    func unknownRoster() throws {
        var lab = try FleetLab()
        lab.discovery.list(.unknown, at: lab.now)
        lab.populate(2)
        #expect(
            lab.endpoint("m00")?.fitness
                == Fitness(.unlisted, because: "No roster has been read yet, so nobody is listed."))
        // Read, and empty
        lab.discovery.list(Roster([]), at: lab.now)
        #expect(lab.state("m00") == .unlisted)
        #expect(lab.endpoint("m00")?.fitness.reason == "The roster does not list m00.")
    }

    @Test("A member's endpoint keeps its cell through suspicion and death, and goes when it is forgotten")
    func life() throws {
        var lab = try FleetLab()
        lab.populate(5)
        let cell = lab.endpoint("m00")?.cell
        for state in [FleetMember.State.suspect, .dead, .alive, .left, .alive] {
            // A goodbye carries no tags.
            lab.see("m00", state, tags: state == .left ? [:] : ["svc.a": ":80"])
            lab.publish()
            #expect(lab.endpoint("m00")?.cell == cell)
        }
        lab.discovery.forget("m00", at: lab.now)
        #expect(lab.state("m00") == nil)
        #expect(lab.discovery.current.upstreams[0].endpoints.count == 4)
    }

    @Test("A member that moves is another endpoint, with a cell of its own")
    func move() throws {
        var lab = try FleetLab()
        lab.populate(2)
        let before = lab.endpoint("m00")
        lab.see("m00", tags: ["svc.a": ":81"], incarnation: 2)
        lab.publish()
        #expect(lab.endpoint("m00")?.identity.address.port == 81)
        #expect(lab.endpoint("m00")?.cell != before?.cell)
    }

    @Test("A change is told with both states and the reason, coming and going included")
    func news() throws {
        var lab = try FleetLab()
        lab.see("m")
        lab.see("m", .suspect, accusation: "n accused it.")
        lab.see("m", .suspect, accusation: "n and o accused it.")
        lab.discovery.forget("m", at: lab.now)
        let identity = EndpointIdentity(member: "m", address: FleetLab.address("m").with(port: 80))
        func change(_ from: Fitness.State?, _ to: Fitness.State?, _ reason: String) -> DiscoveryNews {
            .endpoint(EndpointChange(upstream: "a", endpoint: identity, from: from, to: to, reason: reason))
        }
        #expect(
            lab.discovery.takeNews().news == [
                change(nil, .fit, "Member m is alive, and nothing speaks against it."),
                change(.fit, .suspect, "Member m is suspect: n accused it."),
                change(.suspect, nil, "Member m is known no more."),
            ])
    }

    @Test("News that nobody takes are counted beyond a bound")
    func newsAreBounded() throws {
        var lab = try FleetLab()
        lab.populate(1030)
        let (news, leftOut) = lab.discovery.takeNews()
        #expect(news.count == 1024)
        #expect(leftOut == 6)
        #expect(lab.discovery.takeNews().news.isEmpty)
    }

    @Test("With no load cell left an endpoint is left out, told once, and taken in when one is free again")
    func shortOfCells() throws {
        var lab = try FleetLab([UpstreamOptions(name: "a", source: .service("a"))], capacity: 2)
        for name in ["x", "y", "z"] { lab.see(name) }
        lab.publish()
        #expect(lab.upstream().endpoints.map(\.identity.member) == ["x", "y"])
        let identity = EndpointIdentity(member: "z", address: FleetLab.address("z").with(port: 80))
        #expect(lab.discovery.takeNews().news.last == .noRoom(upstream: "a", endpoint: identity))
        lab.discovery.forget("x", at: lab.now)
        lab.discovery.reclaim(acknowledged: lab.discovery.current.version, at: lab.now)
        let set = lab.publish()
        // Not yet: a worker may still read the set that names x.
        #expect(set.upstreams[0].endpoints.map(\.identity.member) == ["y"])
        lab.discovery.reclaim(acknowledged: set.version, at: lab.now)
        #expect(lab.publish().upstreams[0].endpoints.map(\.identity.member) == ["y", "z"])
    }
}

@Suite("Publication of what was discovered")
struct DiscoveryPublicationTests {
    @Test("A change is published at once while it is quiet, and gathered for 100 ms while it is not")
    func coalescing() throws {
        var lab = try FleetLab()
        lab.run(for: .seconds(10))
        lab.see("x")
        #expect(lab.discovery.nextWake.map { $0 <= lab.now } == true)
        #expect(lab.discovery.nextSet(at: lab.now)?.upstreams[0].endpoints.count == 1)
        #expect(lab.discovery.nextSet(at: lab.now) == nil)
        #expect(lab.discovery.nextWake == nil)
        let published = lab.now
        for number in 0..<99 {
            lab.now = lab.now + .milliseconds(1)
            lab.see(FleetLab.name(number))
            #expect(lab.discovery.nextSet(at: lab.now) == nil)
        }
        #expect(lab.discovery.nextWake == published + .milliseconds(100))
        lab.now = lab.now + .milliseconds(1)
        #expect(lab.discovery.nextSet(at: lab.now)?.upstreams[0].endpoints.count == 100)
    }

    @Test("What changes nothing makes no set, and an upstream that is not concerned keeps its snapshot")
    func unchanged() throws {
        var lab = try FleetLab([
            UpstreamOptions(name: "a", source: .service("a")), UpstreamOptions(name: "b", source: .service("b")),
        ])
        lab.see("m", tags: ["svc.a": ":80"])
        lab.see("n", tags: ["svc.b": ":80"])
        let before = lab.publish()
        lab.see("m", tags: ["svc.a": ":80"], incarnation: 7)
        lab.see("m", tags: ["svc.a": ":80", "else": "x"], incarnation: 8)
        lab.discovery.list(Roster(["m", "n"]), at: lab.now)
        #expect(lab.publish() === before)
        lab.see("m", .suspect)
        let after = lab.publish()
        #expect(after.version == before.version + 1)
        #expect(after.upstreams[1] === before.upstreams[1])
        #expect(after.upstreams[0].version == before.upstreams[0].version + 1)
    }

    @Test("An endpoint about which nothing changed is the same object in the next snapshot")
    func sharedEndpoints() throws {
        var lab = try FleetLab()
        lab.populate(10)
        let before = lab.upstream().endpoints
        lab.see("m03", .suspect)
        let after = lab.publish().upstreams[0].endpoints
        for (index, pair) in zip(before, after).enumerated() { #expect((pair.0 === pair.1) == (index != 3)) }
    }
}
