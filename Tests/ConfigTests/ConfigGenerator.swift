// Random configs as JSON: right ones, and right ones with one thing changed.

/// Draws configs that are right.
struct ConfigGenerator {
    var random: TestRandom
    /// What its outbound listeners do with their clients' TLS, and so which keys its upstreams can have.
    private enum ClientTLS {
        case unseen
        /// Routes by server name.
        case passesThrough
        case ends
    }
    private var clientTLS = ClientTLS.unseen

    init(seed: UInt64) { random = TestRandom(seed: seed) }

    mutating func config() -> JSONDocument {
        let upstreams = 1 + random.below(3)
        let services = random.below(3)
        // The first of the services have inbound listeners.
        let inbound = random.below(services + 1)
        let hasFleet = random.chance(50)
        clientTLS = random.pick([.unseen, .passesThrough, .ends])
        var listeners = (0..<inbound).map { listener($0, to: ("service", "s\($0)")) }
        for number in inbound...inbound + random.below(3) {
            listeners.append(listener(number, to: ("upstream", "u\(random.below(upstreams))")))
        }
        var members: [JSONDocument.Member] = [
            .init(key: "upstreams", value: .list((0..<upstreams).map { upstream($0, hasFleet: hasFleet) })),
            .init(key: "listeners", value: .list(listeners)),
        ]
        if services > 0 {
            members.append(
                .init(key: "services", value: .list((0..<services).map { service($0, isInbound: $0 < inbound) })))
        }
        if random.chance(50) { members.append(.init(key: "node", value: node())) }
        if hasFleet { members.append(.init(key: "membership", value: membership(isLocal: inbound > 0))) }
        if random.chance(50) { members.append(.init(key: "admin", value: admin())) }
        if random.chance(50) {
            members.append(.init(key: "shutdown", value: some([("drain", duration(below: 86_400))])))
        }
        return .mapping(members)
    }

    /// Each of the members with even chance.
    private mutating func some(_ members: [(String, JSONDocument)]) -> JSONDocument {
        .mapping(members.filter { _ in random.chance(50) }.map { .init(key: $0.0, value: $0.1) })
    }

    private mutating func with(_ required: [(String, JSONDocument)], _ optional: [(String, JSONDocument)])
        -> JSONDocument
    {
        guard case .mapping(let more) = some(optional) else { return .null }
        return .mapping(required.map { .init(key: $0.0, value: $0.1) } + more)
    }

    /// - Parameter below: in seconds.
    private mutating func duration(below: Int) -> JSONDocument {
        switch random.below(3) {
        case 0: .text("\(1_000 + random.below(below * 1_000 - 1_000))ms")
        case 1: .text("\(1 + random.below(below - 1))s")
        default: .text("\(1 + random.below(below / 60))m")
        }
    }

    private mutating func node() -> JSONDocument {
        let tags = (0..<random.below(3)).map { JSONDocument.Member(key: "t.\($0)", value: .text(random.word())) }
        return some([
            ("name", .text("n\(random.below(1_000))")), ("zone", .text("z-\(random.below(10))")),
            ("tags", .mapping(tags)), ("state_directory", .text("/var/lib/\(random.word())")),
        ])
    }

    private mutating func service(_ number: Int, isInbound: Bool) -> JSONDocument {
        let addresses = ["127.0.0.1:\(9_000 + number)", "[::1]:\(9_000 + number)"]
        let probe: (String, JSONDocument) =
            random.chance(50) ? ("http", .text("/healthz?n=\(number)")) : ("tcp", .flag(true))
        // An interval beyond every time-out, the default among them.
        let health = with(
            [probe],
            [
                ("interval", .text("\(2 + random.below(60))s")), ("timeout", .text("\(10 + random.below(1_990))ms")),
                ("fall", .integer(1 + random.below(100))), ("rise", .integer(1 + random.below(100))),
            ])
        return with(
            [
                ("name", .text("s\(number)")),
                ("address", .text(random.pick(isInbound ? addresses + ["unix:/run/s\(number)"] : addresses))),
            ],
            [
                ("advertise", .text("10.0.0.17:\(9_000 + number)")), ("weight", .integer(1 + random.below(10_000))),
                ("health", health),
            ])
    }

    private mutating func roster() -> JSONDocument {
        guard random.chance(70) else { return .mapping([.init(key: "file", value: .text("/etc/roster.yaml"))]) }
        var members: [(String, JSONDocument)] = [
            ("endpoints", .list((0...random.below(3)).map { .text("https://etcd-\($0):2379") }))
        ]
        if random.chance(50) { members += [("username", .text("remora")), ("password_file", .text("/run/password"))] }
        if random.chance(50) { members += [("certificate", .text("/c.pem")), ("key", .text("/k.pem"))] }
        return .mapping([
            .init(
                key: "etcd",
                value: with(members, [("prefix", .text("/\(random.word())/")), ("ca", .text("/etc/ca.pem"))]))
        ])
    }

    /// - Parameter isLocal: at an address that only this machine reaches, as listeners may be.
    private mutating func membership(isLocal: Bool) -> JSONDocument {
        let keys = [
            "AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        ]
        // A time-out that is within every profile's interval, and an interval beyond every profile's time-out.
        let tuning = some([
            ("probe_interval", .text("\(3 + random.below(57))s")),
            ("probe_timeout", .text("\(10 + random.below(900))ms")),
            ("indirect_checks", .integer(random.below(17))), ("suspicion_multiplier", .integer(1 + random.below(32))),
            ("gossip_interval", duration(below: 60)), ("gossip_nodes", .integer(1 + random.below(16))),
            ("push_pull_interval", duration(below: 3_600)),
        ])
        let seeds = (0..<random.below(3)).map { JSONDocument.text("10.0.0.\($0):7946") }
        let budgets = ["0B", "\(1_024 + random.below(9_000))B", "\(1 + random.below(1_000))KiB"]
        return with(
            [("bind", .text(isLocal ? "127.0.0.9:0" : random.pick(["10.0.0.17:7946", "127.0.0.9:0"])))],
            (isLocal ? [] : [("advertise", .text("192.0.2.\(random.below(256)):7946"))]) + [
                ("join", .list(seeds)), ("roster", roster()),
                ("telemetry", some([("bytes_per_second", .text(random.pick(budgets)))])),
                ("profile", .text(random.pick(["lan", "wan", "local"]))),
                ("keys", .list((0...random.below(3)).map { _ in .text(random.pick(keys)) })),
                ("label", .text("edge \(random.word())")), ("reclaim_after", duration(below: 86_400)),
                ("tuning", tuning),
            ])
    }

    private mutating func admin() -> JSONDocument {
        let bind = JSONDocument.text(random.pick(["127.0.0.1:9901", "[::1]:1", "unix:/run/admin", "127.1.2.3:0"]))
        if random.chance(30) { return bind }
        return some([("bind", bind), ("token_file", .text("/etc/token"))])
    }

    /// - Parameter number: tells the addresses of one upstream apart.
    private mutating func endpoint(_ number: Int) -> JSONDocument {
        let address: String
        switch random.below(3) {
        case 0: address = "10.\(random.below(256)).255.\(number):\(1 + random.below(65_535))"
        case 1: address = "[fd00::\(number)]:0\(1 + random.below(65_535))"
        default: address = "unix:/run/\(number):0"
        }
        if random.chance(50) { return .text(address) }
        return with(
            [("address", .text(address))],
            [("weight", .integer(1 + random.below(10_000))), ("zone", .text("z"))])
    }

    /// - Parameter hasFleet: whether its endpoints may come from there.
    private mutating func upstream(_ number: Int, hasFleet: Bool) -> JSONDocument {
        let source: (String, JSONDocument) =
            switch hasFleet ? random.below(3) : 0 {
            case 0: ("endpoints", .list((0...random.below(3)).map { endpoint($0) }))
            case 1: ("service", .text("s\(random.below(9))"))
            default:
                (
                    "members",
                    with(
                        [("port", .integer(1 + random.below(65_535)))],
                        [("tags", .mapping([.init(key: "role", value: .text("web"))]))])
                )
            }
        let outlier = some([
            ("consecutive_failures", .integer(1 + random.below(100))),
            ("failure_percent", .integer(1 + random.below(100))), ("interval", .text("\(1 + random.below(60))m")),
            ("ejection", .text("\(1 + random.below(60))s")), ("max_ejected_percent", .integer(random.below(101))),
        ])
        let keys: [String] =
            switch clientTLS {
            case .unseen: ["source_ip", "sni", "path", "header:X-User", "cookie:id"]
            case .passesThrough: ["source_ip", "sni"]
            case .ends: ["source_ip"]
            }
        let hash = some([
            ("key", .text(random.pick(keys))), ("virtual_nodes", .integer(1 + random.below(10_000))),
            ("bounded_load", random.pick([.integer(0), .integer(100), .fraction(1.25)])),
        ])
        let fates = ["keep", "drain", "reset"]
        return with(
            [("name", .text("u\(number)")), source],
            [
                ("on_suspect", .text(random.pick(fates))), ("on_dead", .text(random.pick(fates))),
                ("on_left", .text(random.pick(fates))), ("outlier", outlier),
                ("slow_start", .text("\(random.below(61))m")),
                ("panic_threshold_percent", .integer(random.below(101))),
                (
                    "balance",
                    .text(random.pick(["p2c", "least_request", "round_robin", "random", "ring_hash", "maglev"]))
                ),
                ("hash", hash), ("zone_aware", .flag(random.chance(50))),
                ("max_connection_age", .text("\(random.below(100))h")),
                ("load", .text(random.pick(["fleet", "local"]))),
                ("connect_timeout", duration(below: 300)),
                ("connect_attempts", .integer(1 + random.below(8))),
                ("max_connections", .integer(1 + random.below(1_000_000))),
                ("max_outstanding", .integer(1_000_000_000)), ("tls", origination()),
            ])
    }

    /// With a name, which endpoints that are paths do not have.
    private mutating func origination() -> JSONDocument {
        let shown = random.chance(50) ? [("certificate", JSONDocument.text("/c.pem")), ("key", .text("/k.pem"))] : []
        return with(
            [("server_name", .text(random.pick(["web.edge", "10.0.0.1", "::1"])))] + shown, [("ca", .text("/ca.pem"))])
    }

    private mutating func termination() -> JSONDocument {
        var members: [(String, JSONDocument)]
        if random.chance(50) {
            members = [("certificate", .text("/c.pem")), ("key", .text("/k.pem"))]
        } else {
            let pairs = (0...random.below(3)).map { number in
                with([("certificate", .text("/\(number).pem"))], [("key", .text("/k.pem"))])
            }
            members = [("certificates", .list(pairs))]
        }
        if random.chance(50) {
            let patterns = ["*.edge", "spiffe://edge/*", "*@edge.example", "10.0.0.*", "fd00::1"]
            members += [
                ("client_ca", .text("/ca.pem")), ("client_auth", .text(random.pick(["required", "optional"]))),
                ("allow_san", .list((0...random.below(3)).map { _ in .text(random.pick(patterns)) })),
            ]
        }
        return with(
            members,
            [("alpn", .list([.text("h2"), .text("http/1.1")])), ("min_version", .text(random.pick(["1.2", "1.3"])))])
    }

    private mutating func listener(_ number: Int, to target: (key: String, name: String)) -> JSONDocument {
        let routes = (0...random.below(2)).map { place in
            JSONDocument.mapping([
                .init(key: "match", value: .text(random.pick(["*.", ""]) + "h\(place).edge")),
                .init(key: "upstream", value: .text("u0")),
            ])
        }
        let sni = clientTLS == .passesThrough && target.key == "upstream" ? [("sni", JSONDocument.list(routes))] : []
        return with(
            [
                ("name", .text("l\(number)")),
                (
                    "bind",
                    .text(
                        random.pick(
                            ["127.0.0.1:0", "[::]:0", "0.0.0.0:800\(number)"]
                                // Of a service, nobody else would reach it there.
                                + (target.key == "service" ? [] : ["unix:/run/l\(number)"])))
                ),
                (target.key, .text(target.name)),
            ] + sni,
            [
                ("protocol", .text("tcp")), ("accept_proxy_protocol", .flag(random.chance(50))),
                ("send_proxy_protocol", .text(random.pick(["none", "v1", "v2"]))),
                ("idle_timeout", duration(below: 604_800)), ("max_connections", .integer(1 + random.below(100_000))),
            ] + (clientTLS == .ends ? [("tls", termination())] : []))
    }
}

// MARK: - One thing changed

extension ConfigGenerator {
    /// What takes the place of a value: each right for some keys and wrong for others.
    private static let replacements: [JSONDocument] = [
        .null, .flag(true), .flag(false), .integer(0), .integer(-1), .integer(1), .integer(9), .integer(10_001),
        .integer(1_000_000_001), .fraction(1.5), .text(""), .text("?"), .text("30"), .text("true"), .text("30sec"),
        .text("10.0.0.256:1"), .text("10.0.0.1"), .text("10.0.0.1:65536"), .text("127.0.0.1:0"), .text("10.0.0.1:"),
        .text("01.0.0.1:1"),
        .text("[::1]"), .text("[g::]:1"), .text("::1:1"), .text("localhost:1"), .text("unix:run"), .text("ring_hash"),
        .text("http"), .text("V1"), .text(String(repeating: "x", count: 65)), .list([]), .mapping([]),
        .list([.null]), .mapping([.init(key: "a", value: .integer(1))]),
    ]

    private static let keys = [
        "nmae", "", "services", "telemetry", "roster", "label", "keys", "access_log", "leases", "service", "members",
        "hash", "tls", "sni",
        "fence", "certificate", "certificates", "key", "client_ca", "client_auth", "allow_san", "alpn", "ca",
        "outlier", "health", "on_dead", "etcd", "file", "weight", "name", "bind", "address", "drain", "zone", "balance",
        "protocol",
    ]

    /// `document` with one value replaced, one key added, or one key left out.
    ///
    /// Never so that each value is right and the whole is wrong (a listener without its upstream, say), which no
    /// JSON Schema could see.
    mutating func changed(_ document: JSONDocument) -> JSONDocument {
        var places = 0
        count(document, &places)
        var target = random.below(places)
        return change(document, at: &target, key: "")
    }

    private func count(_ document: JSONDocument, _ places: inout Int) {
        places += 1
        switch document {
        case .list(let items): for item in items { count(item, &places) }
        case .mapping(let members): for member in members { count(member.value, &places) }
        case .null, .flag, .integer, .fraction, .text: break
        }
    }

    private mutating func change(_ document: JSONDocument, at target: inout Int, key: String) -> JSONDocument {
        if target == 0 {
            target = -1
            return changedItself(document, key: key)
        }
        target -= 1
        switch document {
        case .list(var items):
            for index in items.indices where target >= 0 {
                items[index] = change(items[index], at: &target, key: "")
            }
            return .list(items)
        case .mapping(var members):
            for index in members.indices where target >= 0 {
                members[index].value = change(members[index].value, at: &target, key: members[index].key)
            }
            return .mapping(members)
        case .null, .flag, .integer, .fraction, .text:
            return document
        }
    }

    private mutating func changedItself(_ document: JSONDocument, key: String) -> JSONDocument {
        if case .mapping(var members) = document, random.chance(70) {
            // What others name, or need.
            let removable = members.indices.filter {
                !["upstreams", "services", "membership", "server_name"].contains(members[$0].key)
            }
            if random.chance(40), !removable.isEmpty {
                members.remove(at: random.pick(removable))
            } else {
                let key = random.pick(ConfigGenerator.keys)
                let value = key == "tls" ? .null : random.pick(ConfigGenerator.replacements)
                if !members.contains(where: { $0.key == key }) { members.append(.init(key: key, value: value)) }
            }
            return .mapping(members)
        }
        let replacement = random.pick(ConfigGenerator.replacements)
        switch (key, replacement) {
        case ("upstreams", .list([])), ("services", .list([])), ("tls", .mapping([])): return .null
        case ("server_name", .text): return .text("")
        case ("name", .text), ("upstream", .text), ("service", .text): return .text("?")
        default: return replacement
        }
    }
}
