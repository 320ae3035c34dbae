// One member of a Serf fleet: what a `serf agent` is to others, as a value on top of gossip's.
//
// It takes the place of ``Membership`` before a driver or a simulator: the same inputs, the same kind of effects, one
// `nextWake`. Inside, each input goes to the membership first; then its events are read in their order, those meant for
// Serf are acted on, and the rest is passed up.
//
//     SerfAgent             the parts, commands, inputs
//     +Members              gossip's events, and who is listed for how long
//     +Intents              who means to stay and who to go
//     +Leaving              our own leave, in stages
//     +Exchange             the user state of push-pulls
//     +Events               operators' events
//     +Queries              questions: whom they are for, acks, answers, relays, Serf's own
//     +Coordinates          round trips
//
// Not taken: a delegate protocol called back by the core, as in the reference: whoever is called back in the middle
// of a merge sees a half-merged table. The membership stays ignorant of Serf; all it lends is room in its datagrams.

package import Gossip
package import GossipWire
package import Vocabulary

package struct SerfAgent {
    let options: AgentOptions
    let directory: Directory
    let name: String
    /// The most that are listed as present; as many again are remembered.
    let memberLimit: Int
    var membership: Membership
    var random: SeededRandom

    var list: MemberList
    /// Intents, events, queries.
    var clock = LamportClock()
    var eventClock = LamportClock()
    var queryClock = LamportClock()
    var intents = IntentBuffer()
    var events: LamportRing<HeardEvent>
    var queries: LamportRing<UInt32>
    var vivaldi: Vivaldi
    /// The next push-pull is a reason to tell the fleet that we are here to stay.
    var owesJoin = true
    /// Nil while we mean to stay.
    var leaving: (stage: LeaveStage, deadline: Instant)?
    /// Before this the intent to leave is still spreading, told by others.
    var intentSpreads = Instant(nanoseconds: .min)
    var nextReap = Instant(nanoseconds: .max)
    /// Where a relay, and an answer, does not fit any more.
    let longestUserMessage: Int

    /// An agent that knows only itself, and is silent until ``start(at:into:)``.
    /// - Parameters:
    ///   - random: ours alone.
    /// - Throws: `tagsTooLong`.
    package init(
        name: MemberID, address: PeerAddress, tags: SerfTags, options: AgentOptions = AgentOptions(),
        gossip: GossipOptions, directory: Directory, random: SeededRandom
    ) throws(AgentRefusal) {
        var random = random
        self.options = options
        self.directory = directory
        self.name = directory.name(of: name)
        memberLimit = gossip.memberLimit
        longestUserMessage = gossip.packetBudget - gossip.packetOverhead - 1
        let record = try SerfAgent.record(at: address, tags: tags, options: options)
        membership = Membership(
            name: name, record: record, options: gossip, directory: directory,
            random: SeededRandom(seed: random.next()))
        vivaldi = Vivaldi(random: SeededRandom(seed: random.next()))
        self.random = random
        // With what an array and a string take beside their contents.
        events = LamportRing(heaviest: AgentOptions.eventMemory) { $0.weight + 64 }
        queries = LamportRing(heaviest: AgentOptions.queryMemory) { _ in 1 }
        list = MemberList(directory: directory)
        list.update(name, MemberList.Row(standing: Standing(), record: record))
    }

    private static func record(
        at address: PeerAddress, tags: SerfTags, options: AgentOptions
    ) throws(AgentRefusal) -> MemberRecord {
        let meta = tags.meta
        guard meta.count <= MemberRecord.longestMeta else { throw .tagsTooLong(meta.count) }
        var versions = MemberVersions.serf
        versions.delegateSpoken = options.protocolVersion
        return MemberRecord(address: address, meta: meta, versions: versions, isRemora: tags["remora"] != nil)
    }
}

// MARK: - Commands

extension SerfAgent {
    /// Knows these from the start, as ``Membership/preload(_:at:)``: for a simulated world's warm start.
    /// - Precondition: as there.
    package mutating func preload(_ claims: [MemberClaim], at now: Instant) {
        membership.preload(claims, at: now)
        for claim in claims where claim.node != id {
            let status: Standing.Status =
                switch claim.state {
                case .alive, .suspect: .alive
                case .dead: .failed
                case .left: .left
                }
            var row = MemberList.Row(standing: Standing(status), record: claim.record)
            if !status.isPresent {
                row.departed = now
                nextReap = min(nextReap, now + options.keepsDepartedFor)
            }
            list.update(claim.node, row)
        }
    }

    /// Begins to probe, gossip and exchange.
    package mutating func start(at now: Instant, into effects: inout AgentEffects) {
        membership.audience = list.count
        refreshAckPayload()
        membership.start(at: now, into: &effects.gossip)
        digest(&effects, since: 0, at: now)
    }

    /// Push-pulls with each of these at once; then tells the fleet that we are here to stay.
    package mutating func join(_ seeds: [PeerAddress], at now: Instant, into effects: inout AgentEffects) {
        owesJoin = leaving == nil
        pass(&effects, at: now) { $0.join(seeds, at: now, into: &$1) }
    }

    /// Bears other tags from now on; agents raise `member-update`.
    /// - Throws: `tagsTooLong`; `leaving`.
    package mutating func update(
        tags: SerfTags, at now: Instant, into effects: inout AgentEffects
    ) throws(AgentRefusal) {
        guard leaving == nil else { throw .leaving }
        guard var row = list[id] else { return }
        let record = try SerfAgent.record(at: row.record.address, tags: tags, options: options)
        row.record = record
        list.update(id, row)
        pass(&effects, at: now) { $0.update(record, at: now, into: &$1) }
    }
}

// MARK: - Input

extension SerfAgent {
    /// Takes one message of a datagram that came from `sender`.
    package mutating func receive(
        _ message: Message, from sender: PeerAddress, at now: Instant, into effects: inout AgentEffects
    ) {
        pass(&effects, at: now) { $0.receive(message, from: sender, at: now, into: &$1) }
    }

    /// Takes a request of an accepted stream, or the answer on one that we opened.
    package mutating func receive(
        _ message: StreamMessage, on stream: StreamID, from peer: PeerAddress, at now: Instant,
        into effects: inout AgentEffects
    ) {
        pass(&effects, at: now) { $0.receive(message, on: stream, from: peer, at: now, into: &$1) }
    }

    /// A stream that we opened came to nothing.
    package mutating func fail(_ stream: StreamID, at now: Instant, into effects: inout AgentEffects) {
        pass(&effects, at: now) { $0.fail(stream, at: now, into: &$1) }
    }

    /// The kernel refused a datagram of ours; see ``Membership/failSending(to:isOurs:at:into:)``.
    package mutating func failSending(
        to address: PeerAddress, isOurs: Bool, at now: Instant, into effects: inout AgentEffects
    ) {
        pass(&effects, at: now) { $0.failSending(to: address, isOurs: isOurs, at: now, into: &$1) }
    }

    /// When ``wake(at:into:)`` wants to be called; may change with every call of a mutating method.
    package var nextWake: Instant {
        var next = min(membership.nextWake, nextReap)
        if let leaving, leaving.stage != .gone { next = min(next, leaving.deadline) }
        if leaving?.stage == .announcing, !membership.isTellingOwn(in: .intents) { next = min(next, intentSpreads) }
        return next
    }

    /// Does what is due. Called early it does nothing.
    package mutating func wake(at now: Instant, into effects: inout AgentEffects) {
        pass(&effects, at: now) { $0.wake(at: now, into: &$1) }
        reap(at: now, into: &effects)
    }

    /// Lets the membership act, and Serf on what came of it.
    private mutating func pass(
        _ effects: inout AgentEffects, at now: Instant, _ act: (inout Membership, inout Effects) -> Void
    ) {
        let streams = effects.gossip.streams.count
        act(&membership, &effects.gossip)
        digest(&effects, since: streams, at: now)
    }

    /// Reads what the membership wants: events are taken or passed up, and the push-pulls that it opened or answered
    /// get what Serf adds to them.
    mutating func digest(_ effects: inout AgentEffects, since streams: Int, at now: Instant) {
        // A leave may go on and make events of its own.
        var read = 0
        repeat {
            while read < effects.gossip.events.count {
                take(effects.gossip.events[read], at: now, into: &effects)
                read += 1
            }
            proceedLeaving(at: now, into: &effects)
        } while read < effects.gossip.events.count
        effects.gossip.events.removeAll(keepingCapacity: true)
        var state: [UInt8]?
        for index in streams..<effects.gossip.streams.count {
            effects.gossip.streams[index].addUserState {
                let bytes = state ?? userState()
                state = bytes
                return bytes
            }
        }
    }

    private mutating func take(_ event: MembershipEvent, at now: Instant, into effects: inout AgentEffects) {
        switch event {
        case .user(let bytes, let sender):
            // Another application's, remora's own included: Serf's types are below ten.
            guard let type = bytes.first, type < 10 else { return effects.events.append(.member(event)) }
            take(bytes, from: sender, at: now, into: &effects)
        case .userState(let bytes, let isJoin, let sender):
            take(userState: bytes, isJoin: isJoin, from: sender, at: now, into: &effects)
        case .joined(let member):
            effects.events.append(.member(event))
            takeAppearance(of: member, at: now, into: &effects)
        case .updated(let member):
            takeUpdate(of: member)
            effects.events.append(.member(event))
        case .died(let member), .left(let member):
            effects.events.append(.member(event))
            let isLeft = if case .left = event { true } else { false }
            takeDisappearance(of: member, byItsWord: isLeft, at: now, into: &effects)
        case .measured(let member, let roundTrip, let payload):
            measure(roundTrip, to: member, payload: payload, into: &effects)
            effects.events.append(.member(event))
        case .seedJoined:
            effects.events.append(.member(event))
            announceJoinIfOwed(at: now, into: &effects)
        case .suspected, .cleared, .forgotten, .refuted, .conflict, .datagramsLost, .stalled, .seedFailed, .leaveSpread,
            .refusedExchange:
            effects.events.append(.member(event))
            if case .leaveSpread = event { linger(at: now, into: &effects) }
        }
    }

    /// States, and what is in queries and their answers: by themselves they are nobody's messages (serf-layer §3).
    private static let neverTold: [UInt8] = [2, 6, 7, 8]

    /// Takes a message of Serf's, told or sent to us.
    private mutating func take(
        _ bytes: [UInt8], from sender: PeerAddress, at now: Instant, into effects: inout AgentEffects
    ) {
        let message: SerfMessage
        do throws(WireFault) {
            // Not even read: what has no business here may be long to read.
            if let kind = bytes.first, SerfAgent.neverTold.contains(kind) { throw .unexpectedType(kind) }
            message = try SerfMessage(reading: bytes.span)
        } catch {
            return effects.events.append(.refused(from: sender, error))
        }
        switch message {
        case .leave(let leave):
            if takeLeave(leave, from: sender, at: now, into: &effects) { retell(bytes, in: .intents, at: now) }
        case .join(let join):
            if takeJoin(join, from: sender, at: now, into: &effects) { retell(bytes, in: .intents, at: now) }
        case .event(let event):
            if takeEvent(event, from: sender, into: &effects) { retell(bytes, in: .events, at: now) }
        case .query(let query):
            if takeQuery(query, from: sender, at: now, into: &effects) { retell(bytes, in: .queries, at: now) }
        case .response: effects.events.append(.ignored(from: sender, .notAsked))
        case .relay(let relay): pass(on: relay, from: sender, into: &effects)
        case .state, .conflict, .keyRequest, .keyResponse:
            effects.events.append(.refused(from: sender, .unexpectedType(bytes[0])))
        }
    }

    /// Tells the fleet what was news to us, byte for byte. What fits into no datagram of ours others have to tell.
    private mutating func retell(_ bytes: [UInt8], in lane: Lane, at now: Instant) {
        membership.tell(bytes, in: lane, at: now)
    }

    /// Tells the fleet something of ours.
    mutating func tell(_ message: SerfMessage, in lane: Lane, replacingOwn own: Bool = false, at now: Instant) {
        var bytes: [UInt8] = []
        message.append(to: &bytes)
        membership.tell(bytes, in: lane, replacingOwn: own, at: now)
    }

    /// Sends a message to one member's datagram port, with nothing beside it; not where it does not fit, or there is no
    /// such port.
    func send(_ bytes: [UInt8], to address: PeerAddress, into effects: inout AgentEffects) {
        guard bytes.count <= longestUserMessage, address.port > 0 else { return }
        effects.gossip.datagrams.append(Datagram(to: address, recipient: nil, messages: [.user(bytes)]))
    }
}

extension Lane {
    /// Serf's priorities (serf-layer §3).
    static let intents = Lane.first
    static let queries = Lane.second
    static let events = Lane.third
}

extension StreamEffect {
    fileprivate mutating func addUserState(_ state: () -> [UInt8]) {
        switch self {
        case .open(let stream, let to, .pushPull(var exchange), let isAnswered, let deadline):
            exchange.userState = state()
            self = .open(stream, to: to, request: .pushPull(exchange), isAnswered: isAnswered, deadline: deadline)
        case .answer(let stream, .pushPull(var exchange)):
            exchange.userState = state()
            self = .answer(stream, .pushPull(exchange))
        case .open, .answer, .close: break
        }
    }
}

// MARK: - Queries

extension SerfAgent {
    /// A member as agents see it.
    package struct View: Sendable {
        package var id: MemberID
        package var standing: Standing
        package var record: MemberRecord
        /// When gossip saw it go; nil while it is there.
        package var departed: Instant?
        /// It went by its own word. Agents show `failed` where that word was only gossip's; we may say `left`.
        package var saidGoodbye: Bool
    }

    package var id: MemberID { membership.id }
    /// What is below Serf.
    package var gossip: Membership { membership }
    /// Listed members, ourselves and those gone for less than a day included.
    package var listed: Int { list.count }
    /// Where we are in the space of round trips.
    package var coordinate: SerfCoordinate { vivaldi.coordinate }
    /// What the next intent of ours would bear.
    package var intentTime: LamportTime { clock.time }
    package var eventTime: LamportTime { eventClock.time }
    package var queryTime: LamportTime { queryClock.time }
    /// Nil while we mean to stay.
    package var leaveStage: LeaveStage? { leaving?.stage }

    package func view(of id: MemberID) -> View? {
        list[id].map { row in
            View(
                id: id, standing: row.standing, record: row.record, departed: row.departed,
                saidGoodbye: row.saidGoodbye)
        }
    }

    /// Calls with every listed member, ourselves included, in no order that means anything.
    package func forEachMember(_ body: (View) -> Void) {
        for id in list.order {
            if let view = view(of: id) { body(view) }
        }
    }
}
