// `--config FILE`, and what is said of a file that cannot run.

import ArgumentParser
import Config
import Glibc
import Node

struct ConfigOptions: ParsableArguments {
    @Option(name: .customLong("config"), help: "The config file; - reads standard input.")
    var path: String

    /// Reads the file; complains of every fault in it, and ends with the exit code for them.
    func load() throws -> ReadConfig {
        do {
            return try source.read()
        } catch {
            throw complain(of: error)
        }
    }

    /// - Returns: the exit code to end with.
    func complain(of faults: ConfigFaults) -> ExitCode {
        StandardStreams.complain(faults.description)
        return ExitStatus.config.code
    }

    var source: ConfigSource { ConfigSource(path: path, hostName: Self.hostName) }

    /// What `node.name` is where the file does not say it.
    private static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        // Cut short, the name might miss its NUL; the last byte is never given away.
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
