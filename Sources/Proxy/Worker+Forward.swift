// Moving bytes: the loop around `Flow.next`.
//
// A connection's two directions are pumped apart from each other. What a sink does
// not take stays held, in the worker's blocks or in a pipe, and while something is
// held its source is not read: that is all there is to backpressure.

import Forwarding
import Reactor
import Upstreams
import Vocabulary

/// How a pump left its connection.
enum Pumped {
    case open
    /// It has come to its end; the slot may be in use again.
    case closed
    /// The first write found that the endpoint has not accepted; ``Worker/connectError`` says why.
    case connectFailed
}

extension Worker {
    // MARK: - Edges

    mutating func handle(_ slot: Slot, _ readiness: Readiness) {
        let index = slot.index
        let stage = connections[index].stage
        if stage == .established, readiness == .readable {
            // Nearly every event is this one.
            lanes[slot].flow.sourceIsReadable()
            _ = advance(slot)
            return
        }
        if stage == .connecting, slot.isServer {
            finishConnect(index, readiness)
            return
        }
        if stage == .handshake || stage == .securing && slot.isServer {
            // Even of a socket that has failed: an alert may lie in it that tells why. An end, or a fault, is reported once,
            // and by the edge of the bytes before it if it comes close behind them.
            if readiness.hasAny(of: .readWillNotBlock) {
                lanes[slot].flow.sourceIsReadable(
                    ending: readiness.hasAny(of: .sourceIsOver), urgent: readiness.contains(.urgent))
            }
            awaitStep(slot)
            return
        }
        if readiness.hasAny(of: .readWillNotBlock) {
            // A reset shows as an end too; only a read tells that the stream is cut off.
            lanes[slot].flow.sourceIsReadable(
                ending: readiness.contains(.peerEnded) && !readiness.contains(.failed),
                urgent: readiness.contains(.urgent))
        }
        switch stage {
        case .none: return
        case .preface:
            if readiness.contains(.failed) { abort(index, as: .clientAbort) } else { continuePreface(index) }
            return
        case .deferred, .probing:
            if readiness.contains(.failed) { abort(index, as: .clientAbort) }
            return
        case .cutOff:
            if readiness.contains(.failed) { abortCutOff(index) }
            return
        case .handshake, .connecting, .securing, .established: break
        }
        if readiness.contains(.writable), lanes[slot.other].flow.awaitsSink {
            lanes[slot.other].flow.sinkIsWritable()
            guard advance(slot.other) else { return }
        }
        guard advance(slot) else { return }
        // Whatever a failed socket still had to give has been read.
        if readiness.contains(.failed), halves[slot].isOpen { fail(slot) }
    }

    private mutating func finishConnect(_ index: UInt32, _ readiness: Readiness) {
        if readiness.hasAny(of: .connectFailed) {
            connectFailed(index, Kernel.connectError(halves[.server(index)].descriptor) ?? .connectionRefused)
            return
        }
        guard readiness.contains(.writable) else { return }
        didAccept(index)
        // The client may have been heard of before.
        if connections[index].stage == .established { guard advance(.client(index)) else { return } }
        handle(.server(index), readiness)
    }

    /// Pumps, and looks for another endpoint where this one turns out not to have accepted.
    /// - Returns: whether the connection is as it was, so that the caller may go on with it.
    @inline(__always)
    mutating func advance(_ slot: Slot) -> Bool {
        switch pump(slot) {
        case .open: return true
        case .closed: return false
        case .connectFailed:
            connectFailed(slot.index, connectError)
            return false
        }
    }

    // MARK: - The pump

    /// Moves what can be moved in one direction, within a turn's budget.
    mutating func pump(_ slot: Slot) -> Pumped {
        moved = Moved()
        var stop = Stop.none
        while stop == .none {
            switch lanes[slot].flow.next {
            case .rest: stop = .rest
            case .receive: stop = moved.received < Self.copyBudget ? receive(slot) : .pause
            case .sendHeld: stop = sendHeld(slot)
            case .fillPipe: stop = moved.received < Self.spliceBudget ? fillPipe(slot) : .pause
            case .drainPipe: stop = drainPipe(slot)
            case .relay: stop = moved.taken < Self.copyBudget ? relay(slot) : .pause
            case .deliver: stop = deliver(slot)
            case .finish: stop = .finish
            }
        }
        if moved.received | moved.sent != 0 { account(slot) }
        if stop == .done { return .open }
        switch stop {
        case .none, .done, .rest:
            if lanes[slot].flow.isBlocked { noteBlocked(slot) }
            return .open
        case .pause:
            pause(slot)
            return .open
        case .finish:
            // A connect in progress would be undone by a shutdown; the end is told once it is through.
            return connections[slot.index].stage == .established ? finish(slot) : .open
        case .sourceFailed:
            if lanes[slot].flow.isSealed, secured[slot] != nil { cutOff(slot) } else { fail(slot) }
            return .closed
        case .sinkFailed:
            fail(slot.other)
            return .closed
        case .exhausted:
            tell(.heldBytesExhausted, about: slot.index)
            abort(slot.index, as: .outOfMemory)
            return .closed
        case .connectFailed:
            return .connectFailed
        }
    }

    /// What one pump moved, counted once at its end.
    struct Moved {
        var received = 0
        var sent = 0
        /// Of ``sent``.
        var spliced = 0
        /// What a sealed flow has read, encrypted or not.
        var taken = 0
    }

    /// Why a pump goes no further.
    enum Stop {
        case none
        /// All that the source had is with the sink.
        case done
        case rest
        /// The direction has used up its share of this turn.
        case pause
        case finish
        case sourceFailed
        case sinkFailed
        /// No memory is left to hold bytes.
        case exhausted
        /// ``Worker/connectError`` says why.
        case connectFailed
    }

    /// Goes on in the next turn.
    private mutating func pause(_ slot: Slot) {
        returnPipe(slot)
        guard !lanes[slot].isQueued else { return }
        lanes[slot].isQueued = true
        queue.append(slot)
    }

    /// The sink has no room for what is held.
    private mutating func noteBlocked(_ slot: Slot) {
        awaitRoom(in: slot.other)
        if connections[slot.index].stage == .established { watchBlocked(slot.index) }
    }

    private mutating func refused(_ error: SystemError) -> Stop {
        connectError = error
        return .connectFailed
    }

    // MARK: Copying

    /// Reads once and writes at once; what the sink leaves is held.
    @inline(__always)
    private mutating func receive(_ slot: Slot) -> Stop {
        let asked = lanes[slot].flow.isBulky ? Self.bufferSize : Self.usualRead
        let read = unsafe Kernel.receive(halves[slot].descriptor, into: buffer, count: asked)
        guard read.count > 0 else { return receivedNothing(slot, read) }
        moved.received &+= read.count
        lanes[slot].flow.received(read.count, of: asked)
        expedite(slot)
        let write = unsafe Kernel.send(
            halves[slot.other].descriptor, buffer, count: read.count, more: lanes[slot].flow.hasEnded)
        guard write.count == read.count, connections[slot.index].stage == .established else {
            return sentSome(slot, write, of: read.count)
        }
        lanes[slot].flow.sent(read.count)
        moved.sent &+= read.count
        return lanes[slot].flow.awaitsSource ? .done : .none
    }

    @inline(never)
    mutating func receivedNothing(_ slot: Slot, _ read: Outcome) -> Stop {
        if read.count == 0 {
            lanes[slot].flow.sourceEnded()
        } else if read.wouldBlock {
            lanes[slot].flow.sourceIsEmpty()
        } else {
            socketError = read.error
            return .sourceFailed
        }
        return .none
    }

    /// The sink has not taken all, or this was the write that tells whether the endpoint has accepted.
    @inline(never)
    mutating func sentSome(_ slot: Slot, _ write: Outcome, of count: Int) -> Stop {
        let isConnecting = connections[slot.index].stage == .connecting
        if !write.succeeded, !write.wouldBlock, !isConnecting {
            socketError = write.error
            return .sinkFailed
        }
        let taken = max(0, write.count)
        lanes[slot].flow.sent(taken)
        moved.sent += taken
        if taken < count {
            let rest = unsafe UnsafeRawBufferPointer(start: buffer + taken, count: count - taken)
            guard unsafe hold(rest, in: slot) else { return .exhausted }
        }
        if isConnecting {
            if let error = write.error, !write.wouldBlock { return refused(error) }
            if taken > 0 { didConnect(slot.index) }
        }
        return .none
    }

    mutating func sendHeld(_ slot: Slot) -> Stop {
        expedite(slot)
        let sink = halves[slot.other].descriptor
        let endFollows = lanes[slot].flow.hasEnded
        var offered = 0
        let write = unsafe held.withFirst(of: lanes[slot].held) { bytes, isLast in
            offered = bytes.count
            return unsafe Kernel.send(sink, bytes, more: !isLast || endFollows)
        }
        let isConnecting = connections[slot.index].stage == .connecting
        guard write.count > 0 else {
            if write.wouldBlock {
                lanes[slot].flow.sinkIsFull()
                return .none
            }
            if isConnecting, let error = write.error { return refused(error) }
            socketError = write.error
            return .sinkFailed
        }
        dropHeld(write.count, in: slot)
        moved.sent += write.count
        lanes[slot].flow.sentHeld(write.count, of: offered)
        if isConnecting { didConnect(slot.index) }
        return .none
    }

    /// Keeps a copy of what the sink did not take.
    /// - Returns: false where there is no room; the connection is then to be aborted.
    mutating func hold(_ bytes: UnsafeRawBufferPointer, in slot: Slot) -> Bool {
        var chain = lanes[slot].held
        defer { lanes[slot].held = chain }
        return unsafe held.append(bytes, to: &chain)
    }

    /// Drops the first `count` of the held bytes, which the sink has taken.
    mutating func dropHeld(_ count: Int, in slot: Slot) {
        var chain = lanes[slot].held
        held.consume(count, of: &chain)
        lanes[slot].held = chain
    }

    /// Turns Nagle's algorithm off before the second write to an endpoint: it never delays the first,
    /// and a connection with a single request is spared the system call. A client's socket has it off from
    /// its listener.
    @inline(__always)
    mutating func expedite(_ slot: Slot) {
        guard !slot.isServer, !halves[slot.other].sendsAtOnce else { return }
        guard connections[slot.index].hasAsked || moved.sent > 0 else { return }
        halves[slot.other].sendsAtOnce = true
        if halves[slot.other].isTCP { Kernel.disableNagle(halves[slot.other].descriptor) }
    }

    // MARK: Splicing

    private mutating func fillPipe(_ slot: Slot) -> Stop {
        if lanes[slot].pipe == .max {
            guard let pipe = pipes.take() else {
                lanes[slot].flow.cannotSplice()
                return .none
            }
            lanes[slot].pipe = pipe
        }
        let pipe = pipes[lanes[slot].pipe]
        let read = Kernel.splice(
            from: halves[slot].descriptor, into: pipe.writeEnd, atMost: Int(pipe.capacity), more: false)
        if read.count > 0 {
            moved.received += read.count
            lanes[slot].flow.filledPipe(read.count)
            return .none
        }
        // The pipe is empty here, so it is the source that had nothing.
        returnPipe(slot)
        if read.count == 0 {
            lanes[slot].flow.spliceStopped()
        } else if read.wouldBlock {
            lanes[slot].flow.sourceIsEmpty()
        } else if read.error == .invalid {
            lanes[slot].flow.cannotSplice()
        } else {
            socketError = read.error
            return .sourceFailed
        }
        return .none
    }

    private mutating func drainPipe(_ slot: Slot) -> Stop {
        let write = Kernel.splice(
            from: pipes[lanes[slot].pipe].readEnd, into: halves[slot.other].descriptor,
            atMost: lanes[slot].flow.held, more: false)
        if write.count > 0 {
            moved.sent += write.count
            moved.spliced += write.count
            lanes[slot].flow.drainedPipe(write.count)
            // What comes next may be copied for as long as the connection lives.
            if !lanes[slot].flow.isSplicing { returnPipe(slot) }
            return .none
        }
        guard write.wouldBlock else {
            socketError = write.error
            return .sinkFailed
        }
        lanes[slot].flow.sinkIsFull()
        return .none
    }

    /// Gives a direction's pipe back, if it has one; bytes in it are lost.
    mutating func returnPipe(_ slot: Slot) {
        let pipe = lanes[slot].pipe
        guard pipe != .max else { return }
        pipes.giveBack(pipe, isEmpty: !lanes[slot].flow.isPiped)
        lanes[slot].pipe = .max
    }

    // MARK: - Counting

    /// Counts what a pump moved, and whether the connection waits for an answer because of it.
    @inline(__always)
    mutating func account(_ slot: Slot) {
        let index = slot.index
        connections[index].lastActive = now
        let (listener, cell) = (connections[index].listener, connections[index].cell)
        if moved.spliced > 0 { count(.splicedBytesTotal, moved.spliced, listener: listener) }
        if slot.isServer {
            count(.receivedBytesTotal, moved.received, cell: cell)
            count(.sentBytesTotal, moved.sent, listener: listener)
            connections[index].sentBytes &+= UInt64(truncatingIfNeeded: moved.sent)
            if moved.received > 0 { endpointSpoke(index) }
        } else {
            count(.receivedBytesTotal, moved.received, listener: listener)
            connections[index].receivedBytes &+= UInt64(truncatingIfNeeded: moved.received)
            count(.sentBytesTotal, moved.sent, cell: cell)
            if moved.received > 0 { clientSpoke(index) }
        }
    }

    @inline(__always)
    private mutating func clientSpoke(_ index: UInt32) {
        if !connections[index].hasAsked {
            connections[index].hasAsked = true
            connections[index].asked = now
        }
        observe(.clientBytes, index)
        if connections[index].stage == .established { watchForSilence(index) }
    }

    @inline(__always)
    private mutating func endpointSpoke(_ index: UInt32) {
        observe(.endpointBytes, index)
        guard !connections[index].isAnswered else { return }
        connections[index].isAnswered = true
        observeAnswer(index)
    }

    /// Tells a placed connection's part in its endpoint's load what happened.
    @inline(__always)
    mutating func observe(_ event: AnswerWait.Event, _ index: UInt32) {
        let change = connections[index].wait.observe(event)
        cells.count(change, in: connections[index].cell)
    }
}
