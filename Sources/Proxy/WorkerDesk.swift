// What a worker shares with the rest of the process: counters it writes and
// others read, a ring of notices, the listeners it is to have, and the commands of the control thread.

import Reactor
import Stats
import Synchronization
import Upstreams

/// How far a worker's shutdown has come, or is to go.
enum Phase: UInt8, AtomicRepresentable, Comparable {
    case serving
    /// Accept nothing more, let connections end by themselves.
    case draining
    /// Abort what is left and return.
    case ending

    static func < (a: Phase, b: Phase) -> Bool { a.rawValue < b.rawValue }
}

@safe
final class WorkerDesk: Sendable {
    let wake: Wake
    /// What the control thread wants.
    let wanted = Atomic<Phase>(.serving)
    /// Whether the worker has taken its listeners out of service.
    let hasStoppedAccepting = Atomic<Bool>(false)
    let acceptIsPaused = Atomic<Bool>(false)
    /// Handshakes with clients that this worker has begun.
    let handshakesBegun = Atomic<Int>(0)
    /// Answers to load probes that nobody waits for.
    let strayAnswers = Atomic<UInt64>(0)
    /// Turns of the loop in which connections were looked through for those whose endpoint's fate has turned.
    let sweepingTurns = Atomic<UInt64>(0)

    /// The listeners that the worker has not taken yet, owned by this place.
    private let listenerSet = unsafe Atomic<Unmanaged<ListenerSet>?>(nil)
    /// The version of those that it has.
    let adoptedListeners = Atomic<UInt64>(0)

    let notices = NoticeRing()
    let records: RecordDesk
    /// Wakes the control thread when the ring is no longer empty, or was not emptied.
    private let noticesArrived: @Sendable () -> Void

    let listeners: CounterTable
    let upstreams: CounterTable
    let endpoints: CounterTable
    let connectTimes: HistogramTable
    let firstByteTimes: HistogramTable
    let lifetimes: HistogramTable

    init(
        limits: ProxyLimits, cells: LoadCells, records: RecordDesk, noticesArrived: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        wake = try Wake()
        listeners = CounterTable(rows: limits.listeners, columns: ListenerColumn.allCases.count)
        upstreams = CounterTable(rows: limits.upstreams, columns: UpstreamColumn.allCases.count)
        endpoints = CounterTable(rows: cells.capacity, columns: EndpointColumn.allCases.count)
        connectTimes = HistogramTable(rows: limits.upstreams)
        firstByteTimes = HistogramTable(rows: limits.upstreams)
        lifetimes = HistogramTable(rows: limits.upstreams)
        self.records = records
        self.noticesArrived = noticesArrived
    }

    deinit { unsafe listenerSet.exchange(nil, ordering: .acquiring)?.release() }

    /// Leaves listeners for the worker; waking it is the caller's.
    func hand(_ set: ListenerSet) {
        let before = unsafe listenerSet.exchange(Unmanaged.passRetained(set), ordering: .acquiringAndReleasing)
        unsafe before?.release()
    }

    /// What was handed last, once.
    func takeListeners() -> ListenerSet? {
        unsafe listenerSet.exchange(nil, ordering: .acquiring)?.takeRetainedValue()
    }

    func hasAdopted(_ set: ListenerSet) {
        adoptedListeners.store(set.version, ordering: .releasing)
        noticesArrived()
    }

    func tell(_ notice: Notice) {
        if notices.push(notice) { noticesArrived() }
    }

    /// Hands over what the worker had to say since the last time, as much as the ring holds at most: a worker that
    /// goes on talking does not keep the reader. Where something is left, the reader is woken for it.
    /// - Returns: how many notices were lost because the ring was full.
    /// - Precondition: only the one reader calls this.
    func takeNotices(_ body: (Notice) -> Void) -> UInt64 {
        var left = NoticeRing.capacity
        while left > 0, let notice = notices.pop() {
            body(notice)
            left -= 1
        }
        // Only the notice that ends the ring's emptiness wakes, and none does here.
        if !notices.isEmpty { noticesArrived() }
        return notices.takeLost()
    }

    /// The worker's last words.
    func hasEnded() {
        hasStoppedAccepting.store(true, ordering: .releasing)
        noticesArrived()
    }

    func want(_ phase: Phase) {
        wanted.store(phase, ordering: .releasing)
        wake.signal()
    }
}
