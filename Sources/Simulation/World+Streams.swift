// Streams: reliable once connected, and told from datagrams by how they fail.
//
// Connecting takes a round trip, request and answer half of one each. A machine that is down refuses after a round trip;
// a cut swallows, and only the opener's deadline ends it. There are no retransmissions: a leg that starts while its
// direction is cut is lost, though TCP would get through if the cut ended within the deadline. A paused acceptor's
// kernel completes the connection and buffers the request.
//
//     opener            acceptor
//       ├─ connect ───────►│  refused: ended ◄──
//       │◄── established ──┤
//       ├─ request ───────►│  to the core, unless paused
//       │◄─────── answer ──┤  or ended, where the core closes or crashes
//     deadline: at the opener, whatever happened

import Gossip
import Vocabulary

extension World {
    /// Does what a core wants done with a stream.
    mutating func carryOut(_ effect: StreamEffect, of node: Int, at now: Instant) {
        switch effect {
        case .open(let stream, let address, let request, let isAnswered, let deadline):
            open(stream, to: address, request, isAnswered: isAnswered, deadline: deadline, of: node, at: now)
        case .answer(let stream, let message): answer(stream, message, of: node)
        case .close(let stream): close(stream, of: node)
        }
    }

    private mutating func open(
        _ stream: StreamID, to address: PeerAddress, _ request: StreamMessage, isAnswered: Bool, deadline: Instant,
        of node: Int, at now: Instant
    ) {
        let number = streamMessagesSent
        streamMessagesSent += 1
        trafficTable.count(request, opens: true, from: node, in: population.directory)
        let acceptor = population.node(at: address)
        if let breach = monitor.examine(destination: address, from: node, to: acceptor) {
            return report(breach.invariant, node, breach.detail)
        }
        let isKnown = nodes[node].opened.contains { $0.number == stream.number }
        if isKnown || stream.side != .opened || deadline <= now {
            return report(.streamMisused, node, "opens \(stream.number) twice, or with a deadline that has passed")
        }
        guard let acceptor else { return }
        guard let request = carrier.carry(request) else {
            return report(.bytesDiffer, node, "stream message \(number) is not read as it was written")
        }
        var flight = FlyingStream(
            opener: node, openedNumber: stream.number, acceptor: acceptor,
            isAnswered: isAnswered, message: request, messageNumber: number)
        flight.legs = 1
        let slot = streams.insert(flight)
        nodes[node].opened.append(SimulatedNode.StreamPlace(number: stream.number, slot: slot))
        queue.schedule(.deadline, node: node, payload: slot, at: max(time, nodes[node].clock.world(at: deadline)))
        travel(slot, .connect, from: node, to: acceptor)
    }

    /// One leg of a stream starts, or is lost.
    private mutating func travel(_ slot: UInt32, _ kind: Event.Kind, from: Int, to: Int) {
        guard network.passes(from: from, to: to, isDatagram: false) else { return }
        streams[slot].legs += 1
        queue.schedule(kind, node: to, payload: slot, at: time + network.delay())
    }

    private mutating func answer(_ stream: StreamID, _ message: StreamMessage, of node: Int) {
        let number = streamMessagesSent
        streamMessagesSent += 1
        trafficTable.count(message, opens: false, from: node, in: population.directory)
        guard stream.side == .accepted, let slot = takeAccepted(stream.number, of: node) else {
            return report(.streamMisused, node, "answers \(stream.number), which it has not accepted or has closed")
        }
        guard let message = carrier.carry(message) else {
            return report(.bytesDiffer, node, "stream message \(number) is not read as it was written")
        }
        streams[slot].message = message
        streams[slot].messageNumber = number
        travel(slot, .answer, from: node, to: streams[slot].opener)
        freeIfOver(slot)
    }

    private mutating func close(_ stream: StreamID, of node: Int) {
        switch stream.side {
        case .opened: if let slot = takeOpened(stream.number, of: node) { freeIfOver(slot) }
        case .accepted:
            guard let slot = takeAccepted(stream.number, of: node) else { return }
            travel(slot, .ended, from: node, to: streams[slot].opener)
            freeIfOver(slot)
        }
    }

    /// All streams of a machine whose process is gone: the other ends hear of it from its kernel.
    mutating func abandonStreams(of node: Int) {
        for place in nodes[node].accepted {
            streams[place.slot].isAccepted = false
            travel(place.slot, .ended, from: node, to: streams[place.slot].opener)
            freeIfOver(place.slot)
        }
        for place in nodes[node].opened { streams[place.slot].isOpen = false }
        nodes[node].accepted.removeAll()
        nodes[node].opened.removeAll()
    }
}

// MARK: - Steps of a stream

extension World {
    /// Something of a stream reaches a machine.
    mutating func advance(stream slot: UInt32, _ kind: Event.Kind, at node: Int) {
        // Kernels connect without their processes; everything else waits for the process.
        if nodes[node].isPaused, kind != .connect {
            nodes[node].inbox.append(SimulatedNode.Waiting(kind: kind, payload: slot))
            return
        }
        // The leg counts until the end of this: what the core does now must not free the slot.
        let stream = streams[slot]
        switch kind {
        case .connect:
            let isUp = nodes[node].isRunning
            streams[slot].acceptorLife = nodes[node].inhabitant.life
            travel(slot, isUp ? .established : .ended, from: node, to: stream.opener)
        case .established:
            if stream.isOpen { travel(slot, .request, from: node, to: stream.acceptor) }
        case .request: accept(slot, stream, at: node)
        case .answer:
            if stream.isOpen, let message = stream.message, stream.isAnswered {
                _ = takeOpened(stream.openedNumber, of: node)
                hear(message, numbered: stream.messageNumber, on: stream, at: node)
            }
        case .ended, .deadline:
            if stream.isOpen, takeOpened(stream.openedNumber, of: node) != nil { fail(stream, at: node) }
        case .fault, .wake, .begin, .resume, .datagram: break
        }
        streams[slot].legs -= 1
        freeIfOver(slot)
    }

    private mutating func accept(_ slot: UInt32, _ stream: FlyingStream, at node: Int) {
        guard nodes[node].isRunning, nodes[node].inhabitant.life == stream.acceptorLife, let request = stream.message
        else { return travel(slot, .ended, from: node, to: stream.opener) }
        // Without an answer to wait for, the opener is done once its request has arrived.
        if !stream.isAnswered { _ = takeOpened(stream.openedNumber, of: stream.opener) }
        nodes[node].nextAccepted += 1
        let number = nodes[node].nextAccepted
        streams[slot].message = nil
        if stream.isAnswered {
            streams[slot].isAccepted = true
            streams[slot].acceptedNumber = number
            nodes[node].accepted.append(SimulatedNode.StreamPlace(number: number, slot: slot))
        }
        let now = nodes[node].clock.reading(at: time)
        nodes[node].inhabitant.core.receive(
            request, on: StreamID(side: .accepted, number: number), from: Population.streamAddress(of: stream.opener),
            at: now, into: &effects)
        touched = nil
        settle(node, .request, stream.messageNumber, stream: number, at: now)
    }

    private mutating func hear(
        _ answer: StreamMessage, numbered number: UInt64, on stream: FlyingStream, at node: Int
    ) {
        let now = nodes[node].clock.reading(at: time)
        nodes[node].inhabitant.core.receive(
            answer, on: StreamID(side: .opened, number: stream.openedNumber),
            from: Population.address(of: stream.acceptor), at: now, into: &effects)
        touched = nil
        settle(node, .answer, number, stream: stream.openedNumber, at: now)
    }

    private mutating func fail(_ stream: FlyingStream, at node: Int) {
        let now = nodes[node].clock.reading(at: time)
        nodes[node].inhabitant.core.fail(
            StreamID(side: .opened, number: stream.openedNumber), at: now, into: &effects)
        touched = nil
        settle(node, .fail, stream: stream.openedNumber, at: now)
    }

    /// Closes the opener's end.
    private mutating func takeOpened(_ number: UInt32, of node: Int) -> UInt32? {
        guard let index = nodes[node].opened.firstIndex(where: { $0.number == number }) else { return nil }
        let slot = nodes[node].opened.remove(at: index).slot
        streams[slot].isOpen = false
        return slot
    }

    /// Closes the acceptor's end.
    private mutating func takeAccepted(_ number: UInt32, of node: Int) -> UInt32? {
        guard let index = nodes[node].accepted.firstIndex(where: { $0.number == number }) else { return nil }
        let slot = nodes[node].accepted.remove(at: index).slot
        streams[slot].isAccepted = false
        return slot
    }

    private mutating func freeIfOver(_ slot: UInt32) {
        if streams[slot].isOver { streams.remove(slot) }
    }
}
