// The section `services`: what its values say together with listeners and membership.

internal import Gossip
internal import GossipWire
internal import HealthChecks
internal import Routing
internal import Vocabulary

extension Assembly {
    private typealias Keys = RemoraSchema.Service

    mutating func services(_ sections: [CheckedSection]) -> [ServiceOptions]? {
        refuseSharedNames(sections, Keys.name, noun: "service")
        var services: [ServiceOptions] = []
        for section in sections {
            if let service = self.service(section) { services.append(service) }
        }
        return services.count == sections.count ? services : nil
    }

    private mutating func service(_ section: CheckedSection) -> ServiceOptions? {
        let health = section[Keys.health].map { self.health($0) }
        if let advertise = section[Keys.advertise], advertise.isUnspecified {
            log.add(
                "advertise \(advertise) leads nowhere; write the address at which others reach this service",
                at: section.place(of: Keys.advertise))
        }
        guard let name = section[Keys.name], let address = section[Keys.address], let weight = section[Keys.weight]
        else { return nil }
        return ServiceOptions(
            name: name, address: address, advertise: section[Keys.advertise], weight: weight, health: health ?? nil)
    }

    /// Nil for one with a fault: then there is no configuration.
    private mutating func health(_ section: CheckedSection) -> HealthCheckOptions? {
        typealias Keys = RemoraSchema.Health
        let http = section[Keys.http].map(HealthCheckOptions.Probe.http)
        guard let probe = http ?? section[Keys.tcp].map({ .tcp }), let interval = section[Keys.interval],
            let timeout = section[Keys.timeout], let fall = section[Keys.fall], let rise = section[Keys.rise]
        else { return nil }
        if timeout > interval {
            log.add(
                "timeout \(timeout.written) is longer than interval \(interval.written); write a shorter one",
                at: section.gives(Keys.timeout) ? section.place(of: Keys.timeout) : section.place(of: Keys.interval))
        }
        return HealthCheckOptions(probe: probe, interval: interval, timeout: timeout, fall: fall, rise: rise)
    }

    // MARK: With listeners

    /// Instances that nobody could reach, or that would be reached in a circle.
    mutating func refuseServicesWithoutAddress(_ root: CheckedSection) {
        let listeners = root[RemoraSchema.listeners] ?? []
        let own = root[RemoraSchema.membership].map { section in
            [
                section[RemoraSchema.Membership.bind],
                section[RemoraSchema.Membership.advertise].flatMap { PeerAddress($0)?.socketAddress },
            ].compactMap(\.self)
        }
        for section in root[RemoraSchema.services] ?? [] {
            guard let name = section[Keys.name], let address = section[Keys.address] else { continue }
            let inbound = listeners.first { $0[RemoraSchema.Listener.service] == name }
            if case .unix = address, inbound == nil {
                log.add(
                    "only this machine reaches \(address); write host:port, or add an inbound listener with service: \(name)",
                    at: section.place(of: Keys.address))
            }
            // Without one nothing here connects to it.
            guard inbound != nil else { continue }
            for listener in listeners {
                guard let bind = listener[RemoraSchema.Listener.bind], bind.takes(address, own: own ?? []) else {
                    continue
                }
                let line = listener.place(of: RemoraSchema.Listener.bind).line
                let what =
                    listener[RemoraSchema.Listener.service] == name
                    ? "the inbound listener on line \(line) stands, which would connect to itself"
                    : "the listener on line \(line) stands, to which the inbound one would connect"
                log.add(
                    "\(address) is where \(what); write the instance's own address", at: section.place(of: Keys.address)
                )
                break
            }
        }
    }

    // MARK: With membership

    /// Services of which the fleet would be told something useless, or more than gossip carries.
    mutating func refuseAdvertising(_ configuration: Configuration, _ root: CheckedSection) {
        guard let membership = configuration.membership, let sections = root[RemoraSchema.services] else { return }
        let own = membership.advertise?.socketAddress ?? membership.bind
        let bound = Dictionary(
            configuration.listeners.map { ($0.name, $0.bind) }, uniquingKeysWith: { first, _ in first })
        let nodeTags = root[RemoraSchema.node]?[RemoraSchema.Node.tags] ?? [:]
        for (section, service) in zip(sections, configuration.services) {
            let place = section.place(of: Keys.name)
            if nodeTags[MemberTag.servicePrefix + service.name] != nil {
                log.add(
                    "node has the tag \(MemberTag.servicePrefix)\(service.name), which is this service's; remove it there",
                    at: place)
            }
            guard service.advertise == nil, let inbound = configuration.inboundListener(of: service.name) else {
                continue
            }
            if case .unix = inbound.bind {
                log.add(
                    "only this machine reaches its inbound listener \(inbound.bind); add advertise, the address at which others reach the service",
                    at: place)
            } else if inbound.bind.isLocal, !own.isLocal {
                log.add(
                    "only this machine reaches its inbound listener \(inbound.bind); bind that to an address others reach, or add advertise",
                    at: place)
            }
        }
        let length = membership.tags.longestMeta(with: configuration.advertised(boundTo: bound))
        // Without services the tags have been measured.
        guard !configuration.services.isEmpty, length > MemberRecord.longestMeta else { return }
        log.add(
            "the tags of this node and its services take up to \(length) bytes; gossip carries \(MemberRecord.longestMeta), so shorten them or have fewer",
            at: root.place(of: RemoraSchema.services))
    }
}

extension SocketAddress {
    /// Whether a listener bound here is who answers at `address`. One bound to every address of a family takes what comes
    /// to this machine, by loopback or by one of `own`; of its further addresses the config knows nothing.
    fileprivate func takes(_ address: SocketAddress, own: [SocketAddress]) -> Bool {
        // As the kernel has it: whoever connects to no address in particular reaches loopback.
        let target = address.isUnspecified ? address.onLoopback : address
        if self == target { return true }
        guard self == target.onEveryAddress else { return false }
        return target.isLocal || own.contains { $0.with(port: 0) == target.with(port: 0) }
    }

    private var onLoopback: SocketAddress {
        switch self {
        case .ipv4(_, let port): .ipv4(.loopback, port: port)
        case .ipv6(_, let port): .ipv6(.loopback, port: port)
        case .unix: self
        }
    }

    /// Every address of its family, at its port.
    private var onEveryAddress: SocketAddress {
        switch self {
        case .ipv4(_, let port): .ipv4(IPv4(bits: 0), port: port)
        case .ipv6(_, let port): .ipv6(IPv6(high: 0, low: 0), port: port)
        case .unix: self
        }
    }
}
