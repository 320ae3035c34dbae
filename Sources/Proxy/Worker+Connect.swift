// From a client to an endpoint: choosing, connecting, trying another.
//
// The endpoint is connected as soon as the client is accepted, and both sockets
// enter the poller only when there is something to wait for: a connection to an
// endpoint on this machine has usually sent its first bytes by then.

import CEpoll
import Forwarding
import Reactor
import Routing
import Upstreams
import Vocabulary

extension Worker {
    /// Begins to forward: everything that precedes the choice of an endpoint is known.
    /// - Parameter facts: nil where nothing was read ahead, and the socket itself is asked if anybody wants to know.
    mutating func beginForwarding(_ index: UInt32, facts: ConnectionFacts? = nil) {
        guard introduce(index, facts: facts) else { return }
        proceed(index)
    }

    /// Takes down what the connection is known by, and puts a PROXY header in front of what the endpoint will get, where
    /// the listener sends one.
    /// - Returns: false where there was no room for it, and the connection is gone.
    mutating func introduce(_ index: UInt32, facts given: ConnectionFacts?) -> Bool {
        let version = listeners[Int(connections[index].listener)].sendProxyProtocol
        var facts = given
        if facts == nil, version != nil { facts = socketFacts(index) }
        record(facts, index)
        recognize(index, by: facts)
        guard let version else { return true }
        if putInFront(ProxyHeader(relaying: facts ?? .unasked), as: version, index) { return true }
        tell(.heldBytesExhausted, about: index)
        refuse(index, as: .outOfMemory)
        return false
    }

    /// Nothing more is to be read, or shaken, ahead.
    mutating func proceed(_ index: UInt32) {
        lanes[.client(index)].flow.sourceIsReadable()
        connections[index].began = now
        place(index)
    }

    /// Places the connection on an endpoint, and on another where that fails at once, or gives it up.
    ///
    /// Where their load is to be asked for first, it returns with the connection in ``Connection/Stage/probing``.
    mutating func place(_ index: UInt32) {
        let upstream = Int(connections[index].upstream)
        while true {
            guard connections[index].tried.count < upstreams.connectAttempts(of: upstream) else {
                giveUp(index)
                return
            }
            let endpoint: ChosenEndpoint
            switch choose(index) {
            case .endpoint(let chosen): endpoint = chosen
            case .later: return
            case .none:
                giveUp(index)
                return
            }
            let isRetry = connections[index].tried.count > 0
            connections[index].cell = endpoint.cell
            connections[index].isPlaced = true
            connections[index].placed = now
            connections[index].placedBy = upstreams.version
            recordPlacement(index)
            connections[index].wait = AnswerWait(isPassThrough: connections[index].isPassThrough)
            let error = connect(index, to: endpoint)
            if let error, error.isExhaustion || error == .wouldBlock {
                // Not the endpoint's fault: no descriptor here, or a unix socket's queue is full at this moment.
                postpone(index, because: error)
                return
            }
            count(.connectionsTotal, cell: endpoint.cell)
            if isRetry { desk.upstreams.add(1, row: upstream, column: UpstreamColumn.retriesTotal.rawValue) }
            guard let error else { return }
            noteFailure(index, error)
        }
    }

    /// - Returns: nil when the connect has succeeded, is under way, or the connection has come to its end.
    private mutating func connect(_ index: UInt32, to endpoint: ChosenEndpoint) -> SystemError? {
        let socket = Kernel.socket(family: endpoint.family)
        if let error = socket.error { return error }
        let descriptor = socket.value
        let isTCP = endpoint.family != AF_UNIX
        // Before the first byte: told of an urgent one, it would be too late. The kernel drops a mark that is not
        // inline as soon as it has been read up to, and another follows (tcp_check_urg).
        if isTCP { Kernel.keepUrgentInline(descriptor) }
        let outcome = unsafe Kernel.connect(descriptor, to: endpoint.address)
        if let error = outcome.error, error != .inProgress {
            Kernel.close(descriptor)
            return error
        }
        connections[index].stage = .connecting
        halves[.server(index)] = Half(descriptor: descriptor, epoch: newEpoch(), isTCP: isTCP)
        lanes[.server(index)].flow = Flow(shortReadMeansEmpty: isTCP, canSplice: true)
        lanes[.server(index)].flow.sinkIsWritable()
        let isSecured = tls.rows.speaks(upstream: connections[index].upstream)
        connections[index].isSecured = isSecured
        if isSecured || lanes[.client(index)].flow.isSealed { passThroughTLS(index) }
        timers.schedule(
            index, at: Tick(notBefore: now + upstreams.connectTimeout(of: Int(connections[index].upstream))))
        if outcome.succeeded {
            didAccept(index)
        } else if isSecured {
            // Nothing is for it before the handshake.
        } else if endpoint.isLocal, limits.writesToLocalEndpointsAtOnce {
            // Over loopback the handshake is done, or refused, by the time connect returns: a write will tell.
            lanes[.client(index)].flow.sinkIsWritable()
        }
        switch pump(.client(index)) {
        case .closed: return nil
        case .connectFailed: return connectError
        case .open: break
        }
        register(.client(index))
        register(.server(index))
        return nil
    }

    /// Puts a socket into the poller, once; it reports at once what it is ready for.
    mutating func register(_ slot: Slot) {
        guard !halves[slot].isRegistered else { return }
        // What goes to this socket comes from the other.
        let writes = lanes[slot.other].flow.isBlocked || slot.isServer && connections[slot.index].stage == .connecting
        halves[slot].isRegistered = true
        halves[slot].reportsWrites = writes
        let half = halves[slot]
        poller.addEdges(of: half.descriptor, token: Token.socket(slot, epoch: half.epoch), writes: writes)
    }

    /// A socket has no room: the poller is to say when there is some.
    mutating func awaitRoom(in slot: Slot) {
        guard halves[slot].isRegistered, !halves[slot].reportsWrites else { return }
        halves[slot].reportsWrites = true
        let half = halves[slot]
        poller.addWrites(of: half.descriptor, token: Token.socket(slot, epoch: half.epoch))
    }

    /// Both directions of a connection go through TLS at one of their ends.
    private mutating func passThroughTLS(_ index: UInt32) {
        lanes[.client(index)].flow.passesThroughTLS()
        lanes[.server(index)].flow.passesThroughTLS()
        // What the handshake with the client has left for its socket comes before all that the endpoint says.
        if let pipe = secured[.client(index)] { lanes[.server(index)].flow.keeps(more: pipe.keptBytes) }
    }

    /// The endpoint has accepted; where it speaks TLS, the handshake is next.
    mutating func didAccept(_ index: UInt32) {
        if connections[index].isSecured { beginSecuring(index) } else { didConnect(index) }
    }

    /// The connection to the endpoint is there, and safe where it has to be.
    mutating func didConnect(_ index: UInt32) {
        connections[index].stage = .established
        connections[index].asked = now
        connections[index].lastActive = now
        recordConnect(index)
        lanes[.client(index)].flow.sinkIsWritable()
        observe(.established, index)
        desk.connectTimes.record(now - connections[index].placed, row: Int(connections[index].upstream))
        watchForSilence(index)
        beginAging(index)
    }

    /// The endpoint has not accepted: the next one, if there is one.
    mutating func connectFailed(_ index: UInt32, _ error: SystemError) {
        noteFailure(index, error)
        place(index)
    }

    private mutating func noteFailure(_ index: UInt32, _ error: SystemError) {
        count(.failuresTotal, cell: connections[index].cell)
        record(error, index)
        observeFailure(error, index)
        if isBeforeInstance(index), Observation.Kind(ofConnect: error)?.isHard == true {
            instanceRefused(error, listener: Int(connections[index].listener))
        }
        connections[index].tried.insert(connections[index].cell)
        leaveEndpoint(index)
    }

    /// The endpoint has failed after it had accepted; nothing was written to it.
    mutating func tryAnother(_ index: UInt32) {
        connections[index].tried.insert(connections[index].cell)
        moveOn(index)
    }

    /// Whether the connection's endpoint is the instance that its listener stands before; a reload may have turned the
    /// listener to another upstream since.
    private mutating func isBeforeInstance(_ index: UInt32) -> Bool {
        let number = Int(connections[index].listener)
        return listeners[number].isInbound && listeners[number].upstream == connections[index].upstream
    }

    /// Leaves an endpoint that has not answered the connect yet for another; nothing was written to it.
    mutating func moveOn(_ index: UInt32) {
        leaveEndpoint(index)
        place(index)
    }

    /// Takes the connection off the endpoint it was placed on.
    private mutating func leaveEndpoint(_ index: UInt32) {
        if halves[.server(index)].isOpen {
            if lanes[.server(index)].flow.isSealed { leaveTLS(index) }
            Kernel.close(halves[.server(index)].descriptor)
            halves[.server(index)] = Half()
        }
        lanes[.client(index)].flow.sinkIsFull()
        // That was for the endpoint it leaves.
        connections[index].isLeaving = false
        unplace(index)
    }

    /// What belongs to the endpoint that a connection leaves, and not to it.
    private mutating func leaveTLS(_ index: UInt32) {
        _ = endTLS(of: .server(index), abort: true)
        // What it said behind the handshake is for nobody.
        var chain = lanes[.server(index)].held
        held.release(&chain)
        lanes[.server(index)].held = chain
    }

    mutating func unplace(_ index: UInt32) {
        guard connections[index].isPlaced else { return }
        connections[index].isPlaced = false
        cells.unplace(connections[index].cell, waiting: connections[index].wait.isWaiting)
    }

    /// No endpoint can be had: the client learns it at once.
    private mutating func giveUp(_ index: UInt32) {
        tell(.noEndpoint, about: index)
        let wasPlaced = connections[index].isRecorded && records.facts[index].attempts > 0
        refuse(index, as: wasPlaced ? .connectFailed : .noEndpoint)
    }

    // MARK: Shortage

    /// Tries the connect again shortly: this process, not the endpoint, was short of something.
    ///
    /// A client that has been let in without a descriptor being left for its other half waits like those that
    /// have not been, so accepting pauses for as long as there is such a client.
    private mutating func postpone(_ index: UInt32, because error: SystemError) {
        let listener = Int(connections[index].listener)
        record(error, index)
        leaveEndpoint(index)
        if error.isExhaustion { pauseAccepting(because: error, listener: listener) }
        let patience =
            error.isExhaustion
            ? listeners[listener].idleTimeout : upstreams.connectTimeout(of: Int(connections[index].upstream))
        guard now < connections[index].began + patience else {
            giveUp(index)
            return
        }
        connections[index].stage = .deferred
        register(.client(index))
        timers.schedule(index, at: Tick(notBefore: now + Self.deferredRetry))
    }

    mutating func retryPostponed(_ index: UInt32) {
        takeBackPlacement(index)
        place(index)
    }
}
