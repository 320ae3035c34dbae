import Testing
import Upstreams
import Vocabulary

@Suite("The registry of endpoints")
struct EndpointRegistryTests {
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
        var registry = EndpointRegistry(cells: LoadCells())
        let options = [Self.upstream("a", [1, 2]), Self.upstream("b", [1])]
        let set = try registry.nextSet(for: options)
        #expect(set.version == 1)
        #expect(set.upstreams.map(\.options) == options)
        #expect(set.upstreams[0].endpoints.map(\.identity.address.port) == [1, 2])
        let endpoints = set.upstreams.flatMap(\.endpoints)
        #expect(endpoints.allSatisfy { $0.fitness.state == .fit })
        // One address in two upstreams counts apart.
        #expect(Set(endpoints.map(\.cell)).count == 3)
    }

    @Test("What stays the same keeps its place, its cells and its very snapshot")
    func unchanged() throws {
        var registry = EndpointRegistry(cells: LoadCells())
        let first = try registry.nextSet(for: [Self.upstream("a", [1, 2]), Self.upstream("b", [3])])
        let second = try registry.nextSet(
            for: [Self.upstream("c", [4]), Self.upstream("b", [3]), Self.upstream("a", [2, 5], weight: 50)])
        #expect(second.version == 2)
        #expect(second.upstreams.map(\.options.name) == ["a", "b", "c"])
        #expect(second.upstreams[1] === first.upstreams[1])
        #expect(second.upstreams[0].version == first.upstreams[0].version + 1)
        #expect(Self.cells(second.upstreams[0])[2] == Self.cells(first.upstreams[0])[2])
        #expect(second.upstreams[0].endpoints.allSatisfy { $0.weight == Weight(50) })
    }

    @Test("An upstream that is no longer named stays in its place without endpoints, and may come back")
    func removal() throws {
        var registry = EndpointRegistry(cells: LoadCells())
        _ = try registry.nextSet(for: [Self.upstream("a", [1]), Self.upstream("b", [2])])
        let without = try registry.nextSet(for: [Self.upstream("b", [2])])
        #expect(without.upstreams.map(\.options.name) == ["a", "b"])
        #expect(without.upstreams[0].endpoints.isEmpty)
        let again = try registry.nextSet(for: [Self.upstream("b", [2]), Self.upstream("a", [1])])
        #expect(again.upstreams.map(\.endpoints.count) == [1, 1])
    }

    @Test("A cell goes back only once every worker has acknowledged a set without it")
    func reclaiming() throws {
        let cells = LoadCells(capacity: 2)
        var registry = EndpointRegistry(cells: cells)
        let first = try registry.nextSet(for: [Self.upstream("a", [1, 2])])
        _ = try registry.nextSet(for: [Self.upstream("a", [2])])
        registry.reclaim(acknowledged: 1)
        #expect(throws: OutOfLoadCells(capacity: 2, upstream: "a")) {
            try registry.nextSet(for: [Self.upstream("a", [2, 3])])
        }
        registry.reclaim(acknowledged: 2)
        let third = try registry.nextSet(for: [Self.upstream("a", [2, 3])])
        #expect(Self.cells(third.upstreams[0])[3] == Self.cells(first.upstreams[0])[1])
    }

    @Test("With too few cells, the registry stays as it was")
    func outOfCells() throws {
        var registry = EndpointRegistry(cells: LoadCells(capacity: 3))
        let first = try registry.nextSet(for: [Self.upstream("a", [1, 2])])
        #expect(throws: OutOfLoadCells(capacity: 3, upstream: "b")) {
            try registry.nextSet(for: [Self.upstream("a", [1, 2, 3]), Self.upstream("b", [4])])
        }
        let next = try registry.nextSet(for: [Self.upstream("a", [1, 2]), Self.upstream("b", [4])])
        #expect(next.version == 2)
        #expect(next.upstreams[0] === first.upstreams[0])
    }

    @Test("An address named twice is one cell with both weights")
    func namedTwice() throws {
        var registry = EndpointRegistry(cells: LoadCells(capacity: 1))
        let set = try registry.nextSet(for: [Self.upstream("a", [1, 1])])
        #expect(set.upstreams[0].endpoints.count == 2)
        #expect(Set(set.upstreams[0].endpoints.map(\.cell)).count == 1)
    }
}
