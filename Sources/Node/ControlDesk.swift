// What other threads may know of the control thread, and ask of it.
//
// The admin port answers /ready and /live from here, so neither is held up by
// anything: a lock around one word, and a time.

import Reactor
import Synchronization
import Vocabulary

final class ControlDesk: Sendable {
    /// The longest the control thread may fail to turn before ``liveness(at:)`` says so; it turns once a second.
    static let longestSilence = Duration.seconds(10)

    let wake: Wake
    /// What `/ready` answers: nil while starting.
    private let stage = Mutex<(stage: NodeStage, notes: [String])?>(nil)
    /// When the control loop last turned, in nanoseconds.
    private let lastTurn: Atomic<Int64>

    init(at now: Instant) throws(SystemError) {
        wake = try Wake()
        lastTurn = Atomic(now.nanoseconds)
    }

    /// The control loop's word at each of its turns.
    /// - Parameter notes: what an operator should know though it keeps the node from nothing.
    func show(_ stage: NodeStage, notes: [String] = [], at now: Instant) {
        self.stage.withLock { $0 = (stage, notes) }
        lastTurn.store(now.nanoseconds, ordering: .relaxed)
    }

    /// Whether this node should be sent traffic, and why.
    var readiness: (ready: Bool, line: String) {
        guard let (stage, notes) = stage.withLock({ $0 }) else { return (false, "starting") }
        return switch stage {
        case .serving: (true, (["ready"] + notes).joined(separator: "; "))
        case .announcing: (false, "draining: the fleet is being told")
        case .closingListeners: (false, "draining: listeners are being closed")
        case .finishing(let left): (false, "draining: \(left) connection\(left == 1 ? "" : "s") left")
        case .leaving: (false, "drained: leaving the fleet")
        case .over: (false, "drained")
        }
    }

    /// Whether the control thread turns, and if not, since when.
    func liveness(at now: Instant) -> (live: Bool, line: String) {
        let silence = now - Instant(nanoseconds: lastTurn.load(ordering: .relaxed))
        return silence < Self.longestSilence
            ? (true, "live") : (false, "the control thread has not turned for \(silence.components.seconds) s")
    }
}
