import ArgumentParser
import Logging
import Node

/// The main job. What it does with signals, and when it is ready, is `Node`'s.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the proxy in the foreground, logging to stderr.",
        discussion:
            "Prints one line to stdout once every listener is bound: ready listeners=NAME@ADDRESS,… admin=ADDRESS")

    @OptionGroup var config: ConfigOptions

    @Option(help: ArgumentHelp("How log lines are written.", valueName: "text|json"))
    var logFormat: LogFormat = .text

    @Option(help: ArgumentHelp("The least severe log lines to write.", valueName: "trace|debug|info|warning|error"))
    var logLevel: LogLevel = .info

    @Option(help: ArgumentHelp("Workers, 1 to 256. (default: one per core, at most 4)", valueName: "N"))
    var threads: Int?

    func validate() throws {
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads \(threads) is out of range; write 1 to 256")
        }
    }

    func run() async throws {
        let options = RunOptions(
            logFormat: logFormat == .json ? .json : .text, logLevel: logLevel.level,
            threads: threads)
        let status = await runNode(try config.load(), from: config.source, options: options)
        throw ExitCode(status)
    }
}

enum LogFormat: String, CaseIterable, ExpressibleByArgument {
    case text, json
}

enum LogLevel: String, CaseIterable, ExpressibleByArgument {
    case trace, debug, info, warning, error

    var level: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}
