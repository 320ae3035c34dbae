// Moving bytes where a half speaks TLS: what `Worker+Forward.swift` does with plain ones.
//
// A flow that is sealed asks for two steps of its own, so plain connections pay nothing for it. Both go through the
// worker's one buffer: bytes are decrypted into it or received into it, and encrypted or sent out of it. What a sink
// leaves is held as ever: plain bytes in the worker's blocks, encrypted ones in the sink's pipe, and the flow counts both.
//
// A half's pipe also writes on its own account (tickets, answers to key updates, alerts), whenever it is read. So what it
// keeps for a full socket belongs to the direction that ends there, whoever wrote it.
//
//     how a stream ends           what the other side gets
//     close_notify                close_notify, then FIN; or FIN
//     FIN without close_notify    all that came before, then RST
//     a fault, an alert           the same; the side at fault gets our alert and FIN, which a reset would overtake

import Forwarding
import Reactor
import TLS
import Vocabulary

extension Worker {
    /// How long bytes before a cut may take to reach their peer until the abort that follows them is passed on anyway.
    static let cutOffPatience = Duration.seconds(1)
    private static let cutOffLook = Duration.milliseconds(5)
    /// What a peer that gets an alert may have sent meanwhile, which would turn our end into a reset: so many reads of it
    /// are thrown away.
    private static let readsAfterAlert = 16

    // MARK: - Steps

    /// Takes what a source has and hands it to the sink at once.
    @inline(never)
    mutating func relay(_ slot: Slot) -> Stop {
        if let sink = secured[slot.other], sink.fault != nil { return restBesideFault(slot) }
        let count: Int
        if let source = secured[slot] {
            let kept = source.keptBytes
            let reading = unsafe source.receive(
                into: UnsafeMutableRawBufferPointer(start: buffer, count: Self.bufferSize))
            noteKept(by: source, since: kept, of: slot)
            if reading.end == .failed, reading.count == 0 { return .sourceFailed }
            lanes[slot].flow.decrypted(reading.count, received: reading.received, isDrained: reading.isDrained)
            switch reading.end {
            case .open: break
            case .ended: lanes[slot].flow.sourceEnded()
            // Told once more when all before it is with the sink.
            case .failed: lanes[slot].flow.sourceIsReadable()
            }
            moved.received += reading.count
            moved.taken += max(reading.received, reading.count)
            count = reading.count
        } else {
            let asked = lanes[slot].flow.isBulky ? TLS.Wire.largestWrite : Self.usualRead
            let read = unsafe Kernel.receive(halves[slot].descriptor, into: buffer, count: asked)
            guard read.count > 0 else { return receivedNothing(slot, read) }
            moved.received += read.count
            moved.taken += read.count
            lanes[slot].flow.received(read.count, of: asked)
            count = read.count
        }
        if tls.wire.keptBytes > limits.keptBytesPerWorker { return .exhausted }
        return count > 0 ? hand(count, from: slot) : .none
    }

    /// Gives the sink the first `count` bytes of the buffer.
    private mutating func hand(_ count: Int, from slot: Slot) -> Stop {
        expedite(slot)
        guard let sink = secured[slot.other] else {
            let write = unsafe Kernel.send(
                halves[slot.other].descriptor, buffer, count: count, more: lanes[slot].flow.hasEnded)
            return sentSome(slot, write, of: count)
        }
        let (taken, hasFailed) = encrypt(count, for: slot, into: sink, ends: lanes[slot].flow.hasEnded)
        if hasFailed { return .sinkFailed }
        if taken < count {
            let rest = unsafe UnsafeRawBufferPointer(start: buffer + taken, count: count - taken)
            guard unsafe hold(rest, in: slot) else { return .exhausted }
        }
        return tls.wire.keptBytes > limits.keptBytesPerWorker ? .exhausted : .none
    }

    /// Gives the sink what is held.
    @inline(never)
    mutating func deliver(_ slot: Slot) -> Stop {
        guard let sink = secured[slot.other] else { return sendHeld(slot) }
        guard sink.fault == nil else { return restBesideFault(slot) }
        if sink.isBlocked {
            let kept = sink.keptBytes
            let writing = sink.flush()
            noteKept(by: sink, since: kept, of: slot.other)
            if writing.hasFailed { return .sinkFailed }
            if writing.isBlocked { lanes[slot].flow.sinkIsFull() }
            return .none
        }
        expedite(slot)
        // Held bytes lie in small blocks, and a send is to carry many records.
        let room = unsafe UnsafeMutableRawBufferPointer(start: buffer, count: TLS.Wire.largestWrite)
        let count = unsafe held.copy(lanes[slot].held, into: room)
        let isAll = count == lanes[slot].flow.held
        let (taken, hasFailed) = encrypt(
            count, for: slot, into: sink, more: !isAll, ends: isAll && lanes[slot].flow.hasEnded)
        if hasFailed { return .sinkFailed }
        var chain = lanes[slot].held
        held.drop(taken, of: &chain)
        lanes[slot].held = chain
        return tls.wire.keptBytes > limits.keptBytesPerWorker ? .exhausted : .none
    }

    /// Encrypts the first `count` bytes of the buffer.
    /// - Parameter ends: the source has ended, and these are the last: the sink is told along with them.
    private mutating func encrypt(
        _ count: Int, for slot: Slot, into sink: TLSPipe.Handle, more: Bool = false, ends: Bool
    ) -> (taken: Int, hasFailed: Bool) {
        let kept = sink.keptBytes
        let writing = unsafe sink.send(UnsafeRawBufferPointer(start: buffer, count: count), more: more, ends: ends)
        lanes[slot].flow.encrypted(writing.count)
        moved.sent += writing.count
        noteKept(by: sink, since: kept, of: slot.other)
        return (writing.count, writing.hasFailed)
    }

    /// Takes note of how much more, or less, a half's pipe keeps for its socket.
    private mutating func noteKept(by pipe: TLSPipe.Handle, since before: Int, of half: Slot) {
        let more = pipe.keptBytes - before
        guard more != 0 else { return }
        lanes[half.other].flow.keeps(more: more)
        guard more > 0 else { return }
        lanes[half.other].flow.sinkIsFull()
        awaitRoom(in: half)
        if connections[half.index].stage == .established { watchBlocked(half.index) }
    }

    /// The sink's own stream is cut off, and what it said before is still on its way to the other side. Nothing more is
    /// for it; when that is there, the connection is aborted.
    private mutating func restBesideFault(_ slot: Slot) -> Stop {
        lanes[slot].flow.sinkIsFull()
        return .none
    }

    // MARK: - Ends

    /// Tells a sink that speaks TLS that the stream has ended, before its socket's end tells the same.
    /// - Returns: `.open` where the socket is next; nil where it has to wait, or the connection is gone.
    mutating func tellEnd(_ slot: Slot) -> Pumped? {
        guard let sink = secured[slot.other], !sink.isFinished else { return .open }
        // Undelivered bytes of its own are on their way; then comes the abort.
        guard sink.fault == nil else { return nil }
        let kept = sink.keptBytes
        let writing = sink.finish(more: true)
        noteKept(by: sink, since: kept, of: slot.other)
        if writing.hasFailed {
            fail(slot.other)
            return .closed
        }
        return writing.isBlocked ? nil : .open
    }

    /// Lets go of a half's TLS.
    /// - Parameter abort: whether the connection ends by an abort.
    /// - Returns: whether the socket is to be reset.
    mutating func endTLS(of slot: Slot, abort: Bool) -> Bool {
        guard let pipe = secured[slot] else { return abort }
        defer {
            pipe.free()
            secured[slot] = nil
        }
        if !abort {
            if pipe.isEstablished, !pipe.isFinished { _ = pipe.finish(more: true) }
            return false
        }
        guard pipe.alertSent != nil else { return true }
        if pipe.isBlocked { _ = pipe.flush() }
        let descriptor = halves[slot].descriptor
        _ = Kernel.endStream(descriptor)
        for _ in 0..<Self.readsAfterAlert {
            guard unsafe Kernel.receive(descriptor, into: buffer, count: Self.bufferSize).count > 0 else { break }
        }
        return false
    }

    /// A source that speaks TLS was cut off: the sink gets what came before the cut, and then the abort.
    ///
    /// What came before is with the sink's socket; a reset would throw away what its peer has not acknowledged.
    mutating func cutOff(_ slot: Slot) {
        let sink = halves[slot.other]
        guard sink.isTCP, Kernel.unacknowledged(sink.descriptor) > 0 else {
            fail(slot)
            return
        }
        observeFailure(of: slot)
        connections[slot.index].stage = .cutOff
        connections[slot.index].lastActive = now
        timers.schedule(slot.index, at: Tick(notBefore: now + Self.cutOffLook))
    }

    /// Looks whether what came before a cut is with its peer.
    mutating func reviewCutOff(_ index: UInt32) {
        let isLate = now >= connections[index].lastActive + Self.cutOffPatience
        let isThrough = [Slot.client(index), .server(index)].allSatisfy {
            // Of the side that was cut off nothing is waited for.
            secured[$0]?.fault != nil || !halves[$0].isTCP || Kernel.unacknowledged(halves[$0].descriptor) == 0
        }
        guard isLate || isThrough else {
            timers.schedule(index, at: Tick(notBefore: now + Self.cutOffLook))
            return
        }
        abortCutOff(index)
    }

    /// Passes on that one of the two streams was cut off.
    mutating func abortCutOff(_ index: UInt32) {
        abort(index, as: secured[.server(index)]?.fault == nil ? .clientAbort : .endpointAbort)
    }
}
