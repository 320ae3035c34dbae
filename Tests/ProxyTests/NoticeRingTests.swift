// The ring between a worker and the control thread, with a real thread at each end.

import Glibc
import Reactor
import Synchronization
import Testing
import Upstreams

@testable import Proxy

@Suite("Notice ring")
struct NoticeRingTests {
    private func notice(_ number: Int, _ kind: Notice.Kind = .connectFailed, detail: Int32 = ECONNREFUSED) -> Notice {
        Notice(
            kind: kind, listener: UInt32(number), upstream: UInt32(number &* 3), cell: UInt32(number &* 7),
            detail: detail)
    }

    @Test("Only the notice that ends the ring's emptiness wakes the reader")
    func wakes() {
        let ring = NoticeRing()
        #expect(ring.pop() == nil)
        #expect(ring.push(notice(1)))
        #expect(!ring.push(notice(2)))
        #expect(ring.pop()?.listener == 1)
        #expect(!ring.push(notice(3)), "the reader has not emptied the ring, so it looks again")
        #expect(ring.pop()?.listener == 2)
        #expect(ring.pop()?.listener == 3)
        #expect(ring.pop() == nil)
        #expect(ring.push(notice(4)))
    }

    @Test("A full ring keeps what it has and counts what it turns away")
    func full() {
        let ring = NoticeRing()
        for number in 0..<(NoticeRing.capacity + 5) { _ = ring.push(notice(number)) }
        #expect(ring.takeLost() == 5)
        #expect(ring.takeLost() == 0)
        for number in 0..<NoticeRing.capacity { #expect(ring.pop()?.listener == UInt32(number)) }
        #expect(ring.pop() == nil)
        #expect(ring.push(notice(1)), "room again")
    }

    @Test(
        "What is said of clients leaves half of the ring to what speaks of endpoints",
        arguments: [Notice.Kind.noEndpoint, .listenerFull, .badPreface, .heldBytesExhausted, .connectFailed])
    func chatter(kind: Notice.Kind) {
        let ring = NoticeRing()
        // A connect for which no local port is left says nothing of the endpoint.
        for number in 0..<(2 * NoticeRing.capacity) { _ = ring.push(notice(number, kind, detail: EADDRNOTAVAIL)) }
        #expect(ring.takeLost() == UInt64(2 * NoticeRing.capacity - NoticeRing.roomForClients))
        let others: [Notice.Kind] = [
            .connectFailed, .endpointReset, .endpointAnswered, .instanceRefused, .listenFailed, .acceptPaused,
        ]
        for (number, other) in others.enumerated() { _ = ring.push(notice(number, other)) }
        #expect(ring.takeLost() == 0)
        for _ in 0..<NoticeRing.roomForClients { #expect(ring.pop()?.kind == kind) }
        #expect(others.allSatisfy { $0 == ring.pop()?.kind })
        #expect(ring.pop() == nil)
    }

    @Test("A worker that goes on talking does not keep the reader, who is woken for what is left")
    func endless() throws {
        let wakes = Counter()
        let desk = try WorkerDesk(
            limits: ProxyLimits(descriptors: 64), cells: LoadCells(capacity: 8),
            records: RecordDesk(bell: try RecordBell())
        ) { wakes.add() }
        desk.tell(notice(0))
        desk.tell(notice(1))
        #expect(wakes.value == 1)
        // When each notice that is read is followed by another, so that the ring is never empty
        var read: [UInt32] = []
        let lost = desk.takeNotices {
            read.append($0.listener)
            if read.count < 10 * NoticeRing.capacity { desk.tell(notice(read.count + 1)) }
        }
        // Then the reader comes back after one ring, and is called again for the rest
        #expect(lost == 0 && read == (0..<NoticeRing.capacity).map(UInt32.init))
        #expect(wakes.value == 2)
        var rest: [UInt32] = []
        _ = desk.takeNotices { rest.append($0.listener) }
        #expect(rest == [UInt32(NoticeRing.capacity), UInt32(NoticeRing.capacity + 1)])
        #expect(wakes.value == 2, "nothing is left")
    }

    /// What two threads share here.
    private final class Desk: Sendable {
        let ring = NoticeRing()
        let wake: Wake
        /// How often the reader has found nothing to read.
        let sleeps = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
        /// The reader has come to its end, or was torn from it.
        let isAlone = Atomic<Bool>(false)

        init() throws { wake = try Wake() }
    }

    @Test("A reader that sleeps until it is woken gets every notice that was not counted as lost, in order")
    func twoThreads() throws {
        let (desk, total) = (try Desk(), 200_000)
        let writer = KernelThread.start(name: "writer") {
            // A reader whose wake is lost says so once the writer has come to its end.
            let limit = ContinuousClock.now + .seconds(10)
            for number in 0..<total {
                let notice = Notice(
                    kind: .noEndpoint, listener: UInt32(number), upstream: UInt32(number &* 3), cell: 0,
                    detail: Int32(number))
                let before = desk.sleeps.load(ordering: .acquiring)
                if desk.ring.push(notice) { desk.wake.signal() }
                // Now and then the reader is let ahead, so that it falls asleep; sometimes until it does.
                if number % 64 == 0 { sched_yield() }
                guard number % 10_000 == 0 else { continue }
                while desk.sleeps.load(ordering: .acquiring) == before, !desk.isAlone.load(ordering: .acquiring),
                    ContinuousClock.now < limit
                {
                    sched_yield()
                }
            }
            desk.isOver.store(true, ordering: .releasing)
        }
        defer { desk.isAlone.store(true, ordering: .releasing) }
        var (received, lost, last) = (0, 0, -1)
        while true {
            // Looked at before the ring is emptied, so that nothing can come after the last look.
            let isOver = desk.isOver.load(ordering: .acquiring)
            while let notice = desk.ring.pop() {
                let number = Int(notice.listener)
                try #require(number > last, "order is lost")
                try #require(notice.upstream == UInt32(number &* 3) && notice.detail == Int32(number), "torn")
                (last, received) = (number, received + 1)
            }
            lost += Int(desk.ring.takeLost())
            if isOver { break }
            if received + lost == total { continue }
            // Asleep with nobody to wake it, the reader would find the ring filled behind its back.
            desk.sleeps.add(1, ordering: .acquiringAndReleasing)
            if !isWoken(desk) {
                let missed = desk.ring.pop()
                try #require(missed == nil, "the reader slept on, with a notice to read")
            }
        }
        writer.join()
        #expect(received + lost == total)
    }

    /// Sleeps until the writer signals; false where it has come to its end and will not.
    private func isWoken(_ desk: Desk) -> Bool {
        var waiting = pollfd(fd: desk.wake.descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            // The writer's end is no notice, so it is looked for now and then; before the poll, which sees what it
            // signalled until then.
            let isOver = desk.isOver.load(ordering: .acquiring)
            if unsafe poll(&waiting, 1, isOver ? 0 : 10) == 1 {
                desk.wake.clear()
                return true
            }
            if isOver { return false }
        }
    }
}
