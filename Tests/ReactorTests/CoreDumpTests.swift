// What a process that holds keys leaves of them when it crashes.

import Glibc
import Testing

@testable import Reactor

@Suite("Core dumps")
struct CoreDumpTests {
    /// It is for good, so the process of these tests is undumpable from here on, which none of the others minds.
    @Test("A process that forbids core dumps is given to no file and to no program, and can still look at itself")
    func forbidden() throws {
        // Given a process that would be dumped
        #expect(Kernel.isDumpable)
        // When it forbids that, twice, as a second time has to be harmless
        try Kernel.forbidCoreDumps()
        try Kernel.forbidCoreDumps()
        // Then the kernel hands its memory to nobody
        #expect(!Kernel.isDumpable)
        // And a program that it starts, which is dumpable again, inherits that there is room for no file
        var limit = rlimit(rlim_cur: .max, rlim_max: .max)
        #expect(unsafe getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0)
        #expect(limit.rlim_cur == 0 && limit.rlim_max == 0)
        // And it finds its own descriptors as before
        #expect(unsafe access("/proc/self/fd/2", F_OK) == 0)
    }
}
