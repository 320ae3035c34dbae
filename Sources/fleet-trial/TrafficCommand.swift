import ArgumentParser
import Rig
import Vocabulary

/// Sends real requests through a fleet while something befalls one of its nodes, and counts what is lost.
struct TrafficCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traffic",
        abstract: "A load of requests while instances and nodes are killed, stopped, drained, added and cut off.",
        discussion: """
            Twelve remoras, three services of four instances. Ends with 1 where more is lost than is promised: a drain, a \
            failed check, newcomers and a short standstill lose nothing; a killed instance loses what was in flight on it \
            and what its sidecar had accepted before the first refused connect; a node that dies or stands still what was \
            in flight there. Cutting a node off takes network namespaces: root or user namespaces, iproute2, nftables.
            """)

    /// Quick deaths: for runs of which time is the limit.
    static let shortTuning = "probe_interval: 300ms, probe_timeout: 150ms, gossip_interval: 50ms"

    @OptionGroup var options: FleetArguments

    @Option(help: "Of the victims.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            "A scenario: \(TrafficScenario.allCases.map(\.rawValue).joined(separator: ", ")); may be given several "
                + "times. (default: all)", valueName: "NAME"))
    var only: [TrafficScenario] = []

    @Option(help: ArgumentHelp("Requests with a connection of their own.", valueName: "per second"))
    var rate = 150

    @Flag(help: "In less than a minute: a faster detector, and the scenarios that take it least.")
    var short = false

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @Flag(help: .hidden)
    var inOwnNetwork = false

    @Flag(help: "Have all nodes on loopback, even where network namespaces are allowed.")
    var onLoopback = false

    func validate() throws {
        guard (1...2000).contains(rate) else { throw ValidationError("--rate is 1 to 2000") }
    }

    func run() async throws {
        if !inOwnNetwork, !onLoopback, let code = try await trying(OwnNetwork.rerun) { throw ExitCode(code) }
        let report = try await trying { try await RunningProcesses.with { try await run(by: $0) } }
        StandardOutput.write(json ? try StandardOutput.json(report) : report.text)
        if !report.isWell { throw TrialExit.notShown }
    }

    private var scenarios: [TrafficScenario] {
        if !only.isEmpty { return only }
        return short
            ? [.killInstance, .killSidecar, .freezeBriefly, .failCheck, .drain, .add] : TrafficScenario.allCases
    }

    private func run(by processes: RunningProcesses) async throws -> TrafficReport {
        var remora = try options.fleet()
        if short, remora.tuning.isEmpty { remora.tuning = Self.shortTuning }
        let services = (0..<12).map { $0 / 4 } + [0, 1, 2]
        let site = try TrialSite(inOwnNetwork ? .namespaces : .loopback, nodes: services.count, processes: processes)
        let fleet = try ServiceFleet(
            services: services, site: site, options: .init(remora: remora), processes: processes)
        var pace = TrafficRun.Pace()
        if !remora.tuning.isEmpty { pace.shortFreeze = .milliseconds(600) }
        if short { pace.calm = .seconds(1) }
        var load = RequestLoad.Rate()
        load.perSecond = rate
        var run = TrafficRun(
            fleet: fleet, first: 12, rate: load, pace: pace, seed: seed, say: StandardOutput.complain)
        try await run.start()
        let tuning = remora.tuning.isEmpty ? "" : " with \(remora.tuning)"
        var report = TrafficReport(
            title: "12 remoras, 3 services of 4 instances, \(rate) requests/s on new connections and "
                + "\(load.kept * 9) kept ones, seed \(seed), \(site.kind), profile \(remora.profile.rawValue)\(tuning)")
        for scenario in scenarios {
            report.rows.append(try await run.play(scenario))
            report.crashes += fleet.crashes()
            if !report.crashes.isEmpty { break }
        }
        report.loadAverage = LoadAverage.now
        return report
    }
}

extension TrafficScenario: ExpressibleByArgument {}

extension OwnNetwork {
    /// Runs this program again in namespaces of its own, where that is allowed.
    /// - Returns: its exit code; nil where all nodes must live on loopback.
    static func rerun() async throws -> Int32? {
        try await RunningProcesses.with { processes in
            guard try TrialSite.allowsNamespaces(processes) else { return nil }
            return try run(with: "--in-own-network", in: processes)
        }
    }
}
