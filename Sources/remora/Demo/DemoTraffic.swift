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

final class DemoTraffic: Sendable {
    static let service = Duration.milliseconds(50)
    static let load = 0.7
    /// Requests of one load that may be under way; an act's queue has some hundred.
    private static let mostConnections = 2000

    private struct State {
        var tally = DemoTally()
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
                        state.withLock { $0.tally.take(news, of: subject) }
                    }
                } catch {
                    state.withLock { $0.fault = "the clients stopped: \(error)" }
                }
            }
        }
    }

    func stop() { state.withLock { $0.isOver = true } }

    /// - Throws: where the clients have stopped, in both.
    func takeAct() throws -> DemoComparison { try take { $0.takeAct() } }

    func takeLook() throws -> DemoComparison { try take { $0.takeLook() } }

    private func take(_ figures: (inout DemoTally) -> DemoComparison) throws -> DemoComparison {
        try state.withLock { state in
            if let fault = state.fault { throw RunFailure(description: fault) }
            return figures(&state.tally)
        }
    }
}
