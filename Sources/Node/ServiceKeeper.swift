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

/// The inbound listeners, by the numbers that notices bear.
struct Doors {
    /// Turns callers away.
    var stop: (Int) -> Void
    /// The same, but takes in those who have come already.
    var close: (Int) -> Void
    var resume: (Int) -> Void
    /// Whether all workers accept there.
    var accepts: (Int) -> Bool

    init(of plane: DataPlane) {
        self.init(
            stop: { plane.stopAccepting(listener: $0) }, close: { plane.closeDoor(listener: $0) },
            resume: { plane.resumeAccepting(listener: $0) },
            accepts: { plane.accepts(listener: $0) })
    }

    init(
        stop: @escaping (Int) -> Void, close: @escaping (Int) -> Void, resume: @escaping (Int) -> Void,
        accepts: @escaping (Int) -> Bool
    ) {
        self.stop = stop
        self.close = close
        self.resume = resume
        self.accepts = accepts
    }
}

/// For the control thread alone.
final class ServiceKeeper {
    /// After this a worker has heard that it is to accept again, or cannot.
    private static let resumePatience = Duration.seconds(1)

    fileprivate struct Service {
        var options: ServiceOptions
        /// Nil: it is not advertised, as this node is a member of nothing.
        var advertised: AdvertisedService?
        /// Its inbound listener's number.
        var listener: Int?
        var state: HealthCheck.State
        /// Whether its listener turns callers away.
        var isClosed = false
        /// Why its listener could not accept again when it was told to; nil while it can.
        var cannotListen: SystemError?
        /// When its listener was last told to accept again.
        var resumed = Instant(nanoseconds: .min)
    }

    private var services: [Service]
    private let checker: HealthChecker
    private let doors: Doors
    private let desk: ServiceDesk
    private let events: EventHub
    private let logger: Logger
    private var isDraining = false
    /// Whether a drain has closed all doors.
    private var doorsAreClosed = false
    /// What the fleet was told last.
    private var told: [(name: String, value: String)] = []
    private(set) var nextLook = Instant(nanoseconds: .min)

    /// - Parameter listeners: names, by the number that notices bear.
    init(
        _ options: [ServiceOptions], advertised: [AdvertisedService], listeners: [String: Int], doors: Doors,
        desk: ServiceDesk, events: EventHub, random: SeededRandom, logger: Logger
    ) throws(SystemError) {
        checker = try HealthChecker(random: random)
        self.doors = doors
        self.desk = desk
        self.events = events
        self.logger = logger
        services = options.map { service in
            Service(
                options: service, advertised: advertised.first { $0.name == service.name },
                listener: listeners[service.name], state: service.stateAtStart)
        }
        told = tags
        publish()
    }

    var descriptor: Int32 { checker.descriptor }
    /// Whether the fleet is told of any.
    var advertises: Bool { services.contains { $0.advertised != nil } }

    var nextWake: Instant { services.isEmpty ? Instant(nanoseconds: .max) : min(checker.nextWake, nextLook) }

    func start() { for service in services { beginChecks(of: service.options) } }

    private func beginChecks(of options: ServiceOptions) {
        if let check = options.health { checker.watch(options.name, at: options.address, check) }
    }

    /// Takes the services of another config. What is known of one holds as long as its instance and its check are the
    /// same.
    func configure(_ options: [ServiceOptions], advertised: [AdvertisedService], listeners: [String: Int]) {
        let before = Dictionary(services.map { ($0.options.name, $0) }) { first, _ in first }
        let names = Set(options.map(\.name))
        for name in before.keys where !names.contains(name) { checker.stopWatching(name) }
        let closed = Set(services.filter { $0.isClosed || doorsAreClosed }.compactMap(\.listener))
        services = options.map { options in
            let last = before[options.name]
            let isSame = last?.options.address == options.address && last?.options.health == options.health
            var service =
                if isSame, let last { last } else {
                    Service(options: options, advertised: nil, listener: nil, state: options.stateAtStart)
                }
            service.options = options
            service.advertised = advertised.first { $0.name == options.name }
            service.listener = listeners[options.name]
            if !isSame {
                checker.stopWatching(options.name)
                beginChecks(of: options)
            }
            return service
        }
        placeDoors(closed)
        publish()
    }

    /// Has each inbound listener do as its service is, whatever its door did before.
    /// - Parameter closed: listeners whose doors turned callers away.
    private func placeDoors(_ closed: Set<Int>) {
        for number in closed.subtracting(inboundListeners) { doors.resume(number) }
        for service in services {
            guard let listener = service.listener else { continue }
            if doorsAreClosed {
                doors.close(listener)
            } else if service.isClosed {
                doors.stop(listener)
            } else if closed.contains(listener) {
                doors.resume(listener)
            }
        }
    }

    /// To be called when the descriptor is readable, at ``nextWake``, and now and then.
    func turn(at now: Instant) {
        for change in checker.turn() { take(change, at: now) }
        for index in services.indices {
            // Why a service fails may change while it does.
            guard let state = checker.state(of: services[index].options.name), case .failing = state else { continue }
            become(state, index)
        }
        look(at: now)
    }

    // MARK: Witnesses

    private func take(_ change: HealthChange, at now: Instant) {
        guard let index = services.firstIndex(where: { $0.options.name == change.service }) else { return }
        become(change.state, index)
        guard change.state.isPassing else { return }
        if services[index].options.health == nil { checker.stopWatching(change.service) }
        guard services[index].isClosed else { return }
        if doorsAreClosed { services[index].isClosed = false } else { open(index, at: now) }
    }

    /// What a worker had to say of a listener.
    func heed(_ notice: Notice, at now: Instant) {
        switch notice.kind {
        case .instanceRefused:
            let error = SystemError(code: notice.detail)
            refuse(listener: Int(notice.listener), because: "\(error)", at: now)
        case .listenFailed:
            guard let index = service(behind: Int(notice.listener)) else { return }
            services[index].cannotListen = SystemError(code: notice.detail)
            tell(index)
        case .connectFailed, .endpointReset, .endpointAnswered, .noEndpoint, .listenerFull, .badPreface,
            .handshakeRefused, .handshakeFailed, .heldBytesExhausted, .acceptPaused, .acceptResumed:
            break
        }
    }

    private func service(behind listener: Int) -> Int? { services.firstIndex { $0.listener == listener } }

    /// The local instance behind a listener does not take connections; nothing happens for another listener.
    private func refuse(listener: Int, because error: String, at now: Instant) {
        guard let index = service(behind: listener), !services[index].isClosed else { return }
        let options = services[index].options
        services[index].isClosed = true
        if !doorsAreClosed { doors.stop(listener) }
        let reason = "connecting to \(options.address) failed: \(error)"
        if options.health == nil {
            checker.watch(options.name, at: options.address, .afterRefusal, from: .failing(reason))
        } else {
            _ = checker.fail(options.name, because: reason)
        }
        become(.failing(reason), index)
    }

    /// Finds what a lost notice would have told, and asks again where a listener could not go on.
    private func look(at now: Instant) {
        guard now >= nextLook else { return }
        nextLook = now + Self.resumePatience
        guard !isDraining else { return }
        for index in services.indices {
            guard let listener = services[index].listener, !services[index].isClosed,
                now >= services[index].resumed + Self.resumePatience
            else { continue }
            if doors.accepts(listener) {
                guard services[index].cannotListen != nil else { continue }
                services[index].cannotListen = nil
                tell(index)
            } else if services[index].cannotListen != nil {
                open(index, at: now)
            } else {
                refuse(listener: listener, because: "a worker found that it takes no connections", at: now)
            }
        }
    }

    private func open(_ index: Int, at now: Instant) {
        guard let listener = services[index].listener else { return }
        services[index].isClosed = false
        services[index].resumed = now
        doors.resume(listener)
    }

    // MARK: What follows

    private func become(_ state: HealthCheck.State, _ index: Int) {
        let before = services[index].state
        guard before != state else { return }
        services[index].state = state
        if before.isPassing != state.isPassing || before == .unknown { tell(index) } else { publish() }
    }

    /// Says what is so of a service from now on.
    private func tell(_ index: Int) {
        publish()
        let report = services[index].report(isDraining: isDraining)
        logger.log(
            level: services[index].isWell ? .notice : .warning,
            "service \(report.name) is \(report.state): \(report.reason)")
        events.publish(.service(report))
    }

    /// From now on every service is told to be draining.
    func drain() {
        guard !isDraining else { return }
        isDraining = true
        publish()
        for service in services { events.publish(.service(service.report(isDraining: true))) }
    }

    /// Closes the inbound listeners, until the drain is taken back; who has connected already is taken in.
    func closeDoors() {
        doorsAreClosed = true
        for service in services {
            if let listener = service.listener { doors.close(listener) }
        }
    }

    /// Takes a drain back.
    func undrain(at now: Instant) {
        guard isDraining else { return }
        isDraining = false
        if doorsAreClosed {
            doorsAreClosed = false
            for index in services.indices {
                guard let listener = services[index].listener else { continue }
                if services[index].isClosed { doors.stop(listener) } else { open(index, at: now) }
            }
        }
        publish()
        for service in services { events.publish(.service(service.report(isDraining: false))) }
    }

    /// The inbound listeners, by their numbers.
    var inboundListeners: [Int] { services.compactMap(\.listener) }

    private func publish() { desk.publish(services.map { $0.report(isDraining: isDraining) }) }

    /// The tags of all services, if they are not what they were when this was last asked.
    func takeTags() -> [(name: String, value: String)]? {
        let tags = tags
        guard !tags.elementsEqual(told, by: ==) else { return nil }
        told = tags
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
    var isWell: Bool { state.isPassing && cannotListen == nil }

    func tag(isDraining: Bool) -> ServiceTag? {
        advertised.map { ServiceTag($0, health: isDraining ? .draining : isWell ? .passing : .failing) }
    }

    func report(isDraining: Bool) -> ServiceReport {
        let (word, reason): (String, String) =
            switch state {
            case _ where isDraining: ("draining", "This node drains.")
            case .passing where cannotListen != nil:
                ("failing", "Its inbound listener cannot listen: \(cannotListen?.description ?? "").")
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
}

/// Where the control thread leaves what is so of its services.
final class ServiceDesk: Sendable {
    private let latest = Mutex<[ServiceReport]>([])

    var reports: [ServiceReport] { latest.withLock { $0 } }

    func publish(_ reports: [ServiceReport]) { latest.withLock { $0 = reports } }
}
