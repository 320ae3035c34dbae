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
        return (changes.fresh.map(\.cell), board.apply(changes))
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

    @Test("What two sets share is passed over, and nothing that differs is", arguments: 0..<50 as Range<UInt64>)
    mutating func difference(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        // Sorted by member as those of discovery are, or in any order, as those of a config
        let isSorted = seed % 5 != 0
        var fates: [LoadCells.Index: (fate: ConnectionFate, cause: FateCause)] = [:]
        var endpoints: [Endpoint] = []
        for _ in 0..<40 {
            var (next, fresh, turned) = ([Endpoint](), [LoadCells.Index](), false)
            for cell in LoadCells.Index(0)..<30 {
                let old = endpoints.first { $0.cell == cell }
                switch Int.random(in: 0..<10, using: &random) {
                case 0: continue
                case 1, 2:
                    let fate = ConnectionFate.allCases.randomElement(using: &random) ?? .keep
                    let cause = fate == .keep ? FateCause.none : Bool.random(using: &random) ? .dead : .suspect
                    next.append(
                        Endpoint(
                            identity: EndpointIdentity(
                                member: isSorted ? "m\(100 + cell)" : nil, address: .ipv4(.loopback, port: 80)),
                            fitness: Fitness(.fit, because: "The test says so."), fate: fate, cause: cause, cell: cell))
                default: if let old { next.append(old) } else { continue }
                }
                if old == nil { fresh.append(cell) }
                let (now, before) = (next[next.count - 1], fates[cell] ?? (.keep, .none))
                if now.fate != .keep, now.fate != before.fate || now.cause != before.cause { turned = true }
                fates[cell] = (now.fate, now.cause)
            }
            if !isSorted { next.shuffle(using: &random) }
            endpoints = next
            let posted = post([next])
            #expect(posted.fresh.sorted() == fresh && posted.turned == turned)
            for (cell, expected) in fates { #expect(board.verdict(on: cell).fate == expected.fate) }
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
