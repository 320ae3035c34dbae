// Configs for tests, in a directory that is gone when the test is over.

import Foundation
import Vocabulary

/// A new directory, removed when it is let go.
final class TestDirectory {
    let path: String

    init() throws {
        // Short: a unix socket's path has 107 bytes.
        let base = FileManager.default.temporaryDirectory
        let directory = base.appending(path: "remora-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        path = directory.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and answers its path.
    func write(_ text: String, as name: String = "remora.yaml") throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        return file
    }
}

/// A config with one listener `in` and one upstream `out`, on ports that the kernel chooses.
struct TestConfig {
    var bind = "127.0.0.1:0"
    var admin = "127.0.0.1:0"
    var endpoints: [SocketAddress]
    var drain = "20s"
    /// Further lines of the upstream, as YAML flow entries.
    var upstreamOptions = ""

    var text: String {
        let list = endpoints.map { "\"\($0)\"" }.joined(separator: ", ")
        return """
            upstreams:
              - {name: out, endpoints: [\(list)]\(upstreamOptions)}
            listeners:
              - {name: in, bind: "\(bind)", upstream: out}
            admin: {bind: "\(admin)"}
            shutdown: {drain: \(drain)}

            """
    }
}

/// Runs remora with `config`.
func withRemora<Result>(
    _ config: TestConfig, options: [String] = ["--threads", "1"], script: String? = nil,
    input: FileHandle = .nullDevice, errors: FileHandle? = nil, _ body: (RemoraProcess) throws -> Result
) throws -> Result {
    let directory = try TestDirectory()
    let file = try directory.write(config.text)
    return try RemoraProcess.with(
        ["run", "--config", file] + options, script: script, input: input, errors: errors, body)
}
