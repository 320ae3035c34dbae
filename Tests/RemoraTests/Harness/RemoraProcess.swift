// One `remora` process under test: the binary that was built beside this test bundle.
//
// Every wait has a deadline, and whoever starts a process ends it: `RemoraProcess.with` kills it by its id when
// its closure is left, however that happens.

import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

/// How long anything may take that should take milliseconds; the machine may be busy.
let patience = Duration.seconds(20)

/// What a test waited for did not come.
struct TooLate: Error, CustomStringConvertible {
    var description: String
}

final class RemoraProcess {
    private let process = Process()
    private let hasEnded = DispatchSemaphore(value: 0)
    let output = TextPipe()
    let log = TextPipe()

    /// How a process ended.
    enum Ending: Equatable {
        case exit(Int32)
        case signal(Int32)
    }

    /// Starts `remora` with `arguments`, hands it to `body`, and sees to its end.
    ///
    /// - Parameters:
    ///   - script: a shell script that prepares what the process inherits; it ends with `exec "$0" "$@"`.
    ///   - input: its standard input; empty by default.
    ///   - errors: where its stderr goes; collected in ``log`` by default.
    static func with<Result>(
        _ arguments: [String], script: String? = nil, input: FileHandle = .nullDevice, errors: FileHandle? = nil,
        _ body: (RemoraProcess) throws -> Result
    ) throws -> Result {
        let remora = try RemoraProcess(arguments, script, input, errors)
        defer { remora.kill() }
        return try body(remora)
    }

    /// Runs `remora` to its end.
    static func outcome(
        of arguments: [String], input: FileHandle = .nullDevice
    ) throws -> (ending: Ending, output: String, log: String) {
        try with(arguments, input: input) { remora in
            let (output, log) = (try remora.output.rest(), try remora.log.rest())
            return (try remora.ending(), output, log)
        }
    }

    private init(_ arguments: [String], _ script: String?, _ input: FileHandle, _ errors: FileHandle?) throws {
        let binary = try Self.binary()
        if let script {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", script, binary.path] + arguments
        } else {
            process.executableURL = binary
            process.arguments = arguments
        }
        process.standardInput = input
        process.standardOutput = output.pipe
        process.standardError = errors ?? log.pipe
        process.terminationHandler = { [hasEnded] _ in hasEnded.signal() }
        try process.run()
    }

    /// The program beside this test bundle.
    static func binary() throws -> URL {
        let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let binary = URL(fileURLWithPath: bundle).deletingLastPathComponent().appending(path: "remora")
        try #require(
            FileManager.default.isExecutableFile(atPath: binary.path),
            "no remora beside \(bundle); build all targets first: swift build --build-tests")
        return binary
    }

    var id: Int32 { process.processIdentifier }

    func signal(_ number: Int32) { _ = Glibc.kill(id, number) }

    /// Waits for the ready line.
    func ready() throws -> ReadyLine { try ReadyLine(output.line()) }

    /// Waits for its end.
    func ending() throws -> Ending {
        guard hasEnded.wait(timeout: .now() + .seconds(Int(patience.components.seconds))) == .success else {
            throw TooLate(description: "remora \(process.arguments ?? []) has not ended")
        }
        hasEnded.signal()
        return process.terminationReason == .exit
            ? .exit(process.terminationStatus) : .signal(process.terminationStatus)
    }

    private func kill() {
        if process.isRunning { signal(SIGKILL) }
        // Reaped, so that no test leaves anything behind.
        _ = try? ending()
    }

    // MARK: What the kernel says of it

    /// CPU time it has used in user and kernel mode, in seconds.
    func processorSeconds() throws -> Double {
        let stat = try String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)
        // Fields 14 and 15 of proc(5); the second may hold blanks, and ends with the last parenthesis.
        let fields = try #require(stat.split(separator: ")").last).split(separator: " ")
        let ticks = try #require(Int(fields[11])) + #require(Int(fields[12]))
        return Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// What its descriptor `number` refers to.
    func target(ofDescriptor number: Int32) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(id)/fd/\(number)")
    }
}

/// The line on stdout, taken apart.
struct ReadyLine {
    let text: String
    let listeners: [(name: String, address: SocketAddress)]
    let admin: SocketAddress

    init(_ text: String) throws {
        self.text = text
        let match = try #require(
            text.wholeMatch(of: /ready listeners=(\S+) admin=(\S+)/), "not a ready line: \"\(text)\"")
        listeners = try match.1.split(separator: ",").map { item in
            let parts = item.split(separator: "@", maxSplits: 1)
            return (String(parts[0]), try SocketAddress(parsing: String(parts[1])))
        }
        admin = try SocketAddress(parsing: String(match.2))
    }

    /// Where the first listener is bound.
    var listener: SocketAddress { listeners[0].address }
}

/// What a process writes, read line by line or whole.
final class TextPipe {
    let pipe = Pipe()
    private var unread: [UInt8] = []

    /// The next line, without its end.
    func line() throws -> String {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: unread[..<end], as: UTF8.self)
                unread.removeSubrange(...end)
                return line
            }
            guard try readMore() else { throw TooLate(description: "the stream ended within a line: \(text)") }
        }
    }

    /// The next line that contains `part`; those before it are dropped.
    @discardableResult
    func line(containing part: String) throws -> String {
        while true {
            let line = try line()
            if line.contains(part) { return line }
        }
    }

    /// Everything until the process has closed it.
    func rest() throws -> String {
        while try readMore() {}
        return text
    }

    /// What comes within `duration`, which is waited for in full unless the stream ends.
    func text(within duration: Duration) -> String {
        let deadline = Kernel.now() + duration
        while Kernel.now() < deadline, read(until: deadline) != .end {}
        return text
    }

    private var text: String { String(decoding: unread, as: UTF8.self) }

    /// - Returns: false at the end of the stream.
    private func readMore() throws -> Bool {
        switch read(until: Kernel.now() + patience) {
        case .bytes: return true
        case .end: return false
        case .silence: throw TooLate(description: "nothing more was written; unread: \(text)")
        }
    }

    private enum Reading {
        case bytes, end, silence
    }

    private func read(until deadline: Instant) -> Reading {
        let descriptor = pipe.fileHandleForReading.fileDescriptor
        guard Wait.until(descriptor, isReady: .toRead, deadline: deadline) else { return .silence }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
        unread += buffer.prefix(max(0, count))
        return count > 0 ? .bytes : .end
    }
}
