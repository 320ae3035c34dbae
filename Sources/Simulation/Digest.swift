// A number that tells whether a core did the same again.
//
// It takes in everything that leaves a core and the figures by which its state shows, and rolls on over all of a
// node's inputs: once two runs differ they differ from there on. No hash of the standard library: those differ in every
// process.

import Gossip
import Vocabulary

struct Digest: Hashable, Sendable {
    private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// What a log holds of it.
    var short: UInt32 { UInt32(truncatingIfNeeded: value ^ value >> 32) }

    mutating func mix(_ number: UInt64) {
        let product = (value ^ number).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        value = product.high ^ product.low &+ 0x2545_F491_4F6C_DD1D
    }

    mutating func mix(_ number: some BinaryInteger) { mix(UInt64(truncatingIfNeeded: number)) }

    mutating func mix(_ bytes: [UInt8]) {
        mix(bytes.count)
        for byte in bytes { mix(byte) }
    }

    mutating func mix(_ address: PeerAddress) {
        mix(address.high)
        mix(address.low ^ UInt64(address.port) << 48)
    }

    mutating func mix(_ id: MemberID?) { mix(id.map { UInt64($0.index) } ?? .max) }
}

// MARK: - Of a core and its effects

extension Digest {
    /// Takes in what a core did in answer to one input. It reads the core only: see ``Inhabitant/readNextWake()``.
    mutating func mix(_ effects: Effects, of core: inout Membership) {
        for datagram in effects.datagrams {
            mix(datagram.to)
            mix(datagram.recipient)
            for message in datagram.messages { mix(message) }
        }
        for effect in effects.streams { mix(effect) }
        mix(effects.events.count)
        mix(core.nextWake.nanoseconds)
        mix(UInt64(core.incarnation) << 32 | UInt64(core.healthScore))
        mix(UInt64(core.listed) << 32 | UInt64(core.present))
        mix(core.viewChecksum)
    }

    private mutating func mix(_ effect: StreamEffect) {
        switch effect {
        case .open(let stream, let address, let request, let isAnswered, let deadline):
            mix(UInt64(stream.number) << 2 | (isAnswered ? 1 : 0))
            mix(address)
            mix(request)
            mix(deadline.nanoseconds)
        case .answer(let stream, let message):
            mix(UInt64(stream.number) << 2 | 2)
            mix(message)
        case .close(let stream):
            mix(UInt64(stream.number) << 2 | 3)
        }
    }

    mutating func mix(_ message: Message) {
        switch message {
        case .ping(let ping):
            mix(0)
            mix(ping)
        case .indirectPing(let ping):
            mix(1)
            mix(UInt64(ping.sequence) << 1 | (ping.wantsNack ? 1 : 0))
            mix(ping.target)
            mix(ping.node)
            mix(ping.source)
        case .ack(let ack):
            mix(2)
            mix(ack)
        case .nack(let sequence): mix(UInt64(sequence) << 8 | 3)
        case .alive(let announcement):
            mix(UInt64(announcement.incarnation) << 8 | 4)
            mix(announcement.node)
            mix(announcement.record)
        case .suspect(let accusation): mix(accusation, kind: 5)
        case .dead(let accusation): mix(accusation, kind: 6)
        case .user(let bytes):
            mix(7)
            mix(bytes)
        case .viewChecksum(let checksum):
            mix(8)
            mix(checksum)
        }
    }

    mutating func mix(_ message: StreamMessage) {
        switch message {
        case .pushPull(let exchange):
            mix(16 + (exchange.isJoin ? 1 : 0))
            mix(exchange.members.count)
            for claim in exchange.members {
                mix(claim.node)
                mix(UInt64(claim.incarnation) << 8 | UInt64(claim.state.rawValue))
                mix(claim.record)
            }
            mix(exchange.userState)
        case .ping(let ping):
            mix(18)
            mix(ping)
        case .ack(let ack):
            mix(19)
            mix(ack)
        case .user(let bytes):
            mix(20)
            mix(bytes)
        case .error(let text):
            mix(21)
            mix(Array(text.utf8))
        }
    }

    private mutating func mix(_ ping: Ping) {
        mix(ping.sequence)
        mix(ping.node)
        mix(ping.source)
    }

    private mutating func mix(_ ack: Ack) {
        mix(ack.sequence)
        mix(ack.payload)
    }

    private mutating func mix(_ accusation: Accusation, kind: UInt64) {
        mix(UInt64(accusation.incarnation) << 8 | kind)
        mix(accusation.node)
        mix(accusation.from)
    }

    private mutating func mix(_ source: PingSource?) {
        guard let source else { return mix(0) }
        mix(source.address)
        mix(source.node)
    }

    /// Of the meta its beginning: push-pulls have hundreds, and a core hands them on whole or not at all.
    private mutating func mix(_ record: MemberRecord) {
        mix(record.address)
        mix(UInt64(record.meta.count) << 2 | (record.isRemora ? 2 : 0) | (record.hasMeta ? 1 : 0))
        for byte in record.meta.prefix(24) { mix(byte) }
    }
}
