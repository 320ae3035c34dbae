import ArgumentParser
import Foundation
import Rig

/// What every trial is told of its members.
struct FleetArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The remora to run. (default: the one beside this program)", valueName: "PATH"))
    var remora: String?

    @Option(
        help: "The profile of all members: \(FleetOptions.Profile.allCases.map(\.rawValue).joined(separator: ", ")).")
    var profile = FleetOptions.Profile.lan

    @Option(
        help: ArgumentHelp(
            "membership.tuning of remoras beside the profile, as in \"probe_interval: 500ms, indirect_checks: 2\".",
            valueName: "YAML"))
    var tuning = ""

    /// - Throws: where a program is not there.
    func fleet() throws -> FleetOptions {
        FleetOptions(remora: try FleetOptions.remora(at: remora), profile: profile, tuning: tuning)
    }
}

extension FleetOptions {
    /// - Parameter path: of the remora to run; nil: the one beside this program.
    /// - Throws: where there is none.
    static func remora(at path: String?) throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = path ?? URL(fileURLWithPath: own).deletingLastPathComponent().appending(path: "remora").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw RunFailure(
                description: "no remora at \(path); build it with: swift build -c release --product remora")
        }
        return path
    }
}

extension FleetOptions.Profile: ExpressibleByArgument {}
