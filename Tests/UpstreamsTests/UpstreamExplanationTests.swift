import Testing
import Upstreams
import Vocabulary

@Suite("Why an upstream has the endpoints it has")
struct UpstreamExplanationTests {
    @Test("It says how many are fit, and of each other one why it is not")
    func sentences() throws {
        var lab = try FleetLab()
        lab.populate(6)
        lab.see("m01", .suspect, accusation: "m04 accused it.")
        lab.see("m02", .left)
        lab.see("m03", tags: ["svc.a": ":80;health=draining"])
        lab.publish()
        lab.run(for: .milliseconds(1900))
        let addresses = (1...3).map { FleetLab.address(FleetLab.name($0)).with(port: 80) }
        #expect(
            lab.upstream().explanation(lastKnownGood: nil, load: lab.cells.load(of:), at: lab.now) == [
                "Upstream a: 3 of 4 known endpoints are fit.",
                "2 more are not counted: 1 draining, 1 left.",
                "\(addresses[0]) of m01 is suspect for 2 s: Member m01 is suspect: m04 accused it.",
                "\(addresses[1]) of m02 is left for 2 s: Member m02 has left the fleet.",
                "\(addresses[2]) of m03 is draining for 2 s: Its sidecar takes no new connections (tag health=draining).",
            ])
    }

    @Test("It says that all are used in panic, and why the dead are kept")
    func panicAndIsolation() throws {
        var lab = try KeptUpstreamsTests.collapsed()
        lab.run(for: .milliseconds(2400))
        let said = lab.upstream().explanation(
            lastKnownGood: lab.discovery.current.lastKnownGood, load: lab.cells.load(of:), at: lab.now)
        #expect(
            said.prefix(3) == [
                "Upstream a: 1 of 12 known endpoints are fit.",
                "Fewer than 30 % are fit, so all known endpoints are used alike.",
                "The last known good view of the fleet is kept: 6 of 11 other members vanished within 30 s, "
                    + "which is taken for our own isolation. That was 2.5 s ago.",
            ])
        #expect(said.count == 3 + 11)
    }

    @Test("Of an upstream that the config names it says nothing of the fleet")
    func fixed() throws {
        let lab = try FleetLab([
            UpstreamOptions(name: "u", endpoints: [StaticEndpoint(address: .ipv4(.loopback, port: 1))])
        ])
        let inForce = LastKnownGood.InForce(since: lab.now, why: "The last known good view of the fleet is kept.")
        #expect(
            lab.upstream().explanation(lastKnownGood: inForce, load: lab.cells.load(of:), at: lab.now) == [
                "Upstream u: 1 of 1 known endpoints are fit."
            ])
    }

    @Test("An endpoint that has no room is full, by the limit that leaves none")
    func full() throws {
        var lab = try FleetLab {
            $0.maxConnections = 2
            $0.maxOutstanding = 1
        }
        lab.populate(4)
        lab.see("m03", tags: ["svc.a": ":80;health=failing"])
        lab.see("m01", .suspect)
        lab.publish()
        func place(_ name: String, waiting: [Bool]) throws {
            let cell = try #require(lab.endpoint(name)?.cell)
            for waits in waiting {
                #expect(lab.cells.place(cell))
                if !waits { lab.cells.count(.stops, in: cell) }
            }
        }
        try place("m00", waiting: [false, false])
        try place("m01", waiting: [true])
        try place("m02", waiting: [false])
        // Of no importance to one that gets no connections anyway
        try place("m03", waiting: [true, true])
        let said = lab.upstream().explanation(lastKnownGood: nil, load: lab.cells.load(of:), at: lab.now)
        let addresses = (0..<2).map { FleetLab.address(FleetLab.name($0)).with(port: 80) }
        #expect(
            said[1...2] == [
                "\(addresses[0]) of m00 is full: It carries the 2 connections (max_connections) that this node may "
                    + "give it.",
                "\(addresses[1]) of m01 is full: It carries the 1 outstanding requests (max_outstanding) that this "
                    + "node may give it.",
            ])
        #expect(said.count == 4)
        #expect(said[3].contains("of m03 is failing"))
    }

    @Test("It says why there is none")
    func empty() throws {
        let lab = try FleetLab([
            UpstreamOptions(name: "a", source: .service("web")),
            UpstreamOptions(name: "b", source: .members(tags: ["role": "web", "dc": "x"], port: 80)),
            UpstreamOptions(name: "c", endpoints: []),
        ])
        let said = (0..<3).map {
            lab.upstream($0).explanation(lastKnownGood: nil, load: lab.cells.load(of:), at: lab.now)
        }
        #expect(
            said == [
                ["Upstream a has no endpoints: no member advertises the service web."],
                ["Upstream b has no endpoints: no member bears the tags dc=x, role=web."],
                ["Upstream c has no endpoints: the config names none."],
            ])
    }

    @Test("It names a hundred endpoints at most, and counts the others")
    func bounded() throws {
        var lab = try FleetLab()
        lab.populate(150)
        for number in 0..<150 { lab.see(FleetLab.name(number), .left) }
        lab.publish()
        let said = lab.upstream().explanation(lastKnownGood: nil, load: lab.cells.load(of:), at: lab.now)
        #expect(said.count == 103)
        #expect(said.last == "50 more are not listed here.")
    }
}
