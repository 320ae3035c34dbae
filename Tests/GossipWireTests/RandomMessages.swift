// Messages for properties: every kind, with lengths and numbers where their encoding changes.

import Gossip
import GossipWire
import Vocabulary

struct MessageGenerator {
    var random: SeededRandom
    let directory: Directory
    /// Where the width of a number's encoding changes, both sides of it, and the ends.
    private static let edges: [UInt64] = [
        0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000, .max,
    ]
    /// Likewise of a raw's length.
    private static let lengths: [Int] = [0, 1, 31, 32, 255, 256, 0xFFFF, 0x1_0000]

    init(seed: UInt64, directory: Directory) {
        random = SeededRandom(seed: seed)
        self.directory = directory
    }

    mutating func isTrue() -> Bool { random.below(2) == 0 }

    mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_: Number.Type = Number.self) -> Number {
        isTrue()
            ? Number(truncatingIfNeeded: Self.edges[Int(random.below(UInt32(Self.edges.count)))])
            : Number(truncatingIfNeeded: random.next() >> UInt64(random.below(64)))
    }

    /// Mostly short; above 256 only seldom, and never where `limit` says so.
    mutating func length(upTo limit: Int = .max) -> Int {
        let length = random.below(40) == 0 ? Self.lengths[Int(random.below(8))] : Int(random.below(60))
        return min(length, limit)
    }

    mutating func bytes(upTo limit: Int = .max) -> [UInt8] {
        let count = length(upTo: limit)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    mutating func text(upTo limit: Int = .max) -> String {
        let count = length(upTo: limit)
        return String(decoding: (0..<count).map { _ in UInt8(97 + random.below(26)) }, as: UTF8.self)
    }

    /// One of a few names, and seldom a long or an empty one.
    mutating func name(isNamed: Bool = false) -> MemberID {
        if random.below(4) > 0 { return directory.intern("node-\(random.below(50))") }
        let name = text(upTo: 300)
        return directory.intern(name.isEmpty && isNamed ? "é" : name)
    }

    mutating func address() -> PeerAddress {
        if isTrue() { return PeerAddress(SocketAddress.IPv4(bits: number()), port: number()) }
        return PeerAddress(SocketAddress.IPv6(high: number(), low: number()), port: number())
    }

    mutating func record() -> MemberRecord {
        let versions = [
            MemberVersions.serf, .absent,
            MemberVersions(
                protocolMinimum: number(), protocolMaximum: number(), protocolSpoken: number(),
                delegateMinimum: number(),
                delegateMaximum: number(), delegateSpoken: number()),
        ][Int(random.below(3))]
        let meta = isTrue() ? bytes() : nil
        return MemberRecord(address: address(), meta: meta, versions: versions, isRemora: false)
    }

    mutating func ping() -> Ping {
        Ping(sequence: number(), node: optionalName(), source: source())
    }

    /// Nil, or a name that is not empty: on the wire the empty name is nobody's.
    private mutating func optionalName() -> MemberID? { isTrue() ? name(isNamed: true) : nil }

    /// Nil, or one with a port: without it the address says nothing.
    private mutating func source() -> PingSource? {
        guard isTrue() else { return nil }
        var source = PingSource(address: address(), node: optionalName())
        source.address.port = max(1, source.address.port)
        return source
    }

    mutating func ack() -> Ack { Ack(sequence: number(), payload: bytes()) }

    mutating func message() -> Message {
        switch random.below(9) {
        case 0: return .ping(ping())
        case 1:
            return .indirectPing(
                IndirectPing(sequence: number(), target: address(), node: name(), wantsNack: isTrue(), source: source())
            )
        case 2: return .ack(ack())
        case 3: return .nack(sequence: number())
        case 4: return .alive(Announcement(node: name(isNamed: true), incarnation: number(), record: record()))
        case 5: return .suspect(Accusation(node: name(), incarnation: number(), from: name()))
        case 6: return .dead(Accusation(node: name(), incarnation: number(), from: name()))
        case 7: return .user(bytes())
        default: return .viewChecksum(number())
        }
    }

    mutating func streamMessage() -> StreamMessage {
        switch random.below(6) {
        case 0: return .ping(ping())
        case 1: return .ack(ack())
        case 2: return .user(bytes())
        case 3: return .error(text())
        default:
            let members = (0..<[0, 1, 5, 127, 128, 300][Int(random.below(6))]).map { _ in
                MemberClaim(
                    node: name(isNamed: true), incarnation: number(),
                    state: MemberState.allCases[Int(random.below(4))], record: record())
            }
            return .pushPull(PushPull(isJoin: isTrue(), members: members, userState: bytes()))
        }
    }
}

// MARK: - Serf's

extension MessageGenerator {
    private mutating func time() -> LamportTime { LamportTime(number()) }

    private mutating func some<Element>(_ make: (inout Self) -> Element) -> [Element] {
        (0..<[0, 1, 2, 15, 16, 40][Int(random.below(6))]).map { _ in make(&self) }
    }

    mutating func serfMessage() -> SerfMessage {
        switch random.below(10) {
        case 0: return .leave(SerfLeave(time: time(), node: text(), isPrune: isTrue()))
        case 1: return .join(SerfJoin(time: time(), node: text()))
        case 2:
            let statuses = some { SerfState.Status(node: $0.text(upTo: 99), time: $0.time()) }
            let events = some { generator in
                SerfState.Events(
                    time: generator.time(),
                    events: generator.some { SerfState.Event(name: $0.text(upTo: 99), payload: $0.bytes(upTo: 99)) })
            }
            return .state(
                SerfState(
                    time: time(), statuses: statuses, left: some { $0.text(upTo: 99) }, eventTime: time(),
                    events: events,
                    queryTime: time()))
        case 3: return .event(SerfEvent(time: time(), name: text(), payload: bytes(), coalesces: isTrue()))
        case 4:
            let timeout = Int64(bitPattern: number()) % 1_000_000_000_000_000
            return .query(
                SerfQuery(
                    time: time(), id: number(), source: address(), sourceNode: text(),
                    filters: some { $0.bytes(upTo: 99) },
                    flags: SerfQuery.Flags(rawValue: number()), relayFactor: number(), timeout: .nanoseconds(timeout),
                    name: text(), payload: bytes()))
        case 5:
            return .response(
                SerfResponse(time: time(), id: number(), from: text(), isAck: isTrue(), payload: bytes()))
        case 6:
            guard isTrue() else { return .conflict(nil) }
            var tags = SerfTags()
            for name in some({ $0.text(upTo: 99) }) { tags[name] = text(upTo: 99) }
            return .conflict(
                SerfMember(
                    name: text(), address: address(), tags: tags,
                    status: SerfMember.Status.allCases[Int(random.below(5))], versions: record().versions))
        case 7: return .keyRequest(bytes())
        case 8:
            return .keyResponse(
                SerfKeyResponse(
                    succeeded: isTrue(), message: text(), keys: some { $0.text(upTo: 99) }, primaryKey: text()))
        default:
            let message = SerfMessage.join(SerfJoin(time: time(), node: text())).bytes
            return .relay(SerfRelay(destination: address(), destinationName: text(), message: message))
        }
    }
}
