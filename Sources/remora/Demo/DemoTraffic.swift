// The clients of the demo: two loads of the same requests at the same moments, and what has become of them.

import Reactor
import Rig
import Synchronization
import Vocabulary

/// Two ways to choose an instance, each with an upstream and instances of its own: neither is in the other's queues.
enum DemoSubject: CaseIterable, Sendable {
    case fleet, turns

    var upstream: String {
        switch self {
        case .fleet: "shop"
        case .turns: "shop-rr"
        }
    }

    var title: String {
        switch self {
        case .fleet: "fleet load"
        case .turns: "round robin"
        }
    }
}

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
}

final class DemoTraffic: Sendable {
    static let service = Duration.milliseconds(50)
    static let load = 0.7
    /// Requests of one load that may be under way; an act's queue has some hundred.
    private static let mostConnections = 2000

    private struct State {
        /// Since the act began, and since somebody last looked.
        var act = DemoComparison()
        var look = DemoComparison()
        var fault: String?
        var isOver = false
    }

    private let state = Mutex(State())

    /// Sends until the process ends, or ``stop()``.
    /// - Parameter listeners: of each subject, by node that has clients.
    func start(_ listeners: [DemoSubject: [SocketAddress]], instances: Int, seed: UInt64) {
        // Later than now: the first requests are not late.
        let start = Kernel.now() + .milliseconds(50)
        let shape = FleetShape(instances: instances, service: Self.service, slowShare: 0)
        for (subject, listeners) in listeners {
            let requests = PoissonArrivals(shape, nodes: listeners.count, load: Self.load, seed: seed)
            KernelThread.start(name: "clients") { [self] in
                let load = OpenLoad(patience: .zero, mostConnections: Self.mostConnections)
                do {
                    try load.run(requests, to: listeners, from: start, while: { state.withLock { !$0.isOver } }) {
                        news in
                        state.withLock {
                            $0.act[subject].take(news)
                            $0.look[subject].take(news)
                        }
                    }
                } catch {
                    state.withLock { $0.fault = "the clients stopped: \(error)" }
                }
            }
        }
    }

    func stop() { state.withLock { $0.isOver = true } }

    /// What has been since the last call, and so for ``takeLook()``.
    func takeAct() throws -> DemoComparison { try take(\.act) }

    func takeLook() throws -> DemoComparison { try take(\.look) }

    private func take(_ path: WritableKeyPath<State, DemoComparison>) throws -> DemoComparison {
        try state.withLock { state in
            if let fault = state.fault { throw RunFailure(description: fault) }
            var taken = DemoComparison()
            for subject in DemoSubject.allCases { taken[subject] = state[keyPath: path][subject].turn() }
            return taken
        }
    }
}
