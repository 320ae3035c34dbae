// Datagrams: sent by a core's effects, carried by the network, received by another core or nobody.

import Gossip
import Vocabulary

extension World {
    /// Sends the datagram at this index of the effects.
    mutating func send(_ index: Int, from node: Int) {
        let datagram = effects.datagrams[index]
        let number = datagramsSent
        datagramsSent += 1
        let length = trafficTable.count(datagram.messages, from: node, in: population.directory)
        let receiver = population.node(at: datagram.to)
        if options.checks != .off {
            let breach = monitor.examine(
                datagram, length: length, from: node, life: nodes[node].inhabitant.life, to: receiver)
            if let breach { return report(breach.invariant, node, breach.detail) }
        }
        guard let receiver else { return }
        let copies = network.copies(from: node, to: receiver)
        guard copies > 0 else { return }
        guard let messages = carrier.carry(datagram.messages, length: length) else {
            return report(.bytesDiffer, node, "datagram \(number) is not read as it was written")
        }
        let slot = datagrams.insert(
            FlyingDatagram(messages: messages, number: number, from: node, copies: copies))
        for _ in 0..<copies { queue.schedule(.datagram, node: receiver, payload: slot, at: time + network.delay()) }
    }

    /// One copy of a datagram reaches a machine.
    mutating func arrive(datagram slot: UInt32, at node: Int) {
        guard nodes[node].isRunning else { return drop(datagram: slot) }
        guard nodes[node].isPaused else { return deliver(datagram: slot, to: node) }
        guard nodes[node].waitingDatagrams < options.socketBuffer else { return drop(datagram: slot) }
        nodes[node].waitingDatagrams += 1
        nodes[node].inbox.append(SimulatedNode.Waiting(kind: .datagram, payload: slot))
    }

    /// One copy of a datagram is read by a core.
    mutating func deliver(datagram slot: UInt32, to node: Int) {
        let datagram = datagrams[slot]
        drop(datagram: slot)
        let now = nodes[node].clock.reading(at: time)
        let sender = Population.address(of: datagram.from)
        if options.checks == .full { monitor.note(datagram.messages, to: node) }
        for message in datagram.messages {
            nodes[node].inhabitant.core.receive(message, from: sender, at: now, into: &effects)
        }
        if options.checks == .full { touched = InvariantMonitor.subjects(of: datagram.messages) }
        settle(node, .datagram, datagram.number, at: now)
    }

    /// One copy less is under way.
    mutating func drop(datagram slot: UInt32) {
        datagrams[slot].copies -= 1
        if datagrams[slot].copies == 0 { datagrams.remove(slot) }
    }
}
