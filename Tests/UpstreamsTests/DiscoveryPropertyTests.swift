// Discovery under any sequence of inputs, held against a plain reckoning of the facts at each step.

import Testing
import Upstreams
import Vocabulary

@Suite("Discovery, whatever happens")
struct DiscoveryPropertyTests {
    static let upstreams: [UpstreamOptions] = {
        var a = UpstreamOptions(name: "a", source: .service("a"))
        a.slowStart = .seconds(5)
        var b = UpstreamOptions(name: "b", source: .service("b"))
        b.panicThresholdPercent = 60
        b.onSuspect = .drain
        b.outlier.ejection = .seconds(5)
        var tagged = UpstreamOptions(name: "tagged", source: .members(tags: ["role": "web"], port: 9))
        tagged.panicThresholdPercent = 0
        let fixed = UpstreamOptions(
            name: "fixed", endpoints: (1...4).map { StaticEndpoint(address: .ipv4(.loopback, port: $0)) })
        return [a, b, tagged, fixed]
    }()

    /// What is true, as gossip and the roster say it.
    struct Facts {
        var members: [String: FleetMember] = [:]
        var roster: Set<String>?
    }

    static func randomTags(_ random: inout SeededRandom) -> [String: String] {
        var tags: [String: String] = [:]
        let health = ["", "", "", ";health=failing", ";health=draining", ";weight=300"]
        if random.below(4) > 0 { tags["svc.a"] = ":80" + health[Int(random.below(6))] }
        if random.below(4) > 0 { tags["svc.b"] = "10.0.0.\(1 + random.below(3)):81" + health[Int(random.below(6))] }
        if random.below(3) > 0 { tags["role"] = "web" }
        if random.below(20) == 0 { tags["svc.a"] = "nonsense" }
        return tags
    }

    /// One random thing that happens.
    static func step(_ lab: inout FleetLab, _ facts: inout Facts, _ random: inout SeededRandom) {
        let name = FleetLab.name(Int(random.below(10)))
        switch random.below(20) {
        case 0..<9:
            let states: [FleetMember.State] = [.alive, .alive, .alive, .suspect, .dead, .left]
            let last = facts.members[name]
            let member = FleetMember(
                name: name, address: FleetLab.address(name), state: states[Int(random.below(6))],
                incarnation: (last?.incarnation ?? 0) + random.below(2),
                tags: last.map { random.below(3) > 0 ? $0.tags : randomTags(&random) } ?? randomTags(&random),
                since: lab.now)
            var known = member
            if let last, member.tags.isEmpty, member.state == .dead || member.state == .left { known.tags = last.tags }
            facts.members[name] = known
            lab.discovery.update(member, at: lab.now)
        case 9:
            facts.members[name] = nil
            lab.discovery.forget(name, at: lab.now)
        case 10:
            facts.roster =
                random.below(2) == 0 ? nil : Set((0..<10).map(FleetLab.name).filter { _ in random.below(4) > 0 })
            lab.discovery.list(facts.roster.map { Roster($0) }, at: lab.now)
        case 11: lab.discovery.hear(nobodySince: random.below(2) == 0 ? nil : lab.now, at: lab.now)
        case 12..<16:
            let kinds = Observation.Kind.allCases
            let observation = Observation(
                cell: random.below(60), kind: kinds[Int(random.below(UInt32(kinds.count)))],
                streak: 1 + Int(random.below(7)))
            lab.discovery.observe(observation, at: lab.now) { _ in EndpointCounts(answered: 0, failed: 0) }
        case 16: lab.run(for: .seconds(Int(random.below(20))))
        case 17: lab.discovery.reclaim(acknowledged: lab.discovery.current.version, at: lab.now)
        default: lab.run(for: .milliseconds(Int(random.below(300))))
        }
    }

    /// The members that offer an upstream an endpoint, by the facts.
    static func offering(_ facts: Facts, _ source: EndpointSource) -> [String] {
        facts.members.values.filter { member in
            switch source {
            case .fixed: return false
            case .service(let service):
                guard let text = member.tags["svc." + service] else { return false }
                return (try? ServiceTag(parsing: text)) != nil
            case .members(let tags, _): return tags.allSatisfy { member.tags[$0.key] == $0.value }
            }
        }.map(\.name).sorted()
    }

    static func check(_ set: UpstreamSet, _ facts: Facts) {
        let endpoints = set.upstreams.flatMap(\.endpoints)
        #expect(Set(endpoints.map(\.cell)).count == endpoints.count, "a cell is one endpoint's")
        for snapshot in set.upstreams {
            if case .fixed = snapshot.options.source {
                #expect(snapshot.endpoints.count == 4)
            } else {
                #expect(snapshot.endpoints.map { $0.identity.member ?? "" } == offering(facts, snapshot.options.source))
            }
            checkTiers(snapshot, isKeeping: set.lastKnownGood != nil)
            for endpoint in snapshot.endpoints { check(endpoint, snapshot.options, facts) }
        }
    }

    private static func checkTiers(_ snapshot: UpstreamSnapshot, isKeeping: Bool) {
        let states = snapshot.endpoints.map(\.fitness.state)
        let candidates = unsafe snapshot.candidates.map { Int($0) }
        let never: Set<Fitness.State> = [.draining, .left, .unlisted]
        #expect(!candidates.contains { never.contains(states[$0]) })
        #expect(isKeeping || !candidates.contains { states[$0] == .dead })
        #expect(isKeeping || !snapshot.endpoints.contains { $0.isKept })
        // Panic, reckoned anew
        let known = snapshot.endpoints.indices.filter { index in
            !never.contains(states[index]) && (states[index] != .dead || snapshot.endpoints[index].isKept)
        }
        let fit = known.filter { states[$0] == .fit }
        let isPanic = Double(fit.count) < Double(snapshot.options.panicThresholdPercent) / 100 * Double(known.count)
        #expect(snapshot.isPanicking == isPanic)
        #expect(Array(candidates[..<snapshot.preferredCount]) == (isPanic ? known : fit))
        let suspects = isPanic ? [] : known.filter { states[$0] == .suspect }
        #expect(Array(candidates[snapshot.preferredCount...]) == suspects)
    }

    private static func check(_ endpoint: Endpoint, _ options: UpstreamOptions, _ facts: Facts) {
        let state = endpoint.fitness.state
        #expect(endpoint.fitness.reason.hasSuffix("."))
        #expect((endpoint.ramp < 100) == (endpoint.ramp != 100 && options.slowStart > .zero))
        guard let name = endpoint.identity.member, let member = facts.members[name] else {
            #expect(state == .fit || state == .ejected)
            return
        }
        let isListed = facts.roster?.contains(name) ?? true
        #expect((state == .unlisted) == !isListed)
        guard isListed else { return }
        #expect((state == .left) == (member.state == .left))
        #expect((state == .dead) == (member.state == .dead))
        if state == .suspect { #expect(member.state == .suspect) }
        if state == .fit { #expect(member.state == .alive) }
        switch member.state {
        case .alive: #expect(endpoint.fate == .keep)
        case .suspect: #expect(endpoint.fate == .keep || endpoint.fate == options.onSuspect)
        case .dead: #expect(endpoint.fate == (endpoint.isKept ? .keep : options.onDead))
        case .left: #expect(endpoint.fate == options.onLeft)
        }
    }

    @Test("Every set is true to the facts, and unchanged upstreams keep their snapshots", arguments: Seeds.sample)
    func invariants(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var lab = try FleetLab(Self.upstreams, node: "m00", capacity: 200)
        var facts = Facts()
        var (panics, kept, versions) = (0, 0, lab.discovery.current.version)
        for _ in 0..<1500 {
            let before = lab.discovery.current
            Self.step(&lab, &facts, &random)
            let last = lab.discovery.current
            if last !== before { #expect(last.version > before.version) }
            let set = lab.publish()
            Self.check(set, facts)
            for (new, old) in zip(set.upstreams, before.upstreams) where new !== old {
                #expect(new.version > old.version)
            }
            for (new, old) in zip(set.upstreams, last.upstreams) where new === old {
                #expect(new.version == old.version)
            }
            if set.upstreams.contains(where: \.isPanicking) { panics += 1 }
            if set.lastKnownGood != nil { kept += 1 }
            if set.version > versions { versions = set.version }
        }
        // The sequence went where it was meant to.
        #expect(panics > 50)
        #expect(kept > 10)
        #expect(versions > 250)
    }

    /// What two sets must agree in: everything but cells, versions and times.
    static func described(_ set: UpstreamSet) -> [String] {
        set.upstreams.flatMap { snapshot in
            snapshot.endpoints.enumerated().map { index, endpoint in
                let record = unsafe snapshot.records[index]
                return "\(snapshot.options.name) \(endpoint.identity) \(endpoint.weight) \(endpoint.zone ?? "") "
                    + "\(endpoint.fitness) \(endpoint.fate) \(endpoint.isKept) \(record.eligibility)"
            }
        }
    }

    @Test("The same facts give the same set, whatever the order in which they came", arguments: Seeds.sample)
    func orderDoesNotMatter(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<20 {
            let states: [FleetMember.State] = [.alive, .alive, .alive, .suspect, .left]
            let members = (0..<30).map { number in
                FleetMember(
                    name: FleetLab.name(number), address: FleetLab.address(FleetLab.name(number)),
                    state: states[Int(random.below(5))], tags: Self.randomTags(&random), since: Instant(nanoseconds: 0))
            }
            let roster = Roster(members.map(\.name).filter { _ in random.below(5) > 0 })
            func set(_ members: [FleetMember], rosterFirst: Bool) throws -> [String] {
                var lab = try FleetLab(Self.upstreams, node: "m00")
                if rosterFirst { lab.discovery.list(roster, at: lab.now) }
                for member in members { lab.discovery.update(member, at: lab.now) }
                if !rosterFirst { lab.discovery.list(roster, at: lab.now) }
                return Self.described(lab.publish())
            }
            let first = try set(members, rosterFirst: true)
            #expect(first == (try set(members.shuffled(using: &random), rosterFirst: false)))
            #expect(first == (try set(members.reversed(), rosterFirst: true)))
        }
    }
}
