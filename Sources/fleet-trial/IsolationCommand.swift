import ArgumentParser
import Foundation
import Glibc
import Reactor
import Rig
import Vocabulary

/// Cuts one node off from all others, and takes a fleet down to a tenth: the first is not to be believed, the second is.
struct IsolationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "isolation",
        abstract: "Cut one of twelve nodes off, and shrink a fleet of twenty to two, both with traffic.",
        discussion: """
            Ends with 1 where the node that is cut off does not keep its last known good view, does not say so, fails a \
            request that could be answered, or does not recover by itself; and where the fleet that shrinks is not \
            followed. Takes network namespaces: root or user namespaces, iproute2, nftables.
            """)

    enum Trial: String, CaseIterable, Codable, ExpressibleByArgument {
        /// Gossip is cut; services can be reached.
        case gossip
        /// Everything is.
        case wire
        case shrink
    }

    @OptionGroup var options: FleetArguments

    @Option(
        help: ArgumentHelp(
            "\(Trial.allCases.map(\.rawValue).joined(separator: ", ")); may be given several times. (default: all)",
            valueName: "NAME"))
    var only: [Trial] = []

    @Option(help: ArgumentHelp("Requests with a connection of their own.", valueName: "per second"))
    var rate = 60

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @Flag(help: .hidden)
    var inOwnNetwork = false

    func validate() throws {
        guard (1...2000).contains(rate) else { throw ValidationError("--rate is 1 to 2000") }
    }

    func run() async throws {
        if !inOwnNetwork {
            guard let code = try await trying(OwnNetwork.rerun) else {
                StandardOutput.complain("network namespaces are not allowed here")
                throw TrialExit.unavailable
            }
            throw ExitCode(code)
        }
        let report = try await trying { try await RunningProcesses.with { try await run(by: $0) } }
        StandardOutput.write(json ? try StandardOutput.json(report) : report.text)
        if !report.isWell { throw TrialExit.notShown }
    }

    private func run(by processes: RunningProcesses) async throws -> IsolationReport {
        let remora = try options.fleet()
        let trials = only.isEmpty ? Trial.allCases : only
        let site = try TrialSite(.namespaces, nodes: 20, processes: processes)
        var load = RequestLoad.Rate()
        load.perSecond = rate
        let tuning = remora.tuning.isEmpty ? "" : " with \(remora.tuning)"
        var report = IsolationReport(
            title: "\(rate) requests/s on new connections, profile \(remora.profile.rawValue)\(tuning)")
        for trial in trials {
            // One service, so that everybody may answer everything.
            let members = trial == .shrink ? 20 : 12
            let fleet = try ServiceFleet(
                services: Array(repeating: 0, count: members), site: site,
                options: .init(remora: remora, services: 1), processes: processes)
            var run = IsolationRun(fleet: fleet, rate: load, say: StandardOutput.complain)
            try await run.start()
            switch trial {
            case .gossip: try await run.cut(wire: false)
            case .wire: try await run.cut(wire: true)
            case .shrink: try await run.shrink(to: 2)
            }
            run.row.trial = trial.rawValue
            run.row.complaints += fleet.crashes()
            report.rows.append(run.row)
            for node in fleet.nodes {
                fleet.killSidecar(of: node)
                fleet.killInstance(of: node)
            }
            fleet.clear()
        }
        report.loadAverage = LoadAverage.now
        return report
    }
}
