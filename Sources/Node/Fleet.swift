// From a config to a member on the network, and from its view to what others may read.
//
// Sockets are bound where listeners are, so that a port that is taken ends the start with the same exit code; the driver
// itself belongs to the control thread.

import Admin
import Config
import Gossip
import GossipNet
import GossipWire
import Logging
import Reactor
import Stats
import Synchronization
import TLS
import Vocabulary

/// What other threads may read of the fleet. Replaced whole by the control thread.
struct FleetSnapshot: Sendable {
    struct Member: Sendable {
        let name: String
        let view: Membership.View
    }

    /// In no order that means anything; this node among them.
    let members: [Member]
    let counters: GossipCounters
    let incarnation: UInt32
    let present: Int
    let healthScore: Int
    let queued: Int
    let viewChecksum: UInt64
}

/// Where the control thread leaves its snapshots.
final class FleetDesk: Sendable {
    private let latest = Mutex<FleetSnapshot?>(nil)

    var snapshot: FleetSnapshot? { latest.withLock { $0 } }

    func publish(_ snapshot: FleetSnapshot) { latest.withLock { $0 = snapshot } }
}

/// This node as a member: the driver, its log and its snapshots. For the control thread alone, once it runs.
final class Fleet {
    /// Between two snapshots while things change, so that a fleet's mass start does not copy its views for ever.
    private static let shortestPause = Duration.milliseconds(100)
    /// Counters are no older than this.
    private static let longestPause = Duration.seconds(1)

    private let driver: GossipDriver<Membership>
    private let desk: FleetDesk
    private let events: EventHub
    private let seeds: [PeerAddress]
    private var log: FleetLog
    private var publishedRevision: UInt64?
    private var members: [FleetSnapshot.Member] = []
    private var published = Instant(nanoseconds: .min)

    /// - Parameter sockets: bound as the options say.
    init(
        _ options: MembershipOptions, name: String, on sockets: consuming GossipSockets, desk: FleetDesk,
        events: EventHub, logger: Logger
    ) throws {
        let directory = Directory()
        let address = options.advertise ?? sockets.address
        let record = MemberRecord(address: address, meta: options.tags.meta, versions: .serf, isRemora: true)
        let layers = try Self.layers(options)
        var gossip = options.gossip
        gossip.packetOverhead = layers.packetOverhead
        seeds = options.join.filter { $0 != address }
        gossip.seeds = seeds
        var random = SystemRandomNumberGenerator()
        let core = Membership(
            name: directory.intern(name), record: record, options: gossip, directory: directory,
            random: SeededRandom(seed: random.next()))
        driver = try GossipDriver(
            core, on: sockets, layers: layers, directory: directory, streamTimeout: gossip.streamTimeout)
        self.desk = desk
        self.events = events
        log = FleetLog(logger: logger, isEncrypted: !options.keys.isEmpty)
        driver.heard = { [unowned self] event in
            log.write(event, names: driver.directory, at: Kernel.now())
            publish(event)
        }
    }

    /// Tells those who listen on the admin port.
    private func publish(_ event: MembershipEvent) {
        switch event {
        case .joined(let id), .updated(let id), .suspected(let id), .cleared(let id), .died(let id), .left(let id):
            guard events.isHeard, let view = driver.core.fleet.view(of: id) else { return }
            let member = FleetSnapshot.Member(name: driver.directory.name(of: id), view: view)
            events.publish(.member(MemberReport(member, at: Kernel.now())))
        case .forgotten, .refuted, .conflict, .datagramsLost, .stalled, .seedJoined, .seedFailed, .leaveSpread, .user,
            .userState, .measured, .refusedExchange:
            break
        }
    }

    private static func layers(_ options: MembershipOptions) throws(AESGCM.KeyFault) -> Layers<AESGCM> {
        var layers = LayerOptions()
        layers.label = options.label
        var keyring: Keyring<AESGCM>?
        for key in options.keys {
            let cipher = try cipher(key.bytes)
            if keyring == nil {
                keyring = Keyring(primary: cipher)
            } else {
                // No more keys are configured than fit; one that stands there twice changes nothing.
                try? keyring?.add(cipher)
            }
        }
        return Layers(options: layers, keyring: keyring)
    }

    private static func cipher(_ key: [UInt8]) throws(AESGCM.KeyFault) -> AESGCM {
        do {
            return try unsafe key.withUnsafeBytes { try unsafe AESGCM(key: $0) }
        } catch let fault as AESGCM.KeyFault {
            throw fault
        } catch {
            preconditionFailure("nothing else is thrown")
        }
    }

    var descriptor: Int32 { driver.descriptor }
    var hasLeft: Bool { driver.hasLeft }

    func start() {
        driver.start(joining: seeds)
        publishIfDue()
    }

    func leave() { driver.leave() }

    /// To be called when the descriptor is readable, at ``nextWake``, and now and then.
    func turn() {
        driver.turn()
        let now = Kernel.now()
        log.writeRefusals(driver.counters, last: driver.lastRefusal, at: now)
        publishIfDue()
    }

    var nextWake: Instant {
        driver.revision == publishedRevision ? driver.nextWake : min(driver.nextWake, published + Self.shortestPause)
    }

    private func collectMembers() {
        members = []
        members.reserveCapacity(driver.core.fleet.listed)
        driver.core.fleet.forEachMember { view in
            members.append(FleetSnapshot.Member(name: driver.directory.name(of: view.id), view: view))
        }
    }

    private func publishIfDue() {
        let now = Kernel.now()
        let isChanged = driver.revision != publishedRevision
        guard publishedRevision == nil || now >= published + (isChanged ? Self.shortestPause : Self.longestPause) else {
            return
        }
        if isChanged { collectMembers() }
        publishedRevision = driver.revision
        published = now
        let core = driver.core.fleet
        desk.publish(
            FleetSnapshot(
                members: members, counters: driver.counters, incarnation: core.incarnation, present: core.present,
                healthScore: core.healthScore, queued: core.queued, viewChecksum: core.viewChecksum))
    }
}
