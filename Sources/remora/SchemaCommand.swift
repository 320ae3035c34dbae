import ArgumentParser
import Config

/// For editors that complete and check YAML as it is written.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of the config file.")

    func run() {
        let schema = ConfigSchema.json
        StandardStreams.output(schema.hasSuffix("\n") ? schema : schema + "\n")
    }
}
