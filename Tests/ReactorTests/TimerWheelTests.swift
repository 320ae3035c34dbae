// The wheel against a model that knows nothing of wheels: a dictionary of deadlines, searched whole.

import Reactor
import Testing
import Vocabulary

@Suite("Timer wheel")
struct TimerWheelTests {
    /// Distances at which a timer changes wheels, and their neighbours.
    static let boundaries: [UInt64] = [8, 16, 24, 32, 40].flatMap { bits -> [UInt64] in
        let edge: UInt64 = 1 << bits
        return [edge - 1, edge, edge + 1]
    }

    @Test(
        "A timer is due at its tick and not one before, however far",
        arguments: [0, 1, 254, 255, 4_294_967_290] as [UInt64])
    func firesAtItsTick(start: UInt64) {
        for distance in [1, 2, 100] + Self.boundaries {
            // Given a wheel that already stands somewhere
            var wheel = TimerWheel(capacity: 1)
            wheel.advance(to: Tick(start))
            let nothing = wheel.popExpired()
            #expect(nothing == nil)
            // When the tick before the deadline comes, nothing is due
            wheel.schedule(0, at: Tick(start + distance))
            wheel.advance(to: Tick(start + distance - 1))
            let early = wheel.popExpired()
            #expect(early == nil, "\(distance) ticks from \(start)")
            // And with the deadline it is, once
            wheel.advance(to: Tick(start + distance))
            let (first, second) = (wheel.popExpired(), wheel.popExpired())
            #expect(first == 0 && second == nil, "\(distance) ticks from \(start)")
        }
    }

    @Test("A jump over everything pops every timer once, in the order of deadlines", arguments: [3, 17] as [UInt64])
    func jump(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var wheel = TimerWheel(capacity: 1000)
        var deadlines: [UInt64] = []
        for index in 0..<1000 as Range<UInt32> {
            deadlines.append(1 + random.next() >> (20 + random.below(40)))
            wheel.schedule(index, at: Tick(deadlines[Int(index)]))
        }
        wheel.advance(to: Tick(.max))
        var popped: [UInt64] = []
        while let index = wheel.popExpired() { popped.append(deadlines[Int(index)]) }
        #expect(popped == deadlines.sorted())
    }

    @Test("A timer scheduled anew has one deadline only, the last one")
    func reschedule() {
        var wheel = TimerWheel(capacity: 2)
        for deadline in [10, 70_000, 20, 5, 300] as [UInt64] { wheel.schedule(1, at: Tick(deadline)) }
        let deadline = wheel.deadline(of: 1)
        #expect(deadline == Tick(300))
        wheel.advance(to: Tick(299))
        let early = wheel.popExpired()
        #expect(early == nil)
        wheel.advance(to: Tick(100_000))
        let popped = [wheel.popExpired(), wheel.popExpired()]
        #expect(popped == [1, nil])
    }

    @Test("A popped timer that is scheduled for now again waits for the next advance, to the same tick or a later one")
    func rescheduleToNow() {
        for deadline in [0, 999, 1000] as [UInt64] {
            var wheel = TimerWheel(capacity: 1)
            wheel.schedule(0, at: Tick(5))
            wheel.advance(to: Tick(1000))
            for _ in 0..<3 {
                let popped = wheel.popExpired()
                #expect(popped == 0)
                wheel.schedule(0, at: Tick(deadline))
                let (again, wakeUp) = (wheel.popExpired(), wheel.nextWakeUp)
                #expect(again == nil && wakeUp == Tick(1000))
                wheel.advance(to: Tick(1000))
            }
        }
    }

    @Test("A timer that is due can still be cancelled or put off")
    func cancelDue() {
        var wheel = TimerWheel(capacity: 4)
        for index in 0..<4 as Range<UInt32> { wheel.schedule(index, at: Tick(7)) }
        wheel.advance(to: Tick(7))
        let first = wheel.popExpired()
        #expect(first == 0)
        wheel.cancel(1)
        wheel.cancel(1)
        wheel.schedule(2, at: Tick(8))
        let rest = [wheel.popExpired(), wheel.popExpired()]
        #expect(rest == [3, nil])
        let scheduled = (0..<4 as Range<UInt32>).map { [wheel.isScheduled($0)] }
        #expect(scheduled == [[false], [false], [true], [false]])
    }

    @Test(
        "Sleeping until the next wake-up reaches any deadline in a few turns",
        arguments: TimerWheelTests.boundaries + [1, 300, 3_600_000])
    func fewWakeUps(deadline: UInt64) {
        var wheel = TimerWheel(capacity: 1)
        wheel.schedule(0, at: Tick(deadline))
        var turns = 0
        var popped: UInt32?
        while popped == nil, let wakeUp = wheel.nextWakeUp, wakeUp <= Tick(deadline) {
            turns += 1
            wheel.advance(to: wakeUp)
            popped = wheel.popExpired()
        }
        #expect(popped == 0)
        // One for each wheel, and one for each round of 2³² ticks.
        #expect(turns <= 4 + Int(deadline >> 32))
        // A loop pops until there is none.
        let (none, end) = (wheel.popExpired(), wheel.nextWakeUp)
        #expect(none == nil)
        #expect(end == nil)
    }

    @Test("After any time without timers the wheel stands at the present, so a near timer is not woken for twice")
    func idleTime() {
        var wheel = TimerWheel(capacity: 1)
        wheel.advance(to: Tick(1_000_000))
        let nothing = wheel.popExpired()
        #expect(nothing == nil)
        wheel.schedule(0, at: Tick(1_000_003))
        let wakeUp = wheel.nextWakeUp
        #expect(wakeUp == Tick(1_000_003))
    }

    @Test("Growing keeps every timer where it was")
    func growth() {
        var wheel = TimerWheel(capacity: 0)
        for index in 0..<300 as Range<UInt32> {
            wheel.reserve(capacity: Int(index) + 1)
            wheel.schedule(index, at: Tick(UInt64(index) * 1000 + 1))
        }
        wheel.reserve(capacity: 10)
        let capacity = wheel.capacity
        #expect(capacity == 300)
        wheel.advance(to: Tick(1_000_000))
        var popped: [UInt32] = []
        while let index = wheel.popExpired() { popped.append(index) }
        #expect(popped == Array(0..<300))
    }

    @Test("The present never goes back")
    func backwards() {
        var wheel = TimerWheel(capacity: 1)
        wheel.advance(to: Tick(500))
        wheel.advance(to: Tick(10))
        wheel.schedule(0, at: Tick(400))
        let wakeUp = wheel.nextWakeUp
        #expect(wakeUp == Tick(500))
    }

    @Test("Whatever is done to it, it agrees with a plain list of deadlines", arguments: 1...40 as ClosedRange<UInt64>)
    func model(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var wheel = TimerWheel(capacity: 40)
        var model = Model()
        for _ in 0..<3000 {
            let index = random.below(40)
            switch random.below(10) {
            case 0..<4:
                let deadline = model.someTick(using: &random)
                wheel.schedule(index, at: Tick(deadline))
                model.schedule(index, at: deadline)
            case 4:
                wheel.cancel(index)
                model.deadlines[index] = nil
            case 5:
                // A worker that has work to do stops before it has popped everything.
                for _ in 0..<random.below(3) {
                    guard let popped = wheel.popExpired() else { break }
                    let wasDue = model.pop(popped)
                    #expect(wasDue, "timer \(popped) was popped")
                }
            default:
                let wakeUp = wheel.nextWakeUp?.count
                let target = random.below(3) > 0 ? wakeUp ?? model.present : model.someTick(using: &random)
                model.advance(to: target)
                wheel.advance(to: Tick(target))
                let rearms = random.below(2) == 0
                while let popped = wheel.popExpired() {
                    let wasDue = model.pop(popped)
                    #expect(wasDue, "timer \(popped) was popped")
                    guard rearms else { continue }
                    let (other, deadline) = (random.below(40), model.someTick(using: &random))
                    wheel.cancel(other)
                    model.deadlines[other] = nil
                    wheel.schedule(popped, at: Tick(deadline))
                    model.schedule(popped, at: deadline)
                }
                #expect(!model.hasDue, "a timer that is due was not popped")
            }
            // Then both say the same of every timer, and nobody oversleeps
            let deadlines = (0..<40 as Range<UInt32>).map { wheel.deadline(of: $0)?.count }
            #expect(deadlines == (0..<40).map { model.deadlines[$0] })
            let (wakeUp, earliest) = (wheel.nextWakeUp?.count, model.deadlines.values.min())
            if let earliest {
                #expect(wakeUp.map { $0 <= max(earliest, model.present) } == true)
            } else if let wakeUp, wakeUp <= model.present {
                // Left over from timers that were cancelled: asked once, the wheel forgets it.
                #expect(wheel.popExpired() == nil)
                #expect(wheel.nextWakeUp == nil)
            }
        }
    }

    /// Timers without any structure.
    struct Model {
        var present: UInt64 = 0
        var deadlines: [UInt32: UInt64] = [:]
        /// Scheduled for the present or the past since the last advance.
        var late: Set<UInt32> = []

        var hasDue: Bool { deadlines.contains { $0.value <= present && !late.contains($0.key) } }

        mutating func schedule(_ index: UInt32, at deadline: UInt64) {
            deadlines[index] = deadline
            late.remove(index)
            if deadline <= present { late.insert(index) }
        }

        mutating func advance(to tick: UInt64) {
            present = max(present, tick)
            late = []
        }

        /// Whether the timer could be popped.
        mutating func pop(_ index: UInt32) -> Bool {
            guard !late.contains(index), let deadline = deadlines.removeValue(forKey: index) else { return false }
            return deadline <= present
        }

        /// A tick near the present, near a boundary, at an existing deadline or anywhere.
        func someTick(using random: inout SeededRandom) -> UInt64 {
            switch random.below(6) {
            case 0: return present + UInt64(random.below(10))
            case 1: return present - min(present, UInt64(random.below(300)))
            case 2: return present + TimerWheelTests.boundaries[Int(random.below(12))]
            case 3: return (present | 0xFFFF) + UInt64(random.below(3))
            case 4: return deadlines[random.below(40)] ?? present + 1
            default: return present + random.next() >> (28 + random.below(36))
            }
        }
    }
}

@Suite("Ticks")
struct TickTests {
    @Test(
        "The present is rounded down and a deadline up",
        arguments: [(0, 0, 0), (1, 0, 1), (999_999, 0, 1), (1_000_000, 1, 1), (1_000_001, 1, 2), (-5, 0, 0)]
            as [(Int64, UInt64, UInt64)])
    func rounding(nanoseconds: Int64, containing: UInt64, notBefore: UInt64) {
        let instant = Instant(nanoseconds: nanoseconds)
        #expect(Tick(containing: instant).count == containing)
        #expect(Tick(notBefore: instant).count == notBefore)
    }

    @Test("The end of time has a tick, which begins at the end of time")
    func endOfTime() {
        let tick = Tick(notBefore: Instant(nanoseconds: .max))
        #expect(tick.count == 9_223_372_036_855)
        #expect(tick.start == Instant(nanoseconds: .max))
        #expect(Tick(.max).start == Instant(nanoseconds: .max))
        #expect(Tick(3).start == Instant(nanoseconds: 3_000_000))
    }
}
