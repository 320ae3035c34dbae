import Gossip
import Logging
import Testing
import Vocabulary

@testable import GossipNet
@testable import Node

@Suite("The fleet's events as log lines")
struct FleetLogTests {
    private let start = Instant(nanoseconds: 0)
    private let lines = Lines()
    private let names = Directory()
    private let stranger = PeerAddress(SocketAddress.IPv4.loopback, port: 7946)

    private func log(isEncrypted: Bool = true) -> FleetLog { FleetLog(logger: lines.logger, isEncrypted: isEncrypted) }

    @Test("Each event that an operator wants to know has its line")
    func everyKind() {
        var log = log()
        let id = names.intern("edge-017")
        let cases: [(MembershipEvent, String)] = [
            (.joined(id), "info member edge-017 is there"),
            (.updated(id), "info member edge-017 bears other tags or versions"),
            (.suspected(id), "info member edge-017 is suspect"),
            (.cleared(id), "info member edge-017 is alive after all"),
            (.died(id), "warning member edge-017 is dead"),
            (.left(id), "info member edge-017 has left"),
            (.forgotten(id), "debug member edge-017 is no longer listed"),
            (
                .refuted(accuser: id, incarnation: 4),
                "info edge-017 accused this node, which answers with incarnation 4"
            ),
            (
                .conflict(id, claimed: stranger),
                "error two members are called edge-017: another one is at 127.0.0.1:7946; give one of them another node.name"
            ),
            (.datagramsLost(id), "warning member edge-017 is reached by TCP and not by UDP; let both through"),
            (
                .stalled(.milliseconds(2500)),
                "warning this process did not run for 2.5 s; nobody is blamed for that time"
            ),
            (.seedJoined(stranger), "notice joined the fleet through 127.0.0.1:7946"),
            (.seedFailed(stranger), "warning 127.0.0.1:7946 did not let this node join; it will be asked again"),
            (
                .refusedExchange(from: stranger, reason: "no versions"),
                "warning an exchange with 127.0.0.1:7946 was refused: no versions"
            ),
            (.leaveSpread, "notice the fleet has been told that this node leaves"),
        ]
        for (event, line) in cases {
            log.write(event, names: names, at: start)
            #expect(lines.taken() == [line])
        }
        for event in [
            MembershipEvent.user([1], from: stranger), .userState([], isJoin: true, from: stranger),
            .measured(id, roundTrip: .zero, payload: []),
        ] {
            log.write(event, names: names, at: start)
            #expect(lines.taken() == [])
        }
    }

    @Test("The death of many is 50 lines in 5 s, and then their number")
    func many() {
        var log = log()
        for number in 0..<80 { log.write(.died(names.intern("m\(number)")), names: names, at: start) }
        #expect(lines.taken().count == 50)
        log.write(.died(names.intern("late")), names: names, at: start + .seconds(5))
        #expect(
            lines.taken() == [
                "notice 30 more changes of members; remora members shows what is so now",
                "warning member late is dead",
            ])
    }

    @Test("What strangers bring about is written once in an interval", arguments: [true, false])
    func strangers(isEncrypted: Bool) {
        var log = log(isEncrypted: isEncrypted)
        var counters = GossipCounters()
        let refusal = GossipRefusal(sender: stranger, fault: .layer(isEncrypted ? .noKeyOpens : .noKey))
        // Nothing refused, nothing said
        log.writeRefusals(counters, last: nil, at: start)
        #expect(lines.taken() == [])
        counters.refusedDatagrams = 1
        log.writeRefusals(counters, last: refusal, at: start)
        let why = isEncrypted ? "none of our keys opens it: key mismatch?" : "encrypted, and we have no key"
        let keys = isEncrypted ? "membership.keys" : "membership.keys (this node has none)"
        #expect(
            lines.taken() == [
                "warning refused 1 message of gossip, the last from 127.0.0.1:7946: \(why); \(keys) or membership.label differ there"
            ])
        counters.refusedStreams = 1000
        log.writeRefusals(counters, last: refusal, at: start + .seconds(4))
        #expect(lines.taken() == [])
        log.writeRefusals(counters, last: refusal, at: start + .seconds(6))
        #expect(lines.taken().first?.hasPrefix("warning refused 1000 messages of gossip") == true)
        for second in 0..<4 {
            log.write(
                .conflict(names.intern("a"), claimed: stranger), names: names, at: start + .seconds(6 + second))
        }
        #expect(lines.taken().count == 1)
        log.writeRefusals(counters, last: refusal, at: start + .seconds(12))
        #expect(lines.taken() == ["error members with one name were heard of 3 more times since"])
    }

    @Test("Damage is no question of keys")
    func damage() {
        var log = log()
        var counters = GossipCounters()
        counters.refusedMessages = 2
        log.writeRefusals(counters, last: GossipRefusal(sender: stranger, fault: .message(.noPartTable)), at: start)
        #expect(lines.taken().first?.contains("membership.keys") == false)
    }
}
