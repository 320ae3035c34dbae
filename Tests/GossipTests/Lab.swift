import Testing
import Vocabulary

@testable import Gossip

/// One real member, `self`, among others that exist only as names: what they would say is said by the test.
struct Lab {
    let directory = Directory()
    var member: Membership
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Everything since the last ``take()``.
    var effects = Effects()
    private let names: [String]
    private var unanswered: [(stream: StreamID, deadline: Instant)] = []

    /// - Parameter others: known and alive at incarnation 1 when it starts.
    init(others: [String] = [], seed: UInt64 = 1, options: GossipOptions = .lan, meta: [UInt8]? = nil) {
        names = others
        let id = directory.intern("self")
        member = Membership(
            name: id, record: Lab.record(port: 1, meta: meta), options: options, directory: directory,
            random: SeededRandom(seed: seed))
        var claims: [MemberClaim] = []
        for (index, name) in others.enumerated() {
            claims.append(
                MemberClaim(
                    node: directory.intern(name), incarnation: 1, state: .alive,
                    record: Lab.record(port: UInt16(100 + index))))
        }
        member.preload(claims, at: now)
        member.start(at: now, into: &effects)
        member.gossip.queue.removeAll()
        member.gossip.nextTick = nil
    }

    static func record(
        port: UInt16, meta: [UInt8]? = nil, versions: MemberVersions = .serf, isRemora: Bool = false
    ) -> MemberRecord {
        MemberRecord(
            address: PeerAddress(SocketAddress.IPv4(bits: 0x7F00_0001), port: port), meta: meta, versions: versions,
            isRemora: isRemora)
    }

    func id(_ name: String) -> MemberID { directory.intern(name) }
    func name(_ id: MemberID) -> String { directory.name(of: id) }

    /// Where a member is; every name has its own port.
    func address(of name: String) -> PeerAddress {
        if name == "self" { return Lab.record(port: 1).address }
        return Lab.record(port: UInt16(100 + (names.firstIndex(of: name) ?? 900))).address
    }

    // MARK: Said by others

    mutating func receive(_ message: Message, from sender: String = "o0") {
        member.receive(message, from: address(of: sender), at: now, into: &effects)
    }

    mutating func hear(alive name: String, _ incarnation: UInt32, record: MemberRecord? = nil) {
        let own = record ?? Lab.record(port: address(of: name).port)
        receive(.alive(Announcement(node: id(name), incarnation: incarnation, record: own)))
    }

    mutating func hear(suspect name: String, _ incarnation: UInt32, from accuser: String) {
        receive(.suspect(Accusation(node: id(name), incarnation: incarnation, from: id(accuser))))
    }

    mutating func hear(dead name: String, _ incarnation: UInt32, from accuser: String) {
        receive(.dead(Accusation(node: id(name), incarnation: incarnation, from: id(accuser))))
    }

    /// A push-pull that somebody opens to us; our answer.
    mutating func exchange(
        _ claims: [MemberClaim], from peer: String = "o0", isJoin: Bool = false, userState: [UInt8] = []
    ) throws -> PushPull {
        let stream = StreamID(side: .accepted, number: 1)
        let request = StreamMessage.pushPull(PushPull(isJoin: isJoin, members: claims, userState: userState))
        member.receive(request, on: stream, from: address(of: peer), at: now, into: &effects)
        for effect in effects.streams {
            if case .answer(_, .pushPull(let answer)) = effect { return answer }
        }
        throw Unanswered()
    }

    struct Unanswered: Error {}

    /// Any other request on a stream that somebody opens to us; what becomes of the stream.
    mutating func serve(_ message: StreamMessage, on stream: StreamID, from peer: String = "o0") -> [StreamEffect] {
        member.receive(message, on: stream, from: address(of: peer), at: now, into: &effects)
        return take().streams
    }

    func claim(_ name: String, _ state: MemberState, _ incarnation: UInt32, record: MemberRecord? = nil) -> MemberClaim
    {
        MemberClaim(
            node: id(name), incarnation: incarnation, state: state,
            record: record ?? Lab.record(port: address(of: name).port))
    }

    // MARK: Time

    /// Lets time pass, waking the member whenever it wants to be.
    mutating func run(for duration: Duration) { run(until: now + duration) }

    mutating func run(until end: Instant) {
        while member.nextWake <= end {
            now = max(now, member.nextWake)
            let before = effects.streams.count
            member.wake(at: now, into: &effects)
            for case .open(let stream, _, _, _, let deadline) in effects.streams[before...] {
                unanswered.append((stream, deadline))
            }
            failStreams()
        }
        now = end
        failStreams()
    }

    /// What a driver does with streams that nobody answers by their deadlines.
    private mutating func failStreams() {
        for (stream, deadline) in unanswered where deadline <= now {
            member.fail(stream, at: now, into: &effects)
        }
        unanswered.removeAll { $0.deadline <= now }
    }

    /// Lets time pass in which the member does not run.
    mutating func sleep(for duration: Duration) { now = now + duration }

    mutating func take() -> Effects {
        let taken = effects
        effects.removeAll()
        return taken
    }

    // MARK: Seen

    func state(_ name: String) -> MemberState? { member.view(of: id(name))?.state }
    func incarnation(_ name: String) -> UInt32? { member.view(of: id(name))?.incarnation }

    /// What is queued, in words.
    var queued: [String] {
        var words: [String] = []
        member.gossip.queue.forEach { message, _, _ in words.append(describe(message)) }
        return words
    }

    func describe(_ message: Message) -> String {
        switch message {
        case .ping(let ping): "ping \(ping.node.map(name) ?? "anyone")"
        case .indirectPing(let request): "indirect \(name(request.node))"
        case .ack(let ack): "ack \(ack.sequence)"
        case .nack(let sequence): "nack \(sequence)"
        case .alive(let announcement): "alive \(name(announcement.node)) inc=\(announcement.incarnation)"
        case .suspect(let charge): "suspect \(name(charge.node)) inc=\(charge.incarnation) from=\(name(charge.from))"
        case .dead(let charge): "dead \(name(charge.node)) inc=\(charge.incarnation) from=\(name(charge.from))"
        case .user(let bytes): "user \(bytes.count)"
        case .viewChecksum: "view"
        }
    }
}

extension Effects {
    var messages: [Message] { datagrams.flatMap(\.messages) }

    /// The first ping with its place of delivery.
    var ping: (ping: Ping, to: PeerAddress)? {
        for datagram in datagrams {
            if case .ping(let ping) = datagram.messages[0] { return (ping, datagram.to) }
        }
        return nil
    }

    var indirectPings: [(request: IndirectPing, to: PeerAddress)] {
        datagrams.compactMap { datagram in
            if case .indirectPing(let request) = datagram.messages[0] { return (request, datagram.to) }
            return nil
        }
    }

    var openedStreams: [(stream: StreamID, to: PeerAddress, request: StreamMessage, deadline: Instant)] {
        streams.compactMap { effect in
            if case .open(let stream, let to, let request, _, let deadline) = effect {
                return (stream, to, request, deadline)
            }
            return nil
        }
    }

    /// The exchanges that were opened; probes over streams apart.
    var openedExchanges: [(stream: StreamID, to: PeerAddress, isJoin: Bool)] {
        openedStreams.compactMap { opened in
            if case .pushPull(let state) = opened.request { return (opened.stream, opened.to, state.isJoin) }
            return nil
        }
    }
}
