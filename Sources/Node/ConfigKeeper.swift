// The config of a running node: what it is, how it is read again, and what is said of it.
//
//     ask ─► a thread: read, parse, plan, bind ─► take ─► the control loop swaps ─► settle ─► answers
//
// A file may lie on a disk that does not answer, and takes a second to parse where it is large; so all that may be slow
// or refused happens on a thread of its own, and what comes back can be swapped in at once. One reload at a time: the
// listeners that a plan was made for are those that there are when it is carried out. Who asks while one is under way
// waits for the next, as the file may have changed since it was read.

import AccessLog
import Config
import Dispatch
import Proxy
import Reactor
import Stats
import Stores
import Synchronization
import TLS
import Vocabulary

/// What a reload brings: everything in it is ready.
struct PreparedConfig: Sendable {
    let config: ReadConfig
    let plan: ReloadPlan
    /// One for each of the plan's doors; sockets are open.
    let listeners: [NextListener]
    let roster: RosterChange
    let tls: PreparedTLS
    /// The file anew; nil where the config has none.
    let accessLog: OpenAccessLog?

    /// Gives back what was bound for nothing.
    func discard() {
        for case .opens(let sockets) in listeners { sockets.close() }
    }
}

/// What becomes of who belongs to the fleet.
enum RosterChange: Sendable {
    case stays
    /// Whoever is a member belongs.
    case ends
    /// Not started.
    case another(RosterSource)
}

/// Why a file does not come into force, at the start or by a reload: a line each, those of a file as `check` prints them.
struct ConfigRefusal: Error {
    var faults: [String]

    init(_ faults: [String]) { self.faults = faults }

    init(_ faults: ConfigFaults) { self.faults = faults.description.split(separator: "\n").map(String.init) }

    /// Every fault of a config that names a file which is of no use.
    /// - Parameter cause: why that file is; it stands alone where nothing is found by a second look, or none can be had.
    init(_ source: ConfigSource, because cause: String) {
        if source.canBeReadAgain {
            do throws(ConfigFaults) { try source.check() } catch {
                self.init(error)
                return
            }
        }
        self.init(["\(source.path): error: \(cause)"])
    }
}

/// For the control thread alone, but for ``desk``.
final class ConfigKeeper {
    typealias Answer = @Sendable (CommandReport) -> Void

    /// Who may wait for the next reload; one more is turned away. A disk that does not answer holds up all of them.
    static let depth = 64

    private enum Stage {
        case idle
        /// These wait for what is being read.
        case reading([Answer])
        /// These wait until the workers do by it.
        case adopting([Answer], CommandReport)
    }

    private let source: ConfigSource
    private let desk: ConfigDesk
    private let certificates: CertificateKeeper
    private let workers: Int
    private let silentPeerTimeout: Duration
    /// What this process was started with.
    let start: Configuration
    /// What was read last.
    private(set) var current: Configuration
    private var stage = Stage.idle
    /// Those who asked since the file was read.
    private var later: [Answer]?
    private let result = ResultBox()

    /// - Parameter workers: for which sockets are opened.
    init(
        _ config: ReadConfig, from source: ConfigSource, desk: ConfigDesk, certificates: CertificateKeeper,
        workers: Int,
        silentPeerTimeout: Duration
    ) {
        self.source = source
        self.desk = desk
        self.certificates = certificates
        self.workers = workers
        self.silentPeerTimeout = silentPeerTimeout
        start = config.configuration
        current = config.configuration
    }

    /// Reads the file again, now or once the reload under way is over.
    /// - Parameter answer: called once, on the control thread; nil where nobody waits.
    func ask(_ answer: Answer?) {
        let waiting = later ?? []
        guard let answer, waiting.count >= Self.depth else {
            later = waiting + (answer.map { [$0] } ?? [])
            return
        }
        answer(CommandReport(.unavailable, "\(Self.depth) reloads are being waited for already."))
    }

    /// Begins what was asked for, if nothing is under way.
    /// - Parameters:
    ///   - open: the listeners that there are.
    ///   - wake: called from another thread when there is something to take.
    func beginIfAsked(open: [OpenListener], wake: @escaping @Sendable () -> Void) {
        guard case .idle = stage, let waiting = later else { return }
        later = nil
        stage = .reading(waiting)
        let (source, current, start, result) = (source, current, start, result)
        let (certificates, workers, silentPeerTimeout) = (certificates, workers, silentPeerTimeout)
        // Not a kernel thread of ours: where the machine gives none, a reload can wait.
        DispatchQueue(label: "remora.config").async {
            result.put(
                Result { () throws(ConfigRefusal) in
                    try Self.prepare(
                        source, from: current, start: start, open: open,
                        certificates: certificates, workers: workers, silentPeerTimeout: silentPeerTimeout)
                })
            wake()
        }
    }

    /// What was read, once.
    func take() -> Result<PreparedConfig, ConfigRefusal>? { result.take() }

    /// Takes note of what became of it. Who waits hears that at once where it was refused, and else from ``confirm()``.
    func settle(_ outcome: Result<PreparedConfig, ConfigRefusal>, at now: Instant) -> CommandReport {
        let report: CommandReport
        switch outcome {
        case .success(let prepared):
            current = prepared.config.configuration
            let plan = prepared.plan
            desk.accept(prepared.config, needsRestart: plan.needsRestart, at: now)
            report = CommandReport(
                .done, plan.changes.isEmpty ? "The config is what it was." : "The config is in force.",
                changes: plan.changes, needsRestart: plan.needsRestart)
        case .failure(let refusal):
            desk.reject(because: refusal.faults.first ?? "")
            report = CommandReport(
                .refused, "The config is refused; the one before stays in force.", faults: refusal.faults)
        }
        guard case .reading(let waiting) = stage else { return report }
        stage = .adopting(waiting, report)
        if report.outcome != .done { confirm() }
        return report
    }

    /// Says that what was settled is so, now that every worker knows of it.
    func confirm() {
        guard case .adopting(let waiting, let report) = stage else { return }
        stage = .idle
        for answer in waiting { answer(report) }
    }

    /// Nobody is to wait any longer.
    func end() {
        let report = CommandReport(.unavailable, "This remora is ending.")
        confirm()
        if case .reading(let waiting) = stage { for answer in waiting { answer(report) } }
        for answer in later ?? [] { answer(report) }
        (stage, later) = (.idle, nil)
        result.close()
    }

    private static func prepare(
        _ source: ConfigSource, from current: Configuration, start: Configuration, open: [OpenListener],
        certificates: CertificateKeeper, workers: Int, silentPeerTimeout: Duration
    ) throws(ConfigRefusal) -> PreparedConfig {
        guard source.canBeReadAgain else {
            throw ConfigRefusal([
                "the config came from standard input, which cannot be read again; name a file with --config, and restart"
            ])
        }
        let config: ReadConfig
        do throws(ConfigFaults) { config = try source.read() } catch { throw ConfigRefusal(error) }
        // Before anything is bound: nothing is to be given back then.
        let tls: PreparedTLS
        do throws(CertificateFault) { tls = try certificates.prepare(config.configuration.tls) } catch {
            throw ConfigRefusal(source, because: "tls: \(error)")
        }
        let accessLog: OpenAccessLog?
        do throws(LineSink.Refusal) {
            accessLog = try config.configuration.accessLog.map { (options) throws(LineSink.Refusal) in
                try OpenAccessLog(options)
            }
        } catch {
            throw ConfigRefusal(source, because: "\(error)")
        }
        let plan = ReloadPlan(from: current, start: start, open: open, to: config.configuration)
        var listeners: [NextListener] = []
        for door in plan.doors {
            switch door {
            case .stays(let number, let options): listeners.append(.stays(number: number, options))
            case .opens(let options):
                do throws(BindError) {
                    // Never one that was handed down: its number may be anything by now.
                    listeners.append(
                        .opens(
                            try ListenerSockets(options, workers: workers, silentPeerTimeout: silentPeerTimeout)))
                } catch {
                    for case .opens(let sockets) in listeners { sockets.close() }
                    throw ConfigRefusal(["\(error)\(hint(error, open))"])
                }
            }
        }
        let roster: RosterChange
        do throws(SystemError) {
            roster = try self.roster(from: current, start: start, to: config.configuration)
        } catch {
            for case .opens(let sockets) in listeners { sockets.close() }
            throw ConfigRefusal(["the roster cannot be read: \(error)"])
        }
        return PreparedConfig(
            config: config, plan: plan, listeners: listeners, roster: roster, tls: tls, accessLog: accessLog)
    }

    private static func roster(
        from current: Configuration, start: Configuration, to next: Configuration
    ) throws(SystemError) -> RosterChange {
        // Where the fleet itself comes or goes, a restart is needed.
        guard start.membership != nil, let membership = next.membership else { return .stays }
        guard membership.roster != current.membership?.roster else { return .stays }
        guard let options = membership.roster else { return .ends }
        return .another(try RosterWatch.source(options, stateDirectory: start.node.stateDirectory))
    }

    /// That it is this process which holds an address with the same port, where that may be.
    private static func hint(_ error: BindError, _ open: [OpenListener]) -> String {
        guard error.cause == .addressInUse,
            let holder = open.first(where: { $0.address.port == error.address.port && $0.address.port != nil })
        else { return "" }
        return
            " (listener \(holder.options.name) of this remora is at \(holder.address) until it is reloaded or restarted)"
    }

    /// Between the thread that reads and the control thread; holds one result at most.
    private final class ResultBox: Sendable {
        private let state = Mutex<(result: Result<PreparedConfig, ConfigRefusal>?, isClosed: Bool)>((nil, false))

        func put(_ result: Result<PreparedConfig, ConfigRefusal>) {
            let isLate = state.withLock { state in
                if !state.isClosed { state.result = result }
                return state.isClosed
            }
            if isLate, case .success(let prepared) = result { prepared.discard() }
        }

        func take() -> Result<PreparedConfig, ConfigRefusal>? {
            state.withLock { state in
                defer { state.result = nil }
                return state.result
            }
        }

        /// What comes now is nobody's.
        func close() {
            let last = state.withLock { state in
                defer { state = (nil, true) }
                return state.result
            }
            if case .success(let prepared)? = last { prepared.discard() }
        }
    }
}

/// Where the control thread leaves what is so of the config, for other threads.
final class ConfigDesk: Sendable {
    private struct State {
        var configuration: Configuration
        var report: ConfigReport
        var loaded: Instant
    }

    private let state: Mutex<State>

    init(_ config: ReadConfig, file: String, at now: Instant) {
        state = Mutex(
            State(
                configuration: config.configuration,
                report: ConfigReport(
                    file: file, checksum: config.checksum, upstreamsChecksum: config.upstreamsDigits),
                loaded: now))
    }

    /// As it was read last; what waits for a restart is in ``report(at:)``.
    var configuration: Configuration { state.withLock { $0.configuration } }

    func report(at now: Instant) -> ConfigReport {
        state.withLock { state in
            var report = state.report
            report.loadedSeconds = (now - state.loaded).inSeconds
            return report
        }
    }

    func accept(_ config: ReadConfig, needsRestart: [String], at now: Instant) {
        state.withLock { state in
            state.configuration = config.configuration
            state.report.checksum = config.checksum
            state.report.upstreamsChecksum = config.upstreamsDigits
            state.report.reloadsTotal += 1
            state.report.fault = nil
            state.report.needsRestart = needsRestart
            state.loaded = now
        }
    }

    func reject(because fault: String) {
        state.withLock { state in
            state.report.rejectedTotal += 1
            state.report.fault = fault
        }
    }

    /// What `/ready` says of it beside "ready".
    var notes: [String] {
        let report = state.withLock { $0.report }
        var notes: [String] = []
        if let fault = report.fault { notes.append("the last reload was refused: \(fault)") }
        if !report.needsRestart.isEmpty {
            notes.append("a restart is needed for \(report.needsRestart.joined(separator: ", "))")
        }
        return notes
    }
}
