// Checked values → typed options, with the questions that no single value can answer: is the name taken, does
// the upstream exist, may the admin port stand there?
//
// Works on what the check let through, so that a typo in one listener hides nothing about the next.

internal import Routing
internal import Upstreams
internal import Vocabulary

struct Assembly {
    private typealias Schema = RemoraSchema

    let hostName: String
    var log: FaultLog

    init(hostName: String, log: FaultLog) {
        self.hostName = hostName
        self.log = log
    }

    /// The configuration; not nil if the log stays without faults.
    mutating func configuration(from root: CheckedSection) -> Configuration? {
        let node = root[Schema.node].flatMap { self.node($0) }
        let membership = root[Schema.membership].map { self.membership($0, of: root[Schema.node]) }
        let upstreams = root[Schema.upstreams].flatMap { self.upstreams($0) }
        let listeners = root[Schema.listeners].flatMap { self.listeners($0, sending: root[Schema.upstreams]) }
        let admin = root[Schema.admin].flatMap { self.admin($0) }
        let shutdown = root[Schema.shutdown]?[Schema.Shutdown.drain].map { ShutdownOptions(drain: $0) }
        refuseSharedAddresses(root)
        // A membership that could not be read has its fault, and so nobody asks for this.
        guard let node, let upstreams, let listeners, let admin, let shutdown else { return nil }
        return Configuration(
            node: node, membership: membership ?? nil, upstreams: upstreams, listeners: listeners, admin: admin,
            shutdown: shutdown)
    }

    // MARK: Sections

    private mutating func node(_ section: CheckedSection) -> NodeOptions? {
        typealias Keys = Schema.Node
        var name = section[Keys.name]
        if !section.written.contains(Keys.name.field.key) {
            do throws(ScalarFault) {
                name = try ScalarReading.name(hostName)
            } catch {
                log.add("the host name, default of node.name, \(error.message); or set node.name", at: section.place)
            }
        }
        guard let name else { return nil }
        return NodeOptions(
            name: name, zone: section[Keys.zone], tags: section[Keys.tags] ?? [:],
            stateDirectory: section[Keys.stateDirectory])
    }

    private mutating func admin(_ section: CheckedSection) -> AdminOptions? {
        typealias Keys = Schema.Admin
        guard let bind = section[Keys.bind] else { return nil }
        if !bind.isLocal, !section.written.contains(Keys.tokenFile.field.key) {
            log.add(
                "the admin address \(bind) is reachable from other machines; add token_file, or bind to 127.0.0.1 or unix:/path",
                at: section.place(of: Keys.bind))
        }
        return AdminOptions(bind: bind, tokenFile: section[Keys.tokenFile])
    }

    // MARK: Upstreams

    private mutating func upstreams(_ sections: [CheckedSection]) -> [UpstreamOptions]? {
        refuseSharedNames(sections, Schema.Upstream.name, noun: "upstream")
        var upstreams: [UpstreamOptions] = []
        for section in sections {
            // Both asked for, so that the faults of one hide none of the other.
            let upstream = self.upstream(section)
            if let upstream { upstreams.append(upstream) }
        }
        return upstreams.count == sections.count ? upstreams : nil
    }

    private mutating func upstream(_ section: CheckedSection) -> UpstreamOptions? {
        typealias Keys = Schema.Upstream
        let endpoints = section[Keys.endpoints].flatMap { self.endpoints($0) }
        guard let name = section[Keys.name], let endpoints, let balance = section[Keys.balance],
            let load = section[Keys.load], let connectTimeout = section[Keys.connectTimeout],
            let connectAttempts = section[Keys.connectAttempts]
        else { return nil }
        return UpstreamOptions(
            name: name, endpoints: endpoints, balance: balance, load: load, connectTimeout: connectTimeout,
            connectAttempts: connectAttempts, maxConnections: section[Keys.maxConnections],
            maxOutstanding: section[Keys.maxOutstanding])
    }

    private mutating func endpoints(_ sections: [CheckedSection]) -> [StaticEndpoint]? {
        typealias Keys = Schema.Endpoint
        var endpoints: [StaticEndpoint] = []
        var places: [SocketAddress: Place] = [:]
        for section in sections {
            guard let address = section[Keys.address] else { continue }
            let place = section.place(of: Keys.address)
            if let first = places.updateValueIfAbsent(place, for: address) {
                log.add(
                    "the endpoint \(address) stands in this upstream already, on line \(first.line); remove one (weight raises its share)",
                    at: place)
            }
            guard let weight = section[Keys.weight] else { continue }
            endpoints.append(StaticEndpoint(address: address, weight: weight, zone: section[Keys.zone]))
        }
        return endpoints.count == sections.count ? endpoints : nil
    }

    // MARK: Listeners

    /// - Parameter upstreams: where they send to; nil if that is unknown.
    private mutating func listeners(
        _ sections: [CheckedSection], sending upstreams: [CheckedSection]?
    ) -> [ListenerOptions]? {
        refuseSharedNames(sections, Schema.Listener.name, noun: "listener")
        let names = upstreams?.map { $0[Schema.Upstream.name] }
        // An upstream whose name could not be read may be the one that is meant.
        if let names, !names.contains(nil) {
            refuseUnknownUpstreams(of: sections, known: names.compactMap(\.self))
        }
        let listeners = sections.compactMap(listener)
        return listeners.count == sections.count ? listeners : nil
    }

    private func listener(_ section: CheckedSection) -> ListenerOptions? {
        typealias Keys = Schema.Listener
        // That its speech is TCP, the only one there is, needs no option.
        guard let name = section[Keys.name], let bind = section[Keys.bind], let upstream = section[Keys.upstream],
            section[Keys.speech] == .tcp, let acceptProxyProtocol = section[Keys.acceptProxyProtocol],
            let idleTimeout = section[Keys.idleTimeout]
        else { return nil }
        return ListenerOptions(
            name: name, bind: bind, upstream: upstream, acceptProxyProtocol: acceptProxyProtocol,
            sendProxyProtocol: section[Keys.sendProxyProtocol], idleTimeout: idleTimeout,
            maxConnections: section[Keys.maxConnections])
    }

    private mutating func refuseUnknownUpstreams(of listeners: [CheckedSection], known: [String]) {
        let names = Set(known)
        var suggestions = 0
        for listener in listeners {
            guard let upstream = listener[Schema.Listener.upstream], !names.contains(upstream) else { continue }
            var remedy = known.isEmpty ? "define it under upstreams" : "define it, or name one of those under upstreams"
            // A suggestion costs a look at every name, and only so many faults are shown.
            if suggestions < ConfigFaults.limit, let nearest = nearestName(to: upstream, among: known) {
                remedy = "did you mean \(nearest)?"
            }
            suggestions += 1
            log.add(
                "there is no upstream named \(upstream.quoted); \(remedy)",
                at: listener.place(of: Schema.Listener.upstream))
        }
    }

    // MARK: Across sections

    private mutating func refuseSharedNames(_ sections: [CheckedSection], _ key: Key<String>, noun: String) {
        var places: [String: Place] = [:]
        for section in sections {
            guard let name = section[key] else { continue }
            let place = section.place(of: key)
            if let first = places.updateValueIfAbsent(place, for: name) {
                log.add(
                    "the name \(name.quoted) is taken by the \(noun) on line \(first.line); choose another", at: place)
            }
        }
    }

    /// Of all that binds; port 0 is another port each time.
    private mutating func refuseSharedAddresses(_ root: CheckedSection) {
        var owners: [SocketAddress: Place] = [:]
        let listeners = (root[Schema.listeners] ?? []).compactMap { section in
            section[Schema.Listener.bind].map { ($0, section.place(of: Schema.Listener.bind)) }
        }
        let membership = root[Schema.membership].flatMap { section in
            section[Schema.Membership.bind].map { ($0, section.place(of: Schema.Membership.bind)) }
        }
        for (address, place) in listeners where address.port != 0 {
            if let first = owners.updateValueIfAbsent(place, for: address) {
                log.add(
                    "the address \(address) is taken by the listener on line \(first.line); choose another", at: place)
            }
        }
        if let (address, place) = membership, address.port != 0 {
            if let first = owners.updateValueIfAbsent(place, for: address) {
                log.add(
                    "the address \(address) is taken by the listener on line \(first.line); choose another", at: place)
            }
        }
        guard let admin = root[Schema.admin], let bind = admin[Schema.Admin.bind], let owner = owners[bind] else {
            return
        }
        log.add("the address \(bind) is that of the admin port; choose another, or move admin.bind", at: owner)
    }
}

extension Dictionary {
    /// Stores `value` unless the key has one already, and returns that one.
    fileprivate mutating func updateValueIfAbsent(_ value: Value, for key: Key) -> Value? {
        if let present = self[key] { return present }
        self[key] = value
        return nil
    }
}
