import GossipWire
import Testing
import Upstreams
import Vocabulary

@testable import FleetLoad

@Suite("Telling of load")
struct TellingTests {
    @Test(
        "Every member is told of every other by exactly one path of at most one stop", arguments: Array(2...40) + [250])
    func paths(count: Int) {
        let names = (0..<count).map(name)
        let order = names.map(RingPlace.init(of:)).sorted()
        // Each core's ring, with the members in an order of its own.
        let rings = order.indices.map { position in
            var slots = [order[position]]
            var ring = LoadRing(of: 0)
            for place in order[(position / 2)...] + order[..<(position / 2)] where place != slots[0] {
                slots.append(place)
                let known = slots
                ring.insert(slots.count - 1) { place < known[$0] }
            }
            return (ring: ring, slots: slots)
        }
        var told = [Int](repeating: 0, count: count * count)
        for (teller, (ring, slots)) in rings.enumerated() {
            func index(_ offset: Int) -> Int {
                order.firstIndex(of: slots[ring.slot(at: offset)]) ?? 0
            }
            if ring.nearSteps > 0 {
                for step in 1...ring.nearSteps { told[teller * count + index(step)] += 1 }
            }
            for step in 1...ring.farSteps {
                let target = index(step * ring.stride)
                for offset in 0..<ring.reports(atFarStep: step) {
                    told[index(-offset) * count + target] += 1
                }
            }
        }
        for origin in 0..<count {
            for target in 0..<count {
                #expect(told[origin * count + target] == (origin == target ? 0 : 1), "\(origin) to \(target)")
            }
        }
    }

    @Test("Members that come and go leave every ring as if only those that stay had ever been there")
    func churn() {
        var core = LoadReports(of: name(7), options: TelemetryOptions())
        var fresh = core
        var random = SeededRandom(seed: 9)
        for _ in 0..<2000 {
            let node = Int(random.below(60))
            if random.below(2) == 0 { core.update(member(node), at: start) } else { core.remove(name(node)) }
        }
        let names = core.ring.slots.compactMap { core.peers[$0]?.place.name }
        for name in names.shuffled(using: &random) { fresh.update(member(name, at: 1), at: start) }
        #expect(names == fresh.ring.slots.compactMap { fresh.peers[$0]?.place.name })
        #expect(core.ring.slots[core.ring.position] == LoadReports.own)
        #expect(core.ring.position == fresh.ring.position && core.ring.stride == fresh.ring.stride)
    }

    @Test(
        "No second, wherever it begins, has more bytes than the budget, layers included",
        arguments: [(12, 1), (40, 1), (24, 40), (30, LoadReport.mostServices)])
    func budget(nodes: Int, services: Int) {
        let list = (0..<services).map { "service-\($0)" }
        let options = TelemetryOptions(bytesPerSecond: .kibibytes(1), packetOverhead: 29)
        var lab = Lab((0..<nodes).map { member($0, services: list) }, options: options)
        let load = Dictionary(
            uniqueKeysWithValues: list.map { ($0, ServiceLoad(outstanding: .max, connections: .max)) })
        lab.load = { _, _ in load }
        // A report of the longest kind is half of a second's budget, and a lap has one for every member.
        let seconds = services == LoadReport.mostServices ? 60 : 20
        lab.run(for: .seconds(seconds))
        for node in 0..<nodes {
            let sent = lab.sent.filter { $0.from == node }
            let bytes = sent.map { $0.body.count + 1 + 29 }
            #expect(lab.cores[node].counters.sentBytes == bytes.reduce(0) { $0 + UInt64($1) })
            for first in sent.indices {
                let end = sent[first].at + .seconds(1)
                let last = sent.indices[first...].first { sent[$0].at >= end } ?? sent.count
                #expect(bytes[first..<last].reduce(0, +) <= 1024, "node \(node) at \(sent[first].at)")
            }
            // And it is used: large datagrams leave a part of it.
            #expect(bytes.reduce(0, +) > seconds * 1024 / 2)
            #expect(bytes.max() ?? 0 <= 1400)
        }
        // Whatever their length, all reports get everywhere.
        for viewer in lab.cores { #expect(viewer.summary(at: lab.now).held == nodes - 1) }
    }

    @Test("Plain agents are told nothing, and a remora that becomes one is told nothing more")
    func agents() {
        var lab = Lab((0..<30).map { member($0, isRemora: $0 % 3 != 0) })
        let remoras = Set((0..<30).filter { $0 % 3 != 0 })
        lab.run(for: .seconds(10), asleep: Set(0..<30).subtracting(remoras))
        #expect(Set(lab.sent.map(\.to)) == remoras)
        for node in remoras { #expect(lab.cores[node].summary(at: lab.now).held == remoras.count - 1) }
        for node in remoras { lab.cores[node].update(member(1, isRemora: false), at: lab.now) }
        lab.sent = []
        lab.run(for: .seconds(5), asleep: Set(0..<30).subtracting(remoras).union([1]))
        #expect(!lab.sent.isEmpty && !lab.sent.contains { $0.to == 1 })
    }

    @Test("Versions never fall, and the age of a version only grows, as time does", arguments: Seeds.sample)
    func monotonic(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var lab = Lab(20)
        var losses = SeededRandom(seed: seed &+ 1)
        lab.loses = { _ in losses.below(5) == 0 }
        var before: [String: (version: LoadVersion, age: Duration)] = [:]
        for _ in 0..<200 {
            let step = Duration.milliseconds(Int(20 + random.below(80)))
            lab.run(for: step)
            for viewer in 0..<20 {
                for node in 0..<20 where node != viewer {
                    let key = "\(viewer) \(node)"
                    guard let known = lab.cores[viewer].load(of: "web", on: name(node), at: lab.now),
                        let version = lab.cores[viewer].version(of: name(node), at: lab.now)
                    else {
                        #expect(before[key] == nil)
                        continue
                    }
                    #expect(known.age >= .zero)
                    if let last = before[key] {
                        #expect(version >= last.version)
                        if version == last.version { #expect(known.age >= last.age + step) }
                    }
                    // The load says when it was measured, modulo a second; the age is no less than that.
                    let measured = Int64(known.load.connections)
                    let since = (lab.now.nanoseconds / 1_000_000 - measured) % 1000
                    #expect(known.age >= .milliseconds(since))
                    before[key] = (version, known.age)
                }
            }
        }
        #expect(before.count == 20 * 19)
    }

    @Test("Ages stay even: with a fifth of all datagrams lost none is older than a few laps")
    func even() {
        var lab = Lab(60)
        var losses = SeededRandom(seed: 5)
        lab.loses = { _ in losses.below(5) == 0 }
        lab.run(for: .seconds(15))
        var oldest = Duration.zero
        for _ in 0..<40 {
            lab.run(for: .milliseconds(500))
            for core in lab.cores { oldest = max(oldest, core.summary(at: lab.now).oldest) }
        }
        let lap = lab.cores.compactMap(\.laps.farTime).max() ?? .zero
        #expect(lap > .zero && lap < .seconds(1))
        #expect(oldest < lap * 8, "\(oldest), lap \(lap)")
        #expect(lab.cores[0].counters.sentQuestions > 0 && lab.cores[0].counters.sentAnswers > 0)
    }

    @Test("Who is never heard by its path is asked, the oldest first, and answers within its budget")
    func questions() {
        // Given a fleet in which one member's datagrams to all but those that ask are lost
        var lab = Lab(40)
        lab.loses = { sent in
            guard sent.from == 3, case .reports(let reports) = sent.message else { return false }
            return reports.count > 1 || sent.at < start + .seconds(4)
        }
        lab.run(for: .seconds(20))
        for viewer in 0..<40 where viewer != 3 {
            #expect(lab.cores[viewer].load(of: "web", on: name(3), at: lab.now)?.age ?? .seconds(99) < .seconds(5))
        }
        // No more than a share of what is sent are questions, and answers.
        for core in lab.cores {
            #expect(core.counters.sentQuestions * LoadReports.questionTurn <= core.counters.sentDatagrams + 8)
            #expect(core.counters.sentAnswers * LoadReports.answerTurn <= core.counters.sentDatagrams + 4)
        }
    }

    @Test("A quick restart that gossip did not see outdoes what others hold of the life before")
    func restart() {
        var lab = Lab(12)
        lab.run(for: .seconds(4))
        let before = lab.cores[0].version(of: name(5), at: lab.now)?.number ?? 0
        #expect(before > 10)
        // When one begins anew with the same incarnation and number 1
        lab.cores[5] = LoadReports(of: name(5), options: TelemetryOptions())
        for node in 0..<12 { lab.cores[5].update(member(node), at: lab.now) }
        lab.load = { node, _ in ["web": busy(UInt32(1000 + node))] }
        lab.run(for: .seconds(5))
        // Then all hear it again soon, by a later number
        for viewer in 0..<12 where viewer != 5 {
            #expect(lab.cores[viewer].load(of: "web", on: name(5), at: lab.now)?.load.outstanding == 1005)
            #expect(lab.cores[viewer].version(of: name(5), at: lab.now)?.number ?? 0 > before)
        }
    }

    @Test("A later incarnation of our own is told from the next report on")
    func incarnation() {
        var lab = Lab(3)
        lab.run(for: .seconds(1))
        lab.cores[0].update(member(0, incarnation: 7), at: lab.now)
        lab.run(for: .seconds(1))
        #expect(lab.cores[1].version(of: name(0), at: lab.now)?.incarnation == 7)
    }

    @Test("A report that did not change is not told again, but for every eighth telling")
    func delta() {
        var lab = Lab(40)
        lab.run(for: .seconds(5))
        // When one stops measuring and telling
        lab.run(for: .milliseconds(500), asleep: [3])
        lab.sent = []
        lab.run(for: .seconds(8), asleep: [3])
        let subject = LoadSubject(member: name(3), services: ["web"])
        func path(_ sent: Lab.Sent) -> [Int] { [sent.from, sent.to] }
        let withIt = lab.sent.filter { sent in
            guard case .reports(let reports) = sent.message else { return false }
            return reports.contains { $0.subject == subject }
        }
        // Then of all that those are told who are told of it, it is a small part
        let paths = Set(withIt.map(path))
        let tellings = lab.sent.count { paths.contains(path($0)) }
        #expect(!withIt.isEmpty && withIt.count * 6 < tellings, "\(withIt.count) of \(tellings)")
    }

    @Test("Small fleets are told every 200 ms and no more; alone there is nothing to do until somebody comes")
    func small() {
        var lab = Lab(2)
        lab.run(for: .seconds(10))
        #expect((40...51).contains(lab.sent.count { $0.from == 0 }))
        #expect(lab.cores[0].summary(at: lab.now).oldest < .milliseconds(400))
        lab.cores[0].remove(name(1))
        lab.sent = []
        lab.run(for: .seconds(1), asleep: [1])
        #expect(lab.sent.isEmpty && lab.cores[0].nextWake == Instant(nanoseconds: .max))
        lab.cores[0].update(member(1), at: lab.now)
        lab.run(for: .seconds(1), asleep: [1])
        #expect(lab.sent.contains { $0.to == 1 })
    }

    @Test("Those without a service tell nothing of themselves, and pass on what others tell")
    func clients() {
        var lab = Lab((0..<40).map { member($0, services: $0 % 4 == 0 ? ["web"] : []) })
        lab.run(for: .seconds(10))
        for node in 0..<40 {
            let summary = lab.cores[node].summary(at: lab.now)
            #expect(summary.expected == (node % 4 == 0 ? 9 : 10) && summary.held == summary.expected)
            #expect(summary.oldest < .seconds(2))
        }
    }

    @Test("Whoever asks is answered where gossip says it is, once, and strangers are not")
    func strangers() {
        var core = LoadReports(of: name(0), options: TelemetryOptions())
        for node in 0..<2 { core.update(member(node), at: start) }
        var body: [UInt8] = []
        LoadMessage.question(from: LoadSubject(digest: 77), heard: .none).append(to: &body)
        core.hear(body, at: start)
        #expect(core.owed.isEmpty)
        body.removeAll()
        LoadMessage.question(from: LoadSubject(member: name(1), services: ["web"]), heard: .none).append(to: &body)
        for _ in 0..<100 { core.hear(body, at: start) }
        #expect(core.owed == [1])
        core.remove(name(1))
        #expect(core.owed.isEmpty)
    }
}

@Suite("Budget of bytes")
struct SendingBudgetTests {
    @Test(
        "Random lengths at random times: never more in any second, and nearly all of it where there is enough to send",
        arguments: Seeds.sample)
    func anySecond(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var budget = SendingBudget(bytesPerSecond: 2048)
        var now = start
        var sent: [(at: Instant, bytes: Int)] = []
        while now < start + .seconds(60) {
            let length = 20 + Int(random.below(200))
            let moment = budget.earliest(for: length, at: now)
            #expect(moment >= now)
            now = moment
            budget.spend(length, at: now)
            sent.append((now, length))
            if random.below(50) == 0 { now = now + .milliseconds(Int(random.below(300))) }
        }
        for (index, first) in sent.enumerated() {
            let second = sent[index...].prefix { $0.at < first.at + .seconds(1) }
            #expect(second.reduce(0) { $0 + $1.bytes } <= 2048 && second.count <= SendingBudget.mostDatagrams)
        }
        #expect(sent.reduce(0) { $0 + $1.bytes } > 60 * 2048 * 85 / 100)
    }

    @Test("After a pause a tenth of a second is made up for, and no more")
    func burst() {
        var budget = SendingBudget(bytesPerSecond: 10_000)
        var now = start
        budget.spend(100, at: now)
        now = now + .seconds(10)
        var burst = 0
        while budget.earliest(for: 100, at: now) <= now {
            budget.spend(100, at: now)
            burst += 100
        }
        #expect((1000...1200).contains(burst))
    }

    @Test("Large budgets are for long datagrams: at most 200 a second")
    func datagrams() {
        var budget = SendingBudget(bytesPerSecond: 1 << 20)
        var (now, count) = (start, 0)
        while now < start + .seconds(3) {
            now = budget.earliest(for: 20, at: now)
            budget.spend(20, at: now)
            count += 1
        }
        #expect((590...601).contains(count))
    }
}
