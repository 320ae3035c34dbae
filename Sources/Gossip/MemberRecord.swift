// What a member says of itself: where it is, what it bears, what it speaks. Immutable and shared: the same record is
// in the table, in messages about the member, and, in a simulated world, in everybody's tables.

/// The six version numbers of a member (memberlist-wire §12): the protocol's and the application's ranges, and what is
/// spoken of each.
package struct MemberVersions: Hashable, Sendable {
    package var protocolMinimum: UInt8
    package var protocolMaximum: UInt8
    package var protocolSpoken: UInt8
    package var delegateMinimum: UInt8
    package var delegateMaximum: UInt8
    package var delegateSpoken: UInt8

    package init(
        protocolMinimum: UInt8, protocolMaximum: UInt8, protocolSpoken: UInt8,
        delegateMinimum: UInt8, delegateMaximum: UInt8, delegateSpoken: UInt8
    ) {
        self.protocolMinimum = protocolMinimum
        self.protocolMaximum = protocolMaximum
        self.protocolSpoken = protocolSpoken
        self.delegateMinimum = delegateMinimum
        self.delegateMaximum = delegateMaximum
        self.delegateSpoken = delegateSpoken
    }

    /// A Serf agent's numbers. Others would make every push-pull of the fleet fail (memberlist-wire §12).
    package static let serf = MemberVersions(
        protocolMinimum: 1, protocolMaximum: 5, protocolSpoken: 2,
        delegateMinimum: 2, delegateMaximum: 5, delegateSpoken: 5)

    /// What a member has that sent no numbers at all.
    package static let absent = MemberVersions(
        protocolMinimum: 0, protocolMaximum: 0, protocolSpoken: 0,
        delegateMinimum: 0, delegateMaximum: 0, delegateSpoken: 0)

    package var bytes: [UInt8] {
        [protocolMinimum, protocolMaximum, protocolSpoken, delegateMinimum, delegateMaximum, delegateSpoken]
    }

    package var understandsStreamPing: Bool { protocolMaximum >= 3 }
    package var understandsNack: Bool { protocolMaximum >= 4 }
    package var understandsChecksum: Bool { protocolMaximum >= 5 }
}

/// What one announcement of a member says, apart from its name and incarnation.
package final class MemberRecord: Sendable {
    package let address: PeerAddress
    /// Opaque here; Serf's tags. At most ``longestMeta`` bytes when sent; older peers may send more.
    package let meta: [UInt8]
    /// Whether the announcement had a meta at all: nil and empty differ on the wire, and are sent on as they came.
    package let hasMeta: Bool
    package let versions: MemberVersions
    /// Whether it is a remora (it bears the tag `remora`), to whom remora's own messages may be sent.
    package let isRemora: Bool

    package static let longestMeta = 512
    /// What is taken of others: old peers send more than ``longestMeta``, and each member's is kept and told on.
    package static let longestMetaTaken = 4096
    /// Bytes of a name that is taken; a peer's must fit into every datagram that is about it.
    package static let longestName = 512

    package init(
        address: PeerAddress, meta: [UInt8]?, versions: MemberVersions, isRemora: Bool
    ) {
        self.address = address
        self.meta = meta ?? []
        self.hasMeta = meta != nil
        self.versions = versions
        self.isRemora = isRemora
    }

    /// Whether both say the same; `isRemora` follows from the meta.
    package func says(_ other: MemberRecord) -> Bool {
        self === other
            || address == other.address && versions == other.versions && hasMeta == other.hasMeta
                && meta == other.meta
    }
}
