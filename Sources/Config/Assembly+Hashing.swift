// What connections are told apart by: the section `hash`, routes by server name, and whether a listener can know what
// its upstreams ask for.

internal import Routing
internal import Upstreams
internal import Vocabulary

extension Assembly {
    private typealias Listener = RemoraSchema.Listener
    private typealias Upstream = RemoraSchema.Upstream
    private typealias Route = RemoraSchema.Route

    func hash(_ section: CheckedSection) -> HashOptions? {
        typealias Keys = RemoraSchema.Hash
        guard let key = section[Keys.key], let virtualNodes = section[Keys.virtualNodes],
            let boundedLoad = section[Keys.boundedLoad]
        else { return nil }
        var options = HashOptions()
        options.key = key
        options.virtualNodes = virtualNodes
        options.boundedLoad = boundedLoad == 0 ? nil : boundedLoad
        return options
    }

    /// Empty where the listener has none, nil where one of them has a fault.
    func routes(_ listener: CheckedSection) -> [ServerNameRoute]? {
        guard let sections = listener[Listener.sni] else { return listener.gives(Listener.sni) ? nil : [] }
        let routes = sections.compactMap { section -> ServerNameRoute? in
            guard let match = section[Route.match], let upstream = section[Route.upstream] else { return nil }
            return ServerNameRoute(match: match, upstream: upstream)
        }
        return routes.count == sections.count ? routes : nil
    }

    /// Routes that no connection could take.
    mutating func refuseRoutes(of listeners: [CheckedSection]) {
        for listener in listeners {
            if listener.terminatesTLS, listener.gives(Listener.sni) {
                log.add(
                    "sni routes TLS that passes through, and tls terminates it; remove one of them",
                    at: listener.written[Listener.sni.field.key] ?? listener.place)
            }
            var places: [ServerNamePattern: Place] = [:]
            for route in listener[Listener.sni] ?? [] {
                guard let match = route[Route.match] else { continue }
                let place = route.place(of: Route.match)
                if let first = places[match] {
                    log.add("the name \(match) has a route already, on line \(first.line); keep one", at: place)
                } else {
                    places[match] = place
                }
            }
        }
    }

    /// Keys of upstreams that connections of one of their listeners can never have: all of those would go anywhere.
    mutating func refuseKeysThatNeverCome(_ root: CheckedSection) {
        let listeners = root[RemoraSchema.listeners] ?? []
        for upstream in root[RemoraSchema.upstreams] ?? [] {
            guard let name = upstream[Upstream.name], let hash = upstream[Upstream.hash],
                let key = hash[RemoraSchema.Hash.key], upstream[Upstream.balance]?.hashes == true
            else { continue }
            for listener in listeners where listener.leads(to: name) {
                guard let reason = key.lack(on: listener) else { continue }
                log.add("\(reason), or choose another key", at: hash.place(of: RemoraSchema.Hash.key))
                break
            }
        }
    }
}

extension CheckedSection {
    /// Whether a listener ends its clients' TLS.
    fileprivate var terminatesTLS: Bool { written["tls"] != nil }

    /// Whether some connections of a listener go to an upstream.
    fileprivate func leads(to upstream: String) -> Bool {
        self[RemoraSchema.Listener.upstream] == upstream
            || (self[RemoraSchema.Listener.sni] ?? []).contains { $0[RemoraSchema.Route.upstream] == upstream }
    }
}

extension HashKey {
    /// Why no connection of a listener has this key, and what to do there; nil where it may have one.
    fileprivate func lack(on listener: CheckedSection) -> String? {
        let line = listener.place.line
        switch self {
        case .sourceIP: return nil
        case .proxyAuthority:
            guard listener[RemoraSchema.Listener.acceptProxyProtocol] == false else { return nil }
            return
                "proxy_authority comes with a PROXY header, and the listener on line \(line) takes none; set accept_proxy_protocol: true there"
        case .serverName:
            guard listener.terminatesTLS else { return nil }
            return
                "sni is read from TLS that passes through, and the listener on line \(line) terminates it; remove tls there"
        case .header, .cookie, .path:
            if listener.terminatesTLS {
                return
                    "header, cookie and path are read before TLS is, and the listener on line \(line) terminates it; remove tls there"
            }
            guard listener.gives(RemoraSchema.Listener.sni) else { return nil }
            return
                "header, cookie and path are not to be read in TLS, which the listener on line \(line) passes through; remove sni there"
        }
    }
}
