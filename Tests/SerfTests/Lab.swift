import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

/// One real agent, among others that exist only as names: what they would say is said by the test.
struct Lab {
    let directory = Directory()
    var agent: SerfAgent
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Everything since the last ``take()``.
    var effects = AgentEffects()
    private var nextStream: UInt32 = 0

    /// - Parameter others: alive when it begins, what was told of them is told.
    init(
        _ name: String = "self", others: [String] = [], tags: [String: String] = [:],
        options: AgentOptions = AgentOptions(), seed: UInt64 = 1, adjust: (inout GossipOptions) -> Void = { _ in }
    ) throws {
        var gossip = GossipOptions.lan
        // Nobody is there to be probed, and nobody is blamed for it.
        gossip.probeInterval = .seconds(1_000_000_000)
        gossip.pushPullInterval = .seconds(1_000_000_000)
        gossip.contactInterval = .seconds(1_000_000_000)
        adjust(&gossip)
        agent = try SerfAgent(
            name: directory.intern(name), address: Lab.address(of: name), tags: Lab.tags(tags), options: options,
            gossip: gossip, directory: directory, random: SeededRandom(seed: seed))
        agent.start(at: now, into: &effects)
        for other in others { hear(alive: other) }
        run(for: .seconds(10))
        _ = take()
    }

    static func tags(_ pairs: [String: String]) -> SerfTags {
        var tags = SerfTags()
        for (name, value) in pairs { tags[name] = value }
        return tags
    }

    /// Every name has its own port, by its bytes; `a` and `b` are where the vectors have them.
    static func address(of name: String) -> PeerAddress {
        switch name {
        case "a": return PeerAddress(SocketAddress.IPv4(bits: 0x0A01_0203), port: 7946)
        case "b": return PeerAddress(SocketAddress.IPv4(bits: 0x0A01_0204), port: 7946)
        default:
            let port = name.utf8.reduce(UInt32(7)) { ($0 &* 31 &+ UInt32($1)) % 60_000 }
            return PeerAddress(SocketAddress.IPv4(bits: 0x7F00_0001), port: UInt16(1000 + port))
        }
    }

    static func record(_ name: String, tags: [String: String] = [:], versions: MemberVersions = .serf) -> MemberRecord {
        MemberRecord(address: address(of: name), meta: Lab.tags(tags).meta, versions: versions, isRemora: false)
    }

    func id(_ name: String) -> MemberID { directory.intern(name) }

    // MARK: Said by others

    mutating func receive(_ message: Message, from sender: String = "a") {
        agent.receive(message, from: Lab.address(of: sender), at: now, into: &effects)
    }

    mutating func hear(alive name: String, _ incarnation: UInt32 = 1, record: MemberRecord? = nil) {
        let record = record ?? Lab.record(name)
        receive(.alive(Announcement(node: id(name), incarnation: incarnation, record: record)))
    }

    mutating func hear(dead name: String, _ incarnation: UInt32 = 1, from accuser: String = "a") {
        receive(.dead(Accusation(node: id(name), incarnation: incarnation, from: id(accuser))))
    }

    mutating func hear(_ bytes: [UInt8], from sender: String = "a") { receive(.user(bytes), from: sender) }
    mutating func hear(_ message: SerfMessage, from sender: String = "a") { hear(message.bytes, from: sender) }

    mutating func hear(leave name: String, _ time: UInt64, isPrune: Bool = false) {
        hear(.leave(SerfLeave(time: LamportTime(time), node: name, isPrune: isPrune)))
    }

    mutating func hear(join name: String, _ time: UInt64) {
        hear(.join(SerfJoin(time: LamportTime(time), node: name)))
    }

    mutating func hear(event name: String, _ time: UInt64, payload: [UInt8] = [], from sender: String = "a") {
        hear(
            .event(SerfEvent(time: LamportTime(time), name: name, payload: payload, coalesces: false)), from: sender)
    }

    /// A push-pull that somebody opens to us; the Serf state of our answer.
    mutating func exchange(_ state: [UInt8], isJoin: Bool = false, from peer: String = "a") throws -> SerfState {
        nextStream += 1
        let stream = StreamID(side: .accepted, number: nextStream)
        let request = PushPull(isJoin: isJoin, members: [], userState: state)
        agent.receive(.pushPull(request), on: stream, from: Lab.address(of: peer), at: now, into: &effects)
        for effect in effects.gossip.streams {
            if case .answer(stream, .pushPull(let answer)) = effect {
                guard case .state(let state) = try SerfMessage(answer.userState) else { break }
                return state
            }
        }
        throw NoAnswer()
    }

    struct NoAnswer: Error {}

    // MARK: Time

    mutating func run(for duration: Duration) {
        let end = now + duration
        while agent.nextWake <= end {
            now = max(now, agent.nextWake)
            agent.wake(at: now, into: &effects)
        }
        now = end
    }

    mutating func take() -> AgentEffects {
        let taken = effects
        effects.removeAll()
        return taken
    }

    /// Lets everything that waits be told; the Serf messages that were, each once.
    mutating func told() -> [[UInt8]] {
        run(for: .seconds(10))
        var told: [[UInt8]] = []
        for bytes in take().serfMessages where !told.contains(bytes) { told.append(bytes) }
        return told
    }

    // MARK: Seen

    func status(_ name: String) -> Standing.Status? { agent.view(of: id(name))?.standing.status }
    func time(_ name: String) -> UInt64? { agent.view(of: id(name))?.standing.time.value }
}

extension SerfMessage {
    init(_ bytes: [UInt8]) throws { try self.init(reading: bytes.span) }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }
}

extension AgentEffects {
    /// The bodies of all user messages in datagrams.
    var serfMessages: [[UInt8]] {
        gossip.datagrams.flatMap(\.messages).compactMap { if case .user(let bytes) = $0 { bytes } else { nil } }
    }

    /// User messages that were sent alone, with their places.
    var sentAlone: [(to: PeerAddress, bytes: [UInt8])] {
        gossip.datagrams.compactMap { datagram in
            guard datagram.recipient == nil, datagram.messages.count == 1 else { return nil }
            if case .user(let bytes) = datagram.messages[0] { return (datagram.to, bytes) } else { return nil }
        }
    }

    var userEvents: [SerfEvent] { events.compactMap { if case .event(let event) = $0 { event } else { nil } } }
    var ignored: [IgnoredReason] { events.compactMap { if case .ignored(_, let why) = $0 { why } else { nil } } }
    var refused: [WireFault] { events.compactMap { if case .refused(_, let fault) = $0 { fault } else { nil } } }
    var stages: [LeaveStage] { events.compactMap { if case .leave(let stage) = $0 { stage } else { nil } } }
    var reaped: [MemberID] { events.compactMap { if case .reaped(let member) = $0 { member } else { nil } } }

    var queries: [(name: String, ticket: QueryTicket)] {
        events.compactMap { if case .query(let name, _, let ticket) = $0 { (name, ticket) } else { nil } }
    }

    var commands: [(command: KeyringCommand, ticket: QueryTicket)] {
        events.compactMap { if case .keyring(let command, let ticket) = $0 { (command, ticket) } else { nil } }
    }
}
