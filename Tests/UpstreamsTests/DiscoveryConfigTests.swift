import Testing
import Upstreams
import Vocabulary

@Suite("Discovery, of upstreams that the config names")
struct DiscoveryConfigTests {
    static let start = Instant(nanoseconds: 1_000_000_000)

    static func upstream(_ name: String, _ ports: [UInt16], weight: Int = 100) -> UpstreamOptions {
        UpstreamOptions(
            name: name,
            endpoints: ports.map { StaticEndpoint(address: .ipv4(.loopback, port: $0), weight: Weight(weight)) })
    }

    /// Cell by port.
    static func cells(_ upstream: UpstreamSnapshot) -> [UInt16: LoadCells.Index] {
        Dictionary(
            upstream.endpoints.compactMap { endpoint in endpoint.identity.address.port.map { ($0, endpoint.cell) } },
            uniquingKeysWith: { first, _ in first })
    }

    @Test("The first set has every endpoint the config names, fit, in its order, each with its own cell")
    func firstSet() throws {
        let options = [Self.upstream("a", [2, 1]), Self.upstream("b", [1])]
        let discovery = try Discovery(upstreams: options, cells: LoadCells(), at: Self.start)
        let set = discovery.current
        #expect(set.version == 1)
        #expect(set.upstreams.map(\.options) == options)
        #expect(set.upstreams[0].endpoints.map(\.identity.address.port) == [2, 1])
        let endpoints = set.upstreams.flatMap(\.endpoints)
        #expect(endpoints.allSatisfy { $0.fitness.state == .fit && $0.fate == .keep })
        // One address in two upstreams counts apart.
        #expect(Set(endpoints.map(\.cell)).count == 3)
        #expect(discovery.nextWake == nil)
    }

    @Test("What stays the same keeps its place, its cells and its very snapshot")
    func unchanged() throws {
        var discovery = try Discovery(
            upstreams: [Self.upstream("a", [1, 2]), Self.upstream("b", [3])], cells: LoadCells(), at: Self.start)
        let first = discovery.current
        let second = try discovery.configure(
            [Self.upstream("c", [4]), Self.upstream("b", [3]), Self.upstream("a", [2, 5], weight: 50)], at: Self.start)
        #expect(second.version == 2)
        #expect(second.upstreams.map(\.options.name) == ["a", "b", "c"])
        #expect(second.upstreams[1] === first.upstreams[1])
        #expect(second.upstreams[0].version == first.upstreams[0].version + 1)
        #expect(Self.cells(second.upstreams[0])[2] == Self.cells(first.upstreams[0])[2])
        #expect(second.upstreams[0].endpoints.allSatisfy { $0.weight == Weight(50) })
    }

    @Test("An upstream that is no longer named stays in its place without endpoints, and may come back")
    func removal() throws {
        var discovery = try Discovery(
            upstreams: [Self.upstream("a", [1]), Self.upstream("b", [2])], cells: LoadCells(), at: Self.start)
        let without = try discovery.configure([Self.upstream("b", [2])], at: Self.start)
        #expect(without.upstreams.map(\.options.name) == ["a", "b"])
        #expect(without.upstreams[0].endpoints.isEmpty)
        let again = try discovery.configure([Self.upstream("b", [2]), Self.upstream("a", [1])], at: Self.start)
        #expect(again.upstreams.map(\.endpoints.count) == [1, 1])
    }

    @Test("A cell goes back only once every worker has acknowledged a set without it")
    func reclaiming() throws {
        var discovery = try Discovery(
            upstreams: [Self.upstream("a", [1, 2])], cells: LoadCells(capacity: 2), at: Self.start)
        let first = discovery.current
        _ = try discovery.configure([Self.upstream("a", [2])], at: Self.start)
        discovery.reclaim(acknowledged: 1, at: Self.start)
        do {
            _ = try discovery.configure([Self.upstream("a", [2, 3])], at: Self.start)
            Issue.record("there was no cell")
        } catch {
            #expect(error == OutOfLoadCells(capacity: 2, upstream: "a"))
        }
        discovery.reclaim(acknowledged: 2, at: Self.start)
        let third = try discovery.configure([Self.upstream("a", [2, 3])], at: Self.start)
        #expect(Self.cells(third.upstreams[0])[3] == Self.cells(first.upstreams[0])[1])
    }

    @Test("With too few cells, everything stays as it was")
    func outOfCells() throws {
        var discovery = try Discovery(
            upstreams: [Self.upstream("a", [1, 2])], cells: LoadCells(capacity: 3), at: Self.start)
        let first = discovery.current
        do {
            _ = try discovery.configure([Self.upstream("a", [1, 2, 3]), Self.upstream("b", [4])], at: Self.start)
            Issue.record("there was no cell")
        } catch {
            #expect(error == OutOfLoadCells(capacity: 3, upstream: "b"))
        }
        let next = try discovery.configure([Self.upstream("a", [1, 2]), Self.upstream("b", [4])], at: Self.start)
        #expect(next.version == 2)
        #expect(next.upstreams[0] === first.upstreams[0])
    }

    @Test("An address named twice is one endpoint with both weights, as far as a weight goes")
    func namedTwice() throws {
        let discovery = try Discovery(
            upstreams: [Self.upstream("a", [1, 1]), Self.upstream("b", [1, 1], weight: 6000)],
            cells: LoadCells(capacity: 2), at: Self.start)
        #expect(discovery.current.upstreams.map { $0.endpoints.map(\.weight.value) } == [[200], [10_000]])
    }

    @Test("An upstream may change from the config to the fleet and back, and loses nothing of the other kind")
    func changeOfSource() throws {
        var lab = try FleetLab([Self.upstream("a", [1, 2])])
        lab.see("m", tags: ["svc.a": ":80"])
        let fleet = try lab.discovery.configure([UpstreamOptions(name: "a", source: .service("a"))], at: lab.now)
        #expect(fleet.upstreams[0].endpoints.map(\.identity.member) == ["m"])
        let named = try lab.discovery.configure([Self.upstream("a", [2])], at: lab.now)
        #expect(named.upstreams[0].endpoints.map(\.identity.address.port) == [2])
        let none = try lab.discovery.configure([], at: lab.now)
        #expect(none.upstreams[0].endpoints.isEmpty)
        let again = try lab.discovery.configure([UpstreamOptions(name: "a", source: .service("a"))], at: lab.now)
        #expect(again.upstreams[0].endpoints.map(\.identity.member) == ["m"])
        #expect(again.upstreams[0].fitCount == 1)
    }
}
