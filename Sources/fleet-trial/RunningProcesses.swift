// All that a run has started, so that none outlives it: on success, on an error, on a signal.

import Foundation
import Glibc
import Synchronization

final class RunningProcesses: Sendable {
    private struct State {
        var processes: [ChildProcess] = []
        /// Nothing starts any more.
        var isOver = false
    }

    private let state = Mutex(State())
    /// For files of theirs; gone with them.
    let directory: URL

    private init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "fleet-trial-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    }

    /// - Returns: the process and the end of a pipe that all it writes comes from, which the caller closes.
    func start(_ program: String, _ arguments: [String]) throws -> (process: ChildProcess, output: Int32) {
        try state.withLock { state in
            guard !state.isOver else { throw TrialFailure(description: "the run is over") }
            var ends: [Int32] = [0, 0]
            guard unsafe pipe(&ends) == 0 else {
                throw TrialFailure(description: "no pipe for \(program); raise the limit of open files (ulimit -n)")
            }
            // No other process may hold a pipe open; one lock covers every start.
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            defer { _ = close(ends[1]) }
            do {
                let process = try ChildProcess.start(program, arguments, output: ends[1])
                state.processes.append(process)
                return (process, ends[0])
            } catch {
                _ = close(ends[0])
                throw error
            }
        }
    }

    /// Runs a program that writes where we do, to its end.
    /// - Returns: its exit code.
    func run(_ program: String, _ arguments: [String]) throws -> Int32 {
        let process = try state.withLock { state in
            guard !state.isOver else { throw TrialFailure(description: "the run is over") }
            let process = try ChildProcess.start(program, arguments, output: nil)
            state.processes.append(process)
            return process
        }
        let code = process.exitCode()
        forget(process)
        return code
    }

    /// What a program writes until it ends, and nil where it does not end well.
    func output(of program: String, _ arguments: [String]) throws -> String? {
        let (process, output) = try start(program, arguments)
        defer { _ = close(output) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(output, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer.prefix(count)
        }
        let isWell = process.exitCode() == 0
        forget(process)
        return isWell ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// Ends a process and forgets it.
    func end(_ process: ChildProcess) {
        process.end()
        forget(process)
    }

    /// Ends everything, for good.
    func endAll() {
        let processes = state.withLock { state in
            state.isOver = true
            return state.processes
        }
        // All are told before one is waited for.
        for process in processes { process.signal(SIGKILL) }
        for process in processes { process.end() }
        try? FileManager.default.removeItem(at: directory)
    }

    private func forget(_ process: ChildProcess) {
        state.withLock { $0.processes.removeAll { $0 === process } }
    }
}

extension RunningProcesses {
    /// Runs `body`, and ends all that it started whether it returns, throws or is interrupted by SIGINT, SIGTERM or
    /// SIGHUP; after a signal the process ends with 128 and its number.
    static func with<Result>(_ body: (RunningProcesses) async throws -> Result) async throws -> Result {
        let processes = try RunningProcesses()
        let sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                processes.endAll()
                exit(128 + number)
            }
            source.resume()
            return source
        }
        defer {
            // Over already: by a signal, and whoever heard it ends the process with its number.
            if processes.isOver { while true { pause() } }
            processes.endAll()
            for source in sources { source.cancel() }
        }
        return try await body(processes)
    }

    private var isOver: Bool { state.withLock { $0.isOver } }
}
