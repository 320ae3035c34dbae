// The data plane of one process: listeners, workers, and what they have counted.
//
//     control thread ── publish(set) ──► UpstreamPublication ──► each worker
//                    ── want(.draining) ─► WorkerDesk ── wake ──► its worker
//                    ── fates of connections ─► EndpointBoard ──► each worker
//                    ── stop, resume ───────► DoorCommands ─────► each worker
//                    ── publish(tls:) ──────► TLSPublication ───► each worker
//                    ── configure(listeners) ► WorkerDesk ──────► its worker
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
    private let table: Mutex<ListenerTable>
    /// Upstreams that the config names no more.
    private let retired = Mutex<Set<Int>>([])
    /// What a listener's number had counted before it was that listener's.
    private let listenerBaselines: CounterTable
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
    private let names: RecordNames
    /// Rings for whoever reads the records of connections.
    package let recordBell: RecordBell
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
        self.limits = limits
        var table = ListenerTable(capacity: limits.listeners)
        table.configure(
            listeners.map(NextListener.opens), upstream: { Self.place(of: $0, in: upstreams) }, begin: { _ in 0 })
        self.table = Mutex(table)
        listenerBaselines = CounterTable(rows: limits.listeners, columns: ListenerColumn.allCases.count)
        self.cells = cells
        self.seed = seed
        self.probes = probes
        listenerCells = LoadCells(capacity: limits.listeners)
        publication = UpstreamPublication(upstreams)
        latest = Mutex(upstreams)
        board = EndpointBoard(cells: cells.capacity)
        doors = DoorCommands(listeners: limits.listeners)
        self.contexts = Mutex(contexts)
        tls = TLSPublication(TLSRows(contexts, listeners: table.names, upstreams: upstreams))
        baselines = CounterTable(rows: cells.capacity, columns: EndpointColumn.allCases.count)
        names = RecordNames(capacity: limits.listeners)
        names.learn(listeners: table.tenants)
        let changes = board.compare(upstreams, with: nil)
        for (cell, identity) in changes.fresh { names.learn(identity, at: cell, tenancy: board.tenancy(of: cell)) }
        board.apply(changes)
        recordBell = try RecordBell()
        var desks: [WorkerDesk] = []
        for _ in 0..<workers {
            desks.append(
                try WorkerDesk(
                    limits: limits, cells: cells, records: RecordDesk(bell: recordBell), noticesArrived: noticesArrived)
            )
        }
        self.desks = desks
        self.workers = Mutex(.notStarted)
    }

    /// Starts the workers; connections that wait in the listeners' queues are taken at once.
    package func start() throws(SystemError) {
        let set = table.withLock { $0.set }
        var started: [KernelThread] = []
        for (number, desk) in desks.enumerated() {
            let worker = try Worker(
                number: number, of: desks.count, desk: desk, board: board, doors: doors, limits: limits, cells: cells,
                listenerCells: listenerCells,
                upstreams: UpstreamDesk(cells: cells, reader: publication.makeReader()),
                tls: TLSDesk(tls, limits: limits),
                prober: try probes.map { (probes) throws(SystemError) in try Prober(probes, workers: desks.count) },
                seed: seed &+ UInt64(number))
            desk.hand(set)
            started.append(Worker.start(worker, name: "worker \(number)"))
        }
        workers.withLock { $0 = .running(started) }
    }

    private static func place(of name: String, in set: UpstreamSet) -> UInt32 {
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
        for (cell, identity) in changes.fresh {
            beginCounting(cell)
            names.learn(identity, at: cell, tenancy: board.tenancy(of: cell))
        }
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
        let names = table.withLock { $0.names }
        tls.publish(contexts.withLock { TLSRows($0, listeners: names, upstreams: set) })
    }

    /// Handshakes with clients that have begun, however they ended.
    package var handshakesBegun: Int { desks.reduce(0) { $0 + $1.handshakesBegun.load(ordering: .relaxed) } }

    /// What has come of the handshakes with a listener's clients.
    /// - Parameter listener: its number.
    package func handshakes(ofListener listener: Int) -> HandshakesReport {
        func sum(_ column: ListenerColumn) -> UInt64 { count(column, listener: listener) }
        return HandshakesReport(
            completedTotal: sum(.handshakesTotal), resumedTotal: sum(.handshakesResumedTotal),
            failedTotal: sum(.handshakesFailedTotal))
    }

    /// What has come of the handshakes with an upstream's endpoints.
    package func handshakes(ofUpstream place: Int) -> HandshakesReport {
        func sum(_ column: UpstreamColumn) -> UInt64 {
            desks.reduce(0) { $0 &+ $1.upstreams.read(row: place, column: column.rawValue) }
        }
        return HandshakesReport(
            completedTotal: sum(.handshakesTotal), resumedTotal: sum(.handshakesResumedTotal),
            failedTotal: sum(.handshakesFailedTotal))
    }

    // MARK: Another config

    /// Listeners that take clients in, in the order of the config.
    package var listeners: [OpenListener] { table.withLock { $0.open } }

    /// What a listener is called, or was, by the number that notices bear.
    package func name(ofListener number: Int) -> String? { table.withLock { $0.name(of: number) } }

    /// Whether every worker has the listeners of the last config.
    package var hasAdoptedListeners: Bool {
        let version = table.withLock { $0.version }
        return desks.allSatisfy { $0.adoptedListeners.load(ordering: .acquiring) == version }
    }

    /// How many listeners can be opened beside those that are open, or closed with connections left.
    /// - Precondition: ``hasAdoptedListeners``.
    package func roomForListeners() -> Int {
        table.withLock { table in
            table.reclaim { connections(ofListener: $0) == 0 }
            return table.room
        }
    }

    /// How many upstreams there can be in the life of a process.
    package var roomForUpstreams: Int { limits.upstreams }

    /// Takes another config: the upstreams like ``publish(_:)``, and the listeners. One that stays keeps its sockets and
    /// its connections, and does with those to come as its options say. One that is left out takes in who has connected
    /// already, closes, and is shown as draining until its last connection has ended.
    /// - Parameters:
    ///   - named: the upstreams that the config has, those of instances behind listeners among them; others are not
    ///     reported any more.
    ///   - next: each with its upstream in `set`; sockets that are opened are the workers' from here on.
    /// - Precondition: ``start()`` was called, ``hasAdoptedListeners``, and ``roomForListeners()`` for those that open.
    package func configure(_ set: UpstreamSet, named: Set<String>, listeners next: [NextListener]) {
        let listeners = table.withLock { table in
            table.configure(
                next, upstream: { Self.place(of: $0, in: set) }, begin: beginCounting(listener:))
            names.learn(listeners: table.tenants)
            return table.set
        }
        retired.withLock { retired in
            retired = Set(set.upstreams.indices.filter { !named.contains(set.upstreams[$0].options.name) })
        }
        publishRows(for: set)
        publish(set)
        for desk in desks {
            desk.hand(listeners)
            desk.wake.signal()
        }
    }

    /// A number comes to a listener with the counts of the one before, and its door is open.
    /// - Returns: the last order to the door.
    private func beginCounting(listener number: Int) -> UInt64 {
        for column in ListenerColumn.allCases {
            listenerBaselines.add(count(column, listener: number), row: number, column: column.rawValue)
        }
        if DoorCommands.order(in: doors.command(to: number)) != .accept { doors.give(.accept, to: number) }
        return doors.command(to: number)
    }

    private func count(_ column: ListenerColumn, listener number: Int) -> UInt64 {
        let sum = desks.reduce(0) { $0 &+ $1.listeners.read(row: number, column: column.rawValue) }
        return sum &- listenerBaselines.read(row: number, column: column.rawValue)
    }

    // MARK: Inbound listeners

    /// Has every worker turn callers away: their connects are refused, and those who wait to be accepted are reset.
    ///
    /// Through a unix socket or an inherited one they are accepted and closed at once instead.
    /// - Parameter listener: the number that notices bear.
    package func stopAccepting(listener: Int) { give(.refuse, to: listener) }

    /// The same for a while in which the node drains: those who wait to be accepted are taken in first.
    package func closeDoor(listener: Int) { give(.close, to: listener) }

    /// Has every worker accept again, whether it was told to stop or stopped by itself.
    ///
    /// A worker that cannot tells so (``Notice/Kind/listenFailed``), and can be asked again.
    package func resumeAccepting(listener: Int) { give(.accept, to: listener) }

    private func give(_ order: DoorCommands.Order, to listener: Int) {
        doors.give(order, to: listener)
        for desk in desks { desk.wake.signal() }
    }

    /// Whether no worker takes anybody in there.
    package func isClosed(listener: Int) -> Bool {
        desks.allSatisfy { $0.listeners.read(row: listener, column: ListenerColumn.stopped.rawValue) != 0 }
    }

    /// Connections that it took in and that are open now.
    package func connections(ofListener number: Int) -> Int {
        Int(listenerCells.load(of: UInt32(number)).connections)
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

    /// Turns of workers' loops in which they looked for connections whose endpoint's fate has turned, for the test that
    /// bounds what one turn does.
    var sweepingTurns: UInt64 { desks.reduce(0) { $0 &+ $1.sweepingTurns.load(ordering: .relaxed) } }

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
        case .notStarted: for listener in table.withLock({ $0.sockets }) { listener.close() }
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
        (0..<table.withLock { $0.count }).reduce(0) { $0 + connections(ofListener: $1) }
    }

    /// Bytes that were moved without entering user space.
    package var splicedBytes: UInt64 {
        let numbers = 0..<table.withLock { $0.count }
        return desks.reduce(0) { sum, desk in
            numbers.reduce(sum) {
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

    // MARK: Records

    /// Leaves a record of each connection from the next one on, or of a part of them, once it has ended.
    /// - Parameter fraction: 0 to 1, drawn for each; 0 records none, nor those that are there.
    package func record(_ fraction: Double) {
        for desk in desks {
            desk.records.share.store(RecordShare(fraction), ordering: .relaxed)
            desk.wake.signal()
        }
    }

    /// Hands over the records of connections that have ended since the last time, of each worker at most 4,096; for the
    /// rest ``recordBell`` rings again.
    /// - Returns: how many were lost because the reader was too slow.
    /// - Precondition: only one thread calls this.
    package func takeRecords(_ body: (NamedRecord) -> Void) -> UInt64 {
        var upstreams = upstreams.upstreams
        return desks.reduce(0) { lost, desk in
            lost
                + desk.records.take { record in
                    // A reload may add an upstream meanwhile, and no worker sees a set before `latest` has it.
                    if record.upstream >= upstreams.count { upstreams = self.upstreams.upstreams }
                    body(
                        NamedRecord(
                            record: record, listener: names.listener(tenancy: record.listenerTenancy),
                            upstream: upstreams[Int(record.upstream)].options.name,
                            endpoint: record.attempts == 0
                                ? nil : names.endpoint(at: record.cell, tenancy: record.tenancy)))
                }
        }
    }

    /// The upstreams and endpoints that a notice speaks of.
    package var upstreams: UpstreamSet { latest.withLock { $0 } }

    /// Whether the config names the upstream no more; it keeps its place.
    package func isRetired(upstream place: Int) -> Bool { retired.withLock { $0.contains(place) } }
}

// MARK: - Reports

extension DataPlane {
    /// What has been counted, by listener and by upstream; gauges of different workers may be a moment apart.
    package func report() -> (listeners: [ListenerReport], upstreams: [UpstreamReport]) {
        let drains = drainStage != .serving
        let (listeners, retired) = (table.withLock { $0.all }, retired.withLock { $0 })
        return (
            listeners.compactMap { listener, isOpen in
                let report = report(listener, state: drains || !isOpen ? .draining : state(ofListener: listener.number))
                // A reload has closed it, and nobody is left.
                return isOpen || report.connections > 0 ? report : nil
            },
            upstreams.upstreams.enumerated().compactMap { row, snapshot in
                retired.contains(row) ? nil : report(snapshot, row: row)
            }
        )
    }

    private func state(ofListener number: Int) -> ListenerReport.State {
        if accepts(listener: number) { return acceptIsPaused ? .paused : .listening }
        return DoorCommands.order(in: doors.command(to: number)) == .close ? .draining : .failing
    }

    private func report(_ listener: OpenListener, state: ListenerReport.State) -> ListenerReport {
        func sum(_ column: ListenerColumn) -> UInt64 { count(column, listener: listener.number) }
        var report = ListenerReport(
            name: listener.options.name, address: "\(listener.address)", upstream: listener.options.upstream,
            state: state)
        report.connections = connections(ofListener: listener.number)
        report.connectionsTotal = sum(.connectionsTotal)
        report.refusedTotal = sum(.refusedTotal)
        report.abortedTotal = sum(.abortedTotal)
        report.receivedBytesTotal = sum(.receivedBytesTotal)
        report.sentBytesTotal = sum(.sentBytesTotal)
        if contexts.withLock({ $0.listeners[listener.options.name] != nil }) {
            report.handshakes = handshakes(ofListener: listener.number)
        }
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
        if contexts.withLock({ $0.upstreams[snapshot.options.name] != nil }) {
            report.handshakes = handshakes(ofUpstream: row)
        }
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
        report.unreportedPicksTotal = sum(.unreportedPicksTotal)
        report.alonePicksTotal = sum(.alonePicksTotal)
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
