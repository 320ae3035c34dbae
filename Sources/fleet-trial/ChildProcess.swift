// One process that this one has started, and its end.
//
// posix_spawn and waitpid, not Foundation's Process: hundreds of those cost a descriptor and a callback each, and a
// signal must never go to an id that has been given to somebody else since. An id stays ours until we wait for it, and
// both happen under one lock.

import Glibc
import Synchronization

final class ChildProcess: Sendable {
    let id: pid_t
    /// How it ended, as wait(2) says it; nil until it was waited for.
    private let status = Mutex<Int32?>(nil)

    private init(id: pid_t) { self.id = id }

    /// Starts a program, found in PATH unless it has a slash, in a process group of its own: what a terminal sends goes
    /// to us alone.
    /// - Parameter output: becomes its stdout and stderr, and stays the caller's to close; nil: it has ours.
    static func start(_ program: String, _ arguments: [String], output: Int32?) throws -> ChildProcess {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        if let output {
            unsafe posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
            unsafe posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        }
        // What we ignore it should not.
        var defaults = sigset_t()
        unsafe sigfillset(&defaults)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        var blocked = sigset_t()
        unsafe sigemptyset(&blocked)
        unsafe posix_spawnattr_setsigmask(&attributes, &blocked)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

        var id: pid_t = 0
        let words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        let failure = unsafe posix_spawnp(&id, program, &actions, &attributes, words, environ)
        guard failure == 0 else {
            throw TrialFailure(
                description: "\(program) cannot be started: \(unsafe String(cString: strerror(failure)))")
        }
        return ChildProcess(id: id)
    }

    /// Sends a signal, unless the process has ended and been waited for.
    func signal(_ number: Int32) {
        status.withLock { status in
            if status == nil { _ = kill(id, number) }
        }
    }

    /// Whether it has ended; a process that has is waited for here.
    var hasEnded: Bool { reap() != nil }

    /// Waits for its end.
    /// - Returns: its exit code; 128 and the number of the signal that ended it.
    @discardableResult
    func exitCode() -> Int32 {
        awaitEnd()
        let status = reap() ?? 0
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
    }

    /// Ends it and waits until it is gone; a stopped one as well.
    func end() {
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
