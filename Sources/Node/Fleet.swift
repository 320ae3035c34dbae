// From a config to a member on the network, and from its view to what others may read.
//
// Sockets are bound where listeners are, so that a port that is taken ends the start with the same exit code; the driver
// itself belongs to the control thread.

import Admin
import Config
import FleetLoad
import Gossip
import GossipNet
import GossipWire
import Logging
import Reactor
import Serf
import Stats
import Synchronization
import TLS
import Upstreams
import Vocabulary

/// What other threads may read of the fleet. Replaced whole by the control thread.
struct FleetSnapshot: Sendable {
    struct Member: Sendable {
        let name: String
        let state: MemberState
        /// 0 for one that gossip has forgotten since it went.
        let incarnation: UInt32
        let record: MemberRecord
        let since: Instant

        init(_ view: SerfAgent.View, in agent: SerfAgent, names: Directory) {
            name = names.name(of: view.id)
            let seen = agent.gossip.view(of: view.id)
            // Whom an operator declared gone, or who said goodbye and was forgotten by gossip, has left.
            let isGone = view.standing.status == .left || view.saidGoodbye
            switch seen?.state {
            case .alive, .suspect, .left: state = seen?.state ?? .left
            case .dead, nil: state = isGone ? .left : .dead
            }
            incarnation = seen?.incarnation ?? 0
            record = seen?.record ?? view.record
            since = seen?.since ?? view.departed ?? Instant(nanoseconds: 0)
        }
    }

    /// This node's.
    let name: String
    /// In no order that means anything; this node among them.
    let members: [Member]
    /// Who was accused of late, by whom, and what came of that; by name, as few ever are.
    let provenances: [String: Provenance]
    let counters: GossipCounters
    let incarnation: UInt32
    let present: Int
    let healthScore: Int
    let queued: Int
    let viewChecksum: UInt64
    /// Nil where telemetry is off.
    let telemetry: Telemetry?
    /// Nil where telemetry is off.
    let agreement: FleetAgreement?
    /// Whether somebody of the fleet is known, or there is nobody to be asked.
    let hasJoined: Bool

    struct Telemetry: Sendable {
        let summary: LoadReports.Summary
        let counters: LoadCounters
        /// Outstanding requests as the members' own sidecars count them: by service, by member.
        let outstanding: [String: [String: Int]]
        /// And how long their answers take there, where there were any of late.
        let answerTimes: [String: [String: Duration]]
    }
}

/// Where the control thread leaves its snapshots.
final class FleetDesk: Sendable {
    private let latest = Mutex<FleetSnapshot?>(nil)

    var snapshot: FleetSnapshot? { latest.withLock { $0 } }

    func publish(_ snapshot: FleetSnapshot) { latest.withLock { $0 = snapshot } }
}

/// What discovery has to hear of the fleet.
enum FleetChange: Sendable {
    case member(FleetMember)
    /// It is listed no more.
    case forgotten(String)
}

/// This node as a member: the driver, its log and its snapshots. For the control thread alone, once it runs.
final class Fleet {
    /// Between two snapshots while things change, so that a fleet's mass start does not copy its views for ever.
    private static let shortestPause = Duration.milliseconds(100)
    /// Counters are no older than this.
    private static let longestPause = Duration.seconds(1)

    private let driver: GossipDriver<SerfAgent>
    private let desk: FleetDesk
    private let events: EventHub
    private let seeds: [PeerAddress]
    private let name: String
    /// Those of the config.
    /// That this is a remora, and where it answers load probes.
    private let remoraTag: (name: String, value: String)
    private var baseTags: SerfTags
    /// Tags that discovery reads; a fleet's others are not kept once more for it.
    private var interests: Set<String>
    private var wasAnswered = false
    /// What has changed since it was last taken, in the order in which it happened.
    private var changes: [FleetChange] = []
    private var log: FleetLog
    private var keys: FleetKeys
    private var publishedRevision: UInt64?
    private var members: [FleetSnapshot.Member] = []
    private var provenances: [String: Provenance] = [:]
    /// What was asked during a turn, answered after it: the core is not to be told anything while it tells something.
    private var answers: [(QueryTicket, SerfKeyResponse)] = []
    private static let mostAnswers = 64
    /// The keys that packets are sealed with and opened by.
    private var adopted: [[UInt8]]
    private var published = Instant(nanoseconds: .min)
    /// Nil where telemetry is off.
    private var loads: LoadReports?
    /// Whether the roster lists a member; nil: there is none, and everybody belongs.
    var lists: (String) -> Bool? = { _ in nil }
    /// Of what this node was told to do, for others to compare with theirs.
    var configChecksum: UInt32
    /// What telemetry tells of this node.
    var sampleLoads: (Instant) -> [String: ServiceLoad] = { _ in [:] }
    private var loadDatagrams: [LoadDatagram] = []
    /// Called with what others told of their load.
    var heardLoads: (LoadReports, Instant) -> Void = { _, _ in }
    /// Called with the raw keys, the first one first, whenever they are others.
    var keysChanged: ([[UInt8]]) -> Void = { _ in }

    /// - Parameters:
    ///   - probePort: where this node answers load probes; 0 for nowhere.
    ///   - services: tags that this node bears from the start beside the config's.
    ///   - interests: names of tags that ``takeChanges()`` hands on.
    ///   - configChecksum: see there.
    ///   - sockets: bound as the options say.
    init(
        _ options: MembershipOptions, name: String, configChecksum: UInt32, probePort: UInt16,
        services: [(name: String, value: String)],
        interests: Set<String>,
        stateDirectory: String?,
        on sockets: consuming GossipSockets, desk: FleetDesk, events: EventHub, logger: Logger
    ) throws {
        let directory = Directory()
        let address = options.advertise ?? sockets.address
        keys = FleetKeys(configured: options.keys.map(\.bytes), stateDirectory: stateDirectory, logger: logger)
        adopted = keys.keys
        var layerOptions = LayerOptions()
        layerOptions.label = options.label
        let layers = Layers(options: layerOptions, keyring: try keys.keyring())
        var gossip = options.gossip
        gossip.packetOverhead = layers.packetOverhead
        seeds = options.join.filter { $0 != address }
        gossip.seeds = seeds
        self.name = name
        self.configChecksum = configChecksum
        round = options.gossip.gossipInterval
        remoraTag = (MemberTag.remora, MemberTag.remoraValue(probePort: probePort))
        baseTags = options.tags.adding([remoraTag])
        self.interests = interests
        var random = SystemRandomNumberGenerator()
        let core = try SerfAgent(
            name: directory.intern(name), address: address, tags: baseTags.adding(services), gossip: gossip,
            directory: directory,
            random: SeededRandom(seed: random.next()))
        if options.telemetryBytesPerSecond.bytes > 0 {
            loads = LoadReports(
                of: name,
                options: TelemetryOptions(
                    bytesPerSecond: options.telemetryBytesPerSecond, packetOverhead: layers.packetOverhead,
                    packetBudget: gossip.packetBudget))
        }
        driver = try GossipDriver(
            core, on: sockets, layers: layers, directory: directory, streamTimeout: gossip.streamTimeout)
        self.desk = desk
        self.events = events
        log = FleetLog(logger: logger, isEncrypted: !options.keys.isEmpty)
        driver.heard = { [unowned self] event in hear(event) }
    }

    private func hear(_ event: AgentEvent) {
        log.write(event, names: driver.directory, because: reason(of: event), at: Kernel.now())
        note(event)
        switch event {
        case .member(.seedJoined(let seed)):
            wasAnswered = true
            publish(.seedJoined(seed))
        case .member(.user(let body, _)):
            if LoadReports.takes(body.span) { loads?.receive(body.span, at: Kernel.now()) }
        case .member(let event): publish(event)
        case .keyring(let command, let ticket):
            // More questions in one turn than operators ask are somebody's flood.
            guard answers.count < Self.mostAnswers else { break }
            answer(ticket, keys.execute(command))
        case .status, .reaped, .event, .query, .refutedLeave, .leave, .refused, .ignored: break
        }
    }

    /// Who accused a member, where an event is about that.
    private func reason(of event: AgentEvent) -> String? {
        switch event {
        case .member(.suspected(let id)), .member(.cleared(let id)), .member(.died(let id)):
            driver.core.gossip.provenance(of: id)?.summary(own: name)
        case .member, .status, .reaped, .event, .query, .keyring, .refutedLeave, .leave, .refused, .ignored: nil
        }
    }

    /// Keeps for discovery what an event changes about a member.
    private func note(_ event: AgentEvent) {
        switch event {
        case .member(.joined(let id)), .member(.updated(let id)), .member(.suspected(let id)),
            .member(.cleared(let id)), .member(.died(let id)), .member(.left(let id)), .status(let id, _):
            noteMember(id)
        // Our own incarnation is another: what is told of our load bears it.
        case .member(.refuted): noteMember(driver.core.id)
        // Its name is free after this turn.
        case .reaped(let id):
            let name = driver.directory.name(of: id)
            loads?.remove(name)
            changes.append(.forgotten(name))
        case .member, .event, .query, .keyring, .refutedLeave, .leave, .refused, .ignored: break
        }
    }

    private func noteMember(_ id: MemberID) {
        guard let view = driver.core.view(of: id) else { return }
        var member = FleetMember(
            FleetSnapshot.Member(view, in: driver.core, names: driver.directory),
            accusedOf: driver.core.gossip.provenance(of: id), own: name)
        loads?.update(member, at: Kernel.now())
        member.tags = member.tags.filter { interests.contains($0.key) }
        changes.append(.member(member))
    }

    /// Tells the fleet how busy this node is, and what it knows of others, as far as the budget goes.
    private func tellLoads() {
        let now = Kernel.now()
        guard loads.map({ $0.nextWake <= now }) ?? false, !driver.hasLeft else { return }
        loads?.report(sampleLoads(now), at: now)
        seeChecksums(at: now)
        loads?.wake(at: now, into: &loadDatagrams)
        // Without a recipient, so that no checksum is added beyond the budget.
        driver.send(
            loadDatagrams.compactMap { datagram in
                PeerAddress(datagram.to).map {
                    Datagram(to: $0, recipient: nil, messages: datagram.bodies.map { .user($0) })
                }
            })
        loadDatagrams.removeAll(keepingCapacity: true)
    }

    private func seeChecksums(at now: Instant) {
        loads?.see(Checksums(view: driver.core.fleet.viewChecksum, config: configChecksum), at: now)
    }

    /// What discovery has to hear since this was last asked.
    func takeChanges() -> [FleetChange] {
        defer { changes.removeAll(keepingCapacity: true) }
        return changes
    }

    /// Hands on tags of other names too, of every member at once.
    func follow(more names: Set<String>) {
        guard !names.isSubset(of: interests) else { return }
        interests.formUnion(names)
        var ids: [MemberID] = []
        driver.core.forEachMember { ids.append($0.id) }
        for id in ids { noteMember(id) }
    }

    /// Takes what another config says of it, whose tags are followed already.
    /// - Parameters:
    ///   - tags: the config's own.
    ///   - interests: names of tags that ``takeChanges()`` hands on.
    /// - Returns: whether this node is to bear other tags, see ``bear(_:)``.
    func configure(tags: SerfTags, interests: Set<String>) -> Bool {
        self.interests = interests
        let tags = tags.adding([remoraTag])
        defer { baseTags = tags }
        return tags != baseTags
    }

    /// Bears these tags beside the config's from now on.
    /// - Throws: where they do not fit; nothing has changed.
    func bear(_ tags: [(name: String, value: String)]) throws(AgentRefusal) {
        let all = baseTags.adding(tags)
        var refusal: AgentRefusal?
        driver.command { core, now, effects in
            do throws(AgentRefusal) { try core.update(tags: all, at: now, into: &effects) } catch { refusal = error }
        }
        if let refusal { throw refusal }
        noteMember(driver.core.id)
    }

    /// From one round of gossip to the next.
    let round: Duration
    /// Whether our last word about ourselves is still being told.
    var isTelling: Bool { driver.core.gossip.isTellingOfItself }
    /// Whether there is anybody to be told.
    var hasCompany: Bool { driver.core.gossip.present > 1 }
    /// When somebody in the fleet last showed that it hears us.
    var lastContact: Instant? { driver.core.gossip.lastContact }

    /// Answers a question about our keys, and works with what they are now from the next packet on; the answer itself
    /// is the last that is sealed as before.
    private func answer(_ ticket: QueryTicket, _ response: SerfKeyResponse) {
        answers.append((ticket, response))
    }

    private func giveAnswers() {
        guard !answers.isEmpty else { return }
        for (ticket, response) in answers {
            driver.command { core, now, effects in
                // Too late, or longer than an answer may be: nobody waits for it.
                try? core.answer(ticket, keys: response, at: now, into: &effects)
            }
        }
        answers.removeAll()
        guard keys.keys != adopted else { return }
        adopted = keys.keys
        keysChanged(adopted)
        // Keys of the wrong length were refused, so there is a cipher for each.
        if let ring = try? keys.keyring() { driver.adopt(ring) }
    }

    /// Tells those who listen on the admin port, or come to ask what has changed.
    private func publish(_ event: MembershipEvent) {
        switch event {
        case .joined(let id), .updated(let id), .suspected(let id), .cleared(let id), .died(let id), .left(let id):
            guard let view = driver.core.view(of: id) else { return }
            let member = FleetSnapshot.Member(view, in: driver.core, names: driver.directory)
            let provenance = driver.core.gossip.provenance(of: id)
            var report = MemberReport(member, accusedOf: provenance, own: name, at: Kernel.now())
            report.listed = lists(member.name)
            events.publish(.member(report))
        case .forgotten, .refuted, .conflict, .datagramsLost, .stalled, .seedJoined, .seedFailed, .leaveSpread, .user,
            .userState, .measured, .refusedExchange:
            break
        }
    }

    /// The raw keys, the first one first; none where nothing is encrypted.
    var gossipKeys: [[UInt8]] { adopted }

    var descriptor: Int32 { driver.descriptor }
    var hasLeft: Bool { driver.hasLeft }

    func start() {
        driver.start(joining: seeds)
        noteMember(driver.core.id)
        publishIfDue()
    }

    func leave() { driver.leave() }

    /// Waits for what is being written to disk; when nothing else is waited for any more.
    func end() { keys.finish() }

    /// To be called when the descriptor is readable, at ``nextWake``, and now and then.
    func turn() {
        driver.turn()
        giveAnswers()
        tellLoads()
        let now = Kernel.now()
        if let loads { heardLoads(loads, now) }
        log.writeRefusals(driver.counters, last: driver.lastRefusal, at: now)
        publishIfDue()
    }

    var nextWake: Instant {
        var next = driver.nextWake
        if driver.revision != publishedRevision { next = min(next, published + Self.shortestPause) }
        if let loads, !driver.hasLeft { next = min(next, loads.nextWake) }
        return next
    }

    private func collectMembers() {
        members = []
        provenances = [:]
        members.reserveCapacity(driver.core.listed)
        driver.core.forEachMember { view in
            let member = FleetSnapshot.Member(view, in: driver.core, names: driver.directory)
            members.append(member)
            if let provenance = driver.core.gossip.provenance(of: view.id) { provenances[member.name] = provenance }
        }
    }

    /// Confirmations change nothing of a member, but who reads of its suspicion wants them.
    private func refreshSuspicions() {
        for member in members where member.state == .suspect {
            let id = driver.directory.intern(member.name)
            provenances[member.name] = driver.core.gossip.provenance(of: id) ?? provenances[member.name]
        }
    }

    private func telemetry(at now: Instant) -> FleetSnapshot.Telemetry? {
        guard let loads else { return nil }
        var outstanding: [String: [String: Int]] = [:]
        var answerTimes: [String: [String: Duration]] = [:]
        loads.forEachLoad(at: now) { member, service, known in
            outstanding[service, default: [:]][member] = Int(known.load.outstanding)
            if let time = known.load.latency.duration { answerTimes[service, default: [:]][member] = time }
        }
        return FleetSnapshot.Telemetry(
            summary: loads.summary(at: now), counters: loads.counters, outstanding: outstanding,
            answerTimes: answerTimes)
    }

    private func publishIfDue() {
        let now = Kernel.now()
        let isChanged = driver.revision != publishedRevision
        guard publishedRevision == nil || now >= published + (isChanged ? Self.shortestPause : Self.longestPause) else {
            return
        }
        if isChanged { collectMembers() } else { refreshSuspicions() }
        publishedRevision = driver.revision
        published = now
        let core = driver.core.fleet
        seeChecksums(at: now)
        desk.publish(
            FleetSnapshot(
                name: name, members: members, provenances: provenances, counters: driver.counters,
                incarnation: core.incarnation, present: core.present,
                healthScore: core.healthScore, queued: core.queued, viewChecksum: core.viewChecksum,
                telemetry: telemetry(at: now), agreement: loads?.agreement(at: now),
                hasJoined: wasAnswered || seeds.isEmpty || core.present > 1))
    }
}

extension SerfTags {
    fileprivate func adding(_ more: [(name: String, value: String)]) -> SerfTags {
        var all = self
        for (name, value) in more { all[name] = value }
        return all
    }
}
