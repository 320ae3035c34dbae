// The admin port: accepts, keeps the number of its connections bounded, and ends them.
//
// It runs on tasks of Swift's shared pool beside the workers' threads and takes no
// lock of theirs, so it may be slow without anyone noticing.
//
// The last descriptors of the process are not for its clients. A process that uses
// libdispatch must keep some free: once a second, when work is queued, libdispatch
// opens /proc/TID/stat of its threads, and ends the process if it cannot
// (_dispatch_workq_monitor_pools). Holding one descriptor back to accept with was
// tried first, and found exactly that.

import Dispatch
import FlyingSocks
import Glibc
package import enum Vocabulary.SocketAddress

package actor AdminServer {
    private let wanted: SocketAddress
    private let token: String?
    private let limits: AdminLimits
    private let table: [AdminRoute]
    private var running: Running?
    private var hasStarted = false

    private struct Running {
        let listener: ListeningSocket
        let pool: SocketPool<ePoll>
        let accepting: Task<Void, Never>
        let watching: Task<Void, Never>
    }

    private struct Connection {
        let task: Task<Void, Never>
        /// When its client last did something, as ``tick`` counts.
        var progressedAt: UInt64
        /// Told to end, which it soon does.
        var givesWay = false
    }

    private var connections: [UInt64: Connection] = [:]
    private var nextConnection: UInt64 = 0
    /// Goes up with all that any client does: an order of events, not a time.
    private var tick: UInt64 = 0

    /// - Parameters:
    ///   - bind: where to listen; port 0 lets the kernel choose.
    ///   - token: what every request must bear, see ``TokenFile``; nil for a port that asks for none.
    package init(
        bind: SocketAddress, token: String? = nil, source: AdminSource, limits: AdminLimits = .standard
    ) {
        self.init(
            bind: bind, token: token, table: AdminRoutes.table(for: source, asksForToken: token != nil), limits: limits)
    }

    /// - Precondition: `token` is not empty: everyone has an empty one.
    init(bind: SocketAddress, token: String?, table: [AdminRoute], limits: AdminLimits) {
        precondition(token != "", "an empty token would let everyone in")
        wanted = bind
        self.token = token
        self.table = table
        self.limits = limits
    }

    /// Binds, and answers from then on.
    /// - Returns: where it is bound, with the port that the kernel chose.
    /// - Precondition: it was not started before.
    package func start() async throws(AdminStartError) -> SocketAddress {
        precondition(!hasStarted, "an admin server starts once")
        hasStarted = true
        let listener = try ListeningSocket(binding: wanted)
        let pool = SocketPool(
            queue: ePoll(maxEvents: 64), dispatchQueue: .init(label: "remora.admin.sockets"))
        do {
            try await pool.prepare()
        } catch {
            listener.close()
            throw .cannotWatch(reason: error.localizedDescription)
        }
        let routes = AdminRoutes(gate: AdminGate(address: listener.address, token: token), table: table)
        running = Running(
            listener: listener,
            pool: pool,
            accepting: Task { await accept(on: listener, pool: pool, routes: routes) },
            // Ends when it is cancelled, by throwing that it was.
            watching: Task { try? await pool.run() })
        return listener.address
    }

    /// Stops listening, ends every connection, and removes a unix path. Does nothing if it does not run.
    package func stop() async {
        guard let running else { return }
        self.running = nil
        running.accepting.cancel()
        await running.accepting.value
        await running.pool.settle()
        running.listener.close()
        let tasks = connections.values.map(\.task)
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        running.watching.cancel()
        await running.watching.value
    }

    // MARK: - Accepting

    private func accept(on listener: ListeningSocket, pool: SocketPool<ePoll>, routes: AdminRoutes) async {
        while !Task.isCancelled {
            switch listener.accept() {
            case .connection(let socket):
                admit(socket, pool: pool, routes: routes)
                // A flood of connects must not keep those that are connected from being served.
                await Task.yield()
            case .none:
                do {
                    try await pool.suspendSocket(listener.socket, untilReadyFor: .read)
                } catch {
                    // Cancelled, or an error of the socket that the next accept tells better.
                    await pause()
                }
            case .again:
                continue
            case .exhausted:
                giveWay()
                await pause()
            }
        }
    }

    private func pause() async {
        // Cancelled means that the loop ends, which its condition sees.
        try? await Task.sleep(for: .milliseconds(20))
    }

    private func admit(_ socket: Socket, pool: SocketPool<ePoll>, routes: AdminRoutes) {
        guard let stream = try? AsyncSocket(socket: socket, pool: pool) else {
            try? socket.close()
            return
        }
        let id = nextConnection
        nextConnection += 1
        tick += 1
        let connection = AdminConnection(socket: stream, routes: routes, limits: limits) { [weak self] in
            await self?.noteProgress(of: id)
        }
        let task = Task {
            await connection.serve()
            await pool.settle()
            try? stream.close()
            self.forget(id)
        }
        connections[id] = Connection(task: task, progressedAt: tick)
        let kept = connections.values.count { !$0.givesWay }
        if kept > limits.connections || kept > 1 && isAmongLastDescriptors(socket) { giveWay() }
    }

    /// Ends the connection whose client has done nothing for longest.
    private func giveWay() {
        let longest = connections.filter { !$0.value.givesWay }.min { $0.value.progressedAt < $1.value.progressedAt }
        guard let (id, connection) = longest else { return }
        connections[id]?.givesWay = true
        connection.task.cancel()
    }

    private func noteProgress(of id: UInt64) {
        tick += 1
        connections[id]?.progressedAt = tick
    }

    private func forget(_ id: UInt64) {
        connections[id] = nil
    }

    /// Whether `socket` has one of the numbers that ``AdminLimits/sparedDescriptors`` spares: the kernel gives out
    /// the lowest free number, so then nearly all are taken.
    private func isAmongLastDescriptors(_ socket: Socket) -> Bool {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return false }
        return UInt(socket.file.rawValue) + UInt(limits.sparedDescriptors) >= UInt(limit.rlim_cur)
    }
}

extension SocketPool {
    /// Returns once the pool has done with all it has woken.
    ///
    /// It wakes a waiter first and forgets its descriptor after. One that is closed in between makes the forgetting
    /// fail, and the next socket that gets its number is never watched. So: settle, then close.
    fileprivate func settle() {}
}
