import Testing
import Vocabulary

@testable import Gossip

/// Members that speak less than we do are asked for no more than they understand (memberlist-wire §12).
@Suite struct OldPeerTests {
    private static func speaking(_ maximum: UInt8) -> MemberVersions {
        var versions = MemberVersions.serf
        versions.protocolMaximum = maximum
        return versions
    }

    /// A probe whose direct ping was not answered; what it asked for, and of whom.
    private func probing(
        speaking maximum: UInt8, options: GossipOptions = .lan
    ) throws -> (lab: Lab, target: String, effects: Effects) {
        let names = ["a", "b"]
        var lab = Lab(others: names, options: options)
        for name in names {
            let record = Lab.record(port: lab.address(of: name).port, versions: Self.speaking(maximum))
            lab.hear(alive: name, 2, record: record)
        }
        lab.run(until: lab.member.prober.nextTick)
        let to = try #require(lab.take().ping?.to)
        lab.run(for: .milliseconds(500))
        return (lab, to == lab.address(of: "a") ? "a" : "b", lab.take())
    }

    @Test("Nacks are asked of protocol 4 and above only, and only those asked for can be missed", arguments: [3, 4])
    func nacks(maximum: UInt8) throws {
        var (lab, _, effects) = try probing(speaking: maximum)
        #expect(effects.indirectPings.map(\.request.wantsNack) == [maximum >= 4])
        let sequence = try #require(effects.indirectPings.first?.request.sequence)
        lab.receive(.nack(sequence: sequence), from: "a")
        lab.run(for: .milliseconds(500))
        // With a nack that was asked for we are well; without one a failed probe costs a point.
        #expect(lab.member.healthScore == (maximum >= 4 ? 0 : 1))
    }

    @Test("Streams are tried with protocol 3 and above only, and only where they are on", arguments: [2, 3])
    func streamPings(maximum: UInt8) throws {
        let (lab, target, effects) = try probing(speaking: maximum)
        #expect(effects.openedStreams.map(\.to) == (maximum >= 3 ? [lab.address(of: target)] : []))
        var options = GossipOptions.lan
        options.usesStreamPing = false
        #expect(try probing(speaking: maximum, options: options).effects.openedStreams.isEmpty)
    }

    @Test("Who sends no protocol versions, or no lowest or highest, is not admitted", arguments: 0...1)
    func noVersions(missing: Int) {
        var lab = Lab(others: ["a"])
        var versions = MemberVersions.serf
        if missing == 0 { versions.protocolMinimum = 0 } else { versions.protocolMaximum = 0 }
        lab.hear(alive: "x", 1, record: Lab.record(port: 9, versions: versions))
        #expect(lab.state("x") == nil)
    }

    // MARK: The range that all share

    /// What is wrong between us with `b` of the given versions and a peer's view of `x`.
    private func conflict(
        ours: MemberVersions = .serf, _ state: MemberState = .alive, theirs: MemberVersions
    ) throws -> String? {
        var lab = Lab(others: ["a"])
        lab.hear(alive: "b", 1, record: Lab.record(port: 9, versions: ours))
        _ = try lab.exchange([lab.claim("x", state, 1, record: Lab.record(port: 8, versions: theirs))])
        for case .refusedExchange(_, let reason) in lab.effects.events { return reason }
        return nil
    }

    @Test("Every bound of both triples holds everybody, theirs and ours")
    func bounds() throws {
        #expect(try conflict(theirs: .serf) == nil)
        let changes: [(String, (inout MemberVersions) -> Void)] = [
            (
                "lowest protocol",
                {
                    $0.protocolMinimum = 3; $0.protocolSpoken = 3
                }
            ),
            (
                "highest protocol",
                {
                    $0.protocolMaximum = 1; $0.protocolSpoken = 1
                }
            ),
            (
                "lowest delegate",
                {
                    $0.delegateMaximum = 9; $0.delegateMinimum = 6; $0.delegateSpoken = 6
                }
            ),
            (
                "highest delegate",
                {
                    $0.delegateMaximum = 4; $0.delegateSpoken = 4
                }
            ),
        ]
        for (what, change) in changes {
            var other = MemberVersions.serf
            change(&other)
            // The newcomer's range leaves us out, or one of ours leaves the newcomer out
            #expect(try conflict(theirs: other) != nil, "\(what) of theirs")
            #expect(try conflict(ours: other, theirs: .serf) != nil, "\(what) of ours")
        }
    }

    @Test(
        "What is spoken has to lie in the range, its ends included, whatever the state", arguments: MemberState.allCases
    )
    func spoken(state: MemberState) throws {
        for (protocolSpoken, delegateSpoken, fits) in [
            (1, 5, true), (5, 5, true), (2, 2, true), (0, 5, false), (6, 5, false), (2, 1, false), (2, 6, false),
        ] as [(UInt8, UInt8, Bool)] {
            var other = MemberVersions.serf
            (other.protocolSpoken, other.delegateSpoken) = (protocolSpoken, delegateSpoken)
            #expect((try conflict(state, theirs: other) == nil) == fits, "\(protocolSpoken) \(delegateSpoken)")
        }
    }

    @Test("A dead member without versions spoils an exchange, but narrows nothing for the others")
    func absent() throws {
        let reason = try #require(try conflict(.dead, theirs: .absent))
        #expect(reason.contains("x") && reason.contains("protocols 1 to 5"))
        // Alive without versions it is left out of the range too
        #expect(try #require(try conflict(.alive, theirs: .absent)).contains("protocols 1 to 5"))
    }

    @Test("The dead of ours narrow nothing")
    func deadOfOurs() throws {
        var old = MemberVersions.serf
        (old.delegateMaximum, old.delegateSpoken) = (4, 4)
        var lab = Lab(others: ["a"])
        lab.hear(alive: "b", 1, record: Lab.record(port: 9, versions: old))
        lab.hear(dead: "b", 1, from: "a")
        _ = try lab.exchange([lab.claim("x", .alive, 1)])
        #expect(lab.state("x") == .alive)
    }

    @Test("One of ours that others cannot speak with is named as ours")
    func named() throws {
        var high = MemberVersions.serf
        (high.protocolMinimum, high.protocolSpoken) = (3, 3)
        let reason = try #require(try conflict(theirs: high))
        #expect(reason.contains("our member") && reason.contains("protocols 3 to 5"))
    }
}
