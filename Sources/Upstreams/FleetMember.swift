// A member of the fleet as discovery sees it: what gossip knows of it, without gossip's numbers and times.

package import Vocabulary

package struct FleetMember: Hashable, Sendable {
    package enum State: String, CaseIterable, Sendable {
        case alive, suspect, dead, left
    }

    package var name: String
    /// Of its gossip; a service's port stands in the service's tag.
    package var address: SocketAddress
    package var state: State
    package var incarnation: UInt32
    package var tags: [String: String]
    /// When it came into this state, as seen from here.
    package var since: Instant
    /// Who accused it, on what evidence, as a sentence; nil unless it is suspect or dead.
    package var accusation: String?

    package init(
        name: String, address: SocketAddress, state: State = .alive, incarnation: UInt32 = 1,
        tags: [String: String] = [:], since: Instant, accusation: String? = nil
    ) {
        self.name = name
        self.address = address
        self.state = state
        self.incarnation = incarnation
        self.tags = tags
        self.since = since
        self.accusation = accusation
    }

    /// The zone in which it calls others; nil for one that calls nobody: no remora, not there, or of no zone.
    var callingZone: String? {
        switch state {
        case .alive, .suspect: tags["remora"] == nil ? nil : tags["zone"]
        case .dead, .left: nil
        }
    }
}
