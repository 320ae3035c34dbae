// Counters that one thread bumps and any thread reads.
//
// Each worker owns one table per kind of thing (listeners, upstreams, endpoints),
// so a bump is a load and a store without a lock prefix, and no cache line is
// shared between workers. Readers add the workers' tables up.

public import Synchronization
import Vocabulary

/// Rows of counters with a single writer.
///
/// `@unchecked`: the mapping's address never changes and its words are atomics.
@safe
@usableFromInline
package final class CounterTable: @unchecked Sendable {
    @usableFromInline package let rows: Int
    @usableFromInline package let columns: Int
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>

    /// - Parameters:
    ///   - rows: the most there can be; address space only, resident once used. None is allowed.
    ///   - columns: counters a row; 8 fill a cache line.
    package init(rows: Int, columns: Int) {
        precondition(rows >= 0 && columns > 0)
        self.rows = rows
        self.columns = columns
        unsafe words = AddressSpace.reserve(bytes: rows * columns * Self.stride, for: "counters")
            .assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    deinit { unsafe AddressSpace.release(words, bytes: rows * columns * Self.stride) }

    private static let stride = MemoryLayout<Atomic<UInt64>>.stride

    /// Adds `amount`, wrapping, so that a gauge may go down by adding a negative number's bits.
    /// - Precondition: only the table's one writer calls this.
    @inlinable
    package func add(_ amount: UInt64, row: Int, column: Int) {
        assert(row < rows && column < columns)
        let word = unsafe words + (row &* columns &+ column)
        unsafe word.pointee.store(word.pointee.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// What the writer has counted, perhaps a moment ago.
    package func read(row: Int, column: Int) -> UInt64 {
        precondition(row < rows && column < columns)
        return unsafe words[row * columns + column].load(ordering: .relaxed)
    }
}
