// Where every worker counts the load of every endpoint.
//
// One cache line per endpoint in one mapping that never moves: a pick reads two
// lines, a placement writes one, and no worker ever waits for another. Counts
// that only grow are not here but in each worker's own table, so that workers
// share a line only where they must.

import Glibc
package import Synchronization

/// A fixed slab of load counts, one cell per endpoint.
///
/// Cells are given out and taken back by one thread (the control thread); any thread counts in them.
///
/// `@unchecked`: the mapping's address never changes, its cells are atomics, and the free list has a lock.
@safe
package final class LoadCells: @unchecked Sendable {
    package typealias Index = UInt32

    /// One endpoint's gauges, alone on its cache line.
    @frozen
    package struct Cell: ~Copyable {
        /// Connections that wait for an answer, connecting ones included.
        @usableFromInline package let outstanding = Atomic<Int32>(0)
        /// Connections placed on the endpoint, connecting ones included.
        @usableFromInline package let connections = Atomic<Int32>(0)
    }

    package static let stride = 64

    /// How many cells there are; ``allocate()`` answers nil beyond.
    package let capacity: Int
    @usableFromInline let base: UnsafeMutableRawPointer
    private let free: Mutex<FreeList>

    private struct FreeList {
        var next: Index = 0
        /// Given back, but perhaps still counted in: reused only once no connection is left on them.
        var returned: [Index] = []
    }

    /// - Parameter capacity: cells; 64 bytes of address space each, resident only once used.
    package init(capacity: Int = 1 << 18) {
        self.capacity = capacity
        let mapping = unsafe mmap(
            nil, capacity * Self.stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            fatalError("no address space for \(capacity) load cells: errno \(errno)")
        }
        unsafe base = mapping
        free = Mutex(FreeList())
    }

    deinit { unsafe munmap(base, capacity * Self.stride) }

    /// The cell at `index`.
    /// - Precondition: `index` came from ``allocate()`` of this slab.
    @inlinable
    package subscript(index: Index) -> UnsafeMutablePointer<Cell> {
        unsafe base.advanced(by: Int(index) &* Self.stride).assumingMemoryBound(to: Cell.self)
    }

    /// A cell that counts nothing yet; nil where all are in use.
    package func allocate() -> Index? {
        free.withLock { free in
            if let reusable = free.returned.firstIndex(where: { unsafe self[$0].pointee.connections.load(ordering: .relaxed) == 0 }) {
                return free.returned.remove(at: reusable)
            }
            guard free.next < capacity else { return nil }
            defer { free.next += 1 }
            // Zero bytes are what an Atomic<Int32> of zero is.
            return free.next
        }
    }

    /// Gives a cell back. Connections that still count in it keep it from being reused until they end.
    package func release(_ index: Index) {
        free.withLock { $0.returned.append(index) }
    }
}
