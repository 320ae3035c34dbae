// A log is read back to the last bit, or refused with the line that is wrong.

import Gossip
import Testing
import Vocabulary

@testable import Simulation

@Suite("Event logs and their replay")
struct EventLogTests {
    /// A world in which every kind of input happens.
    static func busyWorld(seed: UInt64, _ carriage: WorldOptions.Carriage = .values) throws -> World {
        var options = WorldOptions(nodes: 12, seed: seed, loss: 0.05, checks: .full, isRecorded: true)
        options.duplication = 0.05
        options.clockDrift = 200
        options.carriage = carriage
        options.scenario = try Scenario(
            parsing: """
                1s update 3
                2s crash 5
                3s pause 4 4s
                4s cut 1 > 2
                9s leave 7
                10s partition 0-5 | 6-11
                20s heal
                21s restart 5
                """)
        var world = try World(options)
        try world.leavingLog { world in
            try world.run(for: .seconds(22))
            world.join(2, through: 9)
            // Nobody listens at n5 any more: a stream that fails.
            world.crash(5)
            world.join(3, through: 5)
            try world.run(for: .seconds(20))
        }
        return world
    }

    @Test("A recorded world replays alike, without the network", arguments: Seeds.sample)
    func replay(seed: UInt64) throws {
        let world = try EventLogTests.busyWorld(seed: seed)
        let kinds = Set(world.log.entries.map(\.kind))
        #expect(kinds == Set(EventLog.Kind.allCases), "a kind of input does not happen here")
        let log = try EventLog(parsing: world.log.text)
        var replay = Replay(of: log)
        try replay.run()
        #expect(replay.replayed == world.log.entries.count)
        for node in 0..<12 { #expect(replay.core(of: node).viewChecksum == world.core(of: node).viewChecksum) }
    }

    @Test("A log reads back as it was written, every option included")
    func roundTrip() throws {
        let world = try EventLogTests.busyWorld(seed: 4)
        let log = try EventLog(parsing: world.log.text)
        #expect(log.entries == world.log.entries)
        #expect(log.faults == world.log.faults)
        #expect(log.options.lines == world.options.lines)
        #expect(log.text == world.log.text)
    }

    @Test("No option of a core is missing in the header")
    func options() throws {
        let fields = Mirror(reflecting: GossipOptions()).children.count
        let listed = GossipOptions.durations.count + GossipOptions.counts.count + GossipOptions.switches.count
        // The seeds are the world's own option.
        #expect(fields == listed + 1)
        var options = WorldOptions(nodes: 7, seed: .max, options: .wan, start: .cold(within: .milliseconds(1500)))
        options.options.usesStreamPing = false
        options.seeds = [1, 2]
        var read = WorldOptions(nodes: 1, seed: 0)
        for line in options.lines {
            let isTaken = read.take(line: line[...])
            #expect(isTaken, "\(line)")
        }
        #expect(read.lines == options.lines)
        // The world's: the core's are one of them, and whether it is recorded says the log itself.
        #expect(Mirror(reflecting: options).children.count == options.lines.count - listed + 3)
    }

    @Test("A log that is cut short at any line is refused there")
    func truncated() throws {
        let text = try EventLogTests.busyWorld(seed: 5).log.text
        let lines = text.split(separator: "\n")
        for count in [0, 1, 2, 20, 41, 42, 43, 60, 100, lines.count - 2, lines.count - 1] {
            let part = lines.prefix(count).map { $0 + "\n" }.joined()
            let fault = #expect(throws: LogFault.self) { try EventLog(parsing: part) }
            #expect(fault?.line == count + 1)
            #expect(fault?.problem == (count == 0 ? .notALog : .truncated))
        }
    }

    @Test(
        "A wrong line is refused with its number",
        arguments: [
            ("seed 1", "seed -1", LogFault.Problem.option),
            ("seed 1", "sead 1", .option),
            ("nodes 12", "nodes 0", .world(.nodes(0))),
            ("nodes 12", "nodes 5", .world(.unknownNode(5))),
            ("probe_interval 1s", "probe_interval 0s", .world(.option("probe_interval"))),
            ("probe_timeout 500ms", "probe_timeout 1001ms", .world(.option("probe_timeout"))),
            ("awareness_maximum 8", "awareness_maximum 0", .world(.option("awareness_maximum"))),
            ("packet_overhead 0", "packet_overhead 1300", .world(.option("packet_overhead"))),
            ("\nloss 0.05", "", .header),
            ("\nloss 0.05", "\nloss 0.050", .header),
            ("\nloss 0.05", "\nloss 0.05\nloss 0.05", .header),
            ("remora-event-log 1", "remora-event-log 2", .version),
            ("remora-event-log 1", "<html>", .notALog),
            ("0 boot 0 ", "0 boot 12 ", .entry),
            ("0 boot 0 ", "0 boost 0 ", .entry),
            ("0 boot 0 ", "9999999999999999 boot 0 ", .order),
            ("1000000000 fault update 3", "1000000000 fault update 12", .entry),
            ("1000000000 fault update 3", "1000000000 fault", .entry),
            ("\nend ", "\nend 1", .miscounted),
        ])
    func wrong(old: String, new: String, problem: LogFault.Problem) throws {
        let text = try EventLogTests.busyWorld(seed: 1).log.text
        let range = try #require(text.firstRange(of: old))
        let fault = #expect(throws: LogFault.self) { try EventLog(parsing: text.replacingCharacters(in: range, new)) }
        guard let fault else { return }
        let isSame =
            switch (fault.problem, problem) {
            // Which part of the world is impossible first does not matter.
            case (.world, .world): true
            case (let a, let b): a == b
            }
        #expect(isSame, "\(fault)")
        if problem == .entry {
            let before = text[..<range.lowerBound].utf8.count { $0 == 10 }
            #expect(fault.line == before + 1)
        }
    }

    @Test("A node's own time may not go back")
    func localOrder() throws {
        let world = try EventLogTests.busyWorld(seed: 1)
        let index = try #require(world.log.entries.lastIndex { $0.kind == .wake })
        var lines = world.log.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let line = world.log.line(ofEntry: index)
        lines[line - 1] = lines[line - 1].replacing(" \(world.log.entries[index].local) ", with: " 1 ")
        let fault = #expect(throws: LogFault.self) { try EventLog(parsing: lines.joined(separator: "\n")) }
        #expect(fault?.problem == .order && fault?.line == line)
    }

    @Test("Garbage is refused, and never ends the process", arguments: Seeds.sample)
    func garbage(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let text = Array(try EventLogTests.busyWorld(seed: 6).log.text.utf8.prefix(6_000))
        for _ in 0..<300 {
            var bytes = text
            for _ in 0...random.below(4) {
                bytes[Int(random.below(UInt32(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
            }
            let mutant = String(decoding: bytes, as: UTF8.self)
            #expect(throws: LogFault.self) { try EventLog(parsing: mutant) }
        }
    }

    @Test(
        "A log that was changed somewhere is refused or found to differ, and never ends the process",
        arguments: Seeds.sample)
    func changed(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var options = WorldOptions(nodes: 5, seed: seed, isRecorded: true)
        options.scenario = try Scenario(parsing: "1s update 3\n2s crash 2\n3s restart 2\n4s leave 1\n5s pause 4 1s")
        var world = try World(options)
        try world.run(for: .seconds(8))
        let text = Array(world.log.text.utf8)
        let digits = Array("0123456789".utf8)
        var (refused, different) = (0, 0)
        for _ in 0..<100 {
            var bytes = text
            // Digits for digits, so that many still read as a log.
            for _ in 0...random.below(2) {
                let place = Int(random.below(UInt32(bytes.count)))
                if digits.contains(bytes[place]) { bytes[place] = digits[Int(random.below(10))] }
            }
            do {
                var replay = Replay(of: try EventLog(parsing: String(decoding: bytes, as: UTF8.self)))
                try replay.run()
            } catch is LogFault {
                refused += 1
            } catch is Divergence {
                different += 1
            }
        }
        #expect(refused > 0 && different > 0)
    }

    @Test("A core that does otherwise is found at the line where it does")
    func divergence() throws {
        let world = try EventLogTests.busyWorld(seed: 1)
        let lines = world.log.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let index = try #require(lines.firstIndex { $0.contains(" datagram ") })
        // Another seed: all cores differ from their start on.
        let other = lines.joined(separator: "\n").replacing("\nseed 1\n", with: "\nseed 2\n")
        var replay = Replay(of: try EventLog(parsing: other))
        let first = #expect(throws: Divergence.self) { try replay.run() }
        #expect(first?.reason == .effects && first?.line == world.log.line(ofEntry: 0))
        // Another digest at one line.
        var tampered = lines
        tampered[index].removeLast()
        tampered[index].append(lines[index].hasSuffix("0") ? "1" : "0")
        replay = Replay(of: try EventLog(parsing: tampered.joined(separator: "\n")))
        let second = #expect(throws: Divergence.self) { try replay.run() }
        #expect(second?.reason == .effects && second?.line == index + 1)
        // A datagram that was never sent.
        var words = lines[index].split(separator: " ").map(String.init)
        words[4] = "999999"
        tampered = lines
        tampered[index] = words.joined(separator: " ")
        replay = Replay(of: try EventLog(parsing: tampered.joined(separator: "\n")))
        let third = #expect(throws: Divergence.self) { try replay.run() }
        #expect(third?.reason == .neverSent(999_999) && third?.line == index + 1)
    }

    @Test("A replay finds the invariant that did not hold where the world found it")
    func violation() throws {
        let wakeWrongly = { (core: inout Membership, _: Instant, effects: inout Effects) in
            core.wake(at: core.nextWake, into: &effects)
        }
        var world = try World(WorldOptions(nodes: 5, seed: 1, checks: .full, isRecorded: true))
        world.monitor.wakeEarly = wakeWrongly
        let found = try #require(#expect(throws: Violation.self) { try world.run(for: .seconds(60)) })
        var replay = Replay(of: try EventLog(parsing: world.log.text))
        try replay.run()
        #expect(replay.violation == nil)
        replay = Replay(of: try EventLog(parsing: world.log.text))
        replay.monitor.wakeEarly = wakeWrongly
        try replay.run()
        #expect(replay.violation?.description == found.description)
    }

    @Test("A sabotaged core is not what the log replays")
    func sabotage() throws {
        var world = try World(WorldOptions(nodes: 3, seed: 1, checks: .off, isRecorded: true))
        world.sabotage = { node, _, effects in if node == 1 { effects.datagrams.removeAll() } }
        try world.run(for: .seconds(3))
        var replay = Replay(of: world.log)
        let divergence = #expect(throws: Divergence.self) { try replay.run() }
        #expect(divergence?.node == 1)
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<String.Index>, _ new: String) -> String {
        self[..<range.lowerBound] + new + self[range.upperBound...]
    }
}
