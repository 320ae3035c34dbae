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

    @Test(
        "The fit are preferred, the suspect are the reserve, and no others are candidates",
        arguments: Fitness.State.allCases)
    func candidates(state: Fitness.State) throws {
        let endpoints = [
            try Self.endpoint("10.0.0.1:80", state: .dead), try Self.endpoint("10.0.0.2:80", state: state),
            try Self.endpoint("10.0.0.3:80"),
        ]
        let snapshot = UpstreamSnapshot(options: UpstreamOptions(name: "u", endpoints: []), endpoints: endpoints)
        #expect(!snapshot.isPanicking)
        switch state {
        case .fit:
            #expect(unsafe Array(snapshot.candidates) == [1, 2])
            #expect(snapshot.preferredCount == 2)
        case .suspect:
            #expect(unsafe Array(snapshot.candidates) == [2, 1])
            #expect(snapshot.preferredCount == 1)
        case .failing, .draining, .ejected, .full, .dead, .left, .unlisted:
            #expect(unsafe Array(snapshot.candidates) == [2])
        }
    }

    @Test("Fewer fit ones than the threshold says make candidates of all that are known", arguments: [0, 25, 26, 100])
    func panic(threshold: Int) throws {
        let states: [Fitness.State] = [.ejected, .draining, .fit, .left, .failing, .unlisted, .suspect, .dead]
        var options = UpstreamOptions(name: "u", endpoints: [])
        options.panicThresholdPercent = threshold
        let snapshot = UpstreamSnapshot(
            options: options, endpoints: try states.map { try Self.endpoint("10.0.0.1:80", state: $0) })
        // Four are known, and one of them is fit.
        #expect(snapshot.knownCount == 4)
        #expect(snapshot.fitCount == 1)
        #expect(snapshot.isPanicking == (threshold > 25))
        #expect(unsafe Array(snapshot.candidates) == (threshold > 25 ? [0, 2, 4, 6] : [2, 6]))
        #expect(snapshot.preferredCount == (threshold > 25 ? 4 : 1))
        #expect(unsafe snapshot.records.map(\.eligibility)[2] == .preferred)
        #expect(unsafe snapshot.records.map(\.eligibility)[1] == .none)
    }

    @Test("A dead endpoint is known only while the last known good view keeps it")
    func keptDead() throws {
        func snapshot(kept: Bool) -> UpstreamSnapshot {
            let endpoints = (1...4).map { number in
                Endpoint(
                    identity: EndpointIdentity(address: .ipv4(.loopback, port: number)),
                    fitness: Fitness(number == 1 ? .fit : .dead, because: "It is."), isKept: kept && number > 1,
                    cell: LoadCells.Index(number))
            }
            return UpstreamSnapshot(options: UpstreamOptions(name: "u", endpoints: []), endpoints: endpoints)
        }
        let (believed, kept) = (snapshot(kept: false), snapshot(kept: true))
        #expect(unsafe Array(believed.candidates) == [0])
        #expect(unsafe Array(kept.candidates) == [0, 1, 2, 3])
        #expect(kept.isPanicking && !believed.isPanicking)
    }

    @Test("In slow start, draws are made with part of the weight, rings with all of it")
    func slowStart() {
        let endpoints = [(1000, 30), (1, 10), (100, 100)].map { weight, ramp in
            Endpoint(
                identity: EndpointIdentity(address: .ipv4(.loopback, port: 1)), weight: Weight(weight), ramp: ramp,
                fitness: Fitness(.fit, because: "It is."), cell: 0)
        }
        let snapshot = UpstreamSnapshot(options: UpstreamOptions(name: "u", endpoints: []), endpoints: endpoints)
        #expect(unsafe snapshot.records.map(\.weight) == [300, 1, 100])
        #expect(unsafe snapshot.records.map(\.ringWeight) == [1000, 1, 100])
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
