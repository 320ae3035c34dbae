// What is done to a world: faults, and commands to its cores.

import Gossip
import Vocabulary

extension World {
    /// Does it now.
    /// - Precondition: the nodes that it names exist.
    package mutating func strike(_ fault: Fault) {
        precondition(fault.nodes.allSatisfy { $0.bound <= nodes.count }, "a fault names a node that does not exist")
        if options.isRecorded { record(fault) }
        switch fault {
        case .crash(let set): for node in set.nodes { crash(node: node) }
        case .restart(let set): for node in set.nodes { restart(node: node) }
        case .leave(let set): for node in set.nodes { leave(node: node) }
        case .update(let set): for node in set.nodes { update(node: node) }
        case .pause(let set, let duration): for node in set.nodes { pause(node: node, duration) }
        case .resume(let set): for node in set.nodes { resume(node) }
        case .cut(let from, let to, let scope):
            disturb(from.nodes + to.nodes)
            network.cut(from: from, to: to, scope)
        case .partition(let groups):
            disturb(Array(nodes.indices))
            network.partition(groups)
        case .heal: network.heal()
        case .loss(let probability): network.setLoss(probability)
        case .duplication(let probability): network.setDuplication(probability)
        case .latency(let latency): network.setLatency(latency)
        }
    }

    /// Does it later.
    package mutating func schedule(_ fault: Fault, after delay: Duration) {
        precondition(fault.nodes.allSatisfy { $0.bound <= nodes.count }, "a fault names a node that does not exist")
        scheduledFaults.append(fault)
        queue.schedule(.fault, payload: UInt32(scheduledFaults.count - 1), at: (now + delay).nanoseconds)
    }

    /// Takes all members for undisturbed again: to be called once an earlier fault's traces are gone.
    package mutating func forgive() {
        for node in nodes.indices { nodes[node].wasDisturbed = !nodes[node].isAwake || nodes[node].hasLeft }
    }

    private mutating func record(_ fault: Fault) {
        log.faults.append(fault)
        log.entries.append(
            EventLog.Entry(
                world: time, local: 0, argument: UInt64(log.faults.count - 1), node: 0, stream: 0, digest: 0,
                kind: .fault))
    }

    private mutating func disturb(_ numbers: [Int]) {
        for node in numbers { nodes[node].wasDisturbed = true }
    }
}

// MARK: - By hand

extension World {
    package mutating func crash(_ node: Int) { strike(.crash([node])) }
    package mutating func restart(_ node: Int) { strike(.restart([node])) }
    package mutating func leave(_ node: Int) { strike(.leave([node])) }
    package mutating func update(_ node: Int) { strike(.update([node])) }
    package mutating func pause(_ node: Int, for duration: Duration? = nil) { strike(.pause([node], duration)) }
    package mutating func resume(node: Int) { strike(.resume([node])) }
    package mutating func partition(_ groups: [Range<Int>]) { strike(.partition(groups.map { NodeSet($0) })) }
    package mutating func heal() { strike(.heal) }
    package mutating func cut(from: NodeSet, to: NodeSet, _ scope: Fault.Scope = .everything) {
        strike(.cut(from: from, to: to, scope))
    }

    /// Begins a node that does not run, with nobody known, and joins through the seeds. No disturbance: it was never
    /// there before.
    package mutating func start(_ node: Int) {
        precondition(!nodes[node].isRunning, "n\(node) runs already")
        boot(node, knowsAll: false)
        join(node)
    }

    /// Joins through the seeds again.
    package mutating func join(_ node: Int) {
        let now = nodes[node].clock.reading(at: time)
        nodes[node].inhabitant.core.join(population.seeds(of: node), at: now, into: &effects)
        touched = nil
        settle(node, .join, at: now)
    }

    /// Joins through another node, seed or not.
    package mutating func join(_ node: Int, through peer: Int) {
        let now = nodes[node].clock.reading(at: time)
        nodes[node].inhabitant.core.join([Population.address(of: peer)], at: now, into: &effects)
        touched = nil
        settle(node, .contact, UInt64(peer), at: now)
    }
}

// MARK: - Nodes that come and go

extension World {
    private mutating func crash(node: Int) {
        guard nodes[node].isRunning else { return }
        nodes[node].wasDisturbed = true
        let now = nodes[node].clock.reading(at: time)
        if options.isRecorded {
            log.entries.append(
                EventLog.Entry(
                    world: time, local: now.nanoseconds, argument: 0, node: UInt32(node), stream: 0, digest: 0,
                    kind: .crash))
        }
        nodes[node].inhabitant.isRunning = false
        nodes[node].isPaused = false
        abandonStreams(of: node)
        // Nobody reads what waits any more; what is of streams finds the process gone.
        for waiting in takeInbox(of: node) {
            if waiting.kind == .datagram {
                drop(datagram: waiting.payload)
            } else {
                advance(stream: waiting.payload, waiting.kind, at: node)
            }
        }
    }

    private mutating func restart(node: Int) {
        crash(node: node)
        nodes[node].wasDisturbed = true
        start(node)
    }

    private mutating func leave(node: Int) {
        guard nodes[node].isRunning else { return }
        nodes[node].wasDisturbed = true
        nodes[node].inhabitant.hasLeft = true
        let now = nodes[node].clock.reading(at: time)
        nodes[node].inhabitant.core.leave(at: now, into: &effects)
        touched = [Population.id(of: node)]
        settle(node, .leave, at: now)
    }

    private mutating func update(node: Int) {
        guard nodes[node].isRunning else { return }
        nodes[node].inhabitant.revision += 1
        let record = population.record(of: node, revision: nodes[node].inhabitant.revision)
        let now = nodes[node].clock.reading(at: time)
        nodes[node].inhabitant.core.update(record, at: now, into: &effects)
        touched = [Population.id(of: node)]
        settle(node, .update, at: now)
    }

    private mutating func pause(node: Int, _ duration: Duration?) {
        guard nodes[node].isRunning else { return }
        nodes[node].isPaused = true
        nodes[node].wasDisturbed = true
        nodes[node].pauses += 1
        guard let duration else { return }
        queue.schedule(.resume, node: node, payload: nodes[node].pauses, at: (now + duration).nanoseconds)
    }

    /// Reads what waited, as a loop over ready sockets does, and then sees to its timers.
    mutating func resume(_ node: Int) {
        guard nodes[node].isRunning, nodes[node].isPaused else { return }
        nodes[node].isPaused = false
        for waiting in takeInbox(of: node) {
            if waiting.kind == .datagram {
                deliver(datagram: waiting.payload, to: node)
            } else {
                advance(stream: waiting.payload, waiting.kind, at: node)
            }
        }
        arm(node)
    }

    private mutating func takeInbox(of node: Int) -> [SimulatedNode.Waiting] {
        nodes[node].waitingDatagrams = 0
        defer { nodes[node].inbox.removeAll() }
        return nodes[node].inbox
    }
}
