// One member of a fleet: SWIM with Lifeguard, as HashiCorp's memberlist speaks it.
//
// A value without socket, clock, thread or entropy. Messages, answers, time and commands go in; datagrams, streams and
// events come out through `Effects`; `nextWake` says when time itself is wanted. A driver over real sockets and the
// simulator use it alike.
//
//     Membership            the parts, and who calls whom
//     +Claims               what a claim about somebody changes; refuting those about ourselves
//     +Probing              whether a member answers: direct, indirect, by stream
//     +Relaying             pinging for others
//     +Suspecting           how long a suspect has, who accused it, and what is remembered of that
//     +Dissemination        gossip and what rides along with other datagrams
//     +AntiEntropy          push-pull, joining, comparing views, contact with the dead and with seeds
//     +Stalls               noticing that we ourselves did not run
//
// Each part keeps its state in a struct of its own beside its functions; they share the table, the random numbers and the
// effects. Not taken: parts that call each other through protocols; every claim touches nearly all of them.

package import Vocabulary

package struct Membership {
    let options: GossipOptions
    let pace: Pace
    /// Shared with the codec and, in a simulated world, with all other members.
    let directory: Directory
    /// Who we are.
    package let id: MemberID
    var random: SeededRandom

    var table = MemberTable()
    var health: LocalHealth
    var prober = Prober()
    var relays = Relays()
    var suspicions = Suspicions()
    var gossip: Dissemination
    var exchange = AntiEntropy()
    /// The time last heard of; it never falls.
    var clock = Instant(nanoseconds: .min)
    var isRunning = false
    var isLeaving = false
    var isLeaveReported = false
    /// When somebody last showed that it hears us and is heard: by an answer to a ping of ours or to a request for
    /// help, or by an exchange. Nil: nobody ever did. What only comes in shows nothing: a broken way out looks like that.
    package internal(set) var lastContact: Instant?
    /// What acks to direct pings bear; the application's.
    package var ackPayload: [UInt8] = []
    /// What push-pulls bear; the application's.
    package var userState: [UInt8] = []
    /// Members that the application counts, which says how often its messages are told; nil for those listed.
    package var audience: Int?

    /// A member that knows only itself, and is silent until ``start(at:into:)``.
    /// - Parameter random: ours alone; two members with one seed would probe alike.
    /// - Precondition: every interval of the options is above zero.
    package init(
        name: MemberID, record: MemberRecord, options: GossipOptions, directory: Directory, random: SeededRandom
    ) {
        precondition(
            options.probeInterval > .zero && options.gossipInterval > .zero && options.pushPullInterval > .zero
                && options.contactInterval > .zero, "a period of nothing would never end")
        id = name
        self.options = options
        pace = Pace(options)
        self.directory = directory
        self.random = random
        health = LocalHealth(maximum: options.awarenessMaximum)
        gossip = Dissemination(directory: directory)
        directory.hold(name)
        let row = MemberTable.Row(record: record, since: clock, incarnation: 1, state: .alive)
        table.append(name, row, digest: directory.digest(of: name))
    }
}

// MARK: - Commands

extension Membership {
    /// Knows these from the start, as though it had merged them long ago. For a simulated world's warm start: nothing is
    /// told to anybody. What is claimed of ourselves is passed over.
    /// - Precondition: not started; no name twice; no suspects, whose time nobody would count.
    package mutating func preload(_ claims: [MemberClaim], at now: Instant) {
        precondition(!isRunning, "a running member learns from others")
        precondition(claims.allSatisfy { $0.state != .suspect }, "a suspicion without an end")
        table.reserve(directory.bound)
        for claim in claims where claim.node != id {
            directory.hold(claim.node)
            let row = MemberTable.Row(
                record: claim.record, since: now, incarnation: claim.incarnation, state: claim.state)
            table.append(claim.node, row, digest: directory.digest(of: claim.node))
        }
        table.shuffle(random: &random)
    }

    /// Begins to probe, gossip and exchange, each at a random moment of its first interval.
    package mutating func start(at now: Instant, into effects: inout Effects) {
        precondition(!isRunning, "started twice")
        clock = now
        isRunning = true
        var row = table.row(of: id)
        row.since = now
        table.update(id, row, digest: directory.digest(of: id))
        prober.nextTick = now.advanced(by: random.below(pace.probeInterval))
        gossip.phase = now.advanced(by: random.below(pace.gossipInterval))
        exchange.nextPushPull = now.advanced(by: random.below(pace.pushPullInterval) + pushPullInterval)
        exchange.nextContact = now.advanced(by: random.below(pace.contactInterval) + pace.contactInterval / 2)
        announceOurselves(at: now)
    }

    /// Bears another record from now on, one incarnation higher; nothing changes any more once we are leaving. At the
    /// highest incarnation of all, where only a forged accusation can bring us, the others hear of it no more.
    package mutating func update(_ record: MemberRecord, at now: Instant, into effects: inout Effects) {
        tick(to: now, into: &effects)
        guard !isLeaving else { return }
        var row = table.row(of: id)
        row.record = record
        if row.incarnation < .max { row.incarnation += 1 }
        table.update(id, row, digest: directory.digest(of: id))
        noteChange(at: now)
        announceOurselves(at: now)
    }

    /// Says goodbye: the others will show us as left, and ``MembershipEvent/leaveSpread`` follows when that was told often
    /// enough. Nobody is probed or accused any more; pings are still answered.
    package mutating func leave(at now: Instant, into effects: inout Effects) {
        tick(to: now, into: &effects)
        guard !isLeaving else { return }
        isLeaving = true
        abandonProbe(into: &effects)
        let row = table.row(of: id)
        take(.dead(Accusation(node: id, incarnation: row.incarnation, from: id)), at: now, into: &effects)
        reportLeaveIfSpread(into: &effects)
    }

    /// Push-pulls with each of these at once; `seedJoined` or `seedFailed` tells of each.
    package mutating func join(_ seeds: [PeerAddress], at now: Instant, into effects: inout Effects) {
        tick(to: now, into: &effects)
        for seed in seeds { openPushPull(with: seed, isJoin: true, purpose: .seed(seed), at: now, into: &effects) }
    }
}

// MARK: - Input

extension Membership {
    /// Takes one message of a datagram that came from `sender`.
    package mutating func receive(
        _ message: Message, from sender: PeerAddress, at now: Instant, into effects: inout Effects
    ) {
        guard isRunning else { return }
        tick(to: now, into: &effects)
        switch message {
        case .ping(let ping): answer(ping, from: sender, at: now, into: &effects)
        case .indirectPing(let request): relay(request, from: sender, at: now, into: &effects)
        case .ack(let ack): take(ack, from: sender, at: now, into: &effects)
        case .nack(let sequence): if prober.takeNack(sequence) { lastContact = now }
        case .alive(let announcement): take(announcement, at: now, into: &effects)
        case .suspect(let accusation):
            correct(accusation, from: sender, into: &effects)
            suspect(accusation, evidence: .gossip, at: now, into: &effects)
        case .dead: take(message, at: now, into: &effects)
        case .user(let bytes): effects.events.append(.user(bytes, from: sender))
        case .viewChecksum(let checksum): compare(checksum, from: sender, at: now, into: &effects)
        }
    }

    /// Takes a request of an accepted stream, or the answer on one that we opened. `peer` is the stream's other end.
    package mutating func receive(
        _ message: StreamMessage, on stream: StreamID, from peer: PeerAddress, at now: Instant,
        into effects: inout Effects
    ) {
        guard isRunning else { return effects.streams.append(.close(stream)) }
        tick(to: now, into: &effects)
        switch stream.side {
        case .accepted: serve(message, on: stream, from: peer, at: now, into: &effects)
        case .opened: takeAnswer(message, on: stream, from: peer, at: now, into: &effects)
        }
    }

    /// A stream that we opened came to nothing: refused, timed out, or ended without the answer.
    package mutating func fail(_ stream: StreamID, at now: Instant, into effects: inout Effects) {
        tick(to: now, into: &effects)
        giveUp(stream, at: now, into: &effects)
    }

    /// The kernel refused a datagram of ours.
    ///
    /// A probe's ping that never went out says nothing about its target, so the probe ends without a verdict. One that was
    /// refused for the target's sake (unreachable, nobody listens) says as much as a time-out.
    /// - Parameter isOurs: whether the reason is on this machine: no buffers, no route of ours, too long.
    package mutating func failSending(
        to address: PeerAddress, isOurs: Bool, at now: Instant, into effects: inout Effects
    ) {
        guard isRunning else { return }
        tick(to: now, into: &effects)
        guard let probe = prober.probe, probe.help == nil, table[probe.target]?.record?.address == address else {
            return
        }
        if isOurs {
            abandonProbe(into: &effects)
        } else {
            askForHelp(with: probe, at: now, into: &effects)
        }
    }

    /// When ``wake(at:into:)`` wants to be called; may change with every call of a mutating method.
    package var nextWake: Instant {
        guard isRunning else { return Instant(nanoseconds: .max) }
        var next = relays.nextWake
        if let gossipTick = gossip.nextTick { next = min(next, gossipTick) }
        if isLeaving { return next }
        next = min(next, prober.nextWake)
        next = min(next, exchange.nextWake)
        if let deadline = suspicions.nextDeadline { next = min(next, deadline) }
        return next
    }

    /// Does what is due. Called early it does nothing; called late, it takes that for a stall of its own.
    package mutating func wake(at now: Instant, into effects: inout Effects) {
        guard isRunning else { return }
        tick(to: now, into: &effects)
        runRelays(at: now, into: &effects)
        if !isLeaving {
            runProbe(at: now, into: &effects)
            runSuspicions(at: now, into: &effects)
            runExchanges(at: now, into: &effects)
        }
        runGossip(at: now, into: &effects)
    }
}

// MARK: - Queries

extension Membership {
    /// A member as seen from here.
    package struct View: Sendable {
        package var id: MemberID
        package var state: MemberState
        package var incarnation: UInt32
        package var record: MemberRecord
        /// When it came into this state.
        package var since: Instant
    }

    /// Nil for a name that is not listed.
    package func view(of id: MemberID) -> View? {
        guard let row = table[id], let record = row.record else { return nil }
        return View(id: id, state: row.state, incarnation: row.incarnation, record: record, since: row.since)
    }

    /// What is claimed of a member here; nil for a name that is not listed. Cheaper than ``view(of:)``.
    package func claim(about id: MemberID) -> Claim? { table.claim(about: id) }

    /// Calls with every listed member, ourselves included, in no order that means anything.
    package func forEachMember(_ body: (View) -> Void) {
        for id in table.order {
            if let view = view(of: id) { body(view) }
        }
    }

    /// Whether what we last said of ourselves was not yet told as often as it should be.
    package var isTellingOfItself: Bool { gossip.queue.contains(about: id) }
    /// Whether our leave was told often enough.
    package var hasSaidGoodbye: Bool { isLeaveReported }
    /// Our own incarnation.
    package var incarnation: UInt32 { table.row(of: id).incarnation }
    /// Listed members, ourselves included, whatever their state; `n` of every formula.
    package var listed: Int { table.listed }
    /// Members alive or suspect, ourselves included.
    package var present: Int { table.present }
    /// Equal where the same members are present at the same incarnations, in every process and release.
    package var viewChecksum: UInt64 { table.checksum }
    /// Lifeguard's local health: 0 is well.
    package var healthScore: Int { health.score }
    /// Messages that wait to be told.
    package var queued: Int { gossip.queue.count }
    /// About how many bytes of memory are taken by what is known of others and waits to be told; names and records,
    /// which are shared, apart.
    package var stateBytes: Int {
        table.bytes + suspicions.bytes + gossip.queue.count * (MemoryLayout<Message>.stride + 32)
    }
}
