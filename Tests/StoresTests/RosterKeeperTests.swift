import Testing
import Vocabulary

@testable import Stores

private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: 1_000_000_000_000 + Int64(seconds * 1e9)) }

private func keeper(endpoints: Int = 1, seed: UInt64 = 1) -> RosterKeeper {
    RosterKeeper(of: "etcd", endpoints: endpoints, random: SeededRandom(seed: seed), at: at(0))
}

extension RosterKeeper {
    /// What has changed; to be there.
    fileprivate mutating func news() throws -> RosterUpdate {
        let update = takeUpdate()
        return try #require(update)
    }
}

@Suite("The keeper of the roster")
struct RosterKeeperTests {
    @Test("Before anything is known nobody is listed, and the reason is said as an error")
    func unknown() throws {
        var keeper = keeper()
        let first = try keeper.news()
        #expect(!first.isKnown && first.isStale && first.names.isEmpty && first.notices.isEmpty)
        #expect(
            first.standing.sentence(at: at(1))
                == "no roster is known, so no member is listed; etcd has not answered yet")
        _ = keeper.failed("no route", at: at(3))
        let second = try keeper.news()
        let sentence = "no roster is known, so no member is listed; etcd has given no roster for 3.0 s: no route"
        #expect(second.notices == [RosterNotice(.error, sentence)])
        #expect(keeper.takeUpdate() == nil)
    }

    @Test("A roster holds however long its source is silent, and the sentence tells both ages")
    func holds() throws {
        var keeper = keeper()
        keeper.read(["a", "b"], revision: 57, at: at(10))
        keeper.confirmed(at: at(20))
        #expect(keeper.standing.sentence(at: at(21)) == "the roster of revision 57 of etcd lists 2 members")
        _ = keeper.failed("it took too long", at: at(32))
        let update = try keeper.news()
        #expect(update.names == ["a", "b"] && update.version == 1 && update.isStale && update.isKnown)
        #expect(
            update.standing.sentence(at: at(32))
                == "etcd has given no roster for 12.0 s: it took too long; the roster of revision 57, confirmed 12.0 s ago, holds (2 members)"
        )
        // A year later it still does
        for hour in 0..<8760 { _ = keeper.failed("it took too long", at: at(Double(hour) * 3600 + 100)) }
        #expect(keeper.names == ["a", "b"])
        #expect(keeper.standing.sentence(at: at(8760 * 3600)).contains("for 364 days 23 h: "))
    }

    @Test("A copy from disk holds until the source has been read, and is never newer than it")
    func copy() throws {
        var keeper = keeper()
        keeper.restore(.init(names: ["a"], revision: 9), age: .seconds(7200), at: at(0))
        let kept = try keeper.news()
        #expect(kept.names == ["a"] && kept.isKnown && kept.isStale)
        #expect(
            kept.notices.map(\.text) == [
                "etcd has not answered yet; the roster of revision 9, kept on disk 2 h 0 min ago, holds (1 member)"
            ])
        // What was read from disk is not written to it
        #expect(keeper.takeCopy(at: at(10_000)) == nil)
        keeper.confirmed(at: at(1))
        #expect(keeper.standing.isStale)
        // The same names are no change, but news of their standing
        keeper.read(["a"], revision: 12, at: at(2))
        let fresh = try keeper.news()
        #expect(!fresh.isStale && fresh.version == kept.version)
        #expect(keeper.takeCopy(at: at(2)) == .init(names: ["a"], revision: 12))
    }

    @Test("A clock that was set back makes no copy from the future")
    func clock() {
        var keeper = keeper()
        keeper.restore(.init(names: ["a"], revision: nil), age: .seconds(-50), at: at(0))
        #expect(keeper.standing.sentence(at: at(0)).contains("kept on disk 0 ms ago"))
    }

    @Test("Changes are told by name, a few of them, and an empty roster as a warning")
    func changes() throws {
        var keeper = keeper()
        keeper.read(["a"], revision: 1, at: at(1))
        _ = keeper.takeUpdate()
        keeper.read(Set((0..<7).map { "n\($0)" }), revision: 2, at: at(2))
        let update = try keeper.news()
        #expect(
            update.notices == [
                RosterNotice(
                    .notice,
                    "the roster of revision 2 of etcd lists 7 members; listed: n0, n1, n2, n3, n4 and 2 more; no longer listed: a"
                )
            ])
        keeper.read([], revision: 3, at: at(3))
        #expect(try keeper.news().notices.map(\.level) == [.warning])
    }

    @Test("Confirmations are no news, so that nobody is woken for them")
    func quiet() {
        var keeper = keeper()
        keeper.read(["a"], revision: 1, at: at(1))
        _ = keeper.takeUpdate()
        for second in 2..<100 { keeper.confirmed(at: at(Double(second))) }
        #expect(keeper.takeUpdate() == nil)
        #expect(keeper.standing.holding?.confirmed == at(99))
    }

    // MARK: Attempts

    @Test(
        "Pauses double up to the longest, each with up to half of it left out", arguments: 1...20 as ClosedRange<UInt64>
    )
    func backoff(seed: UInt64) {
        var keeper = keeper(seed: seed)
        for attempt in 0..<12 {
            let longest = min(15, 0.25 * Double(1 << attempt))
            let pause = (keeper.failed("no", at: at(0)) - at(0)).inSeconds
            #expect(pause > longest / 2 - 0.001 && pause <= longest)
        }
    }

    @Test("Two nodes do not come back at the same moments")
    func jitter() {
        var (one, other) = (keeper(seed: 1), keeper(seed: 2))
        #expect((0..<6).map { _ in one.failed("no", at: at(0)) } != (0..<6).map { _ in other.failed("no", at: at(0)) })
    }

    @Test("Each endpoint has its turn before there is a pause, and before it is the source's trouble")
    func endpoints() {
        var keeper = keeper(endpoints: 3)
        for round in 0..<3 {
            #expect(keeper.failed("one", at: at(1)) == at(1))
            #expect(keeper.failed("two", at: at(1)) == at(1))
            #expect((keeper.standing.trouble != nil) == (round > 0))
            #expect(keeper.failed("three", at: at(1)) > at(1))
            #expect(keeper.standing.trouble != nil)
        }
    }

    @Test("A source that can be read but not watched is paused for longer and longer; a steady one is not")
    func flapping() {
        var keeper = keeper(endpoints: 2)
        var longest = Duration.zero
        for number in 0..<30 {
            keeper.read(["a"], revision: Int64(number), at: at(0))
            longest = max(longest, keeper.failed("the watch", at: at(0)) - at(0))
        }
        #expect(longest > .seconds(7))
        keeper.confirmed(at: at(0))
        _ = keeper.failed("one", at: at(0))
        #expect(keeper.failed("two", at: at(0)) - at(0) <= .milliseconds(250))
    }

    @Test("Trouble is said at once, and again after 1, 2, 4 … minutes, not with each attempt")
    func reminders() {
        var keeper = keeper()
        keeper.read(["a"], revision: 1, at: at(0))
        _ = keeper.takeUpdate()
        var said: [Int] = []
        for second in 1...1000 {
            _ = keeper.failed(second.isMultiple(of: 2) ? "even" : "odd", at: at(Double(second)))
            if keeper.takeUpdate()?.notices.isEmpty == false { said.append(second) }
        }
        #expect(said == [1, 61, 181, 421, 901])
        // Over, it is said for how long it was; and the next trouble is new
        keeper.read(["a"], revision: 1, at: at(1001))
        #expect(keeper.takeUpdate()?.notices == [RosterNotice(.notice, "etcd answers again, after 16 min 41 s")])
        _ = keeper.failed("again", at: at(1002))
        #expect(keeper.takeUpdate()?.notices.count == 1)
    }

    @Test("Notices that nobody takes are bounded")
    func bounded() throws {
        var keeper = keeper()
        for number in 0..<1000 { keeper.read(["n\(number)"], revision: Int64(number), at: at(1)) }
        #expect(try keeper.news().notices.count == 64)
    }

    // MARK: The copy

    @Test("A copy is due at each change, and now and then to tell that the roster is still good")
    func copies() {
        var keeper = keeper()
        #expect(keeper.takeCopy(at: at(0)) == nil)
        keeper.read(["a"], revision: 1, at: at(1))
        #expect(keeper.takeCopy(at: at(1)) == .init(names: ["a"], revision: 1))
        keeper.confirmed(at: at(300))
        #expect(keeper.takeCopy(at: at(300)) == nil)
        keeper.confirmed(at: at(601))
        #expect(keeper.takeCopy(at: at(601)) != nil)
        keeper.read(["a", "b"], revision: 2, at: at(602))
        #expect(keeper.takeCopy(at: at(602)) == .init(names: ["a", "b"], revision: 2))
        // A silent source confirms nothing
        _ = keeper.failed("no", at: at(603))
        #expect(keeper.takeCopy(at: at(5000)) == nil)
        keeper.confirmed(at: at(5001))
        #expect(keeper.takeCopy(at: at(5001)) != nil)
    }

    @Test("A copy that could not be written is tried again a minute later")
    func failedCopy() {
        var keeper = keeper()
        keeper.read(["a"], revision: 1, at: at(1))
        _ = keeper.takeCopy(at: at(1))
        keeper.copyFailed("/x: No space left on device", at: at(1))
        #expect(keeper.takeUpdate()?.notices.last?.level == .error)
        #expect(keeper.takeCopy(at: at(60)) == nil)
        #expect(keeper.takeCopy(at: at(61)) != nil)
    }
}
