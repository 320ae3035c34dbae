// How news spreads: by gossip at its own pace, and on the back of probes and answers (SWIM §4.1, Demers et al. 1987 §1.4,
// memberlist-behaviour §5).

package import Vocabulary

/// Queues for what an application tells through us. Each is told from only when nothing of the former, and nothing of ours,
/// fits any more.
package enum Lane: Int, Sendable, CaseIterable { case first, second, third }

/// What waits to be told, and when the next round is.
struct Dissemination {
    var queue: BroadcastQueue
    /// By ``Lane``; none until an application tells something.
    private(set) var lanes: [BroadcastQueue] = []
    /// A moment at which a round may be; all others are whole intervals away.
    var phase = Instant.distantPast
    /// Nil while there is nothing to tell: a quiet member is not woken five times a second.
    var nextTick: Instant?
    /// Chosen anew in each round; kept for its room.
    var targets: [MemberID] = []

    init(directory: Directory) { queue = BroadcastQueue(directory: directory) }

    /// Whether a lane is not empty: the datagrams of a quiet member look at none of them.
    private(set) var hasApplicationMessages = false

    var isEmpty: Bool { queue.isEmpty && !hasApplicationMessages }

    mutating func add(
        _ body: [UInt8], in lane: Lane, about member: MemberID?, length: Int, names directory: Directory
    ) {
        if lanes.isEmpty { lanes = Lane.allCases.map { _ in BroadcastQueue(directory: directory) } }
        lanes[lane.rawValue].add(.user(body), about: member, length: length)
        hasApplicationMessages = true
    }

    /// Takes of all queues in their order; limits are how often each message is told, ours and the application's.
    mutating func take(
        budget: inout Int, parts: Int, limit: Int, applicationLimit: Int, into messages: inout [Message]
    ) {
        let others = messages.count
        queue.take(
            budget: &budget, partOverhead: WireSize.partOverhead, parts: parts, limit: limit, into: &messages)
        guard hasApplicationMessages else { return }
        for index in lanes.indices where !lanes[index].isEmpty {
            lanes[index].take(
                budget: &budget, partOverhead: WireSize.partOverhead, parts: parts - (messages.count - others),
                limit: applicationLimit, into: &messages)
        }
        hasApplicationMessages = lanes.contains { !$0.isEmpty }
    }
}

extension Membership {
    /// How often each message is told by us.
    private var transmissions: Int {
        FleetSize(table.listed).transmissions(multiplier: options.retransmitMultiplier)
    }

    /// How often each of the application's messages is told.
    private var applicationTransmissions: Int {
        FleetSize(audience ?? table.listed).transmissions(multiplier: options.retransmitMultiplier)
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

    /// Tells an application's message to the fleet, after what we have to tell ourselves.
    /// - Parameters:
    ///   - own: whether it is the application's word on this member, and replaces its former one in this lane.
    /// - Returns: whether it is told; not where it fits into no datagram, or we do not run. Beyond
    ///   ``BroadcastQueue/uniqueLimit`` in a lane, those that were told most often are dropped.
    @discardableResult
    package mutating func tell(_ body: [UInt8], in lane: Lane, replacingOwn own: Bool = false, at now: Instant) -> Bool
    {
        let length = Message.user(body).encodedLength(in: directory)
        guard isRunning, length + WireSize.partOverhead <= compoundBudget else { return false }
        gossip.add(body, in: lane, about: own ? id : nil, length: length, names: directory)
        armGossip(at: now)
        return true
    }

    /// Whether the application's word on this member was not yet told as often as it should be.
    package func isTellingOwn(in lane: Lane) -> Bool {
        !gossip.lanes.isEmpty && gossip.lanes[lane.rawValue].contains(about: id)
    }

    /// How many of an application's messages wait.
    package func queued(in lane: Lane) -> Int { gossip.lanes.isEmpty ? 0 : gossip.lanes[lane.rawValue].count }

    private mutating func armGossip(at now: Instant) {
        guard gossip.nextTick == nil, isRunning, !gossip.isEmpty, table.listed > 1 else { return }
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
        // A goodbye is told a few times only, in a small fleet, and is lost on a corpse.
        let tellsTheDead = !isLeaving
        table.choose(options.gossipNodes, random: &random, into: &targets) { candidate, row in
            // The dead are told for a while, in case that they are not.
            candidate != own && (row.state.isPresent || tellsTheDead && row.state == .dead && row.since >= recently)
        }
        for target in targets {
            guard let record = table.row(of: target).record else { continue }
            var messages: [Message] = []
            var budget = compoundBudget
            gossip.take(
                budget: &budget, parts: WireSize.longestCompound, limit: transmissions,
                applicationLimit: applicationTransmissions, into: &messages)
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
        if !gossip.isEmpty {
            var budget = compoundBudget
            for own in datagram.messages { budget -= own.encodedLength(in: directory) + WireSize.partOverhead }
            gossip.take(
                budget: &budget, parts: WireSize.longestCompound - datagram.messages.count, limit: transmissions,
                applicationLimit: applicationTransmissions, into: &datagram.messages)
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
