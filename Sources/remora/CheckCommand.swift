import ArgumentParser
import Node

/// Says what `run` would say of a config, and starts nothing.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read a config file and print every fault in it, with its place.",
        discussion: "Files of certificates and keys are read as well; the first that run could not use is named.")

    @OptionGroup var config: ConfigOptions

    func run() throws {
        if let fault = tlsFault(of: try config.load().configuration) {
            StandardStreams.complain("\(config.path): error: tls: \(fault)")
            throw ExitStatus.config.code
        }
        StandardStreams.output("\(config.path): ok\n")
    }
}
