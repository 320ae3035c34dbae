// The services beside this node: whether each is well, what the fleet is told of it, and whether its door is open.
//
//     health checks ──┐                     ┌─► tags, for the fleet
//     refused connects┼─► state of each ────┼─► inbound listeners, stopped and resumed
//     a drain ────────┘                     └─► log, events
//
// Two witnesses say that an instance does not serve. A failed check is told to the fleet, and callers that are here
// already are served on: the instance may answer them yet. A refused connect is certain, and the listener turns callers
// away from that moment, so that they see a refusal and try elsewhere; a check decides when it is over, the configured one
// or, where there is none, a connect every second.

import Admin
import Config
import HealthChecks
import Logging
import Proxy
import Reactor
import Stats
import Synchronization
import Upstreams
import Vocabulary

/// For the control thread alone.
final class ServiceKeeper {
    /// How an instance without a check of its own is asked whether it is back.
    private static let returnCheck = HealthCheckOptions(
        probe: .tcp, interval: .seconds(1), timeout: .milliseconds(500), fall: 1, rise: 1)
    /// After this a worker has heard that it is to accept again, or cannot.
    private static let resumePatience = Duration.seconds(1)

    fileprivate struct Service {
        let options: ServiceOptions
        /// Nil: it is not advertised, as this node is a member of nothing.
        let advertised: AdvertisedService?
        /// Its inbound listener's place.
        let listener: Int?
        var state: HealthCheck.State
        /// Whether its listener turns callers away.
        var isClosed = false
        /// When its listener was last told to accept again.
        var resumed = Instant(nanoseconds: .min)
    }

    private var services: [Service]
    private let checker: HealthChecker
    private let plane: DataPlane
    private let desk: ServiceDesk
    private let events: EventHub
    private let logger: Logger
    private var isDraining = false
    /// Whether the fleet has not been told yet what is so now.
    private var isChanged = false
    private var nextLook = Instant(nanoseconds: .min)

    /// - Parameter listeners: names, by the number that notices bear.
    init(
        _ options: [ServiceOptions], advertised: [AdvertisedService], listeners: [String: Int], plane: DataPlane,
        desk: ServiceDesk, events: EventHub, random: SeededRandom, logger: Logger
    ) throws(SystemError) {
        checker = try HealthChecker(random: random)
        self.plane = plane
        self.desk = desk
        self.events = events
        self.logger = logger
        services = options.map { service in
            Service(
                options: service, advertised: advertised.first { $0.name == service.name },
                listener: listeners[service.name], state: service.stateAtStart)
        }
        publish()
    }

    var descriptor: Int32 { checker.descriptor }
    /// Whether the fleet is told of any.
    var advertises: Bool { services.contains { $0.advertised != nil } }

    var nextWake: Instant { services.isEmpty ? Instant(nanoseconds: .max) : min(checker.nextWake, nextLook) }

    func start() {
        for service in services {
            guard let check = service.options.health else { continue }
            checker.watch(service.options.name, at: service.options.address, check)
        }
    }

    /// To be called when the descriptor is readable, at ``nextWake``, and now and then.
    func turn(at now: Instant) {
        for change in checker.turn() { take(change, at: now) }
        look(at: now)
    }

    // MARK: Witnesses

    private func take(_ change: HealthChange, at now: Instant) {
        guard let index = services.firstIndex(where: { $0.options.name == change.service }) else { return }
        become(change.state, index)
        guard change.state.isPassing else { return }
        if services[index].options.health == nil { checker.stopWatching(change.service) }
        open(index, at: now)
    }

    /// The local instance behind a listener refused a connection; nothing happens for another listener.
    func refuse(listener: Int, _ error: SystemError, at now: Instant) {
        guard let index = services.firstIndex(where: { $0.listener == listener }), !services[index].isClosed else {
            return
        }
        let options = services[index].options
        services[index].isClosed = true
        plane.stopAccepting(listener: listener)
        let reason = "connecting to \(options.address) failed: \(error)"
        if options.health == nil {
            checker.watch(options.name, at: options.address, Self.returnCheck, from: .failing(reason))
        } else {
            _ = checker.fail(options.name, because: reason)
        }
        logger.error(
            "service \(options.name): its instance does not accept connections; callers are turned away until it does")
        become(.failing(reason), index)
    }

    /// What a worker had to say of a listener.
    func heed(_ notice: Notice, at now: Instant) {
        switch notice.kind {
        case .instanceRefused: refuse(listener: Int(notice.listener), SystemError(code: notice.detail), at: now)
        // Asked again at the next look.
        case .listenFailed, .connectFailed, .endpointReset, .endpointAnswered, .noEndpoint, .listenerFull, .badPreface,
            .heldBytesExhausted, .acceptPaused, .acceptResumed:
            break
        }
    }

    /// Finds what a lost notice would have told, and asks again where a listener could not go on.
    private func look(at now: Instant) {
        guard now >= nextLook, plane.drainStage == .serving else { return }
        nextLook = now + Self.resumePatience
        for index in services.indices {
            guard let listener = services[index].listener, !services[index].isClosed,
                now >= services[index].resumed + Self.resumePatience, !plane.accepts(listener: listener)
            else { continue }
            if services[index].resumed.nanoseconds == .min {
                refuse(listener: listener, .connectionRefused, at: now)
            } else {
                open(index, at: now)
            }
        }
    }

    private func open(_ index: Int, at now: Instant) {
        guard let listener = services[index].listener else { return }
        services[index].isClosed = false
        services[index].resumed = now
        plane.resumeAccepting(listener: listener)
    }

    // MARK: What follows

    private func become(_ state: HealthCheck.State, _ index: Int) {
        guard services[index].state != state else { return }
        let before = services[index].state
        services[index].state = state
        publish()
        guard before.isPassing != state.isPassing || before == .unknown else { return }
        isChanged = true
        let report = services[index].report(isDraining: isDraining)
        logger.log(
            level: state.isPassing ? .notice : .warning, "service \(report.name) is \(report.state): \(report.reason)")
        events.publish(.service(report))
    }

    /// From now on every service is told to be draining.
    func drain() {
        isDraining = true
        isChanged = true
        publish()
        for service in services { events.publish(.service(service.report(isDraining: true))) }
    }

    private func publish() { desk.publish(services.map { $0.report(isDraining: isDraining) }) }

    /// The tags of all services, if they are not what they were when this was last asked.
    func takeTags() -> [(name: String, value: String)]? {
        guard isChanged else { return nil }
        isChanged = false
        return tags
    }

    var tags: [(name: String, value: String)] {
        services.compactMap { service in
            service.tag(isDraining: isDraining).map { (ServiceTag.key(for: service.options.name), "\($0)") }
        }
    }
}

extension ServiceKeeper.Service {
    /// The first check ends at once, and until then nobody is sent here.
    private var health: ServiceTag.Health { state.isPassing ? .passing : .failing }

    func tag(isDraining: Bool) -> ServiceTag? {
        advertised.map { ServiceTag($0, health: isDraining ? .draining : health) }
    }

    func report(isDraining: Bool) -> ServiceReport {
        let (word, reason): (String, String) =
            switch state {
            case _ where isDraining: ("draining", "This node drains.")
            case .unknown: ("failing", "Its first check has not ended yet.")
            case .passing: ("passing", options.health == nil ? "Nothing speaks against it." : "It passes its check.")
            case .failing(let why): ("failing", "\(why).")
            }
        return ServiceReport(
            name: options.name, address: "\(options.address)", tag: tag(isDraining: isDraining).map { "\($0)" },
            state: word, reason: reason)
    }
}

extension ServiceOptions {
    /// What is not checked is taken for well until a connection is refused.
    fileprivate var stateAtStart: HealthCheck.State { health == nil ? .passing : .unknown }

    /// Its tag before anything is known of it.
    func tagAtStart(_ advertised: AdvertisedService) -> ServiceTag {
        ServiceTag(advertised, health: stateAtStart.isPassing ? .passing : .failing)
    }
}

/// Where the control thread leaves what is so of its services.
final class ServiceDesk: Sendable {
    private let latest = Mutex<[ServiceReport]>([])

    var reports: [ServiceReport] { latest.withLock { $0 } }

    func publish(_ reports: [ServiceReport]) { latest.withLock { $0 = reports } }
}
