// The heap against a dictionary that is searched whole.

import Gossip
import Testing
import Vocabulary

@Suite("Deadlines of members")
struct DeadlineHeapTests {
    private func member(_ index: UInt32) -> MemberID { MemberID(index: index) }
    private func second(_ second: Int) -> Instant { Instant(nanoseconds: Int64(second) * 1_000_000_000) }

    @Test("Equal deadlines come in the order of the members' numbers, whatever the order they were set in")
    func ties() {
        for order in [[3, 1, 2], [1, 2, 3], [2, 3, 1], [3, 2, 1]] as [[UInt32]] {
            var heap = DeadlineHeap()
            for index in order { heap.update(member(index), to: second(5)) }
            var popped: [UInt32] = []
            while let next = heap.popDue(at: second(5)) { popped.append(next.index) }
            #expect(popped == [1, 2, 3])
        }
    }

    @Test("What is not due stays, and due is from the deadline's own moment on")
    func dueness() {
        var heap = DeadlineHeap()
        heap.update(member(1), to: Instant(nanoseconds: 10))
        let early = heap.popDue(at: Instant(nanoseconds: 9))
        #expect(early == nil)
        #expect(heap.earliest == Instant(nanoseconds: 10))
        let due = heap.popDue(at: Instant(nanoseconds: 10))
        #expect(due == member(1))
        #expect(heap.isEmpty && heap.earliest == nil && heap.deadline(of: member(1)) == nil)
    }

    @Test("Setting, moving, withdrawing and popping agree with a search of all", arguments: Seeds.sample)
    func againstModel(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var heap = DeadlineHeap()
        var model: [UInt32: Instant] = [:]
        func first() -> (member: UInt32, deadline: Instant)? {
            model.min { ($0.value, $0.key) < ($1.value, $1.key) }.map { ($0.key, $0.value) }
        }
        for step in 0..<20_000 {
            // Few and many by turns, so that the heap empties and gives its room back now and then.
            let isFilling = step / 1_000 % 2 == 0
            let index = random.below(300)
            switch random.below(10) {
            case 0..<(isFilling ? 7 : 2):
                let deadline = second(Int(random.below(50)))
                heap.update(member(index), to: deadline)
                model[index] = deadline
            case 7, 8:
                heap.remove(member(index))
                model[index] = nil
            default:
                let now = second(Int(random.below(60)))
                let due = first().flatMap { $0.deadline <= now ? $0.member : nil }
                let popped = heap.popDue(at: now)
                #expect(popped?.index == due)
                if let due { model[due] = nil }
            }
            #expect(heap.count == model.count)
            #expect(heap.earliest == first()?.deadline)
            #expect(heap.deadline(of: member(index)) == model[index])
        }
        var popped: [UInt32] = []
        while let next = heap.popDue(at: second(60)) { popped.append(next.index) }
        #expect(popped == model.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map(\.key))
    }
}
