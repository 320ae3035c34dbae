import Testing
import Vocabulary

@testable import Stores

@Suite("When a file may be read")
struct FileSettlingTests {
    private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

    private func stamp(inode: UInt64 = 1, size: Int64 = 10, modified: Double) -> FileStamp {
        let time = Duration.milliseconds(Int64(modified * 1000))
        return FileStamp(device: 1, inode: inode, size: size, modified: time, changed: time)
    }

    @Test("One that was written long ago is read at once, and not again")
    func old() {
        var settling = FileSettling()
        #expect(settling.look(stamp(modified: 10), at: at(0), clock: .seconds(1000)) == .read)
        // Still to be read, where that failed
        #expect(settling.look(stamp(modified: 10), at: at(0), clock: .seconds(1000)) == .read)
        settling.didRead(stamp(modified: 10))
        #expect(settling.look(stamp(modified: 10), at: at(1), clock: .seconds(1001)) == .unchanged)
    }

    @Test("One that is being written is left alone until it has been still for a while")
    func writing() {
        var settling = FileSettling()
        for step in 0..<20 {
            let time = Double(step) * 0.1
            let grown = stamp(size: Int64(step), modified: 1000 + time)
            #expect(settling.look(grown, at: at(time), clock: .milliseconds(1_000_000 + step * 100)) == .wait)
        }
        let last = stamp(size: 19, modified: 1001.9)
        #expect(settling.look(last, at: at(2.1), clock: .milliseconds(1_002_100)) == .wait)
        #expect(settling.look(last, at: at(2.15), clock: .milliseconds(1_002_150)) == .read)
    }

    @Test("A time of day that is wrong delays a reading, and prevents none")
    func wrongClock() {
        var settling = FileSettling()
        let future = stamp(modified: 5000)
        #expect(settling.look(future, at: at(0), clock: .seconds(1000)) == .wait)
        #expect(settling.look(future, at: at(0.25), clock: .seconds(1000)) == .read)
    }

    @Test("Another file in its place is read, whatever its size and time; one that came back too")
    func replaced() {
        var settling = FileSettling()
        settling.didRead(stamp(modified: 10))
        #expect(settling.look(stamp(inode: 2, modified: 10), at: at(1), clock: .seconds(1000)) == .read)
        settling.didRead(stamp(inode: 2, modified: 10))
        #expect(settling.look(nil, at: at(2), clock: .seconds(1001)) == .absent)
        #expect(settling.look(stamp(inode: 2, modified: 10), at: at(3), clock: .seconds(1002)) == .read)
    }
}
