// Taking clients in: budgets, limits, shortage, and leaving without losing any.

import CEpoll
import Forwarding
import Reactor
import Routing
import Upstreams
import Vocabulary

/// What a worker keeps of a listener.
struct WorkerListener {
    /// How many clients a listener may hand over in one turn at most.
    static let largestBurst = 64

    /// Meaningful while it is open.
    let descriptor: Int32
    /// Other workers accept from the same descriptor, which therefore is not this one's to close.
    let isShared: Bool
    let isTCP: Bool
    /// Whose it is among all that have had its number; zero for nobody's.
    let tenancy: UInt64

    // What follows may be another's with each config.

    /// It stands before a local instance.
    private(set) var isInbound = false
    private(set) var upstream: UInt32 = 0
    private(set) var limits = PlacementLimits(connections: 0, outstanding: 0)
    private(set) var idleTimeout = Duration.zero
    /// What is read ahead whatever its upstream wants to know.
    private(set) var preface = Preface.none
    private(set) var readsAhead = false
    private(set) var sendProxyProtocol: ProxyProtocolVersion?

    /// How many clients the next turn accepts. It grows while turn after turn leaves some waiting and falls to what
    /// there was, so that the accept that finds nobody, a wasted system call, stays rare.
    var burst = 1
    /// The last turn that accepted as many as it was allowed.
    var lastFullTurn: UInt64 = 0
    var isOpen: Bool
    /// The local instance refuses: nobody is taken in until the control thread says so.
    var isStopped = false
    /// What the control thread has wanted and got; see ``DoorCommands``.
    var heeded: UInt64 = 0

    /// A number without a listener.
    static let none = WorkerListener()

    private init() {
        (descriptor, isShared, isTCP, tenancy, isOpen) = (-1, false, false, 0, false)
    }

    init(_ place: ListenerPlace, _ sockets: ListenerSockets, worker: Int, _ proxyLimits: ProxyLimits) {
        isShared = sockets.sharedDoor != nil
        descriptor = sockets.descriptors[isShared ? 0 : worker]
        isTCP = sockets.isTCP
        tenancy = place.tenancy
        isOpen = true
        heeded = place.command
        take(place, proxyLimits)
    }

    /// Does with clients as the config says from now on.
    mutating func take(_ place: ListenerPlace, _ proxyLimits: ProxyLimits) {
        isInbound = place.options.target.isInbound
        upstream = place.upstream
        let connections = place.options.maxConnections ?? proxyLimits.defaultMaxConnections
        limits = PlacementLimits(connections: UInt32(clamping: connections), outstanding: .max)
        idleTimeout = place.options.idleTimeout
        preface = place.options.preface
        readsAhead = preface != .none
        sendProxyProtocol = place.options.sendProxyProtocol
    }
}

extension Worker {
    /// Opens, changes and closes listeners as the config now has them; connections are as they were.
    mutating func adopt(_ set: ListenerSet) {
        for (number, place) in set.places.enumerated() {
            if number == listeners.count {
                listeners.append(.none)
                sharedDoors.append(nil)
                nameRoutes.append(nil)
            }
            guard let place else { continue }
            nameRoutes[number] = place.routes
            if place.tenancy != listeners[number].tenancy {
                // Where one is closed before this worker has seen it, there is no set between: see ListenerTable.
                guard let sockets = place.sockets else { continue }
                listeners[number] = WorkerListener(place, sockets, worker: self.number, limits)
                sharedDoors[number] = sockets.sharedDoor
                if acceptResumes == nil { addToPoller(listener: number) }
            } else if place.sockets == nil {
                closeDoor(number)
            } else {
                listeners[number].take(place, limits)
            }
        }
        // One that drains has no doors.
        if phase > .serving { stopAccepting() }
        desk.hasAdopted(set)
    }

    mutating func addToPoller(listener number: Int) {
        let listener = listeners[number]
        guard listener.isOpen, listener.isShared || !listener.isStopped else { return }
        poller.addLevel(of: listener.descriptor, token: Token.listener(number), exclusive: listener.isShared)
    }

    /// Accepts what a turn allows; the poller reports again if more wait.
    mutating func accept(from number: Int) {
        guard listeners[number].isOpen, acceptResumes == nil else { return }
        if listeners[number].lastFullTurn == turn - 1, turn > 1 {
            listeners[number].burst = min(listeners[number].burst * 2, WorkerListener.largestBurst)
        }
        let burst = listeners[number].burst
        for accepted in 0..<burst {
            guard acceptOne(from: number), acceptResumes == nil else {
                listeners[number].burst = max(1, accepted)
                return
            }
        }
        listeners[number].lastFullTurn = turn
    }

    /// - Returns: false when nobody waits, or nobody can be taken in now.
    private mutating func acceptOne(from number: Int) -> Bool {
        let outcome = Kernel.accept(listeners[number].descriptor)
        if outcome.succeeded {
            takeIn(outcome.value, listener: number)
            guard outcome.value >= limits.descriptorCeiling else { return true }
            pauseAccepting(because: .tooManyOpenFiles, listener: number)
            return false
        }
        guard !outcome.wouldBlock, let error = outcome.error else { return false }
        if error.isExhaustion {
            pauseAccepting(because: error, listener: number)
            return false
        }
        // Of accept's other errors each concerns the one client that is already gone (accept(2)).
        return error.code != EBADF && error.code != EINVAL && error.code != ENOTSOCK
    }

    private mutating func takeIn(_ descriptor: Int32, listener number: Int) {
        let listener = listeners[number]
        count(.connectionsTotal, listener: UInt32(number))
        if listener.isStopped {
            if records.isOn { recordRefusal(of: descriptor, listener: number, as: .turnedAway) }
            Kernel.abort(descriptor)
            count(.refusedTotal, listener: UInt32(number))
            return
        }
        guard listenerCells.place(UInt32(number), within: listener.limits) else {
            refuse(descriptor, .listenerFull, listener: number)
            return
        }
        guard let index = takeIndex() else {
            listenerCells.unplace(UInt32(number), waiting: true)
            refuse(descriptor, .listenerFull, listener: number)
            return
        }
        count(.connections, listener: UInt32(number))
        connections[index] = Connection()
        connections[index].listener = UInt32(number)
        connections[index].upstream = listener.upstream
        connections[index].began = now
        connections[index].lastActive = now
        // A slot's memory is zeroes at first, or what the connection before left there.
        halves[.client(index)] = Half(descriptor: descriptor, epoch: newEpoch(), isTCP: listener.isTCP)
        halves[.server(index)] = Half()
        lanes[.client(index)] = Lane(flow: Flow(shortReadMeansEmpty: listener.isTCP, canSplice: true))
        lanes[.server(index)] = Lane()
        if records.isOn { beginRecord(index) }
        if listener.preface.takesProxyHeader {
            beginPreface(index)
        } else if tls.rows.speaks(listener: number) {
            beginHandshake(index)
        } else if listener.readsAhead || upstreams.isPeekedFor(Int(listener.upstream)) {
            beginPreface(index)
        } else {
            beginForwarding(index)
        }
    }

    /// Closes a client that never became a connection.
    private mutating func refuse(_ descriptor: Int32, _ kind: Notice.Kind, listener number: Int) {
        if records.isOn { recordRefusal(of: descriptor, listener: number, as: .listenerFull) }
        Kernel.abort(descriptor)
        count(.refusedTotal, listener: UInt32(number))
        desk.tell(
            Notice(kind: kind, listener: UInt32(number), upstream: listeners[number].upstream, cell: 0, detail: 0))
    }

    // MARK: Shortage

    /// Stops listening until a moment without shortage has passed. The clients stay in the kernel's queue, and
    /// nothing spins.
    mutating func pauseAccepting(because error: SystemError, listener number: Int) {
        let (isNew, isPaused) = (lastShortage == nil, acceptResumes != nil)
        lastShortage = now
        acceptResumes = now + Self.acceptPause
        if !isPaused {
            desk.acceptIsPaused.store(true, ordering: .relaxed)
            for listener in listeners where listener.isOpen { poller.remove(listener.descriptor) }
        }
        // Told last: whoever reads the notice finds the gauge set.
        guard isNew else { return }
        desk.tell(
            Notice(
                kind: .acceptPaused, listener: UInt32(number), upstream: listeners[number].upstream, cell: 0,
                detail: error.code))
    }

    /// Listens again when the pause is over, and says so once the shortage has not come back for a while.
    mutating func endPauses() {
        if let resumes = acceptResumes, now >= resumes {
            guard Kernel.lowestFreeDescriptor() < limits.descriptorCeiling else {
                lastShortage = now
                acceptResumes = now + Self.acceptPause
                return
            }
            acceptResumes = nil
            for number in listeners.indices { addToPoller(listener: number) }
        }
        if let shortage = lastShortage, acceptResumes == nil, now >= shortage + Self.acceptRecovery {
            lastShortage = nil
            desk.acceptIsPaused.store(false, ordering: .relaxed)
            desk.tell(Notice(kind: .acceptResumed, listener: 0, upstream: 0, cell: 0, detail: 0))
        }
    }

    // MARK: Stopping for a while

    /// The local instance does not take connections: callers are to see the same here, and try elsewhere.
    mutating func instanceRefused(_ error: SystemError, listener number: Int) {
        guard stopAccepting(from: number) else { return }
        desk.tell(
            Notice(
                kind: .instanceRefused, listener: UInt32(number), upstream: listeners[number].upstream, cell: 0,
                detail: error.code))
    }

    /// Does what the control thread has come to want of listeners.
    mutating func heedDoors() {
        for number in listeners.indices {
            let command = doors.command(to: number)
            guard command != listeners[number].heeded else { continue }
            listeners[number].heeded = command
            switch DoorCommands.order(in: command) {
            case .accept: resumeAccepting(from: number)
            case .refuse: _ = stopAccepting(from: number)
            case .close:
                takeInWaiting(number)
                _ = stopAccepting(from: number)
            }
        }
    }

    /// Takes in who has connected already.
    private mutating func takeInWaiting(_ number: Int) {
        guard listeners[number].isOpen, !listeners[number].isStopped else { return }
        var left = 1 << 16
        while left > 0, acceptOne(from: number) { left -= 1 }
    }

    /// Turns callers away: a socket of this worker's own refuses their connects, and resets those in its queue.
    ///
    /// A shared socket goes on accepting and closes each caller at once, by a reset where there is one: it may be
    /// another process's too, and a unix socket that was shut down can never accept again.
    /// - Returns: false where nobody was accepted before.
    private mutating func stopAccepting(from number: Int) -> Bool {
        let listener = listeners[number]
        guard listener.isOpen, !listener.isStopped else { return false }
        listeners[number].isStopped = true
        count(.stopped, listener: UInt32(number))
        guard !listener.isShared else { return true }
        // One that is shut reports a hang-up for ever.
        if acceptResumes == nil { poller.remove(listener.descriptor) }
        Kernel.stopListening(listener.descriptor)
        return true
    }

    private mutating func resumeAccepting(from number: Int) {
        let listener = listeners[number]
        guard listener.isOpen, listener.isStopped else { return }
        if !listener.isShared {
            do throws(SystemError) {
                try Kernel.listenAgain(listener.descriptor)
            } catch {
                desk.tell(
                    Notice(
                        kind: .listenFailed, listener: UInt32(number), upstream: listener.upstream, cell: 0,
                        detail: error.code))
                return
            }
        }
        listeners[number].isStopped = false
        count(.stopped, -1, listener: UInt32(number))
        if !listener.isShared, acceptResumes == nil { addToPoller(listener: number) }
    }

    // MARK: Leaving

    /// Takes in everybody who has already connected, then closes the door.
    ///
    /// Who completes a handshake between the last accept and the close is reset by the kernel;
    /// that window is a few microseconds and Linux offers no way to shut it.
    mutating func stopAccepting() {
        for number in listeners.indices { closeDoor(number) }
        acceptResumes = nil
        lastShortage = nil
        desk.acceptIsPaused.store(false, ordering: .relaxed)
    }

    /// The same for one listener, for good.
    private mutating func closeDoor(_ number: Int) {
        guard listeners[number].isOpen else { return }
        takeInWaiting(number)
        if acceptResumes == nil { poller.remove(listeners[number].descriptor) }
        if let door = sharedDoors[number] { door.leave() } else { Kernel.close(listeners[number].descriptor) }
        sharedDoors[number] = nil
        if listeners[number].isStopped { count(.stopped, -1, listener: UInt32(number)) }
        listeners[number].isStopped = false
        listeners[number].isOpen = false
    }
}
