// One fleet of one program, from its start to its end, and what was measured on the way.
//
// Everything that a member does for us is little: a remora's counters are asked for only while it starts, everything else
// is read from logs or is the kernel's.

import Reactor
import Rig
import Vocabulary

struct MeasuredFleet {
    /// How long each part takes.
    struct Pace {
        var startPatience = Duration.seconds(120)
        /// From the start to the rest.
        var settling = Duration.seconds(45)
        var rest = Duration.seconds(60)
        /// Newcomers that come and are killed, one after the other.
        var trials = 5
    }

    private let fleet: Fleet
    private let processes: RunningProcesses
    private let pace: Pace
    /// Those who are there from beginning to end.
    private let residents: ArraySlice<Member>
    private let newcomers: ArraySlice<Member>
    private var result: Measurement
    private let say: (String) -> Void

    /// - Parameter options: without the variant's tuning.
    init(
        _ variant: Variant, members: Int, options: FleetOptions, pace: Pace, processes: RunningProcesses,
        say: @escaping (String) -> Void
    ) throws {
        var options = options
        options.tuning = variant.tuning
        // All join the first.
        let programs = [Member.Program](repeating: variant.program, count: members + pace.trials)
        fleet = try Fleet(programs, seeds: 1, options: options, processes: processes)
        residents = fleet.members.prefix(members)
        newcomers = fleet.members.dropFirst(members)
        result = Measurement(variant: variant.title, members: members)
        self.processes = processes
        self.pace = pace
        self.say = { say("\(variant.title), \(members) members: \($0)") }
    }

    /// Runs everything; all members are gone afterwards.
    mutating func measure() async throws -> Measurement {
        defer { fleet.end() }
        try await start()
        try await Task.sleep(for: pace.settling)
        try await measureRest()
        try await measureNewcomers()
        result.crashes = fleet.crashes()
        result.loadAverage = LoadAverage.now
        return result
    }

    // MARK: The start

    private mutating func start() async throws {
        for member in residents { try fleet.start(member) }
        let began = Kernel.now()
        result.startPatienceSeconds = Int(pace.startPatience.inSeconds)
        var views = StartedViews(members: residents.count)
        // Agents log each member; remoras leave lines out in a start, and are asked, one until it is complete.
        var read = 0
        var asked = residents.startIndex
        while Kernel.now() - began < pace.startPatience, !views.isComplete {
            let sightings = fleet.logs.sightings(from: read)
            read += sightings.count
            for sighting in sightings where sighting.news == .there { views.take(sighting) }
            while asked < residents.endIndex, residents[asked].program == .remora,
                let alive = await fleet.counters(of: residents[asked])?.alive
            {
                views.take(alive, by: residents[asked].number)
                guard alive >= residents.count else { break }
                asked += 1
            }
            if !views.isComplete { try await Task.sleep(for: .milliseconds(100)) }
        }
        if views.isComplete { result.startSeconds = (Kernel.now() - began).inSeconds }
        result.startShare = views.share
        say(
            views.isComplete
                ? "all views complete \((Kernel.now() - began).seconds(1)) s after the last start"
                : "\((views.share * 100).written(2)) % of views after \(pace.startPatience.seconds(0)) s")
    }

    // MARK: Rest

    private mutating func measureRest() async throws {
        let hosts = residents.map(\.host)
        let (began, before) = (Kernel.now(), try SentDatagrams(processes).total(of: hosts))
        let processorBefore = figures().reduce(0) { $0 + $1.processorSeconds }
        try await Task.sleep(for: pace.rest)
        let (after, ended) = (try SentDatagrams(processes).total(of: hosts), Kernel.now())
        let figures = figures()
        let memberSeconds = (ended - began).inSeconds * Double(residents.count)
        result.sentBytesPerSecond = Double(after.bytes - before.bytes) / memberSeconds
        result.sentDatagramsPerSecond = Double(after.datagrams - before.datagrams) / memberSeconds
        result.processorPercent =
            100 * (figures.reduce(0) { $0 + $1.processorSeconds } - processorBefore) / memberSeconds
        result.residentBytes = median(figures.map(\.resident))
        result.anonymousBytes = median(figures.map(\.anonymous))
        say(
            "at rest \(result.sentBytesPerSecond.written(1)) B/s in \(result.sentDatagramsPerSecond.written(2)) datagrams/s, "
                + "\(result.processorPercent.written(3)) % of a core; load \(LoadAverage.now)")
    }

    private func figures() -> [ProcessFigures] {
        residents.compactMap { $0.process.flatMap { ProcessFigures(process: $0.id) } }
    }

    private func median(_ values: [Int]) -> Int { values.isEmpty ? 0 : values.sorted()[values.count / 2] }

    // MARK: Newcomers

    private mutating func measureNewcomers() async throws {
        var (spreads, joins, firsts, lasts): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
        for newcomer in newcomers {
            let (started, mark) = (Kernel.now(), fleet.logs.count)
            try fleet.start(newcomer)
            let seen = try await moments(of: .there, newcomer, after: mark, within: .seconds(30))
            if seen.count < residents.count { result.joinsNotSeenByAll += 1 }
            if let first = seen.min(), let last = seen.max(), seen.count == residents.count {
                spreads.append((last - first).inSeconds)
                joins.append((last - started).inSeconds)
            }
            // What is told of it is told to its end.
            try await Task.sleep(for: .seconds(5))
            let (killed, before) = (Kernel.now(), fleet.logs.count)
            fleet.kill(newcomer)
            let dead = try await moments(of: .dead, newcomer, after: before, within: .seconds(90))
            if let first = dead.min() { firsts.append((first - killed).inSeconds) }
            if let last = dead.max(), dead.count == residents.count { lasts.append((last - killed).inSeconds) }
            if dead.count < residents.count { result.killsNotSeenByAll += 1 }
            say("\(newcomer.name): seen by \(seen.count), dead to \(dead.count)")
        }
        result.joinSpreadSeconds = Spread(spreads)
        result.joinSeconds = Spread(joins)
        result.firstDeadSeconds = Spread(firsts)
        result.lastDeadSeconds = Spread(lasts)
    }

    /// When each resident first said so; waits until all have.
    /// - Parameter mark: sightings before this one are of other times.
    private func moments(
        of news: News, _ subject: Member, after mark: Int, within limit: Duration
    ) async throws -> [Instant] {
        let deadline = Kernel.now() + limit
        var moments: [Int: Instant] = [:]
        var read = mark
        while moments.count < residents.count, Kernel.now() < deadline {
            try await Task.sleep(for: .milliseconds(100))
            let sightings = fleet.logs.sightings(from: read)
            read += sightings.count
            for sighting in sightings where sighting.news == news && sighting.subject == subject.name {
                guard residents.indices.contains(sighting.observer) else { continue }
                moments[sighting.observer] = min(moments[sighting.observer] ?? sighting.at, sighting.at)
            }
        }
        return Array(moments.values)
    }
}

/// How much of a fleet its members have seen since it started.
struct StartedViews {
    private let members: Int
    /// Names that each has seen, itself among them; what a number says counts as well.
    private var seen: [Set<String>]
    private var counted: [Int]

    init(members: Int) {
        self.members = members
        seen = Array(repeating: [], count: members)
        counted = Array(repeating: 0, count: members)
    }

    mutating func take(_ sighting: Sighting) {
        guard seen.indices.contains(sighting.observer) else { return }
        seen[sighting.observer].insert(sighting.subject)
    }

    /// Takes a member's word of how many it sees.
    mutating func take(_ count: Int, by observer: Int) { counted[observer] = count }

    private func known(to observer: Int) -> Int { min(members, max(seen[observer].count, counted[observer])) }

    var isComplete: Bool { seen.indices.allSatisfy { known(to: $0) == members } }

    /// Of all that is to be seen.
    var share: Double {
        Double(seen.indices.reduce(0) { $0 + known(to: $1) }) / Double(members * members)
    }
}
