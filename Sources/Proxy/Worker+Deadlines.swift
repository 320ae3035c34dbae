// What happens when nothing happens: one timer a connection, set lazily.
//
// A byte moved only stores the time. The timer fires at the earliest moment at
// which something could be due, looks at that time, and is set again; so a busy
// connection costs a timer operation a second and not one an event.
//
// Who is late may be this worker: after a pause of the machine, timers are due and what came in time lies unread, more
// of it than one wait can tell. So a peer has missed a deadline only if a wait that began after it, and left nothing,
// has told of nothing. That is a turn more for a time-out, a millisecond.

import Forwarding
import Reactor
import Upstreams
import Vocabulary

extension Worker {
    /// ``AnswerWait/silenceLimit``, as a constant the compiler can see, and a tick more as the present is rounded down.
    static var silenceTicks: UInt64 { 1001 }

    @inline(__always)
    mutating func fireTimers() {
        timers.advance(to: present)
        while let index = timers.popExpired() { fire(index) }
    }

    private mutating func fire(_ index: UInt32) {
        switch connections[index].stage {
        case .none: break
        case .preface:
            guard hasMissed(connections[index].readsAheadUntil, index) else { return }
            missPreface(index)
        case .handshake:
            guard !lanes[.client(index)].awaitsStep else { return waitForStep(index) }
            guard hasMissed(connections[index].began + limits.handshakeTimeout, index) else { return }
            refuseHandshake(index, nil)
        case .securing where lanes[.server(index)].awaitsStep: waitForStep(index)
        case .connecting, .securing:
            let patience = upstreams.connectTimeout(of: Int(connections[index].upstream))
            guard hasMissed(connections[index].placed + patience, index) else { return }
            if connections[index].stage == .securing {
                handshakeFailed(index, nil)
            } else {
                connectFailed(index, .timedOut)
            }
        case .probing: endWait(index)
        case .deferred: retryPostponed(index)
        case .established: review(index)
        case .cutOff: reviewCutOff(index)
        }
    }

    /// Its peer has done its part, and it is this worker that is late.
    private mutating func waitForStep(_ index: UInt32) {
        timers.schedule(index, at: Tick(notBefore: now + Self.deferredRetry))
    }

    /// Whether all has been heard that came before `deadline`; otherwise the connection is looked at again, no later than
    /// in the next turn after it.
    private mutating func hasMissed(_ deadline: Instant, _ index: UInt32) -> Bool {
        if heardThrough >= deadline { return true }
        timers.schedule(index, at: max(Tick(present.count + 1), Tick(notBefore: deadline)))
        return false
    }

    /// Sees to it that a connection which waits is looked at when it has been silent for long enough not to count.
    @inline(__always)
    mutating func watchForSilence(_ index: UInt32) {
        let due = Tick(present.count + Self.silenceTicks)
        if let deadline = timers.deadline(of: index), deadline <= due { return }
        timers.schedule(index, at: due)
    }

    /// An established connection whose timer fired.
    private mutating func review(_ index: UInt32) {
        let idleTimeout = listeners[Int(connections[index].listener)].idleTimeout
        var lastActive = connections[index].lastActive
        if now >= lastActive + idleTimeout {
            abort(index, as: .idleTimeout)
            return
        }
        if now >= lastActive + AnswerWait.silenceLimit { observe(.silence, index) }
        if connections[index].age != nil, reviewAge(index) { return }
        if connections[index].isLeaving, leaveOrWait(index) { return }
        lastActive = connections[index].lastActive
        watchPeers(index)
        let next = connections[index].wait.isResting ? idleTimeout : min(AnswerWait.silenceLimit, idleTimeout)
        var due = lastActive + next
        if reviewRoom(index) { due = min(due, now + limits.silentPeerTimeout / 2) }
        if connections[index].isLeaving { due = min(due, nextLook(index)) }
        if let birthday = nextBirthday(index) { due = min(due, birthday) }
        timers.schedule(index, at: Tick(notBefore: due))
    }

    // MARK: Peers without room

    /// Sees to it that a connection with a full sink is reviewed before its peer is taken for silent.
    mutating func watchBlocked(_ index: UInt32) {
        let due = Tick(notBefore: now + limits.silentPeerTimeout / 2)
        if let deadline = timers.deadline(of: index), deadline <= due { return }
        timers.schedule(index, at: due)
    }

    /// A reader may take its time. TCP_USER_TIMEOUT would end a peer whose window has been closed for that long,
    /// though it answers every probe (tcp(7)); so it is off while a sink is full, and the system's own patience
    /// with unanswered bytes holds.
    /// - Returns: whether some socket is to be looked at again.
    private mutating func reviewRoom(_ index: UInt32) -> Bool {
        var anyPatient = false
        for slot in [Slot.client(index), .server(index)] {
            let isBlocked = lanes[slot].flow.isBlocked
            let sink = halves[slot.other]
            if sink.isTCP, sink.isPatient != isBlocked {
                halves[slot.other].isPatient = isBlocked
                Kernel.setSilentPeerTimeout(sink.descriptor, isBlocked ? nil : limits.silentPeerTimeout)
            }
            anyPatient = anyPatient || isBlocked
        }
        return anyPatient
    }

    /// Makes the endpoint's socket fit for a long life. Most connections end before their first
    /// review, and are spared these four system calls; the client's socket inherited the same
    /// from its listener.
    private mutating func watchPeers(_ index: UInt32) {
        guard !connections[index].watchesPeers else { return }
        connections[index].watchesPeers = true
        let server = halves[.server(index)]
        if server.isTCP { Kernel.watchForSilentPeer(server.descriptor, timeout: limits.silentPeerTimeout) }
    }
}
