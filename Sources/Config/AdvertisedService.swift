// What the fleet is told of a service, before it is a tag.
//
// Of a config and of the addresses that listeners were bound to, since port 0 is known only then. The state of its
// health is not in here: that changes while the rest stays.

internal import GossipWire
package import Routing
package import Upstreams
package import Vocabulary

/// Where and how much of a service there is on this node.
package struct AdvertisedService: Hashable, Sendable {
    package let name: String
    /// Of IP; nil is the member's own address, which the tag need not repeat.
    package let host: SocketAddress?
    package let port: UInt16
    package let weight: Weight
    /// An inbound listener of this remora stands there, so that its load is known. Its zone is the member's.
    package let hasListener: Bool
}

extension Configuration {
    /// What is advertised of each service, in the order of the config.
    ///
    /// Where the service says so; else at its inbound listener, and with one bound to every address at the node's own;
    /// else at the node's own address with the instance's port.
    /// - Parameter addresses: where each listener is bound by now, by its name.
    package func advertised(boundTo addresses: [String: SocketAddress]) -> [AdvertisedService] {
        services.compactMap { service in
            let inbound = inboundListener(of: service.name)
            let listening = inbound.map { addresses[$0.name] ?? $0.bind }
            let (place, isOwn): (SocketAddress, Bool) =
                if let advertise = service.advertise {
                    (advertise, false)
                } else if let listening {
                    (listening, listening.isUnspecified)
                } else {
                    (service.address, true)
                }
            // Nil for a path, which only its own machine reaches: `check` has refused to advertise one.
            guard let port = place.port else { return nil }
            return AdvertisedService(
                name: service.name, host: isOwn ? nil : place.with(port: 0), port: port, weight: service.weight,
                hasListener: inbound != nil)
        }
    }

    /// The listener that stands before a service's local instance.
    package func inboundListener(of service: String) -> ListenerOptions? {
        listeners.first { $0.target == .service(service) }
    }
}

// MARK: - Its tag

extension ServiceTag {
    /// What the fleet is told of a service while its instance is in this state.
    ///
    /// - Precondition: the service's port is known by now.
    package init(_ service: AdvertisedService, health: Health) {
        self.init(service, port: service.port, health: health)
    }

    fileprivate init(_ service: AdvertisedService, port: UInt16, health: Health) {
        let host: Host =
            switch service.host {
            case .ipv4(let ip, _): .ipv4(ip)
            case .ipv6(let ip, _): .ipv6(ip)
            // A path is never advertised.
            case .unix, nil: .own
            }
        self.init(host: host, port: port, weight: service.weight, health: health, reportsLoad: service.hasListener)
    }
}

extension AdvertisedService {
    /// Its tag's value in the state that takes longest to say, and at the longest port where none is known yet.
    fileprivate var longestValue: String { "\(ServiceTag(self, port: port == 0 ? .max : port, health: .draining))" }
}

extension SerfTags {
    /// Bytes of the meta that bears these, what a remora says of itself, and services, at its longest.
    func longestMeta(with services: [AdvertisedService]) -> Int {
        var tags = self
        tags[MemberTag.remora] = MemberTag.remoraValue(probePort: .max)
        for service in services {
            tags[MemberTag.servicePrefix + service.name] = service.longestValue
        }
        return tags.meta.count
    }
}
