// An endpoint as the whole process speaks of it.
//
// A class, though nothing about it changes: of ten thousand endpoints all but one are the same in the next snapshot,
// and then a snapshot takes over a reference where it would copy four strings. What workers read is copied out of it
// into flat records, so they follow no reference.

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

    /// What rings and tables know it by.
    package var keyName: String { member ?? "\(address)" }
}

/// Whether an endpoint may be given connections, and a sentence that says why.
package struct Fitness: Hashable, Sendable {
    package enum State: String, CaseIterable, Sendable {
        case fit, suspect, failing, draining, ejected, full, dead, left, unlisted
    }

    package var state: State
    /// Says only what stays true for as long as the state does: a new one is a new snapshot.
    package var reason: String

    package init(_ state: State, because reason: String) {
        self.state = state
        self.reason = reason
    }
}

/// What brought an endpoint the fate that its connections have.
///
/// A fate that stays the same from another cause is another event: who was placed on a suspect endpoint for want of a
/// fitter one goes when it dies. What is seen from here, or said by the instance's tag, is never a cause.
package enum FateCause: UInt8, CaseIterable, Sendable {
    /// They go on.
    case none
    case suspect, dead, left
    /// Off the roster, whatever else.
    case unlisted
}

/// One endpoint at one moment; immutable, and shared by all snapshots in which nothing about it differs.
package final class Endpoint: Sendable {
    // What a snapshot reads of each of ten thousand comes first, within one or two cache lines.

    /// What of it is the same in every snapshot, made once: a snapshot of thousands is one copy for each.
    let record: EndpointRecord
    /// What connect(2) takes.
    let kernelForm: [UInt8]
    /// What sendto(2) takes to ask for its load; empty where nobody there knows it.
    let probeForm: [UInt8]
    package let fitness: Fitness
    /// Whether the last known good view holds on to it although its member is dead.
    package let isKept: Bool
    /// Whether its member is there by all that gossip says, whatever else speaks against it: then it has keys.
    package let isPresent: Bool

    package let identity: EndpointIdentity
    package let zone: String?
    /// As gossiped or configured, the same for all remoras: what rings and tables are built with.
    package let weight: Weight
    /// In percent of ``weight``; below 100 only in slow start.
    package let ramp: Int
    /// When it came into its state.
    package let since: Instant?
    /// What becomes of the connections that are on it.
    package let fate: ConnectionFate
    /// Other than ``FateCause/none`` only where ``fate`` ends connections.
    package let cause: FateCause
    /// Where its load is counted, the same for all workers.
    package let cell: LoadCells.Index

    package convenience init(
        identity: EndpointIdentity, zone: String? = nil, weight: Weight = .standard, ramp: Int = 100,
        fitness: Fitness, since: Instant? = nil, fate: ConnectionFate = .keep, cause: FateCause = .none,
        isKept: Bool = false, isPresent: Bool = true, cell: LoadCells.Index, probe: SocketAddress? = nil
    ) {
        self.init(
            identity: identity, zone: zone, weight: weight, ramp: ramp, fitness: fitness, since: since, fate: fate,
            cause: cause, isKept: isKept, isPresent: isPresent, cell: cell, kernelForm: identity.address.kernelForm,
            probeForm: probe?.kernelForm ?? [])
    }

    /// - Parameters:
    ///   - kernelForm: of the identity's address, made once for all that follow each other.
    ///   - probeForm: of an IP address, or empty.
    init(
        identity: EndpointIdentity, zone: String?, weight: Weight, ramp: Int, fitness: Fitness, since: Instant?,
        fate: ConnectionFate, cause: FateCause, isKept: Bool, isPresent: Bool, cell: LoadCells.Index,
        kernelForm: [UInt8], probeForm: [UInt8]
    ) {
        precondition((1...100).contains(ramp), "a share is 1 to 100 percent")
        self.identity = identity
        self.zone = zone
        self.weight = weight
        self.ramp = ramp
        self.fitness = fitness
        self.since = since
        self.fate = fate
        self.cause = cause
        self.isKept = isKept
        self.isPresent = isPresent
        self.cell = cell
        self.kernelForm = kernelForm
        self.probeForm = probeForm
        record = EndpointRecord(
            addressOffset: 0, addressLength: UInt16(kernelForm.count), isLocal: identity.address.isLocal, fate: fate,
            cell: cell, weight: max(1, weight.value * UInt32(ramp) / 100), ringWeight: UInt16(weight.value),
            eligibility: .none, probeLength: UInt8(probeForm.count))
    }

    /// What draws are made with: the weight, or its part in slow start, never zero.
    package var share: UInt32 { record.weight }

    /// Whether the panic threshold counts it, and panic uses it.
    package var isKnown: Bool {
        switch fitness.state {
        case .fit, .suspect, .failing, .ejected, .full: true
        case .draining, .left, .unlisted: false
        case .dead: isKept
        }
    }
}
