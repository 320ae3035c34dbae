// What a process is given that this one starts.

import Glibc
import Reactor
import Testing

@testable import Rig

@Suite("Processes of a run")
struct ChildProcessTests {
    /// What the descriptors of a child lead to that has this stdin.
    private static func descriptors(input: Int32?) throws -> [Substring] {
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { Kernel.close(ends[0]) }
        let child = try ChildProcess.start(
            "sh", ["-c", "exec readlink /proc/self/fd/*"], input: input, output: ends[1])
        Kernel.close(ends[1])
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = unsafe read(ends[0], &buffer, buffer.count), count > 0 { bytes += buffer.prefix(count) }
        child.exitCode()
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }

    @Test("A child without an input has /dev/null for it, once")
    func noInput() throws {
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        defer { for end in ends { Kernel.close(end) } }
        // What this process lets every child have may be among them.
        let others = try Self.descriptors(input: ends[0]).count { $0 == "/dev/null" }
        let found = try Self.descriptors(input: nil)
        #expect(found.first == "/dev/null")
        #expect(found.count { $0 == "/dev/null" } == others + 1)
    }
}
