import ArgumentParser
import Rig
import Vocabulary

/// Measures what the choice of an endpoint is worth: latency under the same requests, for remora and for HAProxy.
struct BalanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "balance",
        abstract: "Latency of requests through a fleet by who chooses the endpoint: remora's ways and HAProxy's.",
        discussion: """
            On loopback: a remora and an HAProxy at every node, and an instance, which is a queue with one server and \
            exponential service times. Clients send by a Poisson process, whatever the answers do; all subjects get the \
            same requests. Beside them stand the formulas, and what policies that see every queue would have made of the \
            same requests. "CPU used" and "late" say whether the machine was in the way: the first should be well below \
            100 %, the second small against the service time.

            Ends with 1 where a request failed, a node or an instance had no part in it, or the mean of load: fleet is \
            above 0.85 of round_robin's.
            """)

    @Option(help: ArgumentHelp("The remora to run. (default: the one beside this program)", valueName: "PATH"))
    var remora: String?

    @Option(help: ArgumentHelp("Nodes, each with an instance.", valueName: "N"))
    var nodes = 24

    @Option(help: ArgumentHelp("Mean service time of an instance.", valueName: "TIME"))
    var service = MillisecondsArgument(.milliseconds(10))

    @Option(help: ArgumentHelp("Offered loads, as shares of the capacity.", valueName: "LOAD[,LOAD…]"))
    var loads = LoadsArgument([0.5, 0.7, 0.9])

    @Option(help: ArgumentHelp("Shares of instances at half speed, a table for each.", valueName: "SHARE[,SHARE…]"))
    var slow = LoadsArgument([0, 0.2])

    @Option(help: ArgumentHelp("Rounds, in which each subject has its turn.", valueName: "N"))
    var rounds = 3

    @Option(help: ArgumentHelp("Measured at each load, after a warm-up that grows with it.", valueName: "N"))
    var seconds = 30

    @Option(help: ArgumentHelp("Requests that a connection carries.", valueName: "N"))
    var perConnection = 1

    @Option(help: "Of the requests.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            "A subject: \(BalanceSubject.allCases.map(\.rawValue).joined(separator: ", ")); may be given several times. "
                + "(default: all)", valueName: "NAME"))
    var only: [BalanceSubject] = []

    @Flag(help: "In 40 s: fleet against round-robin at a load of 0.8.")
    var short = false

    @Flag(help: "Print one JSON object instead of tables.")
    var json = false

    func validate() throws {
        guard (2...TrialSite.capacity).contains(nodes) else {
            throw ValidationError("--nodes \(nodes) is out of range; write 2 to \(TrialSite.capacity)")
        }
        guard loads.values.allSatisfy({ $0 > 0 && $0 < 1 }) else {
            throw ValidationError("a load is above 0 and below 1")
        }
        guard slow.values.allSatisfy({ $0 < 1 }) else { throw ValidationError("--slow is 0 or more and below 1") }
        guard rounds > 0, (1...3600).contains(seconds), (1...100_000).contains(perConnection) else {
            throw ValidationError("--rounds, --seconds (to 3600) and --per-connection (to 100000) are above zero")
        }
    }

    func run() async throws {
        let report = try await trying { try await RunningProcesses.with { try await run(by: $0) } }
        StandardOutput.write(json ? try StandardOutput.json(report) : report.text)
        if !report.complaints.isEmpty { throw TrialExit.notShown }
    }

    private func options(hasHAProxy: Bool) -> BalanceOptions {
        var options = BalanceOptions(
            nodes: nodes, service: service.duration, loads: loads.values, slowShares: slow.values, rounds: rounds,
            measured: .seconds(seconds), requestsPerConnection: perConnection, seed: seed)
        options.subjects = only.isEmpty ? BalanceSubject.allCases : only
        if short { options = .short(seed: seed) }
        if !hasHAProxy { options.subjects.removeAll { $0.program == .haproxy } }
        return options
    }

    private func run(by processes: RunningProcesses) async throws -> BalanceReport {
        let haproxy = try BalanceFleet.haproxy(processes)
        let options = options(hasHAProxy: haproxy != nil)
        if haproxy == nil, !short { StandardOutput.complain("there is no haproxy here, so its columns are left out") }
        guard !options.subjects.isEmpty else { throw RunFailure(description: "none of the subjects is here") }
        let program = FleetOptions(remora: try FleetOptions.remora(at: remora), profile: .local)
        let fleet = try BalanceFleet(
            nodes: options.nodes, programs: Set(options.subjects.map(\.program)), haproxy: haproxy, remora: program,
            processes: processes)
        try await fleet.start(within: .seconds(60))
        var report = try await BalanceRun(options: options, fleet: fleet, say: StandardOutput.complain).play()
        report.versions = try fleet.versions(processes)
        report.loadAverage = LoadAverage.now
        return report
    }
}

extension BalanceOptions {
    /// What takes half a minute and is sure to show a difference.
    static func short(seed: UInt64) -> BalanceOptions {
        BalanceOptions(
            loads: [0.8], slowShares: [0], subjects: [.fleet, .roundRobin], rounds: 1, measured: .seconds(10),
            seed: seed)
    }
}

extension BalanceSubject: ExpressibleByArgument {}

/// Numbers with commas between them, none below zero.
struct LoadsArgument: ExpressibleByArgument {
    let values: [Double]

    init(_ values: [Double]) { self.values = values }

    init?(argument: String) {
        let words = argument.split(separator: ",", omittingEmptySubsequences: false)
        values = words.compactMap { Double($0) }.filter { $0 >= 0 && $0.isFinite }
        guard values.count == words.count else { return nil }
    }

    var defaultValueDescription: String { values.map { "\($0)" }.joined(separator: ",") }
}

/// A time in `ms` or `s`, as `20ms`; at least a millisecond and at most a minute.
struct MillisecondsArgument: ExpressibleByArgument {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        for (unit, seconds) in [("ms", 0.001), ("s", 1.0)] where argument.hasSuffix(unit) {
            guard let count = Double(argument.dropLast(unit.count)), (0.001...60).contains(count * seconds) else {
                continue
            }
            duration = .seconds(count * seconds)
            return
        }
        return nil
    }

    var defaultValueDescription: String { "\((duration.inSeconds * 1000).written(0))ms" }
}
