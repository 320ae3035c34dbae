// Whose a load cell was, or a listener's number, when something happened there.
//
// Records of connections are read some time after they were made, and by then an endpoint may have left the set, and its
// cell may be another's. So names are kept by tenancy and not looked up in the newest set: of each cell the last two.
// A cell that changes hands twice while a record waits costs that record its endpoint's name, and gives it no wrong one.

import Synchronization
import Upstreams

final class RecordNames: Sendable {
    private struct Tenant {
        var tenancy: UInt64
        var identity: EndpointIdentity
    }

    private struct State {
        /// By cell.
        var tenants: [(latest: Tenant?, former: Tenant?)] = []
        /// By tenancy.
        var listeners: [UInt64: String] = [:]
    }

    private let state = Mutex(State())
    /// Listeners that are remembered at most.
    private let capacity: Int

    /// - Parameter capacity: listeners that there can be at once.
    init(capacity: Int) { self.capacity = 2 * capacity }

    /// A cell has come to an endpoint.
    func learn(_ identity: EndpointIdentity, at cell: LoadCells.Index, tenancy: UInt64) {
        state.withLock { state in
            while state.tenants.count <= cell { state.tenants.append((nil, nil)) }
            let before = state.tenants[Int(cell)].latest
            state.tenants[Int(cell)] = (Tenant(tenancy: tenancy, identity: identity), before)
        }
    }

    /// What the listeners are called that there are now. Tenancies grow, so of those that are gone the oldest are
    /// forgotten first.
    func learn(listeners: [(tenancy: UInt64, name: String)]) {
        state.withLock { state in
            for (tenancy, name) in listeners { state.listeners[tenancy] = name }
            guard state.listeners.count > capacity else { return }
            let known = Set(listeners.map(\.tenancy))
            let gone = state.listeners.keys.filter { !known.contains($0) }.sorted()
            for tenancy in gone.prefix(state.listeners.count - capacity) { state.listeners[tenancy] = nil }
        }
    }

    func endpoint(at cell: LoadCells.Index, tenancy: UInt64) -> EndpointIdentity? {
        state.withLock { state in
            guard cell < state.tenants.count else { return nil }
            let (latest, former) = state.tenants[Int(cell)]
            return [latest, former].compactMap(\.self).first { $0.tenancy == tenancy }?.identity
        }
    }

    func listener(tenancy: UInt64) -> String? { state.withLock { $0.listeners[tenancy] } }
}
