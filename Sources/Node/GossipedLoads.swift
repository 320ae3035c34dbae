// Carries what gossip tells of endpoints' loads to the load cells, where picks find it beside the answers to probes.
//
// It is as old as gossip is slow, a second in a fleet of 250, so a pick uses it only where connections last as long; and
// it is there before anybody has asked.

import FleetLoad
import Proxy
import Upstreams
import Vocabulary

/// For the control thread alone.
struct GossipedLoads {
    /// Reports are a second old when they come, as a rule.
    private static let interval = Duration.milliseconds(500)
    private var next = Instant(nanoseconds: .min)

    /// - Complexity: O(endpoints that come from the fleet), twice a second.
    mutating func carry(_ loads: LoadReports, to plane: DataPlane, at now: Instant) {
        guard now >= next else { return }
        next = now + GossipedLoads.interval
        for upstream in plane.upstreams.upstreams where upstream.options.comparedLoad == .fleet {
            guard let service = upstream.options.service else { continue }
            for endpoint in upstream.endpoints {
                guard let member = endpoint.identity.member, let known = loads.load(of: service, on: member, at: now)
                else { continue }
                plane.report(
                    ReportedLoad(
                        load: EndpointLoad(
                            outstanding: known.load.outstanding, connections: known.load.connections),
                        measured: now + (.zero - known.age)),
                    ofCell: endpoint.cell)
            }
        }
    }
}
