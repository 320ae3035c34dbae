// The control loop of a node, with members that change and a load that does not.

import Balancing
import Proxy
import Reactor
import Routing
import Stats
import Upstreams
import Vocabulary

struct ChurnPlan {
    var endpoints = 5_000
    var changesPerSecond = 100
    var connectionsPerSecond = 400
    var secondsPerStretch = 15
    /// With changes; one without comes before them and one after.
    var churningStretches = 5
    var workers = 1
}

final class ChurnRun {
    /// How long a change lasts.
    private static let length = Duration.seconds(1)
    /// A loop of this thread without work.
    private static let idle = Duration.milliseconds(2)
    /// Picks whose time is measured, each stretch.
    private static let picks = 200_000

    private let plan: ChurnPlan
    private let cells = LoadCells()
    private var discovery: Discovery
    private let plane: DataPlane
    private let server: EchoServer
    private let clients: Clients
    private var random = SeededRandom(seed: 1)
    private var incarnation: UInt32 = 1
    /// What is to be undone, in the order of its time.
    private var pending: [(member: Int, at: Instant)] = []
    private var hasOldSets = false
    private var stretch = Stretch()

    init(_ plan: ChurnPlan, descriptors: Int) throws {
        self.plan = plan
        let now = Kernel.now()
        discovery = try Discovery(
            upstreams: [UpstreamOptions(name: "churning", source: .service("a"), balance: .p2c)], cells: cells, at: now)
        let limits = ProxyLimits(descriptors: descriptors)
        let sockets = try ListenerSockets(
            ListenerOptions(
                name: "front", bind: .ipv4(.loopback, port: 0), upstream: "churning"), workers: plan.workers,
            silentPeerTimeout: limits.silentPeerTimeout)
        plane = try DataPlane(
            listeners: [sockets], upstreams: discovery.current, cells: cells, workers: plan.workers, limits: limits,
            seed: 1, noticesArrived: {})
        server = try EchoServer(at: (0..<plan.endpoints).map(ChurnRun.address))
        clients = Clients(of: sockets.address, perSecond: plan.connectionsPerSecond)
        for member in 0..<plan.endpoints { tell(member, .alive, at: now) }
        turn(at: now + Discovery.publicationInterval)
        try plane.start()
    }

    /// An address of its own for each, whose member it is as well.
    private static func address(_ member: Int) -> SocketAddress {
        .ipv4(.init(bits: 0x7F10_0001 + UInt32(member)), port: 9_000)
    }

    // MARK: The run

    func report() throws -> ChurnReport {
        clients.start()
        // Threads, pools and the allocator find their size.
        play(changes: false, seconds: 3)
        var report = ChurnReport(plan: plan)
        let count = plan.churningStretches
        for number in 0..<(count + 2) {
            let changes = number > 0 && number <= count
            play(changes: changes, seconds: plan.secondsPerStretch)
            stretch.pickNanoseconds = measurePick()
            report.stretches.append(stretch)
        }
        clients.end()
        plane.end()
        server.end()
        return report
    }

    private func play(changes: Bool, seconds: Int) {
        stretch = Stretch()
        stretch.hasChanges = changes
        let start = Kernel.now()
        let before = ProcessSample(connections: clients.ended, failures: clients.failed)
        var told = 0
        while true {
            let now = Kernel.now()
            let elapsed = now - start
            guard elapsed < .seconds(seconds) else { break }
            if changes {
                let due = Int(elapsed.inSeconds * Double(plan.changesPerSecond))
                // Each change is followed by another, its undoing.
                while told < due {
                    if let first = pending.first, first.at <= now {
                        pending.removeFirst()
                        incarnation += 1
                        tell(first.member, .alive, at: now)
                    } else {
                        change(at: now)
                    }
                    told += 1
                }
            } else {
                while let first = pending.popLast() {
                    incarnation += 1
                    tell(first.member, .alive, at: now)
                }
            }
            turn(at: now)
            Clients.sleep(Self.idle)
        }
        stretch.changes = told
        let after = ProcessSample(connections: clients.ended, failures: clients.failed)
        stretch.take(before, after, seconds: (Kernel.now() - start).inSeconds)
    }

    /// A member that nothing is wrong with falls ill, comes under suspicion, or goes.
    private func change(at now: Instant) {
        var member = Int(random.below(UInt32(plan.endpoints)))
        while pending.contains(where: { $0.member == member }) { member = (member + 1) % plan.endpoints }
        switch random.below(3) {
        case 0: tell(member, .suspect, at: now)
        case 1: tell(member, .alive, health: ";health=failing", at: now)
        default: discovery.forget(Self.name(member), at: now)
        }
        pending.append((member, now + Self.length))
    }

    private static func name(_ member: Int) -> String { "member-\(100_000 + member)" }

    private func tell(_ member: Int, _ state: FleetMember.State, health: String = "", at now: Instant) {
        discovery.update(
            FleetMember(
                name: Self.name(member), address: Self.address(member).with(port: 7_946), state: state,
                incarnation: incarnation, tags: ["svc.a": ":9000" + health], since: now), at: now)
    }

    /// As a node's control thread does it.
    private func turn(at now: Instant) {
        var observations: [Observation] = []
        stretch.lostNotices += Int(
            plane.takeNotices { notice in
                if let observation = notice.observation { observations.append(observation) }
            })
        for observation in observations { discovery.observe(observation, at: now, reading: plane.counts(ofCell:)) }
        let begin = ThreadTimes.own()
        if let wake = discovery.nextWake, wake <= now { discovery.wake(at: now, reading: plane.counts(ofCell:)) }
        if let set = discovery.nextSet(at: now) {
            plane.publish(set)
            hasOldSets = true
            stretch.publications.append(ThreadTimes.own() - begin)
        }
        if hasOldSets {
            let acknowledged = plane.reclaim()
            discovery.reclaim(acknowledged: acknowledged, at: now)
            hasOldSets = acknowledged < discovery.current.version
        }
        // Said to nobody; without it a mass of news would pile up.
        _ = discovery.takeNews()
    }

    /// Nanoseconds of this thread for a pick of the endpoints as they are now.
    private func measurePick() -> Double {
        guard let snapshot = plane.upstreams.upstreams.first else { return 0 }
        var balancer = Balancer(cells: cells)
        balancer.adopt(snapshot, random: &random)
        let tried = TriedEndpoints()
        var sum: UInt64 = 0
        let before = ThreadTimes.own()
        for _ in 0..<Self.picks {
            if let record = balancer.pick(excluding: tried, random: &random) { sum &+= UInt64(record) }
        }
        let time = ThreadTimes.own() - before
        // That nobody could do without the picks.
        precondition(sum > 0, "5,000 picks of many endpoints are not all the first")
        return time * 1e9 / Double(Self.picks)
    }
}
