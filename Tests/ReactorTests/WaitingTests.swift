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
        let former = unsafe signal(SIGUSR2) { _ in }
        defer { _ = unsafe signal(SIGUSR2, former) }
        for (milliseconds, hasRoom) in [(Int32(200), false), (20_000, true)] {
            // When it comes again and again to the thread that waits
            let waiter = Waiter()
            Thread {
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
            // Then it still waits for room, or for the end of its time
            if hasRoom { _ = unsafe read(reader, &bytes, bytes.count) }
            try #require(waiter.hasEnded.wait(timeout: .now() + .seconds(20)) == .success)
            #expect(waiter.outcome.withLock { $0 } == hasRoom)
        }
    }
}
