import GossipWire
import Testing
import Upstreams
import Vocabulary

@testable import FleetLoad

@Suite("Checksums of members")
struct ChecksumTests {
    private static let ours = Checksums(view: UInt32(7), config: 1)

    /// A message of one member's.
    private func told(_ node: Int, _ checksums: Checksums, age: Duration = .zero) -> [UInt8] {
        guard let age = ReportAge(age) else { preconditionFailure("too old to be told") }
        let one = ToldChecksums(member: LoadSubject(member: name(node), services: []), age: age, checksums: checksums)
        var body: [UInt8] = []
        ChecksumMessage([one]).append(to: &body)
        return body
    }

    private func core(knowing others: Int) -> LoadReports {
        var core = LoadReports(of: name(0), options: TelemetryOptions())
        for node in 0...others { core.update(member(node), at: start) }
        core.see(Self.ours, at: start)
        return core
    }

    @Test(
        "Every member learns every other one's, with services or without, and within the budget",
        arguments: [2, 3, 15, 40])
    func spread(count: Int) {
        // Every third has a service; a near step of one without would have nothing else to tell.
        var lab = Lab((0..<count).map { member($0, services: $0 % 3 == 0 ? ["web"] : []) })
        for index in lab.cores.indices { lab.cores[index].see(Self.ours, at: lab.now) }
        lab.run(for: .seconds(20))
        for core in lab.cores {
            let agreement = core.agreement(at: lab.now)
            #expect(agreement?.remoras == count && agreement?.unheard == 0)
            #expect(agreement?.sameView == count && agreement?.sameConfig == count)
            #expect(core.counters.sentBytes <= 20 * 2048)
        }
    }

    @Test("They take less than a tenth of what is sent in a fleet at rest, and less than half in one that changes")
    func cost() {
        var lab = Lab(40)
        for index in lab.cores.indices { lab.cores[index].see(Self.ours, at: lab.now) }
        lab.run(for: .seconds(5))
        /// The part of all bytes of messages, from now on.
        func share(_ lab: inout Lab, seconds: Int, change: (inout Lab) -> Void) -> Double {
            lab.sent.removeAll()
            for _ in 0..<seconds / 2 {
                change(&lab)
                lab.run(for: .seconds(2))
            }
            let bodies = lab.sent.flatMap(\.bodies)
            let checksums = bodies.filter { ChecksumMessage.isOne($0.span) }
            return Double(checksums.reduce(0) { $0 + $1.count }) / Double(bodies.reduce(0) { $0 + $1.count })
        }
        let atRest = share(&lab, seconds: 10) { _ in }
        #expect(atRest > 0.02 && atRest < 0.1, "\(atRest)")
        var view = UInt32(100)
        let changing = share(&lab, seconds: 10) { lab in
            view += 1
            for index in lab.cores.indices { lab.cores[index].see(Checksums(view: view, config: 1), at: lab.now) }
        }
        #expect(changing > atRest && changing < 0.5, "\(changing)")
    }

    @Test("Whoever differs is named everywhere within seconds, and agrees again as soon")
    func change() {
        let count = 60
        var lab = Lab(count)
        for index in lab.cores.indices { lab.cores[index].see(Self.ours, at: lab.now) }
        lab.run(for: .seconds(10))
        // When one sees another fleet, and was told to do something else
        let changed = lab.now
        lab.cores[9].see(Checksums(view: UInt32(8), config: 2), at: changed)
        #expect(lab.cores[9].agreement(at: changed)?.sameView == 1)
        lab.run(for: .seconds(6))
        // Then all but it are of one mind, and it is the one who is not
        for (node, core) in lab.cores.enumerated() where node != 9 {
            let agreement = core.agreement(at: lab.now)
            #expect(agreement?.sameView == count - 1 && agreement?.sameConfig == count - 1)
            #expect(agreement?.differing.map(\.member) == ["n9"] && agreement?.otherConfig == ["n9"])
            let time = agreement?.differing.first?.time ?? .zero
            #expect(time > .seconds(2) && time <= .seconds(5))
        }
        lab.cores[9].see(Self.ours, at: lab.now)
        lab.run(for: .seconds(6))
        for core in lab.cores { #expect(core.agreement(at: lab.now)?.differing.isEmpty == true) }
    }

    @Test("What is lost is told again", arguments: Seeds.sample)
    func loss(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var lost: [Bool] = (0..<4096).map { _ in random.below(5) == 0 }
        lost[0] = true
        let pattern = lost
        var lab = Lab(30)
        lab.loses = { sent in pattern[(sent.from * 31 + sent.to * 17 + Int(sent.at.nanoseconds / 1_000_000)) % 4096] }
        for index in lab.cores.indices { lab.cores[index].see(Self.ours, at: lab.now) }
        lab.run(for: .seconds(5))
        for index in lab.cores.indices { lab.cores[index].see(Checksums(view: UInt32(8), config: 1), at: lab.now) }
        lab.run(for: .seconds(25))
        for core in lab.cores { #expect(core.agreement(at: lab.now)?.sameView == 30) }
    }

    @Test("Of two words of a member the later one stays, whichever comes first")
    func order() {
        let other = Checksums(view: UInt32(8), config: 1)
        var core = core(knowing: 2)
        core.hear(told(1, Self.ours, age: .seconds(1)), at: start + .seconds(10))
        core.hear(told(1, other, age: .seconds(5)), at: start + .seconds(11))
        #expect(core.agreement(at: start + .seconds(11))?.sameView == 2)
        core.hear(told(1, other), at: start + .seconds(12))
        let agreement = core.agreement(at: start + .seconds(15))
        #expect(agreement?.sameView == 1 && agreement?.unheard == 1)
        #expect(agreement?.differing == [.init(member: "n1", time: .seconds(3))])
        // Said again, it is no new disagreement.
        core.hear(told(1, other), at: start + .seconds(16))
        #expect(core.agreement(at: start + .seconds(17))?.differing.first?.time == .seconds(5))
    }

    @Test("In a fleet that changes all the time nobody differs for long; once it stands still, who differs does")
    func steadyChange() {
        var core = core(knowing: 1)
        var now = start
        func differs() -> Duration? { core.agreement(at: now)?.differing.first?.time }
        // When each change is seen here first, and its word comes when ours has changed again
        var times: Set<Duration> = []
        for change in 1...60 {
            core.see(Checksums(view: UInt32(100 + change), config: 1), at: now)
            now = now + .seconds(1)
            core.hear(told(1, Checksums(view: UInt32(99 + change), config: 1)), at: now)
            now = now + .seconds(1)
            times.formUnion([differs() ?? .zero])
        }
        #expect(times == [.seconds(1)])
        // And then both stay what they are
        for _ in 0..<6 {
            now = now + .seconds(10)
            core.hear(told(1, Checksums(view: UInt32(159), config: 1)), at: now)
        }
        #expect(differs() == .seconds(61))
        // Other upstreams in either config are no other view.
        core.see(Checksums(view: UInt32(160), config: 2), at: now)
        core.hear(told(1, Checksums(view: UInt32(159), config: 3)), at: now + .seconds(1))
        now = now + .seconds(2)
        #expect(differs() == .seconds(63))
        core.hear(told(1, Checksums(view: UInt32(160), config: 2)), at: now)
        #expect(differs() == nil && core.agreement(at: now)?.sameView == 2)
    }

    @Test("What was said more than five minutes ago is nobody's any more, and the dead are not asked")
    func forgetting() {
        var core = core(knowing: 2)
        core.hear(told(1, Self.ours, age: .seconds(290)), at: start)
        core.hear(told(2, Self.ours), at: start)
        #expect(core.agreement(at: start + .seconds(9))?.sameView == 3)
        #expect(core.agreement(at: start + .seconds(11))?.unheard == 1)
        core.update(member(2, state: .dead), at: start + .seconds(11))
        let agreement = core.agreement(at: start + .seconds(11))
        #expect(agreement?.remoras == 2 && agreement?.sameView == 1)
    }

    @Test("Words about ourselves, about strangers and about two at once change nothing; broken ones are counted")
    func strangers() throws {
        // These two names have one digest.
        let (one, other) = try #require(Self.collision())
        var core = LoadReports(of: "own", options: TelemetryOptions())
        for name in ["own", one, other] { core.update(member(name, at: 1), at: start) }
        core.see(Self.ours, at: start)
        for name in ["own", one, "stranger"] {
            let subject = LoadSubject(member: name, services: [])
            let age = try #require(ReportAge(.zero))
            var body: [UInt8] = []
            ChecksumMessage([ToldChecksums(member: subject, age: age, checksums: Checksums(view: UInt32(1), config: 1))]
            )
            .append(to: &body)
            core.hear(body, at: start)
        }
        let agreement = core.agreement(at: start)
        #expect(agreement?.unheard == 2 && agreement?.differing.isEmpty == true)
        core.hear([0xE7, 1, 4, 0], at: start)
        #expect(core.counters.refusedMessages == 1)
        // Once one of them is gone, the other is known.
        core.remove(other)
        let age = try #require(ReportAge(.zero))
        var body: [UInt8] = []
        let subject = LoadSubject(member: one, services: [])
        ChecksumMessage([ToldChecksums(member: subject, age: age, checksums: Self.ours)]).append(to: &body)
        core.hear(body, at: start)
        #expect(core.agreement(at: start)?.sameView == 2)
    }

    /// Found by counting through names; a digest has 32 bits, so about one in 65,000 has a double.
    private static func collision() -> (String, String)? {
        var seen: [LoadSubject: String] = [:]
        for number in 0..<400_000 {
            let name = "m\(number)"
            if let other = seen.updateValue(name, forKey: LoadSubject(member: name, services: [])) {
                return (other, name)
            }
        }
        return nil
    }

    @Test("Ours are told when they have stayed for a second, not while they change")
    func quiet() {
        var lab = Lab(8)
        for index in lab.cores.indices { lab.cores[index].see(Self.ours, at: lab.now) }
        // When ours change every half second
        for round in 0..<10 {
            lab.cores[0].see(Checksums(view: UInt32(100 + round), config: 1), at: lab.now)
            lab.run(for: .milliseconds(500))
        }
        #expect(lab.cores[1].agreement(at: lab.now)?.unheard == 1)
        lab.run(for: .seconds(4))
        #expect(lab.cores[1].agreement(at: lab.now)?.differing.map(\.member) == ["n0"])
    }

    @Test("The longest reports find room beside checksums that are all different", arguments: [12, 60])
    func room(nodes: Int) {
        let services = (0..<LoadReport.mostServices).map { "service-\($0)" }
        let options = TelemetryOptions(bytesPerSecond: .kibibytes(2), packetOverhead: 29)
        var lab = Lab((0..<nodes).map { member($0, services: services) }, options: options)
        let load = Dictionary(
            uniqueKeysWithValues: services.map { ($0, ServiceLoad(outstanding: .max, connections: .max)) })
        lab.load = { _, _ in load }
        for index in lab.cores.indices {
            lab.cores[index].see(Checksums(view: UInt32(index), config: UInt32(index)), at: lab.now)
        }
        lab.run(for: .seconds(30), step: .milliseconds(40))
        for sent in lab.sent where !sent.body.isEmpty { #expect(sent.message != nil) }
        #expect(lab.cores.allSatisfy { $0.counters.refusedMessages == 0 && $0.counters.sentBytes <= 30 * 2048 })
        #expect(lab.longest <= options.packetBudget)
        #expect(lab.cores.allSatisfy { ($0.agreement(at: lab.now)?.unheard ?? 0) < nodes })
    }
}
