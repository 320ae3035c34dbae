import Testing
import Vocabulary

@Suite("Instants and durations")
struct InstantTests {
    @Test("A duration is cut to whole nanoseconds towards zero, and held at the ends of the range")
    func wholeNanoseconds() {
        let table: [(Duration, Int64)] = [
            (.zero, 0),
            (.nanoseconds(1), 1),
            (.nanoseconds(-1), -1),
            (.milliseconds(250), 250_000_000),
            (Duration(secondsComponent: 0, attosecondsComponent: 1_999_999_999), 1),
            (Duration(secondsComponent: 0, attosecondsComponent: -1_999_999_999), -1),
            (Duration(secondsComponent: -2, attosecondsComponent: -500_000_000_000_000_000), -2_500_000_000),
            (Duration(secondsComponent: 9_223_372_036, attosecondsComponent: 854_775_807_000_000_000), .max),
            (Duration(secondsComponent: 9_223_372_036, attosecondsComponent: 854_775_806_000_000_000), .max - 1),
            (Duration(secondsComponent: 9_223_372_036, attosecondsComponent: 854_775_808_000_000_000), .max),
            (Duration(secondsComponent: -9_223_372_036, attosecondsComponent: -854_775_808_000_000_000), .min),
            (.seconds(9_223_372_037), .max),
            (.seconds(-9_223_372_037), .min),
            (.seconds(Int64.max), .max),
            (.seconds(Int64.min), .min),
        ]
        for (duration, nanoseconds) in table {
            #expect(duration.wholeNanoseconds == nanoseconds, "\(duration)")
        }
    }

    @Test("Seconds come as a fraction")
    func inSeconds() {
        #expect(Duration.milliseconds(-1500).inSeconds == -1.5)
        #expect(Duration.nanoseconds(1).inSeconds == 1e-9)
    }

    @Test("A moment moves by a duration and differs by one")
    func arithmetic() {
        let start = Instant(nanoseconds: 5)
        #expect(start + .milliseconds(1) == Instant(nanoseconds: 1_000_005))
        #expect(start + .nanoseconds(-7) == Instant(nanoseconds: -2))
        #expect(Instant(nanoseconds: 12) - start == .nanoseconds(7))
        #expect(start < start + .nanoseconds(1))
    }

    @Test("The end of time is not passed, in either direction")
    func saturation() {
        let (end, beginning) = (Instant(nanoseconds: .max), Instant(nanoseconds: .min))
        #expect(Instant(nanoseconds: 1) + .seconds(Int64.max) == end)
        #expect(end + .nanoseconds(1) == end)
        #expect(beginning + .nanoseconds(-1) == beginning)
        #expect(end - Instant(nanoseconds: -1) == .nanoseconds(Int64.max))
        #expect(beginning - Instant(nanoseconds: 1) == .nanoseconds(Int64.min))
        #expect(end - end == .zero)
    }
}

@Suite("Sizes and weights")
struct QuantityTests {
    @Test("Sizes are counted in powers of 1024 and compared by bytes")
    func sizes() {
        #expect(ByteCount.kibibytes(64).bytes == 65_536)
        #expect(ByteCount.mebibytes(1) == .kibibytes(1024))
        #expect(ByteCount(1023) < .kibibytes(1))
    }

    @Test("Weights are compared by value; the usual one is 100")
    func weights() {
        #expect(Weight.standard.value == 100)
        #expect(Weight(1) < Weight(10_000))
    }
}
