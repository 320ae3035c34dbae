import ArgumentParser
import Node

/// Says what `run` would say of a config, and starts nothing.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read a config file and print every fault in it, with its place.",
        discussion: """
            Files of certificates and keys are read as well; the first that run could not use is named. So is an access \
            log that could not be opened, as far as that can be seen.
            """)

    @OptionGroup var config: ConfigOptions

    func run() throws {
        let configuration = try config.load().configuration
        if let fault = tlsFault(of: configuration) {
            StandardStreams.complain("\(config.path): error: tls: \(fault)")
            throw ExitStatus.config.code
        }
        if let fault = accessLogFault(of: configuration) {
            StandardStreams.complain("\(config.path): error: \(fault)")
            throw ExitStatus.config.code
        }
        StandardStreams.output("\(config.path): ok\n")
    }
}
