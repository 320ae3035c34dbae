// One running remora, from a config to an exit code.
//
// Order matters. Signals are taken first, so that one which comes early is heeded
// once there is something to end. Listeners are bound before the admin port answers and both before
// the ready line, so that "ready" is true when it is read.

import AccessLog
import Admin
import Balancing
import Config
import Glibc
import GossipNet
import Logging
import Proxy
import Reactor
import Routing
import Stats
import Synchronization
import TLS
import Upstreams
import Vocabulary

/// Exit codes of `run`; the numbers are those of sysexits(3).
enum RunStatus {
    static let ok: Int32 = 0
    static let internalError: Int32 = 70
    static let cannotCreate: Int32 = 73
    static let config: Int32 = 78
}

/// Why a node did not start: a sentence with its remedy, and the exit code.
struct StartError: Error {
    var description: String
    var status: Int32
}

/// Runs a node until a signal ends it.
/// - Returns: the process's exit code.
/// - Parameters:
///   - config: what `source` was read to be.
package func runNode(_ config: ReadConfig, from source: ConfigSource, options: RunOptions) async -> Int32 {
    do {
        Kernel.ignoreBrokenPipes()
        Kernel.ignoreFileSizeLimit()
        let signals = try SignalQueue([SIGTERM, SIGINT, SIGHUP])
        if config.configuration.holdsKeys { try forbidCoreDumps() }
        let node = try RunningNode(config, source, options)
        return try await node.run(until: signals)
    } catch let refusal as ConfigRefusal {
        for fault in refusal.faults { LineLogHandler.toStandardError("\(fault)\n") }
        return RunStatus.config
    } catch let error as StartError {
        return fail(error.description, error.status)
    } catch let error as BindError {
        return fail("\(error)", RunStatus.cannotCreate)
    } catch let error as LineSink.Refusal {
        return fail("\(error)", RunStatus.cannotCreate)
    } catch let error as GossipBindError {
        return fail("\(error)", RunStatus.cannotCreate)
    } catch {
        return fail("\(error)", RunStatus.internalError)
    }
}

/// Why ``runNode(_:from:options:)`` could not use files that a config names: reads those of TLS, and looks at the access log
/// as far as that can be done without making one. Starts nothing.
func fileFaults(_ tls: TLSOptions, _ accessLog: AccessLogOptions?) -> [FileFault] {
    let obstacle = accessLog.flatMap { LineSink.obstacle(to: $0.path) }
    return tlsFaults(tls) + (obstacle.map { [FileFault(owner: .accessLog, path: $0.path, message: "\($0)")] } ?? [])
}

private func tlsFaults(_ options: TLSOptions) -> [FileFault] {
    guard let first = options.owners.first else { return [] }
    do {
        // These are the keys that `run` guards, and this process has them for a moment.
        try forbidCoreDumps()
        return TLSMaterial.faults(of: options, tickets: try TicketKeys(at: Kernel.now()))
    } catch let error as StartError {
        return [FileFault(owner: first, message: error.description)]
    } catch {
        return [FileFault(owner: first, message: "tls: \(error)")]
    }
}

private func forbidCoreDumps() throws(StartError) {
    do throws(SystemError) {
        try Kernel.forbidCoreDumps()
    } catch {
        throw StartError(
            description: "core dumps cannot be forbidden, and would hold this config's keys: \(error)",
            status: RunStatus.internalError)
    }
}

/// The reason of an early end goes to stderr whatever the log level.
private func fail(_ line: String, _ status: Int32) -> Int32 {
    LineLogHandler.toStandardError("remora: error: \(line)\n")
    return status
}

/// Everything that one process runs.
private struct RunningNode {
    /// What the process was started with.
    let configuration: Configuration
    let config: ConfigKeeper
    let configDesk: ConfigDesk
    let logger: Logger
    let logLevel: SharedLogLevel
    let plane: DataPlane
    let desk: ControlDesk
    /// Nil: this node is a member of nothing. The control thread's, once it runs.
    let fleet: Fleet?
    let fleetDesk: FleetDesk?
    /// Nil: whoever is a member belongs.
    let roster: RosterWatch?
    let rosterDesk: RosterDesk
    let endpoints: EndpointKeeper
    /// Nil: nobody can ask for a load here.
    let responder: ProbeResponder?
    let services: ServiceKeeper
    let certificates: CertificateKeeper
    let accessLog: AccessLogKeeper
    let serviceDesk = ServiceDesk()
    let events = EventHub()
    let started: Instant
    let token: String?

    /// Binds every listener; nothing is accepted yet.
    init(_ config: ReadConfig, _ source: ConfigSource, _ options: RunOptions) throws {
        let configuration = config.configuration
        self.configuration = configuration
        let logLevel = SharedLogLevel(options.logLevel)
        self.logLevel = logLevel
        logger = Logger(label: "remora") { _ in LineLogHandler(format: options.logFormat, level: logLevel) }
        token = try Self.readToken(configuration.admin)
        started = Kernel.now()
        certificates = try Self.certificates(configuration.tls, source, events, logger)
        let limits = ProxyLimits(descriptors: Kernel.raiseDescriptorLimit())
        let workers = options.threads ?? min(4, max(1, Kernel.processors))
        configDesk = ConfigDesk(config, file: source.path, at: started)
        self.config = ConfigKeeper(
            config, from: source, desk: configDesk, certificates: certificates, workers: workers,
            silentPeerTimeout: limits.silentPeerTimeout)
        let cells = LoadCells()
        var discovery = try Discovery(
            upstreams: configuration.allUpstreams, cells: cells,
            node: configuration.membership == nil ? nil : configuration.node.name, zone: configuration.node.zone,
            isolation: configuration.isolation, at: started)
        // From the first connection on, a key has one owner.
        _ = discovery.completeTables(at: started) { $0.built() }
        let desk = try ControlDesk(at: started)
        self.desk = desk
        var random = SystemRandomNumberGenerator()
        // Bound before any listener: it leaves no file behind.
        let gossip = try configuration.membership.map { try GossipSockets(binding: $0.bind) }
        let probeKeys = ProbeKeyDesk()
        responder = try Self.responder(configuration, probeKeys)
        let listeners = try Self.bind(configuration.listeners, workers: workers, limits)
        do {
            let log = try configuration.accessLog.map { try OpenAccessLog($0) }
            plane = try DataPlane(
                listeners: listeners, upstreams: discovery.current, cells: cells, workers: workers, limits: limits,
                tls: certificates.first, seed: random.next(),
                probes: configuration.membership.map { ProbeOptions(source: $0.bind, keys: probeKeys) },
                noticesArrived: { desk.wake.signal() })
            accessLog = AccessLogKeeper(log, plane: plane, logger: logger)
            let advertised = configuration.membership == nil ? [] : configuration.advertised(at: plane.listeners)
            services = try ServiceKeeper(
                configuration.services, advertised: advertised, listeners: plane.listeners.inbound,
                doors: Doors(of: plane), desk: serviceDesk, events: events, random: SeededRandom(seed: random.next()),
                logger: logger)
            (fleet, fleetDesk) = try Self.fleet(
                config, probePort: responder?.address.port ?? 0, services.tags, gossip, events, logger)
            var sampler = LoadSampler(configuration.inboundServices, plane: plane, at: started)
            fleet?.sampleLoads = { sampler.sample(at: $0) }
            var gossiped = GossipedLoads()
            fleet?.heardLoads = { [plane] in gossiped.carry($0, to: plane, at: $1) }
            probeKeys.replace(by: fleet?.gossipKeys ?? [])
            fleet?.keysChanged = { [plane] in
                probeKeys.replace(by: $0)
                plane.changedProbeKeys()
            }
            (roster, rosterDesk) = try Self.roster(configuration, logger)
            fleet?.lists = { [rosterDesk] in rosterDesk.roster?.lists($0) }
            endpoints = EndpointKeeper(
                discovery, plane: plane, events: events, logger: logger, wake: { desk.wake.signal() })
        } catch {
            for listener in listeners { listener.close() }
            throw error
        }
    }

    /// Where a service here is reached through a listener of this process, others may ask how busy it is.
    private static func responder(
        _ configuration: Configuration, _ keys: ProbeKeyDesk
    ) throws(StartError) -> ProbeResponder? {
        guard let membership = configuration.membership, !configuration.inboundServices.isEmpty else { return nil }
        let address = membership.bind.with(port: 0)
        do throws(SystemError) { return try ProbeResponder(binding: address, keys: keys) } catch {
            throw StartError(
                description: "membership cannot bind a UDP port of \(membership.bind) for load probes: \(error)",
                status: RunStatus.cannotCreate)
        }
    }

    private static func certificates(
        _ options: TLSOptions, _ source: ConfigSource, _ events: EventHub, _ logger: Logger
    ) throws -> CertificateKeeper {
        do throws(CertificateFault) {
            return try CertificateKeeper(options, events: events, logger: logger)
        } catch {
            throw ConfigRefusal(source, because: "tls: \(error)")
        }
    }

    private static func fleet(
        _ config: ReadConfig, probePort: UInt16, _ services: [(name: String, value: String)],
        _ sockets: consuming GossipSockets?, _ events: EventHub, _ logger: Logger
    ) throws -> (Fleet?, FleetDesk?) {
        let configuration = config.configuration
        guard let options = configuration.membership, let sockets else { return (nil, nil) }
        let desk = FleetDesk()
        return (
            try Fleet(
                options, name: configuration.node.name, configChecksum: config.upstreamsChecksum,
                probePort: probePort, services: services,
                interests: configuration.tagsOfInterest,
                stateDirectory: configuration.node.stateDirectory, on: sockets, desk: desk, events: events,
                logger: logger),
            desk
        )
    }

    private static func roster(
        _ configuration: Configuration, _ logger: Logger
    ) throws(SystemError) -> (RosterWatch?, RosterDesk) {
        guard let options = configuration.membership?.roster else { return (nil, RosterDesk(isConfigured: false)) }
        let (directory, desk) = (configuration.node.stateDirectory, RosterDesk(isConfigured: true))
        let source = try RosterWatch.source(options, stateDirectory: directory)
        return (RosterWatch(source, isFirst: true, isKept: directory != nil, desk: desk, logger: logger), desk)
    }

    /// All of them, or none: the files of unix sockets that were made before one failed are removed.
    private static func bind(
        _ options: [ListenerOptions], workers: Int, _ limits: ProxyLimits
    ) throws(BindError) -> [ListenerSockets] {
        let inherited = InheritedSockets()
        var bound: [ListenerSockets] = []
        do throws(BindError) {
            for listener in options {
                bound.append(
                    try ListenerSockets(
                        listener, workers: workers, inherited: inherited.descriptor(for: listener),
                        silentPeerTimeout: limits.silentPeerTimeout))
            }
        } catch {
            for listener in bound { listener.close() }
            throw error
        }
        return bound
    }

    private static func readToken(_ admin: AdminOptions) throws -> String? {
        guard let file = admin.tokenFile else { return nil }
        do throws(TokenFile.ReadError) {
            return try TokenFile.read(file)
        } catch {
            throw StartError(description: "admin: \(error)", status: RunStatus.config)
        }
    }

    func run(until signals: consuming SignalQueue) async throws -> Int32 {
        // It sleeps until there is something to write; the end waits for it, that of a start which fails too.
        accessLog.start()
        let admin = AdminServer(bind: configuration.admin.bind, token: token, source: source)
        do {
            let loop = try ControlLoop(
                desk: desk, plane: plane, fleet: fleet, roster: roster, rosterDesk: rosterDesk, endpoints: endpoints,
                services: services, responder: responder, certificates: certificates, accessLog: accessLog,
                config: config, configDesk: configDesk, events: events, signals: signals, logger: logger)
            let adminAddress = try await admin.start()
            try plane.start()
            responder?.start(answeringFor: configuration.inboundServices, of: plane)
            desk.show(.serving, at: Kernel.now())
            announce(adminAddress)
            await ControlThread.run(loop)
        } catch {
            await end(admin)
            if let error = error as? AdminStartError {
                throw StartError(description: "\(error)", status: RunStatus.cannotCreate)
            }
            throw error
        }
        await end(admin)
        return RunStatus.ok
    }

    /// Aborts what is left and gives back every address.
    private func end(_ admin: AdminServer) async {
        responder?.stop()
        desk.close()
        plane.end()
        accessLog.end()
        roster?.stop()
        certificates.stop()
        fleet?.end()
        await admin.stop()
    }

    /// The one line on stdout: scripts wait for it and read the bound addresses from it.
    private func announce(_ admin: SocketAddress) {
        let listeners = plane.listeners.map { "\($0.options.name)@\($0.address)" }.joined(separator: ",")
        let line = "ready listeners=\(listeners) admin=\(admin)\n"
        _ = unsafe write(STDOUT_FILENO, line, line.utf8.count)
        logger.notice("\(Version.current) started", metadata: ["node": "\(configuration.node.name)"])
    }

    private var source: AdminSource {
        let (desk, plane, node, started) = (desk, plane, configuration.node.name, started)
        let members: @Sendable () -> FleetSnapshot? = { [fleetDesk] in fleetDesk?.snapshot }
        let (rosterDesk, serviceDesk, configDesk) = (rosterDesk, serviceDesk, configDesk)
        let (responder, certificates, accessLog) = (responder, certificates, accessLog)
        let stats: @Sendable () -> StatsReport = {
            let (report, snapshot) = (plane.report(), members())
            let services = Dictionary(
                plane.upstreams.upstreams.map { ($0.options.name, $0.options.service) }, uniquingKeysWith: { $1 })
            let upstreams = report.upstreams.map { report in
                var report = report
                report.add(snapshot?.telemetry, of: services[report.name] ?? nil)
                return report
            }
            return StatsReport(
                node: node, version: Version.current, uptimeSeconds: (Kernel.now() - started).inSeconds,
                listeners: report.listeners, upstreams: upstreams, services: serviceDesk.reports,
                certificates: certificates.reports,
                membership: snapshot.map {
                    var report = MembershipReport($0, isBelieved: plane.upstreams.lastKnownGood == nil)
                    report.probes = AnsweredProbesReport(responder, strayAnswers: plane.strayAnswers)
                    return report
                },
                roster: rosterDesk.report(at: Kernel.now()), stage: desk.report,
                config: configDesk.report(at: Kernel.now()), process: ProcessFigures.report(),
                accessLog: accessLog.report)
        }
        let reports: @Sendable () -> [MemberReport] = {
            members().map { $0.reports(rosterDesk.roster, at: Kernel.now()) } ?? []
        }
        return AdminSource(
            stats: stats,
            members: reports,
            explain: { subject, name in
                switch subject {
                case .node: stats().explanation(reports())
                case .member:
                    members()?.explanation(
                        of: name, upstreams: plane.report().upstreams, roster: rosterDesk.roster, at: Kernel.now())
                case .upstream:
                    plane.place(ofUpstream: name).map(plane.isRetired(upstream:)) == false
                        ? plane.upstreams.explanation(
                            of: name, load: plane.load(ofCell:), in: stats(), at: Kernel.now())
                        : nil
                }
            },
            configuration: { [configDesk] in configDesk.configuration.text },
            logLevels: LogLevels.names,
            setLogLevel: { [logLevel, logger] name in
                guard let level = LogLevels.level(named: name) else { return false }
                logLevel.current = level
                logger.notice("the admin port has set the log level to \(name)")
                return true
            },
            events: events,
            readiness: { desk.readiness },
            liveness: { desk.liveness(at: Kernel.now()) },
            command: { await desk.ask(ControlRequest($0)) })
    }
}

extension ControlRequest {
    init(_ command: AdminCommand) {
        switch command {
        case .drain: self = .drain
        case .undrain: self = .undrain
        case .reload: self = .reload
        }
    }
}

/// The levels that `--log-level` has, and so `/log-level`.
private enum LogLevels {
    private static let all: [Logger.Level] = [.trace, .debug, .info, .warning, .error]
    static let names = all.map(\.rawValue)

    static func level(named name: String) -> Logger.Level? { all.first { $0.rawValue == name } }
}

extension InheritedSockets {
    /// Those that this process was started with.
    init() {
        let names = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]
        let found = names.compactMap { name in
            unsafe getenv(name).map { unsafe (name, String(cString: $0)) }
        }
        self.init(environment: Dictionary(uniqueKeysWithValues: found), process: getpid())
    }
}
