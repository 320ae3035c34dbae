// Real fleets on one machine: whether they hold together, and how remora does beside Serf.
//
//     swift run -c release fleet-trial chaos          members killed, stopped and restarted; ends with equal views, or with 1
//     swift run -c release fleet-trial compare        one table of figures for Serf and for remora, measured alike
//     swift run -c release fleet-trial traffic        requests through services while nodes die, stop, drain and come
//     swift run -c release fleet-trial isolation      one node cut off, and a fleet that shrinks
//     swift run -c release fleet-trial balance        latency by who chooses the endpoint: remora's ways and HAProxy's
//     swift run -c release fleet-trial roster         a stranger with the right key; etcd killed under load
//
// Members are the programs that operators run, `remora` and Debian's `serf`, as processes of their own on addresses of
// 127/8; what they say is read from their logs. Not taken: cores in this process. The simulator has them, with a clock
// and a network that real fleets lack.
//
// `log-lines → sightings` and `schedule → disturbances → findings` are values, tested without a process.

import ArgumentParser
import Rig

@main
struct FleetTrial: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet-trial",
        abstract: "Real fleets of remoras and Serf agents on loopback, put to the test.",
        discussion: """
            Needs Debian's serf, and haproxy for balance. Every process that it starts is ended by its id, however the run ends.

            Exit codes: 0; 1 what was to be shown was not; 64 usage; 69 a program or a right that is needed is missing.
            """,
        subcommands: [
            ChaosCommand.self, CompareCommand.self, TrafficCommand.self, IsolationCommand.self,
            BalanceCommand.self, RosterCommand.self, InstanceCommand.self,
        ])
}

/// How a run ends that is not well.
enum TrialExit {
    static let notShown = ExitCode(1)
    static let unavailable = ExitCode(69)
}

extension AsyncParsableCommand {
    /// Runs a trial; what keeps it from showing anything is told, and ends the program with 69.
    func trying<Result>(_ trial: () async throws -> Result) async throws -> Result {
        do {
            return try await trial()
        } catch let failure as RunFailure {
            StandardOutput.complain("fleet-trial: \(failure)")
            throw TrialExit.unavailable
        }
    }
}
