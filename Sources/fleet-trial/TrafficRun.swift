// Scenarios played on a fleet, one after the other, each with a load of its own.

import Glibc
import Reactor
import Rig
import Stats
import Vocabulary

struct TrafficRun {
    /// How long things are given.
    struct Pace {
        /// Of quiet load before a misfortune, and after what it has led to has been seen.
        var calm = Duration.seconds(3)
        /// Shorter than any suspicion.
        var shortFreeze = Duration.seconds(2)
        /// For a state to be seen by those who send.
        var patience = Duration.seconds(60)
        /// From the closing of a deaf sidecar's door to our seeing it.
        static let sight = Duration.milliseconds(100)
        /// Until then the first refused connect must have closed it.
        static let longestDeafness = Duration.seconds(1)
    }

    let fleet: ServiceFleet
    /// Nodes that the load goes through; no misfortune befalls them.
    let callers: [ServiceNode]
    /// Nodes that are there from the beginning; the others come with ``TrafficScenario/add``.
    let first: [ServiceNode]
    let rate: RequestLoad.Rate
    let pace: Pace
    let say: (String) -> Void
    private var random: SeededRandom
    private var nextID = 1
    private var present: [ServiceNode]

    init(
        fleet: ServiceFleet, first: Int, rate: RequestLoad.Rate, pace: Pace, seed: UInt64,
        say: @escaping (String) -> Void
    ) {
        self.fleet = fleet
        self.first = Array(fleet.nodes[..<first])
        // The last of each service.
        callers = (0..<fleet.options.services).compactMap { service in
            fleet.nodes[..<first].last { $0.service == service }
        }
        self.rate = rate
        self.pace = pace
        self.say = say
        random = SeededRandom(seed: seed)
        present = Array(fleet.nodes[..<first])
    }

    /// Starts the first, and waits until every caller sees all of them.
    mutating func start() async throws {
        for node in first { try fleet.start(node) }
        guard let took = try await settled(within: .seconds(60)) else {
            throw RunFailure(
                description: "the fleet is not complete after a minute\n" + fleet.crashes().joined(separator: "\n"))
        }
        say("complete after \(took.seconds(1)) s")
    }

    private func settled(within limit: Duration) async throws -> Duration? {
        try await Patience.wait(limit) {
            let crashes = fleet.crashes()
            guard crashes.isEmpty else { throw RunFailure(description: crashes.joined(separator: "\n")) }
            for caller in callers where !(await fleet.areFit(present, at: caller)) { return false }
            return true
        }
    }

    /// Plays one.
    mutating func play(_ scenario: TrafficScenario) async throws -> TrafficReport.Row {
        guard !scenario.needsNamespaces || fleet.site.kind == .namespaces else {
            var row = TrafficReport.Row(scenario: scenario.rawValue, victims: [])
            row.isOmitted = true
            return row
        }
        let victims = victims(of: scenario)
        let load = RequestLoad(try fleet.targets(at: callers), rate: rate, firstID: nextID)
        defer { load.abandon() }
        try await Task.sleep(for: pace.calm)
        var complaints: [String] = []
        let resets = await resets(of: victims)
        let now = Kernel.now()
        var misfortune = TrafficFindings.Misfortune(victims: Set(victims.map(\.name)), began: now, done: now)
        for victim in victims { try await befall(victim, scenario, &misfortune, &complaints) }
        try await Task.sleep(for: pace.calm)
        if scenario.comesBack {
            misfortune.undone = misfortune.undone ?? Kernel.now()
            for victim in victims { try undo(victim, scenario) }
            if try await settled(within: pace.patience) == nil {
                complaints.append("not everybody is fit again after \(pace.patience.seconds(0)) s")
            }
        }
        try await Task.sleep(for: pace.calm)
        let records = try await load.end()
        nextID = (records.map(\.id).max() ?? nextID) + 1
        let journals = Dictionary(uniqueKeysWithValues: present.map { ($0.name, fleet.journal(of: $0)) })
        let findings = TrafficFindings(records, journals: journals, of: misfortune)
        var row = TrafficReport.Row(scenario: scenario.rawValue, victims: victims.map(\.name), findings)
        row.complaints = complaints + judge(findings, scenario)
        let reset = await self.resets(of: victims) - resets
        if findings.unheard > reset {
            row.complaints.append(
                "\(findings.unheard) requests failed that may have gone to it, and callers reset only \(reset) connections"
            )
        }
        say("\(scenario.rawValue): \(records.count) requests, \(records.count - findings.answered) of them failed")
        return row
    }

    /// Connections to these that the callers have reset because their member was dead.
    private func resets(of victims: [ServiceNode]) async -> UInt64 {
        var sum: UInt64 = 0
        for caller in callers {
            for victim in victims { sum += await fleet.endpoint(of: victim, at: caller)?.resetTotal ?? 0 }
        }
        return sum
    }

    private func judge(_ findings: TrafficFindings, _ scenario: TrafficScenario) -> [String] {
        var complaints: [String] = []
        if findings.other > 0 {
            complaints.append("\(findings.other) requests failed that had no part in it:")
            complaints += findings.examples
        }
        if findings.inFlight > 0, !scenario.mayLose.inFlight {
            complaints.append(
                "\(findings.inFlight) requests were lost in flight, though nothing in flight is to be lost")
        }
        if findings.accepted > 0, !scenario.mayLose.accepted {
            complaints.append("\(findings.accepted) requests were taken by a sidecar and lost")
        }
        if scenario.comesBack, findings.backAfter == nil { complaints.append("traffic did not come back") }
        if findings.answered < findings.sent / 2 { complaints.append("most requests failed: that is no trial") }
        return complaints
    }

    // MARK: Misfortunes

    private mutating func victims(of scenario: TrafficScenario) -> [ServiceNode] {
        switch scenario {
        case .quiet: return []
        case .add: return Array(fleet.nodes[first.count...])
        case .killInstance, .killSidecar, .freezeBriefly, .freezeLong, .failCheck, .drain, .cut:
            let others = first.filter { node in !callers.contains { $0 === node } }
            return [others[Int(random.below(UInt32(others.count)))]]
        }
    }

    private mutating func befall(
        _ victim: ServiceNode, _ scenario: TrafficScenario, _ misfortune: inout TrafficFindings.Misfortune,
        _ complaints: inout [String]
    ) async throws {
        misfortune.began = Kernel.now()
        switch scenario {
        case .quiet: break
        case .killInstance:
            fleet.killInstance(of: victim)
            misfortune.done = Kernel.now()
            let closed = try await Patience.wait(pace.patience, asking: .milliseconds(10)) {
                await fleet.stats(of: victim)?.listeners.first { $0.name == "in" }?.state == .failing
            }
            guard let closed, closed <= Pace.longestDeafness else {
                complaints.append("its sidecar turned nobody away for \(closed?.seconds(2) ?? "too many") s")
                return
            }
            misfortune.deafness = (.sidecar, Kernel.now() + Pace.sight)
        case .killSidecar:
            fleet.killSidecar(of: victim)
            misfortune.done = Kernel.now()
            try await expect(victim, "dead", &complaints)
        case .freezeBriefly:
            fleet.signal(SIGSTOP, to: victim)
            misfortune.done = Kernel.now()
            try await Task.sleep(for: pace.shortFreeze)
            // It goes on at once: what it owes is not to be held up.
            misfortune.undone = Kernel.now()
            fleet.signal(SIGCONT, to: victim)
        case .freezeLong:
            fleet.signal(SIGSTOP, to: victim)
            misfortune.done = Kernel.now()
            try await expect(victim, "dead", &complaints)
            misfortune.deafness = (.node, Kernel.now())
        case .failCheck:
            try fleet.setHealth(of: victim, passes: false)
            misfortune.done = Kernel.now()
            try await expect(victim, "failing", &complaints)
        case .drain:
            victim.sidecar?.signal(SIGTERM)
            misfortune.done = Kernel.now()
            let ended = try await Patience.wait(pace.patience) { victim.sidecar?.hasEnded ?? true }
            if ended == nil { complaints.append("it does not end") }
            if ended != nil, let code = victim.sidecar?.exitCode(), code != 0 {
                complaints.append("it ended with \(code)")
            }
            fleet.forgetSidecar(of: victim)
            try await expect(victim, "left", &complaints)
        case .add:
            misfortune.undone = misfortune.undone ?? misfortune.began
            try fleet.start(victim)
            present.append(victim)
        case .cut:
            try fleet.site.setWire(of: victim.number, up: false)
            misfortune.done = Kernel.now()
            try await expect(victim, "dead", &complaints)
            misfortune.deafness = (.connections, Kernel.now())
        }
    }

    /// Until all callers see a victim's endpoint so.
    private func expect(_ victim: ServiceNode, _ state: String, _ complaints: inout [String]) async throws {
        let took = try await Patience.wait(pace.patience) {
            for caller in callers where await fleet.endpoint(of: victim, at: caller)?.state != state { return false }
            return true
        }
        if took == nil { complaints.append("callers do not see it \(state) after \(pace.patience.seconds(0)) s") }
    }

    private func undo(_ victim: ServiceNode, _ scenario: TrafficScenario) throws {
        switch scenario {
        case .quiet, .add, .freezeBriefly: break
        case .killInstance: try fleet.startInstance(of: victim)
        case .killSidecar, .drain: try fleet.startSidecar(of: victim)
        case .freezeLong: fleet.signal(SIGCONT, to: victim)
        case .failCheck: try fleet.setHealth(of: victim, passes: true)
        case .cut: try fleet.site.setWire(of: victim.number, up: true)
        }
    }
}
