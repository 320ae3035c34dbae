// How connections end: cleanly in each direction by itself, or by an abort that is passed on.

import Forwarding
import Reactor
import Vocabulary

extension Worker {
    /// Tells the sink of a direction that the stream has ended; with both directions through, that is all.
    mutating func finish(_ slot: Slot) -> Pumped {
        if lanes[slot].flow.isSealed {
            switch tellEnd(slot) {
            case .open: break
            case .none: return .open
            case .some(let outcome): return outcome
            }
        }
        if lanes[slot.other].flow.isThrough {
            // Closing says the same as a shutdown: nothing unread is left that would turn it into a reset.
            end(slot.index, abort: false, as: .clean)
            return .closed
        }
        guard Kernel.endStream(halves[slot.other].descriptor).succeeded else {
            fail(slot.other)
            return .closed
        }
        lanes[slot].flow.finish()
        connections[slot.index].lastActive = now
        return .open
    }

    /// Ends both sides so that neither takes what it got for the whole (RST where there is such a thing).
    mutating func abort(_ index: UInt32, as ending: ConnectionEnd) {
        count(.abortedTotal, listener: connections[index].listener)
        end(index, abort: true, as: ending)
    }

    /// Ends what an established connection's half that has failed leaves.
    mutating func fail(_ half: Slot) {
        observeFailure(of: half)
        abort(half.index, as: half.isServer ? .endpointAbort : .clientAbort)
        socketError = nil
    }

    /// Ends both sides of a connection at rest: each gets the end of its peer's stream, and all that came before it.
    mutating func closeAtRest(_ index: UInt32) {
        count(.drainedTotal, cell: connections[index].cell)
        end(index, abort: false, as: board.verdict(on: connections[index].cell).fate == .drain ? .drained : .aged)
    }

    /// Ends a client that was never forwarded.
    mutating func refuse(_ index: UInt32, as ending: ConnectionEnd) {
        count(.refusedTotal, listener: connections[index].listener)
        end(index, abort: true, as: ending)
    }

    private mutating func end(_ index: UInt32, abort: Bool, as ending: ConnectionEnd) {
        timers.cancel(index)
        if connections[index].isRecorded { leaveRecord(index, as: ending) }
        if connections[index].stage == .established || connections[index].stage == .cutOff {
            desk.lifetimes.record(now - connections[index].began, row: Int(connections[index].upstream))
        }
        if connections[index].stage == .handshake, secured[.client(index)] != nil { tls.underWayCount -= 1 }
        unplace(index)
        listenerCells.unplace(connections[index].listener, waiting: true)
        count(.connections, -1, listener: connections[index].listener)
        connections[index].stage = .none
        end(.client(index), abort: abort)
        end(.server(index), abort: abort)
        indices.giveBack(index)
    }

    private mutating func end(_ slot: Slot, abort: Bool) {
        let half = halves[slot]
        let resets = lanes[slot].flow.isSealed ? endTLS(of: slot, abort: abort) : abort
        // A fresh half has an epoch that no event bears.
        halves[slot] = Half()
        var chain = lanes[slot].held
        held.release(&chain)
        lanes[slot].held = chain
        returnPipe(slot)
        lanes[slot].isQueued = false
        lanes[slot].awaitsStep = false
        guard half.isOpen else { return }
        if resets, half.isTCP { Kernel.abort(half.descriptor) } else { Kernel.close(half.descriptor) }
    }
}
