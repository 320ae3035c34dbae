import Testing
import Vocabulary

@testable import Node

@Suite("Which of many alike are written")
struct RateLimiterTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private let interval = RateLimiter<String>.interval

    @Test("The first of a key is written at once, the next are counted, each key by itself")
    func first() {
        let limiter = Shared<String>()
        #expect(limiter.admits("a", at: start))
        #expect(!limiter.admits("a", at: start + interval))
        #expect(limiter.admits("b", at: start))
    }

    @Test("What was left out is due once, after an interval, in the order in which keys came")
    func due() {
        let limiter = Shared<String>()
        for key in ["z", "a", "m", "z", "a", "z"] { _ = limiter.admits(key, at: start) }
        #expect(limiter.due(at: start + (interval - .nanoseconds(1))).isEmpty)
        let due = limiter.due(at: start + interval)
        #expect(due.map(\.key) == ["z", "a"])
        #expect(due.map(\.leftOut) == [2, 1])
        #expect(limiter.due(at: start + interval).isEmpty)
    }

    @Test("A key that goes on is written once an interval, however often it comes")
    func steady() {
        let limiter = Shared<String>()
        var (written, counted) = (0, 0)
        for millisecond in 0..<20_000 {
            let now = start + .milliseconds(millisecond)
            if limiter.admits("a", at: now) { (written, counted) = (written + 1, counted + 1) }
            for (_, leftOut) in limiter.due(at: now) { (written, counted) = (written + 1, counted + leftOut) }
        }
        #expect(written == 4)
        // Those of the last interval are still to be told.
        #expect(counted == 15_001)
    }

    @Test("A key that was silent for an interval is forgotten, and written at once when it comes back")
    func forgotten() {
        let limiter = Shared<String>()
        #expect(limiter.admits("a", at: start))
        #expect(limiter.due(at: start + interval).isEmpty)
        #expect(limiter.admits("a", at: start + interval))
    }

    @Test("It remembers a bounded number of keys; one more is left out until others are forgotten")
    func capacity() {
        let limiter = Shared<Int>()
        for key in 0..<RateLimiter<Int>.capacity { #expect(limiter.admits(key, at: start)) }
        #expect(!limiter.admits(-1, at: start))
        _ = limiter.due(at: start + interval)
        #expect(limiter.admits(-1, at: start + interval))
    }

    /// A reference to a limiter, which `#expect` can ask without a copy.
    private final class Shared<Key: Hashable> {
        private var limiter = RateLimiter<Key>()
        func admits(_ key: Key, at now: Instant) -> Bool { limiter.admits(key, at: now) }
        func due(at now: Instant) -> [(key: Key, leftOut: Int)] { limiter.due(at: now) }
    }
}
