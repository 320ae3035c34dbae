// What a process that holds keys leaves of them when it crashes.

import Glibc
import Testing

@testable import Reactor

@Suite("Core dumps")
struct CoreDumpTests {
    /// In a process of its own, as it is for good.
    @Test("A process that forbids core dumps is given to no file and to no program, and can still look at itself")
    func forbidden() async {
        await #expect(processExitsWith: .exitCode(7)) {
            // Given a process that would be dumped
            guard Kernel.isDumpable else { exit(1) }
            // When it forbids that, twice, as a second time has to be harmless
            try Kernel.forbidCoreDumps()
            try Kernel.forbidCoreDumps()
            // Then the kernel hands its memory to nobody
            guard !Kernel.isDumpable else { exit(2) }
            // And a program that it starts, which is dumpable again, inherits that there is room for no file
            var limit = rlimit(rlim_cur: .max, rlim_max: .max)
            guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0, limit.rlim_cur == 0,
                limit.rlim_max == 0
            else { exit(3) }
            // And it finds its own descriptors as before
            guard unsafe access("/proc/self/fd/2", F_OK) == 0 else { exit(4) }
            exit(7)
        }
    }
}
