// How much of a node's traffic stays in its zone, and where the rest goes.
//
// Envoy's zone aware routing: with C_z the part of all callers that stands in zone z, and E_z the part of the
// endpoints' weight, callers of a zone send it min(1, E_z / C_z) of their traffic, and what is left to the zones with
// room, E_z − C_z > 0, in proportion to that. If all callers send alike, each zone then gets exactly E_z of all traffic:
// a small zone is never given more than its endpoints' weight is worth, and nothing crosses a border that need not.
//
// - Callers are the fleet's remoras that are alive or suspect, by the zones that they say they stand in. Which of them
//   call this very upstream is known to nobody else. Those that say no zone send everywhere by weight, and so change no
//   zone's part of what is left.
// - Where this node is a member of nothing, callers are taken to stand in all the zones alike.
// - Endpoints of no zone are a zone in which nobody stands.
// - There is no least number of endpoints, as in Envoy (6): a zone of one has its share, and that is within what it can
//   carry. What is lost there is the choice between two.
// - Only fit endpoints count, with what slow start gives them. In panic zones are passed over, as in Envoy: who can be
//   had at all comes first.
//
// Pure arithmetic, on the control thread, once for each snapshot. Workers draw a zone first and an endpoint of it then,
// by its true weight. Not taken: weights scaled by zone and one draw. Two choices would then be compared across zones,
// and by counts of this node's own the nearer endpoint always looks the busier, so that more would leave the zone than
// should.

/// Where this node stands among the zones.
package struct ZoneView: Hashable, Sendable {
    package var own: String
    /// How many callers stand in each zone, this node among them; nil: it is not known.
    package var callers: [String: Int]?

    package init(own: String, callers: [String: Int]? = nil) {
        self.own = own
        self.callers = callers
    }
}

/// A zone's part of this node's connections.
package struct ZoneShare: Hashable, Sendable {
    /// Nil: the endpoints that name none.
    package var zone: String?
    /// Of all that this node places; those of all zones add up to 1.
    package var share: Double

    package init(zone: String?, share: Double) {
        self.zone = zone
        self.share = share
    }
}

extension ZoneView {
    /// The zones that connections go to, this node's own first, the others in the order given; none with nothing.
    /// - Parameter weights: of the endpoints that may be given connections, by zone, each zone once; above zero.
    package func shares(of weights: [(zone: String?, weight: UInt64)]) -> [ZoneShare] {
        let total = weights.reduce(0) { $0 + Double($1.weight) }
        guard total > 0 else { return [] }
        let callers = callers(in: weights.compactMap(\.zone))
        func capacity(_ weight: UInt64) -> Double { Double(weight) / total }
        func demand(_ zone: String?) -> Double { zone.flatMap { callers[$0] } ?? 0 }
        let home = weights.first { $0.zone == own }.map { capacity($0.weight) } ?? 0
        // This node is a caller, so its zone's demand is above zero.
        let stays = min(1, home / demand(own))
        var shares = stays > 0 ? [ZoneShare(zone: own, share: stays)] : []
        guard stays < 1 else { return shares }
        let room = weights.map { $0.zone == own ? 0 : max(0, capacity($0.weight) - demand($0.zone)) }
        let sum = room.reduce(0, +)
        for (weight, room) in zip(weights, room) where room > 0 {
            shares.append(ZoneShare(zone: weight.zone, share: (1 - stays) * room / sum))
        }
        return shares
    }

    /// The part of the callers that stands in each zone.
    private func callers(in zones: [String]) -> [String: Double] {
        guard var counts = callers else {
            let all = Set(zones).union([own])
            return Dictionary(uniqueKeysWithValues: all.map { ($0, 1 / Double(all.count)) })
        }
        // Until gossip has told of this node itself.
        counts[own] = max(1, counts[own] ?? 0)
        let total = Double(counts.values.reduce(0, +))
        return counts.mapValues { Double($0) / total }
    }
}
