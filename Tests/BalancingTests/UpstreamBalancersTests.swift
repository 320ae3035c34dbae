import Balancing
import Testing
import Upstreams
import Vocabulary

@Suite("A worker's balancers")
struct UpstreamBalancersTests {
    static func upstream(_ name: String, ports: ClosedRange<UInt16>, balance: BalancePolicy = .p2c) -> UpstreamOptions {
        UpstreamOptions(
            name: name, endpoints: ports.map { StaticEndpoint(address: .ipv4(.loopback, port: $0)) }, balance: balance)
    }

    /// The port of the endpoint picked.
    static func port(
        _ balancers: inout UpstreamBalancers, from upstream: Int, random: inout SeededRandom
    ) -> UInt16? {
        guard let picked = balancers.pick(from: upstream, excluding: TriedEndpoints(), random: &random) else {
            return nil
        }
        let view = unsafe balancers.view(of: upstream)
        let record = unsafe view.records[Int(picked)]
        return unsafe SocketAddress(kernelForm: view.address(of: record))?.port
    }

    @Test("Each upstream is picked from by itself, in what was published last")
    func adoption() throws {
        let cells = LoadCells()
        let now = Instant(nanoseconds: 0)
        var discovery = try Discovery(
            upstreams: [Self.upstream("a", ports: 1...9), Self.upstream("b", ports: 11...19)], cells: cells, at: now)
        var random = SeededRandom(seed: 1)
        let publication = UpstreamPublication(discovery.current)
        var reader = publication.makeReader()
        var balancers = UpstreamBalancers(cells: cells)
        #expect(reader.adopt { balancers.adopt($0, random: &random) })
        #expect(balancers.count == 2)
        for _ in 0..<100 {
            let (a, b) = (
                Self.port(&balancers, from: 0, random: &random), Self.port(&balancers, from: 1, random: &random)
            )
            #expect((1...9).contains(try #require(a)))
            #expect((11...19).contains(try #require(b)))
        }
        // When one upstream loses its endpoints, one changes and one is new
        publication.publish(
            try discovery.configure([Self.upstream("c", ports: 31...39), Self.upstream("b", ports: 21...29)], at: now))
        #expect(reader.adopt { balancers.adopt($0, random: &random) })
        publication.reclaim()
        #expect(publication.heldCount == 1)
        // Then picks follow, through pointers into the new set alone
        for _ in 0..<100 {
            let (b, c) = (
                Self.port(&balancers, from: 1, random: &random), Self.port(&balancers, from: 2, random: &random)
            )
            #expect(Self.port(&balancers, from: 0, random: &random) == nil)
            #expect((21...29).contains(try #require(b)))
            #expect((31...39).contains(try #require(c)))
        }
    }

    @Test("An upstream that did not change goes on in its round")
    func unchangedUpstream() throws {
        let cells = LoadCells()
        let now = Instant(nanoseconds: 0)
        var random = SeededRandom(seed: 1)
        let turns = Self.upstream("turns", ports: 1...5, balance: .roundRobin)
        var discovery = try Discovery(upstreams: [turns], cells: cells, at: now)
        var balancers = UpstreamBalancers(cells: cells)
        // The sets outlive the balancers, as a publication sees to.
        var sets = [discovery.current]
        balancers.adopt(sets[0], random: &random)
        var ports: Set<UInt16> = []
        for step in 0..<5 {
            if let port = Self.port(&balancers, from: 0, random: &random) { ports.insert(port) }
            sets.append(
                try discovery.configure([turns, Self.upstream("other", ports: 20...UInt16(21 + step))], at: now))
            balancers.adopt(sets[step + 1], random: &random)
        }
        #expect(ports == [1, 2, 3, 4, 5])
        withExtendedLifetime(sets) {}
    }
}
