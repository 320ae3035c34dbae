// TLS handshakes: with a client before an endpoint is chosen for it, with an endpoint before a byte is sent to it.
//
//     client    accept ─► PROXY header ─► handshake ─► place
//     endpoint  connect ─► handshake ─► established        (otherwise: the next endpoint)
//
// A client's handshake costs an endpoint nothing, as none is chosen before it is over. A client that sends nothing costs
// a slot and no more: its pipe is made when its first bytes are taken. With an endpoint, the connect is not over until
// the handshake is: `connect_timeout` covers both, and as no client byte has been written by then, the connection moves
// on to another endpoint whatever the reason.
//
// Steps wait in `HandshakeQueue`, so an event only puts a slot there.

import Reactor
import Routing
import Synchronization
import TLS
import Upstreams
import Vocabulary

/// What a worker has of TLS.
@safe
struct TLSDesk: ~Copyable {
    private let publication: TLSPublication
    private var version: UInt64 = 0
    var rows = TLSRows()
    let wire = Wire()
    let sessions = SessionStore()
    var queue: HandshakeQueue
    /// Clients whose handshake is under way, the oldest first; some are through or gone by now.
    var underWay = Line<(slot: Slot, epoch: UInt32)>()
    /// How many of those are neither through nor gone.
    var underWayCount = 0

    init(_ publication: TLSPublication, limits: ProxyLimits) {
        self.publication = publication
        queue = HandshakeQueue(startsPerSecond: limits.handshakesPerSecond)
    }

    mutating func adoptLatest() {
        if let rows = publication.rows(newerThan: &version) { self.rows = rows }
    }
}

extension Worker {
    /// What one read asks for within a handshake: what a client sends behind it is held until there is an endpoint.
    private static let handshakeRead = 16 << 10
    /// Reads of one step.
    private static let readsPerStep = 8

    // MARK: - Steps

    /// Puts a half whose handshake can go on behind those that wait already.
    mutating func awaitStep(_ slot: Slot) {
        guard !lanes[slot].awaitsStep else { return }
        lanes[slot].awaitsStep = true
        tls.queue.append(slot, isStart: !slot.isServer && secured[slot] == nil)
    }

    /// Takes as many steps as a turn allows; who has gone meanwhile costs none.
    @inline(never)
    mutating func takeSteps() {
        var left = HandshakeQueue.stepsPerTurn
        while left > 0, let slot = tls.queue.next(at: now) {
            guard lanes[slot].awaitsStep else { continue }
            lanes[slot].awaitsStep = false
            switch connections[slot.index].stage {
            case .handshake where !slot.isServer:
                left -= 1
                greetClient(slot.index)
            case .securing where slot.isServer:
                left -= 1
                greetEndpoint(slot.index)
            case .none, .preface, .handshake, .probing, .connecting, .securing, .deferred, .established, .cutOff:
                continue
            }
        }
    }

    /// How long no step can be taken, in milliseconds.
    @inline(never)
    mutating func handshakePatience() -> Int64 {
        guard let patience = tls.queue.patience(at: now) else { return .max }
        return (patience.wholeNanoseconds + 999_999) / 1_000_000
    }

    /// A buffer for what a handshake brings along.
    private var handshakeBuffer: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: buffer, count: Self.handshakeRead + TLS.Wire.slack)
    }

    /// Holds what came behind a handshake.
    /// - Returns: false where there is no room; the connection is gone then.
    private mutating func holdAhead(_ count: Int, in slot: Slot) -> Bool {
        guard count > 0 else { return true }
        guard unsafe hold(UnsafeRawBufferPointer(start: buffer, count: count), in: slot) else {
            tell(.heldBytesExhausted, about: slot.index)
            abort(slot.index, as: .outOfMemory)
            return false
        }
        lanes[slot].flow.holds(count)
        connections[slot.index].lastActive = now
        return true
    }

    /// Whether a half's next edge has to be waited for. A short read proves it only where no end is behind it: that was
    /// reported already, and is to be read.
    private mutating func isDrained(_ slot: Slot, by reading: PipeReading) -> Bool {
        lanes[slot].flow.decrypted(0, received: reading.received, isDrained: reading.isDrained)
        return reading.isDrained && !lanes[slot].flow.mayHaveMore
    }

    // MARK: - With a client

    /// Begins the handshake with a client. The read-ahead bytes, if there are any, are its first.
    /// - Parameter facts: nil where nothing was read ahead.
    mutating func beginHandshake(_ index: UInt32, facts: ConnectionFacts? = nil) {
        let client = Slot.client(index)
        // Encrypted, and so not the first that the endpoint gets: they wait in the other lane, which is not in use yet.
        lanes[.server(index)].held = lanes[client].held
        lanes[client].held = HeldChain()
        guard introduce(index, facts: facts) else { return }
        connections[index].stage = .handshake
        connections[index].began = now
        lanes[client].flow.passesThroughTLS()
        timers.schedule(index, at: Tick(notBefore: now + limits.handshakeTimeout))
        register(client)
        if !lanes[.server(index)].held.isEmpty { awaitStep(client) }
    }

    /// One step of the handshake with a client.
    private mutating func greetClient(_ index: UInt32) {
        let client = Slot.client(index)
        let isStart = secured[client] == nil
        guard let pipe = secured[client] ?? startPipe(index) else {
            tell(.heldBytesExhausted, about: index)
            refuse(index, as: .outOfMemory)
            return
        }
        if pipe.isBlocked { _ = pipe.flush() }
        var isFirst = isStart
        for _ in 0..<Self.readsPerStep {
            let reading = isFirst ? firstBytes(of: index, to: pipe) : unsafe pipe.receive(into: handshakeBuffer)
            if isFirst, reading.received == 0, reading.end == .failed, pipe.fault == .cutOff {
                // Somebody has looked whether the port is open.
                record(PipeFault.cutOff, index)
                refuse(index, as: .handshakeFailed)
                return
            }
            isFirst = false
            guard holdAhead(reading.count, in: client) else { return }
            count(.receivedBytesTotal, reading.count, listener: connections[index].listener)
            connections[index].receivedBytes &+= UInt64(reading.count)
            if reading.end == .failed || reading.end == .ended && !pipe.isEstablished {
                refuseHandshake(index, pipe.fault ?? .cutOff)
                return
            }
            if pipe.isEstablished {
                if reading.end == .ended { lanes[client].flow.sourceEnded() }
                endHandshake(index, isResumed: pipe.isResumed)
                return
            }
            if isDrained(client, by: reading) {
                if pipe.isBlocked { awaitRoom(in: client) }
                return
            }
        }
        awaitStep(client)
    }

    /// Makes a client's pipe; where too many are under way, the oldest of them makes room.
    private mutating func startPipe(_ index: UInt32) -> TLSPipe.Handle? {
        let client = Slot.client(index)
        tls.queue.hasStarted()
        desk.handshakesBegun.add(1, ordering: .relaxed)
        while let first = tls.underWay.first, tls.underWayCount >= limits.handshakesUnderWay || !isUnderWay(first) {
            _ = tls.underWay.popFirst()
            if isUnderWay(first) { refuseHandshake(first.slot.index, .crowdedOut) }
        }
        guard let context = tls.rows.listener(connections[index].listener)?.context,
            let pipe = context.makePipe(over: halves[client].descriptor, wire: tls.wire)?.release()
        else { return nil }
        secured[client] = pipe
        // It may have waited for others; its own time begins here.
        connections[index].began = now
        tls.underWay.append((client, halves[client].epoch))
        tls.underWayCount += 1
        return pipe
    }

    private func isUnderWay(_ entry: (slot: Slot, epoch: UInt32)) -> Bool {
        connections[entry.slot.index].stage == .handshake && halves[entry.slot].epoch == entry.epoch
    }

    /// The bytes that were read ahead, or else what the socket has.
    private mutating func firstBytes(of index: UInt32, to pipe: TLSPipe.Handle) -> PipeReading {
        var ahead = lanes[.server(index)].held
        guard !ahead.isEmpty else { return unsafe pipe.receive(into: handshakeBuffer) }
        let room = unsafe handshakeBuffer
        // One block, as the preface is bounded by what a block takes.
        let reading = unsafe held.withFirst(of: ahead) { bytes, _ in unsafe pipe.take(bytes, into: room) }
        held.release(&ahead)
        lanes[.server(index)].held = ahead
        return reading
    }

    /// The client is who it has to be: an endpoint for it.
    private mutating func endHandshake(_ index: UInt32, isResumed: Bool) {
        let listener = connections[index].listener
        tls.underWayCount -= 1
        // It counts no more, and is told by its certificate, though no endpoint may be had for it.
        connections[index].stage = .connecting
        count(.handshakesTotal, listener: listener)
        if isResumed { count(.handshakesResumedTotal, listener: listener) }
        proceed(index)
    }

    /// - Parameter fault: nil where the handshake took too long.
    mutating func refuseHandshake(_ index: UInt32, _ fault: PipeFault?) {
        let connection = connections[index]
        count(.handshakesFailedTotal, listener: connection.listener)
        desk.tell(
            Notice(
                kind: .handshakeRefused, listener: connection.listener, upstream: connection.upstream, cell: 0,
                detail: 0, fault: fault, peer: Kernel.peerAddress(of: halves[.client(index)].descriptor)))
        record(fault, index)
        refuse(index, as: .handshakeFailed)
    }

    // MARK: - With an endpoint

    /// The endpoint has accepted; whether it is who it has to be, the handshake tells.
    mutating func beginSecuring(_ index: UInt32) {
        connections[index].stage = .securing
        awaitStep(.server(index))
    }

    /// One step of the handshake with an endpoint.
    private mutating func greetEndpoint(_ index: UInt32) {
        let server = Slot.server(index)
        if let pipe = secured[server] {
            if pipe.isBlocked { _ = pipe.flush() }
        } else {
            guard greet(server) else { return }
        }
        guard let pipe = secured[server] else { return }
        for _ in 0..<Self.readsPerStep {
            let reading = unsafe pipe.receive(into: handshakeBuffer)
            guard holdAhead(reading.count, in: server) else { return }
            if reading.end == .failed || reading.end == .ended && !pipe.isEstablished {
                handshakeFailed(index, pipe.fault ?? .cutOff)
                return
            }
            if pipe.isEstablished {
                didSecure(index, pipe, reading)
                return
            }
            if isDrained(server, by: reading) {
                if pipe.isBlocked { awaitRoom(in: server) }
                return
            }
        }
        awaitStep(server)
    }

    /// Makes an endpoint's pipe and sends the first flight.
    /// - Returns: false where the connection is with another endpoint, or gone.
    private mutating func greet(_ server: Slot) -> Bool {
        let (index, descriptor) = (server.index, halves[server].descriptor)
        guard let row = tls.rows.upstream(connections[index].upstream) else {
            // It has gone since, or speaks plainly by now; what began as TLS does not go on without.
            abort(index, as: .upstreamChanged)
            return false
        }
        guard let name = row.serverName ?? Kernel.peerAddress(of: descriptor).flatMap({ ServerName(of: $0) }) else {
            handshakeFailed(
                index, .certificate(reason: "a unix socket has no address to verify; set server_name", names: nil))
            return false
        }
        let cell = connections[index].cell
        // The cell's next endpoint knows nothing of the tickets of this one.
        let endpoint = UInt64(cell) << 32 | board.tenancy(of: cell) & 0xFFFF_FFFF
        guard
            let pipe = row.context.makePipe(
                over: descriptor, to: name, wire: tls.wire, sessions: tls.sessions, endpoint: endpoint)?.release()
        else {
            tell(.heldBytesExhausted, about: index)
            abort(index, as: .outOfMemory)
            return false
        }
        secured[server] = pipe
        halves[server].sendsAtOnce = true
        if halves[server].isTCP { Kernel.disableNagle(descriptor) }
        if pipe.begin().hasFailed {
            handshakeFailed(index, pipe.fault ?? .cutOff)
            return false
        }
        return true
    }

    /// The endpoint is who it has to be.
    /// - Parameter reading: the last of the handshake, and perhaps the endpoint's first bytes, which are held.
    private mutating func didSecure(_ index: UInt32, _ pipe: TLSPipe.Handle, _ reading: PipeReading) {
        let (client, server) = (Slot.client(index), Slot.server(index))
        let upstream = Int(connections[index].upstream)
        desk.upstreams.add(1, row: upstream, column: UpstreamColumn.handshakesTotal.rawValue)
        if pipe.isResumed {
            desk.upstreams.add(1, row: upstream, column: UpstreamColumn.handshakesResumedTotal.rawValue)
        }
        didConnect(index)
        lanes[client].flow.keeps(more: pipe.keptBytes)
        lanes[server].flow.sourceIsReadable()
        if reading.end == .ended { lanes[server].flow.sourceEnded() }
        if lanes[server].flow.held > 0 {
            moved = Moved()
            moved.received = reading.count
            account(server)
        }
        guard advance(client) else { return }
        _ = advance(server)
    }

    /// The handshake with an endpoint has come to nothing: the next one, if there is one.
    /// - Parameter fault: nil where it took too long.
    mutating func handshakeFailed(_ index: UInt32, _ fault: PipeFault?) {
        desk.upstreams.add(
            1, row: Int(connections[index].upstream), column: UpstreamColumn.handshakesFailedTotal.rawValue)
        observeHandshake(fault, index)
        tryAnother(index)
    }
}
