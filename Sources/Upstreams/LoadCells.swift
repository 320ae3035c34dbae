// Where every worker counts the load of every endpoint.
//
// One cache line per endpoint in one mapping that never moves: a pick reads two
// lines, a placement writes one, and no worker ever waits for another. Both gauges
// of an endpoint are halves of one word, so that a placement is one locked
// instruction and a reader never sees one gauge without the other. Counts that only
// grow are not here but in each worker's own table, so that workers share a line
// only where they must.
//
// A cell given back is reused only once nothing is counted in it any more; until
// then it waits in a queue. The queue is not searched: each request looks at a few
// of its oldest cells and sends busy ones to its end, so that thousands of
// endpoints that leave and join at once cost thousands of steps, not millions.
//
// `@usableFromInline` on a package type is what lets its `@inlinable` members be
// inlined by other modules; without it the compiler (6.3) keeps their bodies back.

public import Synchronization
import Vocabulary

/// One endpoint's gauges at one moment.
@frozen
@usableFromInline
package struct EndpointLoad: Hashable, Sendable {
    /// Connections that wait for an answer, connecting ones included.
    @usableFromInline package var outstanding: UInt32
    /// Connections placed on the endpoint, connecting ones included.
    @usableFromInline package var connections: UInt32

    @inlinable
    package init(outstanding: UInt32, connections: UInt32) {
        self.outstanding = outstanding
        self.connections = connections
    }
}

/// A fixed slab of load counts, one cell per endpoint.
///
/// Cells are given out and taken back by one thread (the control thread); any thread counts in them.
///
/// `@unchecked`: the mapping's address never changes, its cells are atomics, and the free list has a lock.
@safe
@usableFromInline
package final class LoadCells: @unchecked Sendable {
    @usableFromInline package typealias Index = UInt32

    /// One endpoint's gauges, alone on their cache line with what its own sidecar says of it.
    @frozen
    @usableFromInline
    struct Cell: ~Copyable {
        /// Outstanding in the low half, connections in the high. Neither borrows from the other: each is subtracted
        /// only by the worker that added it.
        @usableFromInline let gauges = Atomic<UInt64>(0)
        /// See ``ReportedLoad``: when in the high bits, outstanding in the low; 0 where nothing was ever said.
        @usableFromInline let reported = Atomic<UInt64>(0)
        /// Connections of the same report, or of one beside it: they only break ties.
        @usableFromInline let reportedConnections = Atomic<UInt32>(0)
    }

    @usableFromInline static let oneOutstanding: UInt64 = 1
    @usableFromInline static let oneConnection: UInt64 = 1 << 32
    @usableFromInline static let stride = 64

    /// How many cells there are; ``allocate()`` answers nil beyond.
    @usableFromInline package let capacity: Int
    @usableFromInline let base: UnsafeMutableRawPointer
    private let free: Mutex<FreeList>

    private struct FreeList {
        /// The lowest cell that was never given out.
        var next: Index = 0
        /// Given back, the oldest at ``head``; some may still be counted in.
        var returned: [Index] = []
        var head = 0

        /// Takes out the oldest returned cell for which `isIdle` holds, looking at `limit` of them at most.
        mutating func takeReturned(lookingAt limit: Int, where isIdle: (Index) -> Bool) -> Index? {
            defer {
                if head > returned.count / 2 {
                    returned.removeFirst(head)
                    head = 0
                }
            }
            for _ in 0..<min(limit, returned.count - head) {
                let cell = returned[head]
                head += 1
                if isIdle(cell) { return cell }
                returned.append(cell)
            }
            return nil
        }
    }

    /// - Parameter capacity: cells; 64 bytes of address space each, resident only once used.
    package init(capacity: Int = 1 << 18) {
        self.capacity = capacity
        unsafe base = AddressSpace.reserve(bytes: capacity * Self.stride, for: "load cells")
        free = Mutex(FreeList())
    }

    deinit { unsafe AddressSpace.release(base, bytes: capacity * Self.stride) }

    /// A cell that counts nothing; nil where all are in use.
    ///
    /// O(1) but for the last resort: with every cell given out, all returned ones are looked at before the answer is nil.
    package func allocate() -> Index? {
        free.withLock { free in
            if let reused = free.takeReturned(lookingAt: 4, where: isIdle) { return cleared(reused) }
            if free.next < capacity {
                defer { free.next += 1 }
                // Zero bytes are what an Atomic<Int32> of zero is.
                return free.next
            }
            return free.takeReturned(lookingAt: .max, where: isIdle).map(cleared)
        }
    }

    /// Gives a cell back. Connections that still count in it keep it from being reused until they end.
    /// - Precondition: no worker reads a snapshot any more that names it, or an old endpoint's
    ///   connections would count for the new one; ``Discovery/reclaim(acknowledged:at:)`` sees to that.
    package func release(_ index: Index) {
        free.withLock { $0.returned.append(index) }
    }

    /// Acquires what ``unplace(_:waiting:)`` released: all counting of the last connection is over.
    private func isIdle(_ index: Index) -> Bool {
        gauges(of: index) { $0.load(ordering: .acquiring) == 0 }
    }

    /// What was said of the endpoint before is not said of the next.
    private func cleared(_ index: Index) -> Index {
        forgetReport(of: index)
        return index
    }
}

// MARK: - Counting

extension LoadCells {
    /// The endpoint's load, perhaps a moment ago.
    @inlinable
    package func load(of index: Index) -> EndpointLoad {
        let word = gauges(of: index) { $0.load(ordering: .relaxed) }
        return EndpointLoad(
            outstanding: UInt32(truncatingIfNeeded: word), connections: UInt32(truncatingIfNeeded: word &>> 32))
    }

    /// - Precondition: `index` came from ``allocate()`` of this slab.
    @inlinable
    @inline(__always)
    func gauges<Result>(of index: Index, _ body: (borrowing Atomic<UInt64>) -> Result) -> Result {
        assert(index < capacity)
        let cell = unsafe base.advanced(by: Int(index) &* Self.stride).assumingMemoryBound(to: Cell.self)
        return unsafe body(cell.pointee.gauges)
    }
}
