// A bounded queue between two threads, one that writes and one that reads. Neither ever waits for the other: what finds
// it full is lost, and counted.

import Synchronization

/// A bounded queue with one writer and one reader.
///
/// `@unchecked`: slots are written before `tail` is released and read before `head` is.
@safe
final class BoundedRing<Element: Sendable>: @unchecked Sendable {
    let capacity: Int
    private let slots: UnsafeMutablePointer<Element>
    private let head = Atomic<Int>(0)
    private let tail = Atomic<Int>(0)
    private let lost = Atomic<UInt64>(0)

    /// - Parameter capacity: elements. Their memory becomes resident as it is first used.
    init(capacity: Int) {
        precondition(capacity > 0, "a ring without room loses everything")
        self.capacity = capacity
        unsafe slots = .allocate(capacity: capacity)
    }

    deinit {
        // Some hold text.
        while pop() != nil {}
        unsafe slots.deallocate()
    }

    /// - Parameter limit: how many there may be in it for this one to be taken.
    /// - Returns: how many the reader has still to take before this one; nil where this one is lost. At zero the reader
    ///   has to be woken: it empties the ring before it sleeps, so it may be asleep.
    /// - Precondition: only the one writer calls this.
    func push(_ element: Element, within limit: Int) -> Int? {
        let end = tail.load(ordering: .relaxed)
        let begin = head.load(ordering: .sequentiallyConsistent)
        guard end - begin < min(limit, capacity) else {
            lost.add(1, ordering: .relaxed)
            return nil
        }
        unsafe (slots + end % capacity).initialize(to: element)
        tail.store(end + 1, ordering: .sequentiallyConsistent)
        return end - head.load(ordering: .sequentiallyConsistent)
    }

    /// - Precondition: only the one reader calls this.
    func pop() -> Element? {
        let begin = head.load(ordering: .relaxed)
        guard begin < tail.load(ordering: .sequentiallyConsistent) else { return nil }
        let element = unsafe (slots + begin % capacity).move()
        head.store(begin + 1, ordering: .sequentiallyConsistent)
        return element
    }

    /// - Precondition: only the one reader calls this. What comes after the answer "empty" wakes it.
    var isEmpty: Bool { head.load(ordering: .relaxed) >= tail.load(ordering: .sequentiallyConsistent) }

    /// How many found the ring full since this was last asked.
    func takeLost() -> UInt64 { lost.exchange(0, ordering: .relaxed) }
}
