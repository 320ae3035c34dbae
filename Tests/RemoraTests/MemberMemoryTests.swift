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

    @Test("A known member takes less than 512 bytes, all told")
    func perMember() throws {
        let now = Instant(nanoseconds: 1_000_000_000)
        let count = 40_000
        let directory = Directory()
        var tags = SerfTags()
        tags["remora"] = "1:0"
        tags["zone"] = "pacific"
        let own = directory.intern("self")
        let address = PeerAddress(SocketAddress.IPv4.loopback, port: 7946)
        var agent = try Serf.SerfAgent(
            name: own, address: address, tags: tags, gossip: .lan, directory: directory, random: SeededRandom(seed: 1))
        var discovery = try Discovery(upstreams: [], cells: LoadCells(capacity: 16), node: "self", at: now)
        var loads = LoadReports(of: "self", options: TelemetryOptions(packetOverhead: 0))
        let before = try resident()
        // Given members as a push-pull brings them: a record each, with a meta of its own
        let claims = (0..<count).map { number in
            MemberClaim(
                node: directory.intern("edge-\(number)"), incarnation: 1, state: .alive,
                record: MemberRecord(
                    address: PeerAddress(SocketAddress.IPv4(bits: UInt32(0x0A00_0000 + number)), port: 7946),
                    meta: tags.meta, versions: .serf, isRemora: true))
        }
        agent.preload(claims, at: now)
        var members: [FleetSnapshot.Member] = []
        agent.forEachMember { view in
            let member = FleetSnapshot.Member(view, in: agent, names: directory)
            members.append(member)
            var seen = FleetMember(member, accusedOf: nil, own: "self")
            loads.update(seen, at: now)
            seen.tags = [:]
            discovery.update(seen, at: now)
            _ = agent.vivaldi.take(.milliseconds(1), to: view.id.index, at: .initial)
        }
        let after = try resident()
        let each = Double(after - before) / Double(count)
        #expect(members.count == count + 1 && agent.listed == count + 1)
        #expect(each < 512, "\(Int(each)) bytes a member")
        print("memory: \(Int(each)) bytes for a known member")
        withExtendedLifetime((claims, discovery.current, loads.counters, members)) {}
    }
}
