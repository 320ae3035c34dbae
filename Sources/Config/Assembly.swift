// Checked values → typed options, with the questions that no single value can answer: is the name taken, does
// the upstream exist, may the admin port stand there?
//
// Works on what the check let through, so that a typo in one listener hides nothing about the next.

internal import AccessLog
internal import Routing
internal import Upstreams
internal import Vocabulary

struct Assembly {
    private typealias Schema = RemoraSchema

    let hostName: String
    var log: FaultLog
    var files = NamedFiles()

    init(hostName: String, log: FaultLog) {
        self.hostName = hostName
        self.log = log
    }

    /// The configuration; not nil if the log stays without faults.
    mutating func configuration(from root: CheckedSection) -> Configuration? {
        let node = root[Schema.node].flatMap { self.node($0) }
        let services = root[Schema.services].flatMap { self.services($0) }
        let upstreams = root[Schema.upstreams].flatMap { self.upstreams($0) }
        let listeners = root[Schema.listeners].flatMap { self.listeners($0, of: root) }
        let membership = root[Schema.membership].map { self.membership($0, of: root[Schema.node]) }
        refuseKeysThatNeverCome(root)
        refuseServicesWithoutAddress(root)
        refuseSourcesWithoutFleet(root)
        let tls = self.tls(of: root)
        let admin = root[Schema.admin].flatMap { self.admin($0) }
        let accessLog = root[Schema.accessLog].map { section in
            let options = self.accessLog(section)
            files.name(options, at: section.place(of: Schema.AccessLog.path))
            return options
        }
        let shutdown = root[Schema.shutdown]?[Schema.Shutdown.drain].map { ShutdownOptions(drain: $0) }
        refuseSharedAddresses(root)
        // A membership that could not be read has its fault, and so nobody asks for this; the same with an access log.
        guard let node, let services, let upstreams, let listeners, let admin, let shutdown else { return nil }
        let configuration = Configuration(
            node: node, membership: membership ?? nil, services: services, upstreams: upstreams, listeners: listeners,
            tls: tls, admin: admin, accessLog: accessLog ?? nil, shutdown: shutdown)
        refuseAdvertising(configuration, root)
        return configuration
    }

    /// Adds what an inspection finds of the files that were named.
    mutating func inspect(_ inspection: FileInspection) {
        for fault in inspection(files.tls, files.accessLog) {
            for place in files.places(of: fault) { log.add(fault.message, at: place) }
        }
    }

    // MARK: Sections

    private mutating func node(_ section: CheckedSection) -> NodeOptions? {
        typealias Keys = Schema.Node
        var name = section[Keys.name]
        if !section.gives(Keys.name) {
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
        if !bind.isLocal, !section.gives(Keys.tokenFile) {
            log.add(
                "the admin address \(bind) is reachable from other machines; add token_file, or bind to 127.0.0.1 or unix:/path",
                at: section.place(of: Keys.bind))
        }
        return AdminOptions(bind: bind, tokenFile: section[Keys.tokenFile])
    }

    private func accessLog(_ section: CheckedSection) -> AccessLogOptions? {
        typealias Keys = Schema.AccessLog
        guard let path = section[Keys.path], let format = section[Keys.format], let sample = section[Keys.sample] else {
            return nil
        }
        return AccessLogOptions(path: path, format: format, sample: sample)
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
        let source = source(of: section)
        guard let name = section[Keys.name], let source, let balance = section[Keys.balance],
            let load = section[Keys.load], let connectTimeout = section[Keys.connectTimeout],
            let connectAttempts = section[Keys.connectAttempts], let onSuspect = section[Keys.onSuspect],
            let onDead = section[Keys.onDead], let onLeft = section[Keys.onLeft],
            let hash = section[Keys.hash].flatMap(hash), let zoneAware = section[Keys.zoneAware],
            let maxConnectionAge = section[Keys.maxConnectionAge],
            let outlier = section[Keys.outlier].flatMap(outlier), let slowStart = section[Keys.slowStart],
            let panicThresholdPercent = section[Keys.panicThresholdPercent]
        else { return nil }
        var options = UpstreamOptions(
            name: name, source: source, balance: balance, load: load, connectTimeout: connectTimeout,
            connectAttempts: connectAttempts, maxConnections: section[Keys.maxConnections],
            maxOutstanding: section[Keys.maxOutstanding])
        options.hash = hash
        options.zoneAware = zoneAware
        options.maxConnectionAge = maxConnectionAge
        options.onSuspect = onSuspect
        options.onDead = onDead
        options.onLeft = onLeft
        options.outlier = outlier
        options.slowStart = slowStart
        options.panicThresholdPercent = panicThresholdPercent
        return options
    }

    private mutating func source(of section: CheckedSection) -> EndpointSource? {
        typealias Keys = Schema.Upstream
        // That there is no second one is the schema's to say.
        if let endpoints = section[Keys.endpoints] { return self.endpoints(endpoints).map { .fixed($0) } }
        if let service = section[Keys.service] { return .service(service) }
        guard let members = section[Keys.members], let tags = members[Schema.Members.tags],
            let port = members[Schema.Members.port]
        else { return nil }
        return .members(tags: tags, port: UInt16(port))
    }

    private func outlier(_ section: CheckedSection) -> OutlierOptions? {
        typealias Keys = Schema.Outlier
        guard let consecutiveFailures = section[Keys.consecutiveFailures],
            let failurePercent = section[Keys.failurePercent], let interval = section[Keys.interval],
            let ejection = section[Keys.ejection], let maxEjectedPercent = section[Keys.maxEjectedPercent]
        else { return nil }
        var options = OutlierOptions()
        options.consecutiveFailures = consecutiveFailures
        options.failurePercent = failurePercent
        options.interval = interval
        options.ejection = ejection
        options.maxEjectedPercent = maxEjectedPercent
        return options
    }

    /// Endpoints that come from a fleet, where there is none.
    private mutating func refuseSourcesWithoutFleet(_ root: CheckedSection) {
        guard !root.gives(Schema.membership) else { return }
        for section in root[Schema.upstreams] ?? [] {
            refuseSource(Schema.Upstream.service, of: section)
            refuseSource(Schema.Upstream.members, of: section)
        }
    }

    private mutating func refuseSource<Value>(_ key: Key<Value>, of section: CheckedSection) {
        guard section[key] != nil else { return }
        log.add(
            "\(key.field.key) needs a fleet; add the section membership, or use endpoints", at: section.place(of: key))
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

    private mutating func listeners(_ sections: [CheckedSection], of root: CheckedSection) -> [ListenerOptions]? {
        refuseSharedNames(sections, Schema.Listener.name, noun: "listener")
        refuseUnknown(
            Schema.Listener.upstream, of: sections, noun: "upstream",
            known: root[Schema.upstreams]?.map { $0[Schema.Upstream.name] })
        refuseUnknown(
            Schema.Route.upstream, of: sections.flatMap { $0[Schema.Listener.sni] ?? [] }, noun: "upstream",
            known: root[Schema.upstreams]?.map { $0[Schema.Upstream.name] })
        refuseRoutes(of: sections)
        refuseUnknown(
            Schema.Listener.service, of: sections, noun: "service",
            known: root[Schema.services]?.map { $0[Schema.Service.name] })
        refuseSharedServices(sections)
        let listeners = sections.compactMap(listener)
        return listeners.count == sections.count ? listeners : nil
    }

    private func listener(_ section: CheckedSection) -> ListenerOptions? {
        typealias Keys = Schema.Listener
        // That its speech is TCP, the only one there is, needs no option.
        guard let name = section[Keys.name], let bind = section[Keys.bind],
            let target = section[Keys.upstream].map(ListenerTarget.upstream)
                ?? section[Keys.service].map(ListenerTarget.service),
            section[Keys.speech] == .tcp, let acceptProxyProtocol = section[Keys.acceptProxyProtocol],
            let idleTimeout = section[Keys.idleTimeout], let routes = routes(section)
        else { return nil }
        var options = ListenerOptions(
            name: name, bind: bind, target: target, acceptProxyProtocol: acceptProxyProtocol,
            sendProxyProtocol: section[Keys.sendProxyProtocol], idleTimeout: idleTimeout,
            maxConnections: section[Keys.maxConnections])
        options.serverNames = routes
        return options
    }

    /// - Parameters:
    ///   - key: names one of `known`.
    ///   - known: nil where they, or the name of one of them, could not be read: that one may be meant.
    private mutating func refuseUnknown(
        _ key: Key<String>, of listeners: [CheckedSection], noun: String, known: [String?]?
    ) {
        guard let known, !known.contains(nil) else { return }
        let candidates = known.compactMap(\.self)
        let names = Set(candidates)
        var suggestions = 0
        for listener in listeners {
            guard let name = listener[key], !names.contains(name) else { continue }
            var remedy = names.isEmpty ? "define it under \(noun)s" : "define it, or name one of those under \(noun)s"
            // A suggestion costs a look at every name, and only so many faults are shown.
            if suggestions < ConfigFaults.limit, let nearest = nearestName(to: name, among: candidates) {
                remedy = "did you mean \(nearest)?"
            }
            suggestions += 1
            log.add("there is no \(noun) named \(name.quoted); \(remedy)", at: listener.place(of: key))
        }
    }

    /// Two listeners could not both be what is advertised, and each would take the other's load for its own.
    private mutating func refuseSharedServices(_ listeners: [CheckedSection]) {
        var places: [String: Place] = [:]
        for listener in listeners {
            guard let service = listener[Schema.Listener.service] else { continue }
            let place = listener.place(of: Schema.Listener.service)
            if let first = places.updateValueIfAbsent(place, for: service) {
                log.add(
                    "the service \(service.quoted) has an inbound listener already, on line \(first.line); keep one",
                    at: place)
            }
        }
    }

    // MARK: Across sections

    mutating func refuseSharedNames(_ sections: [CheckedSection], _ key: Key<String>, noun: String) {
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
