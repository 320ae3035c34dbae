// What the control thread writes about load cells, without a worker to read it.

import Testing
import Upstreams
import Vocabulary

@testable import Proxy

@Suite("Endpoint board")
struct EndpointBoardTests {
    private let board = EndpointBoard(cells: 2048)
    private var last: UpstreamSet?

    private static func endpoint(
        _ cell: LoadCells.Index, _ fate: ConnectionFate = .keep, _ cause: FateCause = .none,
        _ state: Fitness.State = .fit
    ) -> Endpoint {
        Endpoint(
            identity: EndpointIdentity(address: .ipv4(.loopback, port: UInt16(8000 + cell))),
            fitness: Fitness(state, because: "The test says so."), fate: fate, cause: cause, cell: cell)
    }

    /// - Returns: the fresh cells, and whether workers have something to do.
    private mutating func post(_ upstreams: [[Endpoint]]) -> (fresh: [LoadCells.Index], turned: Bool) {
        let version = (last?.version ?? 0) + 1
        let set = UpstreamSet(
            version: version,
            upstreams: upstreams.enumerated().map { place, endpoints in
                UpstreamSnapshot(
                    options: UpstreamOptions(name: "u\(place)", endpoints: []), endpoints: endpoints, version: version)
            })
        let changes = board.compare(set, with: last)
        last = set
        return (changes.fresh, board.apply(changes))
    }

    @Test("A cell is fresh when the set before did not name it, and keeps its tenancy otherwise")
    mutating func fresh() {
        #expect(post([[Self.endpoint(0)], [Self.endpoint(1)]]).fresh == [0, 1])
        #expect(post([[Self.endpoint(0)], [Self.endpoint(1), Self.endpoint(1500)]]).fresh == [1500])
        let tenancy = board.tenancy(of: 1500)
        #expect(post([[Self.endpoint(0)], [Self.endpoint(1500)]]).fresh == [])
        #expect(board.tenancy(of: 1500) == tenancy)
        #expect(post([[Self.endpoint(0)], []]).fresh == [])
        #expect(post([[Self.endpoint(0)], [Self.endpoint(1500)]]).fresh == [1500])
        #expect(board.tenancy(of: 1500) != tenancy)
    }

    @Test("A fate turns when it or its cause changes, and not when it is said again or taken back")
    mutating func turns() {
        #expect(!post([[Self.endpoint(3)]]).turned)
        #expect(board.latestTurn == 0)
        let steps: [(Endpoint, Bool)] = [
            (Self.endpoint(3, .drain, .suspect), true), (Self.endpoint(3, .drain, .suspect), false),
            (Self.endpoint(3, .drain, .dead), true), (Self.endpoint(3, .reset, .dead), true),
            (Self.endpoint(3), false), (Self.endpoint(3, .keep, .none, .failing), false),
            (Self.endpoint(3, .drain, .left), true),
            // Ejected and back: what is seen from here is no cause
            (Self.endpoint(3, .drain, .left, .suspect), false), (Self.endpoint(3, .drain, .left, .ejected), false),
            (Self.endpoint(3, .drain, .left, .suspect), false), (Self.endpoint(3, .drain, .unlisted), true),
        ]
        for (endpoint, turns) in steps {
            let before = board.latestTurn
            #expect(post([[endpoint]]).turned == turns)
            #expect(board.verdict(on: 3).fate == endpoint.fate)
            #expect(board.latestTurn == (turns ? last?.version : before))
            if turns { #expect(board.verdict(on: 3).turn == board.latestTurn) }
        }
    }

    @Test("An endpoint that is no longer named leaves the fate of its connections behind, until its cell is another's")
    mutating func gone() {
        _ = post([[Self.endpoint(3, .drain, .left)]])
        _ = post([[]])
        #expect(board.verdict(on: 3).fate == .drain)
        _ = post([[Self.endpoint(3)]])
        #expect(board.verdict(on: 3).fate == .keep)
    }
}
