// What readers of logs take from the process, and give back.

import Foundation
import Glibc
import Reactor
import Testing

@testable import Rig

@Suite("Readers of logs")
struct LogReaderTests {
    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(unsafe Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    /// Whether nobody can read what is written there.
    private static func isAbandoned(_ writeEnd: Int32) -> Bool {
        var polled = pollfd(fd: writeEnd, events: 0, revents: 0)
        return unsafe poll(&polled, 1, 0) == 1 && Int32(polled.revents) & POLLERR != 0
    }

    @Test("Lines are kept as they are written, and at its end a reader closes what it reads and what comes later")
    func end() async throws {
        let reader = try LogReader()
        let (first, second) = (try Self.pipe(), try Self.pipe())
        defer { for end in [first.write, second.write] { Kernel.close(end) } }
        reader.adopt(first.read, of: 7)
        let line = Array("2026-01-02T03:04:05.678Z info member s001 is suspect\n".utf8)
        _ = unsafe write(first.write, line, line.count)
        let took = try await Patience.wait(.seconds(20)) { reader.count == 1 }
        #expect(took != nil && reader.sightings().first?.observer == 7)
        #expect(!Self.isAbandoned(first.write))
        reader.stop()
        reader.adopt(second.read, of: 8)
        #expect(Self.isAbandoned(first.write) && Self.isAbandoned(second.write))
    }

    @Test("A reader that has ended has no descriptor left")
    func descriptors() throws {
        let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        for _ in 0..<50 { try LogReader().stop() }
        // Others may have opened a few meanwhile.
        #expect(try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count < before + 50)
    }
}
