// A fleet of telemetry alone: real cores of load reports, a network that loses, and a clock for all.
//
// Beside `World`, and not in it: who is a member is given here, so that an age is what telling takes and nothing else,
// and ten minutes of 250 nodes take seconds. The core takes no random number; the seed makes phases, loads and losses.

import FleetLoad
import GossipWire
import Upstreams
import Vocabulary

struct TelemetryWorld {
    /// What a core's messages were, for one node.
    struct Delivery {
        let body: [UInt8]
        let at: Instant
    }

    let nodes: Int
    private(set) var now = Instant(nanoseconds: 0)
    private(set) var cores: [LoadReports]
    private var network: Network
    private var queue = EventQueue()
    private var flying = Slots<LoadDatagram>()
    private var random: SeededRandom
    /// When each node measured what; the first is number ``firstNumber``.
    private var measured: [[Instant]]
    /// Lengths and moments of what each node sent within the last second.
    private var recent: [[(at: Instant, bytes: Int)]]
    /// The most that a node sent within one second, wherever it began.
    private(set) var mostInSecond = 0
    /// What node 0 was told, where it is recorded.
    private(set) var deliveries: [Delivery] = []
    var recordsDeliveries = false
    private var effects: [LoadDatagram] = []
    private let names: [String]

    static let service = "svc"
    /// As after a day: numbers, and so reports, are as long as they get for months.
    static let firstNumber: UInt64 = 1 << 21

    init(nodes: Int, seed: UInt64, options: TelemetryOptions, loss: Double, latency: Latency) {
        self.nodes = nodes
        names = (0..<nodes).map(TelemetryWorld.name)
        random = SeededRandom(seed: seed)
        network = Network(
            nodes: nodes, loss: loss, duplication: 0, latency: latency, random: SeededRandom(seed: random.next()))
        measured = [[Instant]](repeating: [], count: nodes)
        recent = [[(at: Instant, bytes: Int)]](repeating: [], count: nodes)
        cores = (0..<nodes).map { node in
            TelemetryWorld.core(of: node, nodes: nodes, options: options)
        }
        // Their first second, not all at one moment.
        for node in 0..<nodes {
            queue.schedule(.wake, node: node, at: Int64(random.below(1_000_000_000)))
        }
    }

    static func name(of node: Int) -> String { "n\(node)" }

    static func core(of node: Int, nodes: Int, options: TelemetryOptions) -> LoadReports {
        var core = LoadReports(of: name(of: node), options: options, firstNumber: firstNumber)
        for other in 0..<nodes { core.update(member(other), at: Instant(nanoseconds: 0)) }
        // A fleet at rest: all see the same, and say so beside their loads.
        core.see(Checksums(view: UInt32(1), config: 1), at: Instant(nanoseconds: 0))
        return core
    }

    private static func member(_ node: Int) -> FleetMember {
        FleetMember(
            name: name(of: node), address: .ipv4(SocketAddress.IPv4(bits: 0x0A00_0000 + UInt32(node)), port: 7946),
            tags: ["remora": "1:0", "svc.\(service)": ":8080;load=1"], since: Instant(nanoseconds: 0))
    }

    private static func node(at address: SocketAddress) -> Int? {
        guard case .ipv4(let ip, _) = address else { return nil }
        return Int(ip.bits - 0x0A00_0000)
    }

    // MARK: Time

    mutating func run(for duration: Duration) {
        let end = now + duration
        while let time = queue.nextTime, time <= end.nanoseconds, let event = queue.popFirst() {
            now = Instant(nanoseconds: event.time)
            switch event.kind {
            case .wake: wake(event.node)
            case .datagram: deliver(event.payload, to: event.node)
            case .fault, .begin, .resume, .connect, .established, .request, .answer, .ended, .deadline: break
            }
        }
        now = end
    }

    private mutating func wake(_ node: Int) {
        // A busy node of a busy fleet, whose counts are as long as usual.
        let load = ServiceLoad(
            outstanding: random.below(100), connections: 100 + random.below(2000),
            latency: CoarseLatency(.microseconds(Int(200 + random.below(50_000)))))
        cores[node].report([TelemetryWorld.service: load], at: now)
        let number = cores[node].version(of: names[node], at: now)?.number ?? 0
        let index = Int(number - TelemetryWorld.firstNumber)
        if index < measured[node].count { measured[node].removeLast() }
        measured[node].append(now)
        cores[node].wake(at: now, into: &effects)
        for datagram in effects { send(datagram, from: node) }
        effects.removeAll(keepingCapacity: true)
        queue.schedule(.wake, node: node, at: max(cores[node].nextWake.nanoseconds, now.nanoseconds + 1))
    }

    private mutating func send(_ datagram: LoadDatagram, from node: Int) {
        count(datagram.length + cores[node].options.packetOverhead, from: node)
        guard let receiver = TelemetryWorld.node(at: datagram.to), network.copies(from: node, to: receiver) > 0 else {
            return
        }
        let delay = network.delay()
        queue.schedule(.datagram, node: receiver, payload: flying.insert(datagram), at: now.nanoseconds + delay)
    }

    private mutating func count(_ bytes: Int, from node: Int) {
        let start = now.nanoseconds - 1_000_000_000
        recent[node].removeAll { $0.at.nanoseconds <= start }
        recent[node].append((now, bytes))
        mostInSecond = max(mostInSecond, recent[node].reduce(0) { $0 + $1.bytes })
    }

    private mutating func deliver(_ slot: UInt32, to node: Int) {
        let bodies = flying[slot].bodies
        flying.remove(slot)
        for body in bodies {
            cores[node].receive(body.span, at: now)
            if recordsDeliveries, node == 0 { deliveries.append(Delivery(body: body, at: now)) }
        }
    }

    // MARK: What is known

    /// Since the load that `viewer` knows of `member` was measured there, in seconds; nil where it knows of none.
    /// - Precondition: a core never says less than that, but for the time under way.
    func age(of member: Int, at viewer: Int) -> Double? {
        let name = names[member]
        guard let version = cores[viewer].version(of: name, at: now),
            let known = cores[viewer].load(of: TelemetryWorld.service, on: name, at: now)
        else { return nil }
        let age = now - measured[member][Int(version.number - TelemetryWorld.firstNumber)]
        precondition(known.age >= age - .milliseconds(500), "a report became younger on its way")
        return age.inSeconds
    }
}
