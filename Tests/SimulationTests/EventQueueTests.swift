// The order of events is the world's order of everything.

import Testing
import Vocabulary

@testable import Simulation

@Suite("Events come in the order of their time")
struct EventQueueTests {
    @Test("Any sequence of insertions and removals comes out sorted", arguments: Seeds.sample)
    func order(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = EventQueue()
        var expected: [(time: Int64, payload: UInt32)] = []
        var last = Int64.min
        for number in 0..<20_000 as Range<UInt32> {
            if random.below(3) > 0 {
                let time = max(last, Int64(random.below(1_000)))
                queue.schedule(.datagram, node: 7, payload: number, at: time)
                let place = expected.firstIndex { $0.time > time } ?? expected.count
                expected.insert((time, number), at: place)
            } else if let event = queue.popFirst() {
                let wanted = expected.removeFirst()
                #expect(event.time == wanted.time && event.payload == wanted.payload)
                last = event.time
            }
            if expected.count > 60 { expected.removeFirst(); _ = queue.popFirst() }
        }
        #expect(queue.count == expected.count)
    }

    @Test("Events of one moment come as they were scheduled")
    func ties() {
        var queue = EventQueue()
        for number in 0..<100 as Range<UInt32> { queue.schedule(.wake, payload: number, at: 5) }
        let payloads = (0..<100).map { _ in queue.popFirst()?.payload }
        #expect(payloads == (0..<100).map { $0 })
        #expect(queue.nextTime == nil)
    }

    @Test("An event tells its kind and its node up to the limit")
    func packing() {
        let event = Event(time: 1, order: 2, kind: .deadline, node: Event.nodeLimit - 1, payload: .max)
        #expect(event.kind == .deadline)
        #expect(event.node == Event.nodeLimit - 1)
        #expect(MemoryLayout<Event>.stride == 24)
    }

    @Test("A slot is given again only once it was freed")
    func slots() {
        var slots = Slots<String>()
        let a = slots.insert("a")
        let b = slots.insert("b")
        slots.remove(a)
        let c = slots.insert("c")
        #expect(c == a)
        slots[b] += "!"
        #expect(slots[a] == "c" && slots[b] == "b!" && slots.count == 2)
    }
}

@Suite("Clocks of nodes")
struct NodeClockTests {
    @Test(
        "The world's time of a reading is the first at which the clock shows it, or nanoseconds later",
        arguments: [0, 1, -1, 12_345, -12_345, 99_999_999, -99_999_999])
    func inverse(partsPerBillion: Int64) {
        let clock = NodeClock(offset: 77_000_000_123, partsPerBillion: partsPerBillion)
        var random = SeededRandom(seed: 9)
        for _ in 0..<1_000 {
            let local = Instant(nanoseconds: 77_000_000_123 + Int64(random.next() >> 12))
            let world = clock.world(at: local)
            #expect(clock.reading(at: world) >= local)
            #expect(clock.reading(at: world - 8) < local)
        }
    }

    @Test("A clock never goes back, also over the borders of seconds")
    func monotonic() {
        let clock = NodeClock(partsPerBillion: -99_999_999)
        for second in 1...50 as ClosedRange<Int64> {
            for nanosecond in -20...20 as ClosedRange<Int64> {
                let time = second * 1_000_000_000 + nanosecond
                #expect(clock.reading(at: time) <= clock.reading(at: time + 1))
            }
        }
    }

    @Test("A hundred millionths are 100 µs a second, after a month too")
    func rate() {
        let clock = NodeClock(offset: 5, partsPerBillion: 100_000)
        #expect(clock.reading(at: 1_000_000_000).nanoseconds == 1_000_100_005)
        let month: Int64 = 30 * 86_400 * 1_000_000_000
        #expect(clock.reading(at: month).nanoseconds == month + month / 10_000 + 5)
    }

    @Test("What nobody waits for is at the end of time")
    func never() {
        #expect(NodeClock(offset: 1, partsPerBillion: 5).world(at: Instant(nanoseconds: .max)) == .max)
    }
}
