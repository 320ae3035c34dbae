import Foundation
import Glibc
import TLS
import Testing
import Vocabulary

@Suite("Records that nobody should send")
struct MutationTests {
    /// Handshakes with one record changed, of each change as many; `REMORA_SEEDS` asks for more or fewer.
    static let mutations = ProcessInfo.processInfo.environment["REMORA_SEEDS"].flatMap(UInt64.init) ?? 340

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

    /// Lets both sides say a stream to its end through `carry`, and checks what they heard.
    /// - Parameter carry: moves what one socket gives to the other; false where there is nothing.
    /// - Returns: whether everything arrived.
    private func converse(
        _ conversation: Conversation, over near: (Int32, Int32), _ far: (Int32, Int32), seed: UInt64,
        bytes counts: (up: Int, down: Int), through carry: (_ source: Int32, _ sink: Int32) -> Bool
    ) throws -> Bool {
        let (up, down) = (bytes(counts.up, seed: seed), bytes(counts.down, seed: seed + 1000))
        conversation.client.outgoing = up[...]
        conversation.server.outgoing = down[...]
        conversation.client.finishes = true
        conversation.server.finishes = true
        var idle = 0
        while idle < 3 {
            var progress = false
            for party in conversation.parties where party.step() { progress = true }
            while carry(near.1, far.1) { progress = true }
            while carry(far.1, near.1) { progress = true }
            idle = progress ? 0 : idle + 1
        }
        // Then the sockets end, for whoever still waits
        shutdown(near.1, Int32(SHUT_WR))
        shutdown(far.1, Int32(SHUT_WR))
        try run(conversation.parties) { conversation.parties.allSatisfy { $0.end != .open } }
        close(near.1)
        close(far.1)
        #expect(conversation.server.received[...] == up.prefix(conversation.server.received.count))
        #expect(conversation.client.received[...] == down.prefix(conversation.client.received.count))
        for party in conversation.parties where party.end == .failed { #expect(party.handle.fault != nil) }
        return conversation.server.received == up && conversation.client.received == down
    }

    @Test(
        "Whatever is changed on the way, no wrong byte is delivered, and a changed stream comes to a bad end",
        arguments: 1...25 as ClosedRange<UInt64>, [0, 60, 500] as [UInt32])
    func mutated(seed: UInt64, rate: UInt32) throws {
        var mutator = Mutator(random: SeededRandom(seed: seed), rate: rate)
        let (server, client) = (try certificates.server(), try certificates.client())
        let (near, far) = (Loopback.pair(), Loopback.pair())
        let conversation = try Conversation(client, server, wires: (Wire(), Wire()), sockets: (near.0, far.0))
        let areWhole = try converse(conversation, over: near, far, seed: seed, bytes: (40_000, 30_000)) {
            mutator.carry(from: $0, to: $1)
        }
        if mutator.changes == 0 {
            #expect(areWhole && conversation.parties.allSatisfy { $0.end == .ended })
        } else if conversation.parties.allSatisfy({ $0.end == .ended }) {
            // What was changed lay behind the end.
            #expect(areWhole)
        }
    }

    // MARK: Whole records

    /// Carries whole records, one of which is changed into others that are well formed by themselves.
    private struct RecordMutator {
        /// What becomes of the chosen record.
        enum Change: UInt32, CaseIterable {
            case none, flipped, shortened, lengthened, emptied, doubled, dropped, delayed, ofOtherType, ofOtherVersion
            case withWrongLength, withWrongMessageLength, split, behindAlert, behindChange, behindData, behindWarnings
        }

        var random: SeededRandom
        var change: Change
        /// Which record of both directions is changed.
        var place: Int
        private var seen = 0
        /// By its source: of a record that has not come whole.
        private var unread: [Int32: [UInt8]] = [:]
        /// By its sink: a record that follows the next one.
        private var delayed: [Int32: [UInt8]] = [:]
        /// What was changed is the same to its reader.
        private(set) var isHarmless = true

        init(seed: UInt64, _ change: Change) {
            random = SeededRandom(seed: seed)
            self.change = change
            place = Int(random.below(9))
        }

        mutating func carry(from source: Int32, to sink: Int32) -> Bool {
            var piece = [UInt8](repeating: 0, count: 20_000)
            let count = unsafe recv(source, &piece, piece.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return false }
            var bytes = unread[source, default: []] + piece.prefix(count)
            while bytes.count >= 5, case let length = 5 + Int(bytes[3]) << 8 + Int(bytes[4]), bytes.count >= length {
                let record = Array(bytes.prefix(length))
                bytes.removeFirst(length)
                var output = seen == place ? changed(record, sink) : record
                if seen != place, let late = delayed.removeValue(forKey: sink) { output += late }
                seen += 1
                _ = unsafe send(sink, output, output.count, Int32(MSG_NOSIGNAL))
            }
            unread[source] = bytes
            return true
        }

        private func record(_ type: UInt8, _ body: some Collection<UInt8>) -> [UInt8] {
            [type, 3, 3, UInt8(body.count >> 8), UInt8(body.count & 255)] + body
        }

        private mutating func changed(_ original: [UInt8], _ sink: Int32) -> [UInt8] {
            isHarmless = false
            var (type, body) = (original[0], Array(original.dropFirst(5)))
            switch change {
            case .none:
                isHarmless = true
                return original
            case .flipped:
                body[Int(random.below(UInt32(body.count)))] ^= 1 << UInt8(random.below(8))
            case .shortened:
                body.removeLast(1 + Int(random.below(UInt32(body.count))))
            case .lengthened:
                body += (0...random.below(300)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            case .emptied:
                body = []
            case .doubled:
                return original + original
            case .dropped:
                return []
            case .delayed:
                delayed[sink] = original
                return []
            case .ofOtherType:
                type = UInt8(20 + random.below(5))
            case .ofOtherVersion:
                return [type, UInt8(random.below(5)), UInt8(random.below(256))] + original.dropFirst(3)
            case .withWrongLength:
                let length = UInt16(truncatingIfNeeded: random.next())
                return [type, 3, 3, UInt8(length >> 8), UInt8(length & 255)] + body
            case .withWrongMessageLength:
                for place in 1...3 where place < body.count { body[place] = UInt8(truncatingIfNeeded: random.next()) }
            case .split:
                // What is not encrypted may be cut anywhere (RFC 8446 §5.1).
                isHarmless = type == 22
                let cut = 1 + Int(random.below(UInt32(body.count)))
                guard cut < body.count else { return original }
                return record(type, body[..<cut]) + record(type, body[cut...])
            case .behindAlert:
                return record(21, [UInt8(1 + random.below(2)), UInt8(random.below(121))]) + original
            case .behindChange:
                return record(20, [UInt8(random.below(3))]) + original
            case .behindData:
                return record(23, (0..<40).map { _ in UInt8(truncatingIfNeeded: random.next()) }) + original
            case .behindWarnings:
                return (0..<50).flatMap { _ in record(21, [1, 41]) } + original
            }
            return record(type, body)
        }
    }

    @Test(
        "A record of the handshake that is changed into others gives no wrong byte, no hang, and where it matters a bad end",
        arguments: 1...Self.mutations)
    func mutatedRecords(seed: UInt64) throws {
        let changes = RecordMutator.Change.allCases
        var mutator = RecordMutator(seed: seed, changes[Int(seed) % changes.count])
        // With and without a client's certificate, anew and resumed
        let asks = seed.isMultiple(of: 2)
        let server = try certificates.server(clients: asks ? .required(certificates.authorities()) : .none)
        let client = try certificates.client(certificate: asks ? "client" : nil)
        let sessions = SessionStore()
        if seed.isMultiple(of: 3) {
            let first = try Conversation(client, server, sessions: sessions, wires: (Wire(), Wire()))
            first.server.outgoing = [1]
            try first.finish()
        }
        let (near, far) = (Loopback.pair(), Loopback.pair())
        let conversation = try Conversation(
            client, server, sessions: sessions, wires: (Wire(), Wire()), sockets: (near.0, far.0))
        let areWhole = try converse(conversation, over: near, far, seed: seed, bytes: (3000, 2000)) {
            mutator.carry(from: $0, to: $1)
        }
        let haveEnded = conversation.parties.allSatisfy { $0.end == .ended }
        if mutator.isHarmless { #expect(areWhole && haveEnded, "\(mutator.change) of record \(mutator.place)") }
        if haveEnded { #expect(areWhole, "\(mutator.change) of record \(mutator.place)") }
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
