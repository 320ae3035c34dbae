import Testing
import Vocabulary

@testable import Gossip

@Suite struct ClaimTests {
    @Test("The graver state wins within an incarnation, the higher incarnation always")
    func precedence() {
        for known in MemberState.allCases {
            for claimed in MemberState.allCases {
                let here = Claim(incarnation: 5, state: known)
                #expect(Precedence(of: Claim(incarnation: 6, state: claimed), over: here) == .accept)
                #expect(Precedence(of: Claim(incarnation: 4, state: claimed), over: here) == .stale)
                let equal = Precedence(of: Claim(incarnation: 5, state: claimed), over: here)
                #expect(
                    equal
                        == (claimed.rawValue > known.rawValue
                            ? .accept : claimed == known && claimed != .alive ? .repeated : .stale))
            }
        }
    }

    @Test("Any order and repetition of the same claims ends in the same state", arguments: 0..<200 as Range<UInt64>)
    func permutations(seed: UInt64) {
        // Given members known at one address each, and a bag of claims about them
        var random = SeededRandom(seed: seed)
        let names = ["o0", "o1", "o2", "o3"]
        enum Said { case alive, suspect, dead, left }
        let bag = (0..<24).map { _ -> (Said, String, UInt32, String) in
            let kind: Said = [.alive, .suspect, .dead, .left][Int(random.below(4 as UInt32))]
            return (
                kind, names[Int(random.below(4 as UInt32))], 1 + random.below(5 as UInt32),
                names[Int(random.below(4 as UInt32))]
            )
        }
        var outcomes: [[String]] = []
        for _ in 0..<4 {
            // When they arrive in some order, some of them twice
            var lab = Lab(others: names)
            let order = (bag + bag.prefix(Int(random.below(24 as UInt32)))).shuffled(using: &random)
            for (kind, about, incarnation, accuser) in order {
                // A death from the accused itself would be a leave.
                let from = accuser == about ? "self" : accuser
                switch kind {
                case .alive: lab.hear(alive: about, incarnation)
                case .suspect: lab.hear(suspect: about, incarnation, from: from)
                case .dead: lab.hear(dead: about, incarnation, from: from)
                case .left: lab.hear(dead: about, incarnation, from: about)
                }
            }
            outcomes.append(names.map { "\($0) \(lab.claimText($0))" } + ["\(lab.member.viewChecksum)"])
        }
        // Then every member's state is the same, and so are the counts that follow from it
        #expect(Set(outcomes).count == 1, "\(outcomes)")
    }

    @Test("A claim about somebody unknown changes nothing, unless it is alive at incarnation 1 or above")
    func strangers() {
        var lab = Lab(others: ["o0"])
        lab.hear(suspect: "x", 3, from: "o0")
        lab.hear(dead: "x", 3, from: "o0")
        lab.hear(dead: "x", 3, from: "x")
        lab.hear(alive: "x", 0)
        lab.hear(alive: "", 1)
        #expect(lab.member.listed == 2)
        #expect(lab.queued.isEmpty && lab.effects.events.isEmpty)
        lab.hear(alive: "x", 1)
        #expect(lab.state("x") == .alive)
    }

    @Test("An announcement whose protocols are no range is not taken: it would break every push-pull")
    func implausibleVersions() {
        var lab = Lab(others: ["o0"])
        var inverted = MemberVersions.serf
        inverted.protocolMinimum = 6
        for versions in [MemberVersions.absent, inverted] {
            lab.hear(alive: "x", 1, record: Lab.record(port: 7, versions: versions))
        }
        #expect(lab.state("x") == nil)
    }

    @Test("Beyond the limit newcomers are not admitted, and leave nothing behind")
    func memberLimit() {
        var options = GossipOptions.lan
        options.memberLimit = 3
        var lab = Lab(others: ["o0", "o1"], options: options)
        for index in 0..<100 { lab.hear(alive: "x\(index)", 1) }
        #expect(lab.member.listed == 3)
        _ = lab.take()
        lab.directory.sweep()
        #expect(lab.directory.count == 3)
    }

    @Test("Names and metas too long to be told on are not taken: no datagram about such a member could be written")
    func tooLong() throws {
        var lab = Lab(others: ["o0", "o1"])
        let long = String(repeating: "n", count: MemberRecord.longestName + 1)
        lab.hear(alive: long, 1)
        lab.hear(alive: "x", 1, record: Lab.record(port: 7, meta: [UInt8](repeating: 1, count: 4097)))
        lab.hear(suspect: "o1", 1, from: long)
        lab.hear(dead: "o1", 1, from: long)
        let request = IndirectPing(sequence: 1, target: lab.address(of: "o1"), node: lab.id(long), wantsNack: true)
        lab.receive(.indirectPing(request), from: "o0")
        #expect(lab.member.listed == 3 && lab.state("o1") == .alive)
        #expect(lab.take().datagrams.isEmpty)
        // At the limits they are
        let longest = String(repeating: "n", count: MemberRecord.longestName)
        lab.hear(alive: longest, 1, record: Lab.record(port: 7, meta: [UInt8](repeating: 1, count: 4096)))
        #expect(lab.state(longest) == .alive)
    }

    @Test("Garbage leaves no names behind")
    func garbageNames() {
        var lab = Lab(others: ["o0"])
        for index in 0..<100 {
            lab.hear(suspect: "x\(index)", 9, from: "y\(index)")
            lab.hear(dead: "x\(index)", 9, from: "y\(index)")
        }
        lab.directory.sweep()
        #expect(lab.directory.count == 2)
    }

    @Test(
        "A name at another address is a conflict, and the first stays", arguments: [MemberState.alive, .suspect, .dead])
    func conflict(state: MemberState) {
        // Given b in a state in which its name is taken
        var lab = Lab(others: ["o0", "b"])
        if state == .suspect { lab.hear(suspect: "b", 1, from: "o0") }
        if state == .dead { lab.hear(dead: "b", 1, from: "o0") }
        _ = lab.take()
        // When the name is announced from elsewhere, at a higher incarnation
        lab.hear(alive: "b", 7, record: Lab.record(port: 9))
        // Then that is reported, and nothing else changes
        #expect(lab.state("b") == state && lab.incarnation("b") == 1)
        guard case .conflict(lab.id("b"), claimed: Lab.record(port: 9).address) = lab.effects.events.last else {
            Issue.record("no conflict was reported")
            return
        }
    }

    @Test("An announcement without a port means ours, in gossip and in push-pulls")
    func missingPort() throws {
        var lab = Lab(others: ["o0"])
        let record = MemberRecord(
            address: PeerAddress(SocketAddress.IPv4(bits: 0x7F00_0009), port: 0), meta: [1], versions: .serf,
            isRemora: true)
        lab.hear(alive: "b", 1, record: record)
        _ = try lab.exchange([lab.claim("c", .alive, 1, record: record)])
        for name in ["b", "c"] {
            let view = try #require(lab.member.view(of: lab.id(name)))
            #expect(view.record.address == PeerAddress(SocketAddress.IPv4(bits: 0x7F00_0009), port: 1))
            #expect(view.record.meta == [1] && view.record.isRemora)
        }
        // And is no conflict with what it then says with its port
        lab.hear(alive: "b", 2, record: record)
        #expect(lab.incarnation("b") == 2)
        // And is told on with the port, which others would take for theirs
        var told: [UInt16] = []
        lab.member.gossip.queue.forEach { message, _, _ in
            if case .alive(let announcement) = message { told.append(announcement.record.address.port) }
        }
        #expect(told == [1, 1])
    }

    @Test("The name of somebody who left may come back from another address, at any incarnation")
    func reclaimAfterLeave() {
        var lab = Lab(others: ["o0", "b"])
        lab.hear(alive: "b", 8)
        lab.hear(dead: "b", 8, from: "b")
        lab.hear(alive: "b", 1, record: Lab.record(port: 9))
        #expect(lab.state("b") == .alive && lab.incarnation("b") == 1)
        #expect(lab.member.view(of: lab.id("b"))?.record.address.port == 9)
    }

    @Test("A dead member's name may come back from another address only after the time set, if one is set")
    func reclaimAfterDeath() {
        var options = GossipOptions.lan
        options.reclaimAfter = .seconds(5)
        var lab = Lab(others: ["o0", "b"], options: options)
        lab.hear(dead: "b", 1, from: "o0")
        lab.now = lab.now + .seconds(5)
        lab.hear(alive: "b", 2, record: Lab.record(port: 9))
        #expect(lab.state("b") == .dead)
        lab.now = lab.now + .nanoseconds(1)
        lab.hear(alive: "b", 2, record: Lab.record(port: 9))
        #expect(lab.state("b") == .alive)
    }

    @Test("A restart at a lower incarnation ends above the former life's")
    func restart() throws {
        // Given a new life at incarnation 1, that others knew at 9 and gave up
        for state in [MemberState.alive, .dead, .suspect, .left] {
            var lab = Lab(others: ["o0"])
            // When it meets their view in the answer to its join
            lab.member.join([lab.address(of: "o0")], at: lab.now, into: &lab.effects)
            let stream = try #require(lab.take().openedExchanges.first?.stream)
            let answer = PushPull(isJoin: true, members: [lab.claim("self", state, 9)], userState: [])
            lab.member.receive(
                .pushPull(answer), on: stream, from: lab.address(of: "o0"), at: lab.now, into: &lab.effects)
            // Then it is alive above that, and says so; an alive it may have said itself is repeated above too
            #expect(lab.incarnation("self") == 10, "\(state)")
            #expect(lab.queued == ["alive self inc=10"])
        }
    }

    @Test("At the highest incarnation there is no refutation left, and none is tried")
    func lastIncarnation() {
        var lab = Lab(others: ["o0"])
        lab.hear(suspect: "self", .max, from: "o0")
        #expect(lab.incarnation("self") == 1)
        lab.hear(suspect: "self", .max - 1, from: "o0")
        #expect(lab.incarnation("self") == .max)
    }

    @Test("An accuser that missed our refutation hears of it when it accuses us to our face, and nobody else does")
    func correction() {
        // Given a refutation
        var lab = Lab(others: ["o0", "o1"])
        lab.hear(suspect: "self", 1, from: "o1")
        lab.member.gossip.queue.removeAll()
        _ = lab.take()
        // When the old charge is passed on, and when its author brings it
        let charge = Message.suspect(Accusation(node: lab.id("self"), incarnation: 1, from: lab.id("o1")))
        lab.receive(charge, from: "o0")
        #expect(lab.effects.datagrams.isEmpty)
        lab.receive(charge, from: "o1")
        // Then the author alone is told, once, and nothing is told on
        #expect(lab.effects.datagrams.map(\.to) == [lab.address(of: "o1")])
        #expect(lab.effects.messages.map(lab.describe) == ["alive self inc=2"])
        #expect(lab.queued.isEmpty && lab.member.healthScore == 1)
        // Nor does who leaves
        lab.member.leave(at: lab.now, into: &lab.effects)
        _ = lab.take()
        lab.receive(charge, from: "o1")
        #expect(lab.effects.datagrams.isEmpty)
    }

    @Test("A refutation replaces the queued accusation of ourselves, and costs health")
    func refutation() {
        var lab = Lab(others: ["o0"])
        lab.hear(suspect: "self", 1, from: "o0")
        lab.hear(suspect: "self", 2, from: "o0")
        #expect(lab.queued == ["alive self inc=3"])
        #expect(lab.member.healthScore == 2)
    }
}

extension Lab {
    func claimText(_ name: String) -> String {
        member.claim(about: id(name)).map { "\($0.state) \($0.incarnation)" } ?? "unknown"
    }
}
