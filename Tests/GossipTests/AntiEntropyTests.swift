import Testing
import Vocabulary

@testable import Gossip

@Suite struct AntiEntropyTests {
    // MARK: Merging

    @Test("Two views of a third member meet in the higher incarnation after one exchange")
    func divergentViews() throws {
        for (ours, theirs) in [(3, 7), (7, 3)] as [(UInt32, UInt32)] {
            var lab = Lab(others: ["a", "c"])
            lab.hear(alive: "c", ours)
            let answer = try lab.exchange([lab.claim("a", .alive, 1), lab.claim("c", .alive, theirs)], from: "a")
            #expect(lab.incarnation("c") == 7)
            #expect(answer.members.first { $0.node == lab.id("c") }?.incarnation == 7)
        }
    }

    @Test("A name that left comes back from another address through somebody's view too, at any incarnation")
    func reclaimByView() throws {
        var lab = Lab(others: ["a", "b"])
        lab.hear(alive: "b", 8)
        lab.hear(dead: "b", 8, from: "b")
        _ = try lab.exchange([lab.claim("b", .alive, 1, record: Lab.record(port: 9))], from: "a")
        #expect(lab.state("b") == .alive && lab.incarnation("b") == 1)
    }

    @Test("A death in somebody's view is a suspicion of ours, and nobody's confirmation")
    func deathByView() throws {
        var lab = Lab(others: (0..<10).map { "o\($0)" })
        _ = try lab.exchange([lab.claim("o1", .dead, 1), lab.claim("o2", .suspect, 1)], from: "o0")
        _ = try lab.exchange([lab.claim("o1", .dead, 1), lab.claim("o2", .suspect, 1)], from: "o5")
        for name in ["o1", "o2"] {
            #expect(lab.state(name) == .suspect)
            let why = try #require(lab.member.provenance(of: lab.id(name)))
            #expect(why.accusations.map(\.name) == ["self"])
            #expect(why.accusations.map(\.evidence) == [.pushPull(via: lab.address(of: "o0"))])
        }
    }

    @Test("Words in our name that we did not say are answered, from a view too")
    func ourselvesByView() throws {
        var lab = Lab(others: ["a"])
        let answer = try lab.exchange(
            [lab.claim("self", .alive, 1, record: Lab.record(port: 1, meta: [9]))], from: "a")
        #expect(lab.incarnation("self") == 2)
        #expect(answer.members.first { $0.node == lab.id("self") }?.record.meta == [])
    }

    @Test("A leave in somebody's view is a leave, and a death of somebody unknown is nothing")
    func leaveByView() throws {
        var lab = Lab(others: ["a", "b"])
        _ = try lab.exchange([lab.claim("b", .left, 1), lab.claim("x", .dead, 4), lab.claim("y", .left, 4)], from: "a")
        #expect(lab.state("b") == .left)
        #expect(lab.state("x") == nil && lab.state("y") == nil)
    }

    @Test("The answer already refutes what the request believed of us: a split heals in one exchange")
    func answerAfterMerge() throws {
        var lab = Lab(others: ["a"])
        lab.hear(dead: "a", 1, from: "b")
        let answer = try lab.exchange(
            [lab.claim("a", .alive, 1), lab.claim("self", .dead, 1)], from: "a", isJoin: true)
        #expect(answer.isJoin)
        #expect(answer.members.contains { $0.node == lab.id("self") && $0.incarnation == 2 && $0.state == .alive })
    }

    @Test("Everything listed is told, the dead, the left and ourselves included, with the application's state")
    func wholeView() throws {
        var lab = Lab(others: ["a", "b", "c"])
        lab.member.userState = [4, 5]
        lab.hear(dead: "a", 1, from: "b")
        lab.hear(dead: "b", 1, from: "b")
        let answer = try lab.exchange([])
        #expect(
            Set(answer.members.map { "\(lab.name($0.node)) \($0.state)" })
                == ["self alive", "a dead", "b left", "c alive"])
        #expect(answer.userState == [4, 5])
        #expect(!answer.isJoin)
    }

    @Test("The application hears its part after the members are merged")
    func userState() throws {
        var lab = Lab(others: ["a"])
        _ = try lab.exchange([lab.claim("x", .alive, 1)], from: "a", isJoin: true, userState: [1])
        guard case .joined(lab.id("x")) = lab.effects.events.first,
            case .userState([1], isJoin: true, from: lab.address(of: "a")) = lab.effects.events.last
        else {
            Issue.record("\(lab.effects.events)")
            return
        }
    }

    @Test("One member with versions that others do not share refuses the whole exchange, and is answered all the same")
    func versions() throws {
        var poison = MemberVersions.serf
        poison.delegateSpoken = 0
        for state in MemberState.allCases {
            var lab = Lab(others: ["a"])
            let bad = lab.claim("x", state, 1, record: Lab.record(port: 9, versions: poison))
            let answer = try? lab.exchange([lab.claim("y", .alive, 1), bad], userState: [1])
            #expect(answer != nil)
            #expect(lab.state("y") == nil, "nothing is merged")
            guard case .refusedExchange(_, let reason) = lab.effects.events.last else {
                Issue.record("\(lab.effects.events)")
                continue
            }
            #expect(reason.contains("x") && reason.contains("delegate 0"))
        }
    }

    @Test("Only the alive narrow the range that all are held to")
    func narrowing() throws {
        var old = MemberVersions.serf
        (old.delegateMaximum, old.delegateSpoken) = (4, 4)
        var lab = Lab(others: ["a"])
        // We speak 5, the newcomer at most 4: refused while it is alive
        _ = try lab.exchange([lab.claim("x", .alive, 1, record: Lab.record(port: 9, versions: old))])
        #expect(lab.state("x") == nil)
        // A dead one with 4 narrows nothing, and is within 2 to 5
        _ = try lab.exchange([
            lab.claim("x", .dead, 1, record: Lab.record(port: 9, versions: old)), lab.claim("y", .alive, 1),
        ])
        #expect(lab.state("y") == .alive)
    }

    @Test("A stream ping is answered without payload if it is for us, else closed; nonsense is closed")
    func streamPing() {
        var lab = Lab(others: ["a"])
        lab.member.ackPayload = [1]
        let stream = StreamID(side: .accepted, number: 4)
        guard
            case .answer(stream, .ack(let ack)) = lab.serve(
                .ping(Ping(sequence: 5, node: lab.id("self"))), on: stream
            ).first
        else {
            Issue.record("no answer")
            return
        }
        #expect(ack == Ack(sequence: 5))
        for message in [
            .ping(Ping(sequence: 5, node: lab.id("a"))), .ack(Ack(sequence: 1)), .error("no"), .user([1]),
        ] as [StreamMessage] {
            guard case .close(stream) = lab.serve(message, on: stream).first else {
                Issue.record("\(message) was not closed")
                continue
            }
        }
    }

    @Test("An application's message on a stream reaches it, an empty one does not")
    func streamUserMessage() {
        var lab = Lab(others: ["a"])
        for (bytes, isHeard) in [([], false), ([1], true)] as [([UInt8], Bool)] {
            lab.member.receive(
                .user(bytes), on: StreamID(side: .accepted, number: 1), from: lab.address(of: "a"), at: lab.now,
                into: &lab.effects)
            #expect(lab.take().events.isEmpty != isHeard)
        }
    }

    // MARK: When

    @Test(
        "Exchanges come at the scaled interval, each with an alive member", arguments: [(32, 30), (33, 60), (200, 120)])
    func interval(members: Int, seconds: Int) {
        var lab = Lab(others: (1..<members).map { "o\($0)" })
        lab.member.prober.nextTick = .distantFuture
        lab.run(for: .seconds(seconds * 20 + 30))
        let partners = lab.take().openedExchanges
        #expect((19...20).contains(partners.count))
        #expect(partners.allSatisfy { !$0.isJoin && $0.to != lab.address(of: "self") })
    }

    @Test("Suspects are no partners: an exchange with one would most likely fail")
    func suspectPartner() {
        var lab = Lab(others: ["a", "b"])
        lab.member.prober.nextTick = .distantFuture
        lab.hear(suspect: "a", 1, from: "b")
        lab.member.exchange.nextPushPull = lab.now
        var partners: Set<PeerAddress> = []
        for _ in 0..<12 {
            lab.member.exchange.nextPushPull = lab.now
            lab.run(for: .milliseconds(1))
            partners.formUnion(lab.take().openedExchanges.map(\.to))
        }
        #expect(lab.state("a") == .suspect && partners == [lab.address(of: "b")])
    }

    @Test("A join reports each seed, reached or not")
    func join() throws {
        var lab = Lab()
        let seeds = [lab.address(of: "a"), Lab.record(port: 7).address]
        lab.member.join(seeds, at: lab.now, into: &lab.effects)
        let opened = lab.take().openedExchanges
        #expect(opened.map(\.to) == seeds && opened.allSatisfy(\.isJoin))
        let answer = PushPull(isJoin: true, members: [lab.claim("a", .alive, 1)], userState: [])
        lab.member.receive(.pushPull(answer), on: opened[0].stream, from: seeds[0], at: lab.now, into: &lab.effects)
        lab.member.fail(opened[1].stream, at: lab.now, into: &lab.effects)
        #expect(lab.state("a") == .alive)
        #expect(lab.effects.events.contains { if case .seedJoined(seeds[0]) = $0 { true } else { false } })
        #expect(lab.effects.events.contains { if case .seedFailed(seeds[1]) = $0 { true } else { false } })
    }

    @Test("A seed whose view we refuse, or that answers something else, was not joined")
    func refusedJoin() throws {
        var poison = MemberVersions.serf
        poison.delegateSpoken = 0
        for isView in [true, false] {
            var lab = Lab()
            let seed = lab.address(of: "a")
            lab.member.join([seed], at: lab.now, into: &lab.effects)
            let stream = try #require(lab.take().openedExchanges.first?.stream)
            let claim = lab.claim("x", .alive, 1, record: Lab.record(port: 9, versions: poison))
            let answer: StreamMessage =
                isView ? .pushPull(PushPull(isJoin: true, members: [claim], userState: [])) : .ack(Ack(sequence: 1))
            lab.member.receive(answer, on: stream, from: seed, at: lab.now, into: &lab.effects)
            guard case .seedFailed(seed) = lab.take().events.last else {
                Issue.record("the failure was not reported")
                continue
            }
            #expect(lab.member.exchange.openStreams == 0)
        }
    }

    @Test("An answer on a stream that is not open, or no longer, is ignored")
    func lateAnswer() throws {
        var lab = Lab(others: ["a"])
        lab.member.join([lab.address(of: "a")], at: lab.now, into: &lab.effects)
        let stream = try #require(lab.take().openedExchanges.first?.stream)
        lab.member.fail(stream, at: lab.now, into: &lab.effects)
        _ = lab.take()
        let answer = StreamMessage.pushPull(PushPull(isJoin: true, members: [lab.claim("x", .alive, 1)], userState: []))
        lab.member.receive(answer, on: stream, from: lab.address(of: "a"), at: lab.now, into: &lab.effects)
        #expect(lab.state("x") == nil && lab.effects.isEmpty)
    }

    // MARK: The dead and the seeds

    @Test("A dead member is taken off the list after its time, and tried for a day all the same")
    func lostMembers() {
        var lab = Lab(others: ["a", "b"])
        lab.hear(dead: "a", 1, from: "b")
        lab.hear(dead: "b", 1, from: "b")
        lab.run(for: .seconds(100))
        #expect(lab.state("a") == nil && lab.state("b") == nil)
        _ = lab.take()
        lab.run(for: .seconds(23 * 3600))
        let tried = lab.take().openedExchanges
        // About every half minute; the member that left is not tried.
        #expect((2000...3500).contains(tried.count))
        #expect(tried.allSatisfy { $0.isJoin && $0.to == lab.address(of: "a") })
        // After the day it is forgotten, name and all
        lab.run(for: .seconds(2 * 3600))
        _ = lab.take()
        lab.run(for: .seconds(3600))
        lab.directory.sweep()
        #expect(lab.take().openedExchanges.isEmpty)
        #expect(lab.directory.count == 1)
    }

    @Test("Of the long dead only so many are remembered, and the others' names go")
    func lostLimit() {
        let names = (0..<4200).map { "o\($0)" }
        var lab = Lab(others: names)
        for name in names { lab.hear(dead: name, 1, from: "x") }
        lab.member.exchange.nextPushPull = .distantFuture
        lab.member.exchange.nextContact = .distantFuture
        lab.member.gossip.queue.removeAll()
        lab.member.gossip.nextTick = nil
        lab.member.prober.position = lab.member.listed
        lab.sleep(for: .seconds(31))
        lab.member.prober.nextTick = lab.now
        lab.run(for: .seconds(1))
        #expect(lab.member.listed == 1 && lab.member.exchange.lost.count == AntiEntropy.lostLimit)
        _ = lab.take()
        lab.directory.sweep()
        #expect(lab.directory.count == AntiEntropy.lostLimit + 1)
    }

    @Test("A lost member that comes back is no longer tried")
    func lostAndFound() {
        var lab = Lab(others: ["a"])
        lab.hear(dead: "a", 1, from: "b")
        lab.run(for: .seconds(100))
        #expect(lab.state("a") == nil)
        lab.hear(alive: "a", 1)
        #expect(lab.state("a") == .alive)
        #expect(lab.member.exchange.lost.isEmpty)
    }

    @Test("The dead are tried in turn, listed or not, by all members together as often as by one alone")
    func fairContacts() {
        var lab = Lab(others: (0..<50).map { "o\($0)" })
        lab.member.prober.nextTick = .distantFuture
        lab.member.exchange.nextPushPull = .distantFuture
        // Given two that are off the list and one that is dead still
        for name in ["o1", "o2"] { lab.hear(dead: name, 1, from: "o9") }
        lab.sleep(for: .seconds(31))
        lab.member.prober.position = lab.member.listed
        lab.member.prober.nextTick = lab.now
        lab.member.wake(at: lab.now, into: &lab.effects)
        lab.member.prober.probe = nil
        lab.member.prober.nextTick = .distantFuture
        #expect(lab.member.exchange.lost.count == 2)
        lab.hear(dead: "o3", 1, from: "o9")
        _ = lab.take()
        // When twenty hours pass, with a contact in about each minute
        lab.run(for: .seconds(20 * 3600))
        // Then about 3 of 48 contacts are with one of them
        let tried = lab.take().openedExchanges.map(\.to)
        #expect((40...120).contains(tried.count))
        for name in ["o1", "o2", "o3"] { #expect(tried.filter { $0 == lab.address(of: name) }.count > 8) }
    }

    @Test("The larger the fleet, the rarer are contacts, and never at equal distances")
    func contactPace() {
        var options = GossipOptions.lan
        options.seeds = [Lab.record(port: 7).address]
        var lab = Lab(others: (0..<199).map { "o\($0)" }, options: options)
        lab.member.prober.nextTick = .distantFuture
        lab.member.exchange.nextPushPull = .distantFuture
        var moments: [Instant] = []
        for _ in 0..<30 {
            lab.run(until: lab.member.exchange.nextContact)
            moments.append(lab.now)
        }
        let gaps = zip(moments.dropFirst(), moments).map { $0 - $1 }
        #expect(gaps.allSatisfy { $0 >= .seconds(60) && $0 <= .seconds(180) })
        #expect(Set(gaps).count == gaps.count)
    }

    @Test("An absent seed is tried for ever, a present one is left in peace")
    func seeds() {
        var options = GossipOptions.lan
        options.seeds = [Lab.record(port: 100).address, Lab.record(port: 7).address, Lab.record(port: 1).address]
        var lab = Lab(others: ["a"], options: options)
        lab.member.prober.nextTick = .distantFuture
        lab.member.exchange.nextPushPull = .distantFuture
        lab.run(for: .seconds(3600))
        let tried = lab.take().openedExchanges
        #expect((80...180).contains(tried.count))
        #expect(tried.allSatisfy { $0.to == Lab.record(port: 7).address && $0.isJoin })
    }

    @Test("Who is alone tries all its seeds, at first soon, then as rarely as ever, and stops when one answers")
    func alone() throws {
        var options = GossipOptions.lan
        options.seeds = [Lab.record(port: 7).address, Lab.record(port: 8).address]
        var lab = Lab(options: options)
        lab.member.join(options.seeds, at: lab.now, into: &lab.effects)
        for opened in lab.take().openedExchanges { lab.member.fail(opened.stream, at: lab.now, into: &lab.effects) }
        lab.run(for: .seconds(5))
        let first = lab.take().openedExchanges
        #expect((4...12).contains(first.count) && Set(first.map(\.to)) == Set(options.seeds))
        lab.run(for: .seconds(600))
        #expect((30...80).contains(lab.take().openedExchanges.count))
        lab.member.prober.nextTick = .distantFuture
        lab.member.exchange.nextPushPull = .distantFuture
        lab.hear(alive: "x", 1, record: Lab.record(port: 7))
        lab.hear(alive: "y", 1, record: Lab.record(port: 8))
        lab.run(for: .seconds(600))
        #expect(lab.take().openedExchanges.isEmpty)
    }

    @Test("A join is tried however many exchanges are open")
    func joinBeyondLimit() {
        var options = GossipOptions.lan
        options.seeds = [Lab.record(port: 7).address]
        options.streamTimeout = .seconds(7 * 24 * 3600)
        var lab = Lab(options: options)
        lab.run(for: .seconds(24 * 3600))
        _ = lab.take()
        lab.member.join(options.seeds, at: lab.now, into: &lab.effects)
        #expect(lab.take().openedExchanges.map(\.to) == options.seeds)
    }

    @Test("Who is alone tries all its seeds in turn, even if there are more than are opened at once")
    func manySeeds() {
        var options = GossipOptions.lan
        options.seeds = (1000..<1040).map { Lab.record(port: $0).address }
        var lab = Lab(options: options)
        lab.run(for: .seconds(900))
        #expect(Set(lab.take().openedExchanges.map(\.to)) == Set(options.seeds))
    }

    @Test("Streams that do not end are not piled up")
    func openLimit() {
        var options = GossipOptions.lan
        options.seeds = [Lab.record(port: 7).address]
        options.streamTimeout = .seconds(7 * 24 * 3600)
        var lab = Lab(options: options)
        lab.run(for: .seconds(24 * 3600))
        #expect(lab.take().openedExchanges.count == 16)
    }
}
