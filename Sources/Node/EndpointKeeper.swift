// The upstreams of a running node: what discovery is told, what is published of it, and what is said of it.
//
//     fleet's changes ─┐                        ┌─► DataPlane.publish
//     roster ──────────┼─► Discovery (a core) ──┼─► EndpointLog, EventHub
//     workers' notices ┘         ▲              ├─► nextWake
//                                └ TableBuilder ◄ orders
//
// It belongs to the control thread. Nothing here decides; it carries what others saw to the core, and the core's sets to
// the workers.

import Admin
import Logging
import Proxy
import Stats
import Upstreams
import Vocabulary

final class EndpointKeeper {
    private var discovery: Discovery
    private let plane: DataPlane
    private let events: EventHub
    private var log: EndpointLog
    private let builder: TableBuilder
    /// Whether workers may still read sets older than the newest.
    private var hasOldSets = false

    /// - Parameters:
    ///   - discovery: whose current set the plane was made with.
    ///   - wake: called from another thread when a ring or table is there.
    init(
        _ discovery: consuming Discovery, plane: DataPlane, events: EventHub, logger: Logger,
        wake: @escaping @Sendable () -> Void
    ) {
        self.discovery = discovery
        // That the config names some is no news.
        _ = self.discovery.takeNews()
        self.plane = plane
        self.events = events
        log = EndpointLog(logger: logger)
        builder = TableBuilder(wake: wake)
    }

    // MARK: What others saw

    func take(_ changes: [FleetChange], at now: Instant) {
        for change in changes {
            switch change {
            case .member(let member): discovery.update(member, at: now)
            case .forgotten(let name): discovery.forget(name, at: now)
            }
        }
    }

    /// - Parameter lastContact: when somebody of the fleet last showed that it hears us; nil: nobody ever did.
    func hear(lastContact: Instant?, at now: Instant) { discovery.hear(nobodySince: lastContact, at: now) }

    func list(_ roster: Roster?, at now: Instant) { discovery.list(roster, at: now) }

    func observe(_ notice: Notice, at now: Instant) {
        guard let observation = notice.observation else { return }
        discovery.observe(observation, at: now, reading: plane.counts(ofCell:))
    }

    // MARK: Another config

    /// Takes the upstreams of another config.
    /// - Parameter publish: makes the set that follows from it the workers', with whatever has to agree with it.
    /// - Throws: nothing was changed.
    func configure(
        _ upstreams: [UpstreamOptions], at now: Instant, publish: (UpstreamSet) -> Void
    ) throws(OutOfLoadCells) {
        let set = try discovery.configure(upstreams, at: now)
        hasOldSets = true
        publish(set)
        tell(at: now)
    }

    // MARK: What follows

    /// When ``turn(at:)`` wants to be called.
    var nextWake: Instant { discovery.nextWake ?? Instant(nanoseconds: .max) }

    /// Publishes what has changed, and says so.
    func turn(at now: Instant) {
        for (order, table) in builder.take() { discovery.install(table, of: order) }
        if nextWake <= now { discovery.wake(at: now, reading: plane.counts(ofCell:)) }
        if let set = discovery.nextSet(at: now) {
            plane.publish(set)
            hasOldSets = true
        }
        builder.build(discovery.takeTableOrders())
        if hasOldSets {
            let acknowledged = plane.reclaim()
            discovery.reclaim(acknowledged: acknowledged, at: now)
            hasOldSets = acknowledged < discovery.current.version
        }
        tell(at: now)
    }

    private func tell(at now: Instant) {
        let (news, leftOut) = discovery.takeNews()
        for item in news {
            log.write(item, at: now)
            switch item {
            case .endpoint(let change): events.publish(.endpoint(EndpointEvent(change)))
            case .lastKnownGoodBegan(let inForce):
                events.publish(.view(ViewEvent(lastKnownGood: true, reason: inForce.why)))
            case .lastKnownGoodEnded:
                events.publish(.view(ViewEvent(lastKnownGood: false, reason: EndpointLog.believedAgain)))
            case .unreadableTag, .noRoom: break
            }
        }
        log.endTurn(leftOut: leftOut, at: now)
    }

    /// What `/ready` says of it beside "ready".
    var note: String? { discovery.lastKnownGood?.why }
}

extension EndpointEvent {
    init(_ change: EndpointChange) {
        self.init(
            upstream: change.upstream, address: "\(change.endpoint.address)", member: change.endpoint.member,
            state: change.to?.rawValue, reason: change.reason)
    }
}
