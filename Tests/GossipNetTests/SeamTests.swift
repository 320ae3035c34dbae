// What a driver tells its core, and when: seen by a core that only writes it down.

import Glibc
import Gossip
import GossipWire
import Reactor
import TLS
import Testing
import Vocabulary

@testable import GossipNet

/// What a scribe was told, in order.
private final class Notes {
    var lines: [String] = []
    var times: [Instant] = []
    /// What it wants done at its next wake.
    var wanted = Effects()
}

/// A core that knows nobody.
private struct Scribe: GossipCore {
    let notes: Notes
    let id: MemberID
    let fleet: Membership
    var nextWake = Instant(nanoseconds: .max)

    private func note(_ line: String, _ now: Instant) {
        notes.lines.append(line)
        notes.times.append(now)
    }

    mutating func start(at now: Instant, into effects: inout Effects) { note("start", now) }
    mutating func join(_ seeds: [PeerAddress], at now: Instant, into effects: inout Effects) { note("join", now) }
    mutating func leave(at now: Instant, into effects: inout Effects) { note("leave", now) }

    mutating func wake(at now: Instant, into effects: inout Effects) {
        note("wake", now)
        nextWake = Instant(nanoseconds: .max)
        effects = notes.wanted
        notes.wanted = Effects()
    }

    mutating func receive(_ message: Message, from sender: PeerAddress, at now: Instant, into effects: inout Effects) {
        note("message", now)
    }

    mutating func receive(
        _ message: StreamMessage, on stream: StreamID, from peer: PeerAddress, at now: Instant,
        into effects: inout Effects
    ) { note("stream \(stream.side)", now) }

    mutating func fail(_ stream: StreamID, at now: Instant, into effects: inout Effects) {
        note("failed \(stream.number)", now)
    }

    mutating func failSending(to address: PeerAddress, isOurs: Bool, at now: Instant, into effects: inout Effects) {
        note(isOurs ? "unsent for us" : "unsent for it", now)
    }

    var hasSaidGoodbye: Bool { false }
    static var longestGoodbye: Duration { .milliseconds(100) }
    static var linger: Duration { .zero }
}

@Suite("A driver and its core", .serialized)
struct SeamTests {
    private let notes = Notes()
    private let driver: GossipDriver<Scribe>

    init() throws {
        let directory = Directory()
        let id = directory.intern("scribe")
        let record = MemberRecord(
            address: PeerAddress(SocketAddress.IPv4.loopback, port: 1), meta: nil, versions: .serf, isRemora: false)
        let fleet = Membership(
            name: id, record: record, options: .local, directory: directory, random: SeededRandom(seed: 1))
        let core = Scribe(notes: notes, id: id, fleet: fleet)
        driver = try GossipDriver(
            core, on: GossipSockets(binding: .ipv4(.loopback, port: 0)),
            layers: Layers(options: LayerOptions(), keyring: nil), directory: directory, streamTimeout: .seconds(1))
    }

    private func wake(wanting effects: Effects = Effects()) {
        notes.wanted = effects
        driver.command { core, now, _ in core.nextWake = now }
        driver.turn()
    }

    private func run(until isSo: () -> Bool) throws {
        let deadline = Kernel.now() + patience
        while !isSo() {
            try #require(Kernel.now() < deadline, "\(notes.lines)")
            driver.turn()
            poll(nil, 0, 1)
        }
    }

    private func peer(_ bits: UInt32, port: UInt16 = 7946) -> PeerAddress {
        PeerAddress(SocketAddress.IPv4(bits: bits), port: port)
    }

    @Test("What lies in the socket is handed over before a core that is due is woken, all of it")
    func datagramsFirst() throws {
        let stranger = try Stranger()
        let ping: [UInt8] = {
            var bytes: [UInt8] = []
            MessageEncoder.append(
                .nack(sequence: 1), to: &bytes, directory: driver.directory)
            return bytes
        }()
        for _ in 0..<150 { stranger.send(ping, to: driver.address) }
        wake()
        #expect(notes.lines == Array(repeating: "message", count: 150) + ["wake"])
        #expect(notes.times == notes.times.sorted())
    }

    @Test("A core that is not due is not woken")
    func notDue() {
        driver.start(joining: [])
        driver.turn()
        #expect(notes.lines == ["start"])
        driver.command { core, now, _ in core.nextWake = now + .seconds(60) }
        driver.turn()
        #expect(notes.lines == ["start"])
        #expect(driver.nextWake <= Kernel.now() + .seconds(60))
    }

    @Test("A datagram that this machine does not send is told as ours")
    func unsent() {
        // A broadcast that is not allowed, and a message that no datagram holds.
        for (address, length) in [(peer(0xFFFF_FFFF), 4), (driver.address, 70_000)] {
            notes.lines = []
            // Noise does not get smaller by compression.
            var random = SeededRandom(seed: 1)
            let noise = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            var effects = Effects()
            effects.datagrams = [Datagram(to: address, recipient: nil, messages: [.user(noise)])]
            wake(wanting: effects)
            #expect(notes.lines == ["wake", "unsent for us"])
        }
        #expect(driver.counters.unsentDatagrams == 2)
        #expect(driver.counters.sentDatagrams == 0)
    }

    @Test(
        "Only what was learned of the target speaks against it",
        arguments: [
            (ECONNREFUSED, true), (EHOSTUNREACH, true), (ENETUNREACH, false), (EAGAIN, false), (ENOBUFS, false),
            (EMSGSIZE, false), (EPERM, false), (EACCES, false), (EINVAL, false), (ENETDOWN, false),
        ])
    func classification(code: Int32, isOfTarget: Bool) {
        #expect(SystemError(code: code).isOfTarget == isOfTarget)
    }

    @Test("A stream to a closed port fails, one to a silent member fails by its deadline, each once")
    func failures() throws {
        let closed = try GossipSockets(binding: .ipv4(LoopbackFleet.spare, port: 0)).address
        let silent = try GossipSockets(binding: .ipv4(.loopback, port: 0))
        var effects = Effects()
        let deadline = Kernel.now() + .seconds(2)
        effects.streams = [(1, closed), (2, silent.address)].map { number, address in
            .open(
                StreamID(side: .opened, number: number), to: address, request: .ping(Ping(sequence: 1, node: nil)),
                isAnswered: true, deadline: deadline)
        }
        wake(wanting: effects)
        try run(until: { notes.lines.contains("failed 1") })
        #expect(Kernel.now() < deadline)
        try run(until: { notes.lines.contains("failed 2") })
        #expect(Kernel.now() >= deadline)
        try run(until: { driver.streams.isEmpty })
        #expect(notes.lines == ["wake", "failed 1", "failed 2"])
        #expect(notes.times == notes.times.sorted())
    }

    @Test("A core that is due hears first of a stream whose time is over, and then of no earlier moment")
    func failedBeforeWake() throws {
        let silent = try GossipSockets(binding: .ipv4(.loopback, port: 0))
        var effects = Effects()
        effects.streams = [
            .open(
                StreamID(side: .opened, number: 1), to: silent.address, request: .ping(Ping(sequence: 1, node: nil)),
                isAnswered: true, deadline: Kernel.now())
        ]
        wake(wanting: effects)
        wake()
        #expect(notes.lines == ["wake", "failed 1", "wake"])
        #expect(notes.times == notes.times.sorted())
    }

    @Test("A message that is not answered is sent whole, and its stream ends without a word to the core")
    func unanswered() throws {
        let other = try LoopbackFleet(["a"])
        var effects = Effects()
        effects.streams = [
            .open(
                StreamID(side: .opened, number: 1), to: other.nodes[0].address, request: .user([1, 2, 3]),
                isAnswered: false, deadline: Kernel.now() + .seconds(5))
        ]
        wake(wanting: effects)
        try run(until: {
            other.nodes[0].driver.turn()
            return other.nodes[0].heard { if case .user([1, 2, 3], _) = $0 { true } else { false } } == 1
                && driver.streams.isEmpty
        })
        #expect(notes.lines == ["wake"])
    }

    @Test("More streams at once than the limit fail, and the others go on")
    func manyStreams() throws {
        let silent = try GossipSockets(binding: .ipv4(.loopback, port: 0))
        var effects = Effects()
        effects.streams = (1...UInt32(StreamLimits.opened + 2)).map { number in
            .open(
                StreamID(side: .opened, number: number), to: silent.address,
                request: .ping(Ping(sequence: 1, node: nil)), isAnswered: true, deadline: Kernel.now() + .seconds(60))
        }
        wake(wanting: effects)
        #expect(notes.lines == ["wake", "failed \(StreamLimits.opened + 1)", "failed \(StreamLimits.opened + 2)"])
        #expect(driver.streams.count == StreamLimits.opened)
    }

    @Test("A core that neither answers nor closes an accepted stream has it closed")
    func forgottenStream() throws {
        let stranger = try Stranger(connectedTo: driver.address)
        var request: [UInt8] = []
        MessageEncoder.append(.user([1]) as StreamMessage, to: &request, directory: driver.directory)
        stranger.send(request)
        try run(until: { notes.lines == ["stream accepted"] && driver.streams.isEmpty })
        // By the driver, and not because its time was over.
        #expect(driver.counters.failedStreams == 0)
    }
}
