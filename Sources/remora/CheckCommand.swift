import ArgumentParser
import Node

/// Says what `run` would say of a config, and starts nothing.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read a config file and print every fault in it, with its place.",
        discussion: """
            Files of certificates and keys are read as well; what run could not use of them is a fault where it is named. \
            So is an access log that could not be opened, as far as that can be seen.
            """)

    @OptionGroup var config: ConfigOptions

    func run() throws {
        do {
            try config.source.check()
        } catch {
            throw config.complain(of: error)
        }
        StandardStreams.output("\(config.path): ok\n")
    }
}
