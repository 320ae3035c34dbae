package import Logging

/// What the command line says of a run, beside the config.
package struct RunOptions: Sendable {
    package enum LogFormat: Sendable {
        case text, json
    }

    package var logFormat: LogFormat
    package var logLevel: Logger.Level
    /// Workers; nil is one per core, at most four.
    package var threads: Int?

    package init(logFormat: LogFormat = .text, logLevel: Logger.Level = .info, threads: Int? = nil) {
        self.logFormat = logFormat
        self.logLevel = logLevel
        self.threads = threads
    }
}
