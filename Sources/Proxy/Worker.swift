// A worker: one thread, one epoll set, one slab of connections.
//
// It takes locks from nobody and nobody takes them from it. A turn of its loop
// waits for edges, reads the clock once, lets every connection with an edge move
// at most a budget of bytes, continues those that had more, and fires timers.
//
// It is a noncopyable struct that lives on its thread's stack, so that the
// compiler proves exclusive access where a class would check it for every field.

import Balancing
import Forwarding
import Reactor
import Stats
import TLS
import Upstreams
import Vocabulary

@safe
struct Worker: ~Copyable {
    /// Bytes a direction may copy in one turn before others get theirs.
    static let copyBudget = 256 << 10
    /// The same for spliced bytes, which cost less.
    static let spliceBudget = 1 << 20
    /// What a read asks for; a bulky stream that cannot be spliced gets the whole buffer.
    static let usualRead = 64 << 10
    static let bufferSize = 256 << 10
    /// How long accepting pauses when the machine has no descriptor or memory left.
    static let acceptPause = Duration.milliseconds(100)
    /// A listener that has not run short again for this long has recovered.
    static let acceptRecovery = Duration.seconds(10)
    /// How soon a connect that the machine was too short of resources for is tried again.
    static let deferredRetry = Duration.milliseconds(20)

    /// After so many full turns in a row everything is taken to have had its turn: a worker that never catches up still
    /// has time-outs. With 256 events each it is a quarter of a million, more than such a queue holds.
    static let fullTurnsInDoubt = 1024

    let desk: WorkerDesk
    /// What the control thread says of endpoints that connections are on.
    let board: EndpointBoard
    /// What it wants of listeners.
    let doors: DoorCommands
    let limits: ProxyLimits
    let cells: LoadCells
    /// Connections of each listener, of all workers together.
    let listenerCells: LoadCells

    let poller: Poller
    let connections: Reservation<Connection>
    let halves: Reservation<Half>
    let lanes: Reservation<Lane>
    /// The TLS of halves that speak it.
    let secured: Reservation<TLSPipe.Handle?>
    /// By load cell.
    let streaks: Reservation<FailureStreak>
    /// ``bufferSize`` bytes that every copy goes through.
    let buffer: UnsafeMutableRawPointer

    var indices: IndexPool
    var timers: TimerWheel
    var held: HeldBytes
    var pipes: PipePool
    /// By number; one that is closed stays for the connections that it took in.
    var listeners: [WorkerListener] = []
    /// By listener; apart from it, which is copied for every client.
    var sharedDoors: [SharedDoor?] = []
    /// By listener; nil for one that does not route by server name.
    var nameRoutes: [NameRoutes?] = []
    /// Of all, from zero.
    let number: Int
    var upstreams: UpstreamDesk
    var tls: TLSDesk
    /// Asks endpoints' own sidecars for their load; nil where this process is a member of nothing.
    let prober: Prober?
    var random: SeededRandom
    var records: RecordKeeping

    /// The time of this turn, read once.
    var now: Instant
    /// The same, in the timers' grain.
    var present: Tick
    /// Whatever a descriptor had to report by this time has been dealt with.
    var heardThrough: Instant
    /// As many events a wait tells of at once; here, as asking the poller is a call for each turn.
    let eventsPerTurn: Int
    /// How many turns in a row had as many events as one takes, so that others may have been left.
    var fullTurns = 0
    /// The number of this turn, from 1.
    var turn: UInt64 = 0
    var phase = Phase.serving
    /// Directions that have more to do than one turn allows.
    var queue: [Slot] = []
    var spareQueue: [Slot] = []
    /// Fates that are being carried out.
    var sweep: Sweep?
    /// The newest turn of a fate that has been.
    var sweptThrough: UInt64 = 0
    /// The newest turn of a fate that is known of.
    var heededTurn: UInt64 = 0
    var lastEpoch: UInt32 = 0
    /// What the pump at work has moved.
    var moved = Moved()
    /// Why the last connect failed that a pump found to have.
    var connectError = SystemError.connectionRefused
    /// What the call was told that found a socket failed; nil where the poller told of it first.
    var socketError: SystemError?
    /// When accepting resumes; nil unless it is paused.
    var acceptResumes: Instant?
    /// When the machine last ran short while accepting; nil once it has recovered.
    var lastShortage: Instant?

    init(
        number: Int, of workers: Int, desk: WorkerDesk, board: EndpointBoard, doors: DoorCommands,
        limits: ProxyLimits, cells: LoadCells, listenerCells: LoadCells, upstreams: consuming UpstreamDesk,
        tls: consuming TLSDesk, prober: Prober?, seed: UInt64
    ) throws(SystemError) {
        self.number = number
        self.desk = desk
        self.board = board
        self.doors = doors
        self.limits = limits
        self.cells = cells
        self.listenerCells = listenerCells
        self.upstreams = upstreams
        self.tls = tls
        self.prober = prober
        poller = try Poller(capacity: limits.eventsPerTurn)
        eventsPerTurn = Int(limits.eventsPerTurn)
        connections = Reservation(capacity: limits.connectionsPerWorker)
        halves = Reservation(capacity: 2 * limits.connectionsPerWorker)
        lanes = Reservation(capacity: 2 * limits.connectionsPerWorker)
        secured = Reservation(capacity: 2 * limits.connectionsPerWorker)
        streaks = Reservation(capacity: cells.capacity)
        indices = IndexPool(capacity: limits.connectionsPerWorker)
        timers = TimerWheel(capacity: 256)
        held = HeldBytes(capacity: limits.heldBlocksPerWorker)
        pipes = PipePool(
            limit: limits.pipesPerWorker(workers: workers), capacity: limits.pipeCapacity,
            descriptorCeiling: limits.descriptorCeiling)
        unsafe buffer = .allocate(byteCount: Self.bufferSize, alignment: 4096)
        random = SeededRandom(seed: seed)
        records = RecordKeeping(capacity: limits.connectionsPerWorker, seed: ~seed)
        now = Kernel.now()
        present = Tick(containing: now)
        heardThrough = now
        timers.advance(to: present)
        assert(Self.silenceTicks == UInt64(AnswerWait.silenceLimit.wholeNanoseconds / 1_000_000) + 1)
    }

    deinit { unsafe buffer.deallocate() }

    // MARK: - The loop

    /// Serves until it is told to end, or until it is told to drain and nothing is left.
    mutating func run() {
        poller.addLevel(of: desk.wake.descriptor, token: Token.wake)
        if let prober { poller.addLevel(of: prober.descriptor, token: Token.probes) }
        heed()
        // Asked for before the first wait too: an order to end may have come with the first look.
        while phase == .serving || !isDone() {
            let count = poller.wait(milliseconds: patience())
            hear(count)
            now = Kernel.now()
            present = Tick(containing: now)
            turn &+= 1
            for index in 0..<count {
                let (readiness, token) = poller.event(at: index)
                dispatch(token, readiness)
            }
            if !queue.isEmpty { runQueue() }
            if !tls.queue.isEmpty { takeSteps() }
            if sweep != nil { continueSweep() }
            if lastShortage != nil { endPauses() }
            fireTimers()
        }
        desk.hasEnded()
    }

    /// Takes note of how complete a wait was; ``now`` is still from before it.
    @inline(__always)
    private mutating func hear(_ count: Int) {
        if count < eventsPerTurn || fullTurns == Self.fullTurnsInDoubt {
            heardThrough = now
            fullTurns = 0
        } else {
            fullTurns += 1
        }
    }

    private mutating func dispatch(_ token: UInt64, _ readiness: Readiness) {
        let slot = Token.slot(token)
        if slot.number < Token.firstSpecial {
            // Otherwise the descriptor was closed earlier in this turn, and the slot is perhaps in use again.
            if halves[slot].epoch == Token.epoch(token) { handle(slot, readiness) }
        } else if token == Token.wake {
            heed()
        } else if token == Token.probes {
            hearAnswers()
        } else {
            accept(from: Int(Token.epoch(token)))
        }
    }

    /// Takes what the control thread has changed.
    private mutating func heed() {
        desk.wake.clear()
        // The turn and the listeners first: the set that is adopted then is at least the one that they came with.
        let turn = board.latestTurn
        let listeners = desk.takeListeners()
        upstreams.adoptLatest(random: &random)
        // Before any listener: of each, and of every upstream that is seen, it is known whether it speaks TLS.
        tls.adoptLatest()
        prober?.heedKeys()
        records.share = desk.records.share.load(ordering: .relaxed)
        if let listeners { adopt(listeners) }
        heedFates(through: turn)
        heedDoors()
        let wanted = desk.wanted.load(ordering: .acquiring)
        if wanted >= .draining, phase < .draining {
            phase = .draining
            stopAccepting()
            desk.hasStoppedAccepting.store(true, ordering: .releasing)
        }
        if wanted == .ending, phase < .ending {
            phase = .ending
            abortAll()
        }
    }

    private func isDone() -> Bool { indices.taken == 0 }

    private mutating func abortAll() {
        for index in 0..<indices.highWater where connections[index].stage != .none { abort(index, as: .shutdown) }
    }

    /// Continues the directions that had used up their share.
    private mutating func runQueue() {
        swap(&queue, &spareQueue)
        for slot in spareQueue where lanes[slot].isQueued {
            lanes[slot].isQueued = false
            _ = advance(slot)
        }
        spareQueue.removeAll(keepingCapacity: true)
    }

    /// How long the next wait may last, in milliseconds; negative is for ever.
    private mutating func patience() -> Int32 {
        if !queue.isEmpty || sweep != nil { return 0 }
        var wait = Int64.max
        if let wakeUp = timers.nextWakeUp { wait = Int64(wakeUp.count) - Int64(present.count) }
        if !tls.queue.isEmpty { wait = min(wait, handshakePatience()) }
        if lastShortage != nil, let pauseEnds = acceptResumes ?? lastShortage.map({ $0 + Self.acceptRecovery }) {
            wait = min(wait, (pauseEnds - now).wholeNanoseconds / 1_000_000 + 1)
        }
        return wait == .max ? -1 : Int32(clamping: max(0, wait))
    }

    // MARK: - Small tools

    /// A slot for one more connection, with room for its timer; nil where there are as many as the worker may have.
    mutating func takeIndex() -> UInt32? {
        guard let index = indices.take() else { return nil }
        if index >= timers.capacity { timers.reserve(capacity: min(indices.capacity, 2 * timers.capacity)) }
        return index
    }

    mutating func newEpoch() -> UInt32 {
        lastEpoch = lastEpoch == .max ? 1 : lastEpoch + 1
        return lastEpoch
    }

    mutating func count(_ column: ListenerColumn, _ amount: Int = 1, listener: UInt32) {
        desk.listeners.add(UInt64(bitPattern: Int64(amount)), row: Int(listener), column: column.rawValue)
    }

    mutating func count(_ column: EndpointColumn, _ amount: Int = 1, cell: UInt32) {
        desk.endpoints.add(UInt64(amount), row: Int(cell), column: column.rawValue)
    }

    mutating func tell(_ kind: Notice.Kind, about index: UInt32, _ error: SystemError? = nil, streak: UInt32 = 0) {
        let connection = connections[index]
        desk.tell(
            Notice(
                kind: kind, listener: connection.listener, upstream: connection.upstream, cell: connection.cell,
                detail: error?.code ?? 0, streak: streak, tenancy: board.tenancy(of: connection.cell)))
    }
}

/// What epoll hands back: which socket, and which descriptor that was.
enum Token {
    static let firstSpecial: UInt32 = 0xFFFF_FFFE
    static let wake = UInt64.max
    static let probes = UInt64.max - 1

    static func socket(_ slot: Slot, epoch: UInt32) -> UInt64 { UInt64(slot.number) << 32 | UInt64(epoch) }
    static func listener(_ number: Int) -> UInt64 { UInt64(firstSpecial) << 32 | UInt64(number) }

    static func slot(_ token: UInt64) -> Slot { Slot(number: UInt32(truncatingIfNeeded: token >> 32)) }
    static func epoch(_ token: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: token) }
}
