// Round trips: each answer to a direct ping bears its sender's coordinate, and moves ours (serf-layer §8).

import Gossip
import GossipWire
import Vocabulary

extension SerfAgent {
    mutating func measure(
        _ roundTrip: Duration, to member: MemberID, payload: [UInt8], into effects: inout AgentEffects
    ) {
        guard options.hasCoordinate, let row = list[member], row.departed == nil else { return }
        do throws(WireFault) {
            // Without a payload there is no coordinate, and nothing wrong.
            guard let theirs = try SerfCoordinate.read(payload: payload) else { return }
            guard vivaldi.take(roundTrip, to: member.index, at: theirs) else { throw .badCoordinate }
            refreshAckPayload()
        } catch {
            effects.events.append(.refused(from: row.record.address, error))
        }
    }

    mutating func refreshAckPayload() {
        guard options.hasCoordinate else { return }
        var bytes: [UInt8] = []
        vivaldi.coordinate.append(to: &bytes)
        membership.ackPayload = bytes
    }
}
