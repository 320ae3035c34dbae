// Certificates of a running node: read at the start, watched, read again, and told of before they end.
//
//     helper thread                                      control thread
//     look, every second ──► contexts, notices ──► desk ──► take() ──► DataPlane.publish(tls:), log, /events
//
// Files are read, and contexts made, on a thread that may wait for the disk. What comes of it is published by the control
// thread, like every change of what connections are placed by.

import Admin
import Dispatch
import Glibc
import Logging
import Proxy
import Reactor
import Stats
import Synchronization
import TLS
import Vocabulary

/// Any thread may ask for reports; the rest is the control thread's.
final class CertificateKeeper: Sendable {
    private struct Notice: Sendable {
        var level: Logger.Level
        var line: String
    }

    private struct Desk: Sendable {
        var contexts: TLSContexts?
        var notices: [Notice] = []
        var changed: [CertificateReport] = []
        var reports: [ShownCertificate]
        /// Of another config; takes the place of what is watched.
        var next: PreparedTLS?
        var hasBegun = false
        var isEnding = false
    }

    /// Kept while the control thread does not take them; more are left out, as what they say is on `/stats`.
    private static let mostNotices = 256

    private let desk: Mutex<Desk>
    private let tickets: TicketKeys
    private let nudge = DispatchSemaphore(value: 0)
    private let hasEnded = DispatchSemaphore(value: 0)
    private let logger: Logger
    private let events: EventHub
    /// By which the data plane begins.
    let first: TLSContexts

    /// Reads all files.
    /// - Throws: the first that cannot be used.
    init(_ options: TLSOptions, events: EventHub, logger: Logger) throws(CertificateFault) {
        tickets = try TicketKeys(at: Kernel.now())
        let prepared = try PreparedTLS(options, tickets: tickets)
        first = prepared.contexts
        desk = Mutex(Desk(reports: prepared.reports, next: prepared))
        self.events = events
        self.logger = logger
    }

    /// Reads all that another config names, whether it has changed or not; waits for the disk. Any thread may ask.
    func prepare(_ options: TLSOptions) throws(CertificateFault) -> PreparedTLS {
        try PreparedTLS(options, tickets: tickets)
    }

    /// Watches these files from now on; their contexts are the caller's to publish.
    func adopt(_ prepared: PreparedTLS) {
        desk.withLock { desk in
            // Contexts of the config before are no longer wanted.
            (desk.next, desk.contexts, desk.reports) = (prepared, nil, prepared.reports)
        }
        nudge.signal()
    }

    /// What is in use now, for `/stats`.
    var reports: [CertificateReport] {
        let now = Self.wallClock
        return desk.withLock { $0.reports }.map { $0.at(now) }
    }

    /// Begins to watch; to be called once.
    /// - Parameter wake: called from another thread when there is something to take.
    func start(wake: @escaping @Sendable () -> Void) {
        desk.withLock { $0.hasBegun = true }
        KernelThread.start(name: "certificates") { [self] in
            watch(wake: wake)
            hasEnded.signal()
        }
    }

    /// Ends the thread, unless a disk holds it up: then it ends later, by itself. There is none before ``start(wake:)``.
    func stop() {
        let hasBegun = desk.withLock { desk in
            desk.isEnding = true
            return desk.hasBegun
        }
        guard hasBegun else { return }
        nudge.signal()
        _ = hasEnded.wait(timeout: .now() + .seconds(1))
    }

    /// Hands over the contexts for new connections, if they have changed, and then says what is new, to the log and to who
    /// listens: what is said to be trusted no more is not, from that line on.
    func take(_ publish: (TLSContexts) -> Void) {
        let (contexts, notices, changed) = desk.withLock { desk in
            defer { (desk.contexts, desk.notices, desk.changed) = (nil, [], []) }
            return (desk.contexts, desk.notices, desk.changed)
        }
        if let contexts { publish(contexts) }
        for notice in notices { logger.log(level: notice.level, "\(notice.line)") }
        for report in changed { events.publish(.certificate(report)) }
    }

    // MARK: - The thread

    private func watch(wake: @escaping @Sendable () -> Void) {
        var watched: TLSMaterial?
        while true {
            let order = desk.withLock { desk in
                defer { desk.next = nil }
                return (isEnding: desk.isEnding, next: desk.next)
            }
            if order.isEnding { return }
            if let next = order.next { watched = next.takeMaterial() }
            let now = Kernel.now()
            if now >= tickets.nextRotation, !tickets.rotate(at: now) {
                tell([Notice(level: .error, line: "no key for session tickets: OpenSSL has no random bytes")])
            }
            var wait = FileWatch.interval
            if var material = watched.take() {
                let look = material.look(at: now, wallClock: Self.wallClock)
                if !look.events.isEmpty {
                    take(look.events, &material)
                    wake()
                }
                wait = max(.milliseconds(10), look.next - Kernel.now())
                watched = consume material
            }
            _ = nudge.wait(timeout: .now() + .nanoseconds(Int(clamping: wait.wholeNanoseconds)))
        }
    }

    private func take(_ events: [CertificateStore.Event], _ material: inout TLSMaterial) {
        var notices = events.map { Self.notice(of: $0) }
        var contexts: TLSContexts?
        let isReplaced = events.contains { if case .replaced = $0 { true } else { false } }
        if isReplaced {
            do throws(CertificateFault) {
                contexts = try material.contexts()
            } catch {
                notices.append(
                    Notice(
                        level: .error, line: "\(error); new connections are still encrypted by what was there before"))
            }
        }
        let reports = PreparedTLS.reports(of: material)
        let paths = Set(events.map { $0.source.path })
        let now = Self.wallClock
        let changed = reports.filter { paths.contains($0.report.path) }.map { $0.at(now) }
        desk.withLock { desk in
            // What another config has brought meanwhile is newer.
            guard desk.next == nil else { return }
            if let contexts { desk.contexts = contexts }
            desk.reports = reports
            desk.changed = Array((desk.changed + changed).suffix(Self.mostNotices))
        }
        tell(notices)
    }

    private func tell(_ notices: [Notice]) {
        desk.withLock { desk in
            let room = max(0, Self.mostNotices - desk.notices.count)
            desk.notices += notices.prefix(room)
        }
    }

    private static func notice(of event: CertificateStore.Event) -> Notice {
        switch event {
        case .replaced(let source, let material):
            let end = material.expiry == .max ? "" : "; it ends in \(days(until: material.expiry))"
            return Notice(level: .notice, line: "\(source.words) was read again\(end)")
        case .refused(let source, let fault):
            return Notice(
                level: .error,
                line: "\(source.words) has changed and cannot be used: \(fault); what was there before is still used")
        case .expiring(let source, let seconds) where seconds < 0:
            return Notice(
                level: .error,
                line: "\(source.words) ended \(Duration.seconds(-seconds).inWords) ago; put a new one in its place")
        case .expiring(let source, let seconds):
            return Notice(
                level: .warning,
                line: "\(source.words) ends in \(Duration.seconds(seconds).inWords); put a new one in its place")
        }
    }

    private static func days(until expiry: Int64) -> String {
        Duration.seconds(max(0, expiry.subtractingSaturating(wallClock))).inWords
    }

    private static var wallClock: Int64 { Int64(time(nil)) }
}

/// A report, with the time at which its certificate ends in place of what is left until then.
struct ShownCertificate: Sendable {
    var report: CertificateReport
    /// Seconds since 1970.
    var expiry: Int64

    func at(_ wallClock: Int64) -> CertificateReport {
        var report = report
        let left = expiry.subtractingSaturating(wallClock)
        report.expiresSeconds = expiry == .max ? nil : left
        report.state = left < 0 ? .expired : left < CertificateStore.warning.components.seconds ? .expiring : .ok
        return report
    }
}

/// All that a config's TLS needs, read and ready.
final class PreparedTLS: Sendable {
    let contexts: TLSContexts
    fileprivate let reports: [ShownCertificate]
    private let material: Mutex<TLSMaterial?>

    fileprivate init(_ options: TLSOptions, tickets: TicketKeys) throws(CertificateFault) {
        var material = try TLSMaterial(options, tickets: tickets)
        contexts = try material.contexts()
        reports = Self.reports(of: material)
        self.material = Mutex(consume material)
    }

    /// What is to be watched; once.
    fileprivate func takeMaterial() -> TLSMaterial? { material.withLock { $0.take() } }

    fileprivate static func reports(of material: borrowing TLSMaterial) -> [ShownCertificate] {
        let (options, refusals) = (material.options, material.refusals)
        return material.materials.map { source, material in
            let names: [String] =
                switch material {
                case .pair(let pair): pair.names.map(\.description)
                case .authorities: []
                }
            let report = CertificateReport(
                path: source.path, kind: source.kind, names: names, usedBy: options.users(of: source), state: .ok,
                expiresSeconds: nil, refused: refusals[source].map { "\($0)" })
            return ShownCertificate(report: report, expiry: material.expiry)
        }
    }
}

extension CertificateStore.Event {
    fileprivate var source: CertificateSource {
        switch self {
        case .replaced(let source, _), .refused(let source, _), .expiring(let source, _): source
        }
    }
}

extension CertificateSource {
    fileprivate var path: String {
        switch self {
        case .pair(let certificate, _): certificate
        case .authorities(let path): path
        }
    }

    fileprivate var kind: String {
        switch self {
        case .pair: "certificate"
        case .authorities: "authorities"
        }
    }

    fileprivate var words: String {
        switch self {
        case .pair(let certificate, _): "the certificate \(certificate)"
        case .authorities(let path): "the authorities' file \(path)"
        }
    }
}

extension TLSOptions {
    fileprivate func users(of source: CertificateSource) -> [String] {
        let listeners = listeners.filter { $0.value.sources.contains(source) }.map { "listener:\($0.key)" }
        let upstreams = upstreams.filter { $0.value.sources.contains(source) }.map { "upstream:\($0.key)" }
        return listeners.sorted() + upstreams.sorted()
    }
}
