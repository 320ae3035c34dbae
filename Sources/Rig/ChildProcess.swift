// One process that this one has started, and its end.
//
// fork and waitpid, not Foundation's Process: hundreds of those cost a descriptor and a callback each, they outlive us
// when we are killed, and a signal must never go to an id that has been given to somebody else since. An id stays ours
// until we wait for it, and both happen under one lock.

import CProcess
package import Glibc
import Synchronization

package final class ChildProcess: Sendable {
    package let id: pid_t
    /// How it ended, as wait(2) says it; nil until it was waited for.
    private let status = Mutex<Int32?>(nil)

    private init(id: pid_t) { self.id = id }

    /// Starts a program, found in PATH unless it has a slash, in a process group of its own: what a terminal sends goes
    /// to us alone. It is killed when the calling thread ends (``RunningProcesses`` has one that lasts), unless it is given
    /// rights by its file, capabilities or another user: then the kernel drops the request as the program begins (prctl(2)).
    /// - Parameters:
    ///   - input: becomes its stdin, and stays the caller's to close; nil: it has none.
    ///   - output: becomes its stdout and stderr, and stays the caller's to close; nil: it has ours.
    static func start(
        _ program: String, _ arguments: [String], input: Int32? = nil, output: Int32?
    ) throws -> ChildProcess {
        let words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        let outcome = unsafe remora_start_process(program, words, input ?? -1, output ?? -1)
        guard outcome > 0 else {
            let reason = unsafe String(cString: strerror(Int32(-outcome)))
            throw RunFailure(description: "\(program) cannot be started: \(reason)")
        }
        return ChildProcess(id: pid_t(outcome))
    }

    /// Sends a signal, unless the process has ended and been waited for.
    package func signal(_ number: Int32) {
        status.withLock { status in
            if status == nil { _ = kill(id, number) }
        }
    }

    /// Whether it has ended; a process that has is waited for here.
    package var hasEnded: Bool { reap() != nil }

    /// Waits for its end.
    /// - Returns: its exit code; 128 and the number of the signal that ended it.
    @discardableResult
    package func exitCode() -> Int32 {
        awaitEnd()
        let status = reap() ?? 0
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
    }

    /// Ends it and waits until it is gone; a stopped one as well.
    package func end() {
        signal(SIGKILL)
        exitCode()
    }

    /// Not under the lock, or nobody could send it the signal that ends it; until it is reaped the id stays its own.
    private func awaitEnd() {
        var what = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(id), &what, WEXITED | WNOWAIT) == -1, errno == EINTR {}
    }

    /// - Returns: nil of a process that has not ended.
    private func reap() -> Int32? {
        status.withLock { status in
            guard status == nil else { return status }
            var word: Int32 = 0
            if unsafe waitpid(id, &word, WNOHANG) == id { status = word }
            return status
        }
    }
}
