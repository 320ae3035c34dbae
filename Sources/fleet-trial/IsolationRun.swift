// One node that loses sight of all others, and a fleet that really becomes small, seen by one node with traffic through it.

import Foundation
import Reactor
import Rig
import Stats
import Vocabulary

struct IsolationRun {
    /// Deaths within this count as at once (`LastKnownGood`), with a little for what it takes to see them.
    private static let window = Duration.seconds(33)
    private static let patience = Duration.seconds(150)
    /// How long the kept view is used, after everybody is lost.
    private static let isolation = Duration.seconds(20)
    private static let phrase = "The last known good view"

    let fleet: ServiceFleet
    let rate: RequestLoad.Rate
    let say: (String) -> Void
    var row = IsolationReport.Row()
    private let observer: ServiceNode
    private var nextID = 1

    init(fleet: ServiceFleet, rate: RequestLoad.Rate, say: @escaping (String) -> Void) {
        self.fleet = fleet
        self.rate = rate
        self.say = say
        observer = fleet.nodes[fleet.nodes.count - 1]
    }

    mutating func start() async throws {
        for node in fleet.nodes { try fleet.start(node) }
        let observer = observer
        let took = try await Patience.wait(.seconds(60)) { await fleet.areFit(fleet.nodes, at: observer) }
        guard let took else {
            throw RunFailure(
                description: "the fleet is not complete after a minute\n" + fleet.crashes().joined(separator: "\n"))
        }
        say("\(fleet.nodes.count) nodes, complete after \(took.seconds(1)) s")
    }

    private mutating func load() throws -> RequestLoad {
        let load = RequestLoad(try fleet.targets(at: [observer]), rate: rate, firstID: nextID)
        nextID += 10_000_000
        return load
    }

    private func isKept() async -> Bool { await fleet.stats(of: observer)?.membership?.lastKnownGood ?? false }

    // MARK: Isolation

    /// - Parameter wire: everything is cut, not gossip alone.
    mutating func cut(wire: Bool) async throws {
        let before = try load()
        defer { before.abandon() }
        try await Task.sleep(for: .seconds(2))
        try setCut(true, wire: wire)
        row.keptAfterSeconds = try await Patience.wait(Self.patience, until: isKept)?.inSeconds
        if row.keptAfterSeconds == nil { row.complaints.append("the last known good view is not kept") }
        let others = fleet.nodes.count - 1
        // A view that is kept is of members that are dead, as the detector goes on.
        let lost = try await Patience.wait(Self.patience) { await notAlive() == others }
        row.lostMembers = await notAlive()
        if lost == nil { row.complaints.append("only \(row.lostMembers) of \(others) members are lost") }
        try await Task.sleep(for: Self.isolation)
        if !(await isKept()) { row.complaints.append("the last known good view is given up while it is cut off") }
        await hearWords()
        let during = try await before.end()
        row.sent = during.count
        row.failed = failures(during)
        if wire {
            // Who cannot reach anybody can serve what is beside it; the others' share is lost with the wire.
            if row.sent == row.failed {
                row.complaints.append("nothing is answered, not by the instance beside it either")
            }
        } else if row.failed > 0 {
            row.complaints.append("\(row.failed) requests failed though every instance could be reached")
            row.complaints += examples(during)
        }
        try setCut(false, wire: wire)
        let recovered = try await Patience.wait(Self.patience) {
            guard !(await isKept()), await notAlive() == 0 else { return false }
            return await fleet.areFit(fleet.nodes, at: observer)
        }
        row.recoveredAfterSeconds = recovered?.inSeconds
        if recovered == nil { row.complaints.append("it has not recovered \(Self.patience.seconds(0)) s after") }
        let after = try load()
        defer { after.abandon() }
        try await Task.sleep(for: .seconds(5))
        let records = try await after.end()
        row.sentAfter = records.count
        row.failedAfter = failures(records)
        if row.failedAfter > 0 { row.complaints += examples(records) }
        let names = answering(records)
        if names.count != fleet.nodes.count { row.complaints.append("afterwards only \(names.count) instances answer") }
        if let end = fleet.lines(of: observer, containing: "believed again").last { row.words.append("log: \(end)") }
    }

    private func setCut(_ isCut: Bool, wire: Bool) throws {
        if wire {
            try fleet.site.setWire(of: observer.number, up: !isCut)
        } else {
            try fleet.site.setGossip(of: observer.number, passes: !isCut)
        }
        say("\(observer.name) \(isCut ? "is cut off" : "is heard again")")
    }

    private func notAlive() async -> Int { await fleet.members(at: observer).values.count { $0 != "alive" } }

    /// It is said on `/ready`, in `/stats` and in the log.
    private mutating func hearWords() async {
        let ready = await fleet.ask("/ready", of: observer)
        let text = ready.map { String(decoding: $0.body, as: UTF8.self) } ?? "no answer"
        let line = text.trimmingCharacters(in: .whitespacesAndNewlines)
        row.words.append("/ready: \(ready?.status ?? 0) \(line)")
        if ready?.status != 200 || !text.contains("last known good") { row.complaints.append("/ready does not say so") }
        let lines = fleet.lines(of: observer, containing: Self.phrase)
        if let line = lines.first { row.words.append("log: \(line)") }
        if lines.isEmpty { row.complaints.append("the log does not say so") }
    }

    // MARK: Shrinking

    /// Kills nodes one by one, each after the death before it is known, and slowly enough that fewer die within the window
    /// than are left: that is how remora tells a fleet that shrinks from its own isolation.
    mutating func shrink(to rest: Int) async throws {
        let observer = observer
        let load = try load()
        defer { load.abandon() }
        try await Task.sleep(for: .seconds(2))
        let start = Kernel.now()
        var recent: [Instant] = []
        var killed: [(name: String, done: Instant, dead: Instant)] = []
        for node in fleet.nodes.dropLast(rest) {
            // Others that are left, once it is dead.
            let left = fleet.nodes.count - 1 - killed.count - 1
            while true {
                recent.removeAll { Kernel.now() - $0 > Self.window }
                if recent.count + 1 < max(2, left) { break }
                try await Task.sleep(for: .milliseconds(100))
            }
            let began = Kernel.now()
            fleet.killSidecar(of: node)
            fleet.killInstance(of: node)
            let done = Kernel.now()
            let known = try await Patience.wait(Self.patience) {
                await fleet.endpoint(of: node, at: observer)?.state == "dead"
            }
            if known == nil { row.complaints.append("\(node.name) is not dead after \(Self.patience.seconds(0)) s") }
            recent.append(Kernel.now())
            killed.append((node.name, done, Kernel.now()))
            if await isKept(), row.keptAfterSeconds == nil {
                row.keptAfterSeconds = (Kernel.now() - start).inSeconds
                row.complaints.append(
                    "the last known good view is kept with \(left) others left, though nobody is cut off")
            }
            say("\((began - start).seconds(0)) s: \(node.name) is dead, \(left + 1) left")
        }
        row.lostMembers = await notAlive()
        let records = try await load.end()
        row.sent = records.count
        row.failed = failures(records)
        // What was in flight on one that died, or on its way there, is lost; nothing else is.
        let excused = records.count { record in
            guard case .failed = record.outcome else { return false }
            return killed.contains { record.begun <= $0.done && record.ended + .milliseconds(50) >= $0.done }
        }
        if row.failed > excused {
            row.complaints.append("\(row.failed - excused) requests failed that were not in flight on one that died")
            row.complaints += examples(records)
        }
        row.words.append(
            "\(killed.count) of \(fleet.nodes.count) nodes killed in \((Kernel.now() - start).seconds(0)) s; all \(excused) "
                + "excused failures were under way at a kill")
        let after = try self.load()
        defer { after.abandon() }
        try await Task.sleep(for: .seconds(3))
        let last = try await after.end()
        row.sentAfter = last.count
        row.failedAfter = failures(last)
        if row.failedAfter > 0 { row.complaints += examples(last) }
        let wanted = Set(fleet.nodes.suffix(rest).map(\.name))
        if answering(last) != wanted {
            row.complaints.append("traffic goes to \(answering(last).sorted()), not \(wanted.sorted())")
        }
        if !(await fleet.areFit(fleet.nodes.suffix(rest), at: observer)) {
            row.complaints.append("not exactly the \(rest) that are left are fit")
        }
        if !fleet.lines(of: observer, containing: Self.phrase).isEmpty {
            row.complaints.append("the log says that the last known good view was kept")
        }
    }

    // MARK: Counting

    private func failures(_ records: [RequestRecord]) -> Int {
        records.count { if case .failed = $0.outcome { true } else { false } }
    }

    private func answering(_ records: [RequestRecord]) -> Set<String> {
        Set(records.compactMap { if case .answered(let by) = $0.outcome { by } else { nil } })
    }

    private func examples(_ records: [RequestRecord]) -> [String] {
        records.compactMap { record in
            guard case .failed(let why) = record.outcome else { return nil }
            return "request \(record.id) failed after \(record.latency.seconds(3)) s: \(why)"
        }.suffix(5)
    }
}
