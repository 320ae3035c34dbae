import Gossip
import GossipWire
import Testing
import Vocabulary

@testable import Serf

/// The table of serf-layer §4, cell by cell, through a whole agent.
@Suite("A member's status")
struct StatusTests {
    enum Input: String, CaseIterable, Sendable { case appears, isDead, leaves, intendsToLeave, intendsToStay }

    struct Cell: Sendable, CustomTestStringConvertible {
        let before: Standing.Status?
        let input: Input
        let after: Standing.Status?
        let isToldOn: Bool
        var testDescription: String { "\(before.map(\.description) ?? "unknown") \(input.rawValue)" }

        init(_ before: Standing.Status?, _ input: Input, _ after: Standing.Status?, toldOn: Bool = false) {
            (self.before, self.input, self.after, self.isToldOn) = (before, input, after, toldOn)
        }
    }

    static let table = [
        // What is there already cannot appear.
        Cell(.left, .appears, .alive), Cell(.failed, .appears, .alive), Cell(nil, .appears, .alive),
        Cell(.alive, .isDead, .failed), Cell(.leaving, .isDead, .left), Cell(.left, .isDead, .left),
        Cell(.failed, .isDead, .failed), Cell(nil, .isDead, nil),
        Cell(.alive, .leaves, .failed), Cell(.leaving, .leaves, .left), Cell(.left, .leaves, .left),
        Cell(.failed, .leaves, .failed), Cell(nil, .leaves, nil),
        Cell(.alive, .intendsToLeave, .leaving, toldOn: true), Cell(.leaving, .intendsToLeave, .leaving, toldOn: true),
        Cell(.left, .intendsToLeave, .left, toldOn: true), Cell(.failed, .intendsToLeave, .left, toldOn: true),
        Cell(nil, .intendsToLeave, nil, toldOn: true),
        Cell(.alive, .intendsToStay, .alive, toldOn: true), Cell(.leaving, .intendsToStay, .alive, toldOn: true),
        Cell(.left, .intendsToStay, .left, toldOn: true), Cell(.failed, .intendsToStay, .failed, toldOn: true),
        Cell(nil, .intendsToStay, nil, toldOn: true),
    ]

    /// An agent that sees `m` in a status whose time is 5, or 3 where no leave was heard.
    static func lab(_ status: Standing.Status?) throws -> Lab {
        var lab = try Lab(others: ["a"])
        guard let status else { return lab }
        lab.hear(alive: "m")
        lab.hear(join: "m", 3)
        if status == .leaving || status == .left { lab.hear(leave: "m", 5) }
        if status == .failed || status == .left { lab.hear(dead: "m") }
        _ = lab.told()
        try #require(lab.status("m") == status)
        return lab
    }

    @Test("Follows the table", arguments: table)
    func cell(cell: Cell) throws {
        var lab = try Self.lab(cell.before)
        let time = lab.time("m")
        switch cell.input {
        case .appears: lab.hear(alive: "m", 2)
        case .isDead: lab.hear(dead: "m", 2)
        case .leaves: lab.hear(dead: "m", 2, from: "m")
        case .intendsToLeave: lab.hear(leave: "m", 6)
        case .intendsToStay: lab.hear(join: "m", 6)
        }
        #expect(lab.status("m") == cell.after)
        let isIntent = cell.input == .intendsToLeave || cell.input == .intendsToStay
        #expect(lab.time("m") == (cell.before == nil ? lab.time("m") : isIntent ? 6 : time))
        let changes = lab.effects.events.compactMap { if case .status(_, let status) = $0 { status } else { nil } }
        #expect(changes == (cell.before == cell.after ? [] : cell.after.map { [$0] } ?? []))
        #expect(lab.told().count == (cell.isToldOn ? 1 : 0))
    }

    @Test("An intent at our time or before changes nothing and is not told on", arguments: [UInt64(0), 4, 5])
    func oldIntent(time: UInt64) throws {
        for status in Standing.Status.allCases {
            var lab = try Self.lab(status)
            lab.hear(leave: "m", 5)
            lab.hear(join: "m", 5)
            _ = lab.told()
            let standing = lab.agent.view(of: lab.id("m"))?.standing
            lab.hear(leave: "m", time)
            lab.hear(join: "m", time)
            #expect(lab.agent.view(of: lab.id("m"))?.standing == standing)
            #expect(lab.told() == [])
        }
    }

    @Test("An intent that overtakes its member waits for it five minutes", arguments: [299, 301])
    func buffered(seconds: Int) throws {
        var lab = try Lab(others: ["a"])
        lab.hear(leave: "m", 7)
        lab.hear(join: "n", 8)
        lab.run(for: .seconds(seconds))
        lab.hear(alive: "m")
        lab.hear(alive: "n")
        let isKept = seconds < 300
        #expect(lab.status("m") == (isKept ? .leaving : .alive))
        #expect(lab.time("m") == (isKept ? 7 : 0))
        #expect(lab.status("n") == .alive)
        #expect(lab.time("n") == (isKept ? 8 : 0))
    }

    @Test("Of an unknown member's intents the latest counts, and an old one is not told on")
    func latestBuffered() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(leave: "m", 7)
        lab.hear(join: "m", 9)
        _ = lab.told()
        lab.hear(leave: "m", 9)
        lab.hear(leave: "m", 8)
        #expect(lab.told() == [])
        lab.hear(alive: "m")
        #expect(lab.status("m") == .alive && lab.time("m") == 9)
    }

    @Test("Strangers' intents are bounded, the first heard go first")
    func boundedBuffer() {
        var buffer = IntentBuffer()
        let now = Instant(nanoseconds: 0)
        for index in 0..<IntentBuffer.limit + 10 {
            #expect(buffer.take(isLeave: true, of: "n\(index)", at: LamportTime(1), now: now) == true)
        }
        #expect(buffer.count == IntentBuffer.limit)
        #expect(buffer.removeIntent(of: "n9", now: now) == nil)
        #expect(buffer.removeIntent(of: "n10", now: now) != nil)
        // One name that intends ever later fills nothing.
        for time in 2..<UInt64(3 * IntentBuffer.limit) {
            _ = buffer.take(isLeave: true, of: "m", at: LamportTime(time), now: Instant(nanoseconds: Int64(time)))
        }
        #expect(buffer.removeIntent(of: "m", now: now)?.time.value == UInt64(3 * IntentBuffer.limit - 1))
    }

    @Test("A leave by gossip alone is a failure to agents, and can be told from one here")
    func gossipLeave() throws {
        var lab = try Lab(others: ["a", "l", "d"])
        lab.hear(dead: "l", from: "l")
        lab.hear(dead: "d")
        #expect(lab.status("l") == .failed && lab.status("d") == .failed)
        #expect(lab.agent.view(of: lab.id("l"))?.saidGoodbye == true)
        #expect(lab.agent.view(of: lab.id("d"))?.saidGoodbye == false)
    }

    @Test("Who failed or left is listed for a day, though gossip forgets it sooner, and then reaped")
    func reaping() throws {
        var lab = try Lab(others: ["a", "l", "d", "back"])
        lab.hear(leave: "l", 5)
        for name in ["l", "d", "back"] { lab.hear(dead: name) }
        lab.run(for: .seconds(60))
        lab.hear(alive: "back", 2)
        lab.run(for: .seconds(24 * 3600 - 61))
        #expect(lab.status("l") == .left && lab.status("d") == .failed)
        #expect(lab.agent.listed == 5)
        lab.run(for: .seconds(17))
        #expect(lab.status("l") == nil && lab.status("d") == nil)
        #expect(lab.status("back") == .alive)
        #expect(Set(lab.take().reaped) == [lab.id("l"), lab.id("d")])
    }

    @Test("Names that come and go without end are forgotten before their day is over")
    func boundedList() throws {
        var lab = try Lab(others: ["a"]) {
            $0.memberLimit = 16
            // Gossip forgets the dead as it goes through its members to probe them.
            $0.probeInterval = .seconds(1)
            $0.gossipToTheDead = .seconds(1)
        }
        var appeared = 0
        for index in 0..<200 {
            lab.hear(alive: "n\(index)")
            appeared += lab.status("n\(index)") == .alive ? 1 : 0
            lab.hear(dead: "n\(index)")
            lab.run(for: .seconds(3))
            lab.hear(alive: "a", UInt32(index) + 2)
            #expect(lab.agent.listed <= 32)
        }
        #expect(appeared > 100)
        #expect(lab.status("a") == .alive)
    }

    @Test("A pruned member goes when it has left, at once if it has; one that comes back stays")
    func prune() throws {
        var lab = try Lab(others: ["a", "failed", "stays", "goes"])
        lab.hear(dead: "failed")
        for name in ["failed", "stays", "goes"] { lab.hear(leave: name, 5, isPrune: true) }
        #expect(lab.status("failed") == nil)
        #expect(lab.status("stays") == .leaving && lab.status("goes") == .leaving)
        lab.hear(join: "stays", 6)
        for name in ["stays", "goes"] { lab.hear(dead: name) }
        #expect(lab.status("stays") == .failed)
        #expect(lab.status("goes") == nil)
        #expect(lab.take().reaped == [lab.id("failed"), lab.id("goes")])
        // What was taken back is forgotten: when it leaves one day, it is not pruned.
        lab.hear(leave: "stays", 7)
        #expect(lab.status("stays") == .left)
    }

    @Test("Who is known from the start has gossip's status, and is told of like any other")
    func preload() throws {
        let directory = Directory()
        var agent = try SerfAgent(
            name: directory.intern("self"), address: Lab.address(of: "self"), tags: SerfTags(), gossip: .lan,
            directory: directory, random: SeededRandom(seed: 1))
        let now = Instant(nanoseconds: 0)
        let states: [(String, MemberState, Standing.Status)] = [
            ("a", .alive, .alive), ("d", .dead, .failed), ("l", .left, .left),
        ]
        agent.preload(
            states.map { name, state, _ in
                MemberClaim(node: directory.intern(name), incarnation: 1, state: state, record: Lab.record(name))
            }, at: now)
        var effects = AgentEffects()
        agent.start(at: now, into: &effects)
        for (name, _, status) in states {
            #expect(agent.view(of: directory.intern(name))?.standing.status == status)
        }
        #expect(agent.listed == 4 && agent.gossip.listed == 4)
        #expect(agent.gossip.audience == 4)
    }

    @Test("Names that look alike are two names")
    func bytesOfNames() throws {
        var lab = try Lab(others: ["a"])
        lab.hear(leave: "\u{e9}", 5)
        lab.hear(alive: "e\u{301}")
        #expect(lab.status("e\u{301}") == .alive)
        lab.hear(alive: "\u{e9}")
        #expect(lab.status("\u{e9}") == .leaving)
    }

    @Test("A goodbye that comes after the death does not begin the day anew")
    func departure() throws {
        var lab = try Lab(others: ["a", "m"])
        lab.hear(dead: "m")
        let gone = lab.now
        lab.run(for: .seconds(20))
        lab.hear(dead: "m", from: "m")
        let view = try #require(lab.agent.view(of: lab.id("m")))
        #expect(view.departed == gone && view.saidGoodbye)
    }
}
