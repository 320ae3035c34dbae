// A seeded world: real cores, a virtual clock, a network that misbehaves as told.
//
// Time jumps from event to event. Events are small numbers in one heap, what they carry is in slabs, and a node has one
// pending wake at a time: ten thousand cores run in one thread faster than their own clocks. Nothing is decided by the
// order of a set or a dictionary, so equal options and equal commands give equal worlds to the last byte.
//
// How to use it (for experiments, tables and tests):
//
//     var world = try World(WorldOptions(nodes: 250, seed: 1, loss: 0.01))   // all running, all known to all
//     let watch = world.watch(3)                     // when does who see n3 otherwise?
//     world.crash(3)                                 // or world.strike(.pause([4], .seconds(5))), or a Scenario
//     try world.run(for: .seconds(30))               // throws the first Violation of an invariant
//     world.watches[watch].firstDeath                // seconds of the world's time
//     world.view(of: 3, from: 0)                     // what n0 thinks of n3 now
//     world.facts, world.traffic(of: 0), world.log   // suspicions and deaths, bytes, and everything for a replay
//
// Not taken: an actor or a closure per node (a megabyte of queues and an allocation per event), and a class (each access
// to a stored property would be checked for exclusivity).

package import Gossip
package import Vocabulary

/// Thousands of real cores in one virtual network. Copying one makes a world that goes its own way.
package struct World {
    package let options: WorldOptions
    let population: Population
    var carrier: Carrier

    /// Of the world, from 0 on, in nanoseconds.
    var time: Int64 = 0
    var queue = EventQueue()
    var network: Network
    var nodes: [SimulatedNode]
    var datagrams = Slots<FlyingDatagram>()
    var streams = Slots<FlyingStream>()
    var effects = Effects()
    var datagramsSent: UInt64 = 0
    var streamMessagesSent: UInt64 = 0
    var trafficTable: TrafficTable
    var monitor: InvariantMonitor
    var scheduledFaults: [Fault] = []
    /// Whose views the input at hand may change; nil for anybody's.
    var touched: [MemberID]? = []

    /// Inputs told to cores so far.
    package internal(set) var steps = 0
    /// The first invariant that did not hold; nothing runs after it.
    package internal(set) var violation: Violation?
    /// Everything recorded so far; empty unless the options say so.
    package internal(set) var log: EventLog
    package internal(set) var watches: [Watch] = []
    /// What the cores reported, in order; at most ``WorldOptions/factLimit``.
    package internal(set) var facts: [Fact] = []
    package internal(set) var factsNotKept = 0

    /// Breaks a core on purpose, to see an invariant fire: called after every input with the node, its core and what
    /// it wants done. A replay knows nothing of it.
    package var sabotage: ((Int, inout Membership, inout Effects) -> Void)?

    /// - Throws: options of which no world can be made.
    /// - Complexity: O(nodes²) for a warm start, as everybody is told of everybody.
    package init(_ options: WorldOptions) throws(WorldFault) {
        try options.validate()
        self.options = options
        let population = Population(options)
        self.population = population
        carrier = Carrier(options.carriage, directory: population.directory)
        var random = SeededRandom(seed: options.seed ^ 0x776F_726C_64)
        network = Network(
            nodes: options.nodes, loss: options.loss, duplication: options.duplication, latency: options.latency,
            random: SeededRandom(seed: random.next()))
        nodes = (0..<options.nodes).map { node in
            SimulatedNode(population.core(of: node, life: 0), World.clock(options, &random))
        }
        trafficTable = TrafficTable(nodes: options.nodes)
        monitor = InvariantMonitor(options)
        log = EventLog(options: options)
        for step in options.scenario.steps { schedule(step.fault, after: step.after) }
        switch options.start {
        case .warm:
            for node in nodes.indices { boot(node, knowsAll: true) }
        case .cold(let within):
            let span = UInt32(clamping: within.wholeNanoseconds / 1000 + 1)
            for node in nodes.indices {
                queue.schedule(.begin, node: node, at: Int64(random.below(span)) * 1000)
            }
        case .none: break
        }
    }

    /// Clocks start up to an hour apart, and none at zero.
    private static func clock(_ options: WorldOptions, _ random: inout SeededRandom) -> NodeClock {
        let offset = 1_000_000_000 + Int64(random.unit() * 3.6e12)
        let drift = Int64((random.unit() * 2 - 1) * Double(options.clockDrift) * 1000)
        return NodeClock(offset: offset, partsPerBillion: drift)
    }

    /// The world's own time; no node sees it.
    package var now: Instant { Instant(nanoseconds: time) }
}

// MARK: - Running

extension World {
    /// Lets this much of the world's time pass.
    /// - Throws: the first violation of an invariant; the world stands still from there on.
    package mutating func run(for duration: Duration) throws(Violation) { try run(until: now + duration) }

    package mutating func run(until end: Instant) throws(Violation) {
        if let violation { throw violation }
        while let next = queue.nextTime, next <= end.nanoseconds, let event = queue.popFirst() {
            time = event.time
            take(event)
            if let violation { throw violation }
        }
        time = max(time, end.nanoseconds)
    }

    /// Runs until a condition holds, which is looked at every so often.
    /// - Returns: the time that passed, a multiple of `step`; nil where it did not come to hold within `limit`.
    package mutating func run(
        atMost limit: Duration, step: Duration, until condition: (borrowing World) -> Bool
    ) throws(Violation) -> Duration? {
        let start = time
        while !condition(self) {
            guard .nanoseconds(time - start) < limit else { return nil }
            try run(for: step)
        }
        return .nanoseconds(time - start)
    }

    private mutating func take(_ event: Event) {
        switch event.kind {
        case .fault: strike(scheduledFaults[Int(event.payload)])
        case .wake: wakeIfDue(event.node, at: event.time)
        case .begin: start(event.node)
        case .resume: if nodes[event.node].pauses == event.payload { resume(event.node) }
        case .datagram: arrive(datagram: event.payload, at: event.node)
        case .connect, .established, .request, .answer, .ended, .deadline:
            advance(stream: event.payload, event.kind, at: event.node)
        }
    }

    private mutating func wakeIfDue(_ node: Int, at due: Int64) {
        // A wake that was overtaken by an earlier one is stale.
        guard nodes[node].wakeAt == due else { return }
        nodes[node].wakeAt = .max
        guard nodes[node].isAwake else { return }
        if nodes[node].nextWake <= nodes[node].clock.reading(at: time) {
            wake(node)
        } else {
            arm(node)
        }
    }

    private mutating func wake(_ node: Int) {
        let now = nodes[node].clock.reading(at: time)
        nodes[node].inhabitant.core.wake(at: now, into: &effects)
        touched = []
        settle(node, .wake, at: now)
        if nodes[node].nextWake <= now {
            report(.stillDue, node, "its next wake was \(now.nanoseconds - nodes[node].nextWake.nanoseconds) ns ago")
        }
    }

    /// Sees to it that the node is woken when it wants to be.
    mutating func arm(_ node: Int) {
        let due = max(time, nodes[node].clock.world(at: nodes[node].nextWake))
        guard due < nodes[node].wakeAt, due < .max else { return }
        nodes[node].wakeAt = due
        queue.schedule(.wake, node: node, at: due)
    }

    /// Gives a node a fresh core and starts it.
    mutating func boot(_ node: Int, knowsAll: Bool) {
        let now = nodes[node].clock.reading(at: time)
        nodes[node].begin()
        monitor.forget(node)
        let core = population.core(of: node, life: nodes[node].inhabitant.life + 1)
        nodes[node].inhabitant.boot(
            core, knowing: knowsAll ? population.claims : [], at: now, into: &effects)
        touched = nil
        settle(node, .boot, knowsAll ? 1 : 0, at: now)
    }
}

// MARK: - After every input

extension World {
    /// Records, verifies and carries out what a core wants, and asks when it wants to be woken.
    mutating func settle(
        _ node: Int, _ kind: EventLog.Kind, _ argument: UInt64 = 0, stream: UInt32 = 0, at now: Instant
    ) {
        steps += 1
        if let sabotage { sabotage(node, &nodes[node].inhabitant.core, &effects) }
        if options.isRecorded { record(node, kind, argument, stream, at: now) }
        if options.checks != .off { verify(node, at: now) }
        if !effects.events.isEmpty { take(events: effects.events, of: node) }
        for index in watches.indices { watches[index].look(from: node, &nodes[node].inhabitant.core, at: time) }
        for index in effects.datagrams.indices { send(index, from: node) }
        for index in effects.streams.indices { carryOut(effects.streams[index], of: node, at: now) }
        effects.removeAll()
        nodes[node].nextWake = nodes[node].inhabitant.readNextWake()
        arm(node)
    }

    private mutating func record(
        _ node: Int, _ kind: EventLog.Kind, _ argument: UInt64, _ stream: UInt32, at now: Instant
    ) {
        nodes[node].inhabitant.note(effects)
        log.entries.append(
            EventLog.Entry(
                world: time, local: now.nanoseconds, argument: argument, node: UInt32(node), stream: stream,
                digest: nodes[node].inhabitant.digest.short, kind: kind))
    }

    private mutating func verify(_ node: Int, at now: Instant) {
        let breach = monitor.examine(
            node, &nodes[node].inhabitant.core, hasLeft: nodes[node].hasLeft, effects: effects, at: now,
            touched: touched)
        if let breach { report(breach.invariant, node, breach.detail) }
        guard nodes[node].pauses == 0 else { return }
        for case .stalled(let duration) in effects.events {
            report(.imaginesStall, node, "of \(duration), and was never paused")
        }
    }

    /// Notes a violation; the first one stays.
    mutating func report(_ invariant: Invariant, _ node: Int, _ detail: String) {
        guard violation == nil else { return }
        violation = Violation(
            InvariantMonitor.Breach(invariant: invariant, detail: detail), node: node, time: time,
            line: options.isRecorded ? log.line(ofEntry: max(0, log.entries.count - 1)) : nil, of: options)
    }
}
