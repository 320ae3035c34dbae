// How busy the services beside this node are, several times a second: what telemetry tells the fleet.

import GossipWire
import Proxy
import Vocabulary

/// For the control thread alone.
struct LoadSampler {
    /// Answers are gathered for this long before their mean is the estimate: of a few, one slow one would be all of it.
    private static let window = Duration.seconds(1)
    /// An estimate of before this says nothing of now.
    private static let memory = Duration.seconds(30)

    private struct Sampled {
        let name: String
        /// Its upstream's.
        let place: Int
        var latency: Duration?
        var estimated = Instant(nanoseconds: .min)
        var windowStart: Instant
        var start: UpstreamLoad
    }

    private let plane: DataPlane
    private var services: [Sampled] = []

    /// - Parameter services: the names of those with an inbound listener, and their implicit upstreams.
    init(_ services: [(name: String, upstream: String)], plane: DataPlane, at now: Instant) {
        self.plane = plane
        self.services = services.compactMap { service in
            plane.place(ofUpstream: service.upstream).map {
                Sampled(name: service.name, place: $0, windowStart: now, start: plane.load(ofUpstream: $0))
            }
        }
    }

    /// - Complexity: O(services × workers).
    mutating func sample(at now: Instant) -> [String: ServiceLoad] {
        var loads: [String: ServiceLoad] = [:]
        for index in services.indices {
            let load = plane.load(ofUpstream: services[index].place)
            if now - services[index].windowStart >= Self.window {
                if let mean = load.meanAnswerTime(since: services[index].start) {
                    (services[index].latency, services[index].estimated) = (mean, now)
                } else if now - services[index].estimated > Self.memory {
                    services[index].latency = nil
                }
                (services[index].windowStart, services[index].start) = (now, load)
            }
            loads[services[index].name] = ServiceLoad(
                outstanding: UInt32(clamping: load.outstanding), connections: UInt32(clamping: load.connections),
                latency: CoarseLatency(services[index].latency))
        }
        return loads
    }
}
