// How views become equal in the end, whatever gossip lost (Demers et al. 1987 §1.3, memberlist-behaviour §9).
//
// Two members tell each other all they know over a stream: now and then at random, to join, with those believed dead and
// with seeds, for ever, so that every split heals; and, between remoras, soon after the checksums in their pings differ.

import Vocabulary

/// Streams that we opened, and when to open the next.
struct AntiEntropy: Sendable {
    enum Purpose: Hashable, Sendable {
        case routine
        /// Asked for by ``Membership/join(_:at:into:)``.
        case seed(PeerAddress)
        case probe
    }

    /// A member that was dead so long that it is no longer listed.
    struct Lost: Sendable {
        let member: MemberID
        let address: PeerAddress
        let since: Instant
    }

    var nextPushPull = Instant.distantFuture
    var nextContact = Instant.distantFuture
    /// When our view last changed.
    var lastChange = Instant.distantPast
    /// Before this no exchange is begun because checksums differ.
    var nextComparison = Instant.distantPast
    /// Grows from exchange to exchange while our view stays as it is.
    var comparisonPause: Int64 = 0
    /// Grows while we know seeds and nobody else.
    var lonelyPause: Int64 = 0
    private(set) var lost: [Lost] = []
    private var lastNumber: UInt32 = 0
    private var open: [(stream: StreamID, purpose: Purpose)] = []

    /// The longest gone are dropped beyond this.
    static let lostLimit = 4096

    var nextWake: Instant { min(nextPushPull, nextContact) }

    mutating func open(_ purpose: Purpose) -> StreamID {
        lastNumber &+= 1
        let stream = StreamID(side: .opened, number: lastNumber)
        open.append((stream, purpose))
        return stream
    }

    /// What the stream was for; nil if it is not open, or no longer.
    mutating func close(_ stream: StreamID) -> Purpose? {
        guard let index = open.firstIndex(where: { $0.stream == stream }) else { return nil }
        return open.remove(at: index).purpose
    }

    var openStreams: Int { open.count }

    /// Remembers where a dead member was; takes over the hold on its name.
    mutating func remember(_ member: Lost, in directory: Directory) {
        lost.append(member)
        if lost.count > AntiEntropy.lostLimit { directory.release(lost.removeFirst().member) }
    }

    /// A lost member is back.
    mutating func forgetLost(_ member: MemberID, in directory: Directory) {
        guard let index = lost.firstIndex(where: { $0.member == member }) else { return }
        directory.release(lost.remove(at: index).member)
    }

    mutating func forgetLost(before moment: Instant, in directory: Directory) {
        while let first = lost.first, first.since < moment { directory.release(lost.removeFirst().member) }
    }
}

extension Membership {
    /// More streams at once are not opened by routine; a join or a probe opens its own.
    private static let openLimit = 16

    /// Who is alone tries its seeds after about this, then ever more rarely, down to the usual contact.
    private static let shortestLonelyPause: Int64 = 500_000_000

    /// From one push-pull to the next at the present size.
    var pushPullInterval: Int64 {
        FleetSize(table.listed).pushPullInterval(options.pushPullInterval).wholeNanoseconds
    }

    mutating func runExchanges(at now: Instant, into effects: inout Effects) {
        if exchange.nextPushPull <= now {
            exchange.nextPushPull = exchange.nextPushPull.next(every: pushPullInterval, after: now)
            if let partner = randomPartner() {
                openPushPull(with: partner, isJoin: false, purpose: .routine, at: now, into: &effects)
            }
        }
        if exchange.nextContact <= now {
            scheduleContact(at: now)
            contactTheDead(at: now, into: &effects)
            contactSeeds(at: now, into: &effects)
        }
    }

    private mutating func randomPartner() -> PeerAddress? {
        var chosen: [MemberID] = []
        let own = id
        table.choose(1, random: &random, into: &chosen) { candidate, row in row.state == .alive && candidate != own }
        return chosen.first.flatMap { table.row(of: $0).record?.address }
    }

    mutating func openPushPull(
        with address: PeerAddress, isJoin: Bool, purpose: AntiEntropy.Purpose, at now: Instant,
        into effects: inout Effects
    ) {
        if purpose == .routine, exchange.openStreams >= Membership.openLimit { return }
        effects.streams.append(
            .open(
                exchange.open(purpose), to: address, request: .pushPull(wholeView(isJoin: isJoin)), isAnswered: true,
                deadline: now.advanced(by: pace.streamTimeout)))
    }

    /// Everything we know, ourselves included.
    private func wholeView(isJoin: Bool) -> PushPull {
        var members: [MemberClaim] = []
        members.reserveCapacity(table.listed)
        for id in table.order {
            let row = table.row(of: id)
            guard let record = row.record else { continue }
            members.append(MemberClaim(node: id, incarnation: row.incarnation, state: row.state, record: record))
        }
        return PushPull(isJoin: isJoin, members: members, userState: userState)
    }

    // MARK: Answers and requests

    /// Serves a stream that somebody opened to us.
    mutating func serve(
        _ message: StreamMessage, on stream: StreamID, from peer: PeerAddress, at now: Instant,
        into effects: inout Effects
    ) {
        switch message {
        case .pushPull(let theirs):
            // Merged before it is answered, unlike in the reference: an answer that refutes what they believe of
            // us heals a split in one exchange instead of two. A refused one is answered all the same.
            lastContact = now
            _ = merge(theirs, from: peer, at: now, into: &effects)
            effects.streams.append(.answer(stream, .pushPull(wholeView(isJoin: theirs.isJoin))))
        case .ping(let ping) where ping.node == nil || ping.node == id:
            effects.streams.append(.answer(stream, .ack(Ack(sequence: ping.sequence))))
        case .user(let bytes):
            if !bytes.isEmpty { effects.events.append(.user(bytes, from: peer)) }
            effects.streams.append(.close(stream))
        case .ping, .ack, .error:
            effects.streams.append(.close(stream))
        }
    }

    mutating func takeAnswer(
        _ message: StreamMessage, on stream: StreamID, from peer: PeerAddress, at now: Instant,
        into effects: inout Effects
    ) {
        switch message {
        case .pushPull(let theirs):
            guard let purpose = exchange.close(stream) else { return }
            lastContact = now
            let isMerged = merge(theirs, from: peer, at: now, into: &effects)
            guard case .seed(let address) = purpose else { return }
            if isMerged {
                effects.events.append(.seedJoined(address))
            } else {
                failJoining(address, at: now, into: &effects)
            }
        case .ack(let ack):
            takeStreamAck(ack, on: stream, at: now)
            // To a probe that was the answer; to a push-pull it is none.
            giveUp(stream, at: now, into: &effects)
        case .ping, .user, .error:
            giveUp(stream, at: now, into: &effects)
        }
    }

    mutating func giveUp(_ stream: StreamID, at now: Instant, into effects: inout Effects) {
        if case .seed(let address) = exchange.close(stream) { failJoining(address, at: now, into: &effects) }
    }

    private mutating func failJoining(_ seed: PeerAddress, at now: Instant, into effects: inout Effects) {
        effects.events.append(.seedFailed(seed))
        if isAlone, exchange.lonelyPause == 0 { scheduleContact(at: now) }
    }

    // MARK: Merging

    /// Takes over what a peer knows that we do not.
    ///
    /// A death in somebody's view is taken for a suspicion, by ourselves: it may be long refuted, and the accused must
    /// have its time. So an exchange kills nobody, and confirms no more than our own word can, once
    /// (memberlist-behaviour §7).
    /// - Returns: false if the whole was refused, and nothing taken over.
    private mutating func merge(
        _ theirs: PushPull, from peer: PeerAddress, at now: Instant, into effects: inout Effects
    ) -> Bool {
        if let conflict = VersionRange.conflict(among: theirs.members, and: table, names: directory) {
            effects.events.append(.refusedExchange(from: peer, reason: conflict))
            return false
        }
        for claim in theirs.members {
            switch claim.state {
            case .alive:
                // Nearly always known.
                if let known = table.claim(about: claim.node), known.incarnation >= claim.incarnation,
                    known.state.isPresent, claim.node != id
                {
                    continue
                }
                take(
                    Announcement(node: claim.node, incarnation: claim.incarnation, record: claim.record), at: now,
                    into: &effects)
            case .suspect, .dead:
                // Who leaves accuses nobody any more.
                if isLeaving { continue }
                suspect(
                    Accusation(node: claim.node, incarnation: claim.incarnation, from: id),
                    evidence: .pushPull(via: peer), at: now, into: &effects)
            case .left:
                take(
                    .dead(Accusation(node: claim.node, incarnation: claim.incarnation, from: claim.node)), at: now,
                    into: &effects)
            }
        }
        if !theirs.userState.isEmpty {
            effects.events.append(.userState(theirs.userState, isJoin: theirs.isJoin, from: peer))
        }
        return true
    }

    // MARK: Comparing views

    /// Takes a remora's checksum of its view; where it differs from ours and neither can be news on its way, exchanges.
    ///
    /// Views differ while something spreads, so ours has to have been quiet for as long as spreading takes. While exchanges
    /// change nothing here (a name is in conflict, say) they become ever rarer, down to the push-pull's own interval.
    mutating func compare(
        _ checksum: UInt64, from sender: PeerAddress, at now: Instant, into effects: inout Effects
    ) {
        guard options.comparesViews, !isLeaving else { return }
        guard checksum != table.checksum else { return }
        let quiet =
            pace.gossipInterval * Int64(FleetSize(table.listed).transmissions(multiplier: options.retransmitMultiplier))
        guard now >= exchange.nextComparison, now.elapsed(since: exchange.lastChange) >= quiet, isMember(sender) else {
            return
        }
        exchange.comparisonPause = min(max(pace.probeInterval, exchange.comparisonPause * 2), pace.pushPullInterval)
        exchange.nextComparison = now.advanced(
            by: exchange.comparisonPause / 2 + random.below(exchange.comparisonPause))
        openPushPull(with: sender, isJoin: false, purpose: .routine, at: now, into: &effects)
    }

    /// Whether a present member is at this address: strangers start no exchanges.
    private func isMember(_ address: PeerAddress) -> Bool {
        table.order.contains { member in
            let row = table.row(of: member)
            return row.state.isPresent && row.record?.address == address && row.record?.isRemora == true
        }
    }

    // MARK: The dead and the seeds

    /// Takes the long dead and the long gone off the list. The dead are remembered apart, to be tried again and again.
    mutating func forgetTheLongDead(at now: Instant, into effects: inout Effects) {
        let limit = now.advanced(by: -pace.gossipToTheDead)
        let own = id
        let removed = table.remove(
            where: { candidate, row in candidate != own && !row.state.isPresent && row.since < limit },
            digest: directory.digest(of:))
        for (member, row) in removed {
            suspicions.forget(member)
            gossip.queue.remove(about: member)
            if row.state == .dead, let record = row.record {
                exchange.remember(
                    AntiEntropy.Lost(member: member, address: record.address, since: row.since), in: directory)
            } else {
                directory.release(member)
            }
            effects.events.append(.forgotten(member))
        }
        exchange.forgetLost(before: now.advanced(by: -pace.contactsTheDeadFor), in: directory)
    }

    /// Whether we see nobody but know whom to ask.
    private var isAlone: Bool { table.present <= 1 && !options.seeds.isEmpty }

    private mutating func scheduleContact(at now: Instant) {
        var interval = FleetSize(table.listed).pushPullInterval(options.contactInterval).wholeNanoseconds
        if isAlone {
            exchange.lonelyPause = min(max(Membership.shortestLonelyPause, exchange.lonelyPause * 2), interval)
            interval = exchange.lonelyPause
        } else {
            exchange.lonelyPause = 0
        }
        exchange.nextContact = now.advanced(by: interval / 2 + random.below(interval))
    }

    /// Tries one of those believed dead, with the chance that dead and present stand in: all members together try
    /// each of the dead about as often as one alone would, whatever the fleet's size.
    private mutating func contactTheDead(at now: Instant, into effects: inout Effects) {
        let candidates = table.dead + exchange.lost.count
        guard candidates > 0, random.below(UInt32(max(table.present, 1))) < UInt32(candidates) else { return }
        let choice = Int(random.below(UInt32(candidates)))
        let address: PeerAddress?
        if choice < table.dead {
            var chosen: [MemberID] = []
            table.choose(1, random: &random, into: &chosen) { _, row in row.state == .dead }
            address = chosen.first.flatMap { table.row(of: $0).record?.address }
        } else {
            address = exchange.lost[choice - table.dead].address
        }
        if let address { openPushPull(with: address, isJoin: true, purpose: .routine, at: now, into: &effects) }
    }

    /// Tries one of the seeds that are not among the members, where two halves that forgot each other meet; all of them
    /// while we are alone, in changing order, as there may be more than are opened at once.
    private mutating func contactSeeds(at now: Instant, into effects: inout Effects) {
        guard !options.seeds.isEmpty else { return }
        var absent = Set(options.seeds)
        for member in table.order where member == id || table.state(of: member).isPresent {
            if let address = table.row(of: member).record?.address { absent.remove(address) }
        }
        let candidates = options.seeds.filter { absent.contains($0) }
        guard !candidates.isEmpty else { return }
        let tried =
            isAlone ? candidates.shuffled(using: &random) : [candidates[Int(random.below(UInt32(candidates.count)))]]
        for seed in tried { openPushPull(with: seed, isJoin: true, purpose: .routine, at: now, into: &effects) }
    }
}
