import ArgumentParser

/// Says what `run` would say of a config, and starts nothing.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read a config file and print every fault in it, with its place.")

    @OptionGroup var config: ConfigOptions

    func run() throws {
        _ = try config.load()
        StandardStreams.output("\(config.path): ok\n")
    }
}
