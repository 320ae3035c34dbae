// Kernel threads for event loops: Swift's tasks move between threads, an epoll set must not.

import Glibc
import Synchronization

/// A thread with a name. Whoever starts it joins it or lets go of this: then the thread goes on, and what the kernel and the
/// C library keep for it (its stack's addresses, 8 MiB) goes when it ends.
package final class KernelThread: Sendable {
    private let handle: pthread_t
    private let isJoined = Atomic(false)

    private final class Errand {
        let name: String
        let body: () -> Void
        init(name: String, body: @escaping () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Runs `body` on a new thread.
    /// - Parameter name: for ps(1) and debuggers; 15 bytes are shown.
    @discardableResult
    package static func start(name: String, _ body: @escaping @Sendable () -> Void) -> KernelThread {
        let errand = unsafe Unmanaged.passRetained(Errand(name: name, body: body))
        var handle = pthread_t()
        let failure = unsafe pthread_create(
            &handle, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let errand = unsafe Unmanaged<Errand>.fromOpaque(argument).takeRetainedValue()
                Kernel.nameThread(errand.name)
                errand.body()
                return nil
            }, errand.toOpaque())
        precondition(failure == 0, "the system gives no thread: \(SystemError(code: failure))")
        return KernelThread(handle: handle)
    }

    private init(handle: pthread_t) { self.handle = handle }

    deinit {
        if !isJoined.load(ordering: .relaxed) { pthread_detach(handle) }
    }

    /// Waits for its end; to be called once, from another thread.
    package func join() {
        let wasJoined = isJoined.exchange(true, ordering: .relaxed)
        precondition(!wasJoined, "a thread is joined once")
        pthread_join(handle, nil)
    }
}
