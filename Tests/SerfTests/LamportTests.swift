import GossipWire
import Testing

@testable import Serf

@Suite("Lamport clocks and the window of what was heard")
struct LamportTests {
    @Test("A clock begins at 1, and is after all that it heard and stamped")
    func clock() {
        var clock = LamportClock()
        #expect(clock.time.value == 1)
        clock.witness(LamportTime(0))
        #expect(clock.time.value == 1)
        clock.witness(LamportTime(1))
        #expect(clock.time.value == 2)
        #expect(clock.stamp().value == 2)
        #expect(clock.time.value == 3)
        clock.witness(LamportTime(40))
        clock.witness(LamportTime(7))
        #expect(clock.time.value == 41)
    }

    @Test("A peer's clock shows a time that it has not used")
    func shownClock() {
        var clock = LamportClock()
        clock.witness(clockShowing: LamportTime(0))
        #expect(clock.time.value == 1)
        clock.witness(clockShowing: LamportTime(9))
        #expect(clock.time.value == 9)
    }

    @Test("A clock does not leap further than a fleet can have come, nor to the end of time")
    func leaps() {
        var clock = LamportClock()
        for far in [1 << 40 + 3, .max - 1, .max] as [UInt64] {
            clock.witness(LamportTime(far))
            clock.witness(clockShowing: LamportTime(far))
            #expect(!clock.believes(LamportTime(far)) && clock.time.value == 1)
        }
        clock.witness(LamportTime(1 << 40))
        #expect(clock.stamp().value == 1 << 40 + 1)
    }

    private func ring(heaviest: Int = 1000) -> LamportRing<Int> { LamportRing(heaviest: heaviest) { _ in 1 } }

    @Test("An item of one time is taken once, the same item of another time as well")
    func once() {
        var ring = ring()
        #expect(ring.take(1, at: LamportTime(5), clock: LamportTime(6)) == .new)
        #expect(ring.take(1, at: LamportTime(5), clock: LamportTime(6)) == .seen)
        #expect(ring.take(2, at: LamportTime(5), clock: LamportTime(6)) == .new)
        #expect(ring.take(1, at: LamportTime(6), clock: LamportTime(7)) == .new)
        #expect(ring.groups.map(\.items) == [[1, 2], [1]])
    }

    @Test("The window is 512 times before what the clock shows")
    func window() {
        var ring = ring()
        #expect(ring.take(1, at: LamportTime(1000), clock: LamportTime(1001)) == .new)
        #expect(ring.take(1, at: LamportTime(488), clock: LamportTime(1001)) == .tooOld)
        #expect(ring.take(1, at: LamportTime(489), clock: LamportTime(1001)) == .new)
        // A time a window later takes its place.
        #expect(ring.take(1, at: LamportTime(1001), clock: LamportTime(1002)) == .new)
        #expect(ring.take(1, at: LamportTime(489), clock: LamportTime(1002)) == .tooOld)
        #expect(ring.take(1, at: LamportTime(1001), clock: LamportTime(1002)) == .seen)
        #expect(ring.groups.map(\.time.value) == [1000, 1001])
    }

    @Test("Within the first 512 times nothing is too old")
    func beginning() {
        var ring = ring()
        #expect(ring.take(1, at: LamportTime(0), clock: LamportTime(512)) == .new)
        #expect(ring.take(1, at: LamportTime(0), clock: LamportTime(513)) == .tooOld)
    }

    @Test("What is beyond its weight goes with its time, and is too old from then on")
    func weight() {
        var ring = ring(heaviest: 4)
        for time in 1...4 as ClosedRange<UInt64> {
            #expect(ring.take(1, at: LamportTime(time), clock: LamportTime(5)) == .new)
        }
        #expect(ring.take(2, at: LamportTime(3), clock: LamportTime(5)) == .new)
        #expect(ring.groups.map(\.time.value) == [2, 3, 4])
        #expect(ring.take(1, at: LamportTime(1), clock: LamportTime(5)) == .tooOld)
        #expect(ring.minimum.value == 2)
    }

    @Test("Only so many items of one time are told apart")
    func oneTime() {
        var ring = ring(heaviest: 10_000)
        for item in 0..<LamportRing<Int>.itemsPerTime {
            #expect(ring.take(item, at: LamportTime(9), clock: LamportTime(10)) == .new)
        }
        #expect(ring.take(-1, at: LamportTime(9), clock: LamportTime(10)) == .tooMany)
        #expect(ring.take(0, at: LamportTime(9), clock: LamportTime(10)) == .seen)
    }

    @Test("An item heavier than all may be is not taken, and drops nothing")
    func tooHeavy() {
        var ring = LamportRing<Int>(heaviest: 4) { $0 }
        #expect(ring.take(4, at: LamportTime(1), clock: LamportTime(3)) == .new)
        #expect(ring.take(5, at: LamportTime(2), clock: LamportTime(3)) == .tooMany)
        #expect(ring.groups.map(\.items) == [[4]])
    }
}
