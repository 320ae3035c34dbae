// A real agent of Serf, as Debian packages it, on an address of its own.

import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

/// Loopback addresses of this test process: other ones that run at the same time have others.
enum LoopbackHosts {
    static func host(_ number: Int) -> String {
        "127.\(1 + getpid() / 250 % 250).\(1 + getpid() % 250).\(number)"
    }
}

final class SerfAgent {
    private let process = Process()
    private let hasEnded = DispatchSemaphore(value: 0)
    private let directory: TestDirectory
    let name: String
    let host: String
    /// Where members reach it.
    var address: String { "\(host):7946" }

    /// Instead of the profile `local`, whose agents tell each thing twice: both times to the same one of two others, now
    /// and then, and where everything hangs on it nobody hears it.
    static let tellingOften = ["-profile=lan"]

    /// Starts an agent, hands it to `body`, and sees to its end.
    static func with<Result>(
        _ name: String, host: String, _ arguments: [String] = [], _ body: (SerfAgent) throws -> Result
    ) throws -> Result {
        let agent = try SerfAgent(name, host, arguments)
        defer { agent.kill() }
        try Wait.until(try agent.members()[name], is: "alive")
        return try body(agent)
    }

    private init(_ name: String, _ host: String, _ arguments: [String]) throws {
        self.name = name
        self.host = host
        directory = try TestDirectory()
        process.executableURL = URL(fileURLWithPath: try Self.program())
        process.arguments =
            [
                "agent", "-node=\(name)", "-bind=\(host):7946", "-rpc-addr=\(host):7373", "-profile=local",
                "-log-level=info",
            ] + arguments
        process.standardInput = FileHandle.nullDevice
        // A file, as a pipe that nobody reads would stop the agent.
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: directory.write("", as: "log")))
        process.standardError = FileHandle.nullDevice
        process.terminationHandler = { [hasEnded] _ in hasEnded.signal() }
        try process.run()
    }

    private static func program() throws -> String {
        let places = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        let found = places.map { "\($0)/serf" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        return try #require(found, "no serf on this machine; install the package serf")
    }

    /// What `serf` prints for a command to this agent.
    @discardableResult
    func command(_ name: String, _ arguments: String...) throws -> String { try run([name] + arguments).output }

    /// How a command to this agent ends, and what `serf` prints, complaints included.
    func run(_ command: [String]) throws -> (status: Int32, output: String) {
        let (serf, output) = (Process(), Pipe())
        serf.executableURL = URL(fileURLWithPath: try Self.program())
        // Flags come before arguments, or they are arguments.
        serf.arguments = [command[0], "-rpc-addr=\(host):7373"] + command.dropFirst()
        serf.standardInput = FileHandle.nullDevice
        serf.standardOutput = output
        serf.standardError = output
        try serf.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        serf.waitUntilExit()
        return (serf.terminationStatus, text)
    }

    /// What the agent has logged so far.
    func log() throws -> String { try String(contentsOfFile: directory.path + "/log", encoding: .utf8) }

    /// Whether this agent ever held a member for failed, however shortly.
    func sawFail(_ member: String) throws -> Bool { try log().contains("EventMemberFailed: \(member) ") }

    /// Name to state, as the agent sees its fleet.
    func members() throws -> [String: String] {
        var states: [String: String] = [:]
        for line in try command("members").split(separator: "\n") {
            let columns = line.split(whereSeparator: \.isWhitespace)
            if columns.count >= 3 { states[String(columns[0])] = String(columns[2]) }
        }
        return states
    }

    func signal(_ number: Int32) { _ = Glibc.kill(process.processIdentifier, number) }

    func kill() {
        if process.isRunning { signal(SIGKILL) }
        _ = hasEnded.wait(timeout: .now() + .seconds(10))
        hasEnded.signal()
    }
}
