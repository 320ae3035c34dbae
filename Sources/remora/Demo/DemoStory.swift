// The story of the demo, act by act. All that it tells was asked of the remoras' admin ports or measured by the
// clients; what was to be seen and is not within a bound ends the demo with an error.

import Reactor
import Rig
import Vocabulary

struct DemoStory {
    /// The node that falls ill, dies and comes back, and the one that is drained; neither has clients.
    private static let victim = 4
    private static let drained = 5
    private static let slowness = 3.0
    /// For what is to be seen: a fleet of debug builds on a busy machine is slow to start.
    private static let bound = Duration.seconds(45)
    private static let look = Duration.milliseconds(100)
    private static let period = Duration.seconds(5)

    let fleet: DemoFleet
    let screen: DemoScreen
    /// Of all; nil: until somebody ends it.
    let length: Duration?
    private let traffic = DemoTraffic()
    private var acts: [(act: DemoAct, comparison: DemoComparison)] = []
    private var nextStatus = Instant.never

    init(_ fleet: DemoFleet, on screen: DemoScreen, length: Duration?) {
        (self.fleet, self.screen, self.length) = (fleet, screen, length)
    }

    mutating func play() async throws {
        defer { traffic.stop() }
        try await begin()
        for act in DemoAct.allCases {
            let began = Kernel.now()
            let pause = DemoPace.length(of: act, left: DemoPace.story(in: length) - screen.elapsed)
            try await play(act, for: pause)
            let comparison = try traffic.takeAct()
            nextStatus = Kernel.now() + .seconds(1)
            acts.append((act, comparison))
            screen.show(DemoText.table(comparison, of: Kernel.now() - began))
        }
        try end()
        try await goOn()
    }

    private mutating func begin() async throws {
        screen.say(
            """
            Starts six remoras on loopback, n1 to n6, a process each. Beside each are two instances, one of shop and \
            one of shop-rr: queues that take \(DemoText.time(DemoTraffic.service)) for a request on average, one at a \
            time. Clients at n1, n2 and n3 send every request twice at the same moment: to shop, balanced by the \
            fleet's load (p2c, load: fleet), and to shop-rr, balanced by round_robin. Each is given \
            \(Int(DemoTraffic.load * 100)) % of what it can do.
            """)
        try fleet.startAll()
        let took = try await see("n1, n2 and n3 do not send to all instances") { fleet in await fleet.isComplete() }
        let places = fleet.places
        let listeners = try DemoSubject.allCases.map { subject in
            (subject, try (0..<DemoPlaces.callers).map { try SocketAddress(parsing: places.outbound($0, subject)) })
        }
        traffic.start(Dictionary(uniqueKeysWithValues: listeners), instances: DemoPlaces.nodes, seed: 1)
        nextStatus = Kernel.now()
        screen.say("After \(DemoText.time(took)) they know each other, and all instances are fit.")
        screen.say("Dashboard: http://\(places.admin(0))/")
        screen.say("Ask n1 in another terminal: \(commands(["members", "upstreams", "top", "explain upstream shop"]))")
    }

    private func commands(_ words: [String]) -> String {
        words.map { "remora \($0)\(fleet.places.adminOption(0))" }.joined(separator: "; ")
    }

    private mutating func play(_ act: DemoAct, for pause: Duration) async throws {
        switch act {
        case .well:
            screen.say("1. All is well.", isTitle: true)
            try await pass(pause)
        case .slow: try await slow(for: pause)
        case .killed: try await kill(for: pause)
        case .revived: try await revive(for: pause)
        case .drained: try await drain(for: pause)
        }
    }

    // MARK: Acts

    private mutating func slow(for pause: Duration) async throws {
        let victim = DemoPlaces.name(Self.victim)
        screen.say("2. \(victim)'s instances become slow: a request takes three times as long there.", isTitle: true)
        fleet.slow(Self.victim, Self.slowness)
        try await pass(pause)
        let (view, _) = try await answer("n1, n2 and n3 do not tell of \(victim)'s endpoints") { fleet in
            await fleet.view(of: Self.victim).flatMap { $0.isWhole ? $0 : nil }
        }
        let states = view.states
        let words = states == ["fit"] ? "fit: nothing there fails" : states.sorted().joined(separator: ", ")
        screen.say(
            """
            To n1, n2 and n3 it is \(words). In its queues there are \(view.connections(of: .fleet)) of the requests to \
            shop, as who sends there is told how busy it is, and \(view.connections(of: .turns)) of those to shop-rr. n1's \
            part: \(commands(["upstreams"]))
            """)
    }

    private mutating func kill(for pause: Duration) async throws {
        let victim = DemoPlaces.name(Self.victim)
        screen.say("3. \(victim) is killed: SIGKILL for its remora, and its instances are gone.", isTitle: true)
        let killed = Kernel.now()
        fleet.kill(Self.victim)
        // By those who send, and then by everybody.
        let (view, _) = try await answer("\(victim) is still fit to n1, n2 or n3, or they do not all answer") { fleet in
            await fleet.view(of: Self.victim).flatMap { $0.isFitToNobody ? $0 : nil }
        }
        let away = Kernel.now() - killed
        let endpoint = view.endpoint(of: .turns, at: 0)
        screen.say(
            "After \(DemoText.time(away)) it is fit to none of n1, n2 and n3, for shop or shop-rr. "
                + (endpoint.map { "n1 of its shop-rr: \($0.state). \($0.reason)" } ?? "n1 knows of none there."))
        let others = (0..<DemoPlaces.nodes).filter { $0 != Self.victim }
        var suspicion: (at: Duration, by: Int)?
        var deaths: [Int: Duration] = [:]
        _ = try await see("not everybody takes \(victim) for dead") { fleet in
            for observer in others where deaths[observer] == nil {
                guard let member = await fleet.member(Self.victim, at: observer) else { continue }
                let since = max(.zero, Kernel.now() - killed - .seconds(member.sinceSeconds))
                if member.state == "suspect", since < suspicion?.at ?? .seconds(Int64.max) {
                    suspicion = (since, observer)
                }
                if member.state == "dead" { deaths[observer] = since }
            }
            return deaths.count == others.count
        }
        if let suspicion {
            let (time, name) = (DemoText.time(suspicion.at), DemoPlaces.name(suspicion.by))
            screen.say("After \(time) \(name) was the first to suspect \(victim).")
        }
        let last = DemoText.time(deaths.values.max() ?? .zero)
        let command = commands(["explain member \(victim)"])
        let (sentences, _) = try await answer("n1 does not explain \(victim)") { fleet in
            await fleet.explanation(of: Self.victim, at: 0)
        }
        screen.say("After \(last) \(victim) is dead to all five. \(command):")
        for sentence in sentences { screen.quote(sentence) }
        try await pass(pause - (Kernel.now() - killed))
    }

    private mutating func revive(for pause: Duration) async throws {
        let victim = DemoPlaces.name(Self.victim)
        screen.say("4. \(victim) starts again, at full speed.", isTitle: true)
        let began = Kernel.now()
        fleet.slow(Self.victim, 1)
        try fleet.revive(Self.victim)
        let took = try await see("\(victim) is not fit again") { fleet in await fleet.isComplete() }
        screen.say("After \(DemoText.time(took)) it is fit to n1, n2 and n3.")
        try await pass(pause - (Kernel.now() - began))
    }

    private mutating func drain(for pause: Duration) async throws {
        let (node, name) = (Self.drained, DemoPlaces.name(Self.drained))
        let option = fleet.places.adminOption(node)
        screen.say("5. \(name) is drained: remora drain\(option)", isTitle: true)
        let began = Kernel.now()
        try await fleet.command(.drain, node)
        let (stage, took) = try await answer("\(name) is not drained") { fleet in
            await fleet.stage(of: node).flatMap { $0.name == "drained" ? $0 : nil }
        }
        screen.say("After \(DemoText.time(took)) it says: \(stage.line)")
        try await pass((pause - (Kernel.now() - began)) / 2)
        screen.say("Back into use: remora undrain\(option)")
        try await fleet.command(.undrain, node)
        let back = try await see("\(name) is not fit again") { fleet in await fleet.isComplete() }
        screen.say("After \(DemoText.time(back)) it is fit to n1, n2 and n3.")
        try await pass(pause - (Kernel.now() - began))
    }

    /// - Throws: where the story was another one.
    private func end() throws {
        screen.say("6. That was it.", isTitle: true)
        screen.show(DemoText.summary(acts))
        let complaints = acts.flatMap { DemoText.complaints($0.act, $0.comparison) }
        guard complaints.isEmpty else { throw RunFailure(description: complaints.joined(separator: "\n")) }
    }

    private mutating func goOn() async throws {
        if let length {
            guard screen.elapsed < length else { return }
        } else {
            screen.say("Traffic goes on until Ctrl-C. Try it: \(commands(["top", "drain", "undrain"]))")
        }
        // An act is taken for each period: what was before the last one is kept nowhere.
        _ = try traffic.takeAct()
        nextStatus = .never
        while true {
            let left = length.map { $0 - screen.elapsed } ?? Self.period
            guard left > .zero else { return }
            let length = min(left, Self.period)
            try await pass(length)
            screen.say("Last \(DemoText.time(length)), p50 / p99: \(DemoText.line(try traffic.takeAct()))")
        }
    }

    // MARK: Waiting

    /// Lets traffic go on.
    private mutating func pass(_ time: Duration) async throws {
        let end = Kernel.now() + time
        while Kernel.now() < end {
            try await Task.sleep(for: min(Self.look, max(.zero, end - Kernel.now())))
            try attend()
        }
    }

    /// Waits until something is seen.
    /// - Returns: how long it took.
    /// - Throws: where it is not in time: `otherwise` says what is so.
    private mutating func see(
        _ otherwise: String, _ holds: (DemoFleet) async throws -> Bool
    ) async throws -> Duration {
        try await answer(otherwise) { fleet in try await holds(fleet) ? () : nil }.took
    }

    /// Asks until there is an answer; what is told is of that very one, as the next could be none.
    /// - Throws: as ``see(_:_:)``.
    private mutating func answer<Answer>(
        _ otherwise: String, _ ask: (DemoFleet) async throws -> Answer?
    ) async throws -> (Answer, took: Duration) {
        let began = Kernel.now()
        while true {
            try attend()
            if let answer = try await ask(fleet) { return (answer, Kernel.now() - began) }
            guard Kernel.now() - began < Self.bound else {
                throw RunFailure(description: "\(otherwise) after \(DemoText.time(Self.bound))")
            }
            try await Task.sleep(for: Self.look)
        }
    }

    private mutating func attend() throws {
        try fleet.check()
        guard Kernel.now() >= nextStatus else { return }
        nextStatus = Kernel.now() + .seconds(1)
        screen.renew(DemoText.line(try traffic.takeLook()))
    }
}

extension Instant {
    fileprivate static let never = Instant(nanoseconds: .max)
}
