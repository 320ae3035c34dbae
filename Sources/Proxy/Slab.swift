// Plain values by number, in address space that is reserved once and becomes
// resident as it is used: an element never moves, so its index can travel
// through epoll, and growing costs nothing at the moment it happens.

import Glibc
import Vocabulary

/// Address space for a fixed number of elements; pages become resident when first touched.
@safe
struct Reservation<Element>: ~Copyable {
    /// First of all: under ThreadSanitizer the compiler (6.3.1) takes the first word of what an addressor belongs to
    /// for an address, and dies where it is none.
    private let base: UnsafeMutablePointer<Element>
    let capacity: Int

    /// - Parameter capacity: elements; there is room for one at least.
    /// - Precondition: `Element` is plain memory, and all zeroes is one of its values.
    init(capacity wanted: Int) {
        precondition(_isPOD(Element.self), "nothing here would count its references")
        capacity = max(1, wanted)
        let bytes = capacity * MemoryLayout<Element>.stride
        unsafe base = AddressSpace.reserve(bytes: bytes, for: "connections")
            .bindMemory(to: Element.self, capacity: capacity)
    }

    deinit { unsafe AddressSpace.release(base, bytes: capacity * MemoryLayout<Element>.stride) }

    subscript(index: UInt32) -> Element {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(address(of: index)) }
        // Nonmutating, so that one element can be changed while the owner changes something else.
        @inline(__always) nonmutating unsafeMutableAddress { unsafe address(of: index) }
    }

    /// An element as bytes.
    ///
    /// Passing a large element `inout` to get at its bytes crashes the compiler (6.3.1) under ThreadSanitizer.
    @unsafe
    func memory(of index: UInt32) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: address(of: index), count: MemoryLayout<Element>.stride)
    }

    @inline(__always)
    private func address(of index: UInt32) -> UnsafeMutablePointer<Element> {
        assert(index < capacity)
        return unsafe base + Int(index)
    }

    /// Gives an element's memory back to the kernel; it reads as zeroes again.
    /// - Precondition: an element is a whole number of pages.
    func discard(_ index: UInt32) {
        unsafe madvise(base + Int(index), MemoryLayout<Element>.stride, MADV_DONTNEED)
    }
}

extension Reservation {
    subscript(slot: Slot) -> Element {
        @inline(__always) unsafeAddress { unsafe UnsafePointer(address(of: slot.number)) }
        @inline(__always) nonmutating unsafeMutableAddress { unsafe address(of: slot.number) }
    }
}

/// Which indices are taken: the most recently freed is the next to be used, while its memory is warm.
struct IndexPool: ~Copyable {
    private let free: Reservation<UInt32>
    private var freed: UInt32 = 0
    /// Of those freed, what was kept for the first so many has been given up since.
    private var given: UInt32 = 0
    private var untouched: UInt32 = 0
    let capacity: Int
    private(set) var taken = 0

    init(capacity: Int) {
        free = Reservation(capacity: capacity)
        self.capacity = capacity
    }

    /// The number of indices that were ever taken; all in use are below it.
    var highWater: UInt32 { untouched }

    mutating func take() -> UInt32? {
        if freed > 0 {
            freed -= 1
            given = min(given, freed)
            taken += 1
            return free[freed]
        }
        guard untouched < capacity else { return nil }
        untouched += 1
        taken += 1
        return untouched - 1
    }

    mutating func giveBack(_ index: UInt32) {
        assert(index < untouched)
        free[freed] = index
        freed += 1
        taken -= 1
    }

    /// Frees an index whose memory or descriptors may stay for whoever takes it next, as long as few of those freed
    /// keep theirs.
    /// - Returns: where `most` keep theirs already, the one that has been free for the longest: what it keeps is to go.
    mutating func giveBack(_ index: UInt32, keeping most: Int) -> UInt32? {
        giveBack(index)
        guard Int(freed - given) > most else { return nil }
        given += 1
        return free[given - 1]
    }
}
