// Whose handshake is next: by turns, in order, within bounds.

import Testing
import Vocabulary

@testable import Proxy

@Suite("Handshake queue")
struct HandshakeQueueTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    @Test("A line gives back what it was given, in order, however long it gets")
    func line() {
        var line = Line<Int>()
        var (given, taken) = (0, 0)
        var random = SeededRandom(seed: 3)
        for _ in 0..<20_000 {
            if Bool.random(using: &random) || given < 3000 {
                line.append(given)
                given += 1
            } else if let first = line.popFirst() {
                #expect(first == taken)
                taken += 1
            }
            #expect(line.count == given - taken)
        }
        while let first = line.popFirst() {
            #expect(first == taken)
            taken += 1
        }
        #expect(taken == given && line.isEmpty && line.first == nil)
    }

    @Test("Hellos and handshakes under way are served by turns, each in its order")
    func turns() {
        var queue = HandshakeQueue(startsPerSecond: 100)
        for index in 0..<3 { queue.append(.client(UInt32(index)), isStart: true) }
        for index in 10..<13 { queue.append(.client(UInt32(index)), isStart: false) }
        var served: [UInt32] = []
        while let slot = queue.next(at: start) { served.append(slot.index) }
        #expect(served == [10, 0, 11, 1, 12, 2])
        #expect(queue.isEmpty)
    }

    @Test("Hellos beyond those of a second wait for the next, and those under way do not")
    func perSecond() {
        var queue = HandshakeQueue(startsPerSecond: 2)
        for index in 0..<4 { queue.append(.client(UInt32(index)), isStart: true) }
        for expected in 0..<2 {
            #expect(queue.next(at: start)?.index == UInt32(expected))
            queue.hasStarted()
        }
        #expect(queue.next(at: start) == nil)
        #expect(queue.patience(at: start + .milliseconds(400)) == .milliseconds(600))
        queue.append(.server(9), isStart: false)
        #expect(queue.patience(at: start) == .zero)
        #expect(queue.next(at: start) == .server(9))
        #expect(queue.next(at: start + .seconds(1))?.index == 2)
        queue.hasStarted()
        #expect(queue.count == 1)
    }

    @Test("A hello whose client has gone does not count for the second")
    func gone() {
        var queue = HandshakeQueue(startsPerSecond: 1)
        for index in 0..<3 { queue.append(.client(UInt32(index)), isStart: true) }
        #expect(queue.next(at: start)?.index == 0)
        #expect(queue.next(at: start)?.index == 1)
        queue.hasStarted()
        #expect(queue.next(at: start) == nil)
    }

    @Test("An empty queue has nothing to wait for")
    func empty() {
        var queue = HandshakeQueue(startsPerSecond: 1)
        #expect(queue.patience(at: start) == nil)
        #expect(queue.next(at: start) == nil)
    }
}
