// All that a run has started, so that none outlives it: on success, on an error, on a signal; and where the run itself
// is killed, as all are started by one thread that lasts as long as it (``ChildProcess``).

package import Foundation
import Glibc
import Reactor
import Synchronization

package final class RunningProcesses: Sendable {
    private struct State {
        var processes: [ChildProcess] = []
        /// For files of theirs; nil while nobody has asked for it.
        var directory: URL?
        /// Nothing starts any more.
        var isOver = false
    }

    private let state = Mutex(State())
    private let starter = Starter()

    private init() {}

    /// For files of theirs; gone with them.
    package func directory() throws -> URL {
        try state.withLock { state in
            if let directory = state.directory { return directory }
            let name = "remora-run-\(UUID().uuidString)"
            let directory = FileManager.default.temporaryDirectory.appending(path: name)
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
            state.directory = directory
            return directory
        }
    }

    /// - Parameter input: all that its stdin says, 4,096 bytes at most: what a pipe is sure to hold.
    /// - Returns: the process and the end of a pipe that all it writes comes from, which the caller closes.
    package func start(
        _ program: String, _ arguments: [String], input: [UInt8] = []
    ) throws -> (process: ChildProcess, output: Int32) {
        precondition(input.count <= Int(PIPE_BUF), "a longer input would wait for its reader")
        return try state.withLock { state in
            guard !state.isOver else { throw RunFailure(description: "the run is over") }
            let said = try Self.pipe(for: program)
            defer { _ = close(said.read) }
            _ = unsafe write(said.write, input, input.count)
            _ = close(said.write)
            let heard = try Self.pipe(for: program)
            defer { _ = close(heard.write) }
            do {
                let process = try starter.start(program, arguments, input: said.read, output: heard.write)
                state.processes.append(process)
                return (process, heard.read)
            } catch {
                _ = close(heard.read)
                throw error
            }
        }
    }

    /// No other process may hold an end open; one lock covers every start.
    private static func pipe(for program: String) throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard unsafe Glibc.pipe(&ends) == 0 else {
            throw RunFailure(description: "no pipe for \(program); raise the limit of open files (ulimit -n)")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// Runs a program that writes where we do, to its end.
    /// - Returns: its exit code.
    package func run(_ program: String, _ arguments: [String]) throws -> Int32 {
        let process = try state.withLock { state in
            guard !state.isOver else { throw RunFailure(description: "the run is over") }
            let process = try starter.start(program, arguments, input: nil, output: nil)
            state.processes.append(process)
            return process
        }
        let code = process.exitCode()
        forget(process)
        return code
    }

    /// What a program writes until it ends, and nil where it does not end well.
    package func output(of program: String, _ arguments: [String]) throws -> String? {
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
    package func end(_ process: ChildProcess) {
        process.end()
        forget(process)
    }

    /// Ends everything, for good.
    private func endAll() {
        let (processes, directory) = state.withLock { state in
            state.isOver = true
            return (state.processes, state.directory)
        }
        // All are told before one is waited for.
        for process in processes { process.signal(SIGKILL) }
        for process in processes { process.end() }
        if let directory { try? FileManager.default.removeItem(at: directory) }
        starter.end()
    }

    private func forget(_ process: ChildProcess) {
        state.withLock { $0.processes.removeAll { $0 === process } }
    }
}

extension RunningProcesses {
    /// Runs `body`, and ends all that it started whether it returns, throws or is interrupted by SIGINT, SIGTERM or
    /// SIGHUP.
    /// - Parameter interrupted: told the signal's number once all have ended; what it answers is the exit code of this
    ///   process, which ends then.
    package static func with<Result>(
        interrupted: @escaping @Sendable (Int32) -> Int32 = { 128 + $0 },
        _ body: (RunningProcesses) async throws -> Result
    ) async throws -> Result {
        let processes = RunningProcesses()
        let sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                processes.endAll()
                exit(interrupted(number))
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

/// The thread that starts the processes of a run, one at a time: they are killed when it ends.
private final class Starter: Sendable {
    private let errands = Mutex<[@Sendable () -> Bool]>([])
    private let isAsked = DispatchSemaphore(value: 0)

    init() {
        KernelThread.start(name: "starter") { [self] in
            var goesOn = true
            while goesOn {
                isAsked.wait()
                goesOn = errands.withLock { $0.removeFirst() }()
            }
        }
    }

    func start(_ program: String, _ arguments: [String], input: Int32?, output: Int32?) throws -> ChildProcess {
        let answer = Answer()
        ask {
            answer.give(
                Result { try ChildProcess.start(program, arguments, input: input, output: output) })
            return true
        }
        return try answer.take()
    }

    func end() { ask { false } }

    private func ask(_ errand: @escaping @Sendable () -> Bool) {
        errands.withLock { $0.append(errand) }
        isAsked.signal()
    }

    private final class Answer: Sendable {
        private let result = Mutex<Result<ChildProcess, any Error>?>(nil)
        private let isThere = DispatchSemaphore(value: 0)

        func give(_ result: Result<ChildProcess, any Error>) {
            self.result.withLock { $0 = result }
            isThere.signal()
        }

        func take() throws -> ChildProcess {
            isThere.wait()
            guard let result = result.withLock({ $0 }) else { preconditionFailure("a signal without an answer") }
            return try result.get()
        }
    }
}
