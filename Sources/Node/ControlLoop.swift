// The control thread: signals, notices, another config, and the stages of a drain and of a shutdown.
//
// Gossip is driven from here, and later agents (health checks, the roster) too, by
// the same poller; so nothing on this thread may block, and each does a bounded
// amount of work at a time.

import Admin
import Config
import Glibc
import GossipWire
import Logging
import Proxy
import Reactor
import Stats
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
    private var roster: RosterWatch?
    private let rosterDesk: RosterDesk
    private let endpoints: EndpointKeeper
    private let services: ServiceKeeper
    /// Nil: nobody can ask for a load here.
    private let responder: ProbeResponder?
    private let certificates: CertificateKeeper
    private let accessLog: AccessLogKeeper
    private let events: EventHub
    private var nextBeat: Instant
    private let config: ConfigKeeper
    private let configDesk: ConfigDesk
    private var notices: NoticeLog
    private var drain: NodeDrain
    private var shutdown: Shutdown
    private var shown = NodeStage.serving

    init(
        desk: ControlDesk, plane: DataPlane, fleet: Fleet?, roster: RosterWatch?, rosterDesk: RosterDesk,
        endpoints: EndpointKeeper, services: ServiceKeeper, responder: ProbeResponder?, certificates: CertificateKeeper,
        accessLog: AccessLogKeeper, config: ConfigKeeper, configDesk: ConfigDesk, events: EventHub,
        signals: consuming SignalQueue, logger: Logger
    ) throws(SystemError) {
        self.desk = desk
        self.plane = plane
        self.fleet = fleet
        self.roster = roster
        self.rosterDesk = rosterDesk
        self.endpoints = endpoints
        self.services = services
        self.responder = responder
        self.certificates = certificates
        self.accessLog = accessLog
        self.events = events
        nextBeat = Kernel.now() + EventHub.beat
        self.logger = logger
        self.signals = signals
        self.config = config
        self.configDesk = configDesk
        drain = NodeDrain(round: fleet?.round ?? .zero)
        shutdown = Shutdown(drainPeriod: config.current.shutdown.drain, round: fleet?.round ?? .zero)
        notices = NoticeLog(logger: logger) { [plane] in plane.name(ofListener: $0) }
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
        certificates.start { [desk] in desk.wake.signal() }
        if let roster {
            // Before any member is seen: where nobody has said who belongs, nobody does.
            endpoints.list(roster.take() ?? Roster.unknown, at: Kernel.now())
            roster.start { [desk] in desk.wake.signal() }
        }
        while true {
            let now = Kernel.now()
            while let step = drain.proceed(drainFacts, at: now) { carryOut(step) }
            while let step = shutdown.proceed(facts, at: now) { carryOut(step) }
            announce(shutdown.hasBegun ? shutdown.stage(facts) : drain.stage(drainFacts), at: now)
            if shown == .over { break }
            let count = poller.wait(milliseconds: patience(at: now))
            for index in 0..<count {
                switch Token(rawValue: poller.event(at: index).token) {
                case .wake, nil: desk.wake.clear()
                // They have their turns below, whatever woke this loop.
                case .fleet, .services: break
                case .signals:
                    while let signal = signals.next() {
                        guard heed(signal) else { return end() }
                    }
                }
            }
            turn()
        }
        end()
    }

    /// Nobody is to wait for an answer any longer.
    private func end() {
        config.end()
        desk.close()
        // It may be another than the process was started with.
        roster?.stop()
    }

    /// Everybody's turn. Those who see come before the one who publishes what they saw.
    private mutating func turn() {
        for (request, answer) in desk.takeRequests() { heed(request, answer) }
        turnConfig()
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
        certificates.take { plane.publish(tls: $0) }
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

    private var drainFacts: NodeDrain.Facts {
        let listeners = drain.hasBegun ? services.inboundListeners : []
        return NodeDrain.Facts(
            isTelling: fleet?.isTelling ?? false, doorsAreClosed: listeners.allSatisfy(plane.isClosed(listener:)),
            connections: listeners.reduce(0) { $0 + plane.connections(ofListener: $1) })
    }

    /// How long to sleep, in milliseconds; rounded up, or the loop would turn for nothing until a moment has come.
    private func patience(at now: Instant) -> Int32 {
        let isOnTheWay = shutdown.hasBegun || drain.hasBegun && shown != .drained
        var wanted = isOnTheWay ? Self.beat / 10 : Self.beat
        let moments = [
            shutdown.nextMoment(after: now), drain.nextMoment(after: now), fleet?.nextWake, services.nextWake,
            endpoints.nextWake,
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
            if !shutdown.hasBegun { config.ask(nil) }
            return true
        }
        if shutdown.hasBegun {
            logger.warning("a second signal: ending at once; \(plane.connections) connections are aborted")
            return false
        }
        logger.notice("draining for at most \(shutdown.drainPeriod); another signal ends at once")
        carryOut(shutdown.begin(advertises: hasToTell && !drain.isAnnounced, at: Kernel.now()))
        return true
    }

    /// Whether anybody has to hear of a drain first.
    private var hasToTell: Bool { services.advertises && fleet?.hasCompany ?? false }

    private mutating func heed(_ request: ControlRequest, _ answer: @escaping @Sendable (CommandReport) -> Void) {
        guard !shutdown.hasBegun else {
            answer(CommandReport(.unavailable, "This remora is ending; nothing else can be asked of it."))
            return
        }
        switch request {
        case .reload: config.ask(answer)
        case .drain:
            if let step = drain.begin(advertises: hasToTell, at: Kernel.now()) {
                logger.notice("draining because it was asked for; undrain takes it back")
                carryOut(step)
            }
            let stage = drain.stage(drainFacts)
            desk.show(stage, notes: notes(at: Kernel.now()), at: Kernel.now())
            answer(CommandReport(.done, desk.readiness.line))
        case .undrain:
            guard drain.undo() else { return answer(CommandReport(.done, "Nothing was draining.")) }
            services.undrain(at: Kernel.now())
            logger.notice("the drain is taken back")
            desk.show(.serving, notes: notes(at: Kernel.now()), at: Kernel.now())
            answer(CommandReport(.done, desk.readiness.line))
        }
    }

    private func carryOut(_ step: NodeDrain.Step) {
        switch step {
        case .announce:
            logger.notice("telling the fleet that the services here drain")
            services.drain()
        case .closeDoors:
            services.drain()
            services.closeDoors()
        }
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
        desk.show(stage, notes: notes(at: now), at: now)
        guard stage != shown else { return }
        events.publish(.stage(desk.report))
        if case .finishing = shown, case .finishing = stage {
            // The number falls; each step is on /ready, not in the log.
        } else if case .finishing(let left) = stage {
            logger.notice("listeners are closed; \(left) connections are left")
        } else if stage == .over {
            logger.notice("drained")
        } else if stage == .drained {
            logger.notice("drained: no connection is left; undrain takes it back")
        }
        shown = stage
    }

    /// What an operator should know though it keeps the node from nothing.
    private func notes(at now: Instant) -> [String] {
        [endpoints.note, roster?.note(at: now)].compactMap(\.self) + configDesk.notes
    }
}

// MARK: - Another config

extension ControlLoop {
    /// Lines of faults that the log gets of a config.
    private static let mostFaults = 20

    private mutating func turnConfig() {
        if let result = config.take() { apply(result, at: Kernel.now()) }
        // The listeners of the last one first: see ListenerTable.
        guard plane.hasAdoptedListeners else { return }
        config.confirm()
        guard !shutdown.hasBegun else { return }
        config.beginIfAsked(open: plane.listeners) { [desk] in desk.wake.signal() }
    }

    private mutating func apply(_ result: Result<PreparedConfig, ConfigRefusal>, at now: Instant) {
        var outcome = result
        if case .success(let prepared) = result {
            do throws(ConfigRefusal) {
                try swap(in: prepared, at: now)
            } catch {
                prepared.discard()
                outcome = .failure(error)
            }
        }
        // Who has renamed the file does not look whether the config is in order.
        if case .failure = outcome { accessLog.reopen() }
        let report = config.settle(outcome, at: now)
        for change in report.changes { logger.notice("config: \(change)") }
        for setting in report.needsRestart { logger.warning("config: \(setting) needs a restart: it is as it was") }
        for fault in report.faults.prefix(Self.mostFaults) { logger.error("config: \(fault)") }
        switch report.outcome {
        case .done:
            logger.notice("config: read again; \(report.changes.isEmpty ? "nothing has changed" : "it is in force")")
        case .refused, .unavailable: logger.error("config: refused; the one before stays in force")
        }
        events.publish(.config(configDesk.report(at: now)))
    }

    /// Makes another config the one in force: all of it, or nothing.
    private mutating func swap(in prepared: PreparedConfig, at now: Instant) throws(ConfigRefusal) {
        guard !shutdown.hasBegun else { throw ConfigRefusal(["this remora is ending"]) }
        let next = prepared.config.configuration
        try checkRoom(for: prepared)
        if let fleet {
            // Members first: an upstream that is new has its endpoints in the very set that brings it.
            fleet.follow(more: next.tagsOfInterest)
            endpoints.take(fleet.takeChanges(), at: now)
        }
        let named = Set(next.allUpstreams.map(\.name))
        do throws(OutOfLoadCells) {
            try endpoints.configure(next.allUpstreams, at: now) { [plane] set in
                // Before the set: of every upstream in it, workers know whether it speaks TLS.
                plane.publish(tls: prepared.tls.contexts)
                plane.configure(set, named: named, listeners: prepared.listeners)
            }
        } catch {
            throw ConfigRefusal([
                "upstream \(error.upstream): there is room for \(error.capacity) endpoints, those included that are about to go"
            ])
        }
        let listeners = plane.listeners
        services.configure(
            next.services, advertised: fleet == nil ? [] : next.advertised(at: listeners),
            listeners: listeners.inbound)
        if let fleet {
            var sampler = LoadSampler(next.inboundServices, plane: plane, at: now)
            fleet.sampleLoads = { sampler.sample(at: $0) }
            fleet.configChecksum = prepared.config.upstreamsChecksum
            responder?.answer(for: next.inboundServices)
            if var tags = next.membership?.tags {
                // Others know from our start on where we stand.
                tags[MemberTag.zone] = config.start.node.zone
                if fleet.configure(tags: tags, interests: next.tagsOfInterest) { bear(services.tags, by: fleet) }
            }
        }
        certificates.adopt(prepared.tls)
        accessLog.adopt(prepared.accessLog)
        change(prepared.roster, at: now)
        shutdown.drainPeriod = next.shutdown.drain
    }

    private mutating func change(_ change: RosterChange, at now: Instant) {
        switch change {
        case .stays: return
        case .ends:
            roster?.stopSoon()
            roster = nil
            rosterDesk.clear()
            endpoints.list(nil, at: now)
        case .another(let source):
            roster?.stopSoon()
            rosterDesk.change()
            let next = RosterWatch(
                source, isFirst: false, isKept: config.start.node.stateDirectory != nil, desk: rosterDesk,
                logger: logger)
            roster = next
            if let names = next.take() { endpoints.list(names, at: now) }
            next.start { [desk] in desk.wake.signal() }
        }
    }

    private func checkRoom(for prepared: PreparedConfig) throws(ConfigRefusal) {
        let opening = prepared.plan.doors.count { if case .opens = $0 { true } else { false } }
        let room = plane.roomForListeners()
        if opening > room {
            throw ConfigRefusal([
                "\(opening) listeners are new and there is room for \(room), as closed ones keep theirs until their last connection has ended; try again later"
            ])
        }
        let known = Set(plane.upstreams.upstreams.map(\.options.name))
        let new = prepared.config.configuration.allUpstreams.count { !known.contains($0.name) }
        if known.count + new > plane.roomForUpstreams {
            throw ConfigRefusal([
                "\(new) upstreams are new and \(known.count) have been since the start, of \(plane.roomForUpstreams) in all; restart"
            ])
        }
    }
}
