// The schema of a remora config: every key there is, with its shape, its default and one line of help.
//
// To add a key: move it here from `later`, and read it in `Assembly`. The check, the suggestions and the JSON
// Schema follow by themselves. Names and defaults are CONTRACT.md's; the ranges are chosen here.

internal import AccessLog
internal import GossipWire
internal import Routing
internal import Upstreams
internal import Vocabulary

enum RemoraSchema {
    static let node = Key.section("node", Node.section, "The machine this remora stands on.")
    static let membership = Key.section(
        "membership", Membership.section, or: .none, "The fleet that this node is a member of. Default: none.")
    static let services = Key.sections(
        "services", of: Service.section, element: "service", count: 0...64, or: .readEmpty,
        "What runs beside this remora and is advertised to the fleet.")
    static let upstreams = Key.sections(
        "upstreams", of: Upstream.section, element: "upstream", count: 0...1_024, or: .readEmpty,
        "Named sets of endpoints that connections go to.")
    static let listeners = Key.sections(
        "listeners", of: Listener.section, element: "listener", count: 1...1_024, or: .refused,
        "Where remora accepts connections.")
    static let admin = Key.section(
        "admin", Admin.section, "The admin port: statistics, health, control. An address alone is its bind.")
    static let accessLog = Key.section(
        "access_log", AccessLog.section, or: .none, "A line for each connection that has ended. Default: none.")
    static let shutdown = Key.section("shutdown", Shutdown.section, "How a running remora ends.")

    /// The whole file.
    static let root = Section(
        "the config",
        [
            node.field, membership.field, services.field, upstreams.field, listeners.field, admin.field,
            accessLog.field, shutdown.field,
        ],
        later: [
            LaterKey("leases")
        ])

    enum Node {
        static let name = Key.name("name", or: .none, "How this node calls itself. Default: the host name.")
        static let zone = Key.name("zone", or: .none, "The zone this node stands in. Default: none.")
        static let tags = Key.table("tags", entries: 64, text: 0...255, "Names with texts, for people and for members.")
        static let stateDirectory = Key.path(
            "state_directory", "Where state is kept. Default: none, nothing is kept across restarts.")

        static let section = Section("node", [name.field, zone.field, tags.field, stateDirectory.field])
    }

    enum Membership {
        static let bind = Key.peer(
            "bind", portZero: true, "Where gossip comes in, UDP and TCP; port 0 lets the kernel choose.")
        static let advertise = Key.peer(
            "advertise", portZero: false, or: .none, "Where others reach this node. Default: bind.")
        static let join = Key.peers(
            "join", count: 0...256, element: "address", "Members to join through: each is contacted, again and again.")
        static let profile = Key<GossipProfile>.choice(
            "profile", or: .lan, "The pace of gossip: what tuning leaves out.")
        static let keys = Key.keys(
            "keys", count: 1...8,
            "Keys of the fleet: the first encrypts, all decrypt. Default: none, nothing is encrypted.")
        static let label = Key.text(
            "label", 1...Label.longest, "What keeps this fleet apart from others on the wire. Default: none.")
        static let reclaimAfter = Key.duration(
            "reclaim_after", .zero ... .seconds(30 * 86_400), or: .read("0s"),
            "A dead member's name may come back from another address after this; 0s: never while it is remembered.")
        static let tuning = Key.section("tuning", Tuning.section, "Paces that differ from the profile's.")
        static let telemetry = Key.section("telemetry", Telemetry.section, "What load reports to the fleet may cost.")
        static let roster = Key.section(
            "roster", Roster.section, or: .none,
            "Where it is written down who belongs to the fleet. Default: none, whoever joins does.")

        static let section = Section(
            "membership",
            [
                bind.field, advertise.field, join.field, profile.field, keys.field, label.field, reclaimAfter.field,
                tuning.field, telemetry.field, roster.field,
            ])
    }

    enum Tuning {
        static let probeInterval = Key.duration(
            "probe_interval", .milliseconds(50) ... .seconds(60), or: .none,
            "Between two probes of a member. Default: the profile's.")
        static let probeTimeout = Key.duration(
            "probe_timeout", .milliseconds(10) ... .seconds(60), or: .none,
            "How long a ping may take; no longer than probe_interval. Default: the profile's.")
        static let indirectChecks = Key.integer(
            "indirect_checks", 0...16, "Members that are asked to ping one that is silent. Default: the profile's.")
        static let suspicionMultiplier = Key.integer(
            "suspicion_multiplier", 1...32, "Scales how long a suspect has to answer. Default: the profile's.")
        static let gossipInterval = Key.duration(
            "gossip_interval", .milliseconds(10) ... .seconds(60), or: .none,
            "Between two rounds of gossip. Default: the profile's.")
        static let gossipNodes = Key.integer(
            "gossip_nodes", 1...16, "Members that are told things in a round. Default: the profile's.")
        static let pushPullInterval = Key.duration(
            "push_pull_interval", .seconds(1) ... .seconds(3_600), or: .none,
            "Between two full exchanges with a member. Default: the profile's.")

        static let section = Section(
            "tuning",
            [
                probeInterval.field, probeTimeout.field, indirectChecks.field, suspicionMultiplier.field,
                gossipInterval.field, gossipNodes.field, pushPullInterval.field,
            ])
    }

    enum Upstream {
        static let name = Key.name("name", "What listeners and statistics call it; unique among upstreams.")
        static let endpoints = Key.sections(
            "endpoints", of: Endpoint.section, element: "endpoint", count: 1...100_000, or: .none,
            "Where connections go: addresses, no DNS names. Or service, or members.")
        static let service = Key.name(
            "service", or: .none, "The service whose instances connections go to, wherever the fleet has them.")
        static let members = Key.section(
            "members", Members.section, or: .none,
            "Connections go to members that bear some tags, plain Serf agents included.")
        static let balance = Key<BalancePolicy>.choice(
            "balance", or: .p2c, "How an endpoint is chosen for a connection.")
        static let load = Key<LoadSource>.choice(
            "load", or: .fleet, "Whose outstanding requests balancing compares; static endpoints: always local.")
        static let hash = Key.section(
            "hash", Hash.section, "What ring_hash and maglev know a connection by; other policies do not heed it.")
        static let zoneAware = Key.flag(
            "zone_aware", or: .read("true"), "Whether connections stay in this node's zone while it can carry them.")
        static let connectTimeout = Key.duration(
            "connect_timeout", .milliseconds(1) ... .seconds(300), or: .read("1s"),
            "How long one attempt to connect may take.")
        static let connectAttempts = Key.integer(
            "connect_attempts", UpstreamOptions.connectAttemptsRange, or: .read("3"),
            "How many different endpoints one connection may try.")
        static let maxConnections = Key.integer(
            "max_connections", 1...1_000_000_000, "Most connections per endpoint. Default: no limit.")
        static let maxOutstanding = Key.integer(
            "max_outstanding", 1...1_000_000_000, "Most outstanding requests per endpoint. Default: no limit.")

        static let maxConnectionAge = Key.duration(
            "max_connection_age", .zero ... .seconds(30 * 86_400), or: .read("0s"),
            "After this, a tenth more or less, a connection is closed when it is idle, and aborted after twice that; 0s: never."
        )

        static let onSuspect = Key<ConnectionFate>.choice(
            "on_suspect", or: .keep, "What becomes of connections to a member that is suspect.")
        static let onDead = Key<ConnectionFate>.choice(
            "on_dead", or: .reset, "What becomes of connections to a member that is dead.")
        static let onLeft = Key<ConnectionFate>.choice(
            "on_left", or: .drain, "What becomes of connections to a member that has left.")
        static let outlier = Key.section(
            "outlier", Outlier.section, "When an endpoint that serves badly gets no connections for a while.")
        static let slowStart = Key.duration(
            "slow_start", .zero ... .seconds(3_600), or: .read("0s"),
            "How long the share of an endpoint that came (back) grows to its full weight; 0s: not at all.")
        static let panicThresholdPercent = Key.integer(
            "panic_threshold_percent", 0...100, or: .read("30"),
            "With fewer fit endpoints, in percent of those known, all of them are used again; 0: never.")

        static let tls = Key.section(
            "tls", Origination.section, or: .none,
            "Connections to endpoints are encrypted, and endpoints' certificates verified. Default: plain TCP.")

        static let section = Section(
            "an upstream",
            [
                name.field, endpoints.field, service.field, members.field, balance.field, load.field, hash.field,
                zoneAware.field, onSuspect.field, onDead.field, onLeft.field, connectTimeout.field,
                connectAttempts.field, maxConnections.field, maxOutstanding.field, maxConnectionAge.field,
                outlier.field, slowStart.field, panicThresholdPercent.field, tls.field,
            ],
            alternatives: [[endpoints.field, service.field, members.field]])
    }

    enum Endpoint {
        static let address = Key.address("address", portZero: false, "host:port, [v6]:port or unix:/path.")
        static let weight = Key.weight(
            "weight", or: .read(String(Weight.standard.value)), "Its share of the traffic relative to its peers.")
        static let zone = Key.name("zone", or: .none, "The zone it stands in. Default: none.")

        static let section = Section(
            "an endpoint", [address.field, weight.field, zone.field], shorthand: address.field)
    }

    enum Listener {
        /// What its connections speak.
        enum Speech: String, CaseIterable, Sendable { case tcp }

        static let name = Key.name("name", "What statistics and the ready line call it; unique among listeners.")
        static let bind = Key.address("bind", portZero: true, "Where it accepts; port 0 lets the kernel choose.")
        static let speech = Key<Speech>.choice(
            "protocol", or: .tcp, later: ["http"], "What its connections speak.")
        static let upstream = Key.name("upstream", or: .none, "Outbound: the upstream that gets its connections.")
        static let service = Key.name(
            "service", or: .none, "Inbound: the service whose local instance gets its connections.")
        static let sni = Key.sections(
            "sni", of: Route.section, element: "route", count: 1...ListenerOptions.mostServerNames, or: .none,
            "Where TLS that passes through goes by server name: the first match, else upstream. Default: none.")
        static let acceptProxyProtocol = Key.flag(
            "accept_proxy_protocol", or: .read("false"), "Whether each connection must begin with a PROXY header.")
        static let sendProxyProtocol = Key<ProxyProtocolVersion>.choiceOrNone(
            "send_proxy_protocol", "The version of the PROXY header that endpoints get.")
        static let idleTimeout = Key.duration(
            "idle_timeout", .seconds(1) ... .seconds(7 * 86_400), or: .read("1h"),
            "How long a connection may be silent in both directions.")
        static let maxConnections = Key.integer(
            "max_connections", 1...1_000_000_000, "Most connections at once. Default: half of the descriptor limit.")

        static let tls = Key.section(
            "tls", Termination.section, or: .none,
            "Clients' connections are encrypted, and end here. Default: they are passed on as they come.")

        static let section = Section(
            "a listener",
            [
                name.field, bind.field, speech.field, upstream.field, service.field, sni.field,
                acceptProxyProtocol.field, sendProxyProtocol.field, idleTimeout.field, maxConnections.field,
                tls.field,
            ],
            later: [
                LaterKey("fence")
            ],
            alternatives: [[upstream.field, service.field]],
            companions: [Companion(sni.field, needs: upstream.field)])
    }

    enum Admin {
        static let bind = Key.address(
            "bind", portZero: true, or: .read("127.0.0.1:9901"),
            "Where it listens; anything but loopback or unix needs token_file.")
        static let tokenFile = Key.path(
            "token_file", "The file with the token that requests must bear. Default: none.")

        static let section = Section("admin", [bind.field, tokenFile.field], shorthand: bind.field)
    }

    enum AccessLog {
        static let path = Key.requiredPath(
            "path", "The file, which is appended to; or a FIFO, /dev/stdout, /dev/stderr.")
        static let format = Key<AccessLogOptions.Format>.choice("format", or: .json, "What a line looks like.")
        static let sample = Key.factor(
            "sample", 0...1, or: .read("1"), "The part of connections that have a line, drawn for each.")

        static let section = Section("access_log", [path.field, format.field, sample.field])
    }

    enum Shutdown {
        static let drain = Key.duration(
            "drain", .zero ... .seconds(86_400), or: .read("30s"),
            "How long connections may finish by themselves before they are closed.")

        static let section = Section("shutdown", [drain.field])
    }
}
