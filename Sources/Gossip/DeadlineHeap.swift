// Deadlines of members, the earliest at hand. A partition makes thousands at once, and most are moved or withdrawn
// before they come.
//
// A binary heap of slots, and an index from member to slot. Sifting exchanges slots and hashes nothing. Not taken:
// leaving withdrawn deadlines in the heap until they surface, which wakes the core for nothing.

package import Vocabulary

/// At most one deadline for each member, popped in their order; equal ones in the order of the members' numbers.
package struct DeadlineHeap: Sendable {
    /// Slots, each no later than the two at twice its position and one or two.
    private var heap: [UInt32] = []
    private var slots: [Slot] = []
    /// Slots without a deadline, to be used again.
    private var free: [UInt32] = []
    /// Looked up, never walked.
    private var index: [MemberID: UInt32] = [:]

    private struct Slot {
        var deadline: Instant
        var member: MemberID
        /// In `heap`.
        var position: UInt32

        func precedes(_ other: Slot) -> Bool {
            deadline == other.deadline ? member.index < other.member.index : deadline < other.deadline
        }
    }

    /// Room beyond this is given back when the last deadline goes.
    private static let keptRoom = 64

    package init() {}

    package var count: Int { heap.count }
    package var isEmpty: Bool { heap.isEmpty }

    /// The first deadline to come.
    package var earliest: Instant? { heap.first.map { slots[Int($0)].deadline } }

    package func deadline(of member: MemberID) -> Instant? {
        index[member].map { slots[Int($0)].deadline }
    }

    /// Sets a member's deadline, or moves it.
    /// - Complexity: O(log count); allocates only beyond the most deadlines there have been.
    package mutating func update(_ member: MemberID, to deadline: Instant) {
        if let slot = index[member] {
            slots[Int(slot)].deadline = deadline
            settle(at: Int(slots[Int(slot)].position))
            return
        }
        let new = Slot(deadline: deadline, member: member, position: UInt32(heap.count))
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
            slots[Int(slot)] = new
        } else {
            slot = UInt32(slots.count)
            slots.append(new)
        }
        index[member] = slot
        heap.append(slot)
        settle(at: heap.count - 1)
    }

    /// Withdraws a member's deadline, if it has one.
    /// - Complexity: O(log count).
    package mutating func remove(_ member: MemberID) {
        guard let slot = index.removeValue(forKey: member) else { return }
        let position = Int(slots[Int(slot)].position)
        free.append(slot)
        let last = heap.removeLast()
        if position < heap.count {
            place(last, at: position)
            settle(at: position)
        }
        if heap.isEmpty { giveBackRoom() }
    }

    /// Takes out the first member whose deadline is `now` or before.
    /// - Complexity: O(log count).
    package mutating func popDue(at now: Instant) -> MemberID? {
        guard let first = heap.first, slots[Int(first)].deadline <= now else { return nil }
        let member = slots[Int(first)].member
        remove(member)
        return member
    }
}

// MARK: - The heap

extension DeadlineHeap {
    private mutating func place(_ slot: UInt32, at position: Int) {
        heap[position] = slot
        slots[Int(slot)].position = UInt32(position)
    }

    /// Moves what is at a position up or down to where it belongs.
    private mutating func settle(at start: Int) {
        let slot = heap[start]
        let item = slots[Int(slot)]
        var position = start
        while position > 0 {
            let parent = heap[(position - 1) / 2]
            guard item.precedes(slots[Int(parent)]) else { break }
            place(parent, at: position)
            position = (position - 1) / 2
        }
        while let child = earlierChild(of: position), slots[Int(heap[child])].precedes(item) {
            place(heap[child], at: position)
            position = child
        }
        place(slot, at: position)
    }

    private func earlierChild(of position: Int) -> Int? {
        let left = 2 * position + 1
        guard left < heap.count else { return nil }
        let right = left + 1
        guard right < heap.count else { return left }
        return slots[Int(heap[right])].precedes(slots[Int(heap[left])]) ? right : left
    }

    private mutating func giveBackRoom() {
        guard slots.count > DeadlineHeap.keptRoom else { return }
        self = DeadlineHeap()
    }
}
