// A core of gossip over real sockets, on a thread that has other things to do as well.
//
//     loop ─ turn() ─► datagrams ─► streams ─► core.wake ─► effects ─► sockets
//
// The owner's loop watches one descriptor (a poller of the driver's own) and one moment (`nextWake`), and calls `turn()`
// for either. A turn does a bounded amount of work and never waits; what is left makes the descriptor readable again.
//
//     GossipDriver          the core, its clock, datagrams
//     +Streams              TCP: connecting, accepting, reading, deadlines
//     +Leaving              going away
//
// Datagrams come first in a turn: an ack that lies in the socket must be seen before the core is told that the time for
// it is over. Not taken: a thread of its own, which would save the loop this care and cost every snapshot a lock.

package import Gossip
package import GossipWire
package import Reactor
package import TLS
package import Vocabulary

/// What a driver's poller calls its sockets; streams have numbers beyond.
private enum Token {
    static let datagrams: UInt64 = 0
    static let listener: UInt64 = 1
}

/// One member on the network. For one thread at a time.
package final class GossipDriver<Core: GossipCore> {
    /// Datagrams of one turn.
    static var datagramsPerTurn: Int { 128 }
    /// Datagrams of one turn in which the core is due: more than a socket's buffer holds by default, so that nothing is
    /// held against others that lies here unread.
    static var datagramsBeforeWaking: Int { 1024 }

    /// What happens is told here, within ``turn()``; numbers of names are ``directory``'s, and good until it returns.
    package var heard: (Core.Work.Event) -> Void = { _ in }
    package let directory: Directory
    package private(set) var core: Core
    package internal(set) var counters = GossipCounters()
    package internal(set) var lastRefusal: GossipRefusal?
    /// Grows with everything that a snapshot of the members would show.
    package private(set) var revision: UInt64 = 0

    /// Where others reach us, unless another address is advertised.
    package let address: PeerAddress
    /// Nil when we have left: whoever asks then is refused, and sees it at once.
    private var sockets: GossipSockets?
    let listener: Int32
    private let datagrams: Int32
    let poller: Poller
    var codec: GossipCodec
    let streamTimeout: Duration
    private var effects = Core.Work()
    /// Empty, with the room of effects that were carried out.
    private var spare = Core.Work()
    /// What is read lands here: a datagram, or a piece of a stream.
    var buffer = [UInt8](repeating: 0, count: Kernel.longestDatagram + 1)
    var streams: [GossipStream] = []
    var lastAccepted: UInt32 = 0
    /// When clients are let in again, after descriptors ran out.
    var acceptsAgain: Instant?
    var budget: DatagramBudget
    /// When datagrams are read again, after too many came.
    private var readsAgain: Instant?
    var departure = Departure.staying

    /// - Parameters:
    ///   - core: not started yet; it names itself in `directory`.
    ///   - streamTimeout: how long a peer may take for its request and for reading our answer.
    package init(
        _ core: Core, on sockets: consuming GossipSockets, layers: Layers<AESGCM>, directory: Directory,
        streamTimeout: Duration
    ) throws(SystemError) {
        self.core = core
        self.directory = directory
        self.streamTimeout = streamTimeout
        codec = GossipCodec(layers: layers, directory: directory)
        poller = try Poller(capacity: 64)
        (address, listener, datagrams) = (sockets.address, sockets.listener, sockets.datagrams)
        self.sockets = consume sockets
        budget = DatagramBudget(at: Kernel.now())
        try poller.addLevel(of: datagrams, token: Token.datagrams).get()
        try watchListener().get()
    }

    func watchListener() -> Outcome { poller.addLevel(of: listener, token: Token.listener) }

    /// Readable when ``turn()`` has something to do.
    package var descriptor: Int32 { poller.descriptor }

    /// When ``turn()`` wants to be called though nothing is readable.
    package var nextWake: Instant {
        guard !departure.isOver else { return Instant(nanoseconds: .max) }
        var next = min(core.nextWake, nextDeadline)
        if let departs = departure.nextStep { next = min(next, departs) }
        if let readsAgain { next = min(next, readsAgain) }
        if let acceptsAgain { next = min(next, acceptsAgain) }
        return next
    }

    // MARK: Commands

    /// Begins, and contacts every seed; that they are contacted again and again is the core's business.
    package func start(joining seeds: [PeerAddress]) {
        let now = time()
        core.start(at: now, into: &effects)
        if !seeds.isEmpty { core.join(seeds, at: now, into: &effects) }
        carryOut()
    }

    /// Hands the core a command; nothing happens once we have left.
    package func command(_ body: (inout Core, Instant, inout Core.Work) -> Void) {
        guard !departure.isOver else { return }
        let now = time()
        body(&core, now, &effects)
        revision += 1
        carryOut()
    }

    /// Sends what is no business of the core's, sealed as everything is; nothing happens once we have left.
    package func send(_ datagrams: [Datagram]) {
        guard !departure.isOver, !datagrams.isEmpty else { return }
        for datagram in datagrams { send(datagram) }
        carryOut()
    }

    /// Encrypts with the first key of this ring from now on, and opens with all of them.
    package func adopt(_ keyring: Keyring<AESGCM>) { codec.layers.keyring = keyring }

    /// Does what there is to do; never waits.
    package func turn() {
        guard !departure.isOver else { return }
        let isDue = core.nextWake <= time()
        readDatagrams(atMost: isDue ? Self.datagramsBeforeWaking : Self.datagramsPerTurn)
        let count = poller.wait(milliseconds: 0)
        for index in 0..<count { handle(poller.event(at: index)) }
        expireStreams(at: time())
        resumeAccepting(at: time())
        // Not the moment of before: the core has heard later ones, of streams that came to nothing.
        let now = time()
        if core.nextWake <= now {
            core.wake(at: now, into: &effects)
            carryOut()
        }
        proceedLeaving(at: time())
        // No message is in hand: streams hold bytes.
        directory.sweep()
    }

    private func handle(_ event: (readiness: Readiness, token: UInt64)) {
        switch event.token {
        case Token.datagrams: break
        case Token.listener: acceptStreams()
        default: advanceStream(event.token)
        }
    }

    /// Read for each thing that the core is told, so that it never hears of an earlier time than before.
    func time() -> Instant { Kernel.now() }

    /// Ends everything; the core hears of nothing any more.
    func close() {
        departure = .over
        streams.removeAll()
        sockets = nil
    }

    // MARK: Datagrams

    private func readDatagrams(atMost wanted: Int) {
        let now = time()
        if let moment = readsAgain {
            guard moment <= now else { return }
            readsAgain = nil
            poller.changeLevel(of: datagrams, token: Token.datagrams, for: .readable)
        }
        let granted = budget.grant(upTo: wanted, at: now)
        let read = readDatagrams(granted)
        budget.giveBack(granted - read)
        if granted < wanted, read == granted { pauseReading(at: now) }
    }

    /// There is more, and no budget for it: the socket would be readable all the time.
    private func pauseReading(at now: Instant) {
        readsAgain = now + DatagramBudget.pause
        poller.changeLevel(of: datagrams, token: Token.datagrams, for: [])
        counters.pausesOfReading += 1
    }

    /// - Returns: how many were read: fewer than asked for where there are no more.
    private func readDatagrams(_ limit: Int) -> Int {
        var buffer: [UInt8] = []
        swap(&buffer, &self.buffer)
        defer { swap(&buffer, &self.buffer) }
        for count in 0..<limit {
            let (length, sender) = unsafe buffer.withUnsafeMutableBytes {
                unsafe Kernel.receiveDatagram(datagrams, into: $0)
            }
            guard length.succeeded else { return count }
            guard let sender, let peer = PeerAddress(sender) else { continue }
            take(buffer.span.extracting(..<length.count), from: peer)
        }
        return limit
    }

    private func take(_ datagram: Span<UInt8>, from sender: PeerAddress) {
        let now = time()
        counters.receivedDatagrams += 1
        counters.receivedBytes += UInt64(datagram.count)
        do throws(LayerFault) {
            let report = try codec.read(datagram) { core.receive($0, from: sender, at: now, into: &effects) }
            if let fault = report.fault {
                counters.refusedMessages += UInt64(report.refused)
                lastRefusal = GossipRefusal(sender: sender, fault: .message(fault))
            }
        } catch {
            counters.refusedDatagrams += 1
            // Empty ones are port scans.
            if error != .empty { lastRefusal = GossipRefusal(sender: sender, fault: .layer(error)) }
        }
        carryOut()
        // What strangers named goes before the next is read.
        directory.sweep()
    }

    private func send(_ datagram: Datagram) {
        let known = datagram.recipient.flatMap { core.fleet.view(of: $0)?.record.versions }
        do throws(LayerFault) {
            try codec.write(datagram.messages, withChecksum: known?.understandsChecksum ?? false)
        } catch {
            return failSending(to: datagram.to, isOurs: true)
        }
        let address = datagram.to.socketAddress.kernelForm
        let packet = codec.packet
        let outcome = unsafe packet.withUnsafeBytes { bytes in
            unsafe address.withUnsafeBytes { unsafe Kernel.sendDatagram(datagrams, bytes, to: $0) }
        }
        if let error = outcome.error {
            failSending(to: datagram.to, isOurs: !error.isOfTarget)
        } else {
            counters.sentDatagrams += 1
            counters.sentBytes += UInt64(packet.count)
        }
    }

    private func failSending(to address: PeerAddress, isOurs: Bool) {
        counters.unsentDatagrams += 1
        core.failSending(to: address, isOurs: isOurs, at: time(), into: &effects)
    }

    // MARK: Effects

    /// Hands the core what came of a stream.
    func tellCore(_ body: (inout Core, Instant, inout Core.Work) -> Void) {
        body(&core, time(), &effects)
        carryOut()
    }

    /// Does what the core wants done, and what it wants for that.
    ///
    /// Ends: what a failure asks for is a fixed number of datagrams, whose own failures ask for nothing.
    private func carryOut() {
        while !effects.isEmpty {
            var work = Core.Work()
            swap(&work, &spare)
            swap(&work, &effects)
            for datagram in work.gossip.datagrams { send(datagram) }
            for stream in work.gossip.streams { carryOut(stream) }
            for event in work.told {
                if event.changesMembers { revision += 1 }
                heard(event)
            }
            work.removeAll()
            swap(&work, &spare)
        }
    }

    private func carryOut(_ effect: StreamEffect) {
        switch effect {
        case .open(let id, let peer, let request, let isAnswered, let deadline):
            let isOpen = openStream(id, to: peer, request, isAnswered: isAnswered, until: deadline)
            if !isOpen {
                counters.failedStreams += 1
                core.fail(id, at: time(), into: &effects)
            }
        case .answer(let id, let message):
            answerStream(id, with: message)
        case .close(let id):
            closeStream(id)
        }
    }
}

extension SystemError {
    /// Whether a refused datagram says something of who should have had it, and nothing of this machine.
    ///
    /// Only what was learned of the target counts: that nobody listens there, or that no neighbour knows it. No route, no
    /// buffer, a full queue, a filter and a datagram too long are ours.
    var isOfTarget: Bool { self == .connectionRefused || self == .unreachable }
}
