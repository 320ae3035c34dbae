// The health checks of all services beside this remora, over real sockets, on a thread that has other things to do.
//
//     loop ─ turn() ─► sockets ─► what has taken too long ─► what is due ─► changes
//
// The owner's loop watches one descriptor (a poller of the checker's own) and one moment (`nextWake`), and calls `turn()` for
// either. A turn reads at most once from each socket and never waits. Sockets come first: an answer that lies there must
// be seen before anybody is blamed for being late. And where it was us who slept (the turn comes long after the moment it
// asked for), a check that is over gets its time once more before it counts.

package import Reactor
package import Vocabulary

/// A service that has begun to pass or to fail.
package struct HealthChange: Hashable, Sendable {
    package let service: String
    package let state: HealthCheck.State
}

/// For one thread at a time.
package final class HealthChecker {
    /// At once; a config has no more.
    package static let mostServices = 64
    /// A turn that comes this much after a deadline tells of our own sleep.
    private static let oversleeping = Duration.milliseconds(100)

    /// One service under watch.
    private struct Watch {
        let service: String
        let address: SocketAddress
        var check: HealthCheck
        var connection: CheckConnection?
        /// What the poller calls the connection; none is used twice.
        var token: UInt64 = 0
        var hasExtraTime = false

        /// Whether a check runs whose verdict is open.
        var isAsking: Bool { connection.map { $0.stage != .parting } ?? false }
    }

    private let poller: Poller
    private var random: SeededRandom
    private var watches: [Watch] = []
    private var lastToken: UInt64 = 0
    private var buffer = [UInt8](repeating: 0, count: 16 << 10)
    private var changes: [HealthChange] = []
    /// Checks that could not be carried out, for want of descriptors or ports.
    package private(set) var inconclusive: UInt64 = 0

    /// - Parameter random: for the moments at which first checks begin.
    package init(random: SeededRandom) throws(SystemError) {
        poller = try Poller(capacity: Int32(HealthChecker.mostServices))
        self.random = random
    }

    /// Readable when ``turn()`` has something to do.
    package var descriptor: Int32 { poller.descriptor }

    /// When ``turn()`` wants to be called though nothing is readable.
    package var nextWake: Instant {
        var next = Instant(nanoseconds: .max)
        for watch in watches {
            if let connection = watch.connection { next = min(next, connection.deadline) }
            // A check that is due while one runs begins after that.
            if !watch.isAsking { next = min(next, watch.check.due) }
        }
        return next
    }

    // MARK: Commands

    /// Checks a service from now on, the first time at once; what was known of one of that name is forgotten.
    /// - Parameter state: `unknown`, or what is known without a check.
    /// - Precondition: it is one of the first ``mostServices``.
    package func watch(
        _ service: String, at address: SocketAddress, _ options: HealthCheckOptions,
        from state: HealthCheck.State = .unknown
    ) {
        stopWatching(service)
        precondition(watches.count < HealthChecker.mostServices, "a config has no more services")
        let check = HealthCheck(options, from: state, at: Kernel.now(), random: &random)
        watches.append(Watch(service: service, address: address, check: check))
    }

    /// A running check ends without a verdict. Nothing happens for a service that is not watched.
    package func stopWatching(_ service: String) { watches.removeAll { $0.service == service } }

    /// Nil for a service that is not watched.
    package func state(of service: String) -> HealthCheck.State? {
        index(of: service).map { watches[$0].check.state }
    }

    /// The service fails from now on, as somebody has seen for certain; it is checked soon, and passes after as many
    /// passed checks as its options ask for.
    /// - Returns: whether it was not failing before. False for a service that is not watched.
    package func fail(_ service: String, because reason: String) -> Bool {
        guard let index = index(of: service) else { return false }
        // What the instance said before that is out of date.
        watches[index].connection = nil
        return watches[index].check.fail(because: reason, at: Kernel.now())
    }

    private func index(of service: String) -> Int? { watches.firstIndex { $0.service == service } }

    // MARK: Turns

    /// Does what there is to do; never waits.
    /// - Returns: who has begun to pass or to fail, in the order in which it showed.
    package func turn() -> [HealthChange] {
        let count = poller.wait(milliseconds: 0)
        for event in 0..<count { advance(poller.event(at: event).token) }
        let now = Kernel.now()
        for index in watches.indices {
            expire(index, at: now)
            if watches[index].check.due <= now, !watches[index].isAsking { begin(index, at: now) }
        }
        defer { changes.removeAll() }
        return changes
    }

    private func begin(_ index: Int, at now: Instant) {
        // The last one may still be parting.
        watches[index].connection = nil
        watches[index].hasExtraTime = false
        let deadline = watches[index].check.begin(at: now)
        switch CheckConnection.open(
            watches[index].check.options.probe, at: watches[index].address, until: deadline)
        {
        case .over(let verdict):
            finish(index, verdict)
        case .connecting(let connection):
            lastToken += 1
            watches[index].token = lastToken
            let added = poller.addLevel(of: connection.descriptor, token: lastToken, for: connection.interest)
            guard added.succeeded else { return finish(index, .inconclusive) }
            watches[index].connection = connection
        }
    }

    private func advance(_ token: UInt64) {
        guard let index = watches.firstIndex(where: { $0.token == token }), let connection = watches[index].connection
        else { return }
        let before = connection.interest
        let verdict = connection.advance(&buffer)
        settle(index, connection, before)
        if let verdict { finish(index, verdict) }
    }

    private func expire(_ index: Int, at now: Instant) {
        guard let connection = watches[index].connection, connection.deadline <= now else { return }
        let options = watches[index].check.options
        if watches[index].isAsking, !watches[index].hasExtraTime,
            now - connection.deadline > HealthChecker.oversleeping
        {
            watches[index].hasExtraTime = true
            connection.deadline = now + options.timeout
            return
        }
        watches[index].connection = nil
        if let verdict = connection.expire(after: options.timeout) { finish(index, verdict) }
    }

    /// Lets a connection go, or asks for what it waits for now.
    private func settle(_ index: Int, _ connection: CheckConnection, _ before: Readiness) {
        let interest = connection.interest
        if connection.stage == .over {
            watches[index].connection = nil
        } else if interest != before {
            poller.changeLevel(of: connection.descriptor, token: watches[index].token, for: interest)
        }
    }

    private func finish(_ index: Int, _ verdict: CheckResult) {
        if verdict == .inconclusive { inconclusive += 1 }
        guard watches[index].check.finish(verdict) else { return }
        changes.append(HealthChange(service: watches[index].service, state: watches[index].check.state))
    }
}
