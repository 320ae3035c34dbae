import Testing
import Upstreams
import Vocabulary

@Suite("Publication of upstreams")
struct UpstreamPublicationTests {
    /// A set of one upstream whose only endpoint has the set's version as its port and its cell.
    static func set(_ version: UInt64) -> UpstreamSet {
        let address = SocketAddress.ipv4(.loopback, port: UInt16(truncatingIfNeeded: version))
        let endpoint = Endpoint(
            identity: EndpointIdentity(address: address), fitness: Fitness(.fit, because: "It is."),
            cell: LoadCells.Index(truncatingIfNeeded: version))
        let upstream = UpstreamSnapshot(options: UpstreamOptions(name: "u", endpoints: []), endpoints: [endpoint])
        return UpstreamSet(version: version, upstreams: [upstream])
    }

    @Test("A reader adopts each newest set once, and skips those in between")
    func adoption() {
        let publication = UpstreamPublication(Self.set(1))
        var reader = publication.makeReader()
        var seen: [UInt64] = []
        #expect(reader.adopt { seen.append($0.version) })
        #expect(!reader.adopt { seen.append($0.version) })
        publication.publish(Self.set(2))
        publication.publish(Self.set(3))
        #expect(reader.adopt { seen.append($0.version) })
        #expect(!reader.adopt { seen.append($0.version) })
        #expect(seen == [1, 3])
    }

    @Test("A set is freed once every reader has moved past it, and no sooner")
    func reclaiming() {
        weak var first: UpstreamSet?
        let publication: UpstreamPublication
        do {
            let set = Self.set(1)
            first = set
            publication = UpstreamPublication(set)
        }
        var quick = publication.makeReader()
        var slow = publication.makeReader()
        _ = quick.adopt { _ in }
        _ = slow.adopt { _ in }
        publication.publish(Self.set(2))
        _ = quick.adopt { _ in }
        #expect(publication.reclaim() == 1)
        #expect(first != nil)
        _ = slow.adopt { _ in }
        #expect(first != nil, "a worker never frees")
        #expect(publication.reclaim() == 2)
        #expect(first == nil)
        #expect(publication.heldCount == 1)
    }

    @Test("A reader that has not adopted yet, or sleeps, holds everything from its set on")
    func sleepingReader() {
        let publication = UpstreamPublication(Self.set(1))
        var sleeper = publication.makeReader()
        for version in 2...5 { publication.publish(Self.set(UInt64(version))) }
        #expect(publication.heldCount == 5)
        _ = sleeper.adopt { #expect($0.version == 5) }
        #expect(publication.reclaim() == 5)
        #expect(publication.heldCount == 1)
    }

    @Test("A reader that is let go holds nothing any more")
    func departure() {
        let publication = UpstreamPublication(Self.set(1))
        do {
            let reader = publication.makeReader()
            publication.publish(Self.set(2))
            #expect(publication.heldCount == 2)
            _ = consume reader
        }
        #expect(publication.reclaim() == 2)
        #expect(publication.heldCount == 1)
    }

    @Test("While a new set is installed, the one before is still alive")
    func overlap() {
        let publication = UpstreamPublication(Self.set(1))
        var reader = publication.makeReader()
        _ = reader.adopt { _ in }
        publication.publish(Self.set(2))
        _ = reader.adopt { _ in
            publication.reclaim()
            #expect(publication.heldCount == 2)
        }
        publication.reclaim()
        #expect(publication.heldCount == 1)
    }

    @Test("Four workers read through plain pointers while thousands of sets are published and freed")
    func stress() {
        let publication = UpstreamPublication(Self.set(1))
        let last: UInt64 = 4000
        let faults = Threads.run(5) { number -> Int in
            if number == 0 {
                for version in 2...last { publication.publish(Self.set(version)) }
                return 0
            }
            return Self.read(publication, until: last)
        }
        // The readers are gone by now, so nothing is held for them.
        #expect(faults == [0, 0, 0, 0, 0])
        #expect(publication.reclaim() == last)
        #expect(publication.heldCount == 1)
    }

    /// A worker's loop; answers how often memory did not hold what its set had.
    private static func read(_ publication: UpstreamPublication, until last: UInt64) -> Int {
        var reader = publication.makeReader()
        var version: UInt64 = 0
        var view: SnapshotView?
        var faults = 0
        while version < last {
            _ = reader.adopt { set in
                if set.version <= version { faults += 1 }
                version = set.version
                unsafe view = SnapshotView(set.upstreams[0])
            }
            guard let view = unsafe view else { return .max }
            let record = unsafe view.records[0]
            let address = unsafe SocketAddress(kernelForm: view.address(of: record))
            if record.cell != UInt32(version) || address?.port != UInt16(version) { faults += 1 }
        }
        return faults
    }
}
