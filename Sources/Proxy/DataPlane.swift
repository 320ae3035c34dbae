// The data plane of one process: listeners, workers, and what they have counted.
//
//     control thread ── publish(set) ──► UpstreamPublication ──► each worker
//                    ── want(.draining) ─► WorkerDesk ── wake ──► its worker
//                    ◄── notices, counters ── WorkerDesk ◄─────── its worker

import Balancing
import Glibc
package import Reactor
package import Stats
import Synchronization
package import Upstreams

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
    private let desks: [WorkerDesk]
    private let workers: Mutex<Workers>
    private let seed: UInt64

    private enum Workers {
        /// The listeners' sockets are still this object's own.
        case notStarted
        case running([KernelThread])
        case ended
    }

    /// - Parameters:
    ///   - upstreams: the first set; every listener's upstream is in it.
    ///   - seed: of the workers' draws.
    ///   - noticesArrived: called on a worker's thread when there is a notice to take; must not block.
    /// - Throws: where the process has no descriptors left.
    package init(
        listeners: [ListenerSockets], upstreams: UpstreamSet, cells: LoadCells, workers: Int, limits: ProxyLimits,
        seed: UInt64, noticesArrived: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        precondition(workers > 0 && listeners.count <= limits.listeners)
        self.listeners = listeners
        self.limits = limits
        self.cells = cells
        self.seed = seed
        listenerCells = LoadCells(capacity: limits.listeners)
        publication = UpstreamPublication(upstreams)
        latest = Mutex(upstreams)
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
        var started: [KernelThread] = []
        for (number, desk) in desks.enumerated() {
            let listeners = listeners.map { sockets in
                WorkerListener(sockets, worker: number, upstream: place(of: sockets.options.upstream, in: set), limits)
            }
            let worker = try Worker(
                desk: desk, limits: limits, workers: desks.count, cells: cells, listenerCells: listenerCells,
                listeners: listeners, sharedDoors: self.listeners.map(\.sharedDoor),
                upstreams: UpstreamDesk(cells: cells, reader: publication.makeReader()), seed: seed &+ UInt64(number))
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

    /// Makes `set` what every new connection is placed by.
    package func publish(_ set: UpstreamSet) {
        latest.withLock { $0 = set }
        publication.publish(set)
        for desk in desks { desk.wake.signal() }
    }

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

    /// Hands over what the workers had to say since the last time.
    /// - Returns: how many notices were lost because a ring was full.
    package func takeNotices(_ body: (Notice) -> Void) -> UInt64 {
        var lost: UInt64 = 0
        for desk in desks {
            while let notice = desk.notices.pop() { body(notice) }
            lost += desk.notices.takeLost()
        }
        return lost
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
                report(sockets, row: row, state: draining ? .draining : acceptIsPaused ? .paused : .listening)
            },
            upstreams.upstreams.enumerated().map { row, snapshot in report(snapshot, row: row) }
        )
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
        var report = UpstreamReport(
            name: snapshot.options.name, balance: snapshot.options.balance.rawValue,
            load: LoadSource.local.rawValue, endpoints: snapshot.endpoints.map(report))
        report.retriesTotal = desks.reduce(0) {
            $0 &+ $1.upstreams.read(row: row, column: UpstreamColumn.retriesTotal.rawValue)
        }
        report.connectSeconds = distribution(\.connectTimes)
        report.firstByteSeconds = distribution(\.firstByteTimes)
        report.lifetimeSeconds = distribution(\.lifetimes)
        return report
    }

    private func report(_ endpoint: Endpoint) -> EndpointReport {
        func sum(_ column: EndpointColumn) -> UInt64 {
            desks.reduce(0) { $0 &+ $1.endpoints.read(row: Int(endpoint.cell), column: column.rawValue) }
        }
        var report = EndpointReport(
            address: "\(endpoint.identity.address)", member: endpoint.identity.member, zone: endpoint.zone,
            state: endpoint.fitness.state.rawValue, reason: endpoint.fitness.reason, weight: Int(endpoint.weight.value))
        let load = cells.load(of: endpoint.cell)
        report.outstanding = Int(load.outstanding)
        report.connections = Int(load.connections)
        report.connectionsTotal = sum(.connectionsTotal)
        report.failuresTotal = sum(.failuresTotal)
        report.receivedBytesTotal = sum(.receivedBytesTotal)
        report.sentBytesTotal = sum(.sentBytesTotal)
        return report
    }
}
