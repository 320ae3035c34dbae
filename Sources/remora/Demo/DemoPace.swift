// How long the demo stays with each act of its story.
//
// An act ends when what it shows has been seen, which takes as long as it takes; so what is left is shared among those
// that are still to come, and a late one shortens them. A demo that goes on for longer has no longer story: the queue of
// the act with a slow node grows for as long as that lasts.

import Vocabulary

enum DemoAct: Int, CaseIterable, Sendable {
    case well, slow, killed, revived, drained

    /// What it is called in the table of all acts.
    var title: String {
        switch self {
        case .well: "all well"
        case .slow: "n5 slow"
        case .killed: "n5 killed"
        case .revived: "n5 back"
        case .drained: "n6 drained"
        }
    }

    /// Its part of the story.
    fileprivate var weight: Int {
        switch self {
        case .well: 4
        // Long enough for a queue to grow.
        case .slow: 6
        // Until it is dead to all.
        case .killed: 5
        case .revived: 4
        case .drained: 6
        }
    }
}

enum DemoPace {
    /// The whole demo with `--seconds`: a dead member is known for it after some five.
    static let shortest = Duration.seconds(20)
    /// From the first process to the last act, unless the whole demo is shorter.
    static let usual = Duration.seconds(60)
    /// An act with fewer requests would have no quantiles.
    static let shortestAct = Duration.seconds(1)

    /// How long the story takes in a demo of this length; nil: one without end.
    static func story(in length: Duration?) -> Duration { min(length ?? usual, usual) }

    /// - Parameter left: of the story, when this act begins.
    static func length(of act: DemoAct, left: Duration) -> Duration {
        let weights = DemoAct.allCases.filter { $0.rawValue >= act.rawValue }.map(\.weight).reduce(0, +)
        return max(shortestAct, left * act.weight / weights)
    }
}
