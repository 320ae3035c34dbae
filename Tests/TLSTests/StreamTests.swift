import Foundation
import Glibc
import TLS
import Testing
import Vocabulary

@Suite("Encrypted streams")
struct StreamTests {
    /// Handshakes at once; fewer for the sanitizers, which are built without the outer modules.
    private static let crowdSize = ProcessInfo.processInfo.environment["REMORA_SANITIZED"] == nil ? 2000 : 200

    let certificates: Certificates

    init() throws { certificates = try Certificates.shared.get() }

    @Test("A handshake settles version, protocol and name", arguments: ProtocolVersion.allCases)
    func terms(version: ProtocolVersion) throws {
        let server = try certificates.server(protocols: ["h2", "http/1.1"], minimum: version)
        let client = try certificates.client(protocols: ["http/1.1", "h2"], minimum: version)
        let conversation = try Conversation(client, server, wires: (Wire(), Wire()))
        try conversation.shakeHands()
        for party in conversation.parties {
            let terms = party.handle.terms
            #expect(terms.version == "TLSv1.3")
            // The server's order decides.
            #expect(terms.applicationProtocol == "h2")
            #expect(terms.serverName == "a.edge")
            #expect(!terms.isResumed)
        }
        #expect(conversation.server.handle.peerNames.isEmpty)
        #expect(conversation.client.handle.peerNames.contains(.dns("a.edge")))
    }

    @Test(
        "Bytes of every size arrive as they were sent, in both directions at once", arguments: [1, 100, 16_384, 16_385])
    func sizes(size: Int) throws {
        let conversation = try Conversation(certificates.client(), certificates.server(), wires: (Wire(), Wire()))
        let (up, down) = (bytes(size * 7, seed: 1), bytes(size * 5 + 1, seed: 2))
        conversation.client.outgoing = up[...]
        conversation.client.sendSize = size
        conversation.server.outgoing = down[...]
        conversation.server.sendSize = size
        try conversation.finish()
        #expect(conversation.server.received == up && conversation.client.received == down)
        #expect(conversation.parties.allSatisfy { $0.end == .ended && $0.handle.fault == nil })
    }

    @Test("One wire serves many pipes, and nothing of one is seen by another")
    func sharedWire() throws {
        let wire = Wire()
        let (server, client) = (try certificates.server(), try certificates.client())
        var conversations: [Conversation] = []
        for index in 0..<20 {
            let conversation = try Conversation(client, server, wires: (wire, wire))
            conversation.client.outgoing = bytes(100_000, seed: UInt64(index))[...]
            conversation.server.outgoing = bytes(50_000, seed: UInt64(100 + index))[...]
            conversation.client.sendSize = 100 + 997 * index
            conversation.client.finishes = true
            conversation.server.finishes = true
            conversations.append(conversation)
        }
        let parties = conversations.flatMap(\.parties)
        try run(parties) { parties.allSatisfy { $0.isDone && $0.end != .open } }
        for (index, conversation) in conversations.enumerated() {
            #expect(conversation.server.received == bytes(100_000, seed: UInt64(index)))
            #expect(conversation.client.received == bytes(50_000, seed: UInt64(100 + index)))
        }
        #expect(wire.pipes == 40)
        conversations = []
    }

    @Test("A slow reader stops the sender, which keeps no more than one write for it")
    func slowReader() throws {
        let conversation = try Conversation(
            certificates.client(), certificates.server(), wires: (Wire(), Wire()), sockets: Loopback.tcpPair())
        try conversation.shakeHands()
        let sent = bytes(24 << 20, seed: 3)
        conversation.client.outgoing = sent[...]
        conversation.client.sendSize = 1 << 20
        conversation.server.isSlow = true
        while conversation.client.step() {}
        #expect(conversation.client.handle.isBlocked)
        #expect(conversation.client.handle.keptBytes < Wire.largestWrite + 4096)
        #expect(conversation.client.outgoing.count > 1 << 20)
        // It reads by small pieces then, so that what is kept goes out by pieces too.
        conversation.server.isSlow = false
        conversation.server.receiveSize = Wire.slack + 3000
        try conversation.finish()
        #expect(conversation.server.received == sent)
        #expect(!conversation.client.handle.isBlocked && conversation.client.handle.keptBytes == 0)
    }

    // MARK: Sends

    @Test("One send carries a full write with all its records")
    func gathering() throws {
        let conversation = try Conversation(
            certificates.client(), certificates.server(), wires: (Wire(), Wire()), sockets: Loopback.messagePair())
        try conversation.shakeHands()
        _ = Loopback.messages(at: conversation.client.descriptor)
        let written = bytes(Wire.largestWrite, seed: 10)
        let writing = unsafe written.withUnsafeBytes { unsafe conversation.server.handle.send($0) }
        #expect(writing.count == written.count && !writing.isBlocked)
        // Sixteen records, of 16 KiB each, with 22 bytes around them
        #expect(Loopback.messages(at: conversation.client.descriptor).map(\.count) == [16 * (16_384 + 22)])
    }

    @Test("The last bytes and close_notify are one send, and the end is heard behind them")
    func lastBytes() throws {
        let conversation = try Conversation(
            certificates.client(), certificates.server(), wires: (Wire(), Wire()), sockets: Loopback.messagePair())
        try conversation.shakeHands()
        _ = Loopback.messages(at: conversation.client.descriptor)
        let last: [UInt8] = [1, 2, 3]
        let writing = unsafe last.withUnsafeBytes { unsafe conversation.server.handle.send($0, ends: true) }
        #expect(!writing.hasFailed && conversation.server.handle.isFinished)
        let messages = Loopback.messages(at: conversation.client.descriptor)
        // A record of the three bytes, and one of the alert's two
        #expect(messages.map(\.count) == [3 + 22 + 2 + 22])
        // And to end once more says nothing
        _ = conversation.server.handle.finish()
        #expect(Loopback.messages(at: conversation.client.descriptor).isEmpty)
    }

    @Test("An end that was sent along with bytes which the socket has no room for comes behind all of them")
    func lastBytesOfMany() throws {
        let conversation = try Conversation(
            certificates.client(), certificates.server(), wires: (Wire(), Wire()), sockets: Loopback.tcpPair())
        try conversation.shakeHands()
        let sent = bytes(24 << 20, seed: 11)
        conversation.server.outgoing = sent[...]
        conversation.server.sendSize = sent.count
        conversation.server.endsAlong = true
        conversation.client.isSlow = true
        while conversation.server.step() {}
        #expect(conversation.server.handle.isBlocked && !conversation.server.handle.isFinished)
        conversation.client.isSlow = false
        try run(conversation.parties) { conversation.client.end != .open }
        #expect(conversation.client.end == .ended && conversation.client.received == sent)
        #expect(conversation.server.handle.isFinished && conversation.server.handle.fault == nil)
    }

    @Test("A server's tickets wait for its first bytes, and go without them where none come")
    func ticketsWait() throws {
        let (client, server) = (try certificates.client(), try certificates.server())
        // A process that rests for 200 ms between two calls gives the kernel time to send by itself: seldom, and not
        // each time.
        let segments = try (0..<5).map { _ in
            let conversation = try Conversation(client, server, wires: (Wire(), Wire()), sockets: Loopback.tcpPair())
            try conversation.shakeHands()
            _ = unsafe bytes(500, seed: 12).withUnsafeBytes { unsafe conversation.server.handle.send($0) }
            try run(conversation.parties) { conversation.client.received.count == 500 }
            return Loopback.segmentsSent(by: conversation.server.descriptor)
        }
        // The hello up to Finished, and the tickets with the bytes.
        #expect(segments.contains(2) && segments.allSatisfy { $0 <= 3 }, "\(segments)")
        // And where nobody says anything
        let conversation = try Conversation(client, server, wires: (Wire(), Wire()), sockets: Loopback.tcpPair())
        try conversation.shakeHands()
        var wait = pollfd(fd: conversation.client.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(unsafe poll(&wait, 1, Int32(patience) * 1000) == 1)
    }

    // MARK: Ends

    @Test("Each direction ends by itself", arguments: [false, true])
    func halfClose(serverFirst: Bool) throws {
        let conversation = try Conversation(certificates.client(), certificates.server(), wires: (Wire(), Wire()))
        try conversation.shakeHands()
        let first = serverFirst ? conversation.server : conversation.client
        let second = serverFirst ? conversation.client : conversation.server
        // Given one side that has ended, to the socket's end
        first.outgoing = bytes(1000, seed: 4)[...]
        first.finishes = true
        try run(conversation.parties) { second.end == .ended && first.isDone }
        #expect(second.received.count == 1000 && first.end == .open)
        // Then the other may go on for long
        let answer = bytes(1 << 20, seed: 5)
        second.outgoing = answer[...]
        try run(conversation.parties) { second.isDone && first.received.count == answer.count }
        second.finishes = true
        try run(conversation.parties) { first.end != .open }
        #expect(first.end == .ended && first.received == answer && first.handle.fault == nil)
    }

    @Test("A missing close_notify is an abort, told after all that came before it")
    func truncation() throws {
        let conversation = try Conversation(certificates.client(), certificates.server(), wires: (Wire(), Wire()))
        try conversation.shakeHands()
        conversation.client.outgoing = bytes(300_000, seed: 6)[...]
        try run(conversation.parties) { conversation.client.outgoing.isEmpty && conversation.client.isDone }
        shutdown(conversation.client.descriptor, Int32(SHUT_WR))
        try run(conversation.parties) { conversation.server.end != .open }
        #expect(conversation.server.end == .failed && conversation.server.handle.fault == .truncated)
        #expect(conversation.server.received == bytes(300_000, seed: 6))
    }

    @Test("A record that is cut off is an abort too, and none of it is delivered")
    func cutRecord() throws {
        let conversation = try Conversation(certificates.client(), certificates.server(), wires: (Wire(), Wire()))
        try conversation.shakeHands()
        var head: [UInt8] = [23, 3, 3, 0x40, 0, 1, 2, 3]
        #expect(unsafe send(conversation.client.descriptor, &head, head.count, Int32(MSG_NOSIGNAL)) == head.count)
        shutdown(conversation.client.descriptor, Int32(SHUT_WR))
        try run([conversation.server]) { conversation.server.end != .open }
        #expect(conversation.server.handle.fault == .truncated && conversation.server.received.isEmpty)
    }

    @Test("A reset is an abort with the kernel's reason, after the bytes before it")
    func reset() throws {
        let conversation = try Conversation(
            certificates.client(), certificates.server(), wires: (Wire(), Wire()), sockets: Loopback.tcpPair())
        try conversation.shakeHands()
        conversation.client.outgoing = bytes(10, seed: 7)[...]
        try run(conversation.parties) { conversation.server.received.count == 10 }
        conversation.client.reset()
        try run([conversation.server]) { conversation.server.end != .open }
        #expect(conversation.server.handle.fault == .system(code: ECONNRESET))
        #expect(conversation.server.handle.fault?.description == "Connection reset by peer")
    }

    @Test("An end within the handshake is one, at every stage of it", arguments: 0..<6)
    func cutOff(stage: Int) throws {
        let conversation = try Conversation(certificates.client(), certificates.server(), wires: (Wire(), Wire()))
        for turn in 0..<stage { (turn.isMultiple(of: 2) ? conversation.client : conversation.server).step() }
        shutdown(conversation.client.descriptor, Int32(SHUT_WR))
        try run([conversation.server]) { conversation.server.end != .open }
        let wasOver = stage >= 3
        #expect(conversation.server.handle.fault == (wasOver ? .truncated : .cutOff))
    }

    @Test("Bytes that come with the last message of the handshake are delivered in the same turn")
    func earlyBytes() throws {
        let conversation = try Conversation(certificates.client(), certificates.server(), wires: (Wire(), Wire()))
        conversation.client.outgoing = bytes(500, seed: 8)[...]
        conversation.client.step()
        conversation.server.step()
        // The client finishes its handshake and sends before the server is asked again.
        conversation.client.step()
        #expect(!conversation.server.handle.isEstablished)
        conversation.server.step()
        #expect(conversation.server.handle.isEstablished && conversation.server.received.count == 500)
    }

    // MARK: Much

    @Test(
        "Up to 100 MiB each way at once arrive byte for byte, in records of any size",
        arguments: [(16, 1 << 20), (1 << 20, 200 << 10), (4093, 20 << 10)])
    func bulk(sendSize: Int, receiveSize: Int) throws {
        // Small records cost thousands of instructions each; there fewer bytes show the same.
        let total = sendSize < 1024 ? 1 << 20 : sendSize < 64 << 10 ? 10 << 20 : 100 << 20
        let conversation = try Conversation(certificates.client(), certificates.server(), wires: (Wire(), Wire()))
        var ends: [StreamEnd] = []
        for party in conversation.parties {
            party.sendSize = sendSize
            party.receiveSize = min(receiveSize, 200 << 10)
            ends.append(StreamEnd(party, total: total))
        }
        try run(conversation.parties) {
            for end in ends { end.turn() }
            return ends.allSatisfy { $0.isOver }
        }
        #expect(ends.allSatisfy { $0.isRight && $0.received == total })
    }

    @Test("2,000 handshakes at once come to an end, each with its bytes")
    func crowd() throws {
        let (server, client) = (try certificates.server(), try certificates.client())
        let wire = Wire()
        var conversations: [Conversation] = []
        for _ in 0..<Self.crowdSize {
            let conversation = try Conversation(client, server, wires: (wire, wire))
            conversation.client.outgoing = [1, 2, 3]
            conversation.client.finishes = true
            conversation.server.outgoing = [4, 5]
            conversation.server.finishes = true
            conversations.append(conversation)
        }
        let parties = conversations.flatMap(\.parties)
        var turns = 0
        while !parties.allSatisfy({ $0.isDone && $0.end != .open }) {
            for party in parties { party.step() }
            turns += 1
            guard turns < 100 else { throw TooLate() }
        }
        #expect(conversations.allSatisfy { $0.server.received == [1, 2, 3] && $0.client.received == [4, 5] })
        #expect(parties.allSatisfy { $0.end == .ended })
    }
}

/// Pseudo-random bytes that the other end can make as well.
func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    var result: [UInt8] = []
    result.reserveCapacity(count + 8)
    while result.count < count {
        var word = random.next()
        unsafe withUnsafeBytes(of: &word) { unsafe result.append(contentsOf: $0) }
    }
    result.removeLast(result.count - count)
    return result
}

/// Sends and checks a stream that repeats a block, without ever holding it whole.
private final class StreamEnd {
    private static let block = bytes(1 << 20, seed: 99)
    private let party: Party
    private let total: Int
    private var queued = 0
    private(set) var received = 0
    private(set) var isRight = true

    init(_ party: Party, total: Int) {
        (self.party, self.total) = (party, total)
    }

    var isOver: Bool { party.isDone && party.end != .open }

    func turn() {
        if party.outgoing.isEmpty, queued < total {
            party.outgoing = Self.block.prefix(min(Self.block.count, total - queued))
            queued += party.outgoing.count
        }
        if queued == total { party.finishes = true }
        let came = party.takeReceived()
        var place = 0
        while place < came.count {
            let offset = received % Self.block.count
            let part = min(came.count - place, Self.block.count - offset)
            if came[place..<place + part] != Self.block[offset..<offset + part] { isRight = false }
            place += part
            received += part
        }
    }
}
