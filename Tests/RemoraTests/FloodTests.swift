// A member of a sealed fleet that a stranger on loopback floods: with noise, with what another key sealed, and with the
// fleet's own datagrams of before.

import Admin
import Foundation
import Glibc
import Gossip
import GossipWire
import Reactor
import Stats
import TLS
import Testing
import Vocabulary

@testable import GossipNet

@Suite("Floods", .serialized)
struct FloodTests {
    private static let key = [UInt8](repeating: 0x5A, count: 32)
    /// How long each lasts.
    private static let length = Duration.seconds(3)

    /// A member of the fleet, with the profile lan: an answer that a flood keeps out has time to come by stream.
    private static func config(_ name: String, _ host: String, join: [String], more: String = "") -> FleetConfig {
        let key = Data(Self.key).base64EncodedString()
        var config = FleetConfig(
            name: name, bind: "\(host):7946", join: join.map { "\($0):7946" }, more: ", keys: [\"\(key)\"]" + more)
        (config.profile, config.tuning) = ("lan", "")
        return config
    }

    /// What a flood may not move.
    private struct View: Equatable {
        var states: [String: String] = [:]
        var incarnations: [String: UInt32] = [:]

        init(_ admin: SocketAddress) throws {
            let members = try members(admin)
            (states, incarnations) = (members.mapValues(\.state), members.mapValues(\.incarnation))
        }
    }

    @Test("Noise and other keys' datagrams at full speed change no member; each is counted, and reading is bounded")
    func strangers() throws {
        let hosts = (0..<3).map { LoopbackHosts.host(200 + $0) }
        try withMember(Self.config("a", hosts[0], join: [])) { a, admin in
            try withMember(Self.config("b", hosts[1], join: [hosts[0]])) { b, other in
                let both = ["a": "alive", "b": "alive"]
                for admin in [admin, other] { try expect(both, seenBy: admin) }
                let before = try View(admin)
                // A build for debugging takes a fifth; without the bound on reading it would take all.
                let otherKey = Self.key.map { $0 ^ 1 }
                let datagrams = try noise() + forgeries(sealedWith: otherKey) + forgeries(sealedWith: nil)
                let counts = try flood(a, admin, at: hosts[0], with: datagrams, processorShare: 0.8) {
                    // Somebody comes in the middle of it, and both learn of it.
                    try withMember(Self.config("c", hosts[2], join: [hosts[0], hosts[1]])) { c, third in
                        let all = ["a": "alive", "b": "alive", "c": "alive"]
                        for admin in [admin, other, third] { try expect(all, seenBy: admin) }
                        c.signal(SIGTERM)
                        #expect(try c.ending() == .exit(0))
                    }
                }
                // Each was refused by the member or dropped by the kernel; whatever it did not refuse, was the fleet's.
                #expect(counts.refused + counts.dropped >= counts.sent)
                #expect(counts.refused <= counts.sent)
                #expect(counts.received - counts.refused < 1000)
                try expect(["a": "alive", "b": "alive", "c": "left"], seenBy: admin)
                #expect(try View(admin).incarnations.filter { $0.key != "c" } == before.incarnations)
                // The same words under the fleet's own key are heard.
                let heard = try Flood(
                    of: try forgeries(sealedWith: Self.key), to: try SocketAddress(parsing: "\(hosts[0]):7946"))
                try Wait.until(try members(admin)["ghost"]?.incarnation, is: 1)
                _ = try heard.stop()
                try expectNobodyDied(a, b)
            }
        }
    }

    @Test("A fleet's own datagrams, played again at full speed, change no member and bring nobody back who left")
    func replay() throws {
        let hosts = (0..<4).map { LoopbackHosts.host(204 + $0) }
        try withMember(Self.config("a", hosts[0], join: [])) { a, admin in
            try withMember(Self.config("b", hosts[1], join: [hosts[0]])) { b, other in
                // Given what passes between them and a third one, until it leaves
                let place = try SocketAddress(parsing: "\(hosts[2]):7946")
                let tap = try Tap(
                    at: try SocketAddress(parsing: "\(hosts[3]):7946"), before: place,
                    of: try SocketAddress(parsing: "\(hosts[0]):7946"))
                defer { tap.stop() }
                let advertised = ", advertise: \"\(hosts[3]):7946\""
                try withMember(Self.config("c", hosts[2], join: [hosts[0]], more: advertised)) { c, _ in
                    for admin in [admin, other] {
                        try expect(["a": "alive", "b": "alive", "c": "alive"], seenBy: admin)
                    }
                    try Wait.until(tap.captured.count >= 10, is: true)
                    c.signal(SIGTERM)
                    #expect(try c.ending() == .exit(0))
                }
                let all = ["a": "alive", "b": "alive", "c": "left"]
                for admin in [admin, other] { try expect(all, seenBy: admin) }
                let before = (try View(admin), try View(other))
                // Each is opened, read and perhaps answered: in a build for debugging that is 20 times as dear.
                let counts = try flood(a, admin, at: hosts[0], with: tap.captured, processorShare: 1.2) {
                    let end = Kernel.now() + Self.length
                    while Kernel.now() < end {
                        let states = try View(admin).states
                        #expect(states["c"] == "left")
                        poll(nil, 0, 100)
                    }
                }
                // Nothing is wrong with them but their age.
                #expect(counts.refused == 0)
                #expect(counts.received > counts.sent - counts.dropped)
                for admin in [admin, other] { try expect(all, seenBy: admin) }
                #expect(try View(admin) == before.0)
                #expect(try View(other) == before.1)
                try expectNobodyDied(a, b)
            }
        }
    }

    // MARK: Floods

    private struct Counts {
        /// What the flood sent, and what became of all that was sent to the member meanwhile.
        var sent = 0
        var received = 0
        var refused = 0
        var dropped = 0
    }

    /// Floods a member while `body` runs, and for ``length`` at least; its reading and its processor time are bounded.
    /// - Parameter share: of one core, that all its threads together may take.
    private func flood(
        _ member: RemoraProcess, _ admin: SocketAddress, at host: String, with datagrams: [[UInt8]],
        processorShare share: Double, while body: () throws -> Void
    ) throws -> Counts {
        let address = try SocketAddress(parsing: "\(host):7946")
        func counts() throws -> Counts {
            let now = try membership(admin)
            return Counts(
                received: Int(now.receivedDatagramsTotal), refused: Int(now.refusedDatagramsTotal),
                dropped: try droppedDatagrams(at: address))
        }
        let (before, began, processor) = (try counts(), Kernel.now(), try member.processorSeconds())
        let flood = try Flood(of: datagrams, to: address)
        do { try body() } catch {
            _ = try flood.stop()
            throw error
        }
        while Kernel.now() - began < Self.length { poll(nil, 0, 10) }
        let used = try member.processorSeconds() - processor
        let took = Kernel.now() - began
        let sent = try flood.stop()
        // Then it reads what the kernel kept, and says so within a second.
        var after = try counts()
        try Wait.forAnswer {
            after = try counts()
            let accounted = after.received - before.received + after.dropped - before.dropped
            if accounted < sent { throw TooLate(description: "\(accounted) of \(sent) are accounted for") }
        }
        let read = after.received - before.received
        let allowed =
            Double(DatagramBudget.burst) + Double(DatagramBudget.perSecond) * (Kernel.now() - began).inSeconds
        #expect(Double(read) <= allowed)
        #expect(after.dropped > before.dropped, "it was no flood: \(sent) in \(took)")
        #expect(used < share * took.inSeconds)
        return Counts(
            sent: sent, received: read, refused: after.refused - before.refused,
            dropped: after.dropped - before.dropped)
    }

    private func membership(_ admin: SocketAddress) throws -> MembershipReport {
        let body = try get("/stats", from: admin).body
        return try #require(try ReportJSON.decode(StatsReport.self, from: Array(body.utf8)).membership)
    }

    /// That none of them ever held a member for dead. Ends them.
    private func expectNobodyDied(_ remoras: RemoraProcess...) throws {
        for remora in remoras {
            remora.signal(SIGTERM)
            let log = try remora.log.rest()
            for name in ["a", "b", "c"] { #expect(!log.contains("member \(name) is dead")) }
        }
    }

    // MARK: Datagrams

    /// Random bytes, half of which begin like something that is spoken here.
    private func noise() -> [[UInt8]] {
        var random = SeededRandom(seed: 5)
        return (0..<64).map { number in
            var bytes = (0...random.below(400)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if number % 2 == 0 { bytes[0] = UInt8(random.below(14)) }
            return bytes
        }
    }

    /// What makes a suspect and brings somebody in, where it is believed.
    private func forgeries(sealedWith key: [UInt8]?) throws -> [[UInt8]] {
        let directory = Directory()
        let (a, b, ghost) = (directory.intern("a"), directory.intern("b"), directory.intern("ghost"))
        let record = MemberRecord(
            address: PeerAddress(SocketAddress.IPv4.loopback, port: 1), meta: [], versions: .serf, isRemora: false)
        let cipher = try key.map { key in try unsafe key.withUnsafeBytes { try unsafe AESGCM(key: $0) } }
        let layers = Layers(options: LayerOptions(), keyring: cipher.map { Keyring(primary: $0) })
        var codec = GossipCodec(layers: layers, directory: directory)
        let messages: [Message] = [
            .suspect(Accusation(node: b, incarnation: 100, from: a)),
            .suspect(Accusation(node: a, incarnation: 100, from: b)),
            .alive(Announcement(node: ghost, incarnation: 1, record: record)),
        ]
        return try messages.map { message in
            try codec.write([message], withChecksum: true)
            return codec.packet
        }
    }
}
