// Who belongs to the fleet, for a running node: what the roster's source says goes to discovery, to the log, and to
// `/ready`.

import Config
import Dispatch
import Logging
import Reactor
import Stats
import Stores
import Synchronization
import Upstreams
import Vocabulary

/// For the control thread alone, but for ``desk``.
final class RosterWatch {
    private let source: RosterSource
    private let desk: RosterDesk
    private let logger: Logger
    private var standing: RosterStanding?
    private var version: Int?
    private var isKnown = false
    /// Nobody belongs until it was read. Where another roster, or none, was in force before, that holds until then.
    private let isFirst: Bool

    /// - Parameters:
    ///   - source: not started.
    ///   - isFirst: whether there was none in force before it.
    init(_ source: RosterSource, isFirst: Bool, isKept: Bool, desk: RosterDesk, logger: Logger) {
        self.source = source
        self.isFirst = isFirst
        self.desk = desk
        self.logger = logger
        if !isKept {
            logger.notice(
                "the roster is not kept across restarts; set node.state_directory so that it holds while its source is down"
            )
        }
    }

    /// Reads the copy on disk, where there is one.
    static func source(_ options: RosterOptions, stateDirectory: String?) throws(SystemError) -> RosterSource {
        var random = SystemRandomNumberGenerator()
        return try RosterSource(options, stateDirectory: stateDirectory, seed: random.next()) { bytes in
            try RosterFile.parse(bytes, file: options.place)
        }
    }

    /// - Parameter wake: called from another thread when there is something to take.
    func start(wake: @escaping @Sendable () -> Void) { source.start(wake: wake) }

    func stop() { source.stop() }

    /// The same, for who must not wait.
    func stopSoon() {
        DispatchQueue(label: "remora.roster.end").async { [source] in source.stop() }
    }

    /// Says what is new of it.
    /// - Returns: who belongs, if that has changed. Nobody does while no roster is known.
    func take() -> Roster? {
        guard let update = source.take() else { return nil }
        for notice in update.notices { logger.log(level: notice.level.ofLog, "\(notice.text)") }
        standing = update.standing
        desk.publish(update.standing)
        // One that is read and empty has the names that there were before.
        let isRead = update.standing.holding != nil
        guard version != update.version || isKnown != isRead else { return nil }
        (version, isKnown) = (update.version, isRead)
        guard isKnown || isFirst else { return nil }
        let roster = isKnown ? Roster(update.names) : .unknown
        desk.publish(roster)
        return roster
    }

    /// What `/ready` says of it beside "ready"; nil while all is well.
    func note(at now: Instant) -> String? {
        guard let standing else {
            return isFirst
                ? "the roster has not been read yet, so no member is listed"
                : "the roster has not been read yet, so who belonged before belongs"
        }
        return standing.isStale || standing.holding == nil ? standing.sentence(at: now) : nil
    }
}

/// Where the control thread leaves the roster for other threads.
final class RosterDesk: Sendable {
    private struct State {
        var isConfigured: Bool
        /// Nil: whoever is a member belongs.
        var roster: Roster?
        var standing: RosterStanding?
    }

    private let latest: Mutex<State>

    init(isConfigured: Bool) {
        latest = Mutex(State(isConfigured: isConfigured, roster: isConfigured ? .unknown : nil))
    }

    /// Nil: whoever is a member belongs.
    var roster: Roster? { latest.withLock { $0.roster } }

    func publish(_ roster: Roster) { latest.withLock { $0.roster = roster } }
    func publish(_ standing: RosterStanding) { latest.withLock { $0.standing = standing } }

    /// Another source is read from now on; what the last one said holds until that has been.
    func change() {
        latest.withLock { state in
            state.isConfigured = true
            state.standing = nil
        }
    }

    /// From now on whoever is a member belongs.
    func clear() { latest.withLock { $0 = State(isConfigured: false) } }

    /// Nil where there is no roster.
    func report(at now: Instant) -> RosterReport? {
        let state = latest.withLock { $0 }
        guard state.isConfigured else { return nil }
        guard let standing = state.standing else {
            return RosterReport(source: "", listed: 0, isStale: true, standing: "it has not been read yet")
        }
        return RosterReport(
            source: standing.source, listed: standing.holding?.members ?? 0, isStale: standing.isStale,
            standing: standing.sentence(at: now))
    }
}

extension RosterOptions {
    fileprivate var place: String {
        switch self {
        case .file(let path): path
        case .etcd: "etcd"
        }
    }
}

extension RosterNotice.Level {
    fileprivate var ofLog: Logger.Level {
        switch self {
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}
