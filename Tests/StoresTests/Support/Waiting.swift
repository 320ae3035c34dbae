// Bounded waits, and what is cleaned up afterwards.

import Dispatch
import Foundation
import Glibc
import Reactor
import Synchronization
import Testing
import Vocabulary

@testable import Stores

/// How long anything may take that should take milliseconds; the machine may be busy.
let patience = Duration.seconds(30)

/// What a test waited for did not come.
struct TooLate: Error, CustomStringConvertible {
    var description: String
}

/// Asks again and again, until there is an answer.
func eventually<Answer>(_ question: () throws -> Answer) throws -> Answer {
    let deadline = Kernel.now() + patience
    while true {
        do {
            return try question()
        } catch  where Kernel.now() < deadline {
            // Whether another process is ready can only be asked.
            poll(nil, 0, 10)
        }
    }
}

/// A new directory, removed when it is let go.
final class TestDirectory: Sendable {
    let path: String

    init() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "stores-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        path = directory.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ text: String, as name: String) throws -> String {
        let file = "\(path)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        return file
    }

    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// A source that runs, and all it has said; stopped when it is let go.
final class RunningSource {
    private let source: RosterSource
    private let bell = DispatchSemaphore(value: 0)
    private(set) var latest: RosterUpdate?
    private(set) var notices: [RosterNotice] = []

    /// Fast: what takes a real source seconds is to take a test tenths of one.
    static var hasty: EtcdPace {
        var pace = EtcdPace()
        (pace.connect, pace.exchange, pace.check) = (.seconds(3), .seconds(3), .milliseconds(100))
        return pace
    }

    init(
        _ options: RosterOptions, keeping directory: TestDirectory? = nil, pace: EtcdPace = hasty,
        parse: @escaping @Sendable ([UInt8]) throws -> Set<String> = { _ in [] }
    ) throws {
        var keeperPace = RosterKeeper.Pace()
        keeperPace.longestPause = .milliseconds(500)
        source = try RosterSource(
            options, stateDirectory: directory?.path, seed: 7, parse: parse, pace: pace, keeperPace: keeperPace)
        source.start { [bell] in bell.signal() }
    }

    deinit { source.stop() }

    func stop() { source.stop() }

    /// Takes updates until one is as wanted.
    @discardableResult
    func wait(
        for what: String, within limit: Duration = patience, _ isWanted: (RosterUpdate) -> Bool
    ) throws -> RosterUpdate {
        let deadline = DispatchTime.now() + .milliseconds(Int(limit.wholeNanoseconds / 1_000_000))
        while true {
            if let update = source.take() {
                latest = update
                notices += update.notices
            }
            if let latest, isWanted(latest) { return latest }
            guard bell.wait(timeout: deadline) == .success else {
                let standing = latest?.standing.sentence(at: Kernel.now()) ?? "nothing"
                throw TooLate(
                    description: "no \(what); \(standing); \(latest?.names.sorted() ?? []); \(notices.map(\.text))")
            }
        }
    }

    @discardableResult
    func wait(forNames names: String...) throws -> RosterUpdate {
        try wait(for: "\(names)") { $0.names == Set(names) && !$0.isStale }
    }

    @discardableResult
    func wait(forTrouble part: String) throws -> RosterUpdate {
        try wait(for: "trouble: \(part)") { $0.standing.trouble?.reason.contains(part) ?? false }
    }
}

extension RosterUpdate {
    var isKnown: Bool { standing.holding != nil }
    var isStale: Bool { standing.isStale }
}

/// Loopback addresses of this test process: other ones that run at the same time have others.
enum LoopbackHosts {
    private static let next = Atomic<Int>(1)

    static func fresh() -> String {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        return "127.\(1 + getpid() / 250 % 250).\(1 + getpid() % 250).\(number)"
    }
}

/// Connections that nobody accepts, as many as a listening socket's queue holds: whoever comes next hears nothing, as
/// from a host that drops every packet. Gone when it is let go.
final class Crowd: Sendable {
    private let descriptors: [Int32]

    init(before door: Int32) throws {
        let address = try #require(Kernel.localAddress(of: door))
        // A queue of one: Linux takes one more than it is told.
        try #require(listen(door, 0) == 0)
        descriptors = try (0..<4).map { _ in
            let descriptor = try Kernel.socket(family: address.family).get()
            _ = unsafe address.kernelForm.withUnsafeBytes { unsafe Kernel.connect(descriptor, to: $0) }
            return descriptor
        }
    }

    deinit { for descriptor in descriptors { Kernel.close(descriptor) } }
}

enum Command {
    struct Failed: Error {
        var text: String
    }

    /// Runs a program to its end; what it prints, complaints included.
    @discardableResult
    static func run(
        _ name: String, _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> String {
        let (process, output, questions) = (Process(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: try program(name))
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        process.standardInput = questions
        process.standardOutput = output
        process.standardError = output
        try process.run()
        // Little enough for the pipe to hold.
        try questions.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try questions.fileHandleForWriting.close()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(text: "\(name) \(arguments): \(text)") }
        return text
    }

    static func program(_ name: String) throws -> String {
        let places = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        let found = places.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        return try #require(found, "no \(name) on this machine; Debian has it in etcd-server, etcd-client, openssl")
    }
}
