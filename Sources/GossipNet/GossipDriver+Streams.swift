// Streams of a driver: opened for the core, accepted from anybody.
//
// Whoever can reach the port can open streams and say nothing, or say much. So there are few, the oldest gives way to a
// newcomer, each has a deadline, and what all of them hold together is bounded.

import Gossip
import GossipWire
import Reactor
import Vocabulary

/// What a driver spends on streams at most.
package enum StreamLimits {
    /// Accepted streams at once; one more makes the oldest give way.
    package static let accepted = 128
    /// Opened streams at once; one more fails.
    package static let opened = 256
    /// Accepted in one turn; the rest wait in the kernel's queue.
    static let acceptedPerTurn = 16
    /// Bytes that all accepted streams hold together; the one that goes beyond is closed. Of a sealed frame the text comes
    /// on top while it is opened.
    package static let heldBytes = 64 << 20
    /// Pieces of 64 KiB that are read from one stream in one turn.
    static let piecesPerTurn = 4
    /// How long nobody is let in after descriptors or memory ran out.
    static let pause = Duration.seconds(1)
    /// How long the other side's end is waited for, when all is said.
    static let ending = Duration.seconds(1)
}

extension GossipDriver {
    var nextDeadline: Instant {
        var next = Instant(nanoseconds: .max)
        for stream in streams { next = min(next, stream.deadline) }
        return next
    }

    // MARK: Opening

    /// - Returns: false where it came to nothing at once.
    func openStream(
        _ id: StreamID, to peer: PeerAddress, _ request: StreamMessage, isAnswered: Bool, until deadline: Instant
    ) -> Bool {
        guard streams.count(where: { $0.id.side == .opened }) < StreamLimits.opened else { return false }
        do throws(LayerFault) {
            let bytes = try codec.bytes(of: request, by: .dialler)
            let address = peer.socketAddress
            let socket = Kernel.socket(family: address.family)
            guard socket.succeeded else { return false }
            let stream = GossipStream(
                opened: id, to: peer, socket.value, request: bytes, isAnswered: isAnswered, until: deadline)
            let form = address.kernelForm
            let outcome = unsafe form.withUnsafeBytes { unsafe Kernel.connect(socket.value, to: $0) }
            guard outcome.succeeded || outcome.error == .inProgress else { return false }
            guard watch(stream) else { return false }
            counters.openedStreams += 1
            return true
        } catch {
            return false
        }
    }

    private func watch(_ stream: GossipStream) -> Bool {
        guard poller.addLevel(of: stream.descriptor, token: stream.token, for: stream.interest).succeeded else {
            return false
        }
        streams.append(stream)
        return true
    }

    // MARK: Accepting

    func acceptStreams() {
        for _ in 0..<StreamLimits.acceptedPerTurn {
            let accepted = Kernel.accept(listener)
            if let error = accepted.error, error.isExhaustion { return pauseAccepting() }
            guard accepted.succeeded else { return }
            guard let address = Kernel.peerAddress(of: accepted.value), let peer = PeerAddress(address) else {
                Kernel.close(accepted.value)
                continue
            }
            makeRoom()
            lastAccepted &+= 1
            let stream = GossipStream(
                accepted: StreamID(side: .accepted, number: lastAccepted), from: peer, accepted.value,
                until: time() + streamTimeout)
            counters.acceptedStreams += 1
            if !watch(stream) { counters.failedStreams += 1 }
        }
    }

    /// The listener would be readable all the time, and nothing could be done about it.
    private func pauseAccepting() {
        poller.remove(listener)
        acceptsAgain = time() + StreamLimits.pause
    }

    func resumeAccepting(at now: Instant) {
        guard let moment = acceptsAgain, moment <= now else { return }
        acceptsAgain = watchListener().succeeded ? nil : now + StreamLimits.pause
    }

    private func makeRoom() {
        guard streams.count(where: { $0.id.side == .accepted }) >= StreamLimits.accepted,
            let oldest = streams.firstIndex(where: { $0.id.side == .accepted })
        else { return }
        counters.failedStreams += 1
        streams.remove(at: oldest)
    }

    // MARK: Going on

    /// Does the next bounded piece of a stream's work.
    func advanceStream(_ token: UInt64) {
        // Events of a stream that was closed earlier in this turn come to nobody.
        guard let stream = streams.first(where: { $0.token == token }) else { return }
        switch stream.stage {
        case .connecting:
            guard Kernel.connectError(stream.descriptor) == nil else { return fail(stream) }
            stream.stage = .sending
            send(stream)
        case .sending: send(stream)
        case .receiving: receive(stream)
        case .ending: awaitEnd(of: stream)
        // Nothing is asked for, so this is a hang-up.
        case .serving: fail(stream)
        }
    }

    private func send(_ stream: GossipStream) {
        switch stream.send() {
        case .some: break
        case .failed: return fail(stream)
        case .all:
            switch stream.id.side {
            case .opened where stream.isAnswered: stream.stage = .receiving
            case .opened, .accepted:
                _ = Kernel.endStream(stream.descriptor)
                stream.stage = .ending
                stream.deadline = min(stream.deadline, time() + StreamLimits.ending)
            }
        }
        poller.changeLevel(of: stream.descriptor, token: stream.token, for: stream.interest)
    }

    private func receive(_ stream: GossipStream) {
        for _ in 0..<StreamLimits.piecesPerTurn {
            switch stream.receive(into: &buffer, through: codec.layers) {
            case .more: break
            case .whole: return take(stream)
            case .ended, .failed: return fail(stream)
            case .refused(let fault): return refuse(stream, .layer(fault))
            }
            guard heldBytes <= StreamLimits.heldBytes else { return fail(stream) }
        }
    }

    private var heldBytes: Int {
        streams.reduce(0) { $0 + ($1.id.side == .accepted ? $1.held : 0) }
    }

    /// The other side's message is all there.
    private func take(_ stream: GossipStream) {
        guard let bytes = stream.reader.message else { return fail(stream) }
        let message: StreamMessage
        do throws(WireFault) {
            message = try codec.read(stream: bytes)
        } catch {
            return refuse(stream, .message(error))
        }
        stream.forgetReceived()
        switch stream.id.side {
        case .opened:
            streams.removeAll { $0 === stream }
        case .accepted:
            stream.stage = .serving
            poller.changeLevel(of: stream.descriptor, token: stream.token, for: stream.interest)
        }
        tellCore { core, now, effects in
            core.receive(message, on: stream.id, from: stream.peer, at: now, into: &effects)
        }
        directory.sweep()
        if case .serving = stream.stage { closeStream(stream.id) }
    }

    private func awaitEnd(of stream: GossipStream) {
        let outcome = unsafe buffer.withUnsafeMutableBytes { unsafe Kernel.receive(stream.descriptor, into: $0) }
        guard outcome.wouldBlock || outcome.count > 0 else { return closeStream(stream.id) }
    }

    // MARK: Ends

    func answerStream(_ id: StreamID, with message: StreamMessage) {
        guard let stream = streams.first(where: { $0.id == id }) else { return }
        do throws(LayerFault) {
            stream.answer(try codec.bytes(of: message, by: .acceptor))
        } catch {
            counters.failedStreams += 1
            return closeStream(id)
        }
        send(stream)
    }

    func closeStream(_ id: StreamID) { streams.removeAll { $0.id == id } }

    /// A stream came to nothing, through no message of anybody's.
    private func fail(_ stream: GossipStream) {
        counters.failedStreams += 1
        closeStream(stream.id)
        guard stream.id.side == .opened, stream.isAnswered || stream.stage != .ending else { return }
        tellCore { core, now, effects in core.fail(stream.id, at: now, into: &effects) }
    }

    /// What came is no message, or not for us.
    private func refuse(_ stream: GossipStream, _ fault: GossipFault) {
        // An end before the first byte is a port scan, or a health check.
        if fault != .layer(.cutShort(length: 0)) {
            lastRefusal = GossipRefusal(sender: stream.peer, fault: fault)
        }
        guard stream.id.side == .accepted else { return fail(stream) }
        counters.refusedStreams += 1
        guard fault.isAnswered else { return closeStream(stream.id) }
        stream.forgetReceived()
        answerStream(stream.id, with: .error(fault.description))
    }

    func expireStreams(at now: Instant) {
        for stream in streams.filter({ $0.deadline <= now }) {
            if case .ending = stream.stage { closeStream(stream.id) } else { fail(stream) }
        }
    }
}

extension GossipFault {
    /// Whether who accepted the stream says so before it closes (memberlist-wire §11.4).
    fileprivate var isAnswered: Bool {
        switch self {
        case .layer(let fault): fault.isAnswered
        case .message(.badCompression): true
        case .message: false
        }
    }
}
