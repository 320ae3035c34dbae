// How news spreads: by gossip at its own pace, and on the back of probes and answers (SWIM §4.1, Demers et al. 1987 §1.4,
// memberlist-behaviour §5).

import Vocabulary

/// What waits to be told, and when the next round is.
struct Dissemination {
    var queue: BroadcastQueue
    /// A moment at which a round may be; all others are whole intervals away.
    var phase = Instant.distantPast
    /// Nil while there is nothing to tell: a quiet member is not woken five times a second.
    var nextTick: Instant?
    /// Chosen anew in each round; kept for its room.
    var targets: [MemberID] = []

    init(directory: Directory) { queue = BroadcastQueue(directory: directory) }
}

extension Membership {
    /// How often each message is told by us.
    private var transmissions: Int {
        FleetSize(table.listed).transmissions(multiplier: options.retransmitMultiplier)
    }

    /// Bytes that messages may take in a datagram, as a compound.
    private var compoundBudget: Int {
        options.packetBudget - options.packetOverhead - WireSize.compoundOverhead
    }

    /// Tells a thing from now on, in the place of what was queued about the same member.
    ///
    /// What is too long for a datagram (a peer's announcement may be) is left to push-pulls: it would wait for ever, and
    /// we would be woken for it.
    mutating func queue(_ message: Message, about member: MemberID, at now: Instant) {
        let length = message.encodedLength(in: directory)
        guard length + WireSize.partOverhead <= compoundBudget else { return gossip.queue.remove(about: member) }
        gossip.queue.add(message, about: member, length: length)
        armGossip(at: now)
    }

    private mutating func armGossip(at now: Instant) {
        guard gossip.nextTick == nil, isRunning, !gossip.queue.isEmpty, table.listed > 1 else { return }
        gossip.nextTick = gossip.phase.next(every: pace.gossipInterval, after: now)
    }

    /// A round: some members, each told what has been told least.
    mutating func runGossip(at now: Instant, into effects: inout Effects) {
        guard let tick = gossip.nextTick, tick <= now else { return }
        gossip.phase = tick
        gossip.nextTick = nil
        var targets = gossip.targets
        let own = id
        let recently = now.advanced(by: -pace.gossipToTheDead)
        table.choose(options.gossipNodes, random: &random, into: &targets) { candidate, row in
            // The dead are told for a while, in case that they are not.
            candidate != own && (row.state.isPresent || row.state == .dead && row.since >= recently)
        }
        for target in targets {
            guard let record = table.row(of: target).record else { continue }
            var messages: [Message] = []
            var budget = compoundBudget
            gossip.queue.take(
                budget: &budget, partOverhead: WireSize.partOverhead, parts: WireSize.longestCompound,
                limit: transmissions, into: &messages)
            if messages.isEmpty { break }
            effects.datagrams.append(Datagram(to: record.address, recipient: target, messages: messages))
        }
        gossip.targets = targets
        armGossip(at: now)
        reportLeaveIfSpread(into: &effects)
    }

    /// Sends a message, with as much news as fits.
    /// - Parameters:
    ///   - recipient: who is there, where that is known to the wire (memberlist-wire §8).
    ///   - comparesViews: whether the receiver is a remora, to be told what we believe to be the whole.
    mutating func send(
        _ message: Message, to address: PeerAddress, recipient: MemberID?, comparesViews: Bool = false,
        into effects: inout Effects
    ) {
        var datagram = Datagram(to: address, recipient: recipient, messages: [message])
        if comparesViews, options.comparesViews { datagram.messages.append(.viewChecksum(table.checksum)) }
        if !gossip.queue.isEmpty {
            var budget = compoundBudget
            for own in datagram.messages { budget -= own.encodedLength(in: directory) + WireSize.partOverhead }
            gossip.queue.take(
                budget: &budget, partOverhead: WireSize.partOverhead,
                parts: WireSize.longestCompound - datagram.messages.count, limit: transmissions,
                into: &datagram.messages)
        }
        effects.datagrams.append(datagram)
        reportLeaveIfSpread(into: &effects)
    }

    /// Our goodbye is told when it has gone out as often as it should, or there is nobody to hear it.
    mutating func reportLeaveIfSpread(into effects: inout Effects) {
        guard isLeaving, !isLeaveReported, table.present == 0 || !gossip.queue.contains(about: id) else { return }
        isLeaveReported = true
        effects.events.append(.leaveSpread)
    }
}
