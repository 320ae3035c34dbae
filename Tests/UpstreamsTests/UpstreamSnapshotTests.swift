import Testing
import Upstreams
import Vocabulary

@Suite("A snapshot")
struct UpstreamSnapshotTests {
    static func endpoint(
        _ text: String, weight: Int = 100, cell: LoadCells.Index = 0, state: Fitness.State = .fit,
        fate: ConnectionFate = .keep
    ) throws -> Endpoint {
        Endpoint(
            identity: EndpointIdentity(address: try SocketAddress(parsing: text)), weight: Weight(weight),
            fitness: Fitness(state, because: "It is."), fate: fate, cell: cell)
    }

    @Test("A record says what becomes of its endpoint's connections", arguments: ConnectionFate.allCases)
    func fate(fate: ConnectionFate) throws {
        let endpoints = [try Self.endpoint("10.0.0.1:80"), try Self.endpoint("10.0.0.2:80", state: .dead, fate: fate)]
        let snapshot = UpstreamSnapshot(options: UpstreamOptions(name: "u", endpoints: []), endpoints: endpoints)
        #expect(unsafe snapshot.records.map(\.fate) == [.keep, fate])
        #expect(MemoryLayout<ConnectionFate>.size == 1)
    }

    @Test("Its records lead back to every endpoint's address, whatever the kinds before it")
    func records() throws {
        let texts = ["10.0.0.1:80", "unix:/run/a", "[fd00::1]:443", "unix:/run/service/long.sock", "127.0.0.1:9000"]
        let endpoints = try texts.enumerated().map { index, text in
            try Self.endpoint(text, weight: index + 1, cell: LoadCells.Index(10 + index))
        }
        let snapshot = UpstreamSnapshot(options: UpstreamOptions(name: "u", endpoints: []), endpoints: endpoints)
        let view = unsafe SnapshotView(snapshot)
        #expect(unsafe view.records.count == texts.count)
        for (index, text) in texts.enumerated() {
            let record = unsafe view.records[index]
            let address = unsafe SocketAddress(kernelForm: view.address(of: record))
            #expect(address?.description == text)
            #expect(record.addressOffset % 8 == 0)
            #expect(record.cell == 10 + UInt32(index))
            #expect(record.weight == UInt32(index + 1))
            #expect(record.isLocal == (index == 1 || index >= 3))
        }
    }

    @Test("Only fit endpoints are candidates", arguments: Fitness.State.allCases)
    func candidates(state: Fitness.State) throws {
        let endpoints = [
            try Self.endpoint("10.0.0.1:80", state: .dead), try Self.endpoint("10.0.0.2:80", state: state),
            try Self.endpoint("10.0.0.3:80"),
        ]
        let snapshot = UpstreamSnapshot(options: UpstreamOptions(name: "u", endpoints: []), endpoints: endpoints)
        #expect(unsafe Array(snapshot.candidates) == (state == .fit ? [1, 2] : [2]))
    }

    @Test("A view carries what a worker needs of the options")
    func view() {
        let options = UpstreamOptions(
            name: "u", endpoints: [], connectTimeout: .milliseconds(250), connectAttempts: 2, maxConnections: 5,
            maxOutstanding: 4)
        let snapshot = UpstreamSnapshot(options: options, endpoints: [])
        let view = unsafe SnapshotView(snapshot)
        #expect(unsafe view.connectTimeout == .milliseconds(250))
        #expect(unsafe view.connectAttempts == 2)
        #expect(unsafe view.limits == PlacementLimits(connections: 5, outstanding: 4))
    }
}
