// epoll, edge-triggered: a descriptor is added once, so that readiness costs no
// system call of its own. The price is that its owner must remember each edge
// until it has been used up.
//
// Writability is asked for when a write has first found no room, and then for
// good: a fresh socket is writable, and would be reported for nothing.

public import CEpoll

/// What an edge reported.
@frozen
@usableFromInline
package struct Readiness: OptionSet, Sendable {
    @usableFromInline package let rawValue: UInt32
    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }

    @inlinable package static var readable: Readiness { Readiness(rawValue: UInt32(REMORA_READABLE)) }
    @inlinable package static var writable: Readiness { Readiness(rawValue: UInt32(REMORA_WRITABLE)) }
    /// An urgent byte is in the stream: reads stop short at it (tcp(7)).
    @inlinable package static var urgent: Readiness { Readiness(rawValue: UInt32(REMORA_URGENT)) }
    /// The peer has ended its stream: all of it has arrived.
    @inlinable package static var peerEnded: Readiness { Readiness(rawValue: UInt32(REMORA_PEER_CLOSED)) }
    @inlinable package static var failed: Readiness { Readiness(rawValue: UInt32(REMORA_ERROR)) }
    /// Both directions are shut.
    @inlinable package static var hungUp: Readiness { Readiness(rawValue: UInt32(REMORA_HUNG_UP)) }
    /// A read will not block: it gives bytes, the end or the error.
    @inlinable package static var readWillNotBlock: Readiness {
        Readiness(rawValue: UInt32(REMORA_READABLE | REMORA_PEER_CLOSED | REMORA_ERROR | REMORA_HUNG_UP))
    }
    /// Nothing follows what a read gives: behind it is the end or the error.
    @inlinable package static var sourceIsOver: Readiness {
        Readiness(rawValue: UInt32(REMORA_PEER_CLOSED | REMORA_ERROR | REMORA_HUNG_UP))
    }
    /// A connect has not succeeded.
    @inlinable package static var connectFailed: Readiness {
        Readiness(rawValue: UInt32(REMORA_ERROR | REMORA_HUNG_UP))
    }

    /// Whether it has any of `mask`; a literal of several would be built at run time, one by one.
    @inlinable package func hasAny(of mask: Readiness) -> Bool { rawValue & mask.rawValue != 0 }
}

/// One epoll set and the buffer its events arrive in; owned by one thread.
@safe
@usableFromInline
package struct Poller: ~Copyable {
    private let epoll: Int32
    /// Readable while there are events, so that one poller can be watched by another.
    package var descriptor: Int32 { epoll }
    @usableFromInline let events: UnsafeMutablePointer<remora_event>
    /// How many events a wait answers at most: one that answers as many may have left some.
    package let capacity: Int32

    /// - Parameter capacity: events a wait can answer; what is left comes with the next.
    package init(capacity: Int32 = 256) throws(SystemError) {
        epoll = try Outcome(remora_epoll_create()).get()
        unsafe events = .allocate(capacity: Int(capacity))
        self.capacity = capacity
    }

    deinit {
        unsafe events.deallocate()
        Kernel.close(epoll)
    }

    /// Reports every edge of a connected or connecting socket, and at once what it is ready for.
    /// - Parameter writes: whether that includes room to write.
    @discardableResult
    package func addEdges(of fd: Int32, token: UInt64, writes: Bool) -> Outcome {
        Outcome(remora_epoll_add(epoll, fd, edges(writes: writes), token))
    }

    /// Reports room to write too, from now on; at once if there is some.
    @discardableResult
    package func addWrites(of fd: Int32, token: UInt64) -> Outcome {
        Outcome(remora_epoll_modify(epoll, fd, edges(writes: true), token))
    }

    private func edges(writes: Bool) -> UInt32 {
        let reads = UInt32(REMORA_READABLE | REMORA_URGENT | REMORA_PEER_CLOSED) | remora_edge_triggered
        return writes ? reads | UInt32(REMORA_WRITABLE) : reads
    }

    /// Reports again and again while `fd` is readable.
    /// - Parameter exclusive: `fd` is shared with other pollers; wake one of them, not all (EPOLLEXCLUSIVE).
    @discardableResult
    package func addLevel(of fd: Int32, token: UInt64, exclusive: Bool = false) -> Outcome {
        Outcome(remora_epoll_add(epoll, fd, UInt32(REMORA_READABLE) | (exclusive ? remora_exclusive : 0), token))
    }

    /// Reports again and again while `fd` is ready for any of `readiness`; failures and hang-ups always.
    ///
    /// For sockets whose owner does a bounded piece of work each time, and need not remember what is left.
    @discardableResult
    package func addLevel(of fd: Int32, token: UInt64, for readiness: Readiness) -> Outcome {
        Outcome(remora_epoll_add(epoll, fd, readiness.rawValue, token))
    }

    /// Changes what ``addLevel(of:token:for:)`` asked for.
    @discardableResult
    package func changeLevel(of fd: Int32, token: UInt64, for readiness: Readiness) -> Outcome {
        Outcome(remora_epoll_modify(epoll, fd, readiness.rawValue, token))
    }

    @discardableResult
    package func remove(_ fd: Int32) -> Outcome { Outcome(remora_epoll_remove(epoll, fd)) }

    /// Waits for events.
    /// - Parameter milliseconds: at most; negative waits for ever.
    /// - Returns: how many there are, for ``event(at:)``; 0 after a signal or when the time is over.
    @inline(__always)
    package func wait(milliseconds: Int32) -> Int {
        max(0, unsafe Outcome(remora_epoll_wait(epoll, events, capacity, milliseconds)).count)
    }

    /// Waits for events to the nanosecond: for those who measure; a worker's deadlines are coarser, and cheaper to keep.
    /// - Parameter limit: at most; nil waits for ever.
    /// - Returns: as ``wait(milliseconds:)``.
    package func wait(atMost limit: Duration?) -> Int {
        let nanoseconds = limit.map { max(0, $0.wholeNanoseconds) } ?? -1
        return max(0, unsafe Outcome(remora_epoll_wait_precisely(epoll, events, capacity, nanoseconds)).count)
    }

    /// - Precondition: `index` is below what the last wait answered.
    @inlinable
    package func event(at index: Int) -> (readiness: Readiness, token: UInt64) {
        unsafe (
            Readiness(rawValue: remora_event_mask(events, Int64(index))), remora_event_token(events, Int64(index))
        )
    }
}

/// Wakes a poller from another thread (eventfd).
package struct Wake: ~Copyable, Sendable {
    package let descriptor: Int32

    package init() throws(SystemError) { descriptor = try Outcome(remora_eventfd()).get() }

    deinit { Kernel.close(descriptor) }

    package func signal() { _ = remora_eventfd_signal(descriptor) }
    package func clear() { _ = remora_eventfd_clear(descriptor) }
}

/// Signals as something to poll for; they no longer end the process.
///
/// Handlers that write to a pipe, not signalfd(2): that needs the signals blocked in every thread, and the threads
/// of Swift's runtime, the main one included, exist before anyone can see to it.
package struct SignalQueue: ~Copyable, Sendable {
    package let descriptor: Int32
    private let signals: [Int32]

    /// Takes `signals` from their usual handlers, for the rest of the process's life.
    /// - Precondition: there has been no other in this process.
    package init(_ signals: [Int32]) throws(SystemError) {
        self.signals = signals
        descriptor = try Outcome(unsafe remora_signal_pipe(signals, Int32(signals.count))).get()
    }

    /// Sees to it that the signals reach the process: on the calling thread, if nowhere else.
    ///
    /// Threads inherit what they block, and whoever started this process may have blocked everything.
    package func unblock() { _ = unsafe remora_unblock_signals(signals, Int32(signals.count)) }

    // The other end stays open: a signal that comes later finds nobody, and is ignored (SIGPIPE is, too).
    deinit { Kernel.close(descriptor) }

    /// The next signal's number; nil where none is pending.
    package func next() -> Int32? {
        let outcome = Outcome(remora_signal_pipe_read(descriptor))
        return outcome.succeeded ? outcome.value : nil
    }
}
