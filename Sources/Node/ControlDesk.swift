// What other threads may know of the control thread, and ask of it.
//
// The admin port answers /ready and /live from here, so neither is held up by
// anything: a lock around one word, and a time. What it is asked to do waits here
// for the control thread's next turn.

import Reactor
import Stats
import Synchronization
import Vocabulary

/// What an operator asks of the control thread.
enum ControlRequest: Sendable {
    case drain, undrain, reload
}

final class ControlDesk: Sendable {
    /// The longest the control thread may fail to turn before ``liveness(at:)`` says so; it turns once a second.
    static let longestSilence = Duration.seconds(10)

    let wake: Wake
    /// What `/ready` answers: nil while starting.
    private let stage = Mutex<(stage: NodeStage, notes: [String])?>(nil)
    /// When the control loop last turned, in nanoseconds.
    private let lastTurn: Atomic<Int64>
    /// Requests that wait at most; one more is refused.
    static let depth = 16
    typealias Waiting = (request: ControlRequest, answer: @Sendable (CommandReport) -> Void)
    /// Nil: nobody looks any more.
    private let requests = Mutex<[Waiting]?>([])

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

    /// Where this node stands, in a word and in a line.
    var report: StageReport {
        let (ready, line) = readiness
        return StageReport(name: stage.withLock { $0?.stage.word } ?? "starting", ready: ready, line: line)
    }

    /// Whether this node should be sent traffic, and why.
    var readiness: (ready: Bool, line: String) {
        guard let (stage, notes) = stage.withLock({ $0 }) else { return (false, "starting") }
        return switch stage {
        case .serving: (true, (["ready"] + notes).joined(separator: "; "))
        case .drained: (false, "drained: no connection is left; POST /undrain takes it back")
        case .announcing: (false, "draining: the fleet is being told")
        case .closingListeners: (false, "draining: listeners are being closed")
        case .finishing(let left): (false, "draining: \(left) connection\(left == 1 ? "" : "s") left")
        case .leaving: (false, "drained: leaving the fleet")
        case .over: (false, "drained")
        }
    }

    // MARK: Requests

    /// Has the control thread do something, and waits until it is done.
    func ask(_ request: ControlRequest) async -> CommandReport {
        await withCheckedContinuation { continuation in
            let isTaken = requests.withLock { requests in
                guard let waiting = requests, waiting.count < Self.depth else { return false }
                let answer: @Sendable (CommandReport) -> Void = { continuation.resume(returning: $0) }
                requests = waiting + [(request, answer)]
                return true
            }
            if isTaken {
                wake.signal()
            } else {
                continuation.resume(
                    returning: CommandReport(
                        .unavailable, "This remora is ending, or has \(Self.depth) requests to do before."))
            }
        }
    }

    /// What was asked since this was last called.
    func takeRequests() -> [Waiting] {
        requests.withLock { requests in
            defer { if requests != nil { requests = [] } }
            return requests ?? []
        }
    }

    /// From now on nobody looks; who waits is told so.
    func close() {
        let waiting = requests.withLock { requests in
            defer { requests = nil }
            return requests ?? []
        }
        for (_, answer) in waiting { answer(CommandReport(.unavailable, "This remora is ending.")) }
    }

    /// Whether the control thread turns, and if not, since when.
    func liveness(at now: Instant) -> (live: Bool, line: String) {
        let silence = now - Instant(nanoseconds: lastTurn.load(ordering: .relaxed))
        return silence < Self.longestSilence
            ? (true, "live") : (false, "the control thread has not turned for \(silence.components.seconds) s")
    }
}

extension NodeStage {
    /// As `GET /stats` and events call it.
    var word: String {
        switch self {
        case .serving: "serving"
        case .announcing: "announcing"
        case .closingListeners: "closing"
        case .finishing: "finishing"
        case .drained: "drained"
        case .leaving: "leaving"
        case .over: "over"
        }
    }
}
