// The data plane of one process: listeners, workers, and what they have counted.
//
//     control thread ── publish(set) ──► UpstreamPublication ──► each worker
//                    ── want(.draining) ─► WorkerDesk ── wake ──► its worker
//                    ── fates of connections ─► EndpointBoard ──► each worker
//                    ── stop, resume ───────► DoorCommands ─────► each worker
//                    ── publish(tls:) ──────► TLSPublication ───► each worker
//                    ◄── notices, counters ── WorkerDesk ◄─────── its worker

import Balancing
import Glibc
package import Reactor
package import Stats
import Synchronization
import TLS
package import Upstreams
import Vocabulary

/// How far the data plane's shutdown has come.
package enum DrainStage: Sendable, Hashable {
    case serving
    /// Some worker still accepts.
    case closingListeners
    /// Nobody is accepted; this many connections are left.
    case finishing(connections: Int)
    case done
}

/// Forwards connections, from ``start()`` until ``end()``.
///
/// Its methods are for one thread (the control thread), but for ``report()`` and the gauges, which are for any.
package final class DataPlane: Sendable {
    package let listeners: [ListenerSockets]
    private let limits: ProxyLimits
    private let cells: LoadCells
    private let listenerCells: LoadCells
    private let publication: UpstreamPublication
    private let latest: Mutex<UpstreamSet>
    private let board: EndpointBoard
    private let doors: DoorCommands
    private let contexts: Mutex<TLSContexts>
    private let tls: TLSPublication
    /// What the cell of each endpoint had counted before it was that endpoint's.
    private let baselines: CounterTable
    private let desks: [WorkerDesk]
    private let workers: Mutex<Workers>
    private let seed: UInt64
    /// Nil: no endpoint is asked for its load.
    private let probes: ProbeOptions?

    private enum Workers {
        /// The listeners' sockets are still this object's own.
        case notStarted
        case running([KernelThread])
        case ended
    }

    /// - Parameters:
    ///   - upstreams: the first set; every listener's upstream is in it.
    ///   - tls: which listeners terminate and which upstreams originate TLS, and how.
    ///   - seed: of the workers' draws.
    ///   - probes: nil where nobody is to be asked for their load.
    ///   - noticesArrived: called when there is a notice to take, on a worker's thread or within
    ///     ``takeNotices(_:)``; must not block.
    /// - Throws: where the process has no descriptors left.
    package init(
        listeners: [ListenerSockets], upstreams: UpstreamSet, cells: LoadCells, workers: Int, limits: ProxyLimits,
        tls contexts: TLSContexts = .none, seed: UInt64, probes: ProbeOptions? = nil,
        noticesArrived: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        precondition(workers > 0 && listeners.count <= limits.listeners)
        self.listeners = listeners
        self.limits = limits
        self.cells = cells
        self.seed = seed
        self.probes = probes
        listenerCells = LoadCells(capacity: limits.listeners)
        publication = UpstreamPublication(upstreams)
        latest = Mutex(upstreams)
        board = EndpointBoard(cells: cells.capacity)
        doors = DoorCommands(listeners: limits.listeners)
        self.contexts = Mutex(contexts)
        tls = TLSPublication(TLSRows(contexts, listeners: listeners.map(\.options.name), upstreams: upstreams))
        baselines = CounterTable(rows: cells.capacity, columns: EndpointColumn.allCases.count)
        board.apply(board.compare(upstreams, with: nil))
        var desks: [WorkerDesk] = []
        for _ in 0..<workers {
            desks.append(try WorkerDesk(limits: limits, cells: cells, noticesArrived: noticesArrived))
        }
        self.desks = desks
        self.workers = Mutex(.notStarted)
    }

    /// Starts the workers; connections that wait in the listeners' queues are taken at once.
    package func start() throws(SystemError) {
        let set = latest.withLock { $0 }
        let nameRoutes = listeners.map { NameRoutes($0.options) { place(of: $0, in: set) } }
        var started: [KernelThread] = []
        for (number, desk) in desks.enumerated() {
            let listeners = listeners.map { sockets in
                WorkerListener(sockets, worker: number, upstream: place(of: sockets.options.upstream, in: set), limits)
            }
            let worker = try Worker(
                desk: desk, board: board, doors: doors, limits: limits, workers: desks.count, cells: cells,
                listenerCells: listenerCells,
                listeners: listeners, sharedDoors: self.listeners.map(\.sharedDoor), nameRoutes: nameRoutes,
                upstreams: UpstreamDesk(cells: cells, reader: publication.makeReader()),
                tls: TLSDesk(tls, limits: limits),
                prober: try probes.map { (probes) throws(SystemError) in try Prober(probes, workers: desks.count) },
                seed: seed &+ UInt64(number))
            started.append(Worker.start(worker, name: "worker \(number)"))
        }
        workers.withLock { $0 = .running(started) }
    }

    private func place(of name: String, in set: UpstreamSet) -> UInt32 {
        guard let place = set.upstreams.firstIndex(where: { $0.options.name == name }) else {
            preconditionFailure("a config whose listener names no upstream is refused before")
        }
        return UInt32(place)
    }

    /// Makes `set` what every new connection is placed by, and lets the fates that it bears take their course with the
    /// connections that are there.
    ///
    /// O(endpoints of the upstreams that changed), a few nanoseconds each.
    package func publish(_ set: UpstreamSet) {
        let before = latest.withLock { latest in
            defer { latest = set }
            return latest
        }
        let changes = board.compare(set, with: before)
        for cell in changes.fresh { beginCounting(cell) }
        // First: whoever sees an upstream sees whether it speaks TLS.
        if set.upstreams.count != before.upstreams.count { publishRows(for: set) }
        publication.publish(set)
        board.apply(changes)
        for desk in desks { desk.wake.signal() }
    }

    /// A cell comes to an endpoint with the counts of the one before.
    private func beginCounting(_ cell: LoadCells.Index) {
        for column in EndpointColumn.allCases {
            let before = count(column, cell: cell)
            baselines.add(before, row: Int(cell), column: column.rawValue)
        }
    }

    /// All workers' count of an endpoint, from the time on at which the cell became its own.
    private func count(_ column: EndpointColumn, cell: LoadCells.Index) -> UInt64 {
        let sum = desks.reduce(0) { $0 &+ $1.endpoints.read(row: Int(cell), column: column.rawValue) }
        return sum &- baselines.read(row: Int(cell), column: column.rawValue)
    }

    // MARK: TLS

    /// Makes these the contexts of every handshake to come; connections that are there keep what they began with.
    ///
    /// Which listeners and upstreams speak TLS stays as it was, but for those that are new: the contexts of a new
    /// upstream are published before the set that it is in.
    package func publish(tls contexts: TLSContexts) {
        self.contexts.withLock { $0 = contexts }
        publishRows(for: upstreams)
        for desk in desks { desk.wake.signal() }
    }

    private func publishRows(for set: UpstreamSet) {
        let names = listeners.map(\.options.name)
        tls.publish(contexts.withLock { TLSRows($0, listeners: names, upstreams: set) })
    }

    /// Handshakes with clients that have begun, however they ended.
    package var handshakesBegun: Int { desks.reduce(0) { $0 + $1.handshakesBegun.load(ordering: .relaxed) } }

    /// What has come of the handshakes with a listener's clients.
    /// - Parameter listener: its place in ``listeners``.
    package func handshakes(ofListener listener: Int) -> HandshakeCounts {
        func sum(_ column: ListenerColumn) -> UInt64 {
            desks.reduce(0) { $0 &+ $1.listeners.read(row: listener, column: column.rawValue) }
        }
        return HandshakeCounts(
            completed: sum(.handshakesTotal), resumed: sum(.handshakesResumedTotal), failed: sum(.handshakesFailedTotal)
        )
    }

    /// What has come of the handshakes with an upstream's endpoints.
    package func handshakes(ofUpstream place: Int) -> HandshakeCounts {
        func sum(_ column: UpstreamColumn) -> UInt64 {
            desks.reduce(0) { $0 &+ $1.upstreams.read(row: place, column: column.rawValue) }
        }
        return HandshakeCounts(
            completed: sum(.handshakesTotal), resumed: sum(.handshakesResumedTotal), failed: sum(.handshakesFailedTotal)
        )
    }

    // MARK: Inbound listeners

    /// Has every worker turn callers away: their connects are refused, and those who wait to be accepted are reset.
    ///
    /// Through a unix socket or an inherited one they are accepted and closed at once instead.
    /// - Parameter listener: its place in ``listeners``, which is the number that notices bear.
    package func stopAccepting(listener: Int) {
        doors.stop(listener)
        for desk in desks { desk.wake.signal() }
    }

    /// Has every worker accept again, whether it was told to stop or stopped by itself.
    ///
    /// A worker that cannot tells so (``Notice/Kind/listenFailed``), and can be asked again.
    package func resumeAccepting(listener: Int) {
        doors.resume(listener)
        for desk in desks { desk.wake.signal() }
    }

    /// Whether every worker takes in whoever connects there, as far as the local instance matters. Unlike the notice,
    /// which may be lost, this always tells that a worker has stopped by itself.
    package func accepts(listener: Int) -> Bool {
        desks.allSatisfy { $0.listeners.read(row: listener, column: ListenerColumn.stopped.rawValue) == 0 }
    }

    // MARK: Figures for the control thread

    /// What has come of an endpoint's connections.
    package func counts(ofCell cell: LoadCells.Index) -> EndpointCounts {
        EndpointCounts(answered: count(.answeredTotal, cell: cell), failed: count(.softFailuresTotal, cell: cell))
    }

    /// The place of an upstream, which it keeps; nil where there is none of that name.
    package func place(ofUpstream name: String) -> Int? {
        upstreams.upstreams.firstIndex { $0.options.name == name }
    }

    /// An upstream's load at this moment; O(its endpoints + workers).
    package func load(ofUpstream place: Int) -> UpstreamLoad {
        func sum(_ column: UpstreamColumn) -> UInt64 {
            desks.reduce(0) { $0 &+ $1.upstreams.read(row: place, column: column.rawValue) }
        }
        var load = UpstreamLoad(answers: sum(.answersTotal), answerNanoseconds: sum(.answerNanosecondsTotal))
        for endpoint in upstreams.upstreams[place].endpoints {
            let part = cells.load(of: endpoint.cell)
            load.outstanding += Int(part.outstanding)
            load.connections += Int(part.connections)
        }
        return load
    }

    /// Takes in what gossip tells of an endpoint's load, as if it had been asked.
    package func report(_ said: ReportedLoad, ofCell cell: LoadCells.Index) { cells.report(said, of: cell) }

    /// Has every worker sign and check with the keys that are on the desk of its ``ProbeOptions`` by now.
    package func changedProbeKeys() { for desk in desks { desk.wake.signal() } }

    /// Datagrams that came to the workers in answer to no question, or to one that is long past.
    package var strayAnswers: UInt64 { desks.reduce(0) { $0 &+ $1.strayAnswers.load(ordering: .relaxed) } }

    /// Frees the sets that no worker reads any more; to be called now and then after ``publish(_:)``.
    /// - Returns: the version that every worker has acknowledged, or one above it.
    package func reclaim() -> UInt64 { publication.reclaim() }

    // MARK: Ending

    /// Accepts nothing more; connections go on until they end by themselves.
    package func drain() { for desk in desks { desk.want(.draining) } }

    /// Aborts what is left, and returns when no worker runs any more.
    package func end() {
        for desk in desks { desk.want(.ending) }
        let before = workers.withLock { workers in
            defer { workers = .ended }
            return workers
        }
        switch before {
        case .notStarted: for listener in listeners { listener.close() }
        case .running(let threads): for thread in threads { thread.join() }
        case .ended: break
        }
    }

    package var drainStage: DrainStage {
        if desks.allSatisfy({ $0.wanted.load(ordering: .acquiring) == .serving }) { return .serving }
        guard desks.allSatisfy({ $0.hasStoppedAccepting.load(ordering: .acquiring) }) else { return .closingListeners }
        let left = connections
        return left == 0 ? .done : .finishing(connections: left)
    }

    /// Connections that clients have open now, those that wait for an endpoint included.
    package var connections: Int {
        listeners.indices.reduce(0) {
            $0 + Int(listenerCells.load(of: UInt32($1)).connections)
        }
    }

    /// Bytes that were moved without entering user space.
    package var splicedBytes: UInt64 {
        desks.reduce(0) { sum, desk in
            listeners.indices.reduce(sum) {
                $0 &+ desk.listeners.read(row: $1, column: ListenerColumn.splicedBytesTotal.rawValue)
            }
        }
    }

    /// Whether some worker takes nobody in at the moment, because the machine has no descriptors or memory left.
    package var acceptIsPaused: Bool { desks.contains { $0.acceptIsPaused.load(ordering: .relaxed) } }

    // MARK: Notices

    /// Hands over what the workers had to say since the last time, of each at most 1,024 notices; for the rest
    /// `noticesArrived` is called again. Those of an endpoint whose cell is another's by now are nobody's, and left out.
    /// - Returns: how many notices were lost because a ring was full.
    package func takeNotices(_ body: (Notice) -> Void) -> UInt64 {
        desks.reduce(0) { lost, desk in
            lost
                + desk.takeNotices {
                    if !$0.namesEndpoint || $0.tenancy == board.tenancy(of: $0.cell) { body($0) }
                }
        }
    }

    /// The upstreams and endpoints that a notice speaks of.
    package var upstreams: UpstreamSet { latest.withLock { $0 } }
}

// MARK: - Reports

extension DataPlane {
    /// What has been counted, by listener and by upstream; gauges of different workers may be a moment apart.
    package func report() -> (listeners: [ListenerReport], upstreams: [UpstreamReport]) {
        let draining = drainStage != .serving
        return (
            listeners.enumerated().map { row, sockets in
                report(sockets, row: row, state: draining ? .draining : state(ofListener: row))
            },
            upstreams.upstreams.enumerated().map { row, snapshot in report(snapshot, row: row) }
        )
    }

    private func state(ofListener row: Int) -> ListenerReport.State {
        accepts(listener: row) ? acceptIsPaused ? .paused : .listening : .failing
    }

    private func report(_ sockets: ListenerSockets, row: Int, state: ListenerReport.State) -> ListenerReport {
        func sum(_ column: ListenerColumn) -> UInt64 {
            desks.reduce(0) { $0 &+ $1.listeners.read(row: row, column: column.rawValue) }
        }
        var report = ListenerReport(
            name: sockets.options.name, address: "\(sockets.address)", upstream: sockets.options.upstream, state: state)
        report.connections = Int(listenerCells.load(of: UInt32(row)).connections)
        report.connectionsTotal = sum(.connectionsTotal)
        report.refusedTotal = sum(.refusedTotal)
        report.abortedTotal = sum(.abortedTotal)
        report.receivedBytesTotal = sum(.receivedBytesTotal)
        report.sentBytesTotal = sum(.sentBytesTotal)
        return report
    }

    private func report(_ snapshot: UpstreamSnapshot, row: Int) -> UpstreamReport {
        func distribution(_ table: KeyPath<WorkerDesk, HistogramTable>) -> QuantilesReport {
            var merged = DurationDistribution()
            for desk in desks { desk[keyPath: table].add(row: row, to: &merged) }
            return merged.report
        }
        let limits = PlacementLimits(snapshot.options)
        var report = UpstreamReport(
            name: snapshot.options.name, balance: snapshot.options.balance.rawValue,
            load: snapshot.options.comparedLoad.rawValue,
            endpoints: snapshot.endpoints.map { self.report($0, within: limits) })
        report.retriesTotal = desks.reduce(0) {
            $0 &+ $1.upstreams.read(row: row, column: UpstreamColumn.retriesTotal.rawValue)
        }
        report.ringChecksum = snapshot.keys.map { keys in
            let digits = String(keys.table.checksum, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        report.probes = probes(of: row)
        report.connectSeconds = distribution(\.connectTimes)
        report.firstByteSeconds = distribution(\.firstByteTimes)
        report.lifetimeSeconds = distribution(\.lifetimes)
        return report
    }

    /// What an endpoint carries now, of all workers.
    package func load(ofCell cell: LoadCells.Index) -> EndpointLoad { cells.load(of: cell) }

    /// What was said of an endpoint's load longer ago is shown to nobody.
    private static let reportMemory = Duration.seconds(300)

    /// Nil where nobody was ever asked.
    private func probes(of row: Int) -> ProbesReport? {
        func sum(_ column: UpstreamColumn) -> UInt64 {
            desks.reduce(0) { $0 &+ $1.upstreams.read(row: row, column: column.rawValue) }
        }
        var report = ProbesReport()
        report.sentTotal = sum(.probesSentTotal)
        report.answeredTotal = sum(.probesAnsweredTotal)
        report.lateTotal = sum(.probesLateTotal)
        report.refusedTotal = sum(.probesRefusedTotal)
        report.waitsTotal = sum(.probeWaitsTotal)
        report.fleetPicksTotal = sum(.fleetPicksTotal)
        report.localPicksTotal = sum(.localPicksTotal)
        guard report.fleetPicksTotal > 0 else { return report.sentTotal + report.localPicksTotal > 0 ? report : nil }
        report.meanAgeSeconds =
            Double(sum(.fleetAgeNanosecondsTotal)) / 1e9 / Double(report.fleetPicksTotal)
        return report
    }

    private func report(_ endpoint: Endpoint, within limits: PlacementLimits) -> EndpointReport {
        func sum(_ column: EndpointColumn) -> UInt64 { count(column, cell: endpoint.cell) }
        let load = cells.load(of: endpoint.cell)
        let fitness = endpoint.fitness(carrying: load, within: limits)
        var report = EndpointReport(
            address: "\(endpoint.identity.address)", member: endpoint.identity.member, zone: endpoint.zone,
            state: fitness.state.rawValue, reason: fitness.reason, weight: Int(endpoint.weight.value))
        report.outstanding = Int(load.outstanding)
        if let said = cells.reported(of: endpoint.cell), Kernel.now() - said.measured <= Self.reportMemory {
            report.fleetOutstanding = Int(said.load.outstanding)
        }
        report.connections = Int(load.connections)
        report.connectionsTotal = sum(.connectionsTotal)
        report.failuresTotal = sum(.failuresTotal)
        report.drainedTotal = sum(.drainedTotal)
        report.resetTotal = sum(.resetTotal)
        report.receivedBytesTotal = sum(.receivedBytesTotal)
        report.sentBytesTotal = sum(.sentBytesTotal)
        return report
    }
}
