// How this node takes part in a fleet, as its config says.

package import Gossip
package import GossipWire
package import Stores
package import Vocabulary

/// Where a member listens, whom it joins, what it bears.
package struct MembershipOptions: Hashable, Sendable {
    /// Of IP; port 0 is any.
    package let bind: SocketAddress
    /// Nil: where it is bound.
    package let advertise: PeerAddress?
    package let join: [PeerAddress]
    /// Seeds are ``join``; what layers take of a packet is added by whoever makes them.
    package let gossip: GossipOptions
    /// The first encrypts; none: nothing is encrypted.
    package let keys: [GossipKey]
    package let label: Label
    /// The node's own, its zone, and that it is a remora. With those of its services, whatever their health, and with
    /// any port of probes, their meta fits into gossip.
    package let tags: SerfTags
    /// What this node sends of its own load in a second; zero is nothing.
    package let telemetryBytesPerSecond: ByteCount
    /// Nil: whoever joins belongs to the fleet.
    package let roster: RosterOptions?
}

/// The reference's profiles, by their names in a config.
enum GossipProfile: String, CaseIterable, Sendable {
    case lan, wan, local

    var options: GossipOptions {
        switch self {
        case .lan: .lan
        case .wan: .wan
        case .local: .local
        }
    }
}

/// A secret that a fleet shares. It is never printed.
package struct GossipKey: Hashable, Sendable {
    /// 16, 24 or 32.
    package let bytes: [UInt8]

    /// Nil for another number of bytes.
    init?(_ bytes: [UInt8]) {
        guard [16, 24, 32].contains(bytes.count) else { return nil }
        self.bytes = bytes
    }
}

extension GossipKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "a key of \(bytes.count) bytes (not shown)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Names of tags that mean something to remoras.
package enum MemberTag {
    /// The zone a member stands in.
    package static let zone = "zone"
    /// That it is a remora: the version of its messages and the port of its load probes, 0 for none.
    package static let remora = "remora"
    /// Where a service is: this and the service's name.
    package static let servicePrefix = "svc."

    /// The value of ``remora``.
    /// - Parameter probePort: 0 where no load probes are answered.
    package static func remoraValue(probePort: UInt16) -> String { "1:\(probePort)" }
}
