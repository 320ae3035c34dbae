// Waiting for events, to the nanosecond.

import Glibc
import Synchronization
import Testing
import Vocabulary

@testable import Reactor

@Suite("Poller")
struct PollerTests {
    /// What a sandbox has the kernel do for one thread and those that it starts: refuse epoll_pwait2(2) with EPERM, as
    /// filters do that were written before it.
    private enum Filter {
        /// sock_filter and sock_fprog of linux/filter.h, which Swift's Glibc does not have.
        private struct Instruction {
            var code: UInt16
            var ifTrue: UInt8 = 0
            var ifFalse: UInt8 = 0
            var operand: UInt32
        }
        private struct Program {
            var count: UInt16
            /// Their address.
            var instructions: UInt
        }

        /// Of any processor that has come since 2011.
        private static let epollPwait2: UInt32 = 441

        /// - Returns: whether the calling thread has it now; for good.
        static func refuse() -> Bool {
            // prctl(2) is variadic, which Swift does not import.
            typealias Call = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
            guard let symbol = unsafe dlsym(nil, "prctl") else { return false }
            let prctl = unsafe unsafeBitCast(symbol, to: Call.self)
            let (load, jumpIfEqual, answer): (UInt16, UInt16, UInt16) = (0x20, 0x15, 0x06)
            let instructions = [
                // The number of the call.
                Instruction(code: load, operand: 0),
                Instruction(code: jumpIfEqual, ifFalse: 1, operand: epollPwait2),
                Instruction(code: answer, operand: 0x0005_0000 | UInt32(EPERM)),
                Instruction(code: answer, operand: 0x7FFF_0000),
            ]
            return unsafe instructions.withUnsafeBufferPointer { instructions in
                guard let base = instructions.baseAddress else { return false }
                var program = Program(count: UInt16(instructions.count), instructions: UInt(bitPattern: base))
                return unsafe withUnsafeBytes(of: &program) { program in
                    let address = UInt(bitPattern: program.baseAddress)
                    // PR_SET_NO_NEW_PRIVS, and PR_SET_SECCOMP with a filter.
                    return prctl(38, 1, 0, 0, 0) == 0 && prctl(22, 2, address, 0, 0) == 0
                }
            }
        }
    }

    @Test(
        "A wait takes its time where a sandbox does not know the precise call, and does not spin",
        arguments: [false, true])
    func wait(isFiltered: Bool) throws {
        let outcome = Mutex<(isFiltered: Bool, took: Duration)?>(nil)
        let limit = Duration.microseconds(20_500)
        let thread = KernelThread.start(name: "waiter") {
            guard let poller = try? Poller() else { return }
            let isRefused = isFiltered && Filter.refuse()
            let began = Kernel.now()
            _ = poller.wait(atMost: limit)
            let took = Kernel.now() - began
            outcome.withLock { $0 = (isRefused, took) }
        }
        thread.join()
        let found = try #require(outcome.withLock { $0 })
        #expect(found.isFiltered == isFiltered)
        #expect(found.took >= limit)
    }
}
