// What a right file becomes.

import HealthChecks
import Testing

@testable import Config
@testable import Routing
@testable import TLS
@testable import Upstreams
@testable import Vocabulary

@Suite("Good files")
struct GoodFileTests {
    static let minimal = """
        upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
        listeners: [{name: in, bind: 127.0.0.1:0, upstream: web}]
        """

    static let full = """
        node:
          name: edge-017
          zone: pacific
          tags: {rack: r7, "slot": "12", note: 'a b: ü', empty: ""}
          state_directory: /var/lib/remora
        upstreams:
          - name: web
            endpoints:
              - 10.0.0.1:9000
              - {address: "10.0.0.2:9000", weight: 50, zone: atlantic}
              - address: "[fd00::3]:9000"
              - unix:/run/web.sock
            balance: least_request
            load: local
            hash: {key: "header:X-User", virtual_nodes: 40, bounded_load: 1.25}
            zone_aware: false
            max_connection_age: 30m
            connect_timeout: 250ms
            connect_attempts: 1
            max_connections: 10000
            max_outstanding: 1000
            on_suspect: drain
            on_dead: keep
            on_left: reset
            outlier: {consecutive_failures: 7, failure_percent: 20, interval: 10s, ejection: 2m, max_ejected_percent: 0}
            slow_start: 5s
            panic_threshold_percent: 0
          - {name: api, endpoints: ["[::1]:1"], balance: random}
        listeners:
          - name: web-out
            bind: 127.0.0.1:15001
            protocol: tcp
            upstream: web
            sni: [{match: "*.Api.edge", upstream: api}, {match: web.edge, upstream: web}]
            accept_proxy_protocol: true
            send_proxy_protocol: v2
            idle_timeout: 2m
            max_connections: 20000
          - {name: api-out, bind: "unix:/run/api", upstream: api, send_proxy_protocol: none}
          - {name: ingest-in, bind: "0.0.0.0:15000", service: ingest}
        services:
          - {name: ingest, address: "unix:/run/ingest", advertise: 10.0.0.17:15000, weight: 10,
             health: {http: /healthz, interval: 1s, timeout: 1s, fall: 1, rise: 4}}
          - {name: dns, address: 127.0.0.1:53, health: {tcp: true}}
        admin: {bind: "0.0.0.0:9901", token_file: /etc/remora/admin.token}
        shutdown: {drain: 0s}
        """

    static let fullAsJSON = """
        {"node": {"name": "edge-017", "zone": "pacific", "state_directory": "/var/lib/remora",
          "tags": {"rack": "r7", "slot": "12", "note": "a b: \\u00fc", "empty": ""}},
        \t"upstreams": [{"name": "web", "endpoints": ["10.0.0.1:9000",
            {"address": "10.0.0.2:9000", "weight": 50, "zone": "atlantic"}, {"address": "[fd00::3]:9000"},
            "unix:/run/web.sock"], "balance": "least_request", "load": "local",
            "hash": {"key": "header:X-User", "virtual_nodes": 40, "bounded_load": 1.250},
            "zone_aware": false, "max_connection_age": "30m", "connect_timeout": "250ms",
            "connect_attempts": 1, "max_connections": 10000, "max_outstanding": 1000, "on_suspect": "drain",
            "on_dead": "keep", "on_left": "reset", "outlier": {"consecutive_failures": 7, "failure_percent": 20,
            "interval": "10s", "ejection": "2m", "max_ejected_percent": 0}, "slow_start": "5s",
            "panic_threshold_percent": 0},
          {"name": "api", "endpoints": ["[::1]:1"], "balance": "random"}],
         "listeners": [{"name": "web-out", "bind": "127.0.0.1:15001", "protocol": "tcp", "upstream": "web",
            "sni": [{"match": "*.Api.edge", "upstream": "api"}, {"match": "web.edge", "upstream": "web"}],
           
            "accept_proxy_protocol": true, "send_proxy_protocol": "v2", "idle_timeout": "2m",
            "max_connections": 20000},
          {"name": "api-out", "bind": "unix:/run/api", "upstream": "api", "send_proxy_protocol": "none"},
          {"name": "ingest-in", "bind": "0.0.0.0:15000", "service": "ingest"}],
         "services": [{"name": "ingest", "address": "unix:/run/ingest", "advertise": "10.0.0.17:15000", "weight": 10,
            "health": {"http": "/healthz", "interval": "1s", "timeout": "1s", "fall": 1, "rise": 4}},
          {"name": "dns", "address": "127.0.0.1:53", "health": {"tcp": true}}],
         "admin": {"bind": "0.0.0.0:9901", "token_file": "/etc/remora/admin.token"}, "shutdown": {"drain": "0s"}}
        """

    static func ipv4(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32, port: UInt16) -> SocketAddress {
        .ipv4(.init(bits: a << 24 | b << 16 | c << 8 | d), port: port)
    }

    private func parse(_ text: String) throws(ConfigFaults) -> Configuration {
        try ConfigFile.parse(text, file: "edge.yaml", hostName: "host")
    }

    @Test("What a file leaves out has the defaults of the contract, which are those of the options' own types")
    func defaults() throws {
        let configuration = try parse(GoodFileTests.minimal)
        #expect(
            configuration
                == Configuration(
                    node: NodeOptions(name: "host", zone: nil, tags: [:], stateDirectory: nil), membership: nil,
                    services: [],
                    upstreams: [
                        UpstreamOptions(
                            name: "web", endpoints: [StaticEndpoint(address: GoodFileTests.ipv4(10, 0, 0, 1, port: 80))]
                        )
                    ],
                    listeners: [ListenerOptions(name: "in", bind: .ipv4(.loopback, port: 0), upstream: "web")],
                    tls: TLSOptions(), admin: AdminOptions(bind: .ipv4(.loopback, port: 9901), tokenFile: nil),
                    accessLog: nil, shutdown: ShutdownOptions(drain: .seconds(30))))
        let upstream = configuration.upstreams[0]
        #expect(upstream.balance == .p2c && upstream.load == .fleet && upstream.connectAttempts == 3)
        #expect(upstream.connectTimeout == .seconds(1) && upstream.endpoints[0].weight == Weight(100))
        #expect(upstream.outlier == OutlierOptions() && upstream.slowStart == .zero)
        #expect(upstream.onSuspect == .keep && upstream.onDead == .reset && upstream.onLeft == .drain)
        #expect(upstream.panicThresholdPercent == 30)
        #expect(upstream.hash == HashOptions() && upstream.zoneAware && upstream.maxConnectionAge == .zero)
        #expect(upstream.maxConnections == nil && upstream.maxOutstanding == nil)
        let listener = configuration.listeners[0]
        #expect(!listener.acceptProxyProtocol && listener.sendProxyProtocol == nil)
        #expect(listener.idleTimeout == .seconds(3_600) && listener.maxConnections == nil)
    }

    @Test("Every key arrives in its option, from YAML and from JSON", arguments: [full, fullAsJSON])
    func everyKey(text: String) throws {
        let configuration = try parse(text)
        #expect(
            configuration.node
                == NodeOptions(
                    name: "edge-017", zone: "pacific",
                    tags: ["rack": "r7", "slot": "12", "note": "a b: ü", "empty": ""],
                    stateDirectory: "/var/lib/remora"))
        var web = UpstreamOptions(
            name: "web",
            endpoints: [
                StaticEndpoint(address: GoodFileTests.ipv4(10, 0, 0, 1, port: 9_000)),
                StaticEndpoint(
                    address: GoodFileTests.ipv4(10, 0, 0, 2, port: 9_000), weight: Weight(50), zone: "atlantic"),
                StaticEndpoint(address: .ipv6(.init(high: 0xFD00 << 48, low: 3), port: 9_000)),
                StaticEndpoint(address: .unix(path: "/run/web.sock")),
            ],
            balance: .leastRequest, load: .local, connectTimeout: .milliseconds(250), connectAttempts: 1,
            maxConnections: 10_000, maxOutstanding: 1_000)
        (web.onSuspect, web.onDead, web.onLeft) = (.drain, .keep, .reset)
        web.outlier.consecutiveFailures = 7
        web.outlier.failurePercent = 20
        web.outlier.interval = .seconds(10)
        web.outlier.ejection = .seconds(120)
        web.outlier.maxEjectedPercent = 0
        web.slowStart = .seconds(5)
        web.hash.key = .header("x-user")
        web.hash.virtualNodes = 40
        web.hash.boundedLoad = 1.25
        web.zoneAware = false
        web.maxConnectionAge = .seconds(1_800)
        web.panicThresholdPercent = 0
        #expect(
            configuration.upstreams == [
                web,
                UpstreamOptions(
                    name: "api", endpoints: [StaticEndpoint(address: .ipv6(.loopback, port: 1))], balance: .random),
            ])
        var webOut = ListenerOptions(
            name: "web-out", bind: .ipv4(.loopback, port: 15_001), upstream: "web", acceptProxyProtocol: true,
            sendProxyProtocol: .v2, idleTimeout: .seconds(120), maxConnections: 20_000)
        webOut.serverNames = [
            ServerNameRoute(match: try #require(ServerNamePattern("*.api.edge")), upstream: "api"),
            ServerNameRoute(match: try #require(ServerNamePattern("web.edge")), upstream: "web"),
        ]
        #expect(
            configuration.listeners == [
                webOut,
                ListenerOptions(name: "api-out", bind: .unix(path: "/run/api"), upstream: "api"),
                ListenerOptions(
                    name: "ingest-in", bind: GoodFileTests.ipv4(0, 0, 0, 0, port: 15_000), target: .service("ingest")),
            ])
        #expect(
            configuration.services == [
                ServiceOptions(
                    name: "ingest", address: .unix(path: "/run/ingest"),
                    advertise: GoodFileTests.ipv4(10, 0, 0, 17, port: 15_000), weight: Weight(10),
                    health: HealthCheckOptions(
                        probe: .http(path: "/healthz"), interval: .seconds(1), timeout: .seconds(1), fall: 1, rise: 4)),
                ServiceOptions(
                    name: "dns", address: .ipv4(.loopback, port: 53), health: HealthCheckOptions(probe: .tcp)),
            ])
        #expect(
            configuration.admin
                == AdminOptions(bind: GoodFileTests.ipv4(0, 0, 0, 0, port: 9_901), tokenFile: "/etc/remora/admin.token")
        )
        #expect(configuration.shutdown == ShutdownOptions(drain: .zero))
    }

    @Test(
        "Each policy and each PROXY version is known by its contract name",
        arguments: zip(
            ["p2c", "least_request", "round_robin", "random", "ring_hash", "maglev"], BalancePolicy.allCases))
    func policies(word: String, policy: BalancePolicy) throws {
        let text = """
            upstreams: [{name: web, endpoints: [10.0.0.1:80], balance: \(word)}]
            listeners: [{name: in, bind: 127.0.0.1:0, upstream: web, send_proxy_protocol: v1}]
            """
        let configuration = try parse(text)
        #expect(configuration.upstreams[0].balance == policy)
        #expect(configuration.listeners[0].sendProxyProtocol == .v1)
    }

    @Test(
        "The admin section may be its address alone",
        arguments: [
            ("127.0.0.1:7", SocketAddress.ipv4(.loopback, port: 7)), ("\"[::1]:0\"", .ipv6(.loopback, port: 0)),
            ("unix:/run/admin", .unix(path: "/run/admin")),
        ])
    func adminShorthand(text: String, address: SocketAddress) throws {
        let configuration = try parse(GoodFileTests.minimal + "\nadmin: \(text)\n")
        #expect(configuration.admin == AdminOptions(bind: address, tokenFile: nil))
    }

    @Test("Endpoints come from a service or from members that bear tags, where there is a fleet")
    func sources() throws {
        let configuration = try parse(
            """
            membership: {bind: 127.0.0.1:7946}
            upstreams:
            - {name: a, service: telemetry-ingest}
            - {name: b, members: {tags: {role: web, rack: "7"}, port: 8080}}
            - {name: c, members: {port: 65535}}
            listeners: [{name: in, bind: 127.0.0.1:0, upstream: a}]
            """)
        #expect(
            configuration.upstreams.map(\.source) == [
                .service("telemetry-ingest"), .members(tags: ["role": "web", "rack": "7"], port: 8_080),
                .members(tags: [:], port: 65_535),
            ])
    }

    @Test("Sections may be empty, and listeners may share port 0")
    func emptySections() throws {
        let configuration = try parse(
            """
            node: {}
            admin: {}
            shutdown: {}
            upstreams: [{name: web, endpoints: [10.0.0.1:80]}]
            listeners:
              - {name: a, bind: 127.0.0.1:0, upstream: web}
              - {name: b, bind: 127.0.0.1:0, upstream: web}
            """)
        #expect(configuration.listeners.map(\.name) == ["a", "b"])
        #expect(configuration.shutdown.drain == .seconds(30))
    }

    @Test("An alias stands for what its anchor holds, the latest one of that name")
    func aliases() throws {
        let configuration = try parse(
            """
            upstreams:
              - {name: a, endpoints: &hosts [10.0.0.1:80, &one 10.0.0.2:80], connect_timeout: &t 2s}
              - {name: b, endpoints: *hosts, connect_timeout: *t}
              - {name: c, endpoints: [*one], connect_timeout: &t 3s}
              - {name: &name d, endpoints: [*one], connect_timeout: *t}
            listeners: [{name: in, bind: 127.0.0.1:0, upstream: *name}]
            node: {tags: {a: 'x * y *z', b: "*t"}}
            """)
        #expect(configuration.upstreams[0].endpoints == configuration.upstreams[1].endpoints)
        #expect(configuration.upstreams.map(\.connectTimeout) == [2, 2, 3, 3].map { .seconds($0) })
        #expect(configuration.upstreams[2].endpoints == [configuration.upstreams[0].endpoints[1]])
        #expect(configuration.listeners[0].upstream == "d")
        // A star that is no alias stays a star.
        #expect(configuration.node.tags == ["a": "x * y *z", "b": "*t"])
    }

    @Test(
        "A byte order mark, a comment, a directive, block scalars and the tag !!str change nothing",
        arguments: [
            "\u{FEFF}" + minimal, "# a * comment\n" + minimal, "%YAML 1.2\n---\n" + minimal + "\n...\n",
            minimal.replacing("name: web", with: "\"name\": !!str web").replacing(
                "upstream: web", with: "upstream: 'web'"),
            """
            upstreams:
            - name: |-
                web
              endpoints:
              - >-
                10.0.0.1:80
            listeners: [{name: in, bind: 127.0.0.1:0, upstream: web}]
            """,
        ])
    func spellings(text: String) throws {
        #expect(try parse(text) == parse(GoodFileTests.minimal))
    }

    @Test("Bounds of ranges are within them")
    func bounds() throws {
        let name = String(repeating: "n", count: 64)
        let configuration = try parse(
            """
            node: {name: \(name), tags: {a: "\(String(repeating: "ü", count: 255))"}}
            upstreams:
            - {name: a, endpoints: [{address: 10.0.0.1:1, weight: 1}], connect_timeout: 1ms, connect_attempts: 8}
            - {name: b, endpoints: [{address: 10.0.0.1:65535, weight: 10000}], connect_timeout: 5m, max_connections: 1}
            listeners:
            - {name: a, bind: 127.0.0.1:1, upstream: a, idle_timeout: 1s, max_connections: 1}
            - {name: b, bind: 127.0.0.1:2, upstream: b, idle_timeout: 168h, max_connections: 1000000000}
            shutdown: {drain: 24h}
            """)
        #expect(configuration.node.name == name)
        #expect(configuration.upstreams.map(\.connectTimeout) == [.milliseconds(1), .seconds(300)])
        #expect(configuration.listeners.map(\.idleTimeout) == [.seconds(1), .seconds(604_800)])
    }

    @Test("The documented example is right, and says the defaults it says it says")
    func example() throws {
        let configuration = try shipped("example.yaml")
        #expect(configuration.upstreams.map(\.name) == ["web", "ingest", "agents", "cache"])
        let membership = try #require(configuration.membership)
        #expect(membership.telemetryBytesPerSecond == .kibibytes(2))
        let telemetry = ServiceOptions(
            name: "telemetry-ingest", address: .ipv4(.loopback, port: 9_000),
            advertise: GoodFileTests.ipv4(10, 0, 0, 17, port: 15_000),
            health: HealthCheckOptions(probe: .http(path: "/healthz")))
        #expect(configuration.services.first == telemetry)
        var gossip = membership.gossip
        gossip.seeds = []
        #expect(gossip == .lan && membership.advertise?.socketAddress == membership.bind)
        let web = configuration.upstreams[0]
        let plain = UpstreamOptions(
            name: "web", endpoints: web.endpoints, maxConnections: 10_000, maxOutstanding: 1_000)
        #expect(web == plain)
        #expect(
            configuration.listeners[0]
                == ListenerOptions(
                    name: "web-out", bind: .ipv4(.loopback, port: 15_001), upstream: "web", maxConnections: 20_000))
        #expect(configuration.admin == AdminOptions(bind: .ipv4(.loopback, port: 9_901), tokenFile: nil))
        #expect(configuration.shutdown == ShutdownOptions(drain: .seconds(30)))
        // What the service says is what it would say by default.
        let advertised = configuration.advertised(boundTo: [:])
        #expect(advertised.map(\.port) == [15_000, 53] && advertised.map(\.hasListener) == [true, false])
    }

    private func shipped(_ name: String) throws -> Configuration {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return try ConfigFile.load(path: "/\(root)/configs/\(name)", hostName: "host")
    }

    @Test("A sidecar of a fleet takes a page: one service, one listener before it, one to others")
    func fleet() throws {
        let configuration = try shipped("fleet.yaml")
        #expect(configuration.membership?.join.isEmpty == false)
        #expect(configuration.services.map(\.name) == ["telemetry-ingest"])
        #expect(
            configuration.listeners.map(\.target) == [.service("telemetry-ingest"), .upstream("telemetry-ingest")])
        #expect(configuration.upstreams.map(\.source) == [.service("telemetry-ingest")])
    }

    @Test(
        "What connections are known by is read from one word",
        arguments: [
            ("source_ip", HashKey.sourceIP), ("sni", .serverName), ("path", .path),
            ("header:X-Tenant_Id", .header("x-tenant_id")), ("cookie:SID", .cookie("SID")),
        ])
    func hashKeys(text: String, key: HashKey) throws {
        for policy in ["ring_hash", "maglev"] {
            let configuration = try parse(
                GoodFileTests.minimal.replacing(
                    "80]}", with: "80], balance: \(policy), hash: {key: \(text), bounded_load: 1}}"))
            #expect(configuration.upstreams[0].neededKey == key)
            #expect(configuration.upstreams[0].hash.boundedLoad == 1)
        }
    }

    @Test("The host of a PROXY header is a key where every listener of the upstream takes such headers")
    func authorityKey() throws {
        let text = GoodFileTests.minimal.replacing("80]}", with: "80], balance: maglev, hash: {key: proxy_authority}}")
        #expect(throws: ConfigFaults.self) { try parse(text) }
        let configuration = try parse(
            text.replacing("upstream: web}", with: "upstream: web, accept_proxy_protocol: true}"))
        #expect(configuration.upstreams[0].neededKey == .proxyAuthority)
    }
}
