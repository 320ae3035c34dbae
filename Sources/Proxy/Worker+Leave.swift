// Leaving an endpoint: what its fate does to the connections that are on it, and how the old ones leave.
//
// When some fate has turned, a worker goes through its connections once, so few in each turn of its loop that others
// hardly notice; what turns meanwhile is for the passage after. `reset` ends a connection there and then. `drain` ends
// it at once if it is at rest, and otherwise marks it: its timer looks again whenever it may have come to rest. Nothing
// of this is on the byte path.
//
// At rest means that it waits for no answer, holds nothing, and has been quiet for a moment. The moment is for answers
// that come in parts: bytes alone do not tell where one ends, and a cut within one would pass for its end. Not taken:
// to close at the first byte of an answer, when waiting is over by definition; or to close when the next question
// comes, which would be lost.

import Forwarding
import Reactor
import Upstreams
import Vocabulary

/// A passage through all connections, in slices.
struct Sweep {
    /// Fates that turned after this one are carried out…
    var after: UInt64
    /// …and all up to this one are, once it has come through.
    var through: UInt64
    /// The turn of the loop with its last slice: turns are counted, however many slices one has.
    var sliced: UInt64 = 0
    var next: UInt32 = 0
}

extension Worker {
    /// What one turn of the loop does for a sweep at most: connections it looks at, and connections it ends, which cost
    /// some 20 µs each.
    static let sweepLooks = 4096
    static let sweepEnds = 64

    /// How long a connection that is to leave has to be quiet: an answer that pauses for longer is cut, and one that is
    /// never quiet for so long stays.
    static let restBeforeLeaving = Duration.milliseconds(100)

    /// Begins to carry out fates that have turned, or sees to it that this follows the sweep under way.
    /// - Parameter turn: the newest one, read before the set was adopted.
    mutating func heedFates(through turn: UInt64) {
        heededTurn = turn
        if sweep == nil, heededTurn > sweptThrough { sweep = Sweep(after: sweptThrough, through: heededTurn) }
    }

    mutating func continueSweep() {
        guard var sweep else { return }
        if sweep.sliced != turn { desk.sweepingTurns.add(1, ordering: .relaxed) }
        sweep.sliced = turn
        var (looks, ends) = (Self.sweepLooks, Self.sweepEnds)
        while looks > 0, ends > 0, sweep.next < indices.highWater {
            if carryOut(sweep, on: sweep.next) { ends -= 1 }
            looks -= 1
            sweep.next += 1
        }
        if sweep.next < indices.highWater {
            self.sweep = sweep
        } else {
            sweptThrough = sweep.through
            self.sweep = nil
            heedFates(through: heededTurn)
        }
    }

    /// - Returns: whether this cost system calls.
    private mutating func carryOut(_ sweep: Sweep, on index: UInt32) -> Bool {
        let connection = connections[index]
        guard connection.stage != .none, connection.isPlaced else { return false }
        let verdict = board.verdict(on: connection.cell)
        // Who was placed knowing of it is there in spite of it: nothing fitter was left.
        guard verdict.turn > sweep.after, verdict.turn > connection.placedBy else { return false }
        switch verdict.fate {
        case .keep: return false
        case .drain:
            connections[index].isLeaving = true
            return connection.stage == .established && leaveOrWait(index)
        case .reset:
            if connection.stage == .connecting || connection.stage == .securing {
                moveOn(index)
            } else {
                count(.resetTotal, cell: connection.cell)
                abort(index, as: .reset)
            }
            return true
        }
    }

    /// Closes an established connection that is to leave if it is at rest, and sees to it that it is looked at again if
    /// it is not.
    /// - Returns: whether it is gone.
    mutating func leaveOrWait(_ index: UInt32) -> Bool {
        guard isOld(index) || board.verdict(on: connections[index].cell).fate == .drain,
            // One that has half ended is on its way out, and its other half may be an answer.
            !lanes[.client(index)].flow.hasEnded, !lanes[.server(index)].flow.hasEnded
        else {
            connections[index].isLeaving = false
            return false
        }
        if isAtRest(index) {
            // What has arrived since the last wait is not known yet, and a close would throw it away.
            for slot in [Slot.server(index), .client(index)] {
                lanes[slot].flow.sourceIsReadable()
                guard advance(slot) else { return true }
            }
            if isAtRest(index) {
                closeAtRest(index)
                return true
            }
        }
        let due = Tick(notBefore: nextLook(index))
        if let deadline = timers.deadline(of: index), deadline <= due { return false }
        timers.schedule(index, at: due)
        return false
    }

    /// When a connection that is to leave may have come to rest.
    func nextLook(_ index: UInt32) -> Instant {
        let rested = connections[index].lastActive + Self.restBeforeLeaving
        return rested > now ? rested : now + Self.restBeforeLeaving
    }

    private func isAtRest(_ index: UInt32) -> Bool {
        connections[index].wait.isResting && lanes[.client(index)].flow.awaitsSource
            && lanes[.server(index)].flow.awaitsSource
            && now >= connections[index].lastActive + Self.restBeforeLeaving
    }
}
