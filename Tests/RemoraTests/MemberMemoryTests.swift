// What a member takes that is known and no endpoint of ours: in gossip, in Serf's list, in discovery, in telemetry and in the
// snapshot for the admin port.

import Foundation
import Gossip
import GossipWire
import Testing
import Upstreams
import Vocabulary

@testable import FleetLoad
@testable import Node
@testable import Serf

@Suite("Memory of known members", .serialized)
struct MemberMemoryTests {
    /// Anonymous memory of this process, in bytes (proc(5)).
    private func resident() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let match = try #require(status.firstMatch(of: /RssAnon:\s+(\d+) kB/))
        return try #require(Int(match.1)) << 10
    }

    /// How much each of `count` members takes of what `body` makes of them.
    private func bytes(for count: Int, _ body: () throws -> Void) throws -> Int {
        let before = try resident()
        try body()
        return (try resident() - before) / count
    }

    @Test("A member that membership knows takes less than 512 bytes, with its record and its place on the admin port")
    func perMember() throws {
        let now = Instant(nanoseconds: 1_000_000_000)
        let count = 40_000
        let directory = Directory()
        var tags = SerfTags()
        tags["remora"] = "1:0"
        tags["zone"] = "pacific"
        var agent = try Serf.SerfAgent(
            name: directory.intern("self"), address: PeerAddress(SocketAddress.IPv4.loopback, port: 7946), tags: tags,
            gossip: .lan, directory: directory, random: SeededRandom(seed: 1))
        var discovery = try Discovery(upstreams: [], cells: LoadCells(capacity: 16), node: "self", at: now)
        var loads = LoadReports(of: "self", options: TelemetryOptions(packetOverhead: 0))
        var members: [FleetSnapshot.Member] = []
        // Given members as a push-pull brings them: a record each, with a meta of its own
        let membership = try bytes(for: count) {
            let claims = (0..<count).map { number in
                MemberClaim(
                    node: directory.intern("edge-\(number)"), incarnation: 1, state: .alive,
                    record: MemberRecord(
                        address: PeerAddress(SocketAddress.IPv4(bits: UInt32(0x0A00_0000 + number)), port: 7946),
                        meta: tags.meta, versions: .serf, isRemora: true))
            }
            agent.preload(claims, at: now)
            members.reserveCapacity(count + 1)
            agent.forEachMember { view in
                members.append(FleetSnapshot.Member(view, in: agent, names: directory))
                _ = agent.vivaldi.take(.milliseconds(1), to: view.id.index, at: .initial)
            }
        }
        // What comes on top where endpoints are looked for, and loads told
        let discovered = try bytes(for: count) {
            for member in members {
                var seen = FleetMember(member, accusedOf: nil, own: "self")
                seen.tags = [:]
                discovery.update(seen, at: now)
            }
        }
        let told = try bytes(for: count) {
            for member in members { loads.update(FleetMember(member, accusedOf: nil, own: "self"), at: now) }
        }
        print("memory: \(membership) B a member; discovery \(discovered) B, telemetry \(told) B more")
        #expect(members.count == count + 1 && agent.listed == count + 1)
        #expect(membership < 512)
        #expect(discovered < 512 && told < 512)
        withExtendedLifetime((discovery.current, loads.counters, members)) {}
    }
}
