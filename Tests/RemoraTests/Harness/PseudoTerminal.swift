// A terminal that a test looks at and types on.

import Foundation
import Glibc
import Reactor
import Testing
import Vocabulary

final class PseudoTerminal {
    /// TIOCSPTLCK and TIOCGPTN of ioctl_tty(2), which Swift does not see: macros with a type in them.
    private static let (unlock, giveNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)

    private let controller: Int32
    private let terminal: Int32

    init(columns: UInt16, rows: UInt16) throws {
        controller = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var (lock, number): (Int32, UInt32) = (0, 0)
        let isUnlocked = unsafe ioctl(controller, Self.unlock, &lock) == 0
        let isNumbered = unsafe ioctl(controller, Self.giveNumber, &number) == 0
        try #require(isUnlocked && isNumbered)
        terminal = unsafe open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        try #require(terminal >= 0)
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        let isSized = unsafe ioctl(terminal, UInt(TIOCSWINSZ), &size) == 0
        try #require(isSized)
    }

    deinit {
        Kernel.close(terminal)
        Kernel.close(controller)
    }

    /// A `remora` whose standard streams are this terminal.
    final class Running {
        private let process: Process
        private let hasEnded = DispatchSemaphore(value: 0)

        fileprivate init(_ process: Process) throws {
            self.process = process
            process.terminationHandler = { [hasEnded] _ in hasEnded.signal() }
            try process.run()
        }

        /// Its exit code.
        func ending() throws -> Int32 {
            guard hasEnded.wait(timeout: .now() + .seconds(Int(patience.components.seconds))) == .success else {
                throw TooLate(description: "remora has not ended")
            }
            hasEnded.signal()
            return process.terminationStatus
        }

        func end() {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            _ = try? ending()
        }
    }

    func start(_ arguments: [String], environment: [String: String] = [:]) throws -> Running {
        let process = Process()
        process.executableURL = try RemoraProcess.binary()
        process.arguments = arguments
        let own = ProcessInfo.processInfo.environment.filter { $0.key != "NO_COLOR" }
        process.environment = own.merging(["TERM": "xterm"]) { $1 }.merging(environment) { $1 }
        let handle = FileHandle(fileDescriptor: terminal)
        process.standardInput = handle
        process.standardOutput = handle
        process.standardError = handle
        return try Running(process)
    }

    func type(_ text: String) { _ = unsafe write(controller, text, text.utf8.count) }

    /// What is shown up to and with `end`.
    func read(until end: String) throws -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1)
        let deadline = Kernel.now() + patience
        while true {
            guard Wait.until(controller, isReady: .toRead, deadline: deadline) else {
                throw TooLate(description: "\"\(end)\" did not come after \(String(decoding: bytes, as: UTF8.self))")
            }
            guard unsafe Glibc.read(controller, &buffer, 1) == 1 else {
                throw TooLate(description: "the terminal is gone after \(String(decoding: bytes, as: UTF8.self))")
            }
            bytes.append(buffer[0])
            if bytes.count >= end.utf8.count, bytes.suffix(end.utf8.count).elementsEqual(end.utf8) {
                return String(decoding: bytes, as: UTF8.self)
            }
        }
    }
}
