// Workers' notices as log lines, at a bounded rate.
//
// A notice becomes text only if it is written: when every endpoint is down, each
// client that comes is a notice, and the control thread has better things to do
// than to format lines that nobody will read.

import Logging
import Proxy
import Reactor
import TLS
import Upstreams
import Vocabulary

/// Writes what workers had to say.
struct NoticeLog {
    private let logger: Logger
    /// What a listener is called, by the number that a notice bears; nil for one that is gone since.
    private let nameOfListener: (Int) -> String?
    private var limiter = RateLimiter<Topic>()
    private var lossLimiter = RateLimiter<Bool>()
    /// Whether the log's last word on accepting is that it pauses.
    private var saidPaused = false

    init(logger: Logger, nameOfListener: @escaping (Int) -> String?) {
        self.nameOfListener = nameOfListener
        self.logger = logger
    }

    /// Takes the workers' notices and writes those that are due. To be called now and then, notices or not.
    /// - Parameter heed: is told each of them as well.
    mutating func write(from plane: DataPlane, at now: Instant, heed: (Notice) -> Void) {
        let set = plane.upstreams
        let lost = plane.takeNotices { notice in
            heed(notice)
            write(notice, of: set, at: now)
        }
        writeLoss(of: lost, at: now)
        writeLeftOut(of: set, at: now)
        if !plane.acceptIsPaused, plane.drainStage == .serving { writeRecovery() }
    }

    /// One notice, if its like was not written of late.
    /// - Parameter set: the upstreams that the notice speaks of.
    mutating func write(_ notice: Notice, of set: UpstreamSet, at now: Instant) {
        switch notice.kind {
        case .acceptPaused:
            // Every worker runs short at the same time and says so; it is one shortage.
            guard !saidPaused else { return }
            saidPaused = true
        case .acceptResumed:
            // One worker has recovered; what matters is when the last has.
            return
        case .endpointAnswered:
            return
        case .connectFailed, .endpointReset, .instanceRefused, .listenFailed, .noEndpoint, .listenerFull, .badPreface,
            .handshakeRefused, .handshakeFailed, .heldBytesExhausted:
            guard limiter.admits(Topic(notice), at: now) else { return }
        }
        let (level, text) = line(about: Topic(notice), of: set)
        // Of many alike, one client's address is an example.
        let client = notice.peer.map { " (client \($0))" } ?? ""
        logger.log(level: level, "\(text)\(client)")
    }

    /// How many of each kind were left out, where an interval is over.
    mutating func writeLeftOut(of set: UpstreamSet, at now: Instant) {
        for (topic, leftOut) in limiter.due(at: now) {
            let (level, text) = line(about: topic, of: set)
            logger.log(level: level, "\(text) (\(leftOut) more times since)")
        }
    }

    /// To be called when no worker is short of anything.
    mutating func writeRecovery() {
        guard saidPaused else { return }
        saidPaused = false
        logger.notice("accepting goes on: no shortage of descriptors or memory for a while")
    }

    private mutating func writeLoss(of notices: UInt64, at now: Instant) {
        _ = lossLimiter.due(at: now)
        guard notices > 0, lossLimiter.admits(true, at: now) else { return }
        logger.warning("workers had more to say than could be taken: some notices are missing; counters miss nothing")
    }

    private func line(about topic: Topic, of set: UpstreamSet) -> (level: Logger.Level, text: String) {
        let listener = nameOfListener(Int(topic.listener)) ?? "that is closed"
        let upstream = set.upstreams[Int(topic.upstream)]
        let name = upstream.options.name
        let error = SystemError(code: topic.detail)
        switch topic.kind {
        case .connectFailed, .endpointReset, .endpointAnswered:
            let address = address(of: topic, in: upstream)
            let what =
                topic.kind == .connectFailed
                ? "did not accept a connection: \(error)" : "reset a connection before it had answered"
            return (.warning, "upstream \(name): \(address) \(what)")
        case .instanceRefused:
            return (
                .error,
                "listener \(listener): the local instance did not accept a connection: \(error); callers are refused until it does"
            )
        case .listenFailed:
            return (.error, "listener \(listener) cannot accept again: \(error)")
        case .noEndpoint:
            return (
                .error,
                "upstream \(name): no endpoint could be given to a client of listener \(listener); it was closed"
            )
        case .listenerFull:
            return (.warning, "listener \(listener): a client was closed: the listener has max_connections already")
        case .badPreface:
            let why =
                topic.detail == 0 ? "it sent no valid PROXY header first" : "its PROXY header did not come in time"
            return (.warning, "listener \(listener): a client was closed: \(why)")
        case .handshakeRefused:
            let why = topic.fault.map { "\($0)" } ?? "it did not come to an end in time"
            return (.warning, "listener \(listener): a client was closed in the TLS handshake: \(why)")
        case .handshakeFailed:
            let why = topic.fault.map { "\($0)" } ?? "it did not come to an end in time"
            return (.warning, "upstream \(name): no TLS with \(address(of: topic, in: upstream)): \(why)")
        case .heldBytesExhausted:
            return (
                .error,
                "listener \(listener): a connection was aborted: no memory is left to hold bytes for slow readers"
            )
        case .acceptPaused, .acceptResumed:
            return (.error, "accepting pauses: \(error); raise the limit (ulimit -n) or lower max_connections")
        }
    }

    private func address(of topic: Topic, in upstream: UpstreamSnapshot) -> String {
        let endpoint = upstream.endpoints.first { $0.cell == topic.cell }
        return endpoint.map { "\($0.identity.address)" } ?? "an endpoint that is gone"
    }
}

/// What a notice's line says; two notices with the same topic have the same line.
private struct Topic: Hashable {
    var kind: Notice.Kind
    var listener: UInt32
    var upstream: UInt32
    /// Of the endpoint, where one is named.
    var cell: LoadCells.Index?
    var detail: Int32
    var fault: PipeFault?

    init(_ notice: Notice) {
        let namesEndpoint =
            notice.kind == .connectFailed || notice.kind == .endpointReset || notice.kind == .handshakeFailed
        kind = notice.kind
        // Which listener's client met a dead endpoint says nothing about the endpoint.
        listener = namesEndpoint ? 0 : notice.listener
        upstream = notice.upstream
        cell = namesEndpoint ? notice.cell : nil
        detail = notice.detail
        fault = notice.fault
    }
}
