import Glibc
import TLS
import Testing
import Vocabulary

@Suite("Records that nobody should send")
struct MutationTests {
    let certificates: Certificates

    init() throws { certificates = try Certificates.shared.get() }

    /// Carries what one socket gives to the other, changed now and then.
    private struct Mutator {
        var random: SeededRandom
        /// Of a thousand pieces carried, those that are changed.
        var rate: UInt32
        var changes = 0

        mutating func carry(from source: Int32, to sink: Int32) -> Bool {
            var piece = [UInt8](repeating: 0, count: 1 + Int(random.below(3000)))
            let count = unsafe recv(source, &piece, piece.count, 0)
            guard count > 0 else { return false }
            piece.removeLast(piece.count - count)
            if random.below(1000) < rate {
                changes += 1
                let place = Int(random.below(UInt32(piece.count)))
                switch random.below(5) {
                case 0: piece[place] ^= 1 << UInt8(random.below(8))
                case 1: piece.remove(at: place)
                case 2: piece.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                case 3: piece.append(contentsOf: piece)
                default:
                    piece.insert(
                        contentsOf: [21, 3, 3, 0, 2, UInt8(1 + random.below(2)), UInt8(random.below(120))], at: 0)
                }
            }
            _ = unsafe send(sink, piece, piece.count, Int32(MSG_NOSIGNAL))
            return true
        }
    }

    @Test(
        "Whatever is changed on the way, no wrong byte is delivered, and a changed stream comes to a bad end",
        arguments: 1...25 as ClosedRange<UInt64>, [0, 60, 500] as [UInt32])
    func mutated(seed: UInt64, rate: UInt32) throws {
        var mutator = Mutator(random: SeededRandom(seed: seed), rate: rate)
        let (server, client) = (try certificates.server(), try certificates.client())
        let (near, far) = (Loopback.pair(), Loopback.pair())
        let conversation = try Conversation(client, server, wires: (Wire(), Wire()), sockets: (near.0, far.0))
        let (up, down) = (bytes(40_000, seed: seed), bytes(30_000, seed: seed + 1000))
        conversation.client.outgoing = up[...]
        conversation.server.outgoing = down[...]
        conversation.client.finishes = true
        conversation.server.finishes = true
        var idle = 0
        while idle < 3 {
            var progress = false
            for party in conversation.parties where party.step() { progress = true }
            while mutator.carry(from: near.1, to: far.1) { progress = true }
            while mutator.carry(from: far.1, to: near.1) { progress = true }
            idle = progress ? 0 : idle + 1
        }
        // Then the sockets end, for whoever still waits
        shutdown(near.1, Int32(SHUT_WR))
        shutdown(far.1, Int32(SHUT_WR))
        try run(conversation.parties) { conversation.parties.allSatisfy { $0.end != .open } }
        #expect(conversation.server.received[...] == up.prefix(conversation.server.received.count))
        #expect(conversation.client.received[...] == down.prefix(conversation.client.received.count))
        let areWhole = conversation.server.received == up && conversation.client.received == down
        if mutator.changes == 0 {
            #expect(areWhole && conversation.parties.allSatisfy { $0.end == .ended })
        } else if conversation.parties.allSatisfy({ $0.end == .ended }) {
            // What was changed lay behind the end.
            #expect(areWhole)
        }
        for party in conversation.parties where party.end == .failed { #expect(party.handle.fault != nil) }
        close(near.1)
        close(far.1)
    }

    @Test("Random bytes in place of a handshake end it", arguments: 1...40 as ClosedRange<UInt64>)
    func noise(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let sockets = Loopback.pair()
        let party = Party(serving: sockets.1, try certificates.server())
        var noise = bytes(1 + Int(random.below(5000)), seed: seed)
        // Half of them begin like a record of the handshake.
        if seed.isMultiple(of: 2) {
            noise.replaceSubrange(0..<0, with: [22, 3, 1, UInt8(random.below(64)), 200, 1, 0])
        }
        #expect(unsafe send(sockets.0, noise, noise.count, 0) == noise.count)
        shutdown(sockets.0, Int32(SHUT_WR))
        try run([party]) { party.end != .open }
        #expect(party.end == .failed && party.received.isEmpty)
        close(sockets.0)
    }
}
