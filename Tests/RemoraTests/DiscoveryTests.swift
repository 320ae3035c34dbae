// Services that appear, fall ill, go and come back in a fleet of real remoras, and what their callers see of it.

import Admin
import Foundation
import Glibc
import Reactor
import Stats
import Testing
import Vocabulary

/// A sidecar's config: a member with a service, or a caller of one, or both.
private struct SidecarConfig {
    var name: String
    var host: String
    var join: [String] = []
    /// The instance of the service `web` beside it, and its check.
    var instance: SocketAddress?
    var health = ""
    var hasListener = true
    /// Further entries of its parts, as YAML flow entries.
    var membership = ""
    var upstream = ""
    var node = ""
    var drain = "5s"

    var gossip: String { "\(host):7946" }

    var text: String {
        let tuning = "tuning: {probe_interval: 300ms, probe_timeout: 150ms, gossip_interval: 50ms}"
        var services = ""
        var inbound = ""
        if let instance {
            services = "services: [{name: web, address: \"\(instance)\"\(health)}]"
            if hasListener { inbound = "{name: web-in, bind: \"\(host):15000\", service: web}, " }
        }
        return """
            node: {name: \(name)\(node)}
            membership: {bind: "\(gossip)", join: \(join), profile: local, \(tuning)\(membership)}
            \(services)
            upstreams: [{name: web, service: web\(upstream)}]
            listeners: [\(inbound){name: web-out, bind: "127.0.0.1:0", upstream: web}]
            admin: "127.0.0.1:0"
            shutdown: {drain: \(drain)}

            """
    }

    func run<Result>(_ body: (Running) throws -> Result) throws -> Result {
        let directory = try TestDirectory()
        let file = try directory.write(text)
        return try RemoraProcess.with(["run", "--config", file, "--threads", "1"]) { remora in
            let ready = try remora.ready()
            let out = try #require(ready.listeners.first { $0.name == "web-out" }).address
            return try body(Running(remora: remora, admin: ready.admin, out: out))
        }
    }
}

private struct Running {
    let remora: RemoraProcess
    let admin: SocketAddress
    /// Where callers of `web` connect.
    let out: SocketAddress

    /// The endpoints of `web` as `member state`, by member.
    func endpoints() throws -> [String] {
        let body = try get("/upstreams", from: admin).body
        let report = try ReportJSON.decode(UpstreamsReport.self, from: Array(body.utf8))
        let web = try #require(report.upstreams.first { $0.name == "web" })
        return web.endpoints.map { "\($0.member ?? "-") \($0.state)" }.sorted()
    }

    func expectEndpoints(_ wanted: String...) throws { try Wait.until(try endpoints(), is: wanted) }

    func ringChecksum() throws -> String {
        try #require(try stats().upstreams.first { $0.name == "web" }?.ringChecksum)
    }

    func explain(_ subject: String, _ name: String) throws -> String {
        let outcome = try RemoraProcess.outcome(of: ["explain", subject, name, "--admin", "\(admin)"])
        #expect(outcome.ending == .exit(0))
        return outcome.output
    }

    func stats() throws -> StatsReport {
        try ReportJSON.decode(StatsReport.self, from: Array(try get("/stats", from: admin).body.utf8))
    }
}

@Suite("Services of a fleet", .serialized)
struct DiscoveryTests {
    @Test("A service that appears anywhere gets the traffic of its callers, through the sidecar beside it")
    func appears() throws {
        let hosts = [150, 151, 152].map(LoopbackHosts.host)
        let (first, second) = (try Instance("one"), try Instance("two"))
        defer { for instance in [first, second] { instance.end() } }
        let caller = SidecarConfig(name: "caller", host: hosts[0])
        try caller.run { caller in
            // Given nobody who serves
            #expect(try caller.endpoints() == [])
            #expect(request(through: caller.out) == nil)
            #expect(try caller.explain("upstream", "web").contains("no member advertises the service web"))
            // When a service appears beside one node, and then beside another
            let join = ["\(hosts[0]):7946"]
            try SidecarConfig(name: "a", host: hosts[1], join: join, instance: first.address).run { a in
                try caller.expectEndpoints("a fit")
                #expect(request(through: caller.out) == "one")
                try SidecarConfig(name: "b", host: hosts[2], join: join, instance: second.address).run { _ in
                    try caller.expectEndpoints("a fit", "b fit")
                    // Then both get their share, and each node sees the service on itself too
                    for _ in 0..<40 { #expect(request(through: caller.out) != nil) }
                    #expect(first.requests > 5 && second.requests > 5)
                    try a.expectEndpoints("a fit", "b fit")
                    #expect(try members(caller.admin)["a"]?.tags["svc.web"] == "\(hosts[1]):15000;load=1")
                }
                // And when one is killed with its node, callers try the other at once
                for _ in 0..<20 { #expect(request(through: caller.out) == "one") }
                try caller.expectEndpoints("a fit", "b dead")
                let why = try caller.explain("member", "b")
                #expect(why.contains("Member b at \(hosts[2]):7946, a remora, is dead for"))
                #expect(why.contains("declared it dead") && why.contains("accused it of being dead"))
                #expect(why.contains("In upstream web its \(hosts[2]):15000 is dead: Member b is dead:"))
            }
        }
    }

    /// The checksum that all show, once they do: tables are built beside what shows endpoints, and a moment later.
    private func commonRing(of remoras: [Running], unlike former: String = "") throws -> String {
        try Wait.forAnswer {
            let rings = Set(try remoras.map { try $0.ringChecksum() })
            guard rings.count == 1, let ring = rings.first, ring != former else {
                throw TooLate(description: "\(rings), formerly \(former)")
            }
            return ring
        }
    }

    @Test(
        "Remoras that learn of the same members in different orders have the same ring, whoever comes and goes",
        arguments: zip(["ring_hash", "maglev"], [183, 187]))
    func sameRing(policy: String, first: Int) throws {
        let hosts = (first..<first + 3).map(LoopbackHosts.host)
        let instances = try ["one", "two", "three"].map { try Instance($0) }
        defer { for instance in instances { instance.end() } }
        func sidecar(_ number: Int, _ name: String) -> SidecarConfig {
            SidecarConfig(
                name: name, host: hosts[number], join: number == 0 ? [] : ["\(hosts[number - 1]):7946"],
                instance: instances[number].address, upstream: ", balance: \(policy)")
        }
        try sidecar(0, "b").run { b in
            try sidecar(1, "a").run { a in
                for remora in [a, b] { try remora.expectEndpoints("a fit", "b fit") }
                let ofTwo = try commonRing(of: [a, b])
                try sidecar(2, "c").run { c in
                    for remora in [a, b, c] { try remora.expectEndpoints("a fit", "b fit", "c fit") }
                    #expect(try commonRing(of: [a, b, c], unlike: ofTwo).count == 16)
                }
                // Whom gossip calls dead has no keys any more
                try Wait.until(try [a, b].map { try $0.ringChecksum() }, is: [ofTwo, ofTwo])
            }
        }
    }

    @Test("A plain agent of Serf that bears the tag is an endpoint, with no remora beside it")
    func plainAgent() throws {
        let hosts = [154, 155].map(LoopbackHosts.host)
        let port = UInt16(18_080)
        let address = try SocketAddress(parsing: "\(hosts[1]):\(port)")
        let instance = try Instance("plain", at: address)
        defer { instance.end() }
        try SidecarConfig(name: "caller", host: hosts[0]).run { caller in
            let arguments = ["-tag", "svc.web=:\(port)", "-join=\(hosts[0]):7946"]
            try SerfAgent.with("s1", host: hosts[1], arguments) { agent in
                try caller.expectEndpoints("s1 fit")
                #expect(request(through: caller.out) == "plain")
                // Tags that change are followed, and one that cannot be read is no endpoint
                try agent.command("tags", "-set", "svc.web=:\(port);health=draining")
                try caller.expectEndpoints("s1 draining")
                #expect(request(through: caller.out) == nil)
                try agent.command("tags", "-set", "svc.web=nonsense")
                try caller.expectEndpoints()
                try caller.remora.log.line(containing: "member s1 is passed over: The tag svc.web")
            }
        }
    }

    @Test("A failed health check takes new connections away while the instance still answers, and loses none")
    func health() throws {
        let hosts = [157, 158, 159].map(LoopbackHosts.host)
        let (ill, well) = (try Instance("ill"), try Instance("well"))
        defer { for instance in [ill, well] { instance.end() } }
        let health = ", health: {http: /healthz, interval: 100ms, timeout: 100ms, fall: 2, rise: 2}"
        try SidecarConfig(name: "caller", host: hosts[0]).run { caller in
            let join = ["\(hosts[0]):7946"]
            let a = SidecarConfig(name: "a", host: hosts[1], join: join, instance: ill.address, health: health)
            let b = SidecarConfig(name: "b", host: hosts[2], join: join, instance: well.address, health: health)
            try a.run { a in
                try b.run { _ in
                    try caller.expectEndpoints("a fit", "b fit")
                    ill.feel(well: false)
                    while try caller.endpoints() != ["a failing", "b fit"] {
                        #expect(request(through: caller.out) != nil)
                    }
                    let line = try a.remora.log.line(containing: "service web is failing")
                    #expect(line.contains("GET /healthz answered 503"))
                    for _ in 0..<20 { #expect(request(through: caller.out) == "well") }
                    #expect(try a.stats().services.first?.reason == "GET /healthz answered 503.")
                    ill.feel(well: true)
                    try caller.expectEndpoints("a fit", "b fit")
                }
            }
        }
    }

    @Test(
        "An instance that refuses connections closes its listener until it is back, with a check or without",
        arguments: [", health: {tcp: true, interval: 200ms, timeout: 100ms}", ""])
    func refused(health: String) throws {
        let offset = health.isEmpty ? 165 : 162
        let hosts = (0..<3).map { LoopbackHosts.host(offset + $0) }
        let (gone, stays) = (try Instance("gone"), try Instance("stays"))
        defer { stays.end() }
        try SidecarConfig(name: "caller", host: hosts[0]).run { caller in
            let join = ["\(hosts[0]):7946"]
            let a = SidecarConfig(name: "a", host: hosts[1], join: join, instance: gone.address, health: health)
            let b = SidecarConfig(name: "b", host: hosts[2], join: join, instance: stays.address)
            try a.run { a in
                try b.run { _ in
                    try caller.expectEndpoints("a fit", "b fit")
                    gone.end()
                    // Who its sidecar has accepted before the first refused connect may be lost; everybody after is not
                    let listener = try SocketAddress(parsing: "\(hosts[1]):15000")
                    try Wait.until(
                        {
                            _ = request(through: caller.out)
                            do throws(SystemError) { _ = try connect(listener) } catch { return error }
                            return nil
                        }() as SystemError?, is: .connectionRefused)
                    for _ in 0..<20 { #expect(request(through: caller.out) == "stays") }
                    try Wait.until(
                        try caller.endpoints().first.map { $0 == "a failing" || $0 == "a ejected" }, is: true)
                    #expect(try a.stats().listeners.first { $0.name == "web-in" }?.state == .failing)
                    // When it is back, so are its callers
                    let back = try Instance("back", at: gone.address)
                    defer { back.end() }
                    try caller.expectEndpoints("a fit", "b fit")
                    try Wait.until((0..<20).contains { _ in request(through: caller.out) == "back" }, is: true)
                }
            }
        }
    }

    /// A connect that fails as the kernel says.
    private func connect(_ address: SocketAddress) throws(SystemError) -> Int32 {
        let descriptor = try Kernel.socket(family: address.family).get()
        defer { Kernel.close(descriptor) }
        let outcome = unsafe address.kernelForm.withUnsafeBytes { unsafe Kernel.connect(descriptor, to: $0) }
        guard outcome.error == .inProgress else {
            try outcome.get()
            return 0
        }
        _ = Wait.until(descriptor, isReady: .toWrite, deadline: Kernel.now() + patience)
        if let error = Kernel.connectError(descriptor) { throw error }
        return 0
    }

    @Test("A drain is told to callers before a door is closed, and loses nobody")
    func drain() throws {
        let hosts = [169, 170, 171].map(LoopbackHosts.host)
        let (first, second) = (try Instance("first"), try Instance("second"))
        defer { for instance in [first, second] { instance.end() } }
        try SidecarConfig(name: "caller", host: hosts[0]).run { caller in
            let join = ["\(hosts[0]):7946"]
            try SidecarConfig(name: "b", host: hosts[2], join: join, instance: second.address).run { _ in
                try SidecarConfig(name: "a", host: hosts[1], join: join, instance: first.address).run { a in
                    try caller.expectEndpoints("a fit", "b fit")
                    a.remora.signal(SIGTERM)
                    var seen: [String] = []
                    var ending: RemoraProcess.Ending?
                    while ending == nil {
                        #expect(request(through: caller.out) != nil)
                        let states = try caller.endpoints()
                        if seen.last != states[0] { seen.append(states[0]) }
                        if states[0] == "a left" { ending = try a.remora.ending() }
                    }
                    #expect(ending == .exit(0))
                    #expect(seen.filter { $0 != "a fit" } == ["a draining", "a left"])
                    let log = try a.remora.log.rest()
                    let stages = [
                        "the services here drain", "the fleet has been told that this node leaves", "drained",
                    ]
                    let places = stages.compactMap { log.range(of: $0)?.lowerBound }
                    #expect(places.count == 3 && places == places.sorted())
                }
            }
        }
    }

    @Test("A member that the roster does not list gets no connection, whatever its key")
    func roster() throws {
        let hosts = [173, 174, 175].map(LoopbackHosts.host)
        let (listed, stranger) = (try Instance("listed"), try Instance("stranger"))
        defer { for instance in [listed, stranger] { instance.end() } }
        let directory = try TestDirectory()
        let file = try directory.write("[caller, a]\n", as: "roster.yaml")
        let caller = SidecarConfig(name: "caller", host: hosts[0], membership: ", roster: {file: \"\(file)\"}")
        try caller.run { caller in
            let join = ["\(hosts[0]):7946"]
            try SidecarConfig(name: "a", host: hosts[1], join: join, instance: listed.address).run { _ in
                try SidecarConfig(name: "z", host: hosts[2], join: join, instance: stranger.address).run { _ in
                    try caller.expectEndpoints("a fit", "z unlisted")
                    for _ in 0..<20 { #expect(request(through: caller.out) == "listed") }
                    #expect(stranger.requests == 0)
                    #expect(try caller.explain("member", "z").contains("is unlisted: The roster does not list z."))
                    #expect(try members(caller.admin).mapValues(\.listed) == ["caller": true, "a": true, "z": false])
                    // When it is written down, by a file that takes the other's place
                    let fresh = try directory.write("members: [caller, z]\n", as: "fresh.yaml")
                    #expect(unsafe rename(fresh, file) == 0)
                    try caller.expectEndpoints("a unlisted", "z fit")
                    #expect(request(through: caller.out) == "stranger")
                    // A file that says nothing readable changes nothing, and is complained of
                    let broken = try directory.write("members: {caller\n", as: "broken.yaml")
                    #expect(unsafe rename(broken, file) == 0)
                    try caller.remora.log.line(containing: "roster.yaml:")
                    try caller.expectEndpoints("a unlisted", "z fit")
                    let ready = try get("/ready", from: caller.admin)
                    #expect(ready.status == 200 && ready.body.hasPrefix("ready; ") && ready.body.contains("holds"))
                }
            }
        }
    }

    @Test("Sidecars tell each other how busy their services are, and agents of Serf nothing of it")
    func telemetry() throws {
        let hosts = [180, 181, 182].map(LoopbackHosts.host)
        let server = try Server()
        try SidecarConfig(name: "caller", host: hosts[0]).run { caller in
            let join = ["\(hosts[0]):7946"]
            try SerfAgent.with("s1", host: hosts[2], ["-join=\(join[0])", "-log-level=debug"]) { agent in
                try SidecarConfig(name: "a", host: hosts[1], join: join, instance: server.address).run { a in
                    try caller.expectEndpoints("a fit")
                    try Wait.until(try agent.members()["a"], is: "alive")
                    func load() throws -> Int? {
                        try caller.stats().upstreams.first { $0.name == "web" }?.endpoints.first?.fleetOutstanding
                    }
                    try Wait.until(try load(), is: 0)
                    // When others than the caller ask, who hears of it from the sidecar there
                    let clients = try (0..<3).map { _ in try Peer(to: try SocketAddress(parsing: "\(hosts[1]):15000")) }
                    var held: [Peer] = []
                    for client in clients {
                        try client.send("?")
                        held.append(try server.accept())
                    }
                    // A question that is not answered for a second is none any more, so they ask again
                    try Wait.forAnswer {
                        for client in clients { try client.send("?") }
                        let known = try load()
                        if known != 3 { throw TooLate(description: "the load is \(known ?? -1)") }
                    }
                    for peer in held { try peer.send("!") }
                    try Wait.until(try load(), is: 0)
                    let telemetry = try #require(try caller.stats().membership?.telemetry)
                    #expect(telemetry.held == 1 && telemetry.expected == 1 && telemetry.ageP99Seconds < 5)
                    #expect(telemetry.refusedMessagesTotal == 0)
                    let told = try #require(try a.stats().membership?.telemetry)
                    #expect(told.expected == 0 && told.sentBytesTotal > 0)
                    withExtendedLifetime(clients) {}
                }
                #expect(try !agent.log().contains("unknown type"))
            }
        }
    }

    @Test("GET /events and the log tell of endpoints in the same words")
    func events() throws {
        let hosts = [177, 178].map(LoopbackHosts.host)
        let instance = try Instance("one")
        defer { instance.end() }
        try SidecarConfig(name: "caller", host: hosts[0]).run { caller in
            let listener = try Peer(to: caller.admin)
            try listener.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            _ = try listener.receive(until: ": remora\n")
            let join = ["\(hosts[0]):7946"]
            try SidecarConfig(name: "a", host: hosts[1], join: join, instance: instance.address).run { a in
                _ = try listener.receive(until: "event: endpoint\ndata: ")
                let event = try listener.receive(until: "\n")
                #expect(event.contains(#""state":"fit""#) && event.contains(#""member":"a""#))
                let line = try caller.remora.log.line(containing: "upstream web: \(hosts[1]):15000 of a is fit: ")
                let reason = try #require(line.split(separator: "is fit: ").last)
                #expect(event.contains(#""reason":"\#(reason)""#))
                a.remora.signal(SIGKILL)
                // Its member is suspected first: who accuses it, and on what evidence
                _ = try listener.receive(until: #""state":"suspect""#)
                let suspicion = try caller.remora.log.line(containing: "member a is suspect: ")
                #expect(suspicion.contains("this node accused it: its ping got no answer"))
            }
        }
    }
}
