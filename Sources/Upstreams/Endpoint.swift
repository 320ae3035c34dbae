// An endpoint as the whole process speaks of it.

package import Vocabulary

/// What makes an endpoint the same one from one snapshot to the next.
package struct EndpointIdentity: Hashable, Sendable {
    /// The member that advertises it; nil for one that the config names.
    package var member: String?
    package var address: SocketAddress

    package init(member: String? = nil, address: SocketAddress) {
        self.member = member
        self.address = address
    }
}

/// Whether an endpoint may be given connections, and a sentence that says why.
package struct Fitness: Hashable, Sendable {
    package enum State: String, CaseIterable, Sendable {
        case fit, suspect, failing, draining, ejected, full, dead, left, unlisted
    }

    package var state: State
    package var reason: String

    package init(_ state: State, because reason: String) {
        self.state = state
        self.reason = reason
    }
}

package struct Endpoint: Hashable, Sendable {
    package var identity: EndpointIdentity
    package var zone: String?
    package var weight: Weight
    package var fitness: Fitness
    /// What becomes of the connections that are on it.
    package var fate: ConnectionFate
    /// Where its load is counted, the same for all workers.
    package var cell: LoadCells.Index

    package init(
        identity: EndpointIdentity, zone: String? = nil, weight: Weight = .standard, fitness: Fitness,
        fate: ConnectionFate = .keep, cell: LoadCells.Index
    ) {
        self.identity = identity
        self.zone = zone
        self.weight = weight
        self.fitness = fitness
        self.fate = fate
        self.cell = cell
    }
}
