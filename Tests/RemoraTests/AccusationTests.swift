import Gossip
import Testing
import Vocabulary

@testable import Node

@Suite("Who accused a member, in sentences")
struct AccusationTests {
    private let start = Instant(nanoseconds: 100_000_000_000)

    /// Three members that know each other: what `self` says of `b` after these were told.
    private func provenance(_ say: (inout Membership, MemberID, Directory, inout Effects) -> Void) -> Provenance? {
        let directory = Directory()
        func record(_ port: UInt16) -> MemberRecord {
            MemberRecord(
                address: PeerAddress(SocketAddress.IPv4.loopback, port: port), meta: nil, versions: .serf,
                isRemora: false)
        }
        var core = Membership(
            name: directory.intern("self"), record: record(1), options: .lan, directory: directory,
            random: SeededRandom(seed: 1))
        let others = ["a", "b", "c", "d"].map { directory.intern($0) }
        core.preload(
            others.map { MemberClaim(node: $0, incarnation: 1, state: .alive, record: record(2)) }, at: start)
        var effects = Effects()
        core.start(at: start, into: &effects)
        say(&core, others[1], directory, &effects)
        return core.provenance(of: others[1])
    }

    private func suspect(
        _ core: inout Membership, _ id: MemberID, by accuser: String, after: Duration, _ names: Directory,
        _ effects: inout Effects
    ) {
        let accusation = Accusation(node: id, incarnation: 1, from: names.intern(accuser))
        core.receive(
            .suspect(accusation), from: PeerAddress(SocketAddress.IPv4.loopback, port: 9), at: start + after,
            into: &effects)
    }

    @Test("A suspicion names its accuser, its confirmers and how long is left")
    func open() throws {
        let provenance = try #require(
            provenance { core, id, names, effects in
                suspect(&core, id, by: "a", after: .milliseconds(10), names, &effects)
                suspect(&core, id, by: "c", after: .milliseconds(20), names, &effects)
                suspect(&core, id, by: "d", after: .milliseconds(30), names, &effects)
            })
        #expect(provenance.summary(own: "self") == "a accused it: gossip brought the word; c and d confirmed that.")
        let story = provenance.story(own: "self", at: start + .milliseconds(40))
        #expect(
            story.dropLast() == [
                "a accused it of being dead 30 ms ago: gossip brought the word.",
                "c confirmed that 20 ms ago: gossip brought the word.",
                "d confirmed that 10 ms ago: gossip brought the word.",
            ])
        #expect(story.last?.hasPrefix("Unless it answers, this node gives it up in ") == true)
    }

    @Test("What this node itself found is told as its own, with how it looked")
    func own() throws {
        let provenance = try #require(
            provenance { core, id, _, effects in
                // Until it has probed everybody in vain
                var now = start
                while core.provenance(of: id) == nil {
                    now = core.nextWake
                    core.wake(at: now, into: &effects)
                }
            })
        #expect(provenance.summary(own: "self").hasPrefix("this node accused it: its ping got no answer, nor did "))
        let first = try #require(provenance.story(own: "self", at: start + .seconds(60)).first)
        #expect(first.hasPrefix("This node accused it of being dead "))
        #expect(first.contains("asked to ping it (0 of "))
        #expect(first.hasSuffix(", nor did a ping by TCP."))
    }

    @Test("A refuted suspicion and a death end the story")
    func ends() throws {
        let cleared = try #require(
            provenance { core, id, names, effects in
                suspect(&core, id, by: "a", after: .zero, names, &effects)
                let record = core.view(of: id)?.record
                let answer = record.map { Announcement(node: id, incarnation: 2, record: $0) }
                if let answer {
                    core.receive(
                        .alive(answer), from: PeerAddress(SocketAddress.IPv4.loopback, port: 2),
                        at: start + .seconds(1), into: &effects)
                }
            })
        #expect(
            cleared.summary(own: "self") == "a accused it: gossip brought the word; it answered, and is alive.")
        #expect(
            cleared.story(own: "self", at: start + .seconds(63)).last
                == "It answered 1 min 2 s ago, with a higher incarnation, and is alive.")
        let died = try #require(
            provenance { core, id, names, effects in
                core.receive(
                    .dead(Accusation(node: id, incarnation: 1, from: names.intern("a"))),
                    from: PeerAddress(SocketAddress.IPv4.loopback, port: 2), at: start, into: &effects)
            })
        #expect(died.summary(own: "self") == "a declared it dead.")
        #expect(
            died.story(own: "self", at: start + .seconds(2)) == [
                "a declared it dead 2.0 s ago, without a suspicion that this node knew of."
            ])
    }
}
