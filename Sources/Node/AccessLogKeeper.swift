// The access log of a running node: the thread that writes it, and what reloads and the end do to it.
//
//     workers ── records ──► rings ──► this thread: names, lines ──► LineSink
//     control thread ── another file, reopen, end ──► orders ──► this thread
//
// One thread for all workers, as a disk may hold it up for seconds: then rings fill, records are dropped and counted, and
// no worker notices. It is there without a log too, asleep, so that a reload which begins one cannot fail for want of a
// thread.
//
// A file is opened anew by each reload, even by one whose config is refused: logrotate renames, asks for a reload, and
// compresses what it renamed. Lines before the moment of the change are in the one file and those after it in the other.

import AccessLog
import Dispatch
import Glibc
import Logging
import Proxy
import Reactor
import Stats
import Synchronization
import Vocabulary

/// A log that can be written to.
struct OpenAccessLog: Sendable {
    let options: AccessLogOptions
    let sink: LineSink

    init(_ options: AccessLogOptions) throws(LineSink.Refusal) {
        self.options = options
        sink = try LineSink(options.path)
    }
}

final class AccessLogKeeper: Sendable {
    /// How long lines gather for one write.
    private static let gathering = Duration.milliseconds(50)
    /// How long the end waits for a file that takes nothing.
    static let patienceAtEnd = Duration.seconds(3)
    /// What fails again within this time is not said again.
    private static let silence = Duration.seconds(10)

    private struct Orders {
        /// Not nil: what is written to from now on, or that nothing is.
        var next: OpenAccessLog??
        var reopens = false
        var ends = false
    }

    private struct Figures {
        var options: AccessLogOptions?
        var written: UInt64 = 0
        var dropped: UInt64 = 0
        var outage: Outage?
    }

    /// Why a file takes nothing. With its path, as the options may name another already.
    private struct Outage {
        var path: String
        var cause: SystemError
    }

    private let plane: DataPlane
    private let logger: Logger
    private let orders: Mutex<Orders>
    private let figures: Mutex<Figures>
    private let hasEnded = DispatchSemaphore(value: 0)

    /// - Parameter log: nil where there is none.
    init(_ log: OpenAccessLog?, plane: DataPlane, logger: Logger) {
        self.plane = plane
        self.logger = logger
        orders = Mutex(Orders(next: .some(log)))
        figures = Mutex(Figures(options: log?.options))
        plane.record(log?.options.sample ?? 0)
    }

    // MARK: Orders, of the control thread

    func start() { KernelThread.start(name: "access log") { self.run() } }

    /// Writes to another file, by other options, or not at all. Lines of connections that have ended go where they would
    /// have gone, or there.
    func adopt(_ log: OpenAccessLog?) {
        // It was opened later than a file that was to be opened anew before.
        give { ($0.next, $0.reopens) = (.some(log), false) }
        figures.withLock { $0.options = log?.options }
        plane.record(log?.options.sample ?? 0)
    }

    /// Opens the file anew that is written to; where that fails, the one before is written on, and the log says so.
    func reopen() { give { $0.reopens = true } }

    /// Writes what is left, for a few seconds at most.
    /// - Precondition: ``start()`` was called, without which that time would be waited for nothing, and no worker runs any more.
    func end() {
        give { $0.ends = true }
        _ = hasEnded.wait(timeout: .now() + .nanoseconds(Int(Self.patienceAtEnd.wholeNanoseconds)))
    }

    private func give(_ order: (inout Orders) -> Void) {
        orders.withLock { order(&$0) }
        plane.recordBell.hurry()
    }

    /// Nil where there is no log.
    var report: AccessLogReport? {
        figures.withLock { figures in
            guard let options = figures.options else { return nil }
            let outage = figures.outage.flatMap { $0.path == options.path ? $0.cause : nil }
            return AccessLogReport(
                path: options.path, writtenTotal: figures.written, droppedTotal: figures.dropped,
                fault: outage.map(Self.words))
        }
    }

    // MARK: The thread

    private func run() {
        var writing = Writing(log: nil)
        while true {
            plane.recordBell.wait()
            plane.recordBell.gather(for: Self.gathering)
            let orders = self.orders.withLock { orders in
                defer { (orders.next, orders.reopens) = (nil, false) }
                return orders
            }
            // What has ended before goes where it would have gone, if it would have gone anywhere.
            if writing.log != nil { write(&writing) }
            if let next = orders.next { writing.turn(to: next) }
            if orders.reopens { reopen(&writing) }
            write(&writing)
            if orders.ends { break }
        }
        hasEnded.signal()
    }

    /// What the thread alone knows.
    private struct Writing {
        var log: OpenAccessLog?
        var batch = LineBatch()
        /// Whether the log's last word is that lines are dropped.
        var saidOutage = false
        /// When that, or that the thread is too slow, was said last.
        var said: Instant?
        var droppedBefore: UInt64 = 0

        mutating func turn(to next: OpenAccessLog?) {
            batch.turn(from: log?.sink, to: next?.sink)
            // Of another file nothing was said yet.
            if batch.outage == nil { (saidOutage, said) = (false, nil) }
            log = next
        }
    }

    /// Writes lines for all that has ended by now.
    private func write(_ writing: inout Writing) {
        let clock = WallClock(at: Kernel.now())
        let (log, dropped) = (writing.log, writing.batch.dropped)
        let lost = plane.takeRecords { record in
            guard let log else { return }
            writing.batch.add(AccessEntry(record, clock), as: log.options.format)
            if writing.batch.isFull { writing.batch.flush(to: log.sink) }
        }
        guard let log else { return }
        writing.batch.drop(lost)
        writing.batch.flush(to: log.sink)
        figures.withLock { figures in
            figures.written = writing.batch.written
            figures.dropped = writing.batch.dropped
            figures.outage = writing.batch.outage.map { Outage(path: log.options.path, cause: $0) }
        }
        say(&writing, of: log, lost: lost, droppedBefore: dropped, at: Kernel.now())
    }

    private func reopen(_ writing: inout Writing) {
        guard let log = writing.log else { return }
        do throws(LineSink.Refusal) {
            writing.turn(to: try OpenAccessLog(log.options))
        } catch {
            logger.error("\(error); the file before is written on")
        }
    }

    // MARK: Words

    /// - Parameter dropped: how many lines had been by the batch before.
    private func say(
        _ writing: inout Writing, of log: OpenAccessLog, lost: UInt64, droppedBefore dropped: UInt64, at now: Instant
    ) {
        if writing.batch.outage == nil, writing.saidOutage {
            writing.saidOutage = false
            let dropped = writing.batch.dropped - writing.droppedBefore
            logger.notice("access_log: \(log.options.path) takes lines again; \(dropped) were dropped")
        }
        if let said = writing.said, now < said + Self.silence { return }
        if let outage = writing.batch.outage, !writing.saidOutage {
            writing.saidOutage = true
            writing.said = now
            // Those of this batch are among the outage's.
            writing.droppedBefore = dropped
            logger.warning(
                "access_log: \(log.options.path) takes no lines: \(Self.words(outage)); they are dropped until it does")
        } else if lost > 0 {
            writing.said = now
            logger.warning("access_log: \(lost) lines were dropped: more connections end than can be written down")
        }
    }

    private static func words(_ outage: SystemError) -> String {
        outage == .wouldBlock ? "nobody reads it" : outage.description
    }
}

/// From the clock that connections are timed by to the one on the wall, as both are now.
struct WallClock {
    private let offset: Int64

    init(at now: Instant) {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        offset = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) - now.nanoseconds
    }

    /// - Parameter offset: what the wall's clock is ahead.
    init(offset: Int64) { self.offset = offset }

    /// In nanoseconds since 1970.
    func time(of moment: Instant) -> Int64 { moment.nanoseconds + offset }
}

extension AccessEntry {
    init(_ named: NamedRecord, _ clock: WallClock) {
        let record = named.record
        self.init(
            start: clock.time(of: record.accepted), listener: named.listener, client: record.client,
            serverName: record.serverName, clientIdentity: record.identity.map { "\($0)" }, upstream: named.upstream,
            endpoint: named.endpoint?.address, member: named.endpoint?.member, attempts: Int(record.attempts),
            received: record.received, sent: record.sent, wait: record.placed.map { $0 - record.accepted },
            connect: record.connected.flatMap { connected in record.placed.map { connected - $0 } },
            firstByte: record.firstByte, duration: record.ended - record.accepted, end: record.end.rawValue,
            reason: record.reason)
    }
}
