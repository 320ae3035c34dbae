// `--replay FILE`: what a log recorded happens again, without a network, and every core must answer as it did.

import ArgumentParser
import Config
import Glibc
import Simulation
import Vocabulary

enum SimulationReplay {
    /// Says that all was alike; complains and ends with the exit code where the file is no log, the replay differs, or an
    /// invariant does not hold.
    static func run(path: String, json: Bool) throws {
        let log: EventLog
        do {
            log = try EventLog(parsing: text(of: path))
        } catch {
            StandardStreams.complain("error: \(path): \(error)")
            throw ExitStatus.input.code
        }
        var replay = Replay(of: log)
        do {
            try replay.run()
        } catch {
            StandardStreams.complain("error: \(path): \(error)")
            throw ExitStatus.input.code
        }
        if let violation = replay.violation {
            StandardStreams.complain("error: \(path): \(violation)")
            throw ExitStatus.broken.code
        }
        let options = log.options
        let duration = Duration.nanoseconds(log.entries.last?.world ?? 0)
        if json {
            let object = JSONText.object([
                ("seed", .unsigned(options.seed)),
                ("parameters", .object([("nodes", .integer(options.nodes)), ("replay", .string(path))])),
                (
                    "rows",
                    .array([
                        .object([
                            ("experiment", .string("replay")), ("nodes", .integer(options.nodes)),
                            ("replayed_events", .integer(replay.replayed)),
                            ("duration_seconds", .number(duration.inSeconds)),
                        ])
                    ])
                ),
            ])
            StandardStreams.output(object.written() + "\n")
        } else {
            StandardStreams.output(
                "\(path): seed \(options.seed), \(options.nodes) members: "
                    + "all \(replay.replayed) events of \(duration.inSeconds.written()) s as recorded\n")
        }
    }

    /// What a file says.
    /// - Throws: ``Unreadable``.
    private static func text(of path: String) throws(Unreadable) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Unreadable() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw Unreadable()
            }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Why the kernel would not.
    private struct Unreadable: Error, CustomStringConvertible {
        let description = unsafe String(cString: strerror(errno))
    }
}
