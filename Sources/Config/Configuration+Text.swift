// A config as it was understood, written back: what a file would say that leaves nothing to defaults.
//
// From the typed values and not from the file's text, so that it shows what runs. It is JSON with the file's own keys, so
// a config without secrets reads back as itself. Secrets are not in it: keys of gossip are counted and measured,
// and passwords and tokens stand in files, whose paths are shown.

internal import AccessLog
internal import Gossip
internal import GossipWire
internal import HealthChecks
internal import Routing
internal import Stores
internal import TLS
internal import Upstreams
internal import Vocabulary

extension Configuration {
    /// Everything but the secrets, and a line end.
    package var text: String {
        var sections: [(key: String, value: JSONText)] = [("node", node.json)]
        if let membership { sections.append(("membership", membership.json)) }
        sections += [
            ("services", .array(services.map(\.json))),
            ("upstreams", .array(upstreams.map { $0.json(tls.upstreams[$0.name]?.json) })),
            ("listeners", .array(listeners.map { $0.json(tls.listeners[$0.name]) })), ("admin", admin.json),
        ]
        if let accessLog { sections.append(("access_log", accessLog.json)) }
        sections.append(("shutdown", .object([("drain", .string(shutdown.drain.written))])))
        return JSONText.object(sections).written() + "\n"
    }

    /// What upstreams are, in 32 bits that are equal where they are: the first of SHA-256 of the text above, those of it
    /// alone and by their names, so that nodes which have the same to do can be compared.
    ///
    /// Paths of TLS files are left out, as each node may have its own. Defaults are in it like what is written; so between
    /// two releases of which one knows a key more it differs, until all nodes run the same. O(n) in the upstreams'
    /// endpoints, tenths of a second for 100,000: not for a thread that others wait for.
    package var upstreamsChecksum: UInt32 {
        let sorted = upstreams.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        let text = JSONText.array(sorted.map { $0.json(tls.upstreams[$0.name]?.jsonWithoutFiles) }).written()
        return SHA256.hexadecimal(of: Array(text.utf8)).flatMap { UInt32($0.prefix(8), radix: 16) } ?? 0
    }
}

extension NodeOptions {
    fileprivate var json: JSONText {
        .object(
            present: [
                ("name", .string(name)), ("zone", zone.map { .string($0) }), ("tags", .table(tags)),
                ("state_directory", stateDirectory.map { .string($0) }),
            ])
    }
}

extension MembershipOptions {
    fileprivate var json: JSONText {
        let tuning: [(key: String, value: JSONText)] = [
            ("probe_interval", .string(gossip.probeInterval.written)),
            ("probe_timeout", .string(gossip.probeTimeout.written)),
            ("indirect_checks", .integer(gossip.indirectChecks)),
            ("suspicion_multiplier", .integer(gossip.suspicionMultiplier)),
            ("gossip_interval", .string(gossip.gossipInterval.written)),
            ("gossip_nodes", .integer(gossip.gossipNodes)),
            ("push_pull_interval", .string(gossip.pushPullInterval.written)),
        ]
        return .object(
            present: [
                ("bind", .string("\(bind)")), ("advertise", advertise.map { .string("\($0)") }),
                ("join", .array(join.map { .string("\($0)") })),
                ("profile", profile.map { .string($0.rawValue) }),
                ("keys", keys.isEmpty ? nil : .array(keys.map { .string("\($0)") })),
                ("label", label.bytes.isEmpty ? nil : .string(String(decoding: label.bytes, as: UTF8.self))),
                ("reclaim_after", .string(gossip.reclaimAfter.written)), ("tuning", .object(tuning)),
                ("telemetry", .object([("bytes_per_second", .string(telemetryBytesPerSecond.written))])),
                ("roster", roster.map(\.json)),
            ])
    }
}

extension MembershipOptions {
    /// The profile that, so tuned, is these options.
    private var profile: GossipProfile? {
        GossipProfile.allCases.first { profile in
            var options = profile.options
            options.probeInterval = gossip.probeInterval
            options.probeTimeout = gossip.probeTimeout
            options.indirectChecks = gossip.indirectChecks
            options.suspicionMultiplier = gossip.suspicionMultiplier
            options.gossipInterval = gossip.gossipInterval
            options.gossipNodes = gossip.gossipNodes
            options.pushPullInterval = gossip.pushPullInterval
            options.reclaimAfter = gossip.reclaimAfter
            options.seeds = gossip.seeds
            return options == gossip
        }
    }
}

extension RosterOptions {
    fileprivate var json: JSONText {
        switch self {
        case .file(let path): .object([("file", .string(path))])
        case .etcd(let etcd):
            .object([
                (
                    "etcd",
                    .object(
                        present: [
                            ("endpoints", .array(etcd.endpoints.map { .string($0.description) })),
                            ("prefix", .string(etcd.prefix)), ("username", etcd.username.map { .string($0) }),
                            ("password_file", etcd.passwordFile.map { .string($0) }),
                            ("ca", etcd.ca.map { .string($0) }),
                            ("certificate", etcd.certificate.map { .string($0) }),
                            ("key", etcd.key.map { .string($0) }),
                        ])
                )
            ])
        }
    }
}

extension ServiceOptions {
    fileprivate var json: JSONText {
        .object(
            present: [
                ("name", .string(name)), ("address", .string("\(address)")),
                ("advertise", advertise.map { .string("\($0)") }), ("weight", .integer(Int(weight.value))),
                ("health", health.map(\.json)),
            ])
    }
}

extension HealthCheckOptions {
    fileprivate var json: JSONText {
        let how: (key: String, value: JSONText) =
            switch probe {
            case .tcp: ("tcp", .flag(true))
            case .http(let path): ("http", .string(path))
            }
        return .object([
            how, ("interval", .string(interval.written)), ("timeout", .string(timeout.written)),
            ("fall", .integer(fall)), ("rise", .integer(rise)),
        ])
    }
}

extension UpstreamOptions {
    fileprivate func json(_ tls: JSONText?) -> JSONText {
        let whose: (key: String, value: JSONText?) =
            switch source {
            case .fixed(let endpoints): ("endpoints", .array(endpoints.map(\.json)))
            case .service(let name): ("service", .string(name))
            case .members(let tags, let port):
                ("members", .object([("tags", .table(tags)), ("port", .integer(Int(port)))]))
            }
        return .object(
            present: [
                ("name", .string(name)), whose, ("balance", .string(balance.rawValue)),
                ("load", .string(load.rawValue)), ("hash", hash.json), ("zone_aware", .flag(zoneAware)),
                ("connect_timeout", .string(connectTimeout.written)), ("connect_attempts", .integer(connectAttempts)),
                ("max_connections", maxConnections.map { .integer($0) }),
                ("max_outstanding", maxOutstanding.map { .integer($0) }),
                ("max_connection_age", .string(maxConnectionAge.written)),
                ("on_suspect", .string(onSuspect.rawValue)), ("on_dead", .string(onDead.rawValue)),
                ("on_left", .string(onLeft.rawValue)), ("outlier", outlier.json),
                ("slow_start", .string(slowStart.written)),
                ("panic_threshold_percent", .integer(panicThresholdPercent)), ("tls", tls),
            ])
    }
}

extension StaticEndpoint {
    fileprivate var json: JSONText {
        .object(
            present: [
                ("address", .string("\(address)")), ("weight", .integer(Int(weight.value))),
                ("zone", zone.map { .string($0) }),
            ])
    }
}

extension OutlierOptions {
    fileprivate var json: JSONText {
        .object([
            ("consecutive_failures", .integer(consecutiveFailures)), ("failure_percent", .integer(failurePercent)),
            ("interval", .string(interval.written)), ("ejection", .string(ejection.written)),
            ("max_ejected_percent", .integer(maxEjectedPercent)),
        ])
    }
}

extension HashOptions {
    fileprivate var json: JSONText {
        .object([
            ("key", .string(key.written)), ("virtual_nodes", .integer(virtualNodes)),
            ("bounded_load", boundedLoad.map { .number($0) } ?? .integer(0)),
        ])
    }
}

extension HashKey {
    fileprivate var written: String {
        switch self {
        case .sourceIP: "source_ip"
        case .serverName: "sni"
        case .proxyAuthority: "proxy_authority"
        case .header(let name): "header:\(name)"
        case .cookie(let name): "cookie:\(name)"
        case .path: "path"
        }
    }
}

extension CertificateFiles {
    fileprivate var members: [(key: String, value: JSONText?)] {
        [("certificate", .string(certificate)), ("key", key.map { .string($0) })]
    }
}

extension OriginationOptions {
    fileprivate var json: JSONText {
        .object(
            present: [
                ("ca", authorities.map { .string($0) }), ("server_name", serverName.map { .string($0.written) }),
            ] + (certificate?.members ?? []))
    }

    fileprivate var jsonWithoutFiles: JSONText {
        .object(present: [("server_name", serverName.map { .string($0.written) })])
    }
}

extension ServerName {
    fileprivate var written: String {
        switch self {
        case .host(let name): name
        case .ipv4(let address): "\(address)"
        case .ipv6(let address): "\(address)"
        }
    }
}

extension TerminationOptions {
    fileprivate var json: JSONText {
        .object(
            present: [
                ("certificates", .array(certificates.map { .object(present: $0.members) })),
                ("client_ca", clientAuthorities.map { .string($0) }),
                ("client_auth", clientAuthorities == nil ? nil : .string(clientRule.rawValue)),
                ("allow_san", allowedNames.isEmpty ? nil : .array(allowedNames.map { .string($0.description) })),
                ("alpn", applicationProtocols.isEmpty ? nil : .array(applicationProtocols.map { .string($0) })),
                ("min_version", .string(minimumVersion.rawValue)),
            ])
    }
}

extension ListenerOptions {
    fileprivate func json(_ tls: TerminationOptions?) -> JSONText {
        let whither: (key: String, value: JSONText?) =
            switch target {
            case .upstream(let name): ("upstream", .string(name))
            case .service(let name): ("service", .string(name))
            }
        return .object(
            present: [
                ("name", .string(name)), ("bind", .string("\(bind)")), ("protocol", .string("tcp")), whither,
                ("accept_proxy_protocol", .flag(acceptProxyProtocol)),
                ("send_proxy_protocol", .string(sendProxyProtocol?.rawValue ?? "none")),
                ("idle_timeout", .string(idleTimeout.written)),
                ("max_connections", maxConnections.map { .integer($0) }),
                ("sni", serverNames.isEmpty ? nil : .array(serverNames.map(\.json))), ("tls", tls.map(\.json)),
            ])
    }
}

extension ServerNameRoute {
    fileprivate var json: JSONText { .object([("match", .string("\(match)")), ("upstream", .string(upstream))]) }
}

extension AdminOptions {
    fileprivate var json: JSONText {
        .object(present: [("bind", .string("\(bind)")), ("token_file", tokenFile.map { .string($0) })])
    }
}

extension AccessLogOptions {
    fileprivate var json: JSONText {
        .object([("path", .string(path)), ("format", .string(format.rawValue)), ("sample", .number(sample))])
    }
}

extension JSONText {
    /// Without what is nil: a default that is nothing.
    fileprivate static func object(present members: [(key: String, value: JSONText?)]) -> JSONText {
        .object(members.compactMap { member in member.value.map { (member.key, $0) } })
    }

    fileprivate static func table(_ texts: [String: String]) -> JSONText {
        .object(texts.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
    }
}
