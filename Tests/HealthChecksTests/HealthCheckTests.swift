// One service's health by virtual time.

import Testing
import Vocabulary

@testable import HealthChecks

@Suite("A health check")
struct HealthCheckTests {
    private static let start = Instant(nanoseconds: 1_000_000_000_000)

    private func check(
        fall: Int = 3, rise: Int = 2, from state: HealthCheck.State = .unknown, seed: UInt64 = 1
    ) -> HealthCheck {
        var random = SeededRandom(seed: seed)
        return HealthCheck(
            HealthCheckOptions(probe: .tcp, fall: fall, rise: rise), from: state, at: HealthCheckTests.start,
            random: &random)
    }

    /// `+` for passed, `-` for failed, `?` for inconclusive → `U`, `P` or `F` after each.
    private func trace(_ results: String, _ check: HealthCheck) -> String {
        var check = check
        return results.map { result in
            let before = check.state
            let hasChanged =
                switch result {
                case "+": check.finish(.passed)
                case "-": check.finish(.failed("no"))
                default: check.finish(.inconclusive)
                }
            #expect(hasChanged == (before != check.state))
            return
                switch check.state
            {
            case .unknown: "U"
            case .passing: "P"
            case .failing: "F"
            }
        }.joined()
    }

    @Test(
        "The first result decides alone; then fall failures or rise passes in a row do",
        arguments: [
            (3, 2, "+", "P"), (3, 2, "-", "F"), (3, 2, "--", "FF"), (3, 2, "-+", "FF"), (3, 2, "-++", "FFP"),
            (3, 2, "-+-++", "FFFFP"), (3, 2, "+--", "PPP"), (3, 2, "+---", "PPPF"), (3, 2, "+--+--", "PPPPPP"),
            (3, 2, "+--+---", "PPPPPPF"), (1, 1, "+-+-", "PFPF"), (1, 3, "-++-+++", "FFFFFFP"),
        ])
    func streaks(fall: Int, rise: Int, results: String, states: String) {
        #expect(trace(results, check(fall: fall, rise: rise)) == states)
    }

    @Test(
        "A check that could not be carried out neither counts nor breaks a streak",
        arguments: [("?", "U"), ("??+", "UUP"), ("+-?-?-", "PPPPPF"), ("-+?+", "FFFP")])
    func inconclusive(results: String, states: String) {
        #expect(trace(results, check()) == states)
    }

    @Test("What is known beforehand is where it starts")
    func knownState() {
        #expect(trace("+", check(rise: 1, from: .failing("refused"))) == "P")
        #expect(trace("--", check(fall: 2, from: .passing)) == "PF")
    }

    @Test("While it fails the latest reason is shown, and that is no change")
    func reasons() {
        var check = check()
        let changes = [check.finish(.failed("GET / answered 503")), check.finish(.failed("GET / answered 500"))]
        #expect(changes == [true, false])
        #expect(check.state == .failing("GET / answered 500"))
    }

    @Test("First checks begin within a moment, and not all in the same one", arguments: UInt64(0)..<20)
    func firstDue(seed: UInt64) {
        let wait = check(seed: seed).due - HealthCheckTests.start
        #expect(wait >= .zero && wait <= .milliseconds(100))
        #expect(wait != check(seed: seed + 100).due - HealthCheckTests.start)
    }

    @Test("Checks begin an interval apart, however long they take, and are over after their time-out")
    func cadence() {
        var check = check()
        var now = check.due
        for _ in 0..<5 {
            let deadline = check.begin(at: now)
            #expect(deadline == now + .milliseconds(500))
            #expect(check.due == now + .seconds(2))
            _ = check.finish(.passed)
            #expect(check.due == now + .seconds(2))
            now = check.due
        }
    }

    @Test("A refused connection fails it at once, and it is asked again soon")
    func refusal() {
        var check = check()
        let now = HealthCheckTests.start + .seconds(10)
        _ = check.begin(at: now)
        _ = check.finish(.passed)
        let hasChanged = check.fail(because: "connect to 127.0.0.1:9000 refused", at: now)
        #expect(hasChanged)
        #expect(check.state == .failing("connect to 127.0.0.1:9000 refused"))
        #expect(check.due == now + HealthCheck.pauseAfterRefusal)
        // Said again, by another worker, it is no news and puts nothing off.
        let hasChangedAgain = check.fail(because: "connect refused", at: now + .milliseconds(50))
        #expect(!hasChangedAgain)
        #expect(check.due == now + HealthCheck.pauseAfterRefusal)
        #expect(trace("++", check) == "FP")
    }

    @Test("A refusal breaks a streak of passes")
    func refusalBreaksStreak() {
        var check = check(rise: 2, from: .failing("x"))
        let changes = [
            check.finish(.passed), check.fail(because: "refused", at: HealthCheckTests.start), check.finish(.passed),
            check.finish(.passed),
        ]
        #expect(changes == [false, false, false, true])
    }

    @Test("It can be hastened, never put off")
    func hasten() {
        var check = check()
        let due = check.due
        check.hasten(to: due + .seconds(1))
        #expect(check.due == due)
        check.hasten(to: HealthCheckTests.start)
        #expect(check.due == HealthCheckTests.start)
    }
}
