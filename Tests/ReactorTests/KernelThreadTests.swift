import Foundation
import Reactor
import Synchronization
import Testing

@Suite("Threads")
struct KernelThreadTests {
    private final class Count: Sendable {
        let value = Atomic(0)
    }

    @Test("Threads that nobody joins leave no stack behind")
    func letGo() throws {
        let before = try addressSpace()
        let ended = Count()
        for started in 1...200 {
            KernelThread.start(name: "let go") { ended.value.add(1, ordering: .releasing) }
            while ended.value.load(ordering: .acquiring) < started { usleep(100) }
        }
        // 200 stacks are 1,600 MiB; the C library keeps 40 MiB of them for the next threads.
        #expect(try addressSpace() - before < 400 << 20)
    }

    @Test("Who joins a thread goes on behind its end")
    func joined() {
        let ended = Count()
        KernelThread.start(name: "joined") {
            usleep(20_000)
            ended.value.add(1, ordering: .relaxed)
        }.join()
        #expect(ended.value.load(ordering: .relaxed) == 1)
    }

    /// Bytes of addresses that this process has.
    private func addressSpace() throws -> Int {
        let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ").first
        return try #require(pages.flatMap { Int($0) }) * 4096
    }
}
