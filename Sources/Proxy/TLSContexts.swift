// Which listeners terminate TLS, which upstreams originate it, and by which contexts.
//
//     control thread             one version, one lock                worker, at a wake-up
//     publish(contexts 3) ─────► TLSPublication (rows by number) ───► TLSRows of its own
//
// Contexts never change: a new certificate makes a new one, and whoever holds the old one keeps it alive. So a worker
// takes new rows whole, and connections go on with what they began with. The lock is held for as long as it takes to
// copy two references, and only where the version says that there is something new. Not taken: the way of upstreams'
// sets, whose readers hold nothing retained; a handshake is no event of a byte path, and costs a million instructions.

import Synchronization
package import TLS
import Upstreams

/// How a listener terminates TLS.
package struct ListenerTLS: Sendable {
    package var context: ServerContext

    package init(context: ServerContext) { self.context = context }
}

/// How an upstream originates TLS.
package struct UpstreamTLS: Sendable {
    package var context: ClientContext
    /// Whom its endpoints' certificates have to name; nil: each its own address, which a unix socket has not.
    package var serverName: ServerName?

    package init(context: ClientContext, serverName: ServerName? = nil) {
        self.context = context
        self.serverName = serverName
    }
}

/// The contexts by the names of their listeners and upstreams; who is not named speaks plainly.
package struct TLSContexts: Sendable {
    package var listeners: [String: ListenerTLS]
    package var upstreams: [String: UpstreamTLS]

    package init(listeners: [String: ListenerTLS] = [:], upstreams: [String: UpstreamTLS] = [:]) {
        self.listeners = listeners
        self.upstreams = upstreams
    }

    package static let none = TLSContexts()
}

// MARK: - What workers see

/// The contexts by the numbers that workers know listeners and upstreams by.
struct TLSRows: Sendable {
    var listeners: [ListenerTLS?] = []
    var upstreams: [UpstreamTLS?] = []

    init() {}

    init(_ contexts: TLSContexts, listeners names: [String], upstreams: UpstreamSet) {
        listeners = names.map { contexts.listeners[$0] }
        self.upstreams = upstreams.upstreams.map { contexts.upstreams[$0.options.name] }
    }

    func listener(_ number: UInt32) -> ListenerTLS? {
        Int(number) < listeners.count ? listeners[Int(number)] : nil
    }

    func upstream(_ place: UInt32) -> UpstreamTLS? {
        Int(place) < upstreams.count ? upstreams[Int(place)] : nil
    }

    /// The same questions for who does not want the answer, which would count its references.
    func speaks(listener number: Int) -> Bool { number < listeners.count && listeners[number] != nil }
    func speaks(upstream place: UInt32) -> Bool { Int(place) < upstreams.count && upstreams[Int(place)] != nil }
}

/// Hands rows from the control thread to the workers.
final class TLSPublication: Sendable {
    private let rows: Mutex<TLSRows>
    private let version = Atomic<UInt64>(1)

    init(_ rows: TLSRows) { self.rows = Mutex(rows) }

    func publish(_ rows: TLSRows) {
        self.rows.withLock { $0 = rows }
        version.add(1, ordering: .releasing)
    }

    /// The newest rows, if they are not those of the version `known`, which then becomes theirs.
    func rows(newerThan known: inout UInt64) -> TLSRows? {
        let newest = version.load(ordering: .acquiring)
        guard newest != known else { return nil }
        known = newest
        return rows.withLock { $0 }
    }
}
