// The control thread: signals, notices, and the stages of a shutdown.
//
// Gossip is driven from here, and later agents (health checks, the roster) too, by
// the same poller; so nothing on this thread may block, and each does a bounded
// amount of work at a time.

import Admin
import Glibc
import Logging
import Proxy
import Reactor
import Upstreams
import Vocabulary

/// Turns at least once a second, until the process's work is done.
struct ControlLoop: ~Copyable {
    /// The longest the loop sleeps, in milliseconds.
    private static let beat: Int32 = 1000

    private enum Token: UInt64 {
        case signals, wake, fleet, services
    }

    private let desk: ControlDesk
    private let plane: DataPlane
    private let logger: Logger
    private let signals: SignalQueue
    private let poller: Poller
    /// Nil: this node is a member of nothing.
    private let fleet: Fleet?
    /// Nil: whoever is a member belongs.
    private let roster: RosterWatch?
    private let endpoints: EndpointKeeper
    private let services: ServiceKeeper
    private let events: EventHub
    private var nextBeat: Instant
    private let drainPeriod: Duration
    private var notices: NoticeLog
    private var shutdown: Shutdown
    private var shown = NodeStage.serving

    init(
        desk: ControlDesk, plane: DataPlane, fleet: Fleet?, roster: RosterWatch?, endpoints: EndpointKeeper,
        services: ServiceKeeper, events: EventHub, signals: consuming SignalQueue, drainPeriod: Duration,
        logger: Logger
    ) throws(SystemError) {
        self.desk = desk
        self.plane = plane
        self.fleet = fleet
        self.roster = roster
        self.endpoints = endpoints
        self.services = services
        self.events = events
        nextBeat = Kernel.now() + EventHub.beat
        self.logger = logger
        self.signals = signals
        self.drainPeriod = drainPeriod
        shutdown = Shutdown(drainPeriod: drainPeriod, round: fleet?.round ?? .zero)
        notices = NoticeLog(listeners: plane.listeners.map(\.options.name), logger: logger)
        poller = try Poller(capacity: 8)
        poller.addLevel(of: self.signals.descriptor, token: Token.signals.rawValue)
        poller.addLevel(of: desk.wake.descriptor, token: Token.wake.rawValue)
        poller.addLevel(of: services.descriptor, token: Token.services.rawValue)
        if let fleet { poller.addLevel(of: fleet.descriptor, token: Token.fleet.rawValue) }
    }

    /// Runs until a signal has ended the process's work.
    mutating func run() {
        signals.unblock()
        fleet?.start()
        services.start()
        if let roster {
            // Before any member is seen: where nobody has said who belongs, nobody does.
            endpoints.list(roster.take() ?? Roster.unknown, at: Kernel.now())
            roster.start { [desk] in desk.wake.signal() }
        }
        while true {
            let now = Kernel.now()
            while let step = shutdown.proceed(facts, at: now) { carryOut(step) }
            announce(shutdown.stage(facts), at: now)
            if shown == .over { break }
            let count = poller.wait(milliseconds: patience(at: now))
            for index in 0..<count {
                switch Token(rawValue: poller.event(at: index).token) {
                case .wake, nil: desk.wake.clear()
                // They have their turns below, whatever woke this loop.
                case .fleet, .services: break
                case .signals:
                    while let signal = signals.next() {
                        guard heed(signal) else { return }
                    }
                }
            }
            turn()
        }
    }

    /// Everybody's turn. Those who see come before the one who publishes what they saw.
    private mutating func turn() {
        fleet?.turn()
        services.turn(at: Kernel.now())
        let now = Kernel.now()
        notices.write(from: plane, at: now) { notice in
            endpoints.observe(notice, at: now)
            services.heed(notice, at: now)
        }
        if let fleet {
            endpoints.take(fleet.takeChanges(), at: now)
            endpoints.hear(lastContact: fleet.lastContact, at: now)
            if let tags = services.takeTags() { bear(tags, by: fleet) }
        }
        if let names = roster?.take() { endpoints.list(names, at: now) }
        endpoints.turn(at: now)
        beat(at: now)
    }

    private func bear(_ tags: [(name: String, value: String)], by fleet: Fleet) {
        do {
            try fleet.bear(tags)
        } catch {
            // Their longest form was measured when the config was read; one who leaves has nothing to say any more.
            logger.debug("the fleet is not told of the services: \(error)")
        }
    }

    private mutating func beat(at now: Instant) {
        guard now >= nextBeat else { return }
        nextBeat = now + EventHub.beat
        events.publish(.beat)
    }

    private var facts: Shutdown.Facts {
        Shutdown.Facts(
            isTelling: fleet?.isTelling ?? false, connections: plane.drainStage, hasLeft: fleet?.hasLeft ?? true)
    }

    /// How long to sleep, in milliseconds; rounded up, or the loop would turn for nothing until a moment has come.
    private func patience(at now: Instant) -> Int32 {
        var wanted = shutdown.hasBegun ? Self.beat / 10 : Self.beat
        let moments = [
            shutdown.nextMoment(after: now), fleet?.nextWake, services.nextWake, endpoints.nextWake,
        ]
        for moment in moments.compactMap(\.self) {
            let milliseconds = (moment - now).wholeNanoseconds.addingSaturating(999_999) / 1_000_000
            wanted = min(wanted, Int32(clamping: max(0, milliseconds)))
        }
        return wanted
    }

    /// - Returns: false when everything is to end at once.
    private mutating func heed(_ signal: Int32) -> Bool {
        if signal == SIGHUP {
            logger.warning("SIGHUP: reloading is not available yet; restart to apply a changed config")
            return true
        }
        if shutdown.hasBegun {
            logger.warning("a second signal: ending at once; \(plane.connections) connections are aborted")
            return false
        }
        logger.notice("draining for at most \(drainPeriod); another signal ends at once")
        carryOut(shutdown.begin(advertises: services.advertises && fleet?.hasCompany ?? false, at: Kernel.now()))
        return true
    }

    private func carryOut(_ step: Shutdown.Step) {
        switch step {
        case .announce:
            logger.notice("telling the fleet that the services here drain")
            services.drain()
        case .closeListeners:
            // Told or not: who is alone may not stay so.
            services.drain()
            plane.drain()
        case .abortConnections:
            logger.warning("the drain period is over: \(plane.connections) connections are aborted")
            plane.end()
        // Seen through, however long the drain took: it takes seconds at most, and spares the others a suspicion.
        case .leave: fleet?.leave()
        }
    }

    private mutating func announce(_ stage: NodeStage, at now: Instant) {
        desk.show(stage, notes: [endpoints.note, roster?.note(at: now)].compactMap(\.self), at: now)
        guard stage != shown else { return }
        if case .finishing = shown, case .finishing = stage {
            // The number falls; each step is on /ready, not in the log.
        } else if case .finishing(let left) = stage {
            logger.notice("listeners are closed; \(left) connections are left")
        } else if stage == .over {
            logger.notice("drained")
        }
        shown = stage
    }
}
