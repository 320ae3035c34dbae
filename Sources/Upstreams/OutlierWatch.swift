// What this node has seen of one endpoint itself, and for how long that keeps connections away from it.
//
// A refused or unreachable connect is proof, and proof of this moment only: one second, doubled with every further one
// in a row, so that an instance that restarts is found again at once. A time-out or an early reset may be the network's
// or one request's fault, so only several in a row count, or a share of many; that verdict is slower to come and
// slower to go: `ejection`, twice that the next time, and so on (Envoy's rule, its bound of five included).
//
// Answers are not told one by one. Each worker counts them, and the counts are read only for an endpoint that has
// failed softly: at its first failure, which opens an interval, and at the interval's end. A healthy endpoint is never
// looked at. Not taken: intervals by the clock for all at once, which read every counter of 10,000 endpoints.

internal import Vocabulary

/// One endpoint, as seen from here.
struct OutlierWatch {
    /// How long the first refused connect keeps connections away.
    static let firstRefusal: Duration = .seconds(1)
    /// The longest ejection for soft failures, in multiples of the option; Envoy's (300 s to 60 s).
    static let longestMultiple = 5
    /// Connections in an interval, below which a percentage means nothing; Envoy's `failure_percentage_request_volume`.
    static let leastVolume: UInt64 = 50

    struct Ejection: Hashable {
        var until: Instant
        /// Whether ``OutlierOptions/maxEjectedPercent`` counts it.
        var isSoft: Bool
        /// A sentence.
        var reason: String
    }

    private struct Interval {
        var end: Instant
        var start: EndpointCounts
    }

    private(set) var ejection: Ejection?
    /// Refused connects in a row, without an answer between them, and when the last one's ejection ended.
    private var refusals = 0
    private var refusalsEnd: Instant?
    /// Soft ejections, forgotten one per interval in which there was none.
    private var verdicts = 0
    private var verdictsEnd: Instant?
    private var interval: Interval?
    /// Time-outs and resets since the last answer and since it was lifted. A worker's own row knows of neither an answer
    /// to another worker nor of the lifting.
    private var softFailures = 0

    /// When ``wake(at:options:hasRoom:counts:)`` has something to do.
    var nextWake: Instant? {
        switch (ejection?.until, interval?.end) {
        case (let until?, let end?): min(until, end)
        case (let one?, nil), (nil, let one?): one
        case (nil, nil): nil
        }
    }

    /// A failure seen during an ejection is part of what led to it, and prolongs nothing. An answer counts always.
    /// - Parameters:
    ///   - hasRoom: whether one more endpoint of the upstream may be ejected for soft failures.
    ///   - counts: read only where an interval begins.
    mutating func observe(
        _ kind: Observation.Kind, streak: Int, at now: Instant, options: OutlierOptions, hasRoom: Bool,
        counts: () -> EndpointCounts
    ) {
        switch kind {
        case .answered: (refusals, softFailures) = (0, 0)
        case .timedOut, .reset: softFailures += 1
        case .refused, .unreachable: break
        }
        guard ejection == nil else { return }
        switch kind {
        case .refused: refuse("It refused", at: now, options)
        case .unreachable: refuse("No route led to it for", at: now, options)
        case .timedOut, .reset:
            let row = min(streak, softFailures)
            if row >= options.consecutiveFailures {
                eject(
                    "\(row) connections in a row timed out or were reset before an answer", at: now, options,
                    hasRoom)
            } else if interval == nil {
                interval = Interval(end: now + options.interval, start: counts())
            }
        case .answered: break
        }
    }

    /// - Parameter counts: read only where an interval ends.
    mutating func wake(at now: Instant, options: OutlierOptions, hasRoom: Bool, counts: () -> EndpointCounts) {
        if let ejection, ejection.until <= now {
            if ejection.isSoft { verdictsEnd = ejection.until } else { refusalsEnd = ejection.until }
            self.ejection = nil
        }
        guard let ended = interval, ended.end <= now else { return }
        interval = nil
        let counts = counts()
        // Counts only grow; ones that did not are not these counts, and say nothing.
        guard counts.failed >= ended.start.failed, counts.answered >= ended.start.answered else { return }
        let failed = counts.failed - ended.start.failed
        let all = failed + counts.answered - ended.start.answered
        guard ejection == nil, all >= Self.leastVolume, failed * 100 > UInt64(options.failurePercent) * all else {
            return
        }
        eject(
            "\(failed) of \(all) connections failed within \(sentence(options.interval)), more than \(options.failurePercent) %",
            at: now, options, hasRoom)
    }

    /// Forgets everything: its member has come back, and is another process.
    mutating func lift() { self = OutlierWatch() }

    private mutating func refuse(_ what: String, at now: Instant, _ options: OutlierOptions) {
        // Whoever has been left in peace for an interval starts anew, told to have answered or not.
        if let end = refusalsEnd, now - end >= options.interval { refusals = 0 }
        refusals += 1
        var length = Self.firstRefusal
        for _ in 1..<refusals where length < options.ejection { length *= 2 }
        // The option bounds what doubling makes of it; the first second stands, however short the option.
        length = refusals == 1 ? Self.firstRefusal : max(Self.firstRefusal, min(length, options.ejection))
        let connects = refusals == 1 ? "a connect" : "\(refusals) connects in a row"
        // Each costs a second at least, and doubling has long ended.
        refusals = min(refusals, 1000)
        ejection = Ejection(
            until: now + length, isSoft: false,
            reason: "\(what) \(connects), and it is left alone for \(sentence(length)).")
    }

    private mutating func eject(_ what: String, at now: Instant, _ options: OutlierOptions, _ hasRoom: Bool) {
        guard hasRoom else { return }
        if let end = verdictsEnd, options.interval > .zero {
            let calm = (now - end).wholeNanoseconds / max(1, options.interval.wholeNanoseconds)
            verdicts = max(0, verdicts - Int(clamping: calm))
        }
        verdicts = min(verdicts + 1, Self.longestMultiple)
        let length = options.ejection * verdicts
        ejection = Ejection(
            until: now + length, isSoft: true, reason: "\(what); it is left alone for \(sentence(length)).")
        interval = nil
    }
}

/// A duration as a sentence says it: `1 s`, `2.5 s`, `250 ms`.
func sentence(_ duration: Duration) -> String {
    let milliseconds = duration.wholeNanoseconds / 1_000_000
    if milliseconds < 1000 { return "\(milliseconds) ms" }
    let tenths = milliseconds / 100
    return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
}
