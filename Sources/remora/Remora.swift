// The command line: one subcommand a file, each only translates between words and modules.

import ArgumentParser
import Stats
import TLS

struct Remora: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remora",
        abstract: "A proxy beside every service, that knows its fleet.",
        discussion: """
            Exit codes: 0; 64 usage; 65 an input file other than the config; 69 the admin port did not answer; \
            70 internal; 73 cannot bind or create; 75 wait or drain --wait timed out; 78 config, or a refused reload.

            Completions: remora --generate-completion-script bash|zsh|fish prints one for your shell.
            """,
        version: "\(Version.current) (\(OpenSSL.version))",
        subcommands: [
            RunCommand.self, CheckCommand.self, DemoCommand.self, MembersCommand.self, UpstreamsCommand.self,
            StatsCommand.self, TopCommand.self, ExplainCommand.self, WaitCommand.self, DrainCommand.self,
            UndrainCommand.self, ReloadCommand.self, SupportCommand.self, KeygenCommand.self,
            SchemaCommand.self, SimulateCommand.self,
        ])
}
