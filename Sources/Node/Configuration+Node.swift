// What a running node makes of its config.

import Config
import Gossip
import Proxy
import Routing
import Upstreams
import Vocabulary

extension Configuration {
    /// Whether whoever gets this process's memory gets a key with it.
    var holdsKeys: Bool { !tls.isEmpty || membership?.keys.isEmpty == false }

    /// Those that the config names, and one for the local instance behind each inbound listener.
    var allUpstreams: [UpstreamOptions] {
        upstreams
            + services.compactMap { service in
                guard let listener = inboundListener(of: service.name) else { return nil }
                // There is no other instance to try.
                return UpstreamOptions(
                    name: listener.upstream, endpoints: [StaticEndpoint(address: service.address)], load: .local,
                    connectAttempts: 1)
            }
    }

    /// Names of tags by which an upstream finds its endpoints, and by which callers are told and where they stand.
    var tagsOfInterest: Set<String> {
        var names: Set = [MemberTag.zone, RemoraTag.key]
        for upstream in upstreams {
            switch upstream.source {
            case .fixed: break
            case .service(let service): names.insert(ServiceTag.key(for: service))
            case .members(let tags, _): names.formUnion(tags.keys)
            }
        }
        return names
    }

    /// What the fleet is told of the services, once listeners are open; nothing where there is no fleet.
    func advertised(at listeners: [OpenListener]) -> [AdvertisedService] {
        advertised(
            boundTo: Dictionary(
                listeners.map { ($0.options.name, $0.address) }, uniquingKeysWith: { first, _ in first }))
    }

    /// The services with an inbound listener, and the upstreams of their instances.
    var inboundServices: [(name: String, upstream: String)] {
        services.compactMap { service in inboundListener(of: service.name).map { (service.name, $0.upstream) } }
    }

    /// When a view of the fleet that collapses is not believed: nobody answers for five probes, and not in less than 5 s.
    var isolation: LastKnownGood.Options {
        var options = LastKnownGood.Options()
        if let membership { options.silence = max(options.silence, membership.gossip.probeInterval * 5) }
        return options
    }
}

extension [OpenListener] {
    /// The numbers of inbound listeners, by the names of their services.
    var inbound: [String: Int] {
        var numbers: [String: Int] = [:]
        for listener in self {
            if case .service(let name) = listener.options.target { numbers[name] = listener.number }
        }
        return numbers
    }
}
