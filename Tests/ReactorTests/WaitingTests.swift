// Waiting for one descriptor, and what may come between.

import Dispatch
import Foundation
import Glibc
import Reactor
import Synchronization
import Testing
import Vocabulary

@Suite("Waiting for a descriptor")
struct WaitingTests {
    /// Signals that were caught.
    private static let caught = Atomic<Int>(0)

    /// What the thread that waits says of itself.
    private final class Waiter: Sendable {
        let thread = Mutex<pthread_t?>(nil)
        let outcome = Mutex<Bool?>(nil)
        let hasBegun = DispatchSemaphore(value: 0)
        let hasEnded = DispatchSemaphore(value: 0)
    }

    @Test("Signals that come while a full pipe is waited for do not cut the wait short, nor make it longer")
    func signals() throws {
        // Given a pipe without room, and a signal that is caught
        var ends: [Int32] = [-1, -1]
        try #require(unsafe pipe(&ends) == 0)
        defer { for end in ends { Kernel.close(end) } }
        let (reader, writer) = (ends[0], ends[1])
        try #require(fcntl(writer, F_SETFL, O_NONBLOCK) == 0)
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        while unsafe write(writer, &bytes, bytes.count) > 0 {}
        let former = signal(SIGUSR2) { _ in WaitingTests.caught.add(1, ordering: .relaxed) }
        defer { _ = signal(SIGUSR2, former) }
        for (milliseconds, hasRoom) in [(Int32(200), false), (20_000, true)] {
            // When it comes again and again to the thread that waits
            let waiter = Waiter()
            Thread {
                // Whoever started this process may have blocked it.
                var signals = sigset_t()
                unsafe sigemptyset(&signals)
                unsafe sigaddset(&signals, SIGUSR2)
                unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
                waiter.thread.withLock { $0 = pthread_self() }
                waiter.hasBegun.signal()
                let outcome = Kernel.waitToWrite(writer, milliseconds: milliseconds)
                waiter.outcome.withLock { $0 = outcome }
                waiter.hasEnded.signal()
            }.start()
            waiter.hasBegun.wait()
            for _ in 0..<20 {
                // Until it has ended it is there to be told.
                guard waiter.hasEnded.wait(timeout: .now() + .milliseconds(5)) == .timedOut else {
                    waiter.hasEnded.signal()
                    break
                }
                waiter.thread.withLock { thread in if let thread { _ = pthread_kill(thread, SIGUSR2) } }
            }
            #expect(Self.caught.exchange(0, ordering: .relaxed) > 0)
            // Then it still waits for room, or for the end of its time
            if hasRoom { _ = unsafe read(reader, &bytes, bytes.count) }
            try #require(waiter.hasEnded.wait(timeout: .now() + .seconds(20)) == .success)
            #expect(waiter.outcome.withLock { $0 } == hasRoom)
        }
    }
}
