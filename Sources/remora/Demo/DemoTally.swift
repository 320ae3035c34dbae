// What has become of the demo's requests, as a value: the figures of an act and, while it lasts, of a look at it.

import Rig

/// What requests have met in a time.
struct DemoFigures: Sendable {
    /// Nanoseconds from the planned moments of those that were answered in it.
    var latencies: [Int64] = []
    var failed = 0
    /// How some of them did.
    var examples: [String] = []
    /// Those that had no answer at its end.
    var waiting = 0

    fileprivate mutating func take(_ news: LoadNews) {
        switch news {
        case .begun: waiting += 1
        case .answered(_, _, let nanoseconds):
            waiting -= 1
            latencies.append(nanoseconds)
        case .failed(_, let why):
            waiting -= 1
            failed += 1
            if examples.count < 3 { examples.append(why) }
        case .unanswered: waiting -= 1
        }
    }

    /// - Returns: what was there; begins another time.
    fileprivate mutating func turn() -> DemoFigures {
        defer { self = DemoFigures(waiting: waiting) }
        return self
    }
}

/// Figures of both, of the same time.
struct DemoComparison: Sendable {
    var fleet = DemoFigures()
    var turns = DemoFigures()

    subscript(subject: DemoSubject) -> DemoFigures {
        get {
            switch subject {
            case .fleet: fleet
            case .turns: turns
            }
        }
        set {
            switch subject {
            case .fleet: fleet = newValue
            case .turns: turns = newValue
            }
        }
    }

    fileprivate mutating func turn() -> DemoComparison {
        DemoComparison(fleet: fleet.turn(), turns: turns.turn())
    }
}

/// It keeps every latency of an act: whoever lets requests come takes an act now and then.
struct DemoTally: Sendable {
    private var act = DemoComparison()
    private var look = DemoComparison()

    mutating func take(_ news: LoadNews, of subject: DemoSubject) {
        act[subject].take(news)
        look[subject].take(news)
    }

    /// What has been since the last act. A look begins anew with it, and nothing is kept that was there.
    mutating func takeAct() -> DemoComparison {
        _ = look.turn()
        return act.turn()
    }

    /// What has been since the last look, of the same act.
    mutating func takeLook() -> DemoComparison { look.turn() }
}
