// A worker's timers: a hierarchical timing wheel (Varghese & Lauck, SOSP 1987, scheme 7).
//
// Four wheels of 256 slots, each slot a list. The hand is a number of ticks, read as bytes: byte 0 is the place
// on the innermost wheel, byte 1 on the next. A timer stands on the wheel of the highest byte in which its
// deadline differs from the hand, at the slot that byte of the deadline names, so always ahead of the hand on
// that wheel, and no slot holds two rounds. When the hand comes to a slot of an outer wheel, that slot's timers
// move inwards. Deadlines that differ above the fourth byte (49 days) wait in one list until the hand gets there.
//
// Timers are the indices of the worker's slab and carry their own links: scheduling and cancelling is a few
// stores in one preallocated block. A heap was not taken: connections move their deadline with every transfer
// and nearly always before it is due, which is a heap's worst case and a wheel's best.

/// Which timers are due, for timers numbered from zero; no clock of its own.
///
/// `schedule` and `cancel` are O(1). A timer moves inwards at most three times before it is popped (and once in 49
/// days before that), all those of one slot together; stretches of time without timers cost nothing, however
/// long. Nothing is allocated but by ``reserve(capacity:)``.
@safe
@usableFromInline
package struct TimerWheel: ~Copyable {
    @usableFromInline static var slotsPerWheel: Int { 256 }
    @usableFromInline static var wheels: Int { 4 }

    // The first nodes are the heads of the lists, the timers follow.
    @usableFromInline static var slots: UInt32 { 1024 }
    /// Of timers beyond the outermost wheel.
    @usableFromInline static var far: UInt32 { 1024 }
    /// Of timers ready to be popped.
    @usableFromInline static var due: UInt32 { 1025 }
    /// Of timers that were scheduled for the present or the past; they are due with the next `advance`.
    @usableFromInline static var late: UInt32 { 1026 }
    /// Of timers that are about to move inwards.
    @usableFromInline static var moving: UInt32 { 1027 }
    @usableFromInline static var firstTimer: UInt32 { 1028 }
    /// In place of a link: the timer is in no list.
    @usableFromInline static var unlinked: UInt32 { .max }

    /// 16 bytes. Lists are rings through their head, so that linking has no special cases.
    @usableFromInline
    struct Node {
        @usableFromInline var next: UInt32
        @usableFromInline var previous: UInt32
        @usableFromInline var deadline: UInt64

        @usableFromInline
        init(alone index: UInt32) {
            next = index
            previous = index
            deadline = 0
        }
    }

    /// How many timers there can be; their indices are below it.
    @usableFromInline package internal(set) var capacity: Int
    /// `firstTimer + capacity` nodes, all initialized.
    @usableFromInline var nodes: UnsafeMutablePointer<Node>
    /// A bit for every slot that is not empty, 64 to a word, the innermost wheel first.
    @usableFromInline var occupied = InlineArray<16, UInt64>(repeating: 0)
    /// Where `advance` has set the present.
    @usableFromInline var present: UInt64 = 0
    /// No timer is due, and no list has to be moved inwards, before this; `.max` where there is none.
    @usableFromInline var soonest = UInt64.max
    /// How far the wheels have turned; never beyond `present`. Every timer on a wheel is later than this.
    @usableFromInline var hand: UInt64 = 0

    package init(capacity: Int) {
        let count = TimerWheel.nodeCount(capacity: capacity)
        self.capacity = capacity
        unsafe nodes = .allocate(capacity: count)
        for index in 0..<TimerWheel.firstTimer {
            unsafe (nodes + Int(index)).initialize(to: Node(alone: index))
        }
        unsafe (nodes + Int(TimerWheel.firstTimer)).initialize(
            repeating: Node(alone: TimerWheel.unlinked), count: capacity)
    }

    deinit {
        unsafe nodes.deallocate()
    }

    /// Makes room for timers below `capacity`; never shrinks. O(capacity).
    package mutating func reserve(capacity: Int) {
        guard capacity > self.capacity else { return }
        let count = TimerWheel.nodeCount(capacity: capacity)
        let old = TimerWheel.nodeCount(capacity: self.capacity)
        let grown = UnsafeMutablePointer<Node>.allocate(capacity: count)
        unsafe grown.moveInitialize(from: nodes, count: old)
        unsafe (grown + old).initialize(repeating: Node(alone: TimerWheel.unlinked), count: count - old)
        unsafe nodes.deallocate()
        unsafe nodes = grown
        self.capacity = capacity
    }

    private static func nodeCount(capacity: Int) -> Int {
        precondition(capacity >= 0 && capacity < Int(unlinked - firstTimer), "timers are numbered by 32 bits")
        return Int(firstTimer) + capacity
    }
}

// MARK: - Scheduling

extension TimerWheel {
    /// Sets timer `index` to be due at `deadline`, in place of any deadline it had.
    ///
    /// A deadline that is not after the present is due with the next ``advance(to:)``, even one to the same tick,
    /// and not before: a timer that is popped and scheduled for now again cannot keep `popExpired` from ending.
    /// - Precondition: `index` is below ``capacity``.
    @inlinable
    package mutating func schedule(_ index: UInt32, at deadline: Tick) {
        let node = self.node(of: index)
        if unsafe nodes[Int(node)].next != TimerWheel.unlinked { unlink(node) }
        unsafe nodes[Int(node)].deadline = deadline.count
        soonest = min(soonest, max(present, deadline.count))
        if deadline.count <= present {
            append(node, to: TimerWheel.late)
        } else {
            place(node)
        }
    }

    /// Takes timer `index` out; nothing happens if it is not scheduled.
    /// - Precondition: `index` is below ``capacity``.
    @inlinable
    package mutating func cancel(_ index: UInt32) {
        let node = self.node(of: index)
        if unsafe nodes[Int(node)].next != TimerWheel.unlinked { unlink(node) }
    }

    /// Whether it will be popped; no longer true once it was.
    @inlinable
    package func isScheduled(_ index: UInt32) -> Bool {
        unsafe nodes[Int(node(of: index))].next != TimerWheel.unlinked
    }

    /// As it was scheduled; nil if it is not.
    @inlinable
    package func deadline(of index: UInt32) -> Tick? {
        let node = unsafe nodes[Int(node(of: index))]
        return node.next == TimerWheel.unlinked ? nil : Tick(node.deadline)
    }
}

// MARK: - Expiry

extension TimerWheel {
    /// Sets the present: timers whose deadline is not after `tick` are now due. O(1), the work is left to
    /// ``popExpired()``. A tick before the present is ignored.
    @inlinable
    package mutating func advance(to tick: Tick) {
        present = max(present, tick.count)
        splice(TimerWheel.late, onto: TimerWheel.due)
    }

    /// Takes out a timer that is due; nil once there is none.
    ///
    /// They come by deadline, those of one tick in no particular order; only those that were late when they were
    /// scheduled may come before earlier ones. The caller may stop after any number and go on later, before or
    /// after another `advance`.
    @inlinable
    package mutating func popExpired() -> UInt32? {
        if present < soonest { return nil }
        while isEmpty(TimerWheel.due) {
            let event = nextEvent()
            guard let event, event.start <= present else {
                hand = present
                soonest = isEmpty(TimerWheel.late) ? event?.start ?? .max : present
                return nil
            }
            turn(to: event)
        }
        let node = unsafe nodes[Int(TimerWheel.due)].next
        unlink(node)
        return node - TimerWheel.firstTimer
    }

    /// When to call `advance` and `popExpired` again: never after the earliest deadline, but maybe before it, when
    /// the slot of an outer wheel begins whose timers must move inwards, or when the earliest was cancelled. Not
    /// after the present if there is something to pop already; nil if no timer was scheduled since the last
    /// `popExpired` that found none.
    ///
    /// A bound that is kept, because a loop asks at every turn and a search of the wheels costs 300 instructions.
    @inlinable
    package var nextWakeUp: Tick? { soonest == .max ? nil : Tick(soonest) }

    /// A list and the tick at which its first timer may be due.
    @usableFromInline
    struct Event {
        @usableFromInline var list: UInt32
        @usableFromInline var start: UInt64

        @usableFromInline
        init(list: UInt32, start: UInt64) {
            self.list = list
            self.start = start
        }
    }

    /// The first list ahead of the hand. An inner wheel's timers all come before those of an outer one, since they
    /// share more leading bytes with the hand.
    @usableFromInline
    func nextEvent() -> Event? {
        for wheel in 0..<TimerWheel.wheels {
            let shift = UInt64(8 * wheel)
            if let slot = firstOccupied(of: wheel, after: Int(hand >> shift & 255)) {
                let round = hand & ~(1 << (shift + 8) - 1)
                return Event(
                    list: UInt32(wheel * TimerWheel.slotsPerWheel + slot), start: round | UInt64(slot) << shift)
            }
        }
        if isEmpty(TimerWheel.far) { return nil }
        return Event(list: TimerWheel.far, start: (hand >> 32 + 1) << 32)
    }

    @inlinable
    func firstOccupied(of wheel: Int, after position: Int) -> Int? {
        let first = position + 1
        guard first < TimerWheel.slotsPerWheel else { return nil }
        var mask = UInt64.max << UInt64(first % 64)
        for word in first / 64..<4 {
            let bits = occupied[wheel * 4 + word] & mask
            if bits != 0 { return word * 64 + bits.trailingZeroBitCount }
            mask = .max
        }
        return nil
    }

    /// Moves the hand to the first list ahead, and that list's timers to where they now belong.
    @usableFromInline
    mutating func turn(to event: Event) {
        hand = event.start
        if event.list < TimerWheel.slotsPerWheel {
            // On the innermost wheel the slot is the deadline.
            return splice(event.list, onto: TimerWheel.due)
        }
        // Not straight from the list: some of the far ones go back to it.
        splice(event.list, onto: TimerWheel.moving)
        while !isEmpty(TimerWheel.moving) {
            let node = unsafe nodes[Int(TimerWheel.moving)].next
            unlink(node)
            place(node)
        }
    }
}

// MARK: - Lists

extension TimerWheel {
    @inlinable
    func node(of index: UInt32) -> UInt32 {
        precondition(Int(index) < capacity, "no such timer")
        return index + TimerWheel.firstTimer
    }

    /// Puts a timer that is in no list where its deadline, which is not before the hand, belongs.
    @inlinable
    mutating func place(_ node: UInt32) {
        let deadline = unsafe nodes[Int(node)].deadline
        let differing = deadline ^ hand
        guard differing != 0 else { return append(node, to: TimerWheel.due) }
        let wheel = (63 - differing.leadingZeroBitCount) / 8
        guard wheel < TimerWheel.wheels else { return append(node, to: TimerWheel.far) }
        let slot = wheel * TimerWheel.slotsPerWheel + Int(deadline >> UInt64(8 * wheel) & 255)
        occupied[slot / 64] |= 1 << UInt64(slot % 64)
        append(node, to: UInt32(slot))
    }

    @inlinable
    func isEmpty(_ list: UInt32) -> Bool {
        unsafe nodes[Int(list)].next == list
    }

    @inlinable
    mutating func append(_ node: UInt32, to list: UInt32) {
        let last = unsafe nodes[Int(list)].previous
        unsafe nodes[Int(node)].next = list
        unsafe nodes[Int(node)].previous = last
        unsafe nodes[Int(last)].next = node
        unsafe nodes[Int(list)].previous = node
    }

    @inlinable
    mutating func unlink(_ node: UInt32) {
        let (next, previous) = unsafe (nodes[Int(node)].next, nodes[Int(node)].previous)
        unsafe nodes[Int(previous)].next = next
        unsafe nodes[Int(next)].previous = previous
        unsafe nodes[Int(node)].next = TimerWheel.unlinked
        // Both neighbours are the head: that was the list's last.
        if next == previous, next < TimerWheel.slots { vacate(next) }
    }

    /// Moves all of `list` to the end of `other`. O(1).
    @inlinable
    mutating func splice(_ list: UInt32, onto other: UInt32) {
        guard !isEmpty(list) else { return }
        let (first, last) = unsafe (nodes[Int(list)].next, nodes[Int(list)].previous)
        let before = unsafe nodes[Int(other)].previous
        unsafe nodes[Int(before)].next = first
        unsafe nodes[Int(first)].previous = before
        unsafe nodes[Int(last)].next = other
        unsafe nodes[Int(other)].previous = last
        unsafe nodes[Int(list)] = Node(alone: list)
        if list < TimerWheel.slots { vacate(list) }
    }

    @inlinable
    mutating func vacate(_ slot: UInt32) {
        occupied[Int(slot) / 64] &= ~(1 << UInt64(slot % 64))
    }
}
